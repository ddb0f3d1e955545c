//! A gate that asks the governor: modes `shadow` and `enforce`.
//!
//! One short lock guards the governor; every event goes through it, in order,
//! and into the decision log, if there is one. In `shadow` a fixed gate
//! decides, and the governor only says what it would have decided.
//!
//! Invariant: a permit is booked with the governor from its grant to its drop.
//! From the moment a sample has shut the gate no question is granted.
//!
//! Deliberately absent: sampling (see `monitor`) and delivery of alerts.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use metrics::counter;
use resources::{
    estimate::Learned,
    feature::Change,
    governor::{self, Governor, Setup, Tick, Ticked},
    record::{Answer, Event, settled},
    report::Report,
};
use shared::{
    model::{Priority, Route, TypeName},
    store::query::Slots,
};

use super::{
    Admission, Book, FixedGate, Gate, Misfit, Permit, Shortage, Size, Spent, log::DecisionLog,
};
use crate::{edges::Edges, orders::Standing};

/// The booking of a task that the governor would not have admitted.
const UNBOOKED: u64 = u64::MAX;

/// A gate that asks the governor. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ResourceGate {
    state: Arc<State>,
}

struct State {
    /// In `shadow`: what decides instead.
    instead: Option<FixedGate>,
    kinds: HashMap<TypeName, u16>,
    most: u32,
    began: Instant,
    inner: Mutex<Inner>,
    edges: Edges,
}

struct Inner {
    governor: Governor,
    log: Option<DecisionLog>,
    /// Which questions were last answered with yes, by [`place`].
    open: Vec<bool>,
}

impl Inner {
    /// Every event passes here.
    fn on(&mut self, event: Event) -> Answer {
        let Some(log) = &mut self.log else {
            return self.governor.on(&event);
        };
        // A recorded event is decided on as it can be read back.
        let event = match event {
            Event::Tick(_) | Event::Adopt(_) | Event::RestoreLearned(_) => settled(event),
            plain => plain,
        };
        let answer = self.governor.on(&event);
        log.write(&event, &answer);
        answer
    }
}

fn place(kind: u16, priority: Priority) -> usize {
    usize::from(kind) * Priority::ALL.len() + usize::from(priority.rank())
}

impl ResourceGate {
    /// A gate with these types and this profile.
    pub(crate) fn new(
        setup: Setup,
        enforces: bool,
        log: Option<DecisionLog>,
    ) -> Result<Self, super::Error> {
        let setup = if log.is_some() { settled(setup) } else { setup };
        let names = setup.kinds.iter().zip(0..);
        let kinds = names.filter_map(|(kind, place)| Some((kind.name.parse().ok()?, place)));
        let places = setup.kinds.len() * Priority::ALL.len();
        Ok(Self {
            state: Arc::new(State {
                instead: (!enforces).then(|| FixedGate::new(setup.concurrency)),
                kinds: kinds.collect(),
                most: governor::most(setup.concurrency),
                began: Instant::now(),
                edges: Edges::default(),
                inner: Mutex::new(Inner {
                    governor: Governor::new(setup)?,
                    log,
                    open: vec![true; places],
                }),
            }),
        })
    }

    /// The time by which the governor goes.
    pub(crate) fn now(&self) -> Duration {
        self.state.began.elapsed()
    }

    /// Tells the governor of a look at the world.
    pub(crate) fn tick(&self, tick: Tick) -> Option<Box<Ticked>> {
        let mut inner = self.state.lock();
        let answer = inner.on(Event::Tick(Box::new(tick)));
        self.state.compare(&mut inner);
        match answer {
            Answer::Ticked(ticked) => Some(ticked),
            _ => None,
        }
    }

    /// When an answer may change by the mere passing of time.
    pub(crate) fn changes_at(&self) -> Option<Duration> {
        let at = self.now();
        self.state.lock().governor.changes_at(at)
    }

    /// Time has passed: some answers may be others now.
    pub(crate) fn look_again(&self) {
        let mut inner = self.state.lock();
        self.state.compare(&mut inner);
    }

