//! Mails and whether they were answered in time, as rates with their evidence.

use serde_json::{Value, json};

use super::survival::Observed;
use crate::number::maybe;

/// A mail that may be answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    /// Hours to the first answer.
    pub(super) answered_after: Option<f64>,
    /// Hours since it was sent.
    pub(super) age: f64,
    /// Addressed to the one asked, not a copy.
    pub(super) direct: bool,
}

/// A share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Answered in time.
    pub(super) num: u64,
    /// Answered in time, or not and the time is over.
    pub(super) den: u64,
    /// Not answered, but there is still time.
    pub(super) pending: u64,
}

impl Rate {
    /// A share without anything that may still come.
    pub(super) fn plain(num: u64, den: u64) -> Self {
        Self {
            num,
            den,
            pending: 0,
        }
    }

    /// `{value, num, den, n, pending}`; null with a reason when there is nothing to divide by. What is counted is said
    /// once for all contacts (`conventions`): repeated for each it would be most of a large result.
    pub(super) fn describe(self) -> Value {
        let value = (self.den > 0).then(|| self.num as f64 / self.den as f64);
        let mut out = json!({"value": maybe(value), "num": self.num, "den": self.den, "n": self.den + self.pending,
            "pending": self.pending});
        if value.is_none() {
            let reason = if self.pending > 0 {
                "the time for an answer is not over yet"
            } else {
                "no such mail"
            };
            out["reason"] = reason.into();
        }
        out
    }
}

/// How many were answered within so many hours; `direct` leaves copies out.
pub(super) fn rate(asked: &[Asked], window: f64, direct: bool) -> Rate {
    let mut rate = Rate::plain(0, 0);
    for mail in asked.iter().filter(|m| m.direct || !direct) {
        if mail.answered_after.is_some_and(|hours| hours <= window) {
            rate.num += 1;
            rate.den += 1;
        } else if mail.age > window {
            rate.den += 1;
        } else {
            rate.pending += 1;
        }
    }
    rate
}

/// Time to the answer, or without one so far; of mails that were addressed, not copied.
pub(super) fn latencies(asked: &[Asked]) -> Vec<Observed> {
    let direct = asked.iter().filter(|m| m.direct);
    direct
        .map(|m| Observed {
            hours: m.answered_after.unwrap_or(m.age),
            answered: m.answered_after.is_some(),
        })
        .collect()
}
