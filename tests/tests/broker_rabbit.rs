//! RabbitMQ, held to the suite on both queue types, and to what its queues can do to us: be deleted, be of another type,
//! hold what is not ours.

use std::time::Instant;

use anyhow::{Result, ensure};
use shared::broker::rabbit::QueueType;
use shared::broker::{Error, Published};
use shared::model::Priority;
use tokio::task::JoinSet;
use zerogate_tests::amqp;
use zerogate_tests::conformance::broker::rabbit::{on_rabbit, outside};
use zerogate_tests::conformance::broker::{
    depth_becomes, fetched, heard, number, publish, route, slip, within,
};

mod classic {
    zerogate_tests::broker_suite!(zerogate_tests::conformance::broker::rabbit::fixture(
        shared::broker::rabbit::QueueType::Classic
    ));
}

mod quorum {
    zerogate_tests::broker_suite!(zerogate_tests::conformance::broker::rabbit::fixture(
        shared::broker::rabbit::QueueType::Quorum
    ));
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

/// What a dispatcher and a busy worker do, as fast as they can.
#[test]
#[ignore = "a measurement: run it alone, with --nocapture"]
fn measure_publishing_and_fetching() -> Result<()> {
    const SLIPS: u32 = 20_000;
    for queue_type in [QueueType::Classic, QueueType::Quorum] {
        on_rabbit(queue_type, async |fixture, _| {
            let broker = fixture.client().await?;
            let a = route("a", Priority::High)?;
            publish(&*broker, (0..100).map(|n| slip(&a, n)).collect()).await?;
            let start = Instant::now();
            for batch in 0..SLIPS / 1000 {
                let first = u64::from(batch) * 1000;
                let slips = (first..first + 1000).map(|n| slip(&a, n)).collect();
                publish(&*broker, slips).await?;
            }
            let published = f64::from(SLIPS) / start.elapsed().as_secs_f64();
            let start = Instant::now();
            let mut fetchers = JoinSet::new();
            for _ in 0..16 {
                let (broker, a) = (broker.clone(), a.clone());
                fetchers.spawn(async move {
                    while let Some(delivery) = broker.fetch(&a).await? {
                        delivery.acknowledge().await?;
                    }
                    anyhow::Ok(())
                });
            }
            while let Some(done) = fetchers.join_next().await {
                done??;
            }
            let fetched = f64::from(SLIPS) / start.elapsed().as_secs_f64();
            println!(
                "{queue_type:?}: published {published:.0}/s, fetched and acknowledged {fetched:.0}/s"
            );
            Ok(())
        })?;
    }
    Ok(())
}
