//! Says that the worker lives, and hears the mode, hints and cancels.
//!
//! Invariant: losing any of this news costs time, never work.

use std::{sync::atomic::Ordering, time::Duration};

use resources::health::{Band, Health};
use shared::{
    model::{HealthState, Level, Stamp},
    store::{
        Error,
        query::{Readiness, WorkerState},
        signal::Signal,
        verbs::{Beat, BeatReply, Mode},
    },
};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::{
    handler::Why,
    orders,
    service::Core,
    vitals::{Reading, Vitals},
};

/// The store knows types for 24 hours; saying them again each hour survives
/// many losses.
const ANNOUNCE_EVERY: Duration = Duration::from_hours(1);
/// While the store is away it is asked more often, so that work goes on soon
/// after it is back.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Announces the types and beats until dropped.
pub(crate) async fn beat(core: &Core, started_at: Stamp) {
    let mut vitals = Vitals::new();
    let mut announced: Option<Instant> = None;
    let mut told_drain = false;
    loop {
        let state = state(core, started_at, &mut vitals);
        core.figures.slots(state.slots);
        let beat = Beat {
            worker: core.id.clone(),
            state,
        };
        let pause = match core.store.heartbeat(beat).await {
            Ok(reply) => {
                let due = announced.is_none_or(|at| at.elapsed() >= ANNOUNCE_EVERY);
                if (reply.unknown || due) && announce(core).await {
                    announced = Some(Instant::now());
                }
                heard(core, &reply);
                orders::at_version(core, reply.orders_version).await;
                core.options.heartbeat
            }
            Err(error) => {
                failed(core, &error);
                ASK_AGAIN.min(core.options.heartbeat)
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            // So that a drain shows at once.
            () = core.draining.cancelled(), if !told_drain => told_drain = true,
        }
    }
}

/// Listens to the store's news until dropped.
pub(crate) async fn listen(core: &Core) {
    let mut signals = loop {
        match core.store.signals().await {
            Ok(signals) => break signals,
            Err(error) => debug!(%error, "cannot listen to the store; trying again"),
        }
        sleep(ASK_AGAIN).await;
    };
    loop {
        match signals.next().await {
            Signal::CancelAsked(tasks) => core.leases.doubt(&tasks),
            Signal::Mode => ask_mode(core).await,
            Signal::Orders => orders::ask(core).await,
            Signal::Missed => {
                core.leases.doubt_all();
                ask_mode(core).await;
                orders::ask(core).await;
            }
            Signal::Ready | Signal::Ended(_) | Signal::Workers | Signal::Alerts => {}
        }
    }
}

/// While the fleet is stopped, asks everything that runs to stop.
pub(crate) async fn stop_when_told(core: &Core) {
    loop {
        core.conditions.until_mode(Mode::Stopped).await;
        warn!("the fleet is stopped; running work is given back");
        core.leases.stop_all(Why::GivenBack);
        // Again after a moment: a claim may have been under way.
        tokio::select! {
            () = sleep(ASK_AGAIN) => {}
            () = core.conditions.started() => {}
        }
    }
}

fn heard(core: &Core, reply: &BeatReply) {
    heard_mode(core, reply.mode);
    core.conditions.store(true);
    core.board.hint(&reply.hint);
}

/// A fleet that is released comes back slowly, each worker in its own time; a
/// lone worker has nobody to come back with.
fn heard_mode(core: &Core, mode: Mode) {
    let released = !core.conditions.mode().starts_work() && mode.starts_work();
    core.conditions.heard_mode(mode);
    let workers = core.workers.load(Ordering::Relaxed);
    if let Some(gate) = core.resources.as_ref().filter(|_| released && workers > 1) {
        gate.reopen(workers);
    }
}

fn failed(core: &Core, error: &Error) {
    debug!(%error, "the heartbeat was not heard");
    if matches!(error, Error::Unavailable(_)) {
        core.conditions.store(false);
    }
}

async fn ask_mode(core: &Core) {
    match core.store.mode().await {
        Ok(state) => heard_mode(core, state.mode),
        Err(error) => failed(core, &error),
    }
}

async fn announce(core: &Core) -> bool {
    match core.store.announce(core.registry.types()).await {
        Ok(()) => true,
        Err(error) => {
            warn!(%error, "the workflow types could not be announced; trying again");
            false
        }
    }
}

fn state(core: &Core, started_at: Stamp, vitals: &mut Vitals) -> WorkerState {
    let reading = vitals.read();
    let mut state = WorkerState {
        host: core.host.clone(),
        version: core.options.version.clone(),
        started_at,
        readiness: readiness(core),
        slots: core.gate.slots(),
        types: core.registry.names(),
        running: core.leases.tasks(),
        memory_bytes: reading.memory_bytes,
        memory_total_bytes: reading.memory_total_bytes,
        cpu_cores: reading.cpu_cores,
        profile: core.options.profile.name,
        level: Level::default(),
        health: 0.0,
        health_state: HealthState::default(),
        detail: serde_json::Value::Null,
    };
    tell_resources(core, reading, &mut state);
    state
}

/// What the governor says; nothing where there is none.
fn tell_resources(core: &Core, reading: Reading, state: &mut WorkerState) {
    let Some(gate) = &core.resources else {
        return;
    };
    if gate.look(|governor, _| governor.judgement().is_none()) {
        // Before the first sample there is nothing to say.
        return;
    }
    let mut report = gate.report();
    report.memory.resident = reading.memory_bytes;
    report.cpu.process = reading.cpu_cores;
    gate.look(|governor, _| {
        state.profile = governor.profile().name;
        state.level = governor.level();
        if let Some(health) = governor.health() {
            state.health = health.score;
            state.health_state = health_state(health);
        }
    });
    state.detail = serde_json::to_value(&report).unwrap_or_default();
}

fn health_state(health: &Health) -> HealthState {
    if !health.known {
        return HealthState::Unknown;
    }
    match health.band {
        Band::Healthy => HealthState::Healthy,
        Band::Degraded => HealthState::Degraded,
        Band::Stressed => HealthState::Stressed,
        Band::Critical => HealthState::Critical,
    }
}

fn readiness(core: &Core) -> Readiness {
    if core.draining.is_cancelled() || core.conditions.set_aside() {
        return Readiness::Draining;
    }
    let admits = |route| core.gate.would_admit(route);
    if core.board.routes().iter().any(admits) {
        Readiness::Ready
    } else {
        Readiness::Gated
    }
}
