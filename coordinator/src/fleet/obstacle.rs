//! What keeps one worker from taking a task of a route now.
//!
//! Invariant: pure, and the first cause that holds: silence, draining, a
//! feature that is off, room that never suffices, what the worker's gate says
//! is short, its slots.

use serde::{Serialize, Serializer};
use shared::{
    model::{Priority, Route, Stamp},
    store::query::Readiness,
};

use super::{Fleet, Member, Ruling};

/// What is in the way: `value` against `limit`, in the resource's unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Obstacle {
    pub(crate) resource: String,
    #[serde(serialize_with = "figure")]
    pub(crate) value: f64,
    #[serde(serialize_with = "figure")]
    pub(crate) limit: f64,
    pub(crate) detail: String,
    /// The rule that switched a feature off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<String>,
    /// Until when that holds, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Stamp>,
}

impl Obstacle {
    fn new(resource: &str, value: f64, limit: f64, detail: impl Into<String>) -> Self {
        Self {
            resource: resource.to_owned(),
            value,
            limit,
            detail: detail.into(),
            rule: None,
            until: None,
        }
    }
}

impl Fleet {
    /// What keeps a worker from taking a task of this route, which is known to
    /// need so many bytes.
    pub(crate) fn obstacle(
        &self,
        member: &Member,
        route: &Route,
        needs: Option<u64>,
    ) -> Option<Obstacle> {
        self.absent(member)
            .or_else(|| self.off(member, route).map(|ruling| off(&ruling)))
            .or_else(|| too_large(member, needs?))
            .or_else(|| short(member, route))
            .or_else(|| full(member, route.priority))
            .or_else(|| self.gated(member))
    }

    /// The ruling that keeps tasks of a route from a worker, if its type is
    /// switched off there for that priority.
    pub(crate) fn off(&self, member: &Member, route: &Route) -> Option<Ruling> {
        let name = route.workflow_type.as_str();
        let kind = self.catalogue.find(name)?;
        let ruling = self.ruling(member, name, kind.category);
        // What a worker decides by itself counts if its gate keeps to it; a
        // worker says of every route that it would not admit what is short, so
        // where it says nothing an exception holds.
        let counts =
            !ruling.is_automatic() || (member.enforces() && shortage(member, route).is_some());
        Some(ruling).filter(|ruling| counts && ruling.binds(route.priority))
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds of an hour")]
    fn absent(&self, member: &Member) -> Option<Obstacle> {
        let silent = member.seen.silent_ms as f64 / 1e3;
        let lease = self.lease_ms as f64 / 1e3;
        match self.readiness(member) {
            Readiness::Lost => {
                let detail = "nothing was heard of it for longer than a lease, in seconds";
                Some(Obstacle::new("heartbeat", silent, lease, detail))
            }
            Readiness::Draining => {
                let ordered = self.orders.workers.get(member.id());
                let reason = ordered.and_then(|orders| orders.drain.as_ref());
                let detail = match reason.map(|drain| drain.reason.as_str()) {
                    None | Some("") => "it drains: it finishes what it has".to_owned(),
                    Some(reason) => format!("it drains: {reason}"),
                };
                Some(Obstacle::new("draining", 1.0, 0.0, detail))
            }
            Readiness::Ready | Readiness::Gated => None,
        }
    }

    fn gated(&self, member: &Member) -> Option<Obstacle> {
        // Where the report explains each route, it has been looked at already.
        let unexplained = member.report.shortages.is_empty();
        (unexplained && self.readiness(member) == Readiness::Gated)
            .then(|| Obstacle::new("gate", 1.0, 0.0, "its gate admits nothing now"))
    }
}

fn off(ruling: &Ruling) -> Obstacle {
    Obstacle {
        rule: Some(ruling.rule.clone()),
        until: ruling.until,
        ..Obstacle::new("feature", 1.0, 0.0, ruling.reason.as_str())
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
fn too_large(member: &Member, needs: u64) -> Option<Obstacle> {
    let room = member.room().filter(|room| needs > *room)?;
    let detail = format!("it needs {needs} bytes and this worker never has more than {room}");
    Some(Obstacle::new(
        "too_large",
        needs as f64,
        room as f64,
        detail,
    ))
}

fn shortage<'a>(member: &'a Member, route: &Route) -> Option<&'a resources::report::Shortage> {
    let mut shortages = member.report.shortages.iter();
    shortages.find(|it| it.workflow_type == route.workflow_type && it.priority == route.priority)
}

fn short(member: &Member, route: &Route) -> Option<Obstacle> {
    let short = shortage(member, route).filter(|_| member.enforces())?;
    let detail = short.detail.as_str();
    Some(Obstacle::new(
        &short.resource,
        short.value,
        short.limit,
        detail,
    ))
}

fn full(member: &Member, priority: Priority) -> Option<Obstacle> {
    let slots = member.seen.state.slots;
    // A gate with slots beyond the limit says itself when those are used up.
    let beyond = member.enforces() && priority <= Priority::High;
    (slots.used >= slots.limit && !beyond).then(|| {
        let (used, limit) = (f64::from(slots.used), f64::from(slots.limit));
        Obstacle::new("slots", used, limit, "all its slots are taken")
    })
}

/// A whole number where it is one: counts and bytes read better so.
#[expect(
    clippy::cast_possible_truncation,
    clippy::trivially_copy_pass_by_ref,
    reason = "below 2^53, and the signature that serde asks for"
)]
fn figure<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < WHOLE {
        serializer.serialize_i64(*value as i64)
    } else {
        serializer.serialize_f64(*value)
    }
}
