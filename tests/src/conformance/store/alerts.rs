//! Alerts of the fleet, and who tells them.

use std::time::Duration;

use shared::{
    model::{AlertLevel, AlertState, Nonce, Stamp},
    store::{
        Error,
        signal::Signal,
        verbs::{AlertRecord, FirstOf},
    },
};

use super::{
    Backend,
    lab::{LONG, Lab, NONE, hear, later, now, worker_id},
};

fn ago(wait: Duration) -> Stamp {
    let wait = i64::try_from(wait.as_micros()).expect("not long");
    Stamp::from_micros(now().micros() - wait)
}

fn alert(id: &str, updated_at: Stamp) -> AlertRecord {
    AlertRecord {
        id: id.into(),
        key: "w1/memory/high".into(),
        level: AlertLevel::High,
        state: AlertState::Firing,
        worker_id: Some(worker_id("w1")),
        message: "memory is short: ü \"|\"".into(),
        value: 0.93,
        threshold: 0.9,
        since: Stamp::from_millis(1),
        updated_at,
        count: 1,
    }
}

fn resolved(id: &str, updated_at: Stamp) -> AlertRecord {
    AlertRecord {
        state: AlertState::Resolved,
        ..alert(id, updated_at)
    }
}

async fn raise(lab: &Lab, records: Vec<AlertRecord>) {
    lab.store.raise(records).await.expect("raise");
}

async fn ids(lab: &Lab, limit: u32) -> Vec<String> {
    let alerts = lab.store.alerts(limit).await.expect("alerts");
    alerts.into_iter().map(|alert| alert.id).collect()
}

/// An alert is one record, whatever becomes of it; the one that changed last stands first.
pub async fn an_alert_is_updated_under_its_id(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    assert_eq!(ids(&lab, 10).await, [""; 0]);
    let mut signals = lab.store.signals().await.expect("signals");
    let at = |secs: u64| ago(LONG).after(Duration::from_secs(secs));
    let (first, second, third) = (alert("a", at(1)), alert("b", at(2)), alert("c", at(3)));
    raise(&lab, vec![second.clone(), first.clone()]).await;
    hear(&mut *signals, "the alert", |signal| {
        *signal == Signal::Alerts
    })
    .await;
    raise(&lab, vec![third.clone()]).await;
    let found = lab.store.alerts(10).await.expect("alerts");
    assert_eq!(found, [third.clone(), second.clone(), first.clone()]);
    assert_eq!(ids(&lab, 2).await, ["c", "b"]);

    let worse = AlertRecord {
        level: AlertLevel::Critical,
        count: 7,
        worker_id: None,
        updated_at: at(4),
        ..first
    };
    for _ in 0..2 {
        raise(&lab, vec![worse.clone()]).await;
    }
    let found = lab.store.alerts(10).await.expect("alerts");
    assert_eq!(found, [worse, third, second]);

    raise(&lab, vec![alert("d", later())]).await;
    let found = lab.store.alerts(1).await.expect("alerts");
    assert_eq!(found[0].id, "d");
    assert!(found[0].updated_at <= now(), "nothing lies ahead");
}

/// A resolved alert is shown for a day; one that fires until it is resolved, and again if it comes back.
pub async fn resolved_alerts_are_kept_for_a_day(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let day = AlertRecord::KEPT_RESOLVED;
    let old = ago(day + LONG);
    raise(
        &lab,
        vec![
            alert("firing", old),
            resolved("over", old),
            resolved("lately", ago(day).after(LONG)),
        ],
    )
    .await;
    assert_eq!(ids(&lab, 10).await, ["lately", "firing"]);
    raise(&lab, vec![resolved("firing", old), alert("over", old)]).await;
    assert_eq!(ids(&lab, 10).await, ["lately", "over"]);
    // So short a time that it ends while the test runs; one of them fires again.
    let ending = ago(day).after(Duration::from_millis(400));
    let both = vec![resolved("soon", ending), resolved("again", ending)];
    raise(&lab, both).await;
    raise(&lab, vec![alert("again", ending)]).await;
    lab.sweep_until("the alert to be over", async |lab| {
        ids(lab, 10).await == ["lately", "again", "over"]
    })
    .await;
    raise(&lab, Vec::new()).await;
    assert_eq!(ids(&lab, 10).await, ["lately", "again", "over"]);
}

