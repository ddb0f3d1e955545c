//! Listens to the bells of exactly the routes that the gate would admit now.
//!
//! A bell in hand is answered within moments: done, if its route was found
//! empty after it rang; rung on otherwise, so that the next worker comes.
//!
//! Invariant: one owner holds the listener and all bells. A worker that has no
//! room for a route holds no bell of it for longer than [`HOLD`].

use std::{convert::Infallible, time::Duration};

use shared::{
    broker::{Bell, Listener, Result},
    model::Route,
};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, info};

use crate::service::Core;

/// How long a bell is held while its route still has work. Long enough that a
/// busy fleet passes it on at most 100 times a second; short enough that an
/// idle worker elsewhere comes at once.
const HOLD: Duration = Duration::from_millis(10);
/// A gate that fills for a shorter time stays tuned: changing the tune costs
/// the broker more than a bell that goes round once.
const SETTLE_FULL: Duration = Duration::from_millis(50);
/// A gate that opens for a shorter time stays as it is: a flow that just
/// finished fetches for itself, and a bell waits where it is.
const SETTLE_OPEN: Duration = Duration::from_millis(5);
/// After a failure of the broker; it reconnects on its own.
const PAUSE: Duration = Duration::from_millis(500);

/// A bell in hand, since when, and how often its route was found empty then.
struct Held {
    bell: Bell,
    since: Instant,
    emptied: u64,
}

/// What the listener heard.
enum Heard {
    Bell(Bell),
    Rebuilt,
    /// A bell may be answered, or the gate or the mode changed: look again.
    Look,
}

/// Listens until dropped.
pub(crate) async fn listen(core: &Core) {
    loop {
        let error = match core.broker.listen().await {
            Ok(mut listener) => match hear(core, &mut *listener).await {
                Ok(never) => match never {},
                Err(error) => error,
            },
            Err(error) => error,
        };
        debug!(%error, "cannot listen to the bells; trying again");
        sleep(PAUSE).await;
    }
}

async fn hear(core: &Core, listener: &mut dyn Listener) -> Result<Infallible> {
    let mut held: Vec<Held> = Vec::new();
    let mut tune = Tune::default();
    let mut conditions = core.conditions.subscribe();
    // Bells may have come and gone while nobody listened.
    core.board.mark_all();
    loop {
        // Noted before the look, so that no news falls between look and wait.
        let seen = (core.board.emptied.count(), core.gate.version());
        conditions.borrow_and_update();
        answer(core, &mut held).await;
        if let Some(routes) = tune.due(core, Instant::now()) {
            listener.tune(&routes).await?;
            tune.now = routes;
        }
        let wake = wake_at(&held, &tune);
        let heard = tokio::select! {
            bell = listener.next() => bell.map_or(Heard::Rebuilt, Heard::Bell),
            _ = core.board.emptied.after(seen.0), if !held.is_empty() => Heard::Look,
            _ = core.gate.version_after(seen.1) => Heard::Look,
            // The sender lives as long as the core.
            _ = conditions.changed() => Heard::Look,
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Heard::Look,
        };
        match heard {
            Heard::Look => {}
            Heard::Bell(bell) => take(core, bell, &mut held),
            Heard::Rebuilt => {
                info!("the connection to the broker is new; looking at every queue");
                held.clear();
                core.board.mark_all();
            }
        }
    }
}

/// Puts the bell's route on the board, and keeps the bell. One that is not
/// ours rings on by being dropped.
fn take(core: &Core, bell: Bell, held: &mut Vec<Held>) {
    core.board.hint(std::slice::from_ref(&bell.route));
    if let Some(emptied) = core.board.emptied(&bell.route) {
        let since = Instant::now();
        held.push(Held {
            bell,
            since,
            emptied,
        });
    }
}

/// Ends the bells whose routes were found empty, and passes on those that
/// were held long enough.
async fn answer(core: &Core, held: &mut Vec<Held>) {
    for at in (0..held.len()).rev() {
        let item = &held[at];
        if core.board.emptied(&item.bell.route) != Some(item.emptied) {
            let item = held.swap_remove(at);
            if let Err(error) = item.bell.done().await {
                debug!(%error, "a bell could not be ended; it rings again");
            }
        } else if item.since.elapsed() >= HOLD {
            held.swap_remove(at).bell.ring_on();
        }
    }
}

/// Which routes are listened to, and since when the gate wants others.
#[derive(Default)]
struct Tune {
    now: Vec<Route>,
    begun: bool,
    differs_since: Option<Instant>,
    settle: Duration,
}

impl Tune {
    /// The routes to listen to from now on, once the gate has settled.
    fn due(&mut self, core: &Core, now: Instant) -> Option<Vec<Route>> {
        let wanted = wanted(core);
        if wanted == self.now {
            self.differs_since = None;
            return None;
        }
        let since = *self.differs_since.get_or_insert(now);
        self.settle = match (self.begun, wanted.len() < self.now.len()) {
            (false, _) => Duration::ZERO,
            (true, true) => SETTLE_FULL,
            (true, false) => SETTLE_OPEN,
        };
        if now.duration_since(since) < self.settle {
            return None;
        }
        self.differs_since = None;
        self.begun = true;
        Some(wanted)
    }
}

fn wanted(core: &Core) -> Vec<Route> {
    if !core.conditions.starts() {
        return Vec::new();
    }
    core.board
        .routes()
        .iter()
        .filter(|route| core.gate.would_admit(route))
        .cloned()
        .collect()
}

/// When the next bell or tune is due.
fn wake_at(held: &[Held], tune: &Tune) -> Option<Instant> {
    let settled = tune.differs_since.map(|since| since + tune.settle);
    held.iter()
        .map(|item| item.since + HOLD)
        .chain(settled)
        .min()
}
