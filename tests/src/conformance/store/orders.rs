//! Operators' standing orders, and what workers say of themselves.

use std::time::Duration;

use serde_json::{Value, json};
use shared::{
    model::{ProfileName, Stamp},
    store::{
        Error,
        query::Readiness,
        signal::Signal,
        verbs::{Beat, Order, Orders, WorkerOrders},
    },
};

use super::{
    Backend,
    keeping::beat,
    lab::{LONG, Lab, NONE, calm, hear, worker_id},
};

fn feature(name: &str, state: Option<bool>, lasts: Duration) -> Order {
    Order::Feature {
        feature: name.into(),
        state,
        by: "someone".into(),
        reason: "bec|ause".into(),
        lasts,
    }
}

fn profile(worker: Option<&str>, profile: Option<ProfileName>) -> Order {
    Order::Profile {
        worker: worker.map(worker_id),
        profile,
        by: "someone".into(),
        reason: "because".into(),
    }
}

fn drain(worker: &str, drain: bool) -> Order {
    Order::Drain {
        worker: worker_id(worker),
        drain,
        by: "someone".into(),
        reason: String::new(),
    }
}

async fn give(lab: &Lab, order: Order) -> Orders {
    let given = lab.store.order(order).await.expect("order");
    let mut standing = standing(lab).await;
    for (order, told) in standing.features.iter_mut().zip(&given.features) {
        assert!(order.remaining_ms <= told.remaining_ms);
        order.remaining_ms = told.remaining_ms;
    }
    assert_eq!(given, standing, "the answer is what stands");
    given
}

async fn standing(lab: &Lab) -> Orders {
    lab.store.orders().await.expect("orders")
}

fn features(orders: &Orders) -> Vec<(&str, bool)> {
    let orders = orders.features.iter();
    orders
        .map(|order| (order.feature.as_str(), order.enabled))
        .collect()
}

/// A feature's order is over by time or by another word; what is over is neither shown nor kept.
pub async fn an_order_stands_until_it_is_withdrawn_or_over(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    assert_eq!(standing(&lab).await, Orders::default());
    give(&lab, feature("t.b", Some(false), LONG)).await;
    let orders = give(&lab, feature("a:b |ü", Some(true), LONG)).await;
    assert_eq!(features(&orders), [("a:b |ü", true), ("t.b", false)]);
    let order = &orders.features[1];
    assert_eq!(
        (order.by.as_str(), order.reason.as_str()),
        ("someone", "bec|ause")
    );
    assert!(order.at > Stamp::default());
    assert_eq!(order.expires_at, order.at.after(LONG));
    assert!((3_500_000..=3_600_000).contains(&order.remaining_ms));

    let orders = give(&lab, feature("t.b", None, LONG)).await;
    assert_eq!(features(&orders), [("a:b |ü", true)]);
    let orders = give(&lab, feature("t.c", Some(true), NONE)).await;
    assert_eq!(features(&orders), [("a:b |ü", true)]);
    let orders = give(&lab, feature("a:b |ü", Some(false), NONE)).await;
    assert_eq!(features(&orders), []);

    give(&lab, feature("t.d", Some(true), Duration::from_millis(50))).await;
    let version = standing(&lab).await.version;
    lab.sweep_until("the order to be over", async |lab| {
        standing(lab).await.features.is_empty()
    })
    .await;
    lab.sweep(calm()).await;
    let swept = standing(&lab).await.version;
    assert!(swept > version, "what is gone for good is a change");
    lab.sweep(calm()).await;
    assert_eq!(standing(&lab).await.version, swept);
}

/// Of two orders about the same thing the later one counts; other things are left alone.
pub async fn the_latest_order_counts(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    give(&lab, feature("t.a", Some(true), LONG)).await;
    let orders = give(&lab, feature("t.a", Some(false), LONG)).await;
    assert_eq!(features(&orders), [("t.a", false)]);
    give(&lab, profile(None, Some(ProfileName::Development))).await;
    give(&lab, profile(None, Some(ProfileName::Emergency))).await;
    give(&lab, profile(Some("w1"), Some(ProfileName::Performance))).await;
    let orders = give(&lab, drain("w1", true)).await;
    let of_fleet = orders.profile.expect("a profile of the fleet");
    assert_eq!(of_fleet.profile, ProfileName::Emergency);
    assert_eq!(
        (of_fleet.by.as_str(), of_fleet.reason.as_str()),
        ("someone", "because")
    );
    let own = &orders.workers[&worker_id("w1")];
    let own_profile = own.profile.as_ref().map(|order| order.profile);
    assert_eq!(own_profile, Some(ProfileName::Performance));
    assert!(own.drain.as_ref().expect("it is to drain").at >= of_fleet.at);

    let orders = give(&lab, drain("w1", false)).await;
    assert_eq!(orders.workers[&worker_id("w1")].drain, None);
    let orders = give(&lab, profile(Some("w1"), None)).await;
    assert!(orders.workers.is_empty(), "nothing is left to say of it");
    let orders = give(&lab, profile(None, None)).await;
    assert_eq!(orders.profile, None);
    assert_eq!(features(&orders), [("t.a", false)]);
}

