//! Blobs in a folder, or in S3.
//!
//! A folder's blobs are written beside their place and moved there, synced to
//! the disk, so that what was answered survives. Pieces of uploads that a kill
//! cut off are hidden from listings; [`Blobs::tidy`] removes them.
//!
//! Invariant: an upload holds a few [`PART`]s in memory, whatever its length.
//!
//! Deliberately absent: credentials (the S3 client takes them from the usual
//! AWS variables), and the parts of uploads to S3 that a kill cut off: a
//! lifecycle rule of the bucket removes those.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path as FsPath, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt, buffered::BufWriter, local::LocalFileSystem, path::Path,
};
use tokio::io::AsyncWriteExt;

use super::{Blob, Blobs, Error, Listed, Result, Upload};
use crate::model::Stamp;

/// The piece in which uploads travel: the least that S3 takes.
const PART: usize = 5 << 20;
/// Pieces on their way while the next one is gathered.
const PARTS_UNDER_WAY: usize = 2;

/// A blob store on the crate `object_store`.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// Where the blobs are, if that is a folder.
    folder: Option<PathBuf>,
}

impl Objects {
    /// Opens what the URL names: `file:///folder` or `s3://bucket/prefix`;
    /// without one, `folder`.
    pub fn open(url: Option<&str>, folder: &FsPath) -> Result<Arc<Self>> {
        match url {
            None => Self::in_folder(folder),
            Some(url) => match url.split_once("://") {
                Some(("file", path)) if path.starts_with('/') => {
                    let path = Path::from_url_path(path).map_err(|error| unsuitable(&error))?;
                    Self::in_folder(&FsPath::new("/").join(path.as_ref()))
                }
                Some(("s3", _)) => s3(url),
                _ => Err(Error::Unsuitable(
                    "the blob url must be file:///an/absolute/folder or s3://bucket/prefix".into(),
                )),
            },
        }
    }

    /// Opens a folder, making it if need be; nobody else may look into it.
    pub fn in_folder(folder: &FsPath) -> Result<Arc<Self>> {
        let refuse = |error: io::Error| {
            Error::Unsuitable(format!(
                "the blob folder {} cannot be used: {error}; choose another with --blob-url",
                folder.display()
            ))
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(refuse)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(refuse)?;
        let folder = folder.canonicalize().map_err(refuse)?;
        let store = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|error| unsuitable(&error))?
            .with_fsync(true);
        Ok(Arc::new(Self {
            store: Arc::new(store),
            folder: Some(folder),
        }))
    }
}

#[cfg(feature = "s3")]
fn s3(url: &str) -> Result<Arc<Objects>> {
    // The TLS library has no default where several could be linked in; the
    // program links one. Set before by someone else, it is the same one.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let bucket = object_store::aws::AmazonS3Builder::from_env()
        .with_url(url)
        .build()
        .map_err(|error| unsuitable(&error))?;
    let prefix = url
        .trim_start_matches("s3://")
        .split_once('/')
        .map_or("", |(_, prefix)| prefix);
    let prefix = Path::parse(prefix).map_err(|error| unsuitable(&error))?;
    Ok(Arc::new(Objects {
        store: Arc::new(object_store::prefix::PrefixStore::new(bucket, prefix)),
        folder: None,
    }))
}

#[cfg(not(feature = "s3"))]
fn s3(_: &str) -> Result<Arc<Objects>> {
    Err(Error::Unsuitable(
        "this program was built without S3; build it with `--features s3`, or use file:///a/folder that all roles share".into(),
    ))
}

fn unsuitable(error: &dyn std::fmt::Display) -> Error {
    Error::Unsuitable(format!("the blob url cannot be used: {error}"))
}

fn away(error: &dyn std::fmt::Display) -> Error {
    /// Some clients quote whole answers, page by page.
    const SHOWN: usize = 300;
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Error::Unavailable(first.chars().take(SHOWN).collect())
}

#[async_trait]
impl Blobs for Objects {
    async fn put(&self, key: &str, content: Bytes) -> Result<()> {
        let put = self.store.put(&Path::from(key), content.into()).await;
        put.map(drop).map_err(|error| away(&error))
    }

    async fn upload(&self, key: &str) -> Result<Box<dyn Upload>> {
        let writer = BufWriter::with_capacity(Arc::clone(&self.store), Path::from(key), PART)
            .with_max_concurrency(PARTS_UNDER_WAY);
        Ok(Box::new(Writing(writer)))
    }

