//! A gate that nothing opens: a worker that is idle and still refuses, because
//! memory stays in use that no task holds (allocators keep freed heap).
//!
//! First the allocator is asked to give memory back; if that does not help the
//! worker is to end and be started again, if it may. A worker that cannot help
//! itself raises an alarm in any case.
//!
//! Invariant: each step is taken at most once per closure, the restart only
//! after a purge that did not help and never twice in fifteen minutes.

use std::time::Duration;

use serde::Serialize;

/// Closed for so long with nothing in flight: longer than any dwell of the
/// levels, so it will not open by itself.
pub const PURGE_AFTER: Duration = Duration::from_secs(20);

/// Still closed: the purge has had 40 s to show in the measurements.
pub const RECYCLE_AFTER: Duration = Duration::from_mins(1);

/// Between two restarts of one worker: what is full again sooner is not cured
/// by a restart.
pub const RECYCLE_EVERY: Duration = Duration::from_mins(15);

/// Memory that no task holds is worth an escape from this share of the limit.
const EXCESS: f64 = 0.10;

/// The gate at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// The time.
    pub at: Duration,
    /// Since when all who ask are refused ([`shut_since`]); `None` while the
    /// gate is open or nobody asks.
    ///
    /// [`shut_since`]: crate::admission::Ledger::shut_since
    pub shut_since: Option<Duration>,
    /// Tasks in flight.
    pub in_flight: u32,
    /// Memory of this process that no task holds, in bytes: what the allocator
    /// keeps beyond what is allocated, or else the growth of resident memory
    /// since the worker was idle first. `None` where unknown.
    pub excess: Option<u64>,
    /// The effective memory limit, in bytes.
    pub limit: u64,
    /// The worker may end to be started again: it has a supervisor, and the
    /// fleet can spare it.
    pub may_recycle: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[must_use]
pub enum Escape {
    /// Make the allocator give memory back.
    Purge,
    /// Drain and exit with 75, to be started again.
    Recycle,
}

/// What an alert and an operator want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// How long the gate has been closed with nothing in flight.
    pub closed_for: Duration,
    /// Memory that no task holds, in bytes.
    pub excess: Option<u64>,
    /// The memory was asked back.
    pub purged: bool,
    /// It goes on for so long that somebody must know: the alert `gate_stuck`.
    pub alarming: bool,
    /// A restart is due and was not permitted.
    pub restart_denied: bool,
}

/// Watches for a stuck gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stuck {
    not_before: Duration,
    closed: Option<Closure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Closure {
    since: Duration,
    purged: bool,
    recycled: bool,
    facts: Facts,
}

impl Stuck {
    /// A watch that restarts the worker no sooner than `not_before` after its
    /// start. Without a memory of the last restart that is [`RECYCLE_EVERY`]:
    /// a process that is stuck sooner would be so again.
    #[must_use]
    pub const fn new(not_before: Duration) -> Self {
        Self {
            not_before,
            closed: None,
        }
    }

    /// Looks at the gate; to be called at each tick.
    pub fn observe(&mut self, gate: &Gate) -> Option<Escape> {
        let (Some(since), 0) = (gate.shut_since, gate.in_flight) else {
            self.closed = None;
            return None;
        };
        let before = self.closed.filter(|closure| closure.since == since);
        let (purged, recycled) = before.map_or((false, false), |it| (it.purged, it.recycled));
        let closed_for = gate.at.saturating_sub(since);
        let idle_memory = gate
            .excess
            .is_some_and(|bytes| bytes > crate::admission::part(EXCESS, gate.limit));
        let purge = !purged && closed_for >= PURGE_AFTER && idle_memory;
        let due = purged && !recycled && closed_for >= RECYCLE_AFTER;
        let recycle = due && gate.may_recycle && gate.at >= self.not_before;
        if recycle {
            self.not_before = gate.at + RECYCLE_EVERY;
        }
        self.closed = Some(Closure {
            since,
            purged: purged || purge,
            recycled: recycled || recycle,
            facts: Facts {
                closed_for,
                excess: gate.excess,
                purged: purged || purge,
                alarming: closed_for >= RECYCLE_AFTER,
                restart_denied: due && !recycle,
            },
        });
        match (purge, recycle) {
            (true, _) => Some(Escape::Purge),
            (_, true) => Some(Escape::Recycle),
            _ => None,
        }
    }

