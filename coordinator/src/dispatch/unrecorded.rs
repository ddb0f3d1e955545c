//! Tickets that were sent and are not yet recorded as queued.
//!
//! Most tasks end before their record is due; those need none. What is
//! forgotten here by a crash is repaired by the take's deadline.
//!
//! Invariant: holds at most what is between `take_ready` and `published`, so
//! the windows bound it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shared::{
    model::{Route, TaskId},
    store::verbs::PublishedSlip,
};

/// The tasks whose record is still due, each with its latest attempt: the next
/// one of a task that failed at once may be sent before the one before it is
/// settled, and that one needs no record any more.
#[derive(Debug, Default)]
pub(crate) struct Unrecorded(Mutex<HashMap<TaskId, u32>>);

impl Unrecorded {
    /// These are about to be sent.
    pub(super) fn expect(&self, slips: &[(Route, PublishedSlip)]) {
        let tickets = slips.iter().flat_map(|(_, slip)| &slip.tickets);
        self.lock().extend(tickets.copied());
    }

    /// These ended: nobody need record that they were queued.
    pub(crate) fn ended(&self, ids: &[TaskId]) {
        let mut due = self.lock();
        for id in ids {
            due.remove(id);
        }
    }

    /// What is left to record of these slips; they are expected no longer.
    pub(super) fn settle(&self, slips: Vec<PublishedSlip>) -> Vec<PublishedSlip> {
        let mut due = self.lock();
        let left = slips.into_iter().map(|mut slip| {
            slip.tickets.retain(|(task, attempt)| {
                let is_due = due.get(task) == Some(attempt);
                is_due && due.remove(task).is_some()
            });
            slip
        });
        left.filter(|slip| !slip.tickets.is_empty()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, u32>> {
        // A map is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::Priority;
    use std::time::Duration;

    #[test]
    fn what_ended_meanwhile_needs_no_record_and_nothing_is_kept() {
        let id = |n: u8| TaskId::from_bytes([n; 16]);
        let slip = |tasks: &[u8]| PublishedSlip {
            tickets: tasks.iter().map(|n| (id(*n), 1)).collect(),
            republish_after: Duration::from_secs(1),
        };
        let route = Route::new("t".parse().unwrap(), Priority::Low);
        let unrecorded = Unrecorded::default();
        let (bundle, single) = (slip(&[1, 2]), slip(&[3]));
        unrecorded.expect(&[(route.clone(), bundle.clone()), (route, single.clone())]);
        unrecorded.ended(&[id(1), id(3), id(9)]);
        assert_eq!(unrecorded.settle(vec![bundle, single]), [slip(&[2])]);
        assert!(unrecorded.lock().is_empty());
    }

    #[test]
    fn the_record_of_one_attempt_does_not_stand_for_the_next() {
        let slip = |attempt| PublishedSlip {
            tickets: vec![(TaskId::from_bytes([1; 16]), attempt)],
            republish_after: Duration::from_secs(1),
        };
        let route = Route::new("t".parse().unwrap(), Priority::Low);
        let unrecorded = Unrecorded::default();
        for attempt in [1, 2] {
            unrecorded.expect(&[(route.clone(), slip(attempt))]);
        }
        assert_eq!(unrecorded.settle(vec![slip(1)]), []);
        assert_eq!(unrecorded.settle(vec![slip(2)]), [slip(2)]);
        assert!(unrecorded.lock().is_empty());
    }
}
