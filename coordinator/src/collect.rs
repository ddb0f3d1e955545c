//! Blobs that nobody needs any more are removed.
//!
//! What writes a blob records it afterwards, and what forgets a record does not
//! touch the blob: so every crash leaves at most a blob too many, and this loop
//! is the only one that removes any.
//!
//! Invariant: idempotent; every replica does all of it. A blob goes only if it
//! is older than anything that may still be about to be recorded, and its owner
//! is gone or has ended with other bytes. Blobs of unknown names, and blob
//! stores that another fleet marked as well, are left alone.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use metrics::counter;
use shared::{
    blobs::{
        Trouble,
        key::{self, Owner},
        mark::{self, Sight},
    },
    model::{Stamp, TaskId, TenantId},
    store::{
        files::Payloads,
        large::{Mark, is_mark},
    },
};
use tracing::{debug, info, warn};

use crate::{app::App, upkeep::jittered};

/// The first time comes soon: a fleet that is restarted often collects, too.
const FIRST: Duration = Duration::from_secs(20);
/// Blobs about which the store is asked at once.
const PAGE: usize = 500;
/// Deletions under way at once.
const DELETIONS: usize = 8;

/// Collects for ever.
pub(crate) async fn run(app: Arc<App>) {
    let every = app.options.collect_every;
    let mut wait = FIRST.min(every);
    loop {
        tokio::time::sleep(jittered(wait)).await;
        wait = every;
        match collect(&app).await {
            Ok(0) => {}
            Ok(removed) => info!(removed, "blobs that nobody needed were removed"),
            Err(error) => warn!(%error, "blobs cannot be collected now; this is tried again"),
        }
    }
}

async fn collect(app: &App) -> Result<u64, Trouble> {
    if mark::sight(&*app.store, &*app.blobs, app.mark).await? != Sight::Ours {
        debug!("the blob store is not this fleet's alone; nothing is collected");
        return Ok(0);
    }
    let age = i64::try_from(app.options.blob_age.as_micros()).unwrap_or(i64::MAX);
    let before = Stamp::from_micros(app.clock.now().micros().saturating_sub(age));
    let mut removed = app.blobs.tidy(before).await?;
    let old = app
        .blobs
        .list("")
        .try_filter(|blob| std::future::ready(blob.written_at < before))
        .map_ok(|blob| blob.key);
    let mut pages = std::pin::pin!(old.try_chunks(PAGE));
    while let Some(page) = pages.next().await {
        let page = page.map_err(|stopped| stopped.1)?;
        let unneeded = unneeded(app, page).await?;
        let count = unneeded.len() as u64;
        stream::iter(unneeded)
            .map(async |key| app.blobs.delete(&key).await)
            .buffer_unordered(DELETIONS)
            .try_collect::<()>()
            .await?;
        removed += count;
    }
    counter!("zerogate_blobs_collected_total").increment(removed);
    Ok(removed)
}

/// Those of a page that the store's records do not need.
async fn unneeded(app: &App, page: Vec<String>) -> Result<Vec<String>, Trouble> {
    let mut files: BTreeMap<TenantId, Vec<String>> = BTreeMap::new();
    let mut texts: BTreeMap<TenantId, Vec<(TaskId, String)>> = BTreeMap::new();
    for key in page {
        match key::owner(&key) {
            Some(Owner::File(tenant)) => files.entry(tenant).or_default().push(key),
            Some(Owner::Task(tenant, task, sha256)) => {
                texts.entry(tenant).or_default().push((task, sha256));
            }
            None => {}
        }
    }
    let mut unneeded = Vec::new();
    for (tenant, keys) in files {
        let held = app.store.keys_held(&tenant, &keys).await?;
        let gone = keys.into_iter().zip(held).filter(|(_, held)| !held);
        unneeded.extend(gone.map(|(key, _)| key));
    }
    for (tenant, texts) in texts {
        let ids: Vec<_> = texts.iter().map(|(task, _)| *task).collect();
        let needs = app.store.payloads(&tenant, &ids).await?;
        for ((task, sha256), needs) in texts.into_iter().zip(needs) {
            if !is_needed(needs.as_ref(), &sha256) {
                unneeded.push(key::payload(&tenant, task, &sha256));
            }
        }
    }
    Ok(unneeded)
}

/// Whether a task needs the text of this hash, or may be about to.
fn is_needed(task: Option<&Payloads>, sha256: &str) -> bool {
    task.is_some_and(|task| {
        let texts = [&task.input, &task.result];
        let mut marks = texts.into_iter().flatten().filter(|text| is_mark(text));
        // A mark of a newer version may stand for anything.
        let stands = |text| Mark::read(text).is_none_or(|mark| mark.sha256 == sha256);
        !task.is_final || marks.any(stands)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::Json;

    #[test]
    fn a_text_is_needed_by_its_mark_and_while_its_task_goes_on() {
        let mark = |sha256: &str| {
            let (bytes, sha256) = (1, sha256.into());
            Some(Mark { bytes, sha256 }.text())
        };
        let ended = Payloads {
            is_final: true,
            input: mark("aa"),
            result: mark("bb"),
        };
        assert!(is_needed(Some(&ended), "aa") && is_needed(Some(&ended), "bb"));
        assert!(!is_needed(Some(&ended), "cc"), "a late writer's");
        let running = Payloads {
            is_final: false,
            result: None,
            ..ended
        };
        assert!(is_needed(Some(&running), "cc"), "perhaps its result");
        assert!(!is_needed(None, "aa"), "the task is gone");
        let newer = Payloads {
            is_final: true,
            input: Some(Json::from_text("\u{1}2|whatever".into())),
            result: None,
        };
        assert!(is_needed(Some(&newer), "aa"), "nobody here can tell");
        assert!(!is_needed(
            Some(&Payloads {
                is_final: true,
                ..Payloads::default()
            }),
            "aa"
        ));
    }
}
