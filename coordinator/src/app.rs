//! What the coordinator's parts share.
//!
//! Invariant: everything here is a handle or a cache; the truth is in the
//! store.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use shared::{
    blobs::Blobs, broker::Broker, clock::Clock, lifecycle::Tasks, model::Nonce, store::Store,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{dispatch::Unrecorded, fleet::FleetView, options::Options, watchers::Watchers};

/// One coordinator.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    /// This process's draw for the mark of the fleet's blob store.
    pub(crate) mark: Nonce,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) fleet: FleetView,
    pub(crate) watchers: Watchers,
    pub(crate) bells: Bells,
    pub(crate) unrecorded: Unrecorded,
    pub(crate) vitals: Vitals,
    pub(crate) keys: KeysInFlight,
    pub(crate) tasks: Tasks,
    pub(crate) stopping: CancellationToken,
}

/// What wakes the loops.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    /// Something became ready.
    pub(crate) ready: Notify,
    /// Something ended, so a full window has room.
    pub(crate) room: Notify,
    /// The sweep has something to do.
    pub(crate) upkeep: Notify,
}

/// What this process knows of its own condition.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    store: AtomicBool,
    started: AtomicBool,
}

impl Vitals {
    /// Records whether the store answered.
    pub(crate) fn store_answered(&self, did: bool) {
        self.store.store(did, Ordering::Relaxed);
        if did {
            self.started.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the store answered last time.
    pub(crate) fn store_ok(&self) -> bool {
        self.store.load(Ordering::Relaxed)
    }

    /// Whether the store ever answered.
    pub(crate) fn started(&self) -> bool {
        self.started.load(Ordering::Relaxed)
    }
}

/// Idempotency keys of requests that are being answered here. The store is
/// what makes a key count once; this only lets the second of two concurrent
/// requests hear "in flight" instead of doing the work again.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeysInFlight(Arc<Mutex<HashSet<String>>>);

impl KeysInFlight {
    /// Holds `key` until the guard is dropped, or `None` if it is held.
    pub(crate) fn hold(&self, key: String) -> Option<HeldKey> {
        let fresh = self.lock().insert(key.clone());
        fresh.then(|| HeldKey {
            keys: self.clone(),
            key,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        // A set of strings is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key in flight.
#[derive(Debug)]
pub(crate) struct HeldKey {
    keys: KeysInFlight,
    key: String,
}

impl Drop for HeldKey {
    fn drop(&mut self) {
        self.keys.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_held_once_and_freed_by_its_guard() {
        let keys = KeysInFlight::default();
        let held = keys.hold("k".into());
        assert!(held.is_some() && keys.hold("k".into()).is_none());
        drop(held);
        assert!(keys.hold("k".into()).is_some());
    }
}
