//! RabbitMQ, held to the suite on both queue types, and to what only a broker apart can do: lose queues, connections,
//! itself.
//!
//! One node for all tests that leave it alone, a virtual host for each; it lives as long as any test uses it. The
//! tests that break a node have their own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use shared::broker::rabbit::{Options, QueueType, RabbitBroker};
use shared::broker::{Broker as _, Error, Published};
use shared::lifecycle::Tasks;
use shared::model::Priority;
use zerogate_tests::broker::Broker;
use zerogate_tests::conformance::broker::cable::Cable;
use zerogate_tests::conformance::broker::{
    Fixture, connected, depth_becomes, eventually, fetched, heard, number, publish, route, slip,
    within,
};
use zerogate_tests::rabbit::{Rabbit, url, vhost_name};
use zerogate_tests::{amqp, settings};

mod classic {
    zerogate_tests::broker_suite!(super::fixture(super::QueueType::Classic));
}

mod quorum {
    zerogate_tests::broker_suite!(super::fixture(super::QueueType::Quorum));
}

/// More virtual hosts than tests.
const VHOSTS: usize = 80;

/// A node with virtual hosts that are each used once.
struct Node {
    rabbit: Rabbit,
    used: AtomicUsize,
}

/// A virtual host for one test, and what keeps its node alive.
struct Place {
    url: String,
    port: u16,
    _node: Option<Arc<Node>>,
}

fn place() -> Result<Place> {
    static NODE: Mutex<Weak<Node>> = Mutex::new(Weak::new());
    if settings::shared_broker().is_some()
        && let Broker::Shared { url } = Broker::shared()?
    {
        let port = url
            .split([':', '/'])
            .rev()
            .nth(1)
            .context("find the port")?;
        let port = port.parse().context("read the port")?;
        return Ok(Place {
            url,
            port,
            _node: None,
        });
    }
    let mut kept = NODE.lock().unwrap_or_else(PoisonError::into_inner);
    let node = match kept.upgrade() {
        Some(node) => node,
        None => Arc::new(Node {
            rabbit: Rabbit::start(VHOSTS)?,
            used: AtomicUsize::new(0),
        }),
    };
    *kept = Arc::downgrade(&node);
    let vhost = vhost_name(node.used.fetch_add(1, Ordering::Relaxed));
    Ok(Place {
        url: node.rabbit.url(&vhost),
        port: node.rabbit.port(),
        _node: Some(node),
    })
}

fn options(url: &str, queue_type: QueueType) -> Options {
    Options {
        queue_type,
        publish_timeout: Duration::from_secs(20),
        ..Options::new(url)
    }
}

fn fixture(queue_type: QueueType) -> Result<Fixture> {
    fixture_at(place()?, queue_type)
}

#[expect(clippy::unnecessary_wraps, reason = "reads like the other fixtures")]
fn fixture_at(place: Place, queue_type: QueueType) -> Result<Fixture> {
    let url = place.url.clone();
    let make = move |tasks: &Tasks| {
        let broker = RabbitBroker::connect(options(&url, queue_type), tasks)?;
        Ok(broker as Arc<dyn shared::broker::Broker>)
    };
    Ok(Fixture::new(make, place))
}

/// Runs a case that is about RabbitMQ itself, with the URL of its virtual host.
fn on_rabbit(
    queue_type: QueueType,
    case: impl AsyncFnOnce(&Fixture, &str) -> Result<()>,
) -> Result<()> {
    let place = place()?;
    let url = place.url.clone();
    fixture_at(place, queue_type)?.run(async |fixture| case(fixture, &url).await)
}

/// The harness's own AMQP client brings its own runtime.
fn outside<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            scope
                .spawn(work)
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

#[test]
fn a_queue_that_somebody_deleted_is_declared_again_and_the_slip_confirmed() -> Result<()> {
    on_rabbit(QueueType::Classic, async |fixture, url| {
        let broker = fixture.client().await?;
        let (a, b) = (route("a", Priority::High)?, route("b", Priority::Low)?);
        publish(&*broker, vec![slip(&a, 1), slip(&b, 1)]).await?;
        let queue = format!("zerogate.{a}");
        outside(|| amqp::delete(url, &queue))?;
        publish(
            &*broker,
            vec![slip(&b, 2), slip(&a, 2), slip(&b, 3), slip(&a, 3)],
        )
        .await?;
        for n in [2, 3] {
            let delivery = fetched(&*broker, &a).await?;
            ensure!(number(&delivery.slip)? == n);
            delivery.acknowledge().await?;
        }
        ensure!(broker.fetch(&a).await?.is_none(), "published once each");
        depth_becomes(&*broker, &b, 3).await
    })
}

