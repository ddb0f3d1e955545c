//! The backend against a real server of its own. The conformance suite of the
//! `tests` package proves the semantics; here stands what is Redis' own:
//! broken connections, a restart, forgotten scripts, passwords; and the cost.

mod server;

mod bands;
mod cost;
mod layout;
mod orders;
mod reaping;
mod trouble;

use server::{Fleet, Server};
