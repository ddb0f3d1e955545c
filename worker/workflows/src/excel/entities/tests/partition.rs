//! What must hold on any data.
