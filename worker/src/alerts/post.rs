//! Sends notes to the webhook: one message for the fleet, three tries.
//!
//! Invariant: one note at a time, in order. What no try delivered is kept in
//! the store for a day.

use std::time::Duration;

use resources::alert::{
    Note,
    webhook::{body, idempotency_key, pause},
};
use shared::{
    model::Nonce,
    store::verbs::{self, FirstOf},
};
use tokio::{sync::mpsc, task::spawn_blocking, time::sleep};
use tracing::{debug, warn};

use super::{unix, webhook::Webhook};
use crate::service::Core;

/// Workers that are pressed together say the same within moments of each
/// other: one message a minute for each resource, kind and level.
const TOGETHER: Duration = Duration::from_mins(1);
/// How long an undelivered message can be looked up.
const UNDELIVERED: Duration = Duration::from_hours(24);

/// Sends what comes until nobody sends any more.
pub(crate) async fn post(core: &Core, mut notes: mpsc::Receiver<Note>) {
    let Some(webhook) = &core.options.webhook else {
        return;
    };
    while let Some(note) = notes.recv().await {
        let Some(others) = first(core, &note).await else {
            debug!(alert = note.id, "another worker has told the same");
            continue;
        };
        let message = message(core, &note, others);
        let id = idempotency_key(&note);
        if deliver(core, webhook, (&id, &message)).await {
            continue;
        }
        warn!(
            alert = note.id,
            "the webhook could not be reached; the message is kept for a day"
        );
        let kept = verbs::Note {
            name: format!("undelivered:{id}"),
            text: message,
            lasts: UNDELIVERED,
        };
        if let Err(error) = core.store.keep(kept).await {
            warn!(%error, "nor could it be kept; the alert itself is in the store");
        }
    }
}

/// How many others told the same before, if this worker is to tell it now.
/// Without the store every worker tells.
async fn first(core: &Core, note: &Note) -> Option<u64> {
    // Without the worker, whose id holds no slash.
    let (_, about) = note.key.split_once('/').unwrap_or_default();
    let asked = FirstOf {
        key: format!("alert:{about}:{}:{:?}", note.level, note.state),
        by: Nonce::draw(&mut rand::rng()),
        lasts: TOGETHER,
    };
    core.store.first_of(asked).await.unwrap_or(Some(0))
}

/// The message: the note, and how many others said the same lately.
fn message(core: &Core, note: &Note, others: u64) -> String {
    let plain = body(note, core.id.as_str(), &core.clock.now().to_string());
    if others == 0 {
        return plain;
    }
    let mut value: serde_json::Value = match serde_json::from_str(&plain) {
        Ok(value) => value,
        Err(_) => return plain,
    };
    value["others"] = others.into();
    value.to_string()
}

async fn deliver(core: &Core, webhook: &Webhook, (id, message): (&str, &str)) -> bool {
    for failed in 1.. {
        let at = unix(&*core.clock);
        let (hook, id, text) = (webhook.clone(), id.to_owned(), message.to_owned());
        let sent = spawn_blocking(move || hook.send(&id, at, &text)).await;
        let refusal = match sent {
            Ok(Ok(())) => return true,
            Ok(Err(refusal)) => refusal,
            Err(_) => return false,
        };
        debug!(%refusal, "the webhook did not take a message");
        match pause(failed, rand::random()) {
            Some(time) if refusal.may_pass() => sleep(time).await,
            _ => return false,
        }
    }
    false
}
