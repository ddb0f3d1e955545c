//! Hears the store's signals and passes them on to whom they concern.
//!
//! Invariant: signals only hasten; every listener has a timer as well.

use std::{sync::Arc, time::Duration};

use shared::store::signal::Signal;
use tracing::debug;

use crate::app::App;

/// How long to wait before asking for signals again.
const AGAIN: Duration = Duration::from_secs(1);

/// Listens for ever.
pub(crate) async fn listen(app: Arc<App>) {
    loop {
        match app.store.signals().await {
            Ok(mut signals) => loop {
                pass_on(&app, &signals.next().await);
            },
            Err(error) => {
                debug!(%error, "no signals from the store");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

fn pass_on(app: &App, signal: &Signal) {
    match signal {
        Signal::Ready => app.bells.ready.notify_one(),
        Signal::Ended(ids) => {
            app.watchers.ended(ids);
            app.unrecorded.ended(ids);
            app.bells.room.notify_one();
        }
        Signal::CancelAsked(_) | Signal::Alerts => {}
        Signal::Mode => {
            app.fleet.outdated();
            app.bells.ready.notify_one();
        }
        Signal::Workers | Signal::Orders => app.fleet.outdated(),
        Signal::Missed => {
            app.watchers.all();
            app.fleet.outdated();
            app.bells.ready.notify_one();
            app.bells.upkeep.notify_one();
        }
    }
}
