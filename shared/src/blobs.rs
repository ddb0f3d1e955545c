//! The seam to the blob store: where bytes lie that are too large for the
//! store of the fleet. Uploaded files, files that runs made, and on Redis large
//! inputs and results.
//!
//! [`key`] names blobs, [`filing`] ends an upload, [`objects`] keeps them (a folder, or S3 with the cargo
//! feature `s3`), [`mark`] tells whether two roles see the same blob store.
//!
//! Invariant: a blob appears whole or not at all, and never changes: whoever
//! writes a key again writes the same bytes. Whether a blob is needed is
//! decided by the store's records alone; what no record names is collected.
//!
//! Deliberately absent: names, media types and owners of files (the store's
//! records), and any limit on sizes (the API's and the worker's).

pub mod filing;
pub mod key;
pub mod mark;
pub mod objects;

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};

use crate::model::Stamp;

/// Why a blob store gave no answer. No message quotes content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is away, or full, or did not answer in time; asking again may help.
    #[error("the blob store is unavailable: {0}")]
    Unavailable(String),
    /// It cannot be used as it is configured.
    #[error("{0}")]
    Unsuitable(String),
}

/// An answer of a blob store.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something that needs the store as well was not done.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Because of the blob store.
    #[error(transparent)]
    Blobs(#[from] Error),
    /// Because of the store.
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

impl Trouble {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Blobs(error) => matches!(error, Error::Unavailable(_)),
            Self::Store(error) => error.is_transient(),
        }
    }
}

/// A blob that is being read.
pub struct Blob {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its content, in order. A stream that fails has given an error last.
    pub chunks: BoxStream<'static, Result<Bytes>>,
}

impl Blob {
    /// The whole content; for blobs that fit into memory.
    pub async fn read(mut self) -> Result<Vec<u8>> {
        let mut content = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or(0));
        while let Some(chunk) = self.chunks.next().await {
            content.extend_from_slice(&chunk?);
        }
        if content.len() as u64 == self.bytes {
            Ok(content)
        } else {
            Err(Error::Unavailable("a blob ended early".into()))
        }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// One blob of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it was written, by the blob store's clock.
    pub written_at: Stamp,
}

/// Where large bytes lie.
#[async_trait]
pub trait Blobs: Send + Sync + fmt::Debug + 'static {
    /// Writes a whole blob.
    async fn put(&self, key: &str, content: Bytes) -> Result<()>;

    /// Begins a blob that is written piece by piece and appears at its end.
    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>>;

    /// Opens a blob; `None` if there is none.
    async fn get(&self, key: &str) -> Result<Option<Blob>>;

    /// Removes a blob; one that is gone already is no error.
    async fn delete(&self, key: &str) -> Result<()>;

    /// All blobs whose keys begin with this folder (empty for all), in no
    /// particular order, fetched page by page.
    fn list(&self, folder: &str) -> BoxStream<'static, Result<Listed>>;

    /// Removes what uploads that never ended have left behind, if it is older
    /// than `before`. Returns how many.
    async fn tidy(&self, before: Stamp) -> Result<u64>;
}

/// A blob under construction. What is dropped unfinished does not appear; its
/// room is free at once after [`abandon`](Self::abandon), else soon.
#[async_trait]
pub trait Upload: Send {
    /// Appends to it. Waits while too much is on its way.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Ends it: it is there, durably, when this returns.
    async fn finish(self: Box<Self>) -> Result<()>;

    /// Gives it up.
    async fn abandon(self: Box<Self>);
}
