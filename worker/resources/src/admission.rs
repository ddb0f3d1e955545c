//! Whether a task may start now.
