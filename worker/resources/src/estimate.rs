//! What a task is likely to need.
