//! Whether a task may start now: the reservation ledger.
//!
//! Asked before a message is pulled, it books memory, a slot and processors
//! for the task that may come, or says what is short. After the pull the
//! booking is resized to the task's real size; when the task ends it is given
//! back. A threshold alone cannot prevent running out of memory, which takes
//! two or three seconds; what is promised must count at once.
//!
//! In reading order: a [`shortage`] is the answer no; the rules that give it
//! stand in `judge`, those of
//! memory in `memory`; `book` keeps the sums, `base` the memory that is in use
//! whatever runs, `waiting` those whom room is kept for.
//!
//! Invariant: [`Ledger::look`] and [`Ledger::would_admit`] change nothing;
//! [`Ledger::ask`] books and [`Ledger::give_back`] returns exactly that. No
//! allocation once the worker has been full.
//!
//! Deliberately absent: locks and permits (the worker's), estimates (given with
//! the question), the slots' dynamic limit (given with the conditions).

mod base;
mod book;
mod judge;
mod memory;
pub mod shortage;
mod waiting;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::model::{Category, Priority};

pub use book::{Booking, Entry, Totals};
pub use judge::Terms;
pub(crate) use judge::part;
pub use shortage::{Detail, Off, Resource, Shortage};
pub use waiting::{MOST_PASSED, MOST_WAIT};

use crate::{estimate::Estimate, profile::Share};
use base::Base;
use book::Book;
use memory::Demand;
use waiting::{Waiter, Waiting};

/// What a task of unknown needs has to show them, unless it ends before: at
/// least two samples at the base rate.
pub(crate) const SETTLE: Duration = Duration::from_secs(2);

/// Bookings that the ledger has room for before it must grow, beyond slots and
/// bypasses: runs that were given up and still hold memory.
const SPARE: usize = 64;

/// Who has not asked for so long has nothing to run: the gate may be shut, and
/// nobody minds. Workers look at every route every few seconds.
const UNASKED: Duration = Duration::from_secs(15);

/// May a task start?
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Its type's place in the list of types.
    pub kind: u16,
    /// Its priority.
    pub priority: Priority,
    /// Its feature's category.
    pub category: Category,
    /// What it is likely to need.
    pub estimate: Estimate,
    /// The time.
    pub now: Duration,
}

/// What the worker knows of itself, as of its last tick. Bytes unless said
/// otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// When it was measured.
    pub at: Duration,
    /// Older than this it is not to be trusted: three intervals of sampling.
    pub stale_after: Duration,
    /// Unreclaimable memory in use.
    pub used: u64,
    /// The effective memory limit.
    pub limit: u64,
    /// Above this nothing goes.
    pub hard: u64,
    /// Where memory becomes critical.
    pub critical: u64,
    /// Where memory becomes high.
    pub high: u64,
    /// Effective processors.
    pub cores: f64,
    /// The limits are known.
    pub known: bool,
    /// How many ordinary tasks at once: the dynamic limit.
    pub slots: u32,
    /// What CPU-bound tasks may use, as a multiple of `cores`.
    pub cpu_weight_cap: f64,
    /// Memory kept free for critical work, as a share of `limit`.
    pub reserve: f64,
    /// Each category's share of the slots, by [`Category::rank`].
    pub shares: [Share; 4],
    /// Who switched off each type's feature, by the type's place.
    pub off: Vec<Off>,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[must_use]
pub enum Verdict {
    /// Booked; to be given back.
    Granted(Booking, Terms),
    /// Not now.
    Blocked(Shortage),
}

/// The reservation ledger of one worker.
#[derive(Clone, Debug)]
pub struct Ledger {
    book: Book,
    base: Base,
    waiting: Waiting,
    settling: Option<(Booking, Duration)>,
    /// The size of a critical task: the largest lately, in bytes.
    critical_size: u64,
    /// Since when asking has been in vain with nothing in flight, and when it
    /// last was.
    shut: Option<(Duration, Duration)>,
}

impl Ledger {
    /// A ledger for so many types and at most so many tasks at once, bypasses
    /// included.
    #[must_use]
    pub fn new(kinds: u16, most: u32) -> Self {
        Self {
            book: Book::with_room(most as usize + SPARE),
            base: Base::new(),
            waiting: Waiting::with_room(usize::from(kinds) * Priority::ALL.len()),
            settling: None,
            critical_size: 0,
            shut: None,
        }
    }