    /// Follows operators' orders. Says which features changed.
    pub(crate) fn order(&self, standing: &Standing) -> Vec<Change> {
        let mut inner = self.state.lock();
        let answer = inner.on(Event::Order {
            at: self.now(),
            overrides: standing.overrides.clone(),
            profile: standing.profile,
        });
        self.state.compare(&mut inner);
        match answer {
            Answer::Ordered(changes) => changes,
            _ => Vec::new(),
        }
    }

    /// The fleet was paused and is released.
    pub(crate) fn reopen(&self, workers: u32) {
        let mut inner = self.state.lock();
        drop(inner.on(Event::Reopen {
            at: self.now(),
            workers,
        }));
        self.state.compare(&mut inner);
    }

    /// What was learned since the last question, to be kept.
    pub(crate) fn take_learned(&self) -> Learned {
        let mut inner = self.state.lock();
        let learned = inner.governor.take_learned();
        if let Some(log) = &mut inner.log {
            log.write(&Event::TakeLearned, &Answer::Noted);
        }
        learned
    }

    /// It could not be kept.
    pub(crate) fn restore_learned(&self, learned: Learned) {
        drop(self.state.lock().on(Event::RestoreLearned(learned)));
    }

    /// What the fleet has learned.
    pub(crate) fn adopt(&self, learned: Learned) {
        let mut inner = self.state.lock();
        drop(inner.on(Event::Adopt(learned)));
        self.state.compare(&mut inner);
    }

    /// A usage pattern that was kept from before.
    pub(crate) fn recall_pattern(&self, text: String) {
        drop(self.state.lock().on(Event::RecallPattern(text)));
    }

    /// The usage pattern, to be kept.
    pub(crate) fn pattern(&self) -> String {
        self.state.lock().governor.pattern().to_text()
    }

    /// Looks at the governor.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Governor, Duration) -> T) -> T {
        look(&self.state.lock().governor, self.now())
    }

    /// The report for a heartbeat.
    pub(crate) fn report(&self) -> Report {
        let mode = if self.state.instead.is_some() {
            "shadow"
        } else {
            "enforce"
        };
        Report {
            gate: mode.to_owned(),
            ..self.look(Governor::report)
        }
    }

    /// Whether the expensive optional parts of handlers run for a task that
    /// starts now.
    pub(crate) fn advanced(&self, priority: Priority) -> bool {
        self.state.instead.is_some() || self.look(|governor, _| governor.advanced(priority))
    }

    /// Writes out what the decision log still holds.
    pub(crate) fn flush(&self) {
        if let Some(log) = &mut self.state.lock().log {
            log.flush();
        }
    }
}

impl State {
    /// A panic while the lock was held left counts that may be a little off;
    /// going on is better than a worker that never runs again.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kind(&self, route: &Route) -> u16 {
        // The registry's types are the setup's.
        self.kinds
            .get(&route.workflow_type)
            .copied()
            .unwrap_or(u16::MAX)
    }

    /// Looks at every question again, and wakes those who wait if an answer is
    /// another.
    fn compare(&self, inner: &mut Inner) {
        let at = self.began.elapsed();
        let mut changed = false;
        for &kind in self.kinds.values() {
            for priority in Priority::ALL {
                let open = inner.governor.shortage(at, kind, priority).is_none();
                changed |= std::mem::replace(&mut inner.open[place(kind, priority)], open) != open;
            }
        }
        if changed {
            self.edges.pass();
        }
    }

    /// The answer to a question is another than the one before.
    fn note(&self, inner: &mut Inner, place: usize, open: bool) {
        let changed = inner
            .open
            .get_mut(place)
            .is_some_and(|was| std::mem::replace(was, open) != open);
        if changed {
            self.edges.pass();
        }
    }

    fn ask(&self, route: &Route) -> Result<u64, Shortage> {
        let (kind, priority) = (self.kind(route), route.priority);
        let mut inner = self.lock();
        let at = self.began.elapsed();
        let answer = inner.on(Event::Ask { at, kind, priority });
        let place = place(kind, priority);
        match answer {
            Answer::Granted(booking) => {
                self.note(&mut inner, place, true);
                Ok(booking)
            }
            Answer::Blocked(shortage) => {
                self.note(&mut inner, place, false);
                Err(shortage.into())
            }
            _ => Ok(UNBOOKED),
        }
    }
}

