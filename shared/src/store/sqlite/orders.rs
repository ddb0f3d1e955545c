//! Operators' standing orders.
//!
//! Invariant: what the writing thread holds in memory is what is in the file.

use crate::{
    model::{Stamp, WorkerId},
    store::{
        Result,
        verbs::{DrainOrder, FeatureOrder, Order, Orders, ProfileOrder, WorkerOrders},
    },
};

use super::{core::Core, facts, fleet};

/// The verb `order`.
pub(super) fn give(core: &mut Core, order: Order) -> Result<Orders> {
    order.check()?;
    let mut orders = core.orders.clone();
    apply(&mut orders, order, core.now);
    keep(core, orders)?;
    Ok(core.orders.clone().standing_at(core.now))
}

/// What stands after an order at this time.
fn apply(orders: &mut Orders, order: Order, now: Stamp) {
    match order {
        Order::Feature {
            feature,
            state,
            by,
            reason,
            lasts,
        } => {
            orders.features.retain(|order| order.feature != feature);
            let expires_at = now.after(lasts);
            if let Some(enabled) = state.filter(|_| expires_at > now) {
                orders.features.push(FeatureOrder {
                    feature,
                    enabled,
                    by,
                    reason,
                    at: now,
                    expires_at,
                    remaining_ms: 0,
                });
            }
        }
        Order::Profile {
            worker,
            profile,
            by,
            reason,
        } => {
            let order = profile.map(|profile| ProfileOrder {
                profile,
                by,
                reason,
                at: now,
            });
            match worker {
                None => orders.profile = order,
                Some(worker) => orders.workers.entry(worker).or_default().profile = order,
            }
        }
        Order::Drain {
            worker,
            drain,
            by,
            reason,
        } => {
            let order = DrainOrder {
                by,
                reason,
                at: now,
            };
            orders.workers.entry(worker).or_default().drain = drain.then_some(order);
        }
    }
    let nothing = WorkerOrders::default();
    orders.workers.retain(|_, orders| *orders != nothing);
}

/// Stores what stands now, if it is something else.
fn keep(core: &mut Core, mut orders: Orders) -> Result<()> {
    if orders != core.orders {
        orders.version = core.orders.next_version(core.now);
        facts::set_orders(&core.db, &orders)?;
        core.orders = orders;
        core.news.orders = true;
    }
    Ok(())
}

/// The worker is gone, and what was ordered of it.
pub(super) fn free_worker(core: &mut Core, worker: &WorkerId) -> Result<()> {
    let mut orders = core.orders.clone();
    orders.workers.remove(worker);
    keep(core, orders)
}

/// Drops what is over, and what was ordered of workers that are gone.
pub(super) fn forget(core: &mut Core) -> Result<()> {
    let now = core.now;
    let mut orders = core.orders.clone();
    orders.features.retain(|order| order.expires_at > now);
    orders.workers.retain(|worker, orders| {
        let profile = orders.profile.as_ref().map(|order| order.at);
        let drain = orders.drain.as_ref().map(|order| order.at);
        let given = profile.max(drain).unwrap_or_default();
        core.fleet.knows(worker) || !fleet::is_gone(core.fleet.since().max(given), now)
    });
    keep(core, orders)
}
