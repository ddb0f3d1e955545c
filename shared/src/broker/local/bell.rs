//! Bells in memory: who listens, what rings, who holds it.
//!
//! A model of what RabbitMQ does with a queue of length one and consumers of
//! prefetch one: a rung bell goes to the listener of the route that has waited
//! longest and holds none of that route; a bell given back goes to the next.
//!
//! Invariant: after every change, a bell rings unheard only while no listener
//! could take it. Never waits while it holds the lock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::{
    broker::{Bell, Listener, Receipt, Result},
    model::Route,
};

/// Names a listener among the listeners of one process.
type Seat = u64;

/// All bells of one process.
#[derive(Debug, Default)]
pub(super) struct Bells(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    routes: HashMap<Route, Queue>,
    seats: HashMap<Seat, Ears>,
    /// The last number given to a seat or a held bell.
    counter: u64,
}

/// The bell of one route.
#[derive(Debug, Default)]
struct Queue {
    rings: bool,
    /// The next to hear it first.
    listeners: VecDeque<Seat>,
}

/// What one listener has.
#[derive(Debug)]
struct Ears {
    /// Delivered and not yet taken by `next`; taken in the order of routes.
    inbox: BTreeSet<Route>,
    /// Taken, under the number of the [`Held`] that answers for it.
    in_hand: BTreeMap<Route, u64>,
    wake: Arc<Notify>,
}

impl Bells {
    /// Rings. A bell that rings already stays one bell.
    pub(super) fn ring(&self, routes: &[Route]) {
        let mut state = self.lock();
        for route in routes {
            state.ring(route);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ring(&mut self, route: &Route) {
        self.routes.entry(route.clone()).or_default().rings = true;
        self.deliver(route);
    }

    /// Gives a ringing bell to the first listener that holds none of its route.
    fn deliver(&mut self, route: &Route) {
        let Some(queue) = self.routes.get_mut(route).filter(|queue| queue.rings) else {
            return;
        };
        let free = |seat: &Seat| {
            self.seats.get(seat).is_some_and(|ears| {
                !ears.inbox.contains(route) && !ears.in_hand.contains_key(route)
            })
        };
        let Some(place) = queue.listeners.iter().position(free) else {
            return;
        };
        let Some(seat) = queue.listeners.remove(place) else {
            return;
        };
        queue.listeners.push_back(seat);
        queue.rings = false;
        if let Some(ears) = self.seats.get_mut(&seat) {
            ears.inbox.insert(route.clone());
            ears.wake.notify_one();
        }
    }

    fn attach(&mut self, seat: Seat, route: &Route) {
        let queue = self.routes.entry(route.clone()).or_default();
        queue.listeners.push_back(seat);
        self.deliver(route);
    }

    fn detach(&mut self, seat: Seat, route: &Route) {
        if let Some(queue) = self.routes.get_mut(route) {
            queue.listeners.retain(|other| *other != seat);
        }
        let Some(ears) = self.seats.get_mut(&seat) else {
            return;
        };
        let waiting = ears.inbox.remove(route);
        let held = ears.in_hand.remove(route).is_some();
        if waiting || held {
            self.ring(route);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Ends what `held` answers for; `false` if it was handed back before.
    fn settle(&mut self, held: &Held) -> bool {
        let Some(ears) = self.seats.get_mut(&held.seat) else {
            return false;
        };
        let mine = ears.in_hand.get(&held.route) == Some(&held.number);
        if mine {
            ears.in_hand.remove(&held.route);
        }
        mine
    }
}

/// One listener. Dropping it hands back what it has.
#[derive(Debug)]
pub(super) struct BellListener {
    bells: Arc<Bells>,
    seat: Seat,
    routes: BTreeSet<Route>,
    wake: Arc<Notify>,
}

impl BellListener {
    /// A listener that hears nothing yet.
    pub(super) fn new(bells: &Arc<Bells>) -> Self {
        let wake = Arc::new(Notify::new());
        let mut state = bells.lock();
        let seat = state.next_number();
        let ears = Ears {
            inbox: BTreeSet::new(),
            in_hand: BTreeMap::new(),
            wake: wake.clone(),
        };
        state.seats.insert(seat, ears);
        drop(state);
        Self {
            bells: bells.clone(),
            seat,
            routes: BTreeSet::new(),
            wake,
        }
    }

    fn take(&self) -> Option<Bell> {
        let mut state = self.bells.lock();
        let number = state.next_number();
        let ears = state.seats.get_mut(&self.seat)?;
        let route = ears.inbox.pop_first()?;
        ears.in_hand.insert(route.clone(), number);
        let held = Held {
            bells: self.bells.clone(),
            seat: self.seat,
            route: route.clone(),
            number,
            settled: false,
        };
        Some(Bell::new(route, Box::new(held)))
    }
}

#[async_trait]
impl Listener for BellListener {
    async fn tune(&mut self, routes: &[Route]) -> Result<()> {
        let wanted: BTreeSet<Route> = routes.iter().cloned().collect();
        let mut state = self.bells.lock();
        for route in self.routes.difference(&wanted) {
            state.detach(self.seat, route);
        }
        for route in wanted.difference(&self.routes) {
            state.attach(self.seat, route);
        }
        drop(state);
        self.routes = wanted;
        Ok(())
    }

    async fn next(&mut self) -> Option<Bell> {
        loop {
            if let Some(bell) = self.take() {
                return Some(bell);
            }
            self.wake.notified().await;
        }
    }
}

impl Drop for BellListener {
    fn drop(&mut self) {
        let mut state = self.bells.lock();
        for route in &self.routes {
            state.detach(self.seat, route);
        }
        state.seats.remove(&self.seat);
    }
}

/// A bell in hand.
#[derive(Debug)]
struct Held {
    bells: Arc<Bells>,
    seat: Seat,
    route: Route,
    number: u64,
    settled: bool,
}

#[async_trait]
impl Receipt for Held {
    async fn acknowledge(mut self: Box<Self>) -> Result<()> {
        self.settled = true;
        let mut state = self.bells.lock();
        state.settle(&self);
        // Another one may have rung meanwhile.
        state.deliver(&self.route);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut state = self.bells.lock();
        if state.settle(self) {
            state.ring(&self.route);
        }
    }
}
