//! Memory of one control group of version 1.
//!
//! `memory.usage_in_bytes` lags behind by up to some hundred KiB per processor;
//! the sum of the figures of `memory.stat` does not, and only it can be taken
//! apart. The `total_` figures include the groups below.

use std::{io, path::Path};

use super::file::{Buffer, Watched, bad, fields};
use crate::sample::MemoryGroup;

/// The files of one group.
#[derive(Debug)]
pub(super) struct Memory {
    limit_in_bytes: Watched,
    stat: Watched,
    /// Kernel memory; newer kernels can be built without.
    kernel: Option<Watched>,
    /// `memory.limit_in_bytes`, once read.
    limit: Option<u64>,
    /// The highest level that can be seen: only there the limits of those
    /// above it must be taken from `hierarchical_memory_limit`.
    top: bool,
}

impl Memory {
    pub(super) fn open(folder: &Path, top: bool) -> io::Result<Self> {
        Ok(Self {
            limit_in_bytes: Watched::open(folder.join("memory.limit_in_bytes"))?,
            stat: Watched::open(folder.join("memory.stat"))?,
            kernel: Watched::open_if_there(folder.join("memory.kmem.usage_in_bytes"))?,
            limit: None,
            top,
        })
    }

    pub(super) fn read(&mut self, refresh: bool, buffer: &mut Buffer) -> io::Result<MemoryGroup> {
        let known = self.limit.take().filter(|_| !refresh);
        let own = match known {
            Some(limit) => limit,
            None => self.limit_in_bytes.number(buffer)?,
        };
        self.limit = Some(own);
        let kernel = match &self.kernel {
            Some(file) => file.number(buffer)?,
            None => 0,
        };
        let mut group = MemoryGroup {
            limit: Some(own),
            ..MemoryGroup::default()
        };
        let mut cache = None;
        for (key, bytes) in fields(self.stat.read(buffer)?) {
            match key {
                "hierarchical_memory_limit" if self.top => group.limit = Some(own.min(bytes)),
                "total_cache" => cache = Some(bytes),
                "total_rss" => group.anon = bytes,
                "total_shmem" => group.shmem = bytes,
                "total_active_file" => group.active_file = bytes,
                "total_inactive_file" => group.inactive_file = bytes,
                "total_dirty" => group.file_dirty = bytes,
                "total_writeback" => group.file_writeback = bytes,
                _ => {}
            }
        }
        let cache = cache.ok_or_else(|| bad("no `total_cache` in it"))?;
        group.current = group.anon.saturating_add(cache).saturating_add(kernel);
        Ok(group)
    }
}
