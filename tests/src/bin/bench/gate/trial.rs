//! One run: a fresh fleet, its arrivals, the wait for the rest, and the figures.
//!
//! Invariant: figures come from outside the judged parts: kills from the kernel, ends and times from the store's own
//! records, repeated work from the ledger.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use shared::clock::{Clock, SystemClock};

use super::fleet::{Ends, Fleet};
use super::memory::Gauge;
use super::mix::{self, Arrival};
use super::offer;
use super::outcome::{self, Offered};
use super::plan::{Key, Part};
use super::record::Record;
use super::watch::{self, Seen};
use super::{Ground, handlers};
use crate::http::Client;
use crate::machine::Machine;
use crate::process;

/// A run is over when nothing came to an end for so long: three leases of the default 20 s, after which a dead worker's
/// tasks have long begun again, and twenty times the longest task.
const NOTHING_FOR: Duration = Duration::from_mins(1);
/// The slowest arm, one slot a worker, needs about so long for what three minutes offer.
const REST_WITHIN: Duration = Duration::from_mins(15);
const ASK: Duration = Duration::from_millis(250);

/// Makes a run.
pub(crate) fn make(key: Key, ground: &Ground, scale: f64) -> Result<Record> {
    let machine = Machine::here()?;
    let phases = key.part.phases();
    let arrivals = mix::arrivals(phases, scale, key.seed);
    let mut fleet = Fleet::start(&key, &ground.program, &ground.nodes)?;
    let run = Run {
        client: fleet.client(),
        gauges: fleet.gauges(),
        clients: offer::connections(&fleet),
        arrivals: &arrivals,
        has_rest: key.part != Part::Tuning,
    };
    let ledger = fleet.ledger();
    let client = fleet.client();
    let (ends, seen, offered) = run.observed(&mut fleet)?;
    let kills: Result<Vec<u32>> = fleet.gauges().iter().map(Gauge::oom_kills).collect();
    let tasks = outcome::final_states(&client)?;
    let traces = handlers::traces(&ledger)?;
    let figures = outcome::figures(&tasks, &offered, phases, scale);
    Ok(Record {
        key,
        date: machine.date,
        load_average: machine.load_average,
        build: machine.bench_build.to_owned(),
        offered: count(arrivals.len()),
        latest_ms: figures.latest_ms,
        oom_kills: kills?,
        workers_killed: ends.killed,
        workers_left: ends.left,
        completed: figures.completed,
        failed: figures.failed,
        lost: figures.lost,
        begun_again: count(traces.begun_again),
        done_again: count(traces.done_again),
        phases: figures.phases,
        whole_per_s: figures.whole_per_s,
        whole_s: figures.whole_s,
        latency_ms: figures.latency_ms,
        critical_ms: figures.critical_ms,
        seen,
    })
}

/// What happens at the same time during a run.
struct Run<'a> {
    client: Client,
    gauges: Vec<Gauge>,
    clients: Vec<Client>,
    arrivals: &'a [Arrival],
    /// Whether what is left after the phases is waited for. Tuning goes by the phases alone.
    has_rest: bool,
}

impl<'a> Run<'a> {
    /// Offers the work and waits for the rest, supervised all the time and watched while work is offered.
    fn observed(self, fleet: &mut Fleet) -> Result<(Ends, Seen, Offered<'a>)> {
        let (over, offered_all) = (AtomicBool::new(false), AtomicBool::new(false));
        let (over, offered_all) = (&over, &offered_all);
        let watcher = fleet.client();
        let Self {
            client,
            gauges,
            clients,
            arrivals,
            has_rest,
        } = self;
        thread::scope(|scope| {
            let supervisor = scope.spawn(move || fleet.supervise(over));
            let watching = scope.spawn(move || watch::watch(&watcher, &gauges, offered_all));
            let began = SystemClock.now();
            let sent = offer::offer(clients, arrivals, Instant::now());
            offered_all.store(true, Ordering::Release);
            let rest = sent.and_then(|sent| {
                if has_rest {
                    wait_for_the_rest(&client, arrivals.len())?;
                }
                Ok(sent)
            });
            over.store(true, Ordering::Release);
            let gone = |_| anyhow!("a thread of the run panicked");
            // First the supervisor: it knows why the others failed, if they did.
            let ends = supervisor.join().map_err(gone)??;
            let seen = watching.join().map_err(gone)??;
            let offered = Offered {
                began,
                arrivals,
                sent: rest?,
            };
            Ok((ends, seen, offered))
        })
    }
}

/// Until all are final, or nothing came to an end for long.
fn wait_for_the_rest(client: &Client, accepted: usize) -> Result<()> {
    let deadline = Instant::now() + REST_WITHIN;
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let queue = client.json("/api/workflows/queue")?;
        let ended = ["completed", "failed", "cancelled"]
            .iter()
            .map(|name| {
                queue[name]
                    .as_u64()
                    .with_context(|| format!("queue without {name}"))
            })
            .sum::<Result<u64>>()?;
        if ended != last {
            (last, moved) = (ended, Instant::now());
        }
        let is_all = usize::try_from(ended).is_ok_and(|ended| ended >= accepted);
        if is_all || moved.elapsed() > NOTHING_FOR || Instant::now() > deadline {
            return Ok(());
        }
        process::pause(ASK);
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
