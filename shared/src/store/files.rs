//! What is asked of the store about files and blobs, and what it answers.
//!
//! A file is a record: whose it is, where its bytes lie, how long it may live.
//! A task refers to the files that its input named when it was submitted, and
//! to those that its run made; a file that nobody refers to expires.
//!
//! Invariant: plain data. The bytes themselves are in [`crate::blobs`], written
//! before the record and collected after it.

use std::time::Duration;

use crate::model::{FileId, Json, TenantId};

/// A file whose bytes are in the blob store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Whose.
    pub tenant: TenantId,
    /// Its content's name.
    pub id: FileId,
    /// Where the bytes lie: a key of one upload, never used before.
    pub key: String,
    /// Its length.
    pub bytes: u64,
    /// Its media type.
    pub content_type: String,
    /// A name to show; not a path. May be empty.
    pub name: String,
    /// How long it lives when nothing refers to it (any more).
    pub keep: Duration,
    /// The key of the same content whose blob was found to be missing: this
    /// upload takes its place.
    pub replaces: Option<String>,
}

/// What became of a new file. Either way its life begins anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePut {
    /// Its bytes lie where it said.
    Stored,
    /// The tenant had this content already; the bytes of this upload are not
    /// needed. Name and media type are those of now.
    Known(FileRecord),
}

/// A file as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// Its content's name.
    pub id: FileId,
    /// Where the bytes lie.
    pub key: String,
    /// Its length.
    pub bytes: u64,
    /// Its media type.
    pub content_type: String,
    /// A name to show; may be empty.
    pub name: String,
    /// How many tasks refer to it.
    pub uses: u64,
}

/// Which blobs a task needs, as far as its texts are such (see
/// [`super::large`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payloads {
    /// It has ended: no run may be writing a result now.
    pub is_final: bool,
    /// What stands for its input, if that is large.
    pub input: Option<Json>,
    /// What stands for its result, if there is one and it is large.
    pub result: Option<Json>,
}
