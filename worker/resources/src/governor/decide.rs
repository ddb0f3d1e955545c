//! Answers: may a task start, does it fit now that its size is known, and what
//! is learned from its end.
//!
//! Invariant: every booking is given back once; what is asked of a type that
//! the setup does not name is granted no memory by guess, as of any unknown
//! type.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::{Category, Priority};

use super::Governor;
use crate::{
    admission::{Booking, Question, Resource, Shortage, Verdict},
    estimate::{Room, Usage},
};

/// What the runs under one booking cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spent {
    /// How many runs there were.
    pub runs: u32,
    /// The highest peak of one run in bytes, where somebody measured it.
    pub peak: Option<u64>,
    /// Processor time of all runs.
    pub cpu: Duration,
    /// Time from start to end, of all runs.
    pub wall: Duration,
    /// A run was ended for want of memory.
    pub starved: bool,
}

impl Governor {
    /// Books room for a task of this type and priority, or says what is short.
    pub fn ask(&mut self, at: Duration, kind: u16, priority: Priority) -> Verdict {
        let question = self.question(at, kind, priority);
        let verdict = self.ledger.ask(&question, &self.conditions);
        match &verdict {
            Verdict::Granted(..) => {
                self.count(kind, 1);
                self.since.granted += 1;
                self.collector.granted(at);
            }
            Verdict::Blocked(shortage) => {
                // Once a tick: a flow that asks again and again is no evidence.
                if self.since.denied.insert((kind, priority)) {
                    self.collector.denied(at, shortage.resource.as_str());
                }
            }
        }
        verdict
    }

    /// What [`ask`](Self::ask) would say is short; `None` if it would grant.
    /// Changes nothing.
    #[must_use]
    pub fn shortage(&self, at: Duration, kind: u16, priority: Priority) -> Option<Shortage> {
        let question = self.question(at, kind, priority);
        self.ledger.look(&question, &self.conditions).err()
    }

    /// Makes a booking as large as a task of this size bucket needs. On a
    /// shortage it stays as it was.
    pub fn resize(&mut self, at: Duration, booking: Booking, bucket: u8) -> Result<(), Misfit> {
        let Some(entry) = self.ledger.entry(booking) else {
            return Ok(());
        };
        let kind = entry.kind;
        let estimate = self.estimates.sized(kind, bucket, &self.room());
        let fits = self.ledger.resize(booking, &estimate, at, &self.conditions);
        match fits {
            Ok(()) => {
                self.buckets.insert(booking.number(), bucket);
                Ok(())
            }
            Err(shortage) => {
                if shortage.resource == Resource::TooLarge {
                    self.too_large.insert(kind, (at, estimate.bytes));
                }
                Err(Misfit {
                    shortage,
                    bytes: estimate.bytes,
                })
            }
        }
    }

    /// The runs of a booking have ended, or none came.
    pub fn give_back(&mut self, booking: Booking, spent: Option<&Spent>) {
        let bucket = self.buckets.remove(&booking.number());
        let in_flight = self.ledger.totals().in_flight();
        let Some(entry) = self.ledger.give_back(booking) else {
            return;
        };
        if !entry.abandoned {
            self.count(entry.kind, -1);
        }
        if let Some(spent) = spent.filter(|spent| spent.runs > 0) {
            self.since.completed += u64::from(spent.runs);
            self.since.cpu += spent.cpu;
            self.since.wall += spent.wall;
            self.learn(entry.kind, bucket, (spent, in_flight, entry.bytes));
        }
        if self.ledger.totals().in_flight() == 0 {
            // What rests on the processor alone binds nobody now.
            self.refresh();
        }
    }

    /// The runs of a booking were given up and do not stop: they hold memory,
    /// and nothing else.
    pub fn abandon(&mut self, booking: Booking) {
        if self.ledger.abandon(booking)
            && let Some(entry) = self.ledger.entry(booking)
        {
            self.count(entry.kind, -1);
        }
    }

    fn learn(
        &mut self,
        kind: u16,
        bucket: Option<u8>,
        (spent, in_flight, booked): (&Spent, u32, u64),
    ) {
        let bucket = bucket.unwrap_or_default();
        if spent.starved {
            self.estimates.starved(kind, bucket, booked);
            return;
        }
        let runs = spent.runs;
        let usage = Usage {
            input: 1 << bucket.min(62),
            peak: spent.peak.or_else(|| self.attributable(in_flight)),
            cpu: spent.cpu / runs,
            wall: spent.wall / runs,
        };
        self.estimates.learn(kind, &usage);
    }

    /// What one of so many tasks takes on average, going by how much the
    /// worker's process has grown since it was idle: where nobody counts a
    /// run's own memory. What others on the machine take is not the task's.
    fn attributable(&self, in_flight: u32) -> Option<u64> {
        let (now, idle) = (self.resident, self.resident_idle);
        let known = now > 0 && idle > 0;
        known.then(|| now.saturating_sub(idle) / u64::from(in_flight.max(1)))
    }

    fn question(&self, at: Duration, kind: u16, priority: Priority) -> Question {
        let named = self.setup.kinds.get(usize::from(kind));
        Question {
            kind,
            priority,
            category: named.map_or(Category::Standard, |kind| kind.category),
            estimate: self.estimates.before_pull(kind, &self.room()),
            now: at,
        }
    }

    pub(super) fn room(&self) -> Room {
        Room {
            limit: self.conditions.limit,
            cores: self.conditions.cores,
        }
    }

    fn count(&mut self, kind: u16, by: i32) {
        if let Some(count) = self.in_flight.get_mut(usize::from(kind)) {
            *count = count.saturating_add_signed(by);
        }
    }

    /// When an answer may change by the mere passing of time.
    #[must_use]
    pub fn changes_at(&self, at: Duration) -> Option<Duration> {
        self.ledger.changes_at(at)
    }

    /// Slots in use, at most now, and at most ever.
    #[must_use]
    pub fn slots(&self) -> (u32, u32, u32) {
        let used = self.ledger.totals().in_flight();
        (used, self.conditions.slots(), self.setup.concurrency)
    }
}

/// A task in hand does not fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Misfit {
    /// What is short.
    pub shortage: Shortage,
    /// The memory that the task needs, in bytes.
    pub bytes: u64,
}
