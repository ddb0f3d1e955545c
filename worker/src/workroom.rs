//! Where the runs of a worker keep their files: `<base>/<boot id>/<run>/`.
//!
//! Invariant: readable by the worker's user alone (folders 0700, files 0600); a run's folder goes with its guard,
//! however the run ends; a worker's folder is locked while the worker lives, so that what a dead one left is found
//! and removed by the next that starts beside it. Deliberately absent: what the files mean, and uploads.

mod shelf;

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing::{info, warn};

pub use shelf::{MadeFile, Shelf, sha256_of_file};

/// Owner only: what runs read and make is a tenant's.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Held while a folder is made and locked, so that no sweep finds it in between.
const DOOR: &str = ".lock";

/// The room cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep files in {}: {error}; name a folder that this worker may write (--data-dir)", path.display())]
pub struct Error {
    /// The place.
    pub path: PathBuf,
    /// What went wrong.
    pub error: io::Error,
}

/// The folder of one worker process. Cheap to clone; the last clone removes it.
#[derive(Clone, Debug)]
pub struct Workroom(Arc<Room>);

#[derive(Debug)]
struct Room {
    path: PathBuf,
    /// Locked while it is open.
    _lock: File,
    folders: AtomicU64,
}

impl Workroom {
    /// Makes the folder of this boot under `base`, after removing those that dead workers left there.
    pub fn open(base: &Path, boot: &str) -> Result<Self, Error> {
        let fail = |error| Error {
            path: base.to_owned(),
            error,
        };
        let folders = || {
            DirBuilder::new()
                .recursive(true)
                .mode(FOLDER_MODE)
                .create(base)
        };
        folders().map_err(fail)?;
        // Child processes work elsewhere: a relative path would mean another place to them.
        let base = base.canonicalize().map_err(fail)?;
        Self::enter(&base, boot).map_err(fail)
    }

    /// Like [`open`](Self::open), among the system's temporary files, in a folder that is this user's alone.
    pub fn temporary(boot: &str) -> Result<Self, Error> {
        let user = rustix::process::getuid();
        let base = std::env::temp_dir().join(format!("zerogate-work-{}", user.as_raw()));
        let made = match make(&base) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                is_ours(&base, user.as_raw())
            }
            made => made,
        };
        let entered = made.and_then(|()| Self::enter(&base, boot));
        entered.map_err(|error| Error { path: base, error })
    }

    fn enter(base: &Path, boot: &str) -> io::Result<Self> {
        let door = private(
            &base.join(DOOR),
            OpenOptions::new().write(true).create(true),
        )?;
        door.lock()?;
        sweep(base)?;
        let path = base.join(boot);
        make(&path)?;
        Self::locked(path)
    }

    fn locked(path: PathBuf) -> io::Result<Self> {
        let lock = File::open(&path)?;
        lock.try_lock()?;
        Ok(Self(Arc::new(Room {
            path,
            _lock: lock,
            folders: AtomicU64::new(0),
        })))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// A new, empty folder for one run.
    pub fn folder(&self) -> io::Result<JobFolder> {
        let number = self.0.folders.fetch_add(1, Ordering::Relaxed);
        let path = self.0.path.join(format!("run-{number}"));
        make(&path)?;
        Ok(JobFolder {
            path,
            _room: self.clone(),
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The folder of one run, removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct JobFolder {
    path: PathBuf,
    _room: Workroom,
}

impl JobFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file in it, for its owner alone.
    pub fn file(&self, name: &str) -> io::Result<File> {
        new_file(&self.path.join(name))
    }

    /// A new folder in it.
    pub fn subfolder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        make(&path)?;
        Ok(path)
    }
}

impl Drop for JobFolder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// A file that was not there, for its owner alone, for reading and writing.
fn new_file(path: &Path) -> io::Result<File> {
    private(
        path,
        OpenOptions::new().read(true).write(true).create_new(true),
    )
}

fn private(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.mode(FILE_MODE).open(path)
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(path)
}

/// Others can make folders among temporary files, too, and wait for whoever uses them.
fn is_ours(path: &Path, user: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_dir() && found.uid() == user && found.mode() & 0o777 == FOLDER_MODE {
        Ok(())
    } else {
        Err(io::Error::other(
            "it belongs to somebody else, or others may look into it",
        ))
    }
}

fn remove(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            warn!(path = %path.display(), %error, "a folder with a run's files could not be removed; remove it");
        }
        _ => {}
    }
}

