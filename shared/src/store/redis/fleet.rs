//! Workers and the types they serve, as they say of themselves.

use std::time::Duration;

use tracing::debug;

use crate::{
    model::{Stamp, TypeName, WorkerId},
    store::{
        Error, Result,
        query::{TypeInfo, WorkerState, WorkerView},
        verbs::{Beat, BeatReply},
    },
};

use super::{
    connection::{Lane, Link},
    control::parse_mode,
    reply::{self, Items},
    scripts::{self, Ask},
};

/// How long a silent worker is listed.
const WORKERS_KEPT: Duration = Duration::from_hours(1);
/// How long an announced type is known.
const TYPES_KEPT: Duration = Duration::from_hours(24);

/// Records a sign of life.
pub(super) async fn heartbeat(link: &Link, beat: Beat) -> Result<BeatReply> {
    let beat = beat.bounded();
    let mut ask = Ask::new(&scripts::HEARTBEAT, link.base());
    ask.arg(beat.worker.as_str())
        .arg(mark(&beat.state))
        .arg(json(&beat.state)?);
    let mut items = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    Ok(BeatReply {
        mode: parse_mode(&items.text()?)?,
        unknown: items.int()? != 0,
        hint: reply::hint(items.items()?)?,
        orders_version: items.int()?.unsigned_abs(),
    })
}

/// What others are told about when it changes.
fn mark(state: &WorkerState) -> String {
    let types: Vec<_> = state.types.iter().map(TypeName::as_str).collect();
    format!("{:?} {}", state.readiness, types.join(" "))
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::Corrupt(format!("not JSON: {e}")))
}

/// Removes a worker.
pub(super) async fn farewell(link: &Link, worker: &WorkerId) -> Result<()> {
    let mut ask = Ask::new(&scripts::FAREWELL, link.base());
    ask.arg(worker.as_str());
    link.ask(Lane::Verbs, &ask).await.map(drop)
}

/// Records types.
pub(super) async fn announce(link: &Link, types: Vec<TypeInfo>) -> Result<()> {
    let mut ask = Ask::new(&scripts::ANNOUNCE, link.base());
    for info in &types {
        ask.arg(info.name.as_str()).arg(json(info)?);
    }
    link.ask(Lane::Verbs, &ask).await.map(drop)
}

/// Asks for the members of a set that are young enough, with their values:
/// the store's time, then name, time and value of each.
async fn young(
    link: &Link,
    set: &str,
    hash: &str,
    kept: Duration,
) -> Result<(Stamp, Vec<(String, Stamp, String)>)> {
    let mut ask = Ask::new(&scripts::FLEET, link.base());
    ask.arg(set).arg(hash).arg(kept.as_secs());
    let mut items = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    let now = Stamp::from_micros(items.int()?);
    let mut found = Vec::with_capacity(items.len() / 3);
    while !items.is_empty() {
        let (name, at) = (items.text()?, Stamp::from_micros(items.int()?));
        found.push((name, at, items.text()?));
    }
    found.sort_unstable();
    Ok((now, found))
}

/// The types announced lately, by name. One written by a newer version that
/// this one cannot read is left out.
pub(super) async fn types(link: &Link) -> Result<Vec<TypeInfo>> {
    let (_, found) = young(link, "types", "type.info", TYPES_KEPT).await?;
    Ok(found
        .iter()
        .filter_map(|(_, _, text)| serde_json::from_str(text).ok())
        .collect())
}

/// The workers heard of lately, by id. One of a newer version that this one
/// cannot read is left out: the others must not vanish with it.
pub(super) async fn workers(link: &Link) -> Result<Vec<WorkerView>> {
    let (now, found) = young(link, "workers", "worker.state", WORKERS_KEPT).await?;
    Ok(found
        .into_iter()
        .filter_map(|(name, at, text)| {
            let (Ok(worker), Ok(state)) = (name.parse(), serde_json::from_str(&text)) else {
                debug!(worker = name, "what a worker says of itself cannot be read");
                return None;
            };
            Some(WorkerView {
                worker,
                state,
                last_heartbeat_at: at,
                silent_ms: u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect())
}
