//! How much is told at once.
//!
//! A token bucket of [`BURST`] messages that refills one per [`TOKEN`].
//! Critical messages go first; when one token is left for several of them,
//! they share one message. Everything else waits its turn; while it waits, it
//! is brought up to date, and what has become pointless (an alert that began
//! and ended unheard) is withheld and counted.
//!
//! Invariant: at most `BURST + elapsed / TOKEN` messages. Messages of one key
//! keep their order. A message on a critical level, and the end of a told
//! alert, is never dropped.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{AlertLevel, Note, NoteState};

/// Ten messages a minute are what a person can follow.
const BURST: u32 = 10;
/// One of ten per minute.
const TOKEN: Duration = Duration::from_secs(6);

/// What a track has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// It fires at this level.
    Holds,
    /// It still does.
    Again,
    /// It is over.
    Over,
}

/// A message that was not sent yet.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) what: What,
    pub(super) level: AlertLevel,
    pub(super) message: String,
    pub(super) value: f64,
    pub(super) threshold: f64,
    pub(super) since: Duration,
    pub(super) count: u64,
}

/// What people know of an alert.
#[derive(Clone, Copy, Debug, Serialize)]
struct Told {
    seq: u32,
    level: AlertLevel,
}

/// The bucket and what waits for it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Desk {
    /// Saved time; each message costs one [`TOKEN`] of it.
    credit: Duration,
    refilled_at: Duration,
    urgent: Vec<Draft>,
    waiting: Vec<Draft>,
    told: BTreeMap<String, Told>,
    withheld: u32,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            credit: TOKEN * BURST,
            refilled_at: Duration::ZERO,
            urgent: Vec::new(),
            waiting: Vec::new(),
            told: BTreeMap::new(),
            withheld: 0,
        }
    }
}

impl Desk {
    pub(super) fn submit(&mut self, draft: Draft) {
        let follows = self.urgent.iter().any(|each| each.id == draft.id);
        let is_urgent = draft.level == AlertLevel::Critical && draft.what != What::Over;
        if !is_urgent && !follows {
            return self.wait(draft);
        }
        if draft.what == What::Again && follows {
            self.withheld += 1;
            return;
        }
        // What waits for the same key goes first; what waits for the same
        // alert is out of date.
        let (mut same_key, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|each| each.key == draft.key);
        self.waiting = rest;
        let before = same_key.len();
        same_key.retain(|each| each.id != draft.id);
        self.withhold(before - same_key.len());
        self.urgent.extend(same_key);
        self.urgent.push(draft);
    }

    /// Queues a message, or brings the one of the same alert up to date.
    fn wait(&mut self, draft: Draft) {
        let Some(place) = self.waiting.iter().position(|each| each.id == draft.id) else {
            self.waiting.push(draft);
            return;
        };
        self.withheld += 1;
        let told = self.told.contains_key(&draft.id);
        match draft.what {
            What::Over if !told => {
                self.withheld += 1;
                self.waiting.remove(place);
            }
            What::Again => {}
            What::Holds | What::Over => self.waiting[place] = draft,
        }
    }

    /// Sends what may be sent.
    pub(super) fn flush(&mut self, at: Duration) -> Vec<Note> {
        let elapsed = at.saturating_sub(self.refilled_at);
        self.refilled_at = self.refilled_at.max(at);
        self.credit = (self.credit + elapsed).min(TOKEN * BURST);
        let mut notes: Vec<Note> = Vec::new();
        if self.credit >= TOKEN {
            for draft in std::mem::take(&mut self.urgent) {
                let Some(note) = self.note(at, draft) else {
                    continue;
                };
                match notes.last_mut() {
                    Some(last) if self.credit < TOKEN => last.also.push(note),
                    _ => {
                        self.credit = self.credit.saturating_sub(TOKEN);
                        notes.push(note);
                    }
                }
            }
        }
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        while self.credit >= TOKEN {
            let Some(draft) = waiting.next() else { break };
            if let Some(note) = self.note(at, draft) {
                self.credit -= TOKEN;
                notes.push(note);
            }
        }
        self.waiting = waiting.collect();
        if let Some(first) = notes.first_mut() {
            first.suppressed = std::mem::take(&mut self.withheld);
        }
        notes
    }

    /// The message, in the light of what people know already; `None` if it
    /// says nothing new.
    fn note(&mut self, at: Duration, draft: Draft) -> Option<Note> {
        let told = self.told.get(&draft.id).copied();
        let state = match (draft.what, told) {
            (What::Over, None) => None,
            (What::Over, Some(_)) => Some(NoteState::Resolved),
            (_, None) => Some(NoteState::Firing),
            (_, Some(told)) if draft.level > told.level => Some(NoteState::Escalated),
            (_, Some(told)) if draft.level < told.level => Some(NoteState::Deescalated),
            (What::Again, Some(_)) => Some(NoteState::Repeated),
            (What::Holds, Some(_)) => None,
        };
        let Some(state) = state else {
            self.withheld += 1;
            return None;
        };
        let seq = told.map_or(1, |told| told.seq + 1);
        if state == NoteState::Resolved {
            self.told.remove(&draft.id);
        } else {
            let level = draft.level;
            self.told.insert(draft.id.clone(), Told { seq, level });
        }
        Some(Note {
            id: draft.id,
            key: draft.key,
            seq,
            at,
            state,
            level: draft.level,
            message: draft.message,
            value: draft.value,
            threshold: draft.threshold,
            since: draft.since,
            count: draft.count,
            suppressed: 0,
            also: Vec::new(),
        })
    }

    fn withhold(&mut self, messages: usize) {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.withheld = self.withheld.saturating_add(messages);
    }
}
