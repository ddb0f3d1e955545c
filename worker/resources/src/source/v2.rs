//! Memory of one control group of version 2.

use std::{io, path::Path};

use super::file::{Buffer, Watched, bad, fields};
use crate::sample::MemoryGroup;

/// The files of one group.
#[derive(Debug)]
pub(super) struct Memory {
    max: Watched,
    high: Watched,
    current: Watched,
    stat: Watched,
    /// `memory.max` and `memory.high`, once read.
    limits: Option<(Option<u64>, Option<u64>)>,
}

impl Memory {
    /// `None` where the group has no memory controller: the root of the tree
    /// and groups for which it is not switched on.
    pub(super) fn open(folder: &Path) -> io::Result<Option<Self>> {
        let file = |name: &str| Watched::open_if_there(folder.join(name));
        let (max, current) = (file("memory.max")?, file("memory.current")?);
        let (max, current) = match (max, current) {
            (None, None) => return Ok(None),
            (Some(max), Some(current)) => (max, current),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Some(Self {
            max,
            current,
            high: Watched::open(folder.join("memory.high"))?,
            stat: Watched::open(folder.join("memory.stat"))?,
            limits: None,
        }))
    }

    pub(super) fn read(&mut self, refresh: bool, buffer: &mut Buffer) -> io::Result<MemoryGroup> {
        let known = self.limits.take().filter(|_| !refresh);
        let limits = match known {
            Some(limits) => limits,
            None => (
                self.max.number_or_max(buffer)?,
                self.high.number_or_max(buffer)?,
            ),
        };
        self.limits = Some(limits);
        let mut group = MemoryGroup {
            limit: limits.0,
            high: limits.1,
            current: self.current.number(buffer)?,
            ..MemoryGroup::default()
        };
        let mut seen = false;
        for (key, bytes) in fields(self.stat.read(buffer)?) {
            match key {
                "anon" => (group.anon, seen) = (bytes, true),
                "shmem" => group.shmem = bytes,
                "active_file" => group.active_file = bytes,
                "inactive_file" => group.inactive_file = bytes,
                "file_dirty" => group.file_dirty = bytes,
                "file_writeback" => group.file_writeback = bytes,
                "slab_reclaimable" => group.slab_reclaimable = bytes,
                _ => {}
            }
        }
        seen.then_some(group).ok_or_else(|| bad("no `anon` in it"))
    }
}
