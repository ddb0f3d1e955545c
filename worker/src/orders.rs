//! Hears what operators order: features switched by hand, profiles, and that
//! this worker is to drain.
//!
//! Invariant: the orders in force are those heard last; losing news of them
//! costs at most a heartbeat. Orders about features also end by this worker's
//! own time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use resources::feature::Override;
use shared::{
    model::{ProfileName, WorkerId},
    store::verbs::{FeatureOrder, Orders},
};
use tracing::debug;

use crate::{monitor, service::Core};

/// Which orders were heard last.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    version: AtomicU64,
}

/// What the orders mean for one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) overrides: Vec<Override>,
    /// `None` leaves the profile to the worker's configuration.
    pub(crate) profile: Option<ProfileName>,
    pub(crate) drain: bool,
}

impl Standing {
    /// What is ordered of this worker: its own profile counts before the
    /// fleet's.
    pub(crate) fn of(orders: &Orders, worker: &WorkerId) -> Self {
        let own = orders.workers.get(worker);
        let profile = own.and_then(|own| own.profile.as_ref());
        let profile = profile.or(orders.profile.as_ref());
        Self {
            overrides: orders.features.iter().map(override_of).collect(),
            profile: profile.map(|order| order.profile),
            drain: own.is_some_and(|own| own.drain.is_some()),
        }
    }
}

fn override_of(order: &FeatureOrder) -> Override {
    Override {
        feature: order.feature.clone(),
        enabled: order.enabled,
        by: order.by.clone(),
        reason: order.reason.clone(),
        remaining: Duration::from_millis(order.remaining_ms),
    }
}

/// The store is at this version of the orders: asks for them if it is another
/// than the one heard last.
pub(crate) async fn at_version(core: &Core, version: u64) {
    if core.orders.version.load(Ordering::Acquire) != version {
        ask(core).await;
    }
}

/// Asks for the orders and follows them.
pub(crate) async fn ask(core: &Core) {
    let orders = match core.store.orders().await {
        Ok(orders) => orders,
        Err(error) => {
            debug!(%error, "the orders could not be read; asking again at the next heartbeat");
            return;
        }
    };
    let standing = Standing::of(&orders, &core.id);
    core.conditions.heard_drain(standing.drain);
    if let Some(resources) = &core.resources {
        monitor::switched(&resources.order(&standing));
    }
    core.orders.version.store(orders.version, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::store::verbs::{DrainOrder, ProfileOrder, WorkerOrders};

    #[test]
    fn the_workers_own_profile_counts_before_the_fleets() {
        let me: WorkerId = "me-1-0000".parse().unwrap();
        let profile = |profile| {
            Some(ProfileOrder {
                profile,
                ..ProfileOrder::default()
            })
        };
        let mut orders = Orders {
            profile: profile(ProfileName::Emergency),
            ..Orders::default()
        };
        let heard = Standing::of(&orders, &me);
        assert_eq!(
            (heard.profile, heard.drain),
            (Some(ProfileName::Emergency), false)
        );
        let own = WorkerOrders {
            profile: profile(ProfileName::Development),
            drain: Some(DrainOrder::default()),
        };
        orders.workers.insert(me.clone(), own);
        let heard = Standing::of(&orders, &me);
        assert_eq!(
            (heard.profile, heard.drain),
            (Some(ProfileName::Development), true)
        );
    }
}
