//! The files of runs: brought from the blob store into a run's folder, and
//! taken from there into the blob store.
//!
//! Invariant: a run sees only files of its task's tenant, whole and checked by
//! length and hash. What it made is recorded before its report, so a committed
//! result never names a file that is not there; what an uncommitted run made
//! expires by itself. While the blob store is away a run waits, as long as its
//! timeout lasts.
//!
//! Deliberately absent: caches. A file is fetched by each run that reads it.

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::BytesMut;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use shared::{
    blobs::{self, Blob, Blobs, Trouble, filing, key},
    clock::Clock,
    model::{FileId, Nonce, TenantId},
    store::{
        Store,
        files::{FileRecord, NewFile},
    },
};
use tokio::{
    fs::{File, OpenOptions},
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};
use tracing::debug;

use crate::{
    builtin::{Courier, Means},
    handler::{HandlerError, Tether},
    workroom::{JobFolder, MadeFile, Shelf},
};

/// A file that a handler makes may be as large as one that is uploaded.
const MADE_MAX: u64 = 64 << 20;
/// What is read from disk at once.
const CHUNK: usize = 256 << 10;
/// The first and the longest pause before blob store or store are asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What files are made of, for all runs of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Depot {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long a file is kept that no task refers to.
    pub(crate) keep: Duration,
}

/// Brings the files of one run.
#[derive(Debug)]
pub(crate) struct Carrier {
    depot: Depot,
    tenant: TenantId,
    tether: Arc<Tether>,
}

impl Carrier {
    pub(crate) fn new(depot: &Depot, tenant: &TenantId, tether: &Arc<Tether>) -> Self {
        Self {
            depot: depot.clone(),
            tenant: tenant.clone(),
            tether: Arc::clone(tether),
        }
    }

    /// Finds a file and opens its bytes. Twice: a new upload may take the place
    /// of a blob in between.
    async fn find(&self, id: FileId) -> Result<Found, Trouble> {
        let Depot { store, blobs, .. } = &self.depot;
        let mut found = Found::Nothing;
        for _ in 0..2 {
            let Some(record) = store.file(&self.tenant, id).await? else {
                return Ok(Found::Nothing);
            };
            if let Some(blob) = blobs.get(&record.key).await? {
                return Ok(Found::Bytes(record, blob));
            }
            found = Found::Record;
        }
        Ok(found)
    }

    /// Writes the bytes of a file to a new file; `false` if they are others.
    async fn copy(&self, id: FileId, (record, mut blob): (FileRecord, Blob), to: &Path) -> Copied {
        let mut file = new_file(to).await?;
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        while let Some(chunk) = blob.chunks.next().await {
            let chunk = chunk?;
            hash.update(&chunk);
            bytes += chunk.len() as u64;
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        let digest: [u8; 32] = hash.finalize().into();
        Ok(digest == *id.sha256() && bytes == record.bytes)
    }

    /// Of 128 random bits, stretched to what HMAC-SHA-256 takes.
    async fn contact_key_once(&self) -> Result<[u8; 32], Failure> {
        let drawn = Nonce::draw(&mut rand::rng());
        let store = &self.depot.store;
        let key = store.contact_key(&self.tenant, drawn).await;
        let key = key.map_err(Trouble::from)?;
        let mut hash = Sha256::new();
        hash.update(b"zerogate contact key ");
        hash.update(key.bits().to_be_bytes());
        Ok(hash.finalize().into())
    }

    async fn fetch_once(&self, at: &str, id: FileId, to: &Path) -> Result<(), Failure> {
        let found = match self.find(id).await? {
            Found::Bytes(record, blob) => (record, blob),
            Found::Nothing => {
                return Err(Failure::Final(HandlerError::invalid_input(
                    at,
                    format!("there is no file {id}; upload it again (unused files expire)"),
                )));
            }
            Found::Record => {
                return Err(Failure::Final(HandlerError::internal(
                    "the bytes of a file are not in the blob store; set the same --blob-url everywhere, or upload it again",
                )));
            }
        };
        if self.copy(id, found, to).await? {
            Ok(())
        } else {
            Err(Failure::Final(HandlerError::internal(
                "the blob store gave other bytes for a file than those that were uploaded",
            )))
        }
    }

    async fn deliver_once(&self, made: &MadeFile, id: FileId) -> Result<(), Failure> {
        let Depot {
            store,
            blobs,
            clock,
            keep,
        } = &self.depot;
        let key = key::upload(&self.tenant, clock.now(), &mut rand::rng());
        let mut upload = blobs.upload(&key).await?;
        match send(&made.path, &mut *upload).await {
            Ok(()) => upload.finish().await?,
            Err(failure) => {
                upload.abandon().await;
                return Err(failure);
            }
        }
        let file = NewFile {
            tenant: self.tenant.clone(),
            id,
            key,
            bytes: made.link.bytes,
            content_type: made.link.content_type.clone(),
            name: made.link.name.clone(),
            keep: *keep,
            replaces: None,
        };
        Ok(filing::record(&**store, &**blobs, file).await?)
    }
}

async fn send(path: &Path, upload: &mut dyn blobs::Upload) -> Result<(), Failure> {
    let mut file = File::open(path).await?;
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        if file.read_buf(&mut chunk).await? == 0 {
            return Ok(());
        }
        upload.write(chunk.freeze()).await?;
    }
}

