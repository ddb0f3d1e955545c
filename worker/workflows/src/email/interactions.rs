//! The mails with sponsors as `interactions` of a sponsor analysis.
//!
//! Invariant: ids are unique and those of answers match. An id is the Message-ID; of a mail with several sponsors, the
//! Message-ID and the sponsor's; of one too long for an input, its SHA-256. Deliberately absent: addresses and texts.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::limits;
use super::updates::Events;
use crate::document::Document;
use crate::files::sha256_of;
use crate::number::maybe;
use crate::strength::{Direction, Interaction};

/// Longest id that an input of sponsor analysis takes, in bytes.
const LONGEST_ID: usize = 256;

/// Adds `interactions`, in order of time. Whether the list was cut.
pub(super) fn fill(events: &Events<'_>, doc: &mut Document) -> bool {
    let mut sponsors: HashMap<&str, u32> = HashMap::new();
    for event in events.values().flatten() {
        *sponsors.entry(event.id).or_default() += 1;
    }
    let name = |id: &str, sponsor: &str| {
        let shared = sponsors.get(id).is_some_and(|n| *n > 1);
        let name = if shared {
            format!("{id} {sponsor}")
        } else {
            id.to_owned()
        };
        if name.len() > LONGEST_ID {
            sha256_of(name.as_bytes())
        } else {
            name
        }
    };
    let mut all: Vec<(&str, &Interaction<'_>)> = events
        .iter()
        .flat_map(|(sponsor, events)| events.iter().map(|event| (*sponsor, event)))
        .collect();
    all.sort_by_key(|(sponsor, event)| (event.at, event.id, *sponsor));
    let total = all.len();
    let cut = total.saturating_sub(limits::MAX_INTERACTIONS);
    if cut > 0 {
        doc.warn(format!(
            "{} interactions are listed, the newest of {total}",
            limits::MAX_INTERACTIONS
        ));
    }
    let listed: Vec<Value> = all[cut..]
        .iter()
        .map(|(sponsor, event)| {
            json!({
                "id": name(event.id, sponsor),
                "sponsor_id": sponsor,
                "ts": event.at.to_string(),
                "channel": "email",
                "direction": match event.direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                    Direction::Mutual => "mutual",
                },
                "reply_to": event.reply_to.map(|id| name(id, sponsor)),
                "sentiment": maybe(event.sentiment),
            })
        })
        .collect();
    for (field, reason) in [
        (
            "reply_to",
            "null where a mail answers none with the same sponsor",
        ),
        ("sentiment", "null where the text was not scored"),
    ] {
        if listed.iter().any(|i| i[field].is_null()) {
            doc.because(format!("/interactions/*/{field}"), reason);
        }
    }
    doc.set("interactions", listed);
    doc.set("interactions_total", total);
    cut > 0
}
