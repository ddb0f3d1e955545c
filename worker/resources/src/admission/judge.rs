//! The decision: may this task start under these conditions, next to what is
//! booked? Pure: reads the ledger, changes nothing.
//!
//! Invariant: more memory in use never admits more; what is granted fits below
//! its ceiling, except for the one task that is admitted to an idle worker for
//! the sake of progress, which fits below the hard limit.

use serde::Serialize;
use shared::model::{Category, Priority};

use super::{
    Conditions, Ledger, Question,
    memory::Demand,
    shortage::{Detail, Off, Resource, Shortage},
    waiting::Waiter,
};
use crate::{
    estimate::{Basis, Estimate},
    profile::Share,
};

/// Of the limit, on top of it, for critical and high work; at least one slot.
/// More than the processor reserve of 10 % that it stands for, too.
const BYPASS: f64 = 0.25;

/// A task that may take more than this share of the memory limit is heavy.
const HEAVY: f64 = 0.25;

/// A task that takes less than this share of the memory limit cannot hurt,
/// however wrong its estimate.
pub(crate) const NEGLIGIBLE: f64 = 0.005;

/// On which terms a task may start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Terms {
    /// On top of the limit.
    pub bypass: bool,
    /// Above its ceiling, because nothing else is in flight.
    pub progress: bool,
    /// The memory to book, in bytes.
    pub bytes: u64,
    /// The processors to book, in thousandths; 0 unless CPU-bound.
    pub millicores: u32,
    /// Memory in use with it, in bytes.
    pub projected: u64,
    /// Memory that may be in use for a task of its class, in bytes.
    pub ceiling: u64,
}

pub(crate) const fn is_urgent(priority: Priority) -> bool {
    matches!(priority, Priority::Critical | Priority::High)
}

/// A share of a figure in bytes, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a share of bytes, far below 2^53 and never negative; the cast saturates"
)]
pub(crate) fn part(share: f64, of: u64) -> u64 {
    (share * of as f64) as u64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes stay below 2^53, and these are for people"
)]
pub(crate) const fn number(bytes: u64) -> f64 {
    bytes as f64
}

/// A share of some slots: rounded down, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number of slots, never negative; the cast saturates"
)]
fn slots_of(share: f64, slots: u32) -> u32 {
    ((share * f64::from(slots)) as u32).max(1)
}

impl Conditions {
    /// How many critical and high tasks may run on top of the limit.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a quarter of a number of slots; the cast saturates"
    )]
    pub fn bypass_slots(&self) -> u32 {
        ((BYPASS * f64::from(self.slots())).ceil() as u32).max(1)
    }

    /// The dynamic limit; where the worker's own limits are unknown, no more
    /// than it has processors.
    #[must_use]
    pub fn slots(&self) -> u32 {
        if self.known {
            self.slots
        } else {
            self.slots.min(slots_of(self.cores, 1))
        }
    }

    fn off(&self, kind: u16) -> Off {
        self.off.get(usize::from(kind)).copied().unwrap_or(Off::No)
    }

    /// What CPU-bound tasks may use together, in thousandths of a processor.
    fn millicores(&self) -> u64 {
        part(self.cpu_weight_cap * self.cores, 1_000)
    }

    fn is_negligible(&self, bytes: u64) -> bool {
        bytes <= part(NEGLIGIBLE, self.limit)
    }

    /// The task might take a large part of the worker, and nobody knows.
    pub(crate) fn is_heavy_unknown(&self, estimate: &Estimate, bytes: u64) -> bool {
        !estimate.is_confident() && bytes > part(HEAVY, self.limit)
    }

    /// Its needs are unknown and not negligible.
    pub(crate) fn must_settle(&self, estimate: &Estimate, bytes: u64) -> bool {
        !estimate.is_confident() && !self.is_negligible(bytes)
    }
}

/// What an estimate books as processors.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "thousandths of processors, never negative; the cast saturates"
)]
pub(crate) fn millicores(estimate: &Estimate) -> u32 {
    if estimate.cpu_bound {
        (estimate.cores * 1_000.0).ceil() as u32
    } else {
        0
    }
}

impl Ledger {
    /// Whether the task may start now, on which terms, or what is short.
    /// Changes nothing.
    pub fn look(&self, question: &Question, conditions: &Conditions) -> Result<Terms, Shortage> {
        self.awake(question, conditions)?;
        switched_on(question, conditions)?;
        let bytes = self.demanded(question, conditions);
        let fit = self.fits(
            &Demand {
                priority: question.priority,
                category: question.category,
                bytes,
                own: 0,
                alone: self.book.totals().in_flight() == 0,
            },
            conditions,
        )?;
        let terms = Terms {
            bypass: false,
            progress: fit.progress,
            bytes,
            millicores: millicores(&question.estimate),
            projected: fit.projected,
            ceiling: fit.ceiling,
        };
        match self.ordinary(question, conditions, &terms) {
            Ok(()) => Ok(terms),
            Err(_) if is_urgent(question.priority) => self.bypass(conditions).map(|()| Terms {
                bypass: true,
                ..terms
            }),
            Err(shortage) => Err(shortage),
        }
    }

    /// On old measurements only what cannot wait, and little of it.
    fn awake(&self, question: &Question, conditions: &Conditions) -> Result<(), Shortage> {
        let age = question.now.saturating_sub(conditions.at);
        if age <= conditions.stale_after {
            return Ok(());
        }
        let vital =
            question.priority == Priority::Critical || question.category == Category::Essential;
        if vital && self.book.totals().in_flight() < slots_of(conditions.cores, 1) {
            return Ok(());
        }
        Err(Shortage::new(
            Resource::Stale,
            age.as_secs_f64(),
            conditions.stale_after.as_secs_f64(),
        ))
    }

