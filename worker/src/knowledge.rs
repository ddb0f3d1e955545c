//! Shares with the fleet what this worker learns, and remembers it across
//! restarts: what tasks need, the week's pattern of use, how many workers
//! there are.
//!
//! Invariant: losing any of it costs care, never work: a worker that knows
//! nothing admits cautiously.

use std::{sync::atomic::Ordering, time::Duration};

use resources::estimate::Learned;
use shared::store::{self, query::Readiness, verbs::Note};
use tokio::time::sleep;
use tracing::debug;

use crate::{gate::ResourceGate, service::Core};

/// Between two meetings: drawn from half to one and a half of it, so that a
/// fleet does not write in step.
const EVERY: Duration = Duration::from_secs(30);
/// While the store is away.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// What tasks need changes with the program; a month is long enough to
/// outlive any pause.
const LEARNED_LASTS: Duration = Duration::from_hours(30 * 24);
/// A pattern of weeks outlives some weeks of silence.
const PATTERN_LASTS: Duration = Duration::from_hours(60 * 24);
/// Under which name the fleet's knowledge is kept.
const LEARNED: &str = "learned";

/// Shares until dropped.
pub(crate) async fn share(core: &Core) {
    let Some(gate) = core.resources.clone() else {
        return std::future::pending().await;
    };
    let mut recalled = false;
    loop {
        let met = meet(core, &gate, &mut recalled).await;
        if let Err(error) = &met {
            debug!(%error, "what was learned cannot be shared yet");
        }
        let wait = if met.is_ok() { EVERY } else { ASK_AGAIN };
        sleep(wait.mul_f64(0.5 + rand::random::<f64>())).await;
    }
}

/// Gives and takes once. Two workers that write at once lose what one of them
/// learned in half a minute.
async fn meet(core: &Core, gate: &ResourceGate, recalled: &mut bool) -> store::Result<()> {
    count_workers(core).await?;
    let pattern = format!("pattern:{}", core.host);
    let kept = core
        .store
        .kept(&[LEARNED.to_owned(), pattern.clone()])
        .await?;
    let [fleets, weeks] = kept.try_into().unwrap_or_default();
    if let (false, Some(text)) = (*recalled, weeks) {
        gate.recall_pattern(text);
    }
    *recalled = true;
    let fleets: Option<Learned> = fleets.and_then(|text| serde_json::from_str(&text).ok());
    let fleets = fleets.filter(Learned::is_current).unwrap_or_default();
    let fresh = gate.take_learned();
    let known = if fresh.is_empty() {
        fleets
    } else {
        let both = fleets.merged(&fresh);
        let kept = keep(core, LEARNED, serde_json::to_string(&both), LEARNED_LASTS).await;
        if let Err(error) = kept {
            gate.restore_learned(fresh);
            return Err(error);
        }
        both
    };
    gate.adopt(known);
    keep(core, &pattern, Ok(gate.pattern()), PATTERN_LASTS).await
}

async fn keep(
    core: &Core,
    name: &str,
    text: serde_json::Result<String>,
    lasts: Duration,
) -> store::Result<()> {
    let Ok(text) = text else {
        return Ok(());
    };
    let note = Note {
        name: name.to_owned(),
        text,
        lasts,
    };
    core.store.keep(note).await
}

async fn count_workers(core: &Core) -> store::Result<()> {
    let lease = u64::try_from(core.options.lease.as_millis()).unwrap_or(u64::MAX);
    let workers = core.store.workers().await?;
    let live = workers
        .iter()
        .filter(|worker| worker.silent_ms <= lease && worker.state.readiness != Readiness::Lost);
    let count = u32::try_from(live.count()).unwrap_or(u32::MAX);
    core.workers.store(count.max(1), Ordering::Relaxed);
    Ok(())
}
