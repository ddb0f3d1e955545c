//! Whether new work may start at all: the fleet's mode, an operator's order to
//! this worker, and whether the store answers.
//!
//! Invariant: everything here is somebody else's news; the claim checks the
//! mode again, atomically.

use shared::store::verbs::Mode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The conditions, shared by every flow.
#[derive(Debug)]
pub(crate) struct Conditions {
    now: watch::Sender<Now>,
    draining: CancellationToken,
}

/// What was heard last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    mode: Mode,
    store_answers: bool,
    /// An operator has this worker take nothing new.
    set_aside: bool,
}

impl Now {
    fn starts(self) -> bool {
        self.store_answers && !self.set_aside && self.mode.starts_work()
    }
}

impl Conditions {
    /// Nothing is known yet, so nothing starts before the store has answered.
    pub(crate) fn new(draining: CancellationToken) -> Self {
        let unknown = Now {
            mode: Mode::Running,
            store_answers: false,
            set_aside: false,
        };
        Self {
            now: watch::Sender::new(unknown),
            draining,
        }
    }

    /// Waits until work may start; `false` once the worker drains.
    pub(crate) async fn may_start(&self) -> bool {
        if self.draining.is_cancelled() {
            return false;
        }
        if self.starts() {
            return true;
        }
        let mut news = self.now.subscribe();
        tokio::select! {
            _ = news.wait_for(|now| now.starts()) => true,
            () = self.draining.cancelled() => false,
        }
    }

    /// Whether work may start now.
    pub(crate) fn starts(&self) -> bool {
        self.now.borrow().starts() && !self.draining.is_cancelled()
    }

    /// The fleet's mode, as last heard.
    pub(crate) fn mode(&self) -> Mode {
        self.now.borrow().mode
    }

    /// Whether the store answered last time.
    pub(crate) fn store_answers(&self) -> bool {
        self.now.borrow().store_answers
    }

    /// Tells of every change from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Now> {
        self.now.subscribe()
    }

    /// Waits until the fleet is in this mode.
    pub(crate) async fn until_mode(&self, mode: Mode) {
        self.until(|now| now.mode == mode).await;
    }

    /// Waits until work may start.
    pub(crate) async fn started(&self) {
        self.until(Now::starts).await;
    }

    /// Waits until work may not start.
    pub(crate) async fn halted(&self) {
        self.until(|now| !now.starts()).await;
    }

    /// The store answered a call, or did not.
    pub(crate) fn store(&self, answers: bool) {
        // Looked at first: this is called for every batch.
        if self.store_answers() == answers {
            return;
        }
        let changed = self
            .now
            .send_if_modified(|now| std::mem::replace(&mut now.store_answers, answers) != answers);
        match (changed, answers) {
            (true, true) => info!("the store answers; work may start"),
            (true, false) => warn!("the store does not answer; nothing new starts until it does"),
            (false, _) => {}
        }
    }

    /// The fleet's mode was heard.
    pub(crate) fn heard_mode(&self, mode: Mode) {
        let changed = self
            .now
            .send_if_modified(|now| std::mem::replace(&mut now.mode, mode) != mode);
        if changed {
            info!(?mode, "the mode of the fleet changed");
        }
    }

    /// An operator's order to this worker was heard: take nothing new, or
    /// take work again.
    pub(crate) fn heard_drain(&self, drain: bool) {
        let changed = self
            .now
            .send_if_modified(|now| std::mem::replace(&mut now.set_aside, drain) != drain);
        match (changed, drain) {
            (true, true) => warn!("an operator has this worker drain; it takes nothing new"),
            (true, false) => info!("an operator has this worker take work again"),
            (false, _) => {}
        }
    }

    /// Whether an operator has this worker take nothing new.
    pub(crate) fn set_aside(&self) -> bool {
        self.now.borrow().set_aside
    }

    async fn until(&self, holds: impl Fn(Now) -> bool) {
        // The sender lives as long as `self`, so this cannot fail.
        self.now
            .subscribe()
            .wait_for(|now| holds(*now))
            .await
            .map(drop)
            .ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_starts_when_the_store_answers_and_the_fleet_runs() {
        let conditions = Conditions::new(CancellationToken::new());
        assert!(!conditions.starts(), "nothing is known yet");
        conditions.store(true);
        assert!(conditions.may_start().await);
        conditions.heard_mode(Mode::Paused);
        assert!(!conditions.starts());
        conditions.halted().await;
        let (started, ()) = tokio::join!(conditions.may_start(), async {
            conditions.heard_mode(Mode::Running);
        });
        assert!(started);
    }

    #[tokio::test]
    async fn a_worker_that_is_set_aside_starts_nothing_until_it_is_called_back() {
        let conditions = Conditions::new(CancellationToken::new());
        conditions.store(true);
        conditions.heard_drain(true);
        assert!(!conditions.starts() && conditions.set_aside());
        conditions.heard_drain(false);
        assert!(conditions.may_start().await);
    }

    #[tokio::test]
    async fn a_drain_ends_the_wait() {
        let draining = CancellationToken::new();
        let conditions = Conditions::new(draining.clone());
        let (started, ()) = tokio::join!(conditions.may_start(), async { draining.cancel() });
        assert!(!started);
    }
}
