//! What holds the worker back.