/// A worker that says goodbye takes its orders along; those of others stay, also of workers nobody heard of yet.
pub async fn orders_of_a_worker_go_with_it(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for name in ["w1", "w2"] {
        let alive = lab.store.heartbeat(beat(name, Readiness::Ready)).await;
        alive.expect("heartbeat");
    }
    for name in ["w1", "w2", "w3"] {
        give(&lab, profile(Some(name), Some(ProfileName::Balanced))).await;
        give(&lab, drain(name, true)).await;
    }
    let before = give(&lab, profile(None, Some(ProfileName::Balanced))).await;
    lab.sweep(calm()).await;
    assert_eq!(standing(&lab).await, before, "it was just given");
    for _ in 0..2 {
        let gone = lab.store.farewell(&worker_id("w1")).await;
        gone.expect("farewell");
    }
    let after = standing(&lab).await;
    let known: Vec<_> = after.workers.keys().cloned().collect();
    assert_eq!(known, [worker_id("w2"), worker_id("w3")]);
    assert!(after.version > before.version && after.profile == before.profile);
    let both = |orders: &WorkerOrders| orders.profile.is_some() && orders.drain.is_some();
    assert!(after.workers.values().all(both));
}

/// Every change is news, and every heartbeat tells which version stands.
pub async fn orders_are_told(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let told = async || {
        let reply = lab.store.heartbeat(beat("w1", Readiness::Ready)).await;
        reply.expect("heartbeat").orders_version
    };
    assert_eq!(told().await, 0);
    let mut signals = lab.store.signals().await.expect("signals");
    let mut before = 0;
    for order in [
        feature("t.a", Some(true), LONG),
        profile(None, Some(ProfileName::Development)),
        profile(Some("w1"), Some(ProfileName::Development)),
        drain("w1", true),
        drain("w1", false),
        profile(Some("w1"), None),
        profile(None, None),
        feature("t.a", None, LONG),
    ] {
        let orders = give(&lab, order).await;
        assert!(orders.version > before);
        before = orders.version;
        assert_eq!(told().await, before);
        hear(&mut *signals, "the order", |signal| {
            *signal == Signal::Orders
        })
        .await;
    }
    for nothing in [
        feature("t.a", None, LONG),
        drain("w1", false),
        profile(None, None),
    ] {
        assert_eq!(give(&lab, nothing).await.version, before, "no change");
    }
}

/// Texts without bounds are refused, and change nothing.
pub async fn what_is_no_order_is_refused(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let long = "x".repeat(5000);
    let mut by = feature("t.a", Some(true), LONG);
    if let Order::Feature { by, .. } = &mut by {
        by.clone_from(&long);
    }
    for bad in [
        feature("", Some(true), LONG),
        feature(&long, None, LONG),
        by,
    ] {
        let refused = lab.store.order(bad).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    assert_eq!(standing(&lab).await, Orders::default());
}

/// What a worker says of itself comes back as it was said; too long a tale and a figure that is none do not cost it its
/// life.
pub async fn a_worker_says_what_it_likes_within_bounds(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let said = async |detail: Value, health: f64| {
        let mut beat = beat("w1", Readiness::Ready);
        (beat.state.detail, beat.state.health) = (detail, health);
        lab.store.heartbeat(beat).await.expect("heartbeat");
        let mut workers = lab.store.workers().await.expect("workers");
        workers.remove(0).state
    };
    let detail = json!({"memory": {"used": 1.5, "total": 1_u64 << 40}, "short": ["t.a", null]});
    let state = said(detail.clone(), 12.25).await;
    assert_eq!((state.detail, state.health), (detail, 12.25));
    let fits = json!("x".repeat(Beat::MOST_DETAIL - 2));
    assert_eq!(said(fits.clone(), 0.0).await.detail, fits);
    let long = json!("x".repeat(Beat::MOST_DETAIL - 1));
    let state = said(long, f64::NAN).await;
    assert_eq!((state.detail, state.health), (Value::Null, 0.0));
}