    /// What there is to say, while the gate is closed with nothing in flight.
    #[must_use]
    pub fn facts(&self) -> Option<Facts> {
        self.closed.map(|closure| closure.facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn gate(at: u64, shut_since: u64) -> Gate {
        Gate {
            at: secs(at),
            shut_since: Some(secs(shut_since)),
            in_flight: 0,
            excess: Some(200),
            limit: 1_000,
            may_recycle: true,
        }
    }

    /// What happens from 1,000 s on, second by second.
    fn run(stuck: &mut Stuck, change: impl Fn(&mut Gate)) -> Vec<(u64, Escape)> {
        let mut escapes = Vec::new();
        for at in 1_000..1_200 {
            let mut now = gate(at, 1_000);
            change(&mut now);
            escapes.extend(stuck.observe(&now).map(|escape| (at, escape)));
        }
        escapes
    }

    #[test]
    fn purge_at_twenty_seconds_recycle_at_sixty_once_each() {
        let mut stuck = Stuck::new(RECYCLE_EVERY);
        let escapes = run(&mut stuck, |_| {});
        assert_eq!(escapes, [(1_020, Escape::Purge), (1_060, Escape::Recycle)]);
    }

    #[test]
    fn a_worker_with_work_or_an_open_gate_is_not_stuck() {
        let mut stuck = Stuck::new(secs(0));
        assert_eq!(run(&mut stuck, |gate| gate.in_flight = 1), []);
        assert_eq!(run(&mut stuck, |gate| gate.shut_since = None), []);
        assert_eq!(stuck.facts(), None);
    }

    #[test]
    fn without_memory_to_get_back_it_only_raises_an_alarm() {
        let mut stuck = Stuck::new(secs(0));
        assert_eq!(run(&mut stuck, |gate| gate.excess = Some(100)), []);
        assert_eq!(run(&mut stuck, |gate| gate.excess = None), []);
        let facts = stuck.facts().unwrap();
        assert!(facts.alarming && !facts.purged && !facts.restart_denied);
    }

    #[test]
    fn a_restart_needs_permission_and_fifteen_minutes() {
        let mut stuck = Stuck::new(RECYCLE_EVERY);
        let escapes = run(&mut stuck, |gate| gate.may_recycle = false);
        assert_eq!(escapes, [(1_020, Escape::Purge)]);
        assert!(stuck.facts().unwrap().restart_denied);
        let mut young = Stuck::new(secs(1_150));
        let escapes = run(&mut young, |_| {});
        assert_eq!(escapes, [(1_020, Escape::Purge), (1_150, Escape::Recycle)]);
        // The process lived on after all, and is stuck again.
        for at in 1_300..2_050 {
            assert_ne!(
                young.observe(&gate(at, 1_300)),
                Some(Escape::Recycle),
                "{at}"
            );
        }
        assert_eq!(young.observe(&gate(2_050, 1_300)), Some(Escape::Recycle));
    }

    #[test]
    fn an_opening_starts_everything_anew() {
        let mut stuck = Stuck::new(secs(0));
        assert_eq!(stuck.observe(&gate(1_025, 1_000)), Some(Escape::Purge));
        assert_eq!(stuck.observe(&gate(1_070, 1_069)), None);
        assert!(!stuck.facts().unwrap().purged);
        assert_eq!(stuck.observe(&gate(1_089, 1_069)), Some(Escape::Purge));
    }
}
