//! Clients that wait for the end of a task.
//!
//! Invariant: a place in the list is freed when its waiter goes, however it
//! goes. Being woken is a hint; the waiter reads the task itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use shared::model::TaskId;
use tokio::sync::Notify;

/// Who waits for what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchers(Arc<Mutex<HashMap<TaskId, Entry>>>);

#[derive(Debug, Default)]
struct Entry {
    bell: Arc<Notify>,
    waiters: usize,
}

impl Watchers {
    /// Waits for news of a task from now on.
    pub(crate) fn watch(&self, id: TaskId) -> Watch {
        let mut entries = self.lock();
        let entry = entries.entry(id).or_default();
        entry.waiters += 1;
        Watch {
            bell: Arc::clone(&entry.bell),
            watchers: self.clone(),
            id,
        }
    }

    /// Wakes those who wait for these.
    pub(crate) fn ended(&self, ids: &[TaskId]) {
        let entries = self.lock();
        if entries.is_empty() {
            return;
        }
        for entry in ids.iter().filter_map(|id| entries.get(id)) {
            entry.bell.notify_waiters();
        }
    }

    /// Wakes everybody: news may have been lost.
    pub(crate) fn all(&self) {
        for entry in self.lock().values() {
            entry.bell.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Entry>> {
        // Counts and bells are whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One waiter.
#[derive(Debug)]
pub(crate) struct Watch {
    bell: Arc<Notify>,
    watchers: Watchers,
    id: TaskId,
}

impl Watch {
    /// A future that hears every wake-up from this call on; make it before
    /// reading the task.
    pub(crate) fn news(&self) -> tokio::sync::futures::Notified<'_> {
        self.bell.notified()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut entries = self.watchers.lock();
        if let Some(entry) = entries.get_mut(&self.id) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                entries.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_is_woken_and_leaves_nothing_behind() {
        let watchers = Watchers::default();
        let id = TaskId::from_bytes([1; 16]);
        let watch = watchers.watch(id);
        let news = watch.news();
        watchers.ended(&[TaskId::from_bytes([2; 16]), id]);
        tokio::time::timeout(std::time::Duration::from_secs(5), news)
            .await
            .expect("woken");
        drop(watch);
        assert!(watchers.lock().is_empty());
    }
}