    async fn get(&self, key: &str) -> Result<Option<Blob>> {
        match self.store.get(&Path::from(key)).await {
            Ok(found) => Ok(Some(Blob {
                bytes: found.meta.size,
                chunks: found
                    .into_stream()
                    .map(|chunk| chunk.map_err(|error| away(&error)))
                    .boxed(),
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(away(&error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.store.delete(&Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(away(&error)),
        }
    }

    fn list(&self, folder: &str) -> BoxStream<'static, Result<Listed>> {
        let folder = (!folder.is_empty()).then(|| Path::from(folder));
        self.store
            .list(folder.as_ref())
            .map(|found| {
                let found = found.map_err(|error| away(&error))?;
                Ok(Listed {
                    key: found.location.into(),
                    written_at: Stamp::from_micros(found.last_modified.timestamp_micros()),
                })
            })
            .boxed()
    }

    async fn tidy(&self, before: Stamp) -> Result<u64> {
        let Some(folder) = self.folder.clone() else {
            return Ok(0);
        };
        tokio::task::spawn_blocking(move || tidy_folder(&folder, before))
            .await
            .map_err(|error| away(&error))?
            .map_err(|error| away(&error))
    }
}

struct Writing(BufWriter);

#[async_trait]
impl Upload for Writing {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.0.put(chunk).await.map_err(|error| away(&error))
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        self.0.shutdown().await.map_err(|error| away(&error))
    }

    async fn abandon(mut self: Box<Self>) {
        if let Err(error) = self.0.abort().await {
            tracing::debug!(%error, "an upload could not be cleared away at once");
        }
    }
}

/// Removes the hidden pieces (`<name>#<number>`) of uploads that ended before
/// their end.
fn tidy_folder(folder: &FsPath, before: Stamp) -> io::Result<u64> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // What vanishes meanwhile is somebody else's work.
        let Ok(about) = entry.metadata() else {
            continue;
        };
        if about.is_dir() {
            removed += tidy_folder(&entry.path(), before)?;
        } else if is_piece(&entry.file_name().to_string_lossy()) {
            let written = about.modified()?;
            let age = written.duration_since(std::time::UNIX_EPOCH);
            if age.is_ok_and(|age| Stamp::default().after(age) < before) {
                removed += u64::from(fs::remove_file(entry.path()).is_ok());
            }
        }
    }
    Ok(removed)
}

fn is_piece(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;

    fn open() -> (tempfile::TempDir, Arc<Objects>) {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Objects::in_folder(&dir.path().join("blobs")).unwrap();
        (dir, blobs)
    }

    async fn keys(blobs: &Objects) -> Vec<String> {
        let listed: Vec<Listed> = blobs.list("").try_collect().await.unwrap();
        let mut keys: Vec<_> = listed.into_iter().map(|blob| blob.key).collect();
        keys.sort();
        keys
    }

    #[tokio::test]
    async fn a_blob_comes_back_whole_and_is_gone_after_its_deletion() {
        let (_dir, blobs) = open();
        let small = Bytes::from_static(b"abc");
        blobs.put("a/b/c", small.clone()).await.unwrap();
        let mut upload = blobs.upload("a/b/d").await.unwrap();
        let piece = Bytes::from(vec![7; 1 << 20]);
        for _ in 0..13 {
            upload.write(piece.clone()).await.unwrap();
        }
        assert_eq!(keys(&blobs).await, ["a/b/c"], "not before its end");
        upload.finish().await.unwrap();
        assert_eq!(keys(&blobs).await, ["a/b/c", "a/b/d"]);
        let large = blobs.get("a/b/d").await.unwrap().unwrap();
        assert_eq!(large.bytes, 13 << 20);
        assert!(large.read().await.unwrap().iter().all(|byte| *byte == 7));
        let read = blobs.get("a/b/c").await.unwrap().unwrap().read().await;
        assert_eq!(read.unwrap(), small);
        for _ in 0..2 {
            blobs.delete("a/b/c").await.unwrap();
            assert!(blobs.get("a/b/c").await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn an_upload_that_is_given_up_leaves_nothing() {
        let (dir, blobs) = open();
        for abandon in [true, false] {
            let mut upload = blobs.upload("t/files/u").await.unwrap();
            for _ in 0..3 {
                upload.write(Bytes::from(vec![1; PART])).await.unwrap();
            }
            let folder = dir.path().join("blobs/t/files");
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a hidden piece");
            if abandon {
                upload.abandon().await;
            } else {
                // As a kill would: nothing is cleared away.
                std::mem::forget(upload);
                assert!(keys(&blobs).await.is_empty());
                let past = Stamp::from_millis(1);
                assert_eq!(blobs.tidy(past).await.unwrap(), 0, "it is too young");
                assert_eq!(blobs.tidy(Stamp::MAX).await.unwrap(), 1);
            }
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        }
    }

    #[test]
    fn nobody_else_may_look_into_the_folder() {
        let (dir, _blobs) = open();
        let about = fs::metadata(dir.path().join("blobs")).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_url_that_cannot_work_is_refused_with_what_would() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["blobs", "file://relative", "http://x/y", ""] {
            let error = Objects::open(Some(bad), folder.path()).unwrap_err();
            assert!(error.to_string().contains("file:///"), "{bad}: {error}");
        }
        let spaced = format!("file://{}/my%20blobs", folder.path().display());
        Objects::open(Some(&spaced), folder.path()).unwrap();
        assert!(folder.path().join("my blobs").is_dir());
    }

    #[test]
    fn only_pieces_of_uploads_look_like_such() {
        assert!(is_piece("x#1") && is_piece("x#1#20"));
        assert!(!is_piece("x") && !is_piece("x#") && !is_piece("x#1a"));
    }
}