#[test]
fn a_fetch_from_a_deleted_queue_finds_nothing_and_the_next_works() -> Result<()> {
    on_rabbit(QueueType::Quorum, async |fixture, url| {
        let broker = fixture.client().await?;
        let a = route("a", Priority::High)?;
        publish(&*broker, vec![slip(&a, 1)]).await?;
        let in_hand = fetched(&*broker, &a).await?;
        let queue = format!("zerogate.{a}");
        outside(|| amqp::delete(url, &queue))?;
        for _ in 0..3 {
            ensure!(broker.fetch(&a).await?.is_none());
        }
        drop(in_hand);
        publish(&*broker, vec![slip(&a, 2)]).await?;
        let delivery = fetched(&*broker, &a).await?;
        ensure!(number(&delivery.slip)? == 2);
        delivery.acknowledge().await?;
        ensure!(broker.health().connected);
        Ok(())
    })
}

#[test]
fn a_queue_of_another_type_is_unsuitable_and_disturbs_nothing_else() -> Result<()> {
    on_rabbit(QueueType::Quorum, async |fixture, url| {
        let broker = fixture.client().await?;
        let epoch = broker.health().epoch;
        let (a, b) = (route("a", Priority::High)?, route("b", Priority::High)?);
        let queue = format!("zerogate.{a}");
        outside(|| amqp::fill(url, &queue, &[]))?;
        let published = broker.publish(vec![slip(&a, 1), slip(&b, 1)]).await;
        let [Published::Returned(why), Published::Confirmed] = &published[..] else {
            anyhow::bail!("{published:?}");
        };
        ensure!(why.contains(&queue) && why.contains("delete it"), "{why}");
        let fetched_a = broker.fetch(&a).await;
        ensure!(
            matches!(fetched_a, Err(Error::Unsuitable(_))),
            "{fetched_a:?}"
        );
        fetched(&*broker, &b).await?.acknowledge().await?;
        let health = broker.health();
        ensure!(health.connected && health.epoch == epoch, "{health:?}");
        Ok(())
    })
}

#[test]
fn a_message_that_is_no_slip_is_thrown_away_and_the_next_one_taken() -> Result<()> {
    on_rabbit(QueueType::Classic, async |fixture, url| {
        let broker = fixture.client().await?;
        let a = route("a", Priority::High)?;
        ensure!(broker.fetch(&a).await?.is_none(), "declares the queue");
        let queue = format!("zerogate.{a}");
        outside(|| amqp::inject(url, &queue, &[b"", b"\x09not ours", b"\x01\xff"]))?;
        publish(&*broker, vec![slip(&a, 1)]).await?;
        let delivery = fetched(&*broker, &a).await?;
        ensure!(number(&delivery.slip)? == 1);
        delivery.acknowledge().await?;
        let left = outside(|| amqp::depth(url, &queue))?;
        ensure!(left == Some(0), "{left:?}");
        Ok(())
    })
}

#[test]
fn a_listener_whose_bell_queue_was_deleted_says_so_and_hears_again() -> Result<()> {
    on_rabbit(QueueType::Classic, async |fixture, url| {
        let (broker, other) = (fixture.client().await?, fixture.client().await?);
        let routes = [route("a", Priority::High)?, route("b", Priority::High)?];
        let mut listener = other.listen().await?;
        listener.tune(&routes).await?;
        broker.ring(&routes[..1]).await?;
        heard(&mut *listener).await?.done().await?;
        let queue = format!("zerogate.bell.{}", routes[0]);
        outside(|| amqp::delete(url, &queue))?;
        let said = within("the listener's word", listener.next()).await?;
        ensure!(said.is_none(), "{said:?}");
        broker.ring(&routes).await?;
        let first = heard(&mut *listener).await?;
        let second = heard(&mut *listener).await?;
        ensure!(first.route != second.route);
        Ok(())
    })
}

#[test]
fn a_client_that_goes_gives_its_deliveries_back() -> Result<()> {
    on_rabbit(QueueType::Quorum, async |fixture, _| {
        let (leaving, staying) = (fixture.client().await?, fixture.client().await?);
        let a = route("a", Priority::High)?;
        publish(&*staying, vec![slip(&a, 1)]).await?;
        let in_hand = fetched(&*leaving, &a).await?;
        leaving.close().await;
        let again = fetched(&*staying, &a).await?;
        ensure!(again.redelivered && number(&again.slip)? == 1);
        let late = in_hand.acknowledge().await;
        ensure!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
        again.acknowledge().await?;
        ensure!(staying.fetch(&a).await?.is_none());
        Ok(())
    })
}

