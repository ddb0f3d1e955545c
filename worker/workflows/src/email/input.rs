//! What an e-mail analysis takes, and the rules that the schema cannot say.
//!
//! Deliberately absent: `Debug` of what holds addresses.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::contact::{Address, canonical_domain};
use super::limits;
use crate::files::Bytes;
use crate::problem::accept;
use crate::{Error, Problem};

/// The mails of one owner.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// When the analysis looks at the mails: a day (its last second in UTC) or an RFC 3339 time. Nothing else tells
    /// the time.
    #[schemars(length(min = 10, max = 35))]
    pub(super) as_of: String,
    /// The owner's own addresses: what they send is "sent".
    #[serde(default)]
    #[schemars(inner(length(min = 3, max = 320)))]
    pub(super) owner_addresses: Vec<String>,
    /// Other addresses of a person, by the one that stands for them.
    #[serde(default)]
    pub(super) aliases: BTreeMap<String, Vec<String>>,
    /// The mails.
    pub(super) source: Source,
    /// Ids of sponsors by their domains; subdomains count.
    #[serde(default)]
    pub(super) sponsor_domains: BTreeMap<String, String>,
    /// Message-IDs that an earlier analysis has seen: they make nothing new.
    #[serde(default)]
    pub(super) known_message_ids: Vec<String>,
    /// Settings.
    #[serde(default)]
    pub(super) params: Params,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// How the mails are stored.
    pub(super) kind: Kind,
    /// The bytes.
    pub(super) data: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    // Comments, not docs: documented variants make a schema of another shape.
    // One message, RFC 5322.
    Eml,
    // Many messages, separated by "From " lines.
    Mbox,
    // A zip archive of a Maildir: what lies in `cur` and `new` folders; without these, a folder of `.eml` or other files.
    MaildirZip,
    // Messages as Microsoft Graph lists them: an array, or an object with `value`.
    GraphJson,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Params {
    /// Only mails of so many days before `as_of` are counted for contacts.
    #[schemars(range(min = 1, max = 36_500))]
    pub(super) window_days: u32,
    /// An answer later than this is none.
    #[schemars(range(min = 1, max = 3_650))]
    pub(super) reply_window_days: u32,
    /// Whether tone is computed at all.
    pub(super) sentiment: bool,
    /// Whether mails without References join a thread of the same subject.
    pub(super) subject_merge: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            window_days: 365,
            reply_window_days: 14,
            sentiment: true,
            subject_merge: false,
        }
    }
}

impl Input {
    /// Checks what the schema cannot, and reads `as_of`.
    pub(super) fn validate(&self) -> Result<Timestamp, Error> {
        let known = self.owner_addresses.len() + self.aliases.values().map(Vec::len).sum::<usize>();
        Error::cap(
            "max_known_addresses",
            (known + self.aliases.len()) as u64,
            limits::MAX_KNOWN_ADDRESSES,
            "/aliases",
        )?;
        Error::cap(
            "max_known_ids",
            self.known_message_ids.len() as u64,
            limits::MAX_KNOWN_IDS,
            "/known_message_ids",
        )?;
        let mut problems = Vec::new();
        for (i, owner) in self.owner_addresses.iter().enumerate() {
            address(owner, || format!("/owner_addresses/{i}"), &mut problems);
        }
        // Keys of maps are addresses, so they are named by their place, not by themselves.
        for (i, (one, others)) in self.aliases.iter().enumerate() {
            address(one, || format!("/aliases (key {i})"), &mut problems);
            for (j, other) in others.iter().enumerate() {
                address(other, || format!("/aliases (key {i})/{j}"), &mut problems);
            }
        }
        for (i, domain) in self.sponsor_domains.keys().enumerate() {
            if canonical_domain(domain).is_none() {
                problems.push(Problem::new(
                    format!("/sponsor_domains (key {i})"),
                    "is not a domain like fund.org",
                ));
            }
        }
        let as_of = moment(&self.as_of);
        if as_of.is_none() {
            problems.push(Problem::new(
                "/as_of",
                "is neither a day like 2026-11-23 nor a time like 2026-11-23T09:00:00Z",
            ));
        }
        accept(problems)?;
        Ok(as_of.unwrap_or_default())
    }
}

fn address(text: &str, pointer: impl FnOnce() -> String, problems: &mut Vec<Problem>) {
    if Address::new(text).is_none() {
        problems.push(Problem::new(
            pointer(),
            "is not an address like me@example.org",
        ));
    }
}

/// A day's last second in UTC, so that the mails of that day are not in the future; or the very instant.
fn moment(text: &str) -> Option<Timestamp> {
    if text.len() == 10 {
        let day: Date = text.parse().ok()?;
        let end = day.at(23, 59, 59, 0);
        return Some(end.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp());
    }
    let instant: Timestamp = text.parse().ok()?;
    Timestamp::from_second(instant.as_second()).ok()
}
