//! How the owner and each contact deal with each other: counts, answers, latencies, habits.
//!
//! Words are the owner's: "sent" is by the owner, "received" from the contact, "in" towards the owner. Invariants: an
//! answer is a mail that names the mail it answers; one that may still come is left out (rates) or censored (latency),
//! never counted as missing; every rate carries numerator and denominator. Deliberately absent: judgement of people.

mod answers;
mod survival;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use super::contact::PersonId;
use super::traffic::{Author, Mail};
use crate::number::maybe;
use answers::{Asked, Rate};

/// Nothing in either direction for more days than this is dormant: three months, a half-life of relationship strength.
const DORMANT_DAYS: f64 = 90.0;
/// Business hours: from the first to before the second, Monday to Friday.
const OFFICE: (i8, i8) = (9, 17);

/// What holds for all contacts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// The instant of the analysis.
    pub(super) as_of: Timestamp,
    /// Only mails of so many days are counted; how long ago the last one was is not bound by it.
    pub(super) window_days: u32,
    /// A later answer is none, for rates.
    pub(super) reply_window_days: u32,
}

impl Settings {
    /// Whether a mail is within the window.
    pub(super) fn counts(&self, at: Timestamp) -> bool {
        self.days_since(at) <= f64::from(self.window_days)
    }

    fn days_since(&self, at: Timestamp) -> f64 {
        hours(at, self.as_of) / 24.0
    }
}

fn hours(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 3_600.0
}

/// What passed between the owner and one contact.
#[derive(Debug, Default)]
pub(super) struct Dealings {
    /// Mails of the owner to the contact.
    ours: Vec<Asked>,
    /// Mails of the contact.
    theirs: Vec<Asked>,
    opened_by_owner: u64,
    opened_by_contact: u64,
    office: u64,
    offsets: u64,
    thread_depth: u32,
    last_in: Option<Timestamp>,
    last_out: Option<Timestamp>,
}

impl Dealings {
    /// The last mail in either direction.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.last_in.max(self.last_out)
    }
}