#[async_trait]
impl Gate for ResourceGate {
    fn admit(&self, route: &Route) -> Admission {
        let state = &self.state;
        let book = Arc::clone(state) as Arc<dyn Book>;
        let Some(instead) = &state.instead else {
            return match state.ask(route) {
                Ok(booking) => Admission::Granted(Permit::new(booking, book)),
                Err(shortage) => Admission::Blocked(shortage),
            };
        };
        match instead.admit(route) {
            Admission::Granted(permit) => {
                let booking = state.ask(route).unwrap_or_else(|shortage| {
                    let resource = shortage.resource;
                    counter!("zerogate_gate_shadow_denied_total", "resource" => resource)
                        .increment(1);
                    UNBOOKED
                });
                Admission::Granted(Permit::over(permit, booking, book))
            }
            blocked @ Admission::Blocked(_) => blocked,
        }
    }

    fn would_admit(&self, route: &Route) -> bool {
        let state = &self.state;
        if let Some(instead) = &state.instead {
            return instead.would_admit(route);
        }
        let (kind, at) = (state.kind(route), self.now());
        let inner = state.lock();
        inner.governor.shortage(at, kind, route.priority).is_none()
    }

    fn most(&self) -> u32 {
        match &self.state.instead {
            Some(instead) => instead.most(),
            None => self.state.most,
        }
    }

    fn slots(&self) -> Slots {
        if let Some(instead) = &self.state.instead {
            return instead.slots();
        }
        let (used, limit, cap) = self.look(|governor, _| governor.slots());
        Slots { used, limit, cap }
    }

    fn version(&self) -> u64 {
        let instead = self.state.instead.as_ref().map_or(0, Gate::version);
        self.state.edges.count() + instead
    }

    async fn version_after(&self, seen: u64) -> u64 {
        let own = |count| count + self.state.instead.as_ref().map_or(0, Gate::version);
        loop {
            let version = self.version();
            if version != seen {
                return version;
            }
            let edges = self.state.edges.count();
            match &self.state.instead {
                None => return own(self.state.edges.after(edges).await),
                Some(instead) => {
                    let seen_there = instead.version();
                    tokio::select! {
                        _ = self.state.edges.after(edges) => {}
                        _ = instead.version_after(seen_there) => {}
                    }
                }
            }
        }
    }
}

impl Book for State {
    fn resize(&self, booking: u64, size: Size) -> Result<(), Misfit> {
        if booking == UNBOOKED {
            return Ok(());
        }
        let mut inner = self.lock();
        let at = self.began.elapsed();
        let answer = inner.on(Event::Resize {
            at,
            booking,
            bucket: size.bucket,
        });
        match answer {
            Answer::Misfit(shortage, bytes) if self.instead.is_none() => Err(Misfit {
                shortage: shortage.into(),
                bytes,
            }),
            _ => Ok(()),
        }
    }

    fn returned(&self, booking: u64, spent: Option<Spent>) {
        if booking == UNBOOKED {
            return;
        }
        let mut inner = self.lock();
        let spent = spent.map(|spent| governor::Spent {
            runs: spent.runs,
            peak: spent.peak_bytes,
            cpu: spent.cpu,
            wall: spent.wall,
            starved: spent.out_of_memory,
        });
        drop(inner.on(Event::GiveBack { booking, spent }));
        // Whoever was refused asks again; the answer tells whether it changed.
        let mut closed = false;
        for open in &mut inner.open {
            closed |= !std::mem::replace(open, true);
        }
        drop(inner);
        if closed {
            self.edges.pass();
        }
    }

    fn abandoned(&self, booking: u64) -> bool {
        if booking == UNBOOKED {
            return false;
        }
        drop(self.lock().on(Event::Abandon { booking }));
        self.edges.pass();
        true
    }
}

impl fmt::Debug for ResourceGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceGate")
            .field("most", &self.state.most)
            .field("enforces", &self.state.instead.is_none())
            .finish_non_exhaustive()
    }
}