    /// A new sample: so many bytes are in use, whoever uses them.
    pub fn observe(&mut self, at: Duration, used: u64) {
        let booked = self.book.totals().bytes;
        self.base.observe(at, used.saturating_sub(booked));
    }

    /// Books room for a task, or says what is short. Who is refused for want
    /// of room is remembered: after a while room is kept for it.
    pub fn ask(&mut self, question: &Question, conditions: &Conditions) -> Verdict {
        match self.look(question, conditions) {
            Ok(terms) => Verdict::Granted(self.grant(question, conditions, &terms), terms),
            Err(shortage) => {
                self.refuse(question, conditions, &shortage);
                Verdict::Blocked(shortage)
            }
        }
    }

    /// Whether [`ask`](Self::ask) would grant. Changes nothing.
    #[must_use]
    pub fn would_admit(&self, question: &Question, conditions: &Conditions) -> bool {
        self.look(question, conditions).is_ok()
    }

    fn grant(&mut self, question: &Question, conditions: &Conditions, terms: &Terms) -> Booking {
        let Question { kind, priority, .. } = *question;
        let booking = self.book.enter(Entry {
            kind,
            priority,
            category: question.category,
            bytes: terms.bytes,
            millicores: terms.millicores,
            bypass: terms.bypass,
            heavy_unknown: conditions.is_heavy_unknown(&question.estimate, terms.bytes),
            abandoned: false,
            since: question.now,
        });
        if !terms.bypass {
            let size = (terms.bytes, terms.millicores);
            self.waiting.passed_by(kind, priority, size);
        }
        self.waiting.admitted(kind, priority, terms.bytes);
        if priority == Priority::Critical {
            let faded = self.critical_size - self.critical_size / 16;
            self.critical_size = faded.max(terms.bytes);
        }
        if conditions.must_settle(&question.estimate, terms.bytes) {
            self.settling = Some((booking, question.now + SETTLE));
        }
        self.shut = None;
        booking
    }

    fn refuse(&mut self, question: &Question, conditions: &Conditions, shortage: &Shortage) {
        let Question { kind, priority, .. } = *question;
        match shortage.resource {
            Resource::Memory | Resource::Cpu | Resource::Solo | Resource::Held => {
                let bytes = question.estimate.bytes;
                self.waiting.refused(
                    Waiter {
                        bytes,
                        millicores: judge::millicores(&question.estimate),
                        solo: conditions.is_heavy_unknown(&question.estimate, bytes),
                        ..Waiter::new(kind, priority, question.category)
                    },
                    question.now,
                );
            }
            Resource::Feature | Resource::Capacity | Resource::TooLarge => {
                self.waiting.dropped(kind, priority);
            }
            _ => {}
        }
        if self.book.totals().in_flight() == 0 && shuts(shortage) {
            let now = question.now;
            self.shut = match self.shut {
                Some((since, last)) if now.saturating_sub(last) <= UNASKED => Some((since, now)),
                _ => Some((now, now)),
            };
        }
    }

    /// Changes a booking to what the task in hand needs. On a shortage the
    /// booking stays as it was, to be given back: [`Resource::TooLarge`] if the
    /// task can never run here, another one if it cannot run now. A booking
    /// that was given back or abandoned is nobody's, and stays.
    pub fn resize(
        &mut self,
        booking: Booking,
        estimate: &Estimate,
        now: Duration,
        conditions: &Conditions,
    ) -> Result<(), Shortage> {
        let Some(&entry) = self.book.get(booking).filter(|entry| !entry.abandoned) else {
            return Ok(());
        };
        let heavy = conditions.is_heavy_unknown(estimate, estimate.bytes);
        if estimate.bytes > entry.bytes
            && let Err(shortage) = self.may_grow(&entry, estimate, conditions)
        {
            if shortage.resource != Resource::TooLarge {
                let waiter = Waiter {
                    bytes: estimate.bytes,
                    sized: estimate.bytes,
                    solo: heavy,
                    ..Waiter::new(entry.kind, entry.priority, entry.category)
                };
                self.waiting.refused(waiter, now);
            }
            return Err(shortage);
        }
        self.book.change(booking, |entry| {
            entry.bytes = estimate.bytes;
            entry.millicores = judge::millicores(estimate);
            entry.heavy_unknown = heavy;
        });
        let settling = self.settling.is_some_and(|(of, _)| of == booking);
        if conditions.must_settle(estimate, estimate.bytes) {
            self.settling = Some((booking, now + SETTLE));
        } else if settling {
            self.settling = None;
        }
        Ok(())
    }