/// Everyone who ever wrote to the owner or was written to.
pub(super) fn contacts(mails: &[Mail<'_>], settings: &Settings) -> BTreeMap<PersonId, Dealings> {
    let answers = first_answers(mails);
    let asked = |place: usize, by: Author, direct: bool| Asked {
        answered_after: answers
            .get(&(place, by))
            .map(|at| hours(mails[place].at, *at).max(0.0)),
        age: hours(mails[place].at, settings.as_of),
        direct,
    };
    let mut all: BTreeMap<PersonId, Dealings> = BTreeMap::new();
    for (place, mail) in mails.iter().enumerate() {
        let counts = settings.counts(mail.at);
        match mail.author {
            Author::Owner => {
                let direct: BTreeSet<PersonId> = mail.to.iter().copied().collect();
                for contact in mail.recipients() {
                    let dealings = all.entry(contact).or_default();
                    dealings.last_out = dealings.last_out.max(Some(mail.at));
                    if counts {
                        dealings.ours.push(asked(
                            place,
                            Author::Contact(contact),
                            direct.contains(&contact),
                        ));
                        dealings.opened_by_owner += u64::from(mail.opens);
                        dealings.thread_depth = dealings.thread_depth.max(mail.thread_depth);
                    }
                }
            }
            Author::Contact(contact) => {
                let dealings = all.entry(contact).or_default();
                dealings.last_in = dealings.last_in.max(Some(mail.at));
                if counts {
                    dealings
                        .theirs
                        .push(asked(place, Author::Owner, mail.to_owner));
                    dealings.opened_by_contact += u64::from(mail.opens);
                    dealings.thread_depth = dealings.thread_depth.max(mail.thread_depth);
                    let office = mail.offset.and_then(|offset| in_office(mail.at, offset));
                    dealings.offsets += u64::from(office.is_some());
                    dealings.office += u64::from(office == Some(true));
                }
            }
        }
    }
    all
}

/// When each author first answered each mail.
fn first_answers(mails: &[Mail<'_>]) -> HashMap<(usize, Author), Timestamp> {
    let mut answers: HashMap<(usize, Author), Timestamp> = HashMap::new();
    for mail in mails {
        if let Some(question) = mail.answers {
            let first = answers.entry((question, mail.author)).or_insert(mail.at);
            *first = mail.at.min(*first);
        }
    }
    answers
}

/// Whether an instant is within business hours by a clock so many seconds east of UTC; `None` for an impossible one.
fn in_office(at: Timestamp, offset: i32) -> Option<bool> {
    let zone = TimeZone::fixed(Offset::from_seconds(offset).ok()?);
    let local = zone.to_datetime(at);
    let weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
    Some(!weekend && (OFFICE.0..OFFICE.1).contains(&local.hour()))
}

impl Dealings {
    /// The contact's line of the result, without who it is and its tone.
    pub(super) fn describe(&self, settings: &Settings) -> Value {
        let window = f64::from(settings.reply_window_days) * 24.0;
        let (ours, theirs) = (&self.ours, &self.theirs);
        let theirs_km = survival::of(answers::latencies(ours));
        let ours_km = survival::of(answers::latencies(theirs));
        let days = |at: Option<Timestamp>| at.map(|at| settings.days_since(at).floor());
        let quiet = self.last().map(|at| settings.days_since(at));
        let mut out = json!({
            "counts": {"sent": ours.len(), "received": theirs.len(), "initiated_by_owner": self.opened_by_owner,
                "initiated_by_contact": self.opened_by_contact},
            "reply_rate_in": answers::rate(ours, window, false).describe(),
            "reply_rate_out": answers::rate(theirs, window, false).describe(),
            "engagingness": answers::rate(ours, window, true).describe(),
            "responsiveness": answers::rate(theirs, window, true).describe(),
            "share_within_24h": answers::rate(ours, 24.0, true).describe(),
            "latency_km_median_h": maybe(theirs_km.median),
            "latency_n": theirs_km.answered,
            "censored_n": theirs_km.censored,
            "own_latency_km_median_h": maybe(ours_km.median),
            "own_latency_n": ours_km.answered,
            "own_censored_n": ours_km.censored,
            "initiation_share": Rate::plain(self.opened_by_contact, self.opened_by_contact + self.opened_by_owner)
                .describe(),
            "business_hours_share": Rate::plain(self.office, self.offsets)
                .describe(),
            "days_since_last_inbound": maybe(days(self.last_in)),
            "days_since_last_contact": maybe(days(self.last())),
            "thread_depth": self.thread_depth,
            "dormant": quiet.is_some_and(|days| days > DORMANT_DAYS),
        });
        for (field, km) in [
            ("latency_reason", theirs_km),
            ("own_latency_reason", ours_km),
        ] {
            if let Some(reason) = km.reason() {
                out[field] = reason.into();
            }
        }
        out
    }
}

/// How the numbers of every contact are to be read, once per result.
pub(super) fn conventions() -> Value {
    json!({
        "reply_rate_in": "mails of the owner that the contact answered within reply_window_days",
        "reply_rate_out": "mails of the contact that the owner answered within reply_window_days",
        "engagingness": "answers received / mails sent that need one; the contact stands in To",
        "responsiveness": "answers sent / mails received that need one; the owner stands in To",
        "share_within_24h": "mails to the contact, in To, answered within 24 hours",
        "initiation_share": "threads begun by the contact / threads begun by either side",
        "business_hours_share": "mails of the contact sent Monday to Friday, 9 to 17 h by the offset of their own date",
        "latency": "hours to the first answer, Kaplan-Meier median; mails without an answer are censored at as_of",
        "rates": "mails without an answer whose time is not over are left out and counted as pending",
        "in_out": "in is towards the owner: reply_rate_in is how often the contact answers",
        "dormant": format!("no mail in either direction for more than {DORMANT_DAYS} days"),
        "needs_reply": "the other side stands in To, not only in Cc",
        "engagingness_responsiveness": "after On, Lim, Jiang, Purandare and Teow, ASONAM 2010, from the owner's side",
        "method_version": 1,
    })
}
