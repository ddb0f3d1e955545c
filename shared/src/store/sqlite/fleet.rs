//! Workers and the types they announce.
//!
//! Invariant: workers live in memory, because in an embedded process they end
//! with it; types outlive it, so that a submission between a start and the
//! first announcement is understood.

use std::{collections::BTreeMap, time::Duration};

use rusqlite::{Connection, params};

use crate::{
    model::{Stamp, WorkerId},
    store::{
        Result,
        query::{TypeInfo, WorkerState, WorkerView},
        verbs::{Beat, BeatReply},
    },
};

use super::{core::Core, fault, orders, records::unreadable, run, upkeep::KEYS_KEPT};

/// How long a silent worker is remembered.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The workers of this process.
#[derive(Debug)]
pub(super) struct Fleet {
    heard: BTreeMap<WorkerId, (WorkerState, Stamp)>,
    since: Stamp,
}

impl Fleet {
    /// Nobody was heard of yet.
    pub(super) fn new(since: Stamp) -> Self {
        Self {
            heard: BTreeMap::new(),
            since,
        }
    }

    /// Since when workers are heard: the start of the process.
    pub(super) fn since(&self) -> Stamp {
        self.since
    }

    /// Whether this worker was heard of and is not forgotten.
    pub(super) fn knows(&self, worker: &WorkerId) -> bool {
        self.heard.contains_key(worker)
    }
}

/// Whether a worker that was heard of then, and not since, is forgotten.
pub(super) fn is_gone(heard: Stamp, now: Stamp) -> bool {
    now.since(heard) >= REMEMBERED
}

/// Forgets workers that have been silent for an hour.
pub(super) fn forget_silent(core: &mut Core) -> Result<()> {
    let silent = core.fleet.heard.iter();
    let silent = silent.filter(|(_, (_, heard))| is_gone(*heard, core.now));
    let silent: Vec<_> = silent.map(|(worker, _)| worker.clone()).collect();
    for worker in silent {
        farewell(core, &worker)?;
    }
    Ok(())
}

/// The verb `heartbeat`.
pub(super) fn heartbeat(core: &mut Core, beat: Beat) -> Result<BeatReply> {
    let beat = beat.bounded();
    let worth_telling = |known: &WorkerState| {
        (&known.types, known.readiness) != (&beat.state.types, beat.state.readiness)
    };
    let known = core.fleet.heard.get(&beat.worker).map(|(state, _)| state);
    let unknown = known.is_none();
    core.news.workers |= known.is_none_or(worth_telling);
    core.fleet.heard.insert(beat.worker, (beat.state, core.now));
    Ok(BeatReply {
        mode: core.mode.mode,
        hint: run::hint(core)?,
        unknown,
        orders_version: core.orders.version,
    })
}

/// The verb `farewell`.
pub(super) fn farewell(core: &mut Core, worker: &WorkerId) -> Result<()> {
    core.news.workers |= core.fleet.heard.remove(worker).is_some();
    orders::free_worker(core, worker)
}

/// The verb `workers`.
pub(super) fn workers(core: &Core) -> Vec<WorkerView> {
    let heard = core.fleet.heard.iter();
    heard
        .map(|(worker, (state, at))| (worker, state, *at, core.now.since(*at)))
        .filter(|(.., silent)| *silent < REMEMBERED)
        .map(|(worker, state, at, silent)| WorkerView {
            worker: worker.clone(),
            state: state.clone(),
            last_heartbeat_at: at,
            silent_ms: u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
        })
        .collect()
}

/// The verb `announce`.
pub(super) fn announce(core: &Core, types: &[TypeInfo]) -> Result<()> {
    for info in types {
        let text = serde_json::to_string(info).map_err(|error| unreadable("a type", &error))?;
        core.db
            .prepare_cached("INSERT OR REPLACE INTO announced VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| {
                statement.execute(params![info.name.as_str(), core.now.micros(), text])
            })
            .map_err(fault)?;
    }
    Ok(())
}

/// The verb `types`.
pub(super) fn types(db: &Connection, now: Stamp) -> Result<Vec<TypeInfo>> {
    let mut statement = db
        .prepare_cached("SELECT info FROM announced WHERE at > ?1 ORDER BY name")
        .map_err(fault)?;
    let rows = statement
        .query_map([now.micros() - KEYS_KEPT], |row| row.get::<_, String>(0))
        .map_err(fault)?;
    rows.map(|text| {
        let text = text.map_err(fault)?;
        serde_json::from_str(&text).map_err(|error| unreadable("a type", &error))
    })
    .collect()
}