/// Removes the folders whose workers are dead. One that cannot be looked at is left.
fn sweep(base: &Path) -> io::Result<()> {
    for entry in fs::read_dir(base)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let path = entry.path();
        match File::open(&path).map(|folder| folder.try_lock().map(|()| folder)) {
            Ok(Ok(_locked)) => {
                info!(path = %path.display(), "removing what a dead worker left");
                remove(&path);
            }
            Ok(Err(TryLockError::WouldBlock)) => {}
            Ok(Err(TryLockError::Error(error))) | Err(error) => {
                warn!(path = %path.display(), %error, "cannot tell whose folder this is; it stays");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::unix::fs::PermissionsExt};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_relative_base_means_the_same_place_to_children() {
        let here = std::env::current_dir().unwrap();
        let base = tempfile::tempdir_in(&here).unwrap();
        let relative = base.path().strip_prefix(&here).unwrap();
        let room = Workroom::open(relative, "w").unwrap();
        assert!(room.folder().unwrap().path().is_absolute());
    }

    #[test]
    fn folders_and_files_are_their_owners_alone_and_go_with_their_guards() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().join("a/work");
        let room = Workroom::open(&base, "w-1").unwrap();
        let folder = room.folder().unwrap();
        let other = room.folder().unwrap();
        folder.file("x").unwrap().write_all(b"secret").unwrap();
        assert!(folder.file("x").is_err(), "a file is made once");
        let path = folder.path().to_owned();
        assert_eq!((mode(room.path()), mode(&path)), (0o700, 0o700));
        assert_eq!(mode(&path.join("x")), 0o600);
        assert_eq!(mode(&folder.subfolder("made").unwrap()), 0o700);
        let dying = std::thread::spawn(move || {
            let _folder = folder;
            panic!("on purpose");
        });
        assert!(dying.join().is_err() && !path.exists());
        assert!(other.path().exists());
        let (whole, last) = (room.path().to_owned(), other.path().to_owned());
        drop(room);
        assert!(last.exists(), "a run in progress keeps the room");
        drop(other);
        assert!(!whole.exists());
    }

    #[test]
    fn a_temporary_room_is_used_only_if_nobody_else_can_look_into_it() {
        let one = Workroom::temporary(&format!("test-{}", std::process::id())).unwrap();
        let base = one.path().parent().unwrap().to_owned();
        assert_eq!((mode(&base), mode(one.path())), (0o700, 0o700));
        let user = fs::metadata(&base).unwrap().uid();
        assert!(is_ours(&base, user).is_ok() && is_ours(&base, user + 1).is_err());
        let open = tempfile::tempdir().unwrap();
        fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(
            is_ours(open.path(), user).is_err(),
            "others may look into it"
        );
        let link = open.path().join("link");
        std::os::unix::fs::symlink(&base, &link).unwrap();
        assert!(is_ours(&link, user).is_err(), "it leads elsewhere");
    }

    #[test]
    fn a_starting_worker_sweeps_the_dead_and_leaves_the_living() {
        let base = tempfile::tempdir().unwrap();
        let living = Workroom::open(base.path(), "living").unwrap();
        let kept = living.folder().unwrap();
        let dead = base.path().join("dead");
        fs::create_dir_all(dead.join("run-0")).unwrap();
        fs::write(dead.join("run-0/in-0"), "left").unwrap();
        let next = Workroom::open(base.path(), "next").unwrap();
        assert!(!dead.exists() && kept.path().exists() && next.path().exists());
        assert!(
            Workroom::open(base.path(), "next").is_err(),
            "an id is a boot's alone"
        );
    }
}