    /// What to book. A guess is never what makes a task too large: it would
    /// never be put right.
    fn demanded(&self, question: &Question, conditions: &Conditions) -> u64 {
        let Question { kind, priority, .. } = *question;
        let kept = self.waiting.kept(kind, priority, question.now);
        let bytes = question.estimate.bytes.max(kept);
        match question.estimate.basis {
            Basis::Guessed => bytes.min(self.ever(conditions)),
            Basis::Declared | Basis::Learned => bytes,
        }
    }

    /// The rules for a task within the limit.
    fn ordinary(
        &self,
        question: &Question,
        conditions: &Conditions,
        terms: &Terms,
    ) -> Result<(), Shortage> {
        self.slots_free(question, conditions)?;
        self.cpu_free(conditions, terms.millicores)?;
        self.undisturbed(question, conditions, terms.bytes)?;
        match self
            .waiting
            .held_against(question.kind, question.priority, question.now)
        {
            Some(head) if self.eats(terms, head, conditions) => {
                Err(Shortage::new(Resource::Held, number(terms.bytes), 0.0)
                    .with(Detail::For(head.kind, head.priority)))
            }
            _ => Ok(()),
        }
    }

    fn slots_free(&self, question: &Question, conditions: &Conditions) -> Result<(), Shortage> {
        let totals = self.book.totals();
        let slots = conditions.slots();
        if totals.ordinary >= slots {
            let value = f64::from(totals.ordinary) + 1.0;
            return Err(Shortage::new(Resource::Slots, value, f64::from(slots)));
        }
        let rank = usize::from(question.category.rank());
        let most = match conditions.shares[rank] {
            // A type of such a category that is on was switched on by hand.
            Share::Off => 1,
            Share::Slots(share) => slots_of(share, slots),
        };
        if totals.categories[rank] >= most {
            let value = f64::from(totals.categories[rank]) + 1.0;
            return Err(Shortage::new(Resource::Share, value, f64::from(most)));
        }
        Ok(())
    }

    /// With nothing CPU-bound in flight the processor stands in nobody's way.
    fn cpu_free(&self, conditions: &Conditions, more: u32) -> Result<(), Shortage> {
        let used = self.book.totals().millicores;
        let (sum, most) = (used + u64::from(more), conditions.millicores());
        if more == 0 || used == 0 || sum <= most {
            return Ok(());
        }
        Err(Shortage::new(
            Resource::Cpu,
            number(sum) / 1_000.0,
            number(most) / 1_000.0,
        ))
    }

    /// Tasks of unknown needs show them before another is admitted, and run
    /// alone if they may be large.
    fn undisturbed(
        &self,
        question: &Question,
        conditions: &Conditions,
        bytes: u64,
    ) -> Result<(), Shortage> {
        if conditions.is_negligible(bytes) {
            return Ok(());
        }
        if let Some(left) = self.settling_left(question.now) {
            let whole = super::SETTLE.as_secs_f64();
            return Err(Shortage::new(Resource::Settling, left.as_secs_f64(), whole));
        }
        let totals = self.book.totals();
        let alone = conditions.is_heavy_unknown(&question.estimate, bytes);
        if totals.heavy_unknown > 0 || (alone && totals.with_memory > 0) {
            let value = f64::from(totals.with_memory) + 1.0;
            return Err(Shortage::new(Resource::Solo, value, 1.0));
        }
        Ok(())
    }

    /// Whether a task admitted on these terms would take what `head` waits
    /// for.
    fn eats(&self, terms: &Terms, head: &Waiter, conditions: &Conditions) -> bool {
        let ceiling = self.ceiling(head.priority, head.category, conditions);
        if head.solo || self.floor(conditions) + head.bytes > ceiling {
            // It starts when nothing else is in flight.
            return true;
        }
        let totals = self.book.totals();
        let memory = terms.bytes > 0 && terms.projected + head.bytes > ceiling;
        let (more, next) = (u64::from(terms.millicores), u64::from(head.millicores));
        let cpu = more > 0 && next > 0 && totals.millicores + more + next > conditions.millicores();
        memory || cpu || totals.ordinary + 1 >= conditions.slots()
    }

    fn bypass(&self, conditions: &Conditions) -> Result<(), Shortage> {
        let (used, most) = (self.book.totals().bypass, conditions.bypass_slots());
        if used < most {
            return Ok(());
        }
        let value = f64::from(used) + 1.0;
        Err(Shortage::new(Resource::Bypass, value, f64::from(most)))
    }
}

/// What an operator, an emergency or the profile switched off stays off for
/// everybody; what was switched off for want of resources, for ordinary work.
fn switched_on(question: &Question, conditions: &Conditions) -> Result<(), Shortage> {
    let off = conditions.off(question.kind);
    let ordinary = !is_urgent(question.priority);
    let bound = match off {
        Off::No => false,
        Off::Automatic => ordinary,
        Off::Manual | Off::Emergency | Off::Profile => true,
    };
    if bound {
        return Err(Shortage::new(Resource::Feature, 1.0, 0.0).with(Detail::Off(off)));
    }
    let optional = matches!(
        question.category,
        Category::Advanced | Category::Experimental
    );
    if !conditions.known && optional && ordinary {
        return Err(Shortage::new(Resource::Capacity, 1.0, 0.0));
    }
    Ok(())
}
