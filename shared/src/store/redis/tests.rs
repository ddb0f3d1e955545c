//! The backend against a real server of its own. The conformance suite of the
//! `tests` package proves the semantics; here stands what is Redis' own:
//! asking twice, restarts, broken connections, a full memory, old servers.

mod server;

mod cost;
mod course;

use server::{Fleet, Server};