#[test]
fn a_cut_connection_comes_back_in_another_epoch_and_nothing_is_lost() -> Result<()> {
    let place = place()?;
    let port = place.port;
    let vhost = place.url.rsplit('/').next().unwrap_or_default().to_owned();
    fixture_at(place, QueueType::Classic)?.run(async |fixture| {
        let tasks = Tasks::new();
        let cable = Cable::to(port, &tasks).await?;
        let broker = RabbitBroker::connect(
            options(&url(cable.port(), &vhost), QueueType::Classic),
            &tasks,
        )?;
        connected(&*broker).await?;
        let other = fixture.client().await?;
        let a = route("a", Priority::High)?;
        publish(&*broker, (0..3).map(|n| slip(&a, n)).collect()).await?;
        let mut listener = broker.listen().await?;
        listener.tune(std::slice::from_ref(&a)).await?;
        let in_hand = fetched(&*broker, &a).await?;
        let dropped_late = fetched(&*broker, &a).await?;
        let seen = broker.health().epoch;
        cable.cut();
        eventually("the loss to be noticed", async || {
            let health = broker.health();
            Ok((!health.connected && health.last_error.is_some()).then_some(()))
        })
        .await?;
        ensure!(broker.fetch(&a).await.is_err());
        cable.mend();
        ensure!(within("an epoch", broker.epoch_after(seen)).await? > seen);
        connected(&*broker).await?;
        let said = within("the listener's word", listener.next()).await?;
        ensure!(said.is_none(), "{said:?}");
        other.ring(std::slice::from_ref(&a)).await?;
        heard(&mut *listener).await?.done().await?;
        // Receipts of the lost connection: an error, no harm to the new one.
        ensure!(in_hand.acknowledge().await.is_err());
        drop(dropped_late);
        publish(&*broker, vec![slip(&a, 3)]).await?;
        let mut seen = BTreeSet::new();
        while seen.len() < 4 {
            let delivery = fetched(&*broker, &a).await?;
            seen.insert(number(&delivery.slip)?);
            delivery.acknowledge().await?;
        }
        ensure!(broker.fetch(&a).await?.is_none());
        broker.close().await;
        ensure!(tasks.finish(Duration::from_secs(10)).await);
        Ok(())
    })
}

#[test]
fn a_publish_without_an_answer_is_unknown_in_time_and_the_slip_may_be_there() -> Result<()> {
    let place = place()?;
    let port = place.port;
    let vhost = place.url.rsplit('/').next().unwrap_or_default().to_owned();
    fixture_at(place, QueueType::Classic)?.run(async |fixture| {
        let tasks = Tasks::new();
        let cable = Cable::to(port, &tasks).await?;
        let hasty = Options {
            publish_timeout: Duration::from_millis(300),
            ..options(&url(cable.port(), &vhost), QueueType::Classic)
        };
        let broker = RabbitBroker::connect(hasty, &tasks)?;
        connected(&*broker).await?;
        let a = route("a", Priority::High)?;
        eventually("the queue", async || {
            let published = broker.publish(vec![slip(&a, 0)]).await;
            Ok((published[0] == Published::Confirmed).then_some(()))
        })
        .await?;
        cable.hold();
        let published = within("an answer", broker.publish(vec![slip(&a, 1), slip(&a, 2)])).await?;
        ensure!(
            matches!(
                published[..],
                [Published::Unknown(_), Published::Unknown(_)]
            ),
            "{published:?}"
        );
        cable.mend();
        eventually("a publish to work again", async || {
            let published = broker.publish(vec![slip(&a, 3)]).await;
            Ok((published[0] == Published::Confirmed).then_some(()))
        })
        .await?;
        let other = fixture.client().await?;
        let mut seen = BTreeSet::new();
        while let Some(delivery) = other.fetch(&a).await? {
            seen.insert(number(&delivery.slip)?);
            delivery.acknowledge().await?;
        }
        ensure!(seen.contains(&0) && seen.contains(&3), "{seen:?}");
        broker.close().await;
        Ok(())
    })
}

