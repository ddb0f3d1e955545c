//! The whole machine: events in, decisions out.
