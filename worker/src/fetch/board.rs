//! Where work is believed to be.
//!
//! Hints, bells and walks put marks on routes; an empty fetch takes a mark off,
//! unless the mark was renewed while the fetch was under way.
//!
//! Invariant: a mark may be wrong, at the price of one empty fetch. News that
//! came after a fetch began is never lost to that fetch.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use shared::model::Route;
use tokio::sync::Notify;

use super::turns::{Turn, Turns, places};
use crate::edges::Edges;

/// What a worker believes about its routes.
#[derive(Debug)]
pub(crate) struct Board {
    routes: Vec<Route>,
    place_of: HashMap<Route, usize>,
    types: usize,
    places: Vec<Place>,
    starts: [AtomicUsize; 4],
    stamps: AtomicU64,
    turns: Turns,
    /// Wakes one flow that has nothing to do.
    work: Notify,
    /// Routes were found empty: news for whoever holds a bell.
    pub(crate) emptied: Edges,
    finds: AtomicU64,
    /// Some flow found nothing where there was work before.
    pub(crate) quiet: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Place {
    /// The stamp of the latest news, 0 if none since the last empty fetch.
    mark: AtomicU64,
    emptied: AtomicU64,
}

/// News of a route, as it stood when a fetch began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) place: usize,
    stamp: u64,
}

impl Board {
    /// A board for these routes: sorted, and every type at every priority.
    pub(crate) fn new(routes: Vec<Route>, low_first_every: u32) -> Self {
        let places = routes.iter().map(|_| Place::default()).collect();
        Self {
            place_of: routes.iter().cloned().zip(0..).collect(),
            types: routes.len() / 4,
            routes,
            places,
            starts: Default::default(),
            stamps: AtomicU64::new(0),
            turns: Turns::new(low_first_every),
            work: Notify::new(),
            emptied: Edges::default(),
            finds: AtomicU64::new(0),
            quiet: Arc::default(),
        }
    }

    pub(crate) fn routes(&self) -> &[Route] {
        &self.routes
    }

    pub(crate) fn route(&self, mark: Mark) -> &Route {
        &self.routes[mark.place]
    }

    /// There may be work on these routes; foreign ones are passed over.
    pub(crate) fn hint(&self, routes: &[Route]) {
        let mut own = false;
        for route in routes {
            if let Some(&place) = self.place_of.get(route) {
                self.mark(place);
                own = true;
            }
        }
        if own {
            self.wake_one();
        }
    }

    /// There may be work anywhere.
    pub(crate) fn mark_all(&self) {
        (0..self.places.len()).for_each(|place| self.mark(place));
        self.wake_one();
    }

    /// Wakes one flow that waits for work.
    pub(crate) fn wake_one(&self) {
        self.work.notify_one();
    }

    /// Waits until there may be work.
    pub(crate) async fn work(&self) {
        self.work.notified().await;
    }

    pub(crate) fn begin(&self) -> Turn {
        self.turns.begin()
    }

    pub(crate) fn fruitless(&self, turn: &Turn) {
        self.turns.fruitless(turn);
        self.quiet.notify_one();
    }

    /// The first marked place in the turn's order that is not to be passed
    /// over.
    pub(crate) fn next(&self, turn: &Turn, pass_over: &[usize]) -> Option<Mark> {
        let starts = [0, 1, 2, 3].map(|level| self.starts[level].load(Ordering::Relaxed));
        places(self.types, starts, turn.low_first)
            .map(|place| Mark {
                place,
                stamp: self.places[place].mark.load(Ordering::Acquire),
            })
            .find(|mark| mark.stamp != 0 && !pass_over.contains(&mark.place))
    }

    /// A slip was found there: the next of its priority begins with another
    /// type, and another flow may find more.
    pub(crate) fn found(&self, mark: Mark) {
        let level = mark.place / self.types;
        self.starts[level].store(mark.place % self.types + 1, Ordering::Relaxed);
        self.finds.fetch_add(1, Ordering::Relaxed);
        self.wake_one();
    }

    /// Nothing was found there, by a fetch that began at the mark.
    pub(crate) fn empty(&self, mark: Mark) {
        let place = &self.places[mark.place];
        let unchanged =
            place
                .mark
                .compare_exchange(mark.stamp, 0, Ordering::AcqRel, Ordering::Acquire);
        if unchanged.is_ok() {
            place.emptied.fetch_add(1, Ordering::AcqRel);
            self.emptied.pass();
        }
    }

    /// How many slips were found so far.
    pub(crate) fn finds(&self) -> u64 {
        self.finds.load(Ordering::Relaxed)
    }

    /// How often the route was found empty; `None` if it is not ours.
    pub(crate) fn emptied(&self, route: &Route) -> Option<u64> {
        let place = *self.place_of.get(route)?;
        Some(self.places[place].emptied.load(Ordering::Acquire))
    }

    fn mark(&self, place: usize) {
        let stamp = self.stamps.fetch_add(1, Ordering::Relaxed) + 1;
        self.places[place].mark.store(stamp, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::model::Priority;

    fn route(name: &str, priority: Priority) -> Route {
        Route::new(name.parse().unwrap(), priority)
    }

    fn board() -> Board {
        let mut routes: Vec<_> = ["a", "b"]
            .iter()
            .flat_map(|name| Priority::ALL.map(|p| route(name, p)))
            .collect();
        routes.sort();
        Board::new(routes, 16)
    }

    #[test]
    fn only_marked_routes_are_asked_the_most_urgent_first() {
        let board = board();
        let turn = board.begin();
        assert!(board.next(&turn, &[]).is_none());
        board.hint(&[
            route("b", Priority::Low),
            route("a", Priority::High),
            route("foreign", Priority::Critical),
        ]);
        let first = board.next(&turn, &[]).unwrap();
        assert_eq!(board.route(first), &route("a", Priority::High));
        let second = board.next(&turn, &[first.place]).unwrap();
        assert_eq!(board.route(second), &route("b", Priority::Low));
    }

    #[test]
    fn types_of_one_priority_take_turns() {
        let board = board();
        board.hint(&[route("a", Priority::Low), route("b", Priority::Low)]);
        let served: Vec<_> = (0..4)
            .map(|_| {
                let mark = board.next(&board.begin(), &[]).unwrap();
                board.found(mark);
                board.route(mark).workflow_type.to_string()
            })
            .collect();
        assert_eq!(served, ["a", "b", "a", "b"]);
    }

    #[test]
    fn news_during_a_fetch_survive_its_emptiness() {
        let board = board();
        let low = route("a", Priority::Low);
        board.hint(std::slice::from_ref(&low));
        let turn = board.begin();
        let old = board.next(&turn, &[]).unwrap();
        board.hint(std::slice::from_ref(&low));
        board.empty(old);
        assert_eq!(board.emptied(&low), Some(0));
        let renewed = board.next(&turn, &[]).expect("the newer mark stands");
        board.empty(renewed);
        assert!(board.next(&turn, &[]).is_none());
        assert_eq!(board.emptied(&low), Some(1));
    }
}
