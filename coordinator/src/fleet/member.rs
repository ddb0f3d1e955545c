//! One worker as the coordinator sees it, and what stands there of a feature.
//!
//! Invariant: pure. What was ordered after a worker's last heartbeat counts
//! before what it said then: it has heard of it, or will in a moment.

use resources::{
    feature::order::Standing,
    feature::rule::{Inputs, Rule, resolve},
    profile::{Profile, Share},
    report::{self, Report},
};
use serde::Deserialize;
use serde_json::Value;
use shared::{
    model::{Category, Level, Priority, ProfileName, Stamp, WorkerId},
    store::query::WorkerView,
};
use tracing::debug;

use super::Fleet;

/// A worker.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// What the store knows.
    pub(crate) seen: WorkerView,
    /// What it says of its resources; the default if it says nothing.
    pub(crate) report: Report,
}

/// Whether a feature is on, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ruling {
    pub(crate) enabled: bool,
    pub(crate) rule: String,
    pub(crate) reason: String,
    pub(crate) would_change: String,
    pub(crate) until: Option<Stamp>,
    pub(crate) evidence: Value,
    pub(crate) effect: Option<Value>,
}

impl Ruling {
    /// Whether a task of this priority waits for the feature: operators, an
    /// emergency and the profile bind every task, what a worker decided by
    /// itself leaves critical and high ones alone.
    pub(crate) fn binds(&self, priority: Priority) -> bool {
        !self.enabled && (!self.is_automatic() || priority > Priority::High)
    }

    /// The worker decided by itself. A rule that this version does not know is
    /// taken for such a one: it binds less.
    pub(crate) fn is_automatic(&self) -> bool {
        !matches!(
            self.rule.as_str(),
            "essential" | "manual" | "emergency" | "profile"
        )
    }

    /// The strongest rule first.
    pub(crate) fn strength(&self) -> usize {
        const RULES: [&str; 9] = [
            "essential",
            "manual",
            "emergency",
            "profile",
            "level",
            "blind",
            "predicted",
            "recovering",
            "free",
        ];
        let found = RULES.iter().position(|rule| *rule == self.rule);
        found.unwrap_or(RULES.len())
    }
}

impl Member {
    /// What a heartbeat tells.
    pub(crate) fn of(seen: WorkerView) -> Self {
        let detail = &seen.state.detail;
        let report = if detail.is_null() {
            Report::default()
        } else {
            read(detail, &seen.worker)
        };
        Self { seen, report }
    }

    /// Its id.
    pub(crate) const fn id(&self) -> &WorkerId {
        &self.seen.worker
    }

    /// Whether it says anything of its resources.
    pub(crate) fn tells(&self) -> bool {
        !self.seen.state.detail.is_null()
    }

    /// Whether its gate keeps to what it says.
    pub(crate) fn enforces(&self) -> bool {
        self.tells() && !matches!(self.report.gate.as_str(), "off" | "shadow")
    }

    /// The largest task that it could ever admit, in bytes, if it says so.
    pub(crate) fn room(&self) -> Option<u64> {
        Some(self.report.memory.room).filter(|room| self.enforces() && *room > 0)
    }
}

impl Fleet {
    /// What stands of a feature on one worker.
    pub(crate) fn ruling(&self, member: &Member, name: &str, category: Category) -> Ruling {
        let mut said = member.report.features.iter();
        let said = said.find(|feature| feature.name == name);
        let ordered = self.ordered(Some(member), name, category);
        match said {
            Some(said) => ordered.unwrap_or_else(|| self.as_said(member, said)),
            None => ordered.unwrap_or_else(|| free(category)),
        }
    }

    /// What stands of a feature that no worker speaks of.
    pub(crate) fn ruling_of_nobody(&self, name: &str, category: Category) -> Ruling {
        let ordered = self.ordered(None, name, category);
        ordered.unwrap_or_else(|| free(category))
    }

    fn as_said(&self, member: &Member, said: &report::Feature) -> Ruling {
        let lasts = said.for_ms.map(std::time::Duration::from_millis);
        let heard = member.seen.last_heartbeat_at;
        let order = self.order(&said.name).filter(|_| said.rule == "manual");
        Ruling {
            enabled: said.enabled,
            rule: said.rule.clone(),
            reason: said.reason.clone(),
            would_change: said.would_change.clone(),
            until: order
                .map(|order| order.expires_at)
                .or_else(|| lasts.map(|lasts| heard.after(lasts))),
            evidence: said.evidence.clone(),
            effect: said.effect.clone(),
        }
    }

    /// What orders decide that a worker has not answered yet (or that nobody
    /// answers), if they decide anything.
    fn ordered(&self, member: Option<&Member>, name: &str, category: Category) -> Option<Ruling> {
        let heard = member.map(|member| member.seen.last_heartbeat_at);
        let is_news = |at: Stamp| heard.is_none_or(|heard| at >= heard);
        let order = self.order(name).filter(|order| is_news(order.at));
        let own = member.and_then(|member| self.orders.workers.get(member.id()));
        let profile = own
            .and_then(|own| own.profile.as_ref())
            .or(self.orders.profile.as_ref())
            .filter(|order| is_news(order.at))
            .map(|order| order.profile);
        let standing = order.map(|order| Standing {
            enabled: order.enabled,
            by: order.by.clone(),
            reason: order.reason.clone(),
            until: std::time::Duration::ZERO,
        });
        // Without an order about it the profile is what the worker says it is.
        let named = profile.unwrap_or(ProfileName::Development);
        let inputs = Inputs {
            order: standing.as_ref(),
            emergency_level: member.is_some_and(|it| it.seen.state.level == Level::Emergency),
            profile: named,
            off_by_profile: Profile::preset(named).share(category) == Share::Off,
            automatic: None,
        };
        let ruling = resolve(category, &inputs);
        match (&ruling.rule, order) {
            (Rule::Manual { .. }, Some(order)) => Some(manual(order)),
            (rule @ (Rule::Emergency { by_profile: true } | Rule::Profile { .. }), _) => {
                Some(by_profile(rule, named, category))
            }
            _ => None,
        }
    }
}

fn read(detail: &Value, worker: &WorkerId) -> Report {
    Report::deserialize(detail).unwrap_or_else(|error| {
        debug!(%worker, %error, "what a worker says of its resources cannot be read");
        Report::default()
    })
}

fn manual(order: &shared::store::verbs::FeatureOrder) -> Ruling {
    let word = if order.enabled { "on" } else { "off" };
    Ruling {
        enabled: order.enabled,
        rule: "manual".into(),
        reason: format!("{} switched it {word}: {}", order.by, order.reason),
        would_change: format!("it is automatic again at {}", order.expires_at),
        until: Some(order.expires_at),
        evidence: Value::Null,
        effect: None,
    }
}

fn by_profile(rule: &Rule, profile: ProfileName, category: Category) -> Ruling {
    Ruling {
        enabled: false,
        rule: rule.as_str().into(),
        reason: format!("the profile {profile} runs nothing {category}"),
        would_change: "another profile, or an order that switches it on".into(),
        until: None,
        evidence: Value::Null,
        effect: None,
    }
}

fn free(category: Category) -> Ruling {
    let (rule, reason) = match category {
        Category::Essential => ("essential", "essential features are always on"),
        _ => ("free", "nothing stands against it"),
    };
    Ruling {
        enabled: true,
        rule: rule.into(),
        reason: reason.into(),
        would_change: String::new(),
        until: None,
        evidence: Value::Null,
        effect: None,
    }
}
