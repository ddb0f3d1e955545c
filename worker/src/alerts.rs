//! Tells people.

mod address;
pub mod webhook;
