//! The coordinator's picture of the fleet: workers, types, mode, orders.
//!
//! Invariant: a picture, never the truth; it is at most a few seconds old
//! while the store answers, and no decision that must be right is taken on it.

mod member;
mod obstacle;

use std::{sync::Arc, time::Duration};

use shared::{
    model::{Route, TypeName, waiting::Staff},
    store::{
        self, Store,
        query::{Readiness, TypeInfo},
        verbs::{FeatureOrder, Mode, ModeState, Orders},
    },
};
use tokio::sync::{Mutex, Notify, watch};
use tracing::warn;

use crate::{app::App, catalogue::Catalogue, options::Options};

pub(crate) use member::{Member, Ruling};
pub(crate) use obstacle::Obstacle;

/// How old the picture may become without news. Four small reads each time.
const REFRESH: Duration = Duration::from_secs(2);
/// How often at most an unknown type makes the store be asked again: strangers
/// decide how often that happens.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The fleet at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) workers: Vec<Member>,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) mode: ModeState,
    pub(crate) orders: Arc<Orders>,
    lease_ms: u64,
}

/// What live workers offer to one type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Slots that they would fill now.
    pub(crate) slots: u32,
    /// Of these, not occupied.
    pub(crate) free: u32,
}

impl Fleet {
    /// How a worker shows: lost if it has been silent for longer than a lease,
    /// draining if that was ordered, else what it said.
    pub(crate) fn readiness(&self, member: &Member) -> Readiness {
        let orders = self.orders.workers.get(member.id());
        if member.seen.silent_ms > self.lease_ms {
            Readiness::Lost
        } else if orders.is_some_and(|orders| orders.drain.is_some()) {
            Readiness::Draining
        } else {
            member.seen.state.readiness
        }
    }

    /// The worker with this id.
    pub(crate) fn find(&self, id: &str) -> Option<&Member> {
        self.workers.iter().find(|it| it.id().as_str() == id)
    }

    /// The workers that are not lost.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Member> {
        let lives = |member: &&Member| self.readiness(member) != Readiness::Lost;
        self.workers.iter().filter(lives)
    }

    /// The workers that take work.
    pub(crate) fn working(&self) -> impl Iterator<Item = &Member> {
        self.workers
            .iter()
            .filter(|member| matches!(self.readiness(member), Readiness::Ready | Readiness::Gated))
    }

    /// The workers that take work and serve a type.
    pub(crate) fn serving<'a>(
        &'a self,
        workflow_type: &'a TypeName,
    ) -> impl Iterator<Item = &'a Member> {
        let serves = move |member: &&Member| member.seen.state.types.contains(workflow_type);
        self.working().filter(serves)
    }

    /// What the workers would do with a task of this route that is known to
    /// need so many bytes.
    pub(crate) fn staff(&self, route: &Route, needs: Option<u64>) -> Staff {
        let mut serving = self.serving(&route.workflow_type);
        if self.off_everywhere(route).is_some() {
            Staff::SwitchedOff
        } else if self.is_too_small(&route.workflow_type, needs) {
            Staff::TooSmall
        } else if serving.any(|member| self.obstacle(member, route, needs).is_none()) {
            Staff::Ready
        } else {
            Staff::Busy
        }
    }

    /// The ruling that keeps a route waiting, if every worker that serves its
    /// type has it switched off for its priority, or nobody serves it and an
    /// order would switch it off.
    pub(crate) fn off_everywhere(&self, route: &Route) -> Option<Ruling> {
        let name = route.workflow_type.as_str();
        let mut serving = self.serving(&route.workflow_type).peekable();
        if serving.peek().is_none() {
            let category = self.catalogue.find(name)?.category;
            let ruling = self.ruling_of_nobody(name, category);
            return Some(ruling).filter(|ruling| ruling.binds(route.priority));
        }
        let off = serving.map(|member| self.off(member, route));
        let off: Option<Vec<Ruling>> = off.collect();
        off?.into_iter().min_by_key(Ruling::strength)
    }

    /// Whether no worker that serves a type has room for so many bytes.
    fn is_too_small(&self, workflow_type: &TypeName, needs: Option<u64>) -> bool {
        let room = self.room(workflow_type);
        needs.zip(room).is_some_and(|(needs, room)| needs > room)
    }

    /// The largest task of a type that a worker announces room for, in bytes;
    /// `None` if one of them does not say, or there is none.
    pub(crate) fn room(&self, workflow_type: &TypeName) -> Option<u64> {
        let rooms = self.serving(workflow_type).map(Member::room);
        rooms.collect::<Option<Vec<u64>>>()?.into_iter().max()
    }

    /// What an operator ordered about a feature.
    pub(crate) fn order(&self, feature: &str) -> Option<&FeatureOrder> {
        let mut orders = self.orders.features.iter();
        orders.find(|order| order.feature == feature)
    }

    /// What they offer together.
    pub(crate) fn offer(&self, workflow_type: &TypeName) -> Offer {
        self.serving(workflow_type)
            .fold(Offer::default(), |sum, member| {
                let slots = member.seen.state.slots;
                Offer {
                    slots: sum.slots.saturating_add(slots.limit),
                    free: sum
                        .free
                        .saturating_add(slots.limit.saturating_sub(slots.used)),
                }
            })
    }

    /// Whether nothing new may start.
    pub(crate) fn is_held(&self) -> bool {
        !self.mode.mode.starts_work()
    }

    /// Whether submissions are refused.
    pub(crate) fn is_stopped(&self) -> bool {
        self.mode.mode == Mode::Stopped
    }
}

