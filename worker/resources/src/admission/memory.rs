//! The memory rules: what is in use or promised, up to where each class may
//! fill it, and the one task that an idle worker takes above its ceiling.
//!
//! Invariant: pure; what fits is below its ceiling, or else alone and below the
//! hard limit.

use shared::model::{Category, Priority};

use super::{
    Conditions, Ledger,
    judge::{is_urgent, number, part},
    shortage::{Resource, Shortage},
};

/// Experimental work stays so far below the high threshold, as a share of the
/// memory limit.
const EXPERIMENTAL_MARGIN: f64 = 0.05;

/// The reserve for critical work follows the size of its tasks, up to this
/// share of the memory limit: beyond it one large critical task would keep
/// most of the worker empty for the next.
const MOST_RESERVE: f64 = 0.25;

/// A task as the memory rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    pub(crate) priority: Priority,
    pub(crate) category: Category,
    pub(crate) bytes: u64,
    /// What it has booked already, in bytes.
    pub(crate) own: u64,
    /// Nothing else is in flight.
    pub(crate) alone: bool,
}

/// The answer of the memory rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit {
    pub(crate) projected: u64,
    pub(crate) ceiling: u64,
    pub(crate) progress: bool,
}

impl Ledger {
    /// The largest task that this worker could ever take, in bytes.
    #[must_use]
    pub fn ever(&self, conditions: &Conditions) -> u64 {
        conditions.hard.saturating_sub(self.floor(conditions))
    }

    /// Memory that stays in use when every task has ended.
    pub(crate) fn floor(&self, conditions: &Conditions) -> u64 {
        let booked = self.book.totals().bytes;
        let unseen = || conditions.used.saturating_sub(booked);
        self.base.least().unwrap_or_else(unseen)
    }

    /// Memory that is in use, or will be once every task in flight shows what
    /// it was booked with; without `own` of the booked bytes.
    fn inventory(&self, conditions: &Conditions, own: u64) -> u64 {
        let booked = self.book.totals().bytes - own;
        conditions.used.max(self.floor(conditions) + booked)
    }

    /// Up to where a task of this class may fill the memory, in bytes.
    #[must_use]
    pub fn ceiling(&self, priority: Priority, category: Category, conditions: &Conditions) -> u64 {
        if is_urgent(priority) {
            return conditions.hard;
        }
        let reserved = self.reserved(conditions);
        match category {
            Category::Essential | Category::Standard => {
                conditions.critical.saturating_sub(reserved)
            }
            Category::Advanced => conditions.high.saturating_sub(reserved),
            Category::Experimental => conditions
                .high
                .saturating_sub(part(EXPERIMENTAL_MARGIN, conditions.limit) + reserved),
        }
    }

    /// Memory that is kept free for critical work, less what it has taken.
    fn reserved(&self, conditions: &Conditions) -> u64 {
        if conditions.reserve <= 0.0 {
            return 0;
        }
        let share = part(conditions.reserve, conditions.limit);
        let two = self.critical_size.saturating_mul(2);
        let reserve = share.max(two.min(part(MOST_RESERVE, conditions.limit)));
        reserve.saturating_sub(self.book.totals().critical_bytes)
    }

    /// The memory rules.
    pub(crate) fn fits(&self, demand: &Demand, conditions: &Conditions) -> Result<Fit, Shortage> {
        let Demand {
            priority, category, ..
        } = *demand;
        let ceiling = self.ceiling(priority, category, conditions);
        let projected = self.inventory(conditions, demand.own) + demand.bytes;
        let fit = Fit {
            projected,
            ceiling,
            progress: false,
        };
        if projected <= ceiling {
            return Ok(fit);
        }
        let ever = self.ever(conditions);
        if demand.bytes > ever {
            return Err(Shortage::new(
                Resource::TooLarge,
                number(demand.bytes),
                number(ever),
            ));
        }
        let abandoned = self.book.totals().abandoned_bytes;
        let idle = demand.alone && demand.bytes + abandoned <= ever;
        if idle && conditions.used < conditions.hard {
            return Ok(Fit {
                progress: true,
                ..fit
            });
        }
        Err(Shortage::new(
            Resource::Memory,
            number(projected),
            number(ceiling),
        ))
    }
}
