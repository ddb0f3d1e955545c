//! Bells: rung, heard, rung on, ended, handed back.

use std::future::Future;
use std::task::Poll;

use anyhow::{Result, ensure};
use shared::broker::Listener;
use shared::model::{Priority, Route};

use super::{Fixture, heard, heard_by_either, route, silent};

async fn listener(fixture: &Fixture, routes: &[Route]) -> Result<Box<dyn Listener>> {
    let mut listener = fixture.client().await?.listen().await?;
    listener.tune(routes).await?;
    Ok(listener)
}

/// One of two hears it, the other does not.
pub async fn a_bell_rung_once_is_heard_once(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?];
    let mut one = listener(fixture, &routes).await?;
    let mut two = listener(fixture, &routes).await?;
    broker.ring(&routes).await?;
    let (bell, by_first) = heard_by_either(&mut *one, &mut *two).await?;
    ensure!(bell.route == routes[0]);
    silent(if by_first { &mut *two } else { &mut *one }).await?;
    bell.done().await?;
    silent(&mut *one).await?;
    silent(&mut *two).await
}

/// The next worker comes.
pub async fn a_bell_rung_on_reaches_the_other_listener(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?];
    let mut one = listener(fixture, &routes).await?;
    let mut two = listener(fixture, &routes).await?;
    broker.ring(&routes).await?;
    let (bell, by_first) = heard_by_either(&mut *one, &mut *two).await?;
    bell.ring_on();
    let other = if by_first { &mut two } else { &mut one };
    let bell = heard(&mut **other).await?;
    ensure!(bell.route == routes[0]);
    bell.done().await.map_err(Into::into)
}

/// The queue was found empty: silence, until somebody rings again.
pub async fn a_bell_that_is_done_is_over(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?];
    let mut listener = listener(fixture, &routes).await?;
    for _ in 0..3 {
        broker.ring(&routes).await?;
        heard(&mut *listener).await?.done().await?;
        silent(&mut *listener).await?;
    }
    Ok(())
}

/// What is published after the look at the queue must not go unheard.
pub async fn a_bell_rung_while_it_is_in_hand_rings_again(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?];
    let mut listener = listener(fixture, &routes).await?;
    broker.ring(&routes).await?;
    let bell = heard(&mut *listener).await?;
    broker.ring(&routes).await?;
    silent(&mut *listener).await?;
    bell.done().await?;
    heard(&mut *listener).await?.done().await?;
    silent(&mut *listener).await
}

/// A hundred rings, one bell.
pub async fn rings_that_nobody_hears_stay_one(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?];
    for _ in 0..100 {
        broker.ring(&routes).await?;
    }
    let mut listener = listener(fixture, &routes).await?;
    heard(&mut *listener).await?.done().await?;
    silent(&mut *listener).await
}

/// A bell waits for its listener.
pub async fn a_bell_rung_before_is_heard(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?, route("b", Priority::Low)?];
    broker.ring(&routes).await?;
    let mut listener = listener(fixture, &routes).await?;
    let first = heard(&mut *listener).await?;
    let second = heard(&mut *listener).await?;
    let mut rung = [first.route.clone(), second.route.clone()];
    rung.sort();
    ensure!(rung == routes, "heard {rung:?}");
    first.done().await?;
    second.done().await?;
    Ok(())
}

/// Routes come and go; a bell of a route that went stays for others.
pub async fn only_the_tuned_routes_are_heard(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let (a, b) = (route("a", Priority::High)?, route("b", Priority::High)?);
    let mut listener = listener(fixture, &[a.clone(), b.clone()]).await?;
    listener.tune(std::slice::from_ref(&a)).await?;
    broker.ring(std::slice::from_ref(&b)).await?;
    silent(&mut *listener).await?;
    broker.ring(std::slice::from_ref(&a)).await?;
    let bell = heard(&mut *listener).await?;
    ensure!(bell.route == a);
    bell.done().await?;
    listener.tune(&[]).await?;
    broker.ring(std::slice::from_ref(&a)).await?;
    silent(&mut *listener).await?;
    listener.tune(std::slice::from_ref(&b)).await?;
    let bell = heard(&mut *listener).await?;
    ensure!(bell.route == b, "the bell of b had waited");
    bell.done().await?;
    Ok(())
}

/// A worker that may no longer take a route's work keeps no bell of it, taken or not yet taken.
pub async fn tuning_away_hands_the_bell_back(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let (a, b) = (route("a", Priority::High)?, route("b", Priority::High)?);
    let both = [a.clone(), b.clone()];
    let mut leaving = listener(fixture, &both).await?;
    broker.ring(&both).await?;
    let in_hand = heard(&mut *leaving).await?;
    leaving.tune(&[]).await?;
    let mut staying = listener(fixture, &both).await?;
    let first = heard(&mut *staying).await?;
    let second = heard(&mut *staying).await?;
    ensure!(first.route != second.route);
    // Its end comes too late to mean anything, whichever it is.
    in_hand.done().await?;
    first.done().await?;
    second.done().await?;
    silent(&mut *staying).await
}

/// Dropping the listener and then its bell: heard by another, once.
pub async fn a_listener_that_goes_hands_its_bell_back(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?];
    let mut leaving = listener(fixture, &routes).await?;
    broker.ring(&routes).await?;
    let in_hand = heard(&mut *leaving).await?;
    drop(leaving);
    drop(in_hand);
    let mut staying = listener(fixture, &routes).await?;
    heard(&mut *staying).await?.done().await?;
    silent(&mut *staying).await
}

/// A caller may stop waiting for a bell at any moment.
pub async fn a_wait_that_is_given_up_loses_no_bell(fixture: &Fixture) -> Result<()> {
    let broker = fixture.client().await?;
    let routes = [route("a", Priority::High)?];
    let mut listener = listener(fixture, &routes).await?;
    for _ in 0..20 {
        let mut next = std::pin::pin!(listener.next());
        std::future::poll_fn(|context| {
            let early = next.as_mut().poll(context).is_ready();
            Poll::Ready(ensure_not(early))
        })
        .await?;
    }
    broker.ring(&routes).await?;
    heard(&mut *listener).await?.done().await?;
    silent(&mut *listener).await
}

fn ensure_not(early: bool) -> Result<()> {
    ensure!(!early, "nothing rang");
    Ok(())
}
