//! How hard pressed the worker is.