#[test]
fn a_broker_that_is_away_at_the_start_is_found_when_it_comes() -> Result<()> {
    let place = place()?;
    let port = place.port;
    let vhost = place.url.rsplit('/').next().unwrap_or_default().to_owned();
    fixture_at(place, QueueType::Classic)?.run(async |_| {
        let tasks = Tasks::new();
        let cable = Cable::to(port, &tasks).await?;
        cable.cut();
        let hasty = Options {
            publish_timeout: Duration::from_millis(50),
            ..options(&url(cable.port(), &vhost), QueueType::Classic)
        };
        let broker = RabbitBroker::connect(hasty, &tasks)?;
        let a = route("a", Priority::High)?;
        let published = broker.publish(vec![slip(&a, 1); 3000]).await;
        ensure!(published.len() == 3000);
        ensure!(
            published
                .iter()
                .all(|p| matches!(p, Published::Returned(_)))
        );
        ensure!(broker.health().epoch == 0 && !broker.health().connected);
        // It may listen already, and hears once there is something to hear.
        let mut listener = broker.listen().await?;
        ensure!(listener.tune(std::slice::from_ref(&a)).await.is_err());
        cable.mend();
        connected(&*broker).await?;
        let said = within("the listener's word", listener.next()).await?;
        ensure!(said.is_none());
        eventually("a ring", async || {
            Ok(broker.ring(std::slice::from_ref(&a)).await.ok())
        })
        .await?;
        heard(&mut *listener).await?.done().await?;
        broker.close().await;
        Ok(())
    })
}

/// Stopped, killed and wiped, with classic and quorum queues on the same node: boots are dear.
#[test]
fn a_broker_that_stops_dies_or_forgets_is_survived() -> Result<()> {
    let mut rabbit = Rabbit::start(2)?;
    let urls = [rabbit.url(&vhost_name(0)), rabbit.url(&vhost_name(1))];
    let fixture = Fixture::new(
        move |tasks| {
            let made = tasks.stopping().is_cancelled();
            ensure!(!made, "the fixture is over");
            Ok(
                RabbitBroker::connect(options(&urls[0], QueueType::Classic), tasks)?
                    as Arc<dyn shared::broker::Broker>,
            )
        },
        (),
    );
    let quorum_url = rabbit.url(&vhost_name(1));
    fixture.run(async |fixture| {
        let tasks = Tasks::new();
        let classic = fixture.client().await?;
        let quorum: Arc<dyn shared::broker::Broker> =
            RabbitBroker::connect(options(&quorum_url, QueueType::Quorum), &tasks)?;
        connected(&*quorum).await?;
        let brokers = [classic, quorum];
        let a = route("a", Priority::High)?;
        for fault in [Fault::Stop, Fault::Kill, Fault::Wipe] {
            let mut listeners = Vec::new();
            let mut seen = Vec::new();
            for broker in &brokers {
                publish(&**broker, (0..50).map(|n| slip(&a, n)).collect()).await?;
                let mut listener = broker.listen().await?;
                listener.tune(std::slice::from_ref(&a)).await?;
                listeners.push(listener);
                seen.push(broker.health().epoch);
            }
            outside(|| fault.strike(&mut rabbit))?;
            for broker in &brokers {
                eventually("the loss to be noticed", async || {
                    Ok((!broker.health().connected).then_some(()))
                })
                .await?;
            }
            outside(|| rabbit.start_again())?;
            for ((broker, listener), seen) in brokers.iter().zip(&mut listeners).zip(seen) {
                connected(&**broker).await?;
                ensure!(broker.health().epoch > seen, "after {fault:?}");
                let said = within("the listener's word", listener.next()).await?;
                ensure!(said.is_none(), "{said:?} after {fault:?}");
                survivors(&**broker, &a, fault).await?;
                broker.ring(std::slice::from_ref(&a)).await?;
                heard(&mut **listener).await?.done().await?;
            }
        }
        brokers[1].close().await;
        ensure!(tasks.finish(Duration::from_secs(10)).await);
        Ok(())
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Stop,
    Kill,
    Wipe,
}

impl Fault {
    fn strike(self, rabbit: &mut Rabbit) -> Result<()> {
        match self {
            Self::Stop => rabbit.stop(),
            Self::Kill => rabbit.kill(),
            Self::Wipe => rabbit.kill().and_then(|()| rabbit.wipe()),
        }
    }
}

/// Whatever was confirmed is there, unless the broker was wiped; and publishing works.
async fn survivors(
    broker: &dyn shared::broker::Broker,
    a: &shared::model::Route,
    fault: Fault,
) -> Result<()> {
    let old: u64 = if fault == Fault::Wipe { 0 } else { 50 };
    eventually("a publish to work again", async || {
        let published = broker.publish(vec![slip(a, 50)]).await;
        Ok((published[0] == Published::Confirmed).then_some(()))
    })
    .await?;
    let mut seen = BTreeSet::new();
    while seen.len() as u64 <= old {
        let delivery = fetched(broker, a).await?;
        seen.insert(number(&delivery.slip)?);
        delivery.acknowledge().await?;
    }
    ensure!(seen.last() == Some(&50), "{seen:?} after {fault:?}");
    while let Some(copy) = broker.fetch(a).await? {
        copy.acknowledge().await?;
    }
    Ok(())
}
