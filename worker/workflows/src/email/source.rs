//! From bytes to single mails, whatever holds them. Each is handed on as it is found, so that only one is in memory.
//!
//! Invariant: what is wrong with one mail is that mail's failure ([`Failure`]); only a container that cannot be read
//! at all, or is larger than its cap, fails the run. Deliberately absent: any use of names in archives as paths.

pub(super) mod graph;
pub(super) mod maildir;
pub(super) mod mbox;

use std::io::{self, Read};

use super::input::{Input, Kind};
use super::limits;
use crate::{Error, Problem, Run};

/// Where a mail stands in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    /// Number of the mail in its source, from 0.
    pub(super) index: u64,
    /// Byte at which it begins, where the source is a stream.
    pub(super) offset: Option<u64>,
}

/// Why one mail is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// A stable word for programs.
    pub(super) code: &'static str,
    /// For people: what, where, which limit. Never content.
    pub(super) detail: String,
    /// Value and cap, where a limit was passed; `max_` and the code are the limit's name.
    pub(super) limit: Option<(u64, u64)>,
}

impl Failure {
    pub(super) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            limit: None,
        }
    }

    /// `Err` when `value` is above `cap`.
    pub(super) fn cap(code: &'static str, value: u64, cap: u64) -> Result<(), Self> {
        if value <= cap {
            return Ok(());
        }
        Err(Self {
            limit: Some((value, cap)),
            ..Self::new(code, format!("{value}, at most {cap} is allowed"))
        })
    }
}

/// What a source finds.
pub(super) enum Found<'a> {
    /// A mail as it travels.
    Raw(&'a [u8]),
    /// A mail as Graph lists it.
    Graph(Box<graph::Item>),
    /// A mail that cannot be read.
    Failed(Failure),
    /// A draft: no mail yet.
    Draft,
    /// A line of an mbox that may or may not begin a mail.
    Suspicious,
    /// An entry of an archive whose name leads outside of it.
    Escaping,
}

/// Takes what a source finds.
pub(super) type Taker<'t> = dyn FnMut(Place, Found<'_>) -> Result<(), Error> + 't;

const DATA: &str = "/source/data";

/// Reads the input's source, mail by mail.
pub(super) fn read(input: &Input, run: &Run<'_>, take: &mut Taker<'_>) -> Result<(), Error> {
    let data = &input.source.data;
    match input.source.kind {
        Kind::Eml => {
            let cap = limits::MAX_MESSAGE_BYTES;
            let bytes = whole(data.open(run, DATA, cap)?, "max_message_bytes", cap)?;
            if bytes.is_empty() {
                return Err(unreadable("has no bytes"));
            }
            take(Place::default(), Found::Raw(&bytes))
        }
        Kind::Mbox => mbox::read(data.open(run, DATA, limits::MAX_MBOX_BYTES)?, run, take),
        Kind::MaildirZip => {
            maildir::read(data.open(run, DATA, limits::MAX_ARCHIVE_BYTES)?, run, take)
        }
        Kind::GraphJson => {
            let cap = limits::MAX_GRAPH_BYTES;
            let bytes = whole(data.open(run, DATA, cap)?, "max_graph_bytes", cap)?;
            graph::read(&bytes, run, take)
        }
    }
}

/// All bytes of a source of at most `cap`.
fn whole(source: impl Read, limit: &str, cap: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    source
        .take(cap + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| broken(&e))?;
    Error::cap(limit, bytes.len() as u64, cap, DATA)?;
    Ok(bytes)
}

/// A file that cannot be read: the machine's fault, not the sender's.
fn broken(error: &io::Error) -> Error {
    Error::Internal(format!("cannot read the source: {}", error.kind()))
}

/// A source that is not what it is called.
pub(super) fn unreadable(detail: impl Into<String>) -> Error {
    Error::InvalidInput(vec![Problem::new(DATA, detail)])
}
