//! Slips: published, fetched, acknowledged, given back.

use std::collections::BTreeSet;
use std::future::Future;
use std::task::Poll;

use anyhow::{Context, Result, ensure};
use shared::broker::{Error, Published};
use shared::model::Priority;
use tokio::task::JoinSet;

use super::{Fixture, depth_becomes, fetched, number, publish, route, slip, within};

/// Out and in, once.
pub async fn a_published_slip_is_fetched_and_acknowledged_once(fixture: &Fixture) -> Result<()> {
    let (out, input) = (fixture.client().await?, fixture.client().await?);
    let route = route("a", Priority::High)?;
    ensure!(input.fetch(&route).await?.is_none(), "nothing is there yet");
    publish(&*out, vec![slip(&route, 1)]).await?;
    let delivery = fetched(&*input, &route).await?;
    ensure!(delivery.slip == slip(&route, 1) && !delivery.redelivered);
    delivery.acknowledge().await?;
    depth_becomes(&*out, &route, 0).await?;
    ensure!(input.fetch(&route).await?.is_none(), "it was spent");
    Ok(())
}

/// A drop gives back, once, and the next one can see it.
pub async fn a_dropped_delivery_comes_again(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let route = route("a", Priority::High)?;
    publish(&*broker, vec![slip(&route, 1)]).await?;
    for round in 0..5 {
        let delivery = fetched(&*broker, &route).await?;
        ensure!(delivery.redelivered == (round > 0), "in round {round}");
        ensure!(broker.fetch(&route).await?.is_none(), "it is in hand");
        drop(delivery);
    }
    fetched(&*broker, &route).await?.acknowledge().await?;
    ensure!(
        broker.fetch(&route).await?.is_none(),
        "it was given back once"
    );
    Ok(())
}

/// A caller may stop waiting for a fetch at any moment.
pub async fn a_fetch_that_is_given_up_loses_nothing(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let route = route("a", Priority::High)?;
    // So that the fetches below start where it matters: at the question itself.
    ensure!(broker.fetch(&route).await?.is_none());
    publish(&*broker, (0..20).map(|n| slip(&route, n)).collect()).await?;
    let in_hand = fetched(&*broker, &route).await?;
    for _ in 0..20 {
        let mut fetch = std::pin::pin!(broker.fetch(&route));
        std::future::poll_fn(|context| {
            drop(fetch.as_mut().poll(context));
            Poll::Ready(())
        })
        .await;
    }
    depth_becomes(&*broker, &route, 19).await?;
    let mut seen = BTreeSet::from([number(&in_hand.slip)?]);
    in_hand
        .acknowledge()
        .await
        .context("what is in hand does not suffer")?;
    while seen.len() < 20 {
        let delivery = fetched(&*broker, &route).await?;
        seen.insert(number(&delivery.slip)?);
        delivery.acknowledge().await?;
    }
    Ok(())
}

/// However many ask, each slip goes to one of them.
pub async fn many_fetchers_get_every_slip_once(fixture: &Fixture) -> Result<()> {
    const SLIPS: u64 = 300;
    let clients = [fixture.client().await?, fixture.client().await?];
    let route = route("a", Priority::Low)?;
    let slips = (0..SLIPS).map(|n| slip(&route, n)).collect();
    publish(&*clients[0], slips).await?;
    let mut fetchers = JoinSet::new();
    for n in 0..40 {
        let (client, route) = (clients[n % 2].clone(), route.clone());
        fetchers.spawn(async move {
            let mut mine = Vec::new();
            while let Some(delivery) = client.fetch(&route).await? {
                mine.push(number(&delivery.slip)?);
                delivery.acknowledge().await?;
            }
            anyhow::Ok(mine)
        });
    }
    let mut all = Vec::new();
    while let Some(mine) = within("the fetchers", fetchers.join_next()).await? {
        all.extend(mine.context("a fetcher panicked")??);
    }
    all.sort_unstable();
    ensure!(all == (0..SLIPS).collect::<Vec<_>>(), "got {all:?}");
    Ok(())
}

/// Within a route that nobody disturbs, first in is first out.
pub async fn slips_of_a_quiet_route_come_in_order(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let route = route("a", Priority::Medium)?;
    let slips = (0..100).map(|n| slip(&route, n)).collect();
    publish(&*broker, slips).await?;
    for n in 0..100 {
        let delivery = fetched(&*broker, &route).await?;
        ensure!(number(&delivery.slip)? == n);
        delivery.acknowledge().await?;
    }
    Ok(())
}

/// A batch over several routes: every slip in its queue, every answer in its place.
pub async fn answers_stand_in_the_order_of_the_slips(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    ensure!(broker.publish(Vec::new()).await.is_empty());
    let mut routes = Vec::new();
    for name in ["a", "b"] {
        for priority in Priority::ALL {
            routes.push(route(name, priority)?);
        }
    }
    let slips = routes.iter().zip(0..).map(|(route, n)| slip(route, n));
    publish(&*broker, slips.collect()).await?;
    for (route, n) in routes.iter().zip(0..) {
        let delivery = fetched(&*broker, route).await?;
        ensure!(number(&delivery.slip)? == n && delivery.slip.route == *route);
        delivery.acknowledge().await?;
        ensure!(broker.fetch(route).await?.is_none());
    }
    Ok(())
}

/// Depth: what waits, without what is in hand.
pub async fn the_depth_counts_what_waits(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let route = route("a", Priority::High)?;
    ensure!(broker.depth(&route).await? == 0, "there is no queue yet");
    ensure!(broker.depth(&route).await? == 0, "nor after the question");
    publish(&*broker, (0..3).map(|n| slip(&route, n)).collect()).await?;
    depth_becomes(&*broker, &route, 3).await?;
    let first = fetched(&*broker, &route).await?;
    depth_becomes(&*broker, &route, 2).await?;
    drop(first);
    depth_becomes(&*broker, &route, 3).await?;
    fetched(&*broker, &route).await?.acknowledge().await?;
    depth_becomes(&*broker, &route, 2).await
}

/// More at once than any backend sends in one go.
pub async fn a_large_batch_is_confirmed_whole(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let route = route("a", Priority::Low)?;
    let slips = (0..3000).map(|n| slip(&route, n)).collect();
    publish(&*broker, slips).await?;
    depth_becomes(&*broker, &route, 3000).await
}

/// The epoch starts above nothing and is there for those who know another.
pub async fn the_epoch_is_told(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let health = broker.health();
    ensure!(health.connected && !health.blocked && health.epoch > 0);
    ensure!(health.last_error.is_none());
    let told = within("the epoch", broker.epoch_after(0)).await?;
    ensure!(told == health.epoch);
    Ok(())
}

/// After the good-bye everything is an answer, nothing hangs.
pub async fn a_closed_broker_refuses_politely(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let route = route("a", Priority::High)?;
    within("the good-bye", broker.close()).await?;
    within("another good-bye", broker.close()).await?;
    let health = broker.health();
    ensure!(!health.connected && health.last_error.is_some());
    let published = within("the answer", broker.publish(vec![slip(&route, 1)])).await?;
    ensure!(matches!(published[..], [Published::Returned(_)]));
    ensure!(matches!(
        broker.fetch(&route).await,
        Err(Error::Unavailable(_))
    ));
    ensure!(broker.depth(&route).await.is_err() && broker.ring(&[route]).await.is_err());
    Ok(())
}
