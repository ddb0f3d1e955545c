//! Fetch: a permit becomes a permit and a slip.
//!
//! Every flow runs the same loop: wait until work may start, look at the board
//! for a route that may have some, get a permit for that route, and only then
//! ask the broker for one slip. A flow that finds a slip wakes another before
//! it executes it, so that a backlog brings all flows to work within a few
//! fetches, and a single task costs one empty fetch.
//!
//! Invariant: no message is in hand without a permit. While the store is away
//! or the fleet is not running nothing is fetched: a message that could not be
//! claimed is never got and given back in a loop.

mod bells;
mod board;
mod scan;
mod turns;

use std::{sync::Arc, time::Duration};

use shared::broker::Delivery;
use tracing::debug;

use crate::{
    execute,
    gate::{Admission, Permit},
    service::Core,
};

pub(crate) use bells::listen;
pub(crate) use board::Board;
pub(crate) use scan::walk;

/// After the broker failed to answer: as long as a reconnect takes at best.
const BROKER_PAUSE: Duration = Duration::from_millis(200);

/// What a search came to.
enum Search {
    Found(Permit, Delivery),
    /// No route is believed to have work.
    Nothing,
    /// There may be work, for which there is no room; the gate's version at
    /// the time.
    Blocked(u64),
    /// The broker does not answer.
    Away,
}

/// Fetches and executes until the worker drains.
pub(crate) async fn flow(core: Arc<Core>) {
    while core.conditions.may_start().await {
        match search(&core).await {
            Search::Found(permit, delivery) => execute::slip(&core, permit, delivery).await,
            Search::Nothing => wait(&core, core.board.work()).await,
            Search::Blocked(version) => {
                wait(&core, async {
                    tokio::select! {
                        () = core.board.work() => {}
                        _ = core.gate.version_after(version) => {}
                    }
                })
                .await;
            }
            Search::Away => wait(&core, tokio::time::sleep(BROKER_PAUSE)).await,
        }
    }
    // Whoever waited for this flow's wake-up must not wait for ever.
    core.board.wake_one();
}

/// Waits for `news`, or for the drain.
async fn wait(core: &Core, news: impl Future<Output = ()>) {
    tokio::select! {
        () = news => {}
        () = core.draining.cancelled() => {}
    }
}

async fn search(core: &Core) -> Search {
    let board = &core.board;
    let turn = board.begin();
    let version = core.gate.version();
    let mut blocked = Vec::new();
    // From the top again after every empty fetch: something more urgent may
    // have come meanwhile.
    while let Some(mark) = board.next(&turn, &blocked) {
        let permit = match core.gate.admit(board.route(mark)) {
            Admission::Granted(permit) => permit,
            Admission::Blocked(shortage) => {
                core.figures.denied(&shortage);
                blocked.push(mark.place);
                continue;
            }
        };
        match core.broker.fetch(board.route(mark)).await {
            Ok(Some(delivery)) => {
                board.found(mark);
                return Search::Found(permit, delivery);
            }
            Ok(None) => board.empty(mark),
            Err(error) => {
                debug!(%error, "the broker gave no answer to a fetch");
                return Search::Away;
            }
        }
    }
    board.fruitless(&turn);
    if blocked.is_empty() {
        Search::Nothing
    } else {
        Search::Blocked(version)
    }
}