    fn may_grow(
        &self,
        entry: &Entry,
        estimate: &Estimate,
        conditions: &Conditions,
    ) -> Result<(), Shortage> {
        let totals = self.book.totals();
        let others = totals.with_memory - u32::from(entry.bytes > 0);
        let heavy = conditions.is_heavy_unknown(estimate, estimate.bytes);
        if heavy && others > 0 && !entry.bypass {
            let value = f64::from(others) + 1.0;
            return Err(Shortage::new(Resource::Solo, value, 1.0));
        }
        let demand = Demand {
            priority: entry.priority,
            category: entry.category,
            bytes: estimate.bytes,
            own: entry.bytes,
            alone: totals.in_flight() == 1,
        };
        self.fits(&demand, conditions).map(|_| ())
    }

    /// The task was given up and does not stop: it frees its slot and its
    /// processors, but its memory stays booked until it is given back.
    pub fn abandon(&mut self, booking: Booking) -> bool {
        self.book.change(booking, |entry| entry.abandoned = true)
    }

    /// The task has ended, or none came. `None` if it was given back before.
    pub fn give_back(&mut self, booking: Booking) -> Option<Entry> {
        if self.settling.is_some_and(|(of, _)| of == booking) {
            self.settling = None;
        }
        self.book.leave(booking)
    }

    /// How long a task of unknown needs still has to show them.
    fn settling_left(&self, now: Duration) -> Option<Duration> {
        let (_, until) = self.settling?;
        until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// When an answer may change by the mere passing of time: the gate is to
    /// be asked again then.
    #[must_use]
    pub fn changes_at(&self, now: Duration) -> Option<Duration> {
        self.settling_left(now).map(|left| now + left)
    }

    /// The sums of what is booked.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        self.book.totals()
    }

    /// What a booking holds; `None` if it was given back.
    #[must_use]
    pub fn entry(&self, booking: Booking) -> Option<Entry> {
        self.book.get(booking).copied()
    }

    /// All that is booked.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.book.entries()
    }

    /// Memory that is in use whatever runs, in bytes: the least in ten minutes
    /// beyond what was booked. `None` before the first sample.
    #[must_use]
    pub fn base(&self) -> Option<u64> {
        self.base.least()
    }

    /// The largest task of this class that fits now, in bytes: what heartbeats
    /// announce.
    #[must_use]
    pub fn room(&self, priority: Priority, category: Category, conditions: &Conditions) -> u64 {
        let used = conditions
            .used
            .max(self.base().unwrap_or(0) + self.book.totals().bytes);
        if self.book.totals().in_flight() == 0 && conditions.used < conditions.hard {
            return self.ever(conditions);
        }
        self.ceiling(priority, category, conditions)
            .saturating_sub(used)
    }

    /// For which type and priority room is kept now.
    #[must_use]
    pub fn held_for(&self, now: Duration) -> Option<(u16, Priority)> {
        self.waiting
            .head(now)
            .map(|head| (head.kind, head.priority))
    }

    /// Since when everybody who asked was refused with nothing in flight.
    /// `None` where somebody was admitted since, or nobody asks.
    #[must_use]
    pub fn shut_since(&self, now: Duration) -> Option<Duration> {
        self.shut
            .filter(|&(_, last)| now.saturating_sub(last) <= UNASKED)
            .map(|(since, _)| since)
    }
}

/// Whether such a shortage on an idle worker means that the worker itself is
/// stuck: not where a person meant it, or where the task is to blame.
const fn shuts(shortage: &Shortage) -> bool {
    match shortage.resource {
        Resource::Memory | Resource::Stale | Resource::Capacity => true,
        Resource::Feature => matches!(
            shortage.detail,
            Detail::Off(Off::Automatic | Off::Emergency)
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