/// However many there are, a bounded number is kept: resolved ones go first, then the oldest.
pub async fn so_many_alerts_are_kept(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let most = AlertRecord::KEPT;
    let minute = |n: u32| ago(LONG).after(Duration::from_millis(n.into()));
    let records = (0..most).map(|n| match n {
        5 | 7 => resolved(&format!("r{n}"), minute(n)),
        _ => alert(&format!("f{n}"), minute(n)),
    });
    raise(&lab, records.collect()).await;
    let count = async || ids(&lab, u32::MAX / 4).await.len();
    assert_eq!(count().await, most as usize);
    raise(&lab, vec![alert("x", now())]).await;
    raise(&lab, vec![alert("y", now()), alert("z", now())]).await;
    let left = ids(&lab, most).await;
    assert_eq!(left.len(), most as usize);
    for (id, kept) in [
        ("r5", false),
        ("r7", false),
        ("f0", false),
        ("f1", true),
        ("z", true),
    ] {
        assert_eq!(left.contains(&id.to_owned()), kept, "{id}");
    }
    assert_eq!(count().await, most as usize);
}

/// What could not be read again is refused, with all that came with it.
pub async fn alerts_have_bounds(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let with = |change: &dyn Fn(&mut AlertRecord)| {
        let mut record = alert("a", now());
        change(&mut record);
        record
    };
    for bad in [
        with(&|record| record.id.clear()),
        with(&|record| record.key = "x".repeat(257)),
        with(&|record| record.message = "x".repeat(5000)),
        with(&|record| record.value = f64::NAN),
        with(&|record| record.threshold = f64::INFINITY),
    ] {
        let refused = lab.store.raise(vec![alert("good", now()), bad]).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    assert_eq!(ids(&lab, 10).await, [""; 0]);
}

/// Of all who want to tell the same, one does; the next one tells how many there were.
pub async fn one_of_many_tells_it(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let ask = async |key: &str, by: u128, lasts: Duration| {
        let first = FirstOf {
            key: key.into(),
            by: Nonce::from_bits(by),
            lasts,
        };
        lab.store.first_of(first).await.expect("first_of")
    };
    assert_eq!(ask("memory high", 1, LONG).await, Some(0));
    assert_eq!(ask("memory high", 2, LONG).await, None);
    assert_eq!(ask("memory high", 1, LONG).await, Some(0), "asked again");
    assert_eq!(ask("memory high", 3, LONG).await, None);
    assert_eq!(ask("disk high", 3, LONG).await, Some(0), "another key");
    assert_eq!(ask("memory high", 4, NONE).await, Some(2), "a new window");
    assert_eq!(ask("memory high", 4, LONG).await, Some(2), "asked again");
    assert_eq!(ask("memory high", 1, LONG).await, None);
    assert_eq!(ask("memory high", 5, NONE).await, Some(1));
    assert_eq!(ask("memory high", 6, NONE).await, Some(0));
    let long = FirstOf {
        key: "x".repeat(257),
        by: Nonce::from_bits(1),
        lasts: LONG,
    };
    let refused = lab.store.first_of(long).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}

/// Fifty who ask at once: one is the first.
pub async fn fifty_at_once_have_one_first(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let mut askers = tokio::task::JoinSet::new();
    for by in 0..50 {
        let store = lab.store.clone();
        askers.spawn(async move {
            let first = FirstOf {
                key: "k".into(),
                by: Nonce::from_bits(by),
                lasts: LONG,
            };
            store.first_of(first).await.expect("first_of")
        });
    }
    let answers = askers.join_all().await;
    let firsts: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(firsts, [0]);
    let next = FirstOf {
        key: "k".into(),
        by: Nonce::from_bits(100),
        lasts: NONE,
    };
    let others = lab.store.first_of(next).await.expect("first_of");
    assert_eq!(others, Some(49));
}
