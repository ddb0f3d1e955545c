//! The files of one run: those of its input at the paths where they lie, those that it makes in a folder.
//!
//! Invariant: a run reads only what it was given and writes only into its folder, under names that it does not
//! choose. A file's id is made from what was written.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use sha2::{Digest, Sha256};
use workflows::{Error, FileLink, Files, Sink, Source};

use super::new_file;

/// A result may name a workbook, a table and a few more; whoever makes hundreds runs wild.
const MADE_MAX: usize = 16;

/// A file that a run made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeFile {
    /// Id, hash, length, name and media type.
    pub link: FileLink,
    /// Where it lies until the run's folder goes.
    pub path: PathBuf,
}

/// The files of one run.
#[derive(Debug)]
pub struct Shelf {
    inputs: BTreeMap<String, PathBuf>,
    folder: Option<PathBuf>,
    cap: u64,
    begun: AtomicUsize,
    made: Arc<Mutex<Vec<MadeFile>>>,
}

impl Shelf {
    /// Files at these paths, by id, and a folder for those that are made, each at most `cap` bytes long.
    #[must_use]
    pub fn new(inputs: BTreeMap<String, PathBuf>, folder: Option<PathBuf>, cap: u64) -> Self {
        Self {
            inputs,
            folder,
            cap,
            begun: AtomicUsize::new(0),
            made: Arc::default(),
        }
    }

    /// The finished files, in the order of their ends.
    #[must_use]
    pub fn into_made(self) -> Vec<MadeFile> {
        self.take_made()
    }

    /// The files finished so far, once.
    pub(crate) fn take_made(&self) -> Vec<MadeFile> {
        std::mem::take(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Files for Shelf {
    fn open(&self, id: &str) -> Result<Box<dyn Source>, Error> {
        let path = self.inputs.get(id).ok_or_else(|| {
            Error::Internal("a file that the input names was not fetched for this run".into())
        })?;
        let file =
            File::open(path).map_err(|error| failed("a fetched file cannot be read", &error))?;
        Ok(Box::new(BufReader::new(file)))
    }

    fn create(&self, name: &str, media_type: &str) -> Result<Box<dyn Sink>, Error> {
        let Some(folder) = &self.folder else {
            return Err(Error::Internal("this run has no folder for files".into()));
        };
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        if number >= MADE_MAX {
            return Err(Error::LimitExceeded {
                limit: "made_files".into(),
                value: number as u64 + 1,
                cap: MADE_MAX as u64,
                pointer: String::new(),
            });
        }
        let path = folder.join(format!("out-{number}"));
        let file = new_file(&path).map_err(|error| failed("a file cannot be made", &error))?;
        Ok(Box::new(Draft {
            file,
            path,
            name: name.to_owned(),
            content_type: media_type.to_owned(),
            at: 0,
            length: 0,
            cap: self.cap,
            over: false,
            hash: Some(Sha256::new()),
            made: Arc::clone(&self.made),
        }))
    }
}

/// What went wrong, without a path: it would be another machine's business.
fn failed(what: &str, error: &io::Error) -> Error {
    Error::Internal(format!("{what}: {}", error.kind()))
}

/// A file under construction.
struct Draft {
    file: File,
    path: PathBuf,
    name: String,
    content_type: String,
    at: u64,
    length: u64,
    cap: u64,
    /// Something was to be written beyond the cap.
    over: bool,
    /// Of everything so far; `None` once something was written anywhere but at the end.
    hash: Option<Sha256>,
    made: Arc<Mutex<Vec<MadeFile>>>,
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at.saturating_add(bytes.len() as u64) > self.cap {
            // Remembered, so that the end says which limit it was, whatever the writer makes of this error.
            self.over = true;
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "above the cap on a made file",
            ));
        }
        if self.at != self.length {
            self.hash = None;
        }
        let written = self.file.write(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..written]);
        }
        self.at += written as u64;
        self.length = self.length.max(self.at);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Draft {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl Sink for Draft {
    fn finish(mut self: Box<Self>) -> Result<FileLink, Error> {
        if self.over {
            return Err(Error::LimitExceeded {
                limit: "output_bytes".into(),
                value: self.cap.saturating_add(1),
                cap: self.cap,
                pointer: String::new(),
            });
        }
        let sha256 = match self.hash.take() {
            Some(hash) => hexadecimal(&hash.finalize()),
            None => hash_again(&mut self.file)
                .map_err(|error| failed("a made file cannot be read", &error))?,
        };
        let link = FileLink {
            file: workflows::id_of(&sha256),
            sha256,
            bytes: self.length,
            name: self.name.clone(),
            content_type: self.content_type.clone(),
        };
        let made = MadeFile {
            link: link.clone(),
            path: self.path.clone(),
        };
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(made);
        Ok(link)
    }
}

/// The SHA-256 of a file's content, as ids are made of it; reads it piece by piece.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    hash_again(&mut File::open(path)?)
}

fn hash_again(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(hexadecimal(&hash.finalize()));
        }
        hash.update(&chunk[..read]);
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(cap: u64) -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("given");
        std::fs::write(&input, "given bytes").unwrap();
        let inputs = BTreeMap::from([("f-1".to_owned(), input)]);
        let shelf = Shelf::new(inputs, Some(folder.path().to_owned()), cap);
        (folder, shelf)
    }

    #[test]
    fn a_run_reads_what_it_was_given_and_nothing_else() {
        let (_folder, shelf) = shelf(100);
        let mut text = String::new();
        shelf
            .open("f-1")
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "given bytes");
        assert!(matches!(shelf.open("given"), Err(Error::Internal(_))));
        assert!(matches!(shelf.open("/etc/passwd"), Err(Error::Internal(_))));
    }

    #[test]
    fn ids_come_from_the_content_however_it_was_written() {
        let (_folder, shelf) = shelf(100);
        let mut straight = shelf.create("a.txt", "text/plain").unwrap();
        straight.write_all(b"hello world").unwrap();
        let straight = straight.finish().unwrap();
        let mut patched = shelf.create("../../b", "text/plain").unwrap();
        patched.write_all(b"HELLO ").unwrap();
        patched.seek(SeekFrom::Start(0)).unwrap();
        patched.write_all(b"hello").unwrap();
        patched.seek(SeekFrom::End(0)).unwrap();
        patched.write_all(b"world").unwrap();
        let patched = patched.finish().unwrap();
        assert_eq!(straight.sha256, workflows::sha256_of(b"hello world"));
        assert_eq!((&straight.file, 11), (&patched.file, patched.bytes));
        let made = shelf.into_made();
        assert_eq!(made.len(), 2);
        for made in made {
            assert_eq!(std::fs::read(&made.path).unwrap(), b"hello world");
        }
    }

    #[test]
    fn a_file_above_the_cap_ends_as_a_limit_and_not_as_a_file() {
        let (_folder, shelf) = shelf(10);
        let mut sink = shelf.create("a", "b").unwrap();
        sink.write_all(b"0123456789").unwrap();
        assert!(sink.write_all(b"x").is_err());
        let Err(Error::LimitExceeded { limit, cap: 10, .. }) = sink.finish() else {
            panic!("it must be a limit")
        };
        assert_eq!(limit, "output_bytes");
        assert!(shelf.into_made().is_empty());
    }

    #[test]
    fn nobody_makes_files_without_end() {
        let (_folder, shelf) = shelf(10);
        let made = (0..20).filter(|_| shelf.create("a", "b").is_ok()).count();
        assert_eq!(made, MADE_MAX);
    }
}
