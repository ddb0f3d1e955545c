//! RabbitMQ losing connections, its life and its memory. Connections are broken by a cable in between, the node by force.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use shared::broker::rabbit::{Options, QueueType, RabbitBroker};
use shared::broker::{Broker, Published};
use shared::lifecycle::Tasks;
use shared::model::{Priority, Route};
use zerogate_tests::conformance::broker::cable::Cable;
use zerogate_tests::conformance::broker::rabbit::{Place, options, outside};
use zerogate_tests::conformance::broker::{
    Fixture, connected, eventually, fetched, heard, number, publish, route, slip, within,
};
use zerogate_tests::rabbit::{Rabbit, vhost_name};

/// Runs a case with a cable to a fresh virtual host, and the URL of its near end.
fn on_a_cable(case: impl AsyncFnOnce(&Fixture, &Cable, &str, &Tasks) -> Result<()>) -> Result<()> {
    let place = Place::fresh()?;
    place
        .clone()
        .fixture(QueueType::Classic)
        .run(async |fixture| {
            let tasks = Tasks::new();
            let (cable, url) = place.cable(&tasks).await?;
            case(fixture, &cable, &url, &tasks).await?;
            ensure!(
                tasks.finish(Duration::from_secs(10)).await,
                "a task did not end"
            );
            Ok(())
        })
}

#[test]
fn a_cut_connection_comes_back_in_another_epoch_and_nothing_is_lost() -> Result<()> {
    on_a_cable(async |fixture, cable, url, tasks| {
        let broker = RabbitBroker::connect(options(url, QueueType::Classic), tasks)?;
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
    on_a_cable(async |fixture, cable, url, tasks| {
        let hasty = Options {
            publish_timeout: Duration::from_millis(300),
            ..options(url, QueueType::Classic)
        };
        let broker = RabbitBroker::connect(hasty, tasks)?;
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
fn a_broker_in_alarm_shows_in_health_and_is_sent_nothing() -> Result<()> {
    on_a_cable(async |_, cable, url, tasks| {
        let hasty = Options {
            publish_timeout: Duration::from_millis(300),
            ..options(url, QueueType::Classic)
        };
        let broker = RabbitBroker::connect(hasty, tasks)?;
        connected(&*broker).await?;
        let a = route("a", Priority::High)?;
        cable.speak_blocked()?;
        eventually("the alarm to show", async || {
            Ok(broker.health().blocked.then_some(()))
        })
        .await?;
        ensure!(broker.health().connected, "blocked is not away");
        // The alarm shows once either connection has heard of it; what the publishing one sends until then is sent.
        let mut sent = 0;
        eventually("a publish to be turned down", async || {
            let published = broker.publish(vec![slip(&a, 1)]).await;
            let [answer] = &published[..] else {
                bail!("one answer for one slip: {published:?}")
            };
            let Published::Returned(why) = answer else {
                sent += 1;
                return Ok(None);
            };
            // A slow node may also not have declared the queue in the time given.
            Ok(why.contains("alarm").then_some(()))
        })
        .await?;
        ensure!(broker.ring(std::slice::from_ref(&a)).await.is_err());
        cable.speak_unblocked()?;
        eventually("a publish to work again", async || {
            let published = broker.publish(vec![slip(&a, 2)]).await;
            Ok((published[0] == Published::Confirmed).then_some(()))
        })
        .await?;
        eventually("the alarm to end", async || {
            Ok((!broker.health().blocked).then_some(()))
        })
        .await?;
        let mut seen = Vec::new();
        while let Some(delivery) = broker.fetch(&a).await? {
            seen.push(number(&delivery.slip)?);
            delivery.acknowledge().await?;
        }
        ensure!(seen.contains(&2), "{seen:?}");
        let first = seen.iter().filter(|number| **number == 1).count();
        ensure!(first <= sent, "what was turned down was not sent: {seen:?}");
        broker.close().await;
        Ok(())
    })
}

#[test]
fn a_broker_that_is_away_at_the_start_is_found_when_it_comes() -> Result<()> {
    on_a_cable(async |_, cable, url, tasks| {
        cable.cut();
        let hasty = Options {
            publish_timeout: Duration::from_millis(50),
            ..options(url, QueueType::Classic)
        };
        let broker = RabbitBroker::connect(hasty, tasks)?;
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
                    as Arc<dyn Broker>,
            )
        },
        (),
    );
    let quorum_url = rabbit.url(&vhost_name(1));
    fixture.run(async |fixture| {
        let tasks = Tasks::new();
        let classic = fixture.client().await?;
        let quorum: Arc<dyn Broker> =
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
async fn survivors(broker: &dyn Broker, a: &Route, fault: Fault) -> Result<()> {
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
