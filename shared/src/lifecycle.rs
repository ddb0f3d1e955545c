//! Named, supervised tasks, and the order in which a process ends.
//!
//! Invariant: no task is detached. Each is spawned through [`Tasks`], logs its
//! panic under its name, and is awaited at shutdown.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, error, error_span};

/// Spawns the tasks of one role and ends them together. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// A new group, nothing running.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` under `name` until it ends. A panic is logged and stays
    /// inside; the handle then yields `None`.
    #[expect(clippy::disallowed_methods, reason = "the one supervised spawn")]
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<Option<T>> {
        let guarded = async move {
            match AssertUnwindSafe(work).catch_unwind().await {
                Ok(value) => Some(value),
                Err(panic) => {
                    error!(
                        task = name,
                        panic = panic_text(&*panic),
                        "a supervised task panicked"
                    );
                    None
                }
            }
        };
        tokio::spawn(
            self.tracker
                .track_future(guarded.instrument(error_span!("task", name))),
        )
    }

    /// Runs `work` under `name` until it ends or the group is told to stop,
    /// whichever comes first; at the stop it is dropped where it waits.
    pub fn spawn_until_stop(
        &self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<Option<()>> {
        let stop = self.stop.clone();
        self.spawn(name, async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        })
    }

    /// Runs `make()` again whenever it panics or ends, after a pause, until the
    /// group is told to stop: for loops that a process cannot live without.
    pub fn spawn_forever<F: Future<Output = ()> + Send + 'static>(
        &self,
        name: &'static str,
        make: impl Fn() -> F + Send + 'static,
    ) -> JoinHandle<Option<()>> {
        /// Long enough that a loop that fails at once does not burn a core.
        const PAUSE: Duration = Duration::from_millis(500);
        self.spawn_until_stop(name, async move {
            loop {
                if let Err(panic) = AssertUnwindSafe(make()).catch_unwind().await {
                    error!(
                        task = name,
                        panic = panic_text(&*panic),
                        "a loop panicked; starting it again"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
    }

    /// Tells every task of the group to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// The signal that [`stop`](Self::stop) raises.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops the group and waits for its tasks, at most `grace`. `false` if
    /// some had not ended by then.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.stop();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_ok()
    }
}

/// The text that a panic carries, if it carries any.
#[must_use]
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_stays_inside_and_shutdown_waits() {
        let tasks = Tasks::new();
        let broken = tasks.spawn("broken", async { panic!("on purpose") });
        assert_eq!(broken.await.unwrap(), None::<()>);
        let stopping = tasks.stopping();
        let patient = tasks.spawn("patient", async move {
            stopping.cancelled().await;
            7
        });
        assert!(tasks.finish(Duration::from_secs(5)).await);
        assert_eq!(patient.await.unwrap(), Some(7));
    }
}
