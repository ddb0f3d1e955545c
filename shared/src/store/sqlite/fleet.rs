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

use super::{core::Core, fault, records::unreadable, run, signals::News, upkeep::KEYS_KEPT};

/// How long a silent worker is remembered.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The workers of this process.
#[derive(Debug, Default)]
pub(super) struct Fleet(BTreeMap<WorkerId, (WorkerState, Stamp)>);

impl Fleet {
    /// Forgets workers that have been silent for an hour.
    pub(super) fn forget_silent(&mut self, now: Stamp, news: &mut News) {
        let before = self.0.len();
        self.0
            .retain(|_, (_, heard)| now.since(*heard) < REMEMBERED);
        news.workers |= self.0.len() < before;
    }
}

/// The verb `heartbeat`.
pub(super) fn heartbeat(core: &mut Core, beat: Beat) -> Result<BeatReply> {
    let worth_telling = |known: &WorkerState| {
        (&known.types, known.readiness) != (&beat.state.types, beat.state.readiness)
    };
    let known = core.fleet.0.get(&beat.worker).map(|(state, _)| state);
    let unknown = known.is_none();
    core.news.workers |= known.is_none_or(worth_telling);
    core.fleet.0.insert(beat.worker, (beat.state, core.now));
    Ok(BeatReply {
        mode: core.mode.mode,
        hint: run::hint(core)?,
        unknown,
    })
}

/// The verb `farewell`.
pub(super) fn farewell(core: &mut Core, worker: &WorkerId) {
    core.news.workers |= core.fleet.0.remove(worker).is_some();
}

/// The verb `workers`.
pub(super) fn workers(core: &Core) -> Vec<WorkerView> {
    let heard = core.fleet.0.iter();
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
