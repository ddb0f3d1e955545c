//! A file of the kernel that is read again and again.
//!
//! Invariant: opened once, read from its beginning with one system call into a
//! buffer that already exists: to allocate while memory is being reclaimed can
//! block, just when the monitor is needed most.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The largest of the files, `memory.stat` of version 2 or `/proc/stat` of
/// which only the beginning counts, are below 4 KiB: room for four times that.
const ROOM: usize = 16 << 10;

/// Where files are read into.
#[derive(Debug)]
pub(super) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(super) fn new() -> Self {
        Self(vec![0; ROOM].into_boxed_slice())
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    file: File,
}

impl Watched {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        Ok(Self { path, file })
    }

    /// The file, or `None` if there is no such file.
    pub(super) fn open_if_there(path: PathBuf) -> io::Result<Option<Self>> {
        match Self::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its text now. The kernel makes the whole of such a file anew for a read
    /// from its beginning, so that one read gives one state.
    pub(super) fn read<'b>(&self, buffer: &'b mut Buffer) -> io::Result<&'b str> {
        let length = loop {
            match self.file.read_at(&mut buffer.0, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        std::str::from_utf8(&buffer.0[..length]).map_err(|_| bad("not a text"))
    }

    /// The only number in it.
    pub(super) fn number(&self, buffer: &mut Buffer) -> io::Result<u64> {
        parse(self.read(buffer)?)
    }

    /// The only number in it; `None` for `max`.
    pub(super) fn number_or_max(&self, buffer: &mut Buffer) -> io::Result<Option<u64>> {
        match self.read(buffer)?.trim() {
            "max" => Ok(None),
            text => parse(text).map(Some),
        }
    }
}

/// The lines of the form `key 123`, others left out.
pub(super) fn fields(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

fn parse(text: &str) -> io::Result<u64> {
    text.trim().parse().map_err(|_| bad("not a number"))
}

pub(super) fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
