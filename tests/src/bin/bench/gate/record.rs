//! What one run came to, and the folder in which runs are kept.
//!
//! Invariant: a record appears whole or not at all, and is never overwritten; a folder holds runs of one scale and one
//! format only, so that what is compared is comparable.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::mix::Class;
use super::plan::Key;
use super::watch::Seen;

/// Grows when a figure changes its meaning.
const FORMAT: u32 = 1;

/// The figures of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Which run.
    pub(crate) key: Key,
    /// UTC, when it began.
    pub(crate) date: String,
    /// Runnable threads on the machine before it began.
    pub(crate) load_average: String,
    /// How the programs were built.
    pub(crate) build: String,
    /// Tasks offered, all of which were accepted.
    pub(crate) offered: u32,
    /// The latest submission after its time, ms: more than a few hundred says that the load was not as asked.
    pub(crate) latest_ms: f64,
    /// Processes that the kernel killed for want of memory, by group.
    pub(crate) oom_kills: Vec<u32>,
    /// Workers that ended by a kill.
    pub(crate) workers_killed: u32,
    /// Workers that asked for a fresh process.
    pub(crate) workers_left: u32,
    /// Tasks that completed.
    pub(crate) completed: u32,
    /// Tasks that failed for good, by error code.
    pub(crate) failed: BTreeMap<String, u32>,
    /// Tasks that were not final when the run ended: never in a run that waits for its rest, still open in one that tunes.
    pub(crate) lost: u32,
    /// Tasks that began more than once, by the ledger.
    pub(crate) begun_again: u32,
    /// Tasks whose work was done more than once, by the ledger.
    pub(crate) done_again: u32,
    /// By phase, in order.
    pub(crate) phases: Vec<PhaseFigures>,
    /// Completed tasks a second, from the start to the last completion.
    pub(crate) whole_per_s: f64,
    /// From the start to the last completion, s.
    pub(crate) whole_s: f64,
    /// Of completed tasks, from the time at which they were due.
    pub(crate) latency_ms: BTreeMap<Class, Latency>,
    /// Every latency of the critical class, ms.
    pub(crate) critical_ms: Vec<f64>,
    /// What was seen while work was offered.
    pub(crate) seen: Seen,
}

/// What was completed while a phase offered its work; all phases together are the goodput of a mix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PhaseFigures {
    /// Its name.
    pub(crate) name: String,
    /// Its length, s.
    pub(crate) seconds: f64,
    /// Tasks offered in it.
    pub(crate) offered: u32,
    /// Tasks completed in it, whenever they were offered.
    pub(crate) completed: u32,
    /// Memory times time of those, MiB s a second: goodput that cannot be had by leaving large tasks for later.
    pub(crate) work: f64,
}

/// Latency of a class.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Completed tasks.
    pub(crate) tasks: u32,
    /// The middle, ms.
    pub(crate) p50: f64,
    /// The 99th percentile, ms.
    pub(crate) p99: f64,
}

impl Record {
    /// Completed tasks a second in the phases of these names.
    pub(crate) fn goodput(&self, phases: &[&str]) -> f64 {
        let own = self
            .phases
            .iter()
            .filter(|phase| phases.contains(&phase.name.as_str()));
        let (tasks, seconds) = own.fold((0.0, 0.0), |(tasks, seconds), phase| {
            (tasks + f64::from(phase.completed), seconds + phase.seconds)
        });
        tasks / seconds
    }

    /// Kills in all groups.
    pub(crate) fn kills(&self) -> u32 {
        self.oom_kills.iter().sum()
    }

    /// Tasks that came to nothing: never final, or failed although their work cannot fail.
    pub(crate) fn not_completed(&self) -> u32 {
        self.lost + self.failed.values().sum::<u32>()
    }
}

/// The folder of all records.
pub(crate) struct Archive {
    folder: PathBuf,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Terms {
    format: u32,
    scale: f64,
}

impl Archive {
    /// Opens the folder, made if need be; one of another scale or format is refused.
    pub(crate) fn open(folder: &Path, scale: f64) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        let terms = Terms {
            format: FORMAT,
            scale,
        };
        let path = folder.join("terms.json");
        match fs::read(&path) {
            Ok(text) => {
                let found: Terms = serde_json::from_slice(&text)
                    .with_context(|| format!("read {}", path.display()))?;
                if found != terms {
                    bail!(
                        "{} holds runs of {found:?}, and not {terms:?}: name another --state",
                        folder.display()
                    );
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                write_whole(&path, &serde_json::to_vec_pretty(&terms)?)?;
            }
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// The record of a run, if it was made.
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Record>> {
        let path = self.path(key);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .with_context(|| format!("read {}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// The records of these runs that were made.
    pub(crate) fn all(&self, keys: &[Key]) -> Result<Vec<Record>> {
        let records = keys.iter().map(|key| self.get(key));
        records.filter_map(Result::transpose).collect()
    }

    /// Keeps a record.
    pub(crate) fn put(&self, record: &Record) -> Result<()> {
        write_whole(&self.path(&record.key), &serde_json::to_vec_pretty(record)?)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.json", key.name()))
    }
}

/// Beside, then renamed: an interrupted write leaves nothing that looks whole.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("part");
    fs::write(&beside, bytes).with_context(|| format!("write {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("name {}", path.display()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::gate::plan::{Arm, Part};

    /// A run in which nothing went wrong and `completed` tasks were done in each of the three phases of a minute.
    pub(crate) fn record(arm: Arm, seed: u64, completed: u32) -> Record {
        let phase = |name: &str| PhaseFigures {
            name: name.to_owned(),
            seconds: 60.0,
            offered: completed,
            completed,
            work: 1.0,
        };
        Record {
            key: Key {
                part: Part::Mixed,
                arm,
                slots: 8,
                seed,
            },
            date: String::new(),
            load_average: String::new(),
            build: String::new(),
            offered: 3 * completed,
            latest_ms: 1.0,
            oom_kills: vec![0; 4],
            workers_killed: 0,
            workers_left: 0,
            completed: 3 * completed,
            failed: BTreeMap::new(),
            lost: 0,
            begun_again: 0,
            done_again: 0,
            phases: ["overload", "relief", "shifted"].map(phase).into(),
            whole_per_s: f64::from(completed) / 60.0,
            whole_s: 180.0,
            latency_ms: BTreeMap::new(),
            critical_ms: vec![300.0],
            seen: Seen::default(),
        }
    }

    #[test]
    fn records_are_found_again_and_another_scale_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(folder.path(), 0.1).unwrap();
        let record = record(Arm::None, 3, 60);
        assert!(archive.get(&record.key).unwrap().is_none());
        archive.put(&record).unwrap();
        let found = Archive::open(folder.path(), 0.1)
            .unwrap()
            .get(&record.key)
            .unwrap()
            .unwrap();
        assert_eq!((found.key, found.offered), (record.key, 180));
        assert!((found.goodput(&["overload", "relief"]) - 1.0).abs() < 1e-9);
        assert!(Archive::open(folder.path(), 1.0).is_err());
    }
}
