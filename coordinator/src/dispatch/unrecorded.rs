//! Tickets that were sent and are not yet recorded as queued.
//!
//! Most tasks end before their record is due; those need none. What is
//! forgotten here by a crash is repaired by the take's deadline.
//!
//! Invariant: holds at most what is between `take_ready` and `published`, so
//! the windows bound it.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use shared::{
    model::{Route, TaskId},
    store::verbs::PublishedSlip,
};

/// The tasks whose record is still due.
#[derive(Debug, Default)]
pub(crate) struct Unrecorded(Mutex<HashSet<TaskId>>);

impl Unrecorded {
    /// These are about to be sent.
    pub(super) fn expect(&self, slips: &[(Route, PublishedSlip)]) {
        let tickets = slips.iter().flat_map(|(_, slip)| &slip.tickets);
        self.lock().extend(tickets.map(|(task, _)| *task));
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
            slip.tickets.retain(|(task, _)| due.remove(task));
            slip
        });
        left.filter(|slip| !slip.tickets.is_empty()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        // A set is whole after any panic.
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
}