/// The owner of the picture.
#[derive(Debug)]
pub(crate) struct FleetView {
    picture: watch::Sender<Arc<Fleet>>,
    news: Notify,
    asked: Mutex<Option<tokio::time::Instant>>,
    built_in: Vec<TypeInfo>,
    diagnostics: bool,
    lease: Duration,
}

impl FleetView {
    pub(crate) fn new(options: &Options) -> Self {
        let catalogue =
            Catalogue::default().with(&options.built_in, Vec::new(), options.diagnostics);
        let fleet = Fleet {
            catalogue: Arc::new(catalogue),
            lease_ms: millis(options.lease),
            ..Fleet::default()
        };
        Self {
            picture: watch::Sender::new(Arc::new(fleet)),
            news: Notify::new(),
            asked: Mutex::new(None),
            built_in: options.built_in.clone(),
            diagnostics: options.diagnostics,
            lease: options.lease,
        }
    }

    /// The present picture.
    pub(crate) fn now(&self) -> Arc<Fleet> {
        Arc::clone(&self.picture.borrow())
    }

    /// Says that the picture is old.
    pub(crate) fn outdated(&self) {
        self.news.notify_one();
    }

    /// Paints the mode that was just set, without asking.
    pub(crate) fn mode_is(&self, mode: ModeState) {
        self.repaint(|fleet| Fleet { mode, ..fleet });
    }

    /// Paints the orders that stand after one was given, without asking.
    pub(crate) fn orders_are(&self, orders: Orders) {
        let orders = Arc::new(orders);
        self.repaint(|fleet| Fleet { orders, ..fleet });
    }

    fn repaint(&self, change: impl FnOnce(Fleet) -> Fleet) {
        self.picture
            .send_modify(|fleet| *fleet = Arc::new(change(Fleet::clone(fleet))));
    }

    /// Paints the whole picture anew.
    pub(crate) async fn refresh(&self, store: &dyn Store) -> store::Result<()> {
        let (workers, types, mode, orders) =
            tokio::try_join!(store.workers(), store.types(), store.mode(), store.orders())?;
        let catalogue = self
            .now()
            .catalogue
            .with(&self.built_in, types, self.diagnostics);
        self.picture.send_replace(Arc::new(Fleet {
            workers: workers.into_iter().map(Member::of).collect(),
            catalogue: Arc::new(catalogue),
            mode,
            orders: Arc::new(orders),
            lease_ms: millis(self.lease),
        }));
        Ok(())
    }

    /// The catalogue, after a look into the store because a submission names a
    /// type that is not in it.
    pub(crate) async fn look_again(&self, store: &dyn Store) -> store::Result<Arc<Catalogue>> {
        let mut asked = self.asked.lock().await;
        let due = asked.is_none_or(|at| at.elapsed() >= ASK_AGAIN);
        if due {
            self.refresh(store).await?;
            *asked = Some(tokio::time::Instant::now());
        }
        Ok(Arc::clone(&self.now().catalogue))
    }

    /// Keeps the picture fresh, for ever.
    pub(crate) async fn keep(&self, app: &App) {
        let mut away = false;
        loop {
            let news = self.news.notified();
            tokio::select! {
                () = news => {}
                () = tokio::time::sleep(crate::upkeep::jittered(REFRESH)) => {}
            }
            match self.refresh(&*app.store).await {
                Ok(()) => away = false,
                Err(error) => {
                    if !away {
                        warn!(%error, "the picture of the fleet grows old");
                    }
                    away = true;
                    app.vitals.store_answered(false);
                }
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
