//! How many tasks of a route may be taken or queued at once.
//!
//! Invariant: pure. Enough that no slot waits for the coordinator, and no
//! more: what lies in the broker can no longer be overtaken by something more
//! urgent of the same route, nor shared fairly between tenants.

use std::{collections::BTreeMap, time::Duration};

use shared::{model::TypeName, store::verbs::Windows};

/// The least window: keeps a fleet of one small worker busy across a few round
/// trips, and costs nothing.
pub(super) const LEAST: u32 = 32;

/// What is known of one type.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight {
    /// Slots that live workers would fill with it.
    pub(super) slots: u32,
    /// Its learned run time.
    pub(super) run: Option<Duration>,
}

/// The bounds of policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Expected work that may lie in the broker, per route.
    pub(super) target: Duration,
    /// The most tasks, per route.
    pub(super) cap: u32,
}

/// The windows of all known types.
pub(super) fn windows(
    sights: impl IntoIterator<Item = (TypeName, Sight)>,
    limits: Limits,
) -> Windows {
    let by_type: BTreeMap<TypeName, u32> = sights
        .into_iter()
        .map(|(name, sight)| (name, window(sight, limits)))
        .collect();
    Windows {
        default: LEAST,
        by_type,
    }
}

/// `target` of work for all slots, at least two tasks a slot and [`LEAST`], at
/// most the cap.
fn window(sight: Sight, limits: Limits) -> u32 {
    let by_slots = sight.slots.saturating_mul(2);
    let by_work = sight.run.map_or(0, |run| {
        let per_slot = limits.target.as_micros() / run.as_micros().max(1);
        let all = per_slot.saturating_mul(u128::from(sight.slots));
        u32::try_from(all).unwrap_or(u32::MAX)
    });
    LEAST.max(by_slots).max(by_work).min(limits.cap.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(slots: u32, run_us: Option<u64>) -> u32 {
        let limits = Limits {
            target: Duration::from_secs(1),
            cap: 4096,
        };
        let run = run_us.map(Duration::from_micros);
        window(Sight { slots, run }, limits)
    }

    #[test]
    fn windows_follow_slots_and_run_times_within_their_bounds() {
        assert_eq!(size(0, None), LEAST);
        assert_eq!(size(100, None), 200);
        assert_eq!(size(4, Some(10_000_000)), LEAST);
        assert_eq!(size(4, Some(10_000)), 400);
        assert_eq!(size(4, Some(0)), 4096);
        assert_eq!(size(u32::MAX, Some(1)), 4096);
    }
}
