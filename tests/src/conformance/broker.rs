//! What every broker must do, whichever it is. [`broker_suite!`](crate::broker_suite) makes one test of each case.
//!
//! A case gets a [`Fixture`]: a broker that nobody else uses, seen through as many clients as it asks for. It knows
//! nothing of queues or connections, so it cannot agree with a backend's bug.

pub mod bells;
pub mod cable;
pub mod rabbit;
pub mod slips;

use std::any::Any;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use shared::broker::{Bell, Broker, Delivery, Listener, Published};
use shared::lifecycle::Tasks;
use shared::model::{Priority, Route, TaskId, TenantId};
use shared::wire::{Slip, Ticket};
use tokio::time::{Instant, sleep, timeout};

/// How long anything awaited may take on a machine that builds and tests other things meanwhile.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long something that must not happen is given to happen.
pub const QUIET: Duration = Duration::from_millis(300);

/// Between two looks at a condition.
const POLL: Duration = Duration::from_millis(10);

type Make = Box<dyn Fn(&Tasks) -> Result<Arc<dyn Broker>> + Send + Sync>;

/// A broker for one test.
pub struct Fixture {
    make: Make,
    tasks: Tasks,
    clients: Mutex<Vec<Arc<dyn Broker>>>,
    /// Whatever must live as long as the test: a node, for one.
    _keep: Box<dyn Any + Send + Sync>,
}

impl Fixture {
    /// A fixture whose clients are made by `make`, with something to keep alive.
    pub fn new(
        make: impl Fn(&Tasks) -> Result<Arc<dyn Broker>> + Send + Sync + 'static,
        keep: impl Any + Send + Sync,
    ) -> Self {
        Self {
            make: Box::new(make),
            tasks: Tasks::new(),
            clients: Mutex::default(),
            _keep: Box::new(keep),
        }
    }

    /// Another client of the broker, once it is connected.
    pub async fn client(&self) -> Result<Arc<dyn Broker>> {
        let client = (self.make)(&self.tasks)?;
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(client.clone());
        connected(&*client).await?;
        Ok(client)
    }

