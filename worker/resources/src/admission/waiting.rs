//! Who waits for room, how long, and whom room is kept for.
//!
//! A class of tasks (a type at a priority) waits from the moment it was
//! refused for want of room until it is admitted. Others that fit go first,
//! which keeps the worker full; but after eight of them, or 30 s, room is kept
//! for the class that has waited longest.
//!
//! Invariant: room is kept for one class at a time, and never for one that
//! nobody asks for any more.

use std::time::Duration;

use shared::model::{Category, Priority};

/// So many smaller tasks may go first: with ten slots about one round of them.
pub const MOST_PASSED: u32 = 8;

/// So long may smaller tasks go first.
pub const MOST_WAIT: Duration = Duration::from_secs(30);

/// A class that nobody asked for in so long has no work any more. Workers look
/// at every route every few seconds.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// A class that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    pub(crate) kind: u16,
    pub(crate) priority: Priority,
    pub(crate) category: Category,
    /// The memory that it waits for.
    pub(crate) bytes: u64,
    pub(crate) millicores: u32,
    /// It must run alone.
    pub(crate) solo: bool,
    /// A task of this size came and had to go back.
    pub(crate) sized: u64,
    pub(crate) since: Duration,
    pub(crate) asked: Duration,
    pub(crate) passed: u32,
}

impl Waiter {
    pub(crate) const fn new(kind: u16, priority: Priority, category: Category) -> Self {
        Self {
            kind,
            priority,
            category,
            bytes: 0,
            millicores: 0,
            solo: false,
            sized: 0,
            since: Duration::ZERO,
            asked: Duration::ZERO,
            passed: 0,
        }
    }

    const fn is(&self, kind: u16, priority: Priority) -> bool {
        self.kind == kind && self.priority as u8 == priority as u8
    }

    fn is_due(&self, now: Duration) -> bool {
        let live = now.saturating_sub(self.asked) <= FORGOTTEN;
        let long = now.saturating_sub(self.since) >= MOST_WAIT;
        live && (long || self.passed >= MOST_PASSED)
    }
}

/// All that wait. A handful at a time, so it is searched from end to end.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    waiters: Vec<Waiter>,
}

impl Waiting {
    /// With room for so many classes.
    pub(crate) fn with_room(classes: usize) -> Self {
        Self {
            waiters: Vec::with_capacity(classes),
        }
    }

    /// A class was refused for want of room.
    pub(crate) fn refused(&mut self, new: Waiter, now: Duration) {
        self.waiters
            .retain(|waiter| now.saturating_sub(waiter.asked) <= FORGOTTEN);
        let own = |waiter: &&mut Waiter| waiter.is(new.kind, new.priority);
        if let Some(old) = self.waiters.iter_mut().find(own) {
            let sized = old.sized.max(new.sized);
            *old = Waiter {
                sized,
                bytes: new.bytes.max(sized),
                since: old.since,
                passed: old.passed,
                asked: now,
                ..new
            };
            return;
        }
        self.waiters.push(Waiter {
            since: now,
            asked: now,
            ..new
        });
    }

    /// A class was admitted with so many bytes: it waits no more, unless for
    /// a task that is larger.
    pub(crate) fn admitted(&mut self, kind: u16, priority: Priority, bytes: u64) {
        self.waiters
            .retain(|of| !of.is(kind, priority) || of.sized > bytes);
    }

    /// A class may not run at all: it waits no more.
    pub(crate) fn dropped(&mut self, kind: u16, priority: Priority) {
        self.waiters.retain(|of| !of.is(kind, priority));
    }

    /// A task of this class and size went before all others that wait.
    pub(crate) fn passed_by(&mut self, kind: u16, priority: Priority, size: (u64, u32)) {
        if size == (0, 0) {
            return;
        }
        for waiter in &mut self.waiters {
            if !waiter.is(kind, priority) && size.0 <= waiter.bytes {
                waiter.passed += 1;
            }
        }
    }

    /// For whom room is kept: who has waited longest of those that are due.
    pub(crate) fn head(&self, now: Duration) -> Option<&Waiter> {
        self.waiters
            .iter()
            .filter(|waiter| waiter.is_due(now))
            .min_by_key(|waiter| (waiter.since, waiter.priority, waiter.kind))
    }

    /// The room that is kept for this class itself.
    pub(crate) fn kept(&self, kind: u16, priority: Priority, now: Duration) -> u64 {
        if self.waiters.is_empty() {
            return 0;
        }
        match self.head(now) {
            Some(head) if head.is(kind, priority) => head.sized,
            _ => 0,
        }
    }

    /// For whom room is kept, unless it is this class.
    pub(crate) fn held_against(
        &self,
        kind: u16,
        priority: Priority,
        now: Duration,
    ) -> Option<&Waiter> {
        if self.waiters.is_empty() {
            return None;
        }
        self.head(now).filter(|head| !head.is(kind, priority))
    }
}
