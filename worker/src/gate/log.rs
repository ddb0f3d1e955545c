//! Writes the decision log to a file.
//!
//! Invariant: a log that cannot be written ends, in words; the worker goes on.
//! It never grows beyond [`MOST`].

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use resources::{
    governor::Setup,
    record::{Answer, Event, Header, Line, VERSION, settled},
};
use serde::Serialize;
use tracing::warn;

/// A busy day of decisions; more is nothing that anybody replays.
const MOST: u64 = 4 << 30;
/// Bytes that are held back at most before they are written.
const BUFFER: usize = 256 << 10;

/// An open log.
#[derive(Debug)]
pub(crate) struct DecisionLog {
    file: Option<BufWriter<File>>,
    written: u64,
}

impl DecisionLog {
    /// Begins a log; a file of that name is replaced.
    pub(crate) fn create(path: &Path, setup: &Setup, begun: String) -> io::Result<Self> {
        let mut log = Self {
            file: Some(BufWriter::with_capacity(BUFFER, File::create(path)?)),
            written: 0,
        };
        log.line(&Header {
            decision_log: VERSION,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            begun,
            setup: settled(setup.clone()),
        });
        log.flush();
        Ok(log)
    }

    /// Adds a decision.
    pub(crate) fn write(&mut self, event: &Event, answer: &Answer) {
        self.line(&Line { event, answer });
        if matches!(event, Event::Tick(_)) {
            // At each tick, so that a kill loses a second at most.
            self.flush();
        }
    }

    fn line(&mut self, line: &impl Serialize) {
        let Some(file) = &mut self.file else {
            return;
        };
        let mut text = match serde_json::to_vec(line) {
            Ok(text) => text,
            Err(error) => return self.end(&error.to_string()),
        };
        text.push(b'\n');
        self.written += text.len() as u64;
        let wrote = file.write_all(&text);
        if let Err(error) = wrote {
            self.end(&error.to_string());
        } else if self.written > MOST {
            self.end("it has grown to its limit");
        }
    }

    /// Writes out what is held back.
    pub(crate) fn flush(&mut self) {
        if let Some(Err(error)) = self.file.as_mut().map(Write::flush) {
            self.end(&error.to_string());
        }
    }

    fn end(&mut self, why: &str) {
        warn!(why, "the decision log ends here");
        self.file = None;
    }
}