    /// Runs one case in a runtime of its own, and takes everything down.
    pub fn run<'a, F>(&'a self, case: impl FnOnce(&'a Self) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + 'a,
    {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("make a runtime")?
            .block_on(async {
                let outcome = Box::pin(case(self)).await;
                let clients = std::mem::take(
                    &mut *self.clients.lock().unwrap_or_else(PoisonError::into_inner),
                );
                for client in clients {
                    client.close().await;
                }
                if !self.tasks.finish(PATIENCE).await && outcome.is_ok() {
                    bail!("the broker's tasks did not end with it");
                }
                outcome
            })
    }
}

/// Makes a test of every case, for the [`Fixture`] that the expression yields.
#[macro_export]
macro_rules! broker_suite {
    ($fixture:expr) => {
        $crate::broker_suite!(@ $fixture, slips:
            a_published_slip_is_fetched_and_acknowledged_once
            a_dropped_delivery_comes_again
            a_fetch_that_is_given_up_loses_nothing
            many_fetchers_get_every_slip_once
            slips_of_a_quiet_route_come_in_order
            answers_stand_in_the_order_of_the_slips
            the_depth_counts_what_waits
            a_large_batch_is_confirmed_whole
            the_epoch_is_told
            a_closed_broker_refuses_politely
        );
        $crate::broker_suite!(@ $fixture, bells:
            a_bell_rung_once_is_heard_once
            a_bell_rung_on_reaches_the_other_listener
            a_bell_that_is_done_is_over
            a_bell_rung_while_it_is_in_hand_rings_again
            rings_that_nobody_hears_stay_one
            a_bell_rung_before_is_heard
            only_the_tuned_routes_are_heard
            tuning_away_hands_the_bell_back
            a_listener_that_goes_hands_its_bell_back
            a_wait_that_is_given_up_loses_no_bell
        );
    };
    (@ $fixture:expr, $group:ident: $($case:ident)*) => {$(
        #[test]
        fn $case() -> anyhow::Result<()> {
            $fixture?.run($crate::conformance::broker::$group::$case)
        }
    )*};
}

/// A route of the tests' own workflow type.
pub fn route(name: &str, priority: Priority) -> Result<Route> {
    let name = format!("conformance.{name}");
    let workflow_type = name.parse().context("name a workflow type")?;
    Ok(Route::new(workflow_type, priority))
}

/// The n-th slip of a route, with one ticket.
#[must_use]
pub fn slip(route: &Route, n: u64) -> Slip {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    Slip {
        tenant: TenantId::default(),
        route: route.clone(),
        tickets: vec![Ticket {
            task: TaskId::from_bytes(id),
            attempt: 1,
            size_bucket: 3,
            estimate_us: Some(100),
            correlation_id: None,
            traceparent: None,
        }],
    }
}

/// The number of a slip made by [`slip`].
pub fn number(slip: &Slip) -> Result<u64> {
    let ticket = slip.tickets.first().context("a slip without a ticket")?;
    let tail: [u8; 8] = ticket.task.as_bytes()[8..].try_into()?;
    Ok(u64::from_be_bytes(tail))
}

/// Publishes, and insists on the confirms.
pub async fn publish(broker: &dyn Broker, slips: Vec<Slip>) -> Result<()> {
    let count = slips.len();
    let published = within("the confirms", broker.publish(slips)).await?;
    if published != vec![Published::Confirmed; count] {
        bail!("not confirmed: {published:?}");
    }
    Ok(())
}

/// Fetches until there is something.
pub async fn fetched(broker: &dyn Broker, route: &Route) -> Result<Delivery> {
    eventually("a slip", async || {
        Ok(broker.fetch(route).await.ok().flatten())
    })
    .await
}

/// Waits until the broker says that it is connected.
pub async fn connected(broker: &dyn Broker) -> Result<()> {
    eventually("a connection", async || {
        Ok(broker.health().connected.then_some(()))
    })
    .await
}

/// Waits for the depth to become `depth`.
pub async fn depth_becomes(broker: &dyn Broker, route: &Route, depth: u64) -> Result<()> {
    eventually(&format!("the depth {depth}"), async || {
        let now = broker.depth(route).await;
        Ok((now.ok() == Some(depth)).then_some(()))
    })
    .await
}

/// The next bell, which must come; `None` answers are passed over.
pub async fn heard(listener: &mut dyn Listener) -> Result<Bell> {
    within("a bell", async {
        loop {
            if let Some(bell) = listener.next().await {
                return bell;
            }
        }
    })
    .await
}

/// Whichever of two listeners hears a bell first, as (the bell, whether it was the first listener).
pub async fn heard_by_either(
    first: &mut dyn Listener,
    second: &mut dyn Listener,
) -> Result<(Bell, bool)> {
    within("a bell at either listener", async {
        loop {
            let (bell, by_first) = tokio::select! {
                bell = first.next() => (bell, true),
                bell = second.next() => (bell, false),
            };
            if let Some(bell) = bell {
                return (bell, by_first);
            }
        }
    })
    .await
}

/// Insists that no bell comes for a while.
pub async fn silent(listener: &mut dyn Listener) -> Result<()> {
    match timeout(QUIET, listener.next()).await {
        Err(_) => Ok(()),
        Ok(bell) => bail!("heard {bell:?}, and nothing rang"),
    }
}

/// Bounded waiting for a future.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T> {
    timeout(PATIENCE, Box::pin(future))
        .await
        .with_context(|| format!("waited {PATIENCE:?} for {what}"))
}

/// Looks until there is an answer.
pub async fn eventually<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = Box::pin(look()).await? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("waited {PATIENCE:?} for {what}");
        }
        sleep(POLL).await;
    }
}