/// A new file for its owner alone; what an earlier try left is removed.
async fn new_file(path: &Path) -> io::Result<File> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    OpenOptions::from(options).open(path).await
}

/// A file that was looked for.
enum Found {
    Bytes(FileRecord, Blob),
    /// Its bytes are lost.
    Record,
    Nothing,
}

type Copied = Result<bool, Failure>;

/// Why a file was not carried.
enum Failure {
    /// Asking again may help.
    Passing(Trouble),
    /// It will not.
    Final(HandlerError),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        if trouble.is_transient() {
            Self::Passing(trouble)
        } else {
            Self::Final(HandlerError::internal(trouble.to_string()))
        }
    }
}

impl From<blobs::Error> for Failure {
    fn from(error: blobs::Error) -> Self {
        Trouble::from(error).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Without the path: it would be another machine's business.
        Self::Final(HandlerError::internal(format!(
            "a file of the run cannot be read or written: {}; look at the disk of --data-dir",
            error.kind()
        )))
    }
}

/// Carries until it is done, or cannot be.
async fn insist<T, F>(what: &'static str, carry: impl Fn() -> F) -> Result<T, HandlerError>
where
    F: Future<Output = Result<T, Failure>>,
{
    let (mut pause, longest) = PAUSES;
    loop {
        match carry().await {
            Ok(done) => return Ok(done),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(trouble)) => debug!(what, %trouble, "a file has to wait"),
        }
        sleep(pause.mul_f64(0.5 + 0.5 * rand::random::<f64>())).await;
        pause = (pause * 2).min(longest);
    }
}

#[async_trait]
impl Courier for Carrier {
    async fn fetch(&self, at: &str, id: FileId, to: &Path) -> Result<(), HandlerError> {
        insist("fetch", || self.fetch_once(at, id, to)).await
    }

    async fn deliver(&self, made: &[MadeFile]) -> Result<(), HandlerError> {
        for made in made {
            let id = made.link.file.parse::<FileId>();
            let id = id.map_err(|_| HandlerError::internal("a made file without an id"))?;
            insist("deliver", || self.deliver_once(made, id)).await?;
            self.tether.note_made(id);
        }
        Ok(())
    }

    async fn contact_key(&self) -> Result<[u8; 32], HandlerError> {
        insist("contact_key", || self.contact_key_once()).await
    }
}

/// The files of one run in this process: nothing is made or fetched before a
/// handler asks for it.
#[derive(Debug)]
pub(crate) struct RunFiles {
    means: Means,
    desk: Mutex<Option<Arc<Desk>>>,
}

#[derive(Debug)]
struct Desk {
    /// First, so that it outlives nothing that lies in it.
    shelf: Shelf,
    fetched: tokio::sync::Mutex<BTreeMap<FileId, PathBuf>>,
    folder: JobFolder,
}

impl RunFiles {
    pub(crate) fn new(means: Means) -> Self {
        Self {
            means,
            desk: Mutex::default(),
        }
    }

    /// Where a file lies; fetches it if this run has not yet.
    pub(crate) async fn file(&self, id: &str) -> Result<PathBuf, HandlerError> {
        let id: FileId = id
            .parse()
            .map_err(|_| HandlerError::invalid_input("", "that is not the id of a file"))?;
        let desk = self.desk()?;
        // Held while fetching: two readers of one file fetch it once.
        let mut fetched = desk.fetched.lock().await;
        if let Some(path) = fetched.get(&id) {
            return Ok(path.clone());
        }
        let path = desk.folder.path().join(format!("in-{}", fetched.len()));
        self.means.courier()?.fetch("", id, &path).await?;
        fetched.insert(id, path.clone());
        Ok(path)
    }

    /// Begins a file of the result.
    pub(crate) fn create(
        &self,
        name: &str,
        media_type: &str,
    ) -> Result<Box<dyn workflows::Sink>, HandlerError> {
        let desk = self.desk()?;
        Ok(workflows::Files::create(&desk.shelf, name, media_type)?)
    }

    /// Stores the files that the run has ended.
    pub(crate) async fn deliver(&self) -> Result<(), HandlerError> {
        let Some(desk) = self.opened() else {
            return Ok(());
        };
        match desk.shelf.take_made() {
            made if made.is_empty() => Ok(()),
            made => self.means.courier()?.deliver(&made).await,
        }
    }

    fn opened(&self) -> Option<Arc<Desk>> {
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.clone()
    }

    fn desk(&self) -> Result<Arc<Desk>, HandlerError> {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(desk) = &*desk {
            return Ok(Arc::clone(desk));
        }
        let none = |error: io::Error| {
            HandlerError::internal(format!("no folder for the run: {}", error.kind()))
        };
        let folder = self.means.workroom.folder().map_err(none)?;
        let made = folder.subfolder("made").map_err(none)?;
        let fresh = Arc::new(Desk {
            shelf: Shelf::new(BTreeMap::new(), Some(made), MADE_MAX),
            fetched: tokio::sync::Mutex::default(),
            folder,
        });
        *desk = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}
