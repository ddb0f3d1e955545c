//! A gate that nothing opens.
