//! The grammar of alerts, the rate limit, and deliveries.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn condition(kind: Kind, resource: &str, level: AlertLevel) -> Condition {
    Condition {
        kind,
        resource: resource.to_owned(),
        level,
        value: 0.9,
        threshold: 0.8,
        message: format!("{resource} is {level}"),
    }
}

fn usual(kind: Kind) -> Condition {
    condition(kind, "memory", kind.level())
}

/// One observation per second from `from` up to `to`; what was told, and when.
fn run(
    alerts: &mut Alerts,
    (from, to): (u64, u64),
    holding: &[Condition],
) -> Vec<(u64, NoteState, AlertLevel)> {
    (from..=to)
        .flat_map(|second| alerts.observe(secs(second), holding, &[]))
        .map(|note| (note.at.as_secs(), note.state, note.level))
        .collect()
}

use AlertLevel::{Critical, High, Low, Medium};
use NoteState::{Deescalated, Escalated, Firing, Repeated, Resolved};

#[test]
fn each_level_waits_its_time() {
    for (kind, expected) in [
        (Kind::PredictedHigh, (12, Firing, Low)),
        (Kind::High, (15, Firing, Medium)),
        (Kind::Critical, (10, Firing, High)),
        (Kind::OomKill, (10, Firing, Critical)),
    ] {
        let mut alerts = Alerts::new("w");
        assert_eq!(run(&mut alerts, (10, 60), &[usual(kind)]), [expected]);
    }
}

#[test]
fn what_does_not_last_is_not_told() {
    let mut alerts = Alerts::new("w");
    let holding = [usual(Kind::PredictedHigh), usual(Kind::High)];
    assert!(run(&mut alerts, (0, 1), &holding).is_empty());
    assert!(run(&mut alerts, (2, 2), &[]).is_empty());
    assert!(run(&mut alerts, (3, 4), &holding).is_empty());
    assert_eq!(alerts.active().count(), 0);
}

#[test]
fn an_alert_lingers_and_takes_relapses_in() {
    let mut alerts = Alerts::new("w");
    let holding = [usual(Kind::Critical)];
    assert_eq!(run(&mut alerts, (0, 5), &holding).len(), 1);
    assert!(run(&mut alerts, (6, 35), &[]).is_empty());
    assert!(alerts.active().next().unwrap().clearing);
    assert!(run(&mut alerts, (36, 36), &holding).is_empty());
    assert_eq!(alerts.active().next().unwrap().count, 2);
    assert_eq!(run(&mut alerts, (37, 100), &[]), [(67, Resolved, High)]);
    assert_eq!(alerts.active().count(), 0);
}

#[test]
fn missing_data_resolves_nothing() {
    let mut alerts = Alerts::new("w");
    assert_eq!(run(&mut alerts, (0, 0), &[usual(Kind::Critical)]).len(), 1);
    for second in 1..500 {
        assert!(alerts.observe(secs(second), &[], &["memory"]).is_empty());
    }
    assert!(!alerts.active().next().unwrap().clearing);
    assert_eq!(run(&mut alerts, (500, 600), &[]), [(530, Resolved, High)]);
}

#[test]
fn up_at_once_and_down_after_half_a_minute() {
    let mut alerts = Alerts::new("w");
    let at = |level| [condition(Kind::GateStuck, "gate", level)];
    assert_eq!(run(&mut alerts, (0, 9), &at(High)), [(0, Firing, High)]);
    assert_eq!(
        run(&mut alerts, (10, 19), &at(Critical)),
        [(10, Escalated, Critical)]
    );
    assert!(run(&mut alerts, (20, 30), &at(Low)).is_empty());
    // The highest of what was seen in the half minute counts.
    assert_eq!(
        run(&mut alerts, (31, 60), &at(Medium)),
        [(50, Deescalated, Medium)]
    );
}

#[test]
fn long_alerts_are_told_again() {
    let mut alerts = Alerts::new("w");
    let holding = [usual(Kind::Critical), usual(Kind::Emergency)];
    let told = run(&mut alerts, (0, 3600), &holding);
    let times = |level| {
        told.iter()
            .filter(|each| each.2 == level)
            .map(|each| (each.0, each.1))
            .collect::<Vec<_>>()
    };
    assert_eq!(times(High), [(0, Firing), (3600, Repeated)]);
    assert_eq!(
        times(Critical),
        [0, 900, 1800, 2700, 3600]
            .map(|second| (second, if second == 0 { Firing } else { Repeated }))
    );
}

#[test]
fn the_same_condition_twice_is_one_alert() {
    let mut alerts = Alerts::new("w");
    let twice = [
        condition(Kind::Critical, "disk", High),
        condition(Kind::Critical, "disk", Critical),
    ];
    let notes = alerts.observe(secs(1), &twice, &[]);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].level, Critical);
    assert_eq!(notes[0].key, "w/disk/critical");
    assert_eq!((notes[0].seq, notes[0].count), (1, 1));
}

#[test]
fn the_eleventh_message_of_a_minute_waits_and_is_counted() {
    let mut alerts = Alerts::new("w");
    let many: Vec<Condition> = (0..12)
        .map(|each| condition(Kind::OverrideConflict, &format!("f{each:02}"), High))
        .collect();
    assert_eq!(alerts.observe(secs(100), &many, &[]).len(), 10);
    // Both that wait still linger when the next token comes.
    assert!(alerts.observe(secs(101), &many[..10], &[]).is_empty());
    let mut later = Vec::new();
    for second in 102..=105 {
        later.extend(alerts.observe(secs(second), &many[..10], &[]));
    }
    assert!(later.is_empty());
    let next = alerts.observe(secs(106), &many[..10], &[]);
    assert_eq!(next.len(), 1, "a token came: the eleventh is told");
    assert_eq!(next[0].key, "w/f10/override_conflict");
}

#[test]
fn what_began_and_ended_unheard_is_only_counted() {
    let mut alerts = Alerts::new("w");
    let many: Vec<Condition> = (0..20)
        .map(|each| condition(Kind::OverrideConflict, &format!("f{each:02}"), High))
        .collect();
    assert_eq!(alerts.observe(secs(100), &many, &[]).len(), 10);
    let told: Vec<Note> = (101..400)
        .flat_map(|second| alerts.observe(secs(second), &[], &[]))
        .collect();
    // Five tokens came within the half minute; five alerts were never told.
    let firing = told.iter().filter(|note| note.state == Firing).count();
    let resolved = told.iter().filter(|note| note.state == Resolved).count();
    assert_eq!((firing, resolved), (5, 15));
    assert_eq!(told.iter().map(|note| note.suppressed).sum::<u32>(), 10);
}

#[test]
fn critical_alerts_share_a_message_when_there_is_only_one() {
    let mut alerts = Alerts::new("w");
    let high: Vec<Condition> = (0..10)
        .map(|each| condition(Kind::OverrideConflict, &format!("f{each}"), High))
        .collect();
    assert_eq!(alerts.observe(secs(100), &high, &[]).len(), 10);
    let mut all = high;
    all.push(usual(Kind::OomKill));
    all.push(usual(Kind::Emergency));
    assert!(alerts.observe(secs(103), &all, &[]).is_empty());
    let notes = alerts.observe(secs(106), &all, &[]);
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].key, "w/memory/emergency");
    assert_eq!(notes[0].also.len(), 1);
    assert_eq!(notes[0].also[0].key, "w/memory/oom_kill");
}

#[test]
fn state_can_be_written_down() {
    let mut alerts = Alerts::new("w");
    let _told = alerts.observe(secs(1), &[usual(Kind::Emergency)], &[]);
    assert!(
        serde_json::to_string(&alerts)
            .unwrap()
            .contains("emergency")
    );
}

#[test]
fn a_delivery_is_named_and_timed() {
    let mut alerts = Alerts::new("w");
    let notes = alerts.observe(secs(1), &[usual(Kind::Emergency)], &[]);
    assert_eq!(
        webhook::idempotency_key(&notes[0]),
        "w/memory/emergency#1:1"
    );
    let body = webhook::body(&notes[0], "w", "2026-11-23T03:01:02.120000Z");
    let json: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(json["state"], "firing");
    assert_eq!(json["level"], "critical");
    assert_eq!(json["worker_id"], "w");
    assert_eq!(webhook::pause(1, 0.5), Some(Duration::from_millis(500)));
    assert_eq!(webhook::pause(2, 1.0), Some(secs(2)));
    assert_eq!(webhook::pause(3, 0.5), None);
    assert_eq!(webhook::pause(1, f64::NAN.max(0.0)), Some(Duration::ZERO));
}

/// Which of six keys hold, at which level; `None` is "unseen".
fn tick() -> impl Strategy<Value = (u64, Vec<Option<Option<usize>>>)> {
    let key = prop_oneof![
        3 => Just(Some(None)),
        3 => (0usize..4).prop_map(|level| Some(Some(level))),
        1 => Just(None),
    ];
    (1u64..12, proptest::collection::vec(key, 14))
}

proptest! {
    #[test]
    fn the_grammar_holds(ticks in proptest::collection::vec(tick(), 1..120)) {
        let mut alerts = Alerts::new("w");
        let mut now = 0;
        let mut sent: Vec<u64> = Vec::new();
        let mut open: BTreeMap<String, (u32, AlertLevel)> = BTreeMap::new();
        let mut done: BTreeSet<String> = BTreeSet::new();
        let mut critical_fired: BTreeSet<String> = BTreeSet::new();
        let mut critical_told: BTreeSet<String> = BTreeSet::new();
        let calm = (6u64, vec![Some(None); 14]);
        let steps = ticks.into_iter().chain(std::iter::repeat_n(calm, 60));
        for (pause, keys) in steps {
            now += pause;
            let mut holding = Vec::new();
            let mut unseen = Vec::new();
            let names: Vec<String> = (0..keys.len()).map(|key| format!("r{key}")).collect();
            for (name, state) in names.iter().zip(&keys) {
                match state {
                    Some(Some(level)) => {
                        holding.push(condition(Kind::TooLarge, name, AlertLevel::ALL[*level]));
                    }
                    Some(None) => {}
                    None => unseen.push(name.as_str()),
                }
            }
            let notes = alerts.observe(secs(now), &holding, &unseen);
            for active in alerts.active() {
                if active.level == Critical {
                    critical_fired.insert(active.id);
                }
            }
            sent.extend(notes.iter().map(|_| now));
            for note in notes.into_iter().flat_map(|mut note| {
                let also = std::mem::take(&mut note.also);
                std::iter::once(note).chain(also)
            }) {
                prop_assert!(!done.contains(&note.id), "told after its end");
                if note.level == Critical {
                    critical_told.insert(note.id.clone());
                }
                match (note.state, open.get(&note.id).copied()) {
                    (Firing, None) => prop_assert_eq!(note.seq, 1),
                    (Escalated, Some((seq, level))) => {
                        prop_assert!(note.level > level && note.seq == seq + 1);
                    }
                    (Deescalated, Some((seq, level))) => {
                        prop_assert!(note.level < level && note.seq == seq + 1);
                    }
                    (Repeated, Some((seq, level))) => {
                        prop_assert!(note.level == level && note.seq == seq + 1);
                    }
                    (Resolved, Some((seq, _))) => {
                        prop_assert_eq!(note.seq, seq + 1);
                        done.insert(note.id.clone());
                    }
                    (state, before) => prop_assert!(false, "{:?} after {:?}", state, before),
                }
                if note.state == Resolved {
                    open.remove(&note.id);
                } else {
                    // Per key, an alert ends before the next one begins.
                    let number = note.id.rfind('#').map_or(0, |hash| hash + 1);
                    let sort = &note.id[..number];
                    let alone = open.keys().all(|id| *id == note.id || !id.starts_with(sort));
                    prop_assert!(alone, "{} began too early", note.id);
                    open.insert(note.id.clone(), (note.seq, note.level));
                }
            }
        }
        prop_assert!(open.is_empty(), "never resolved: {:?}", open);
        prop_assert_eq!(critical_fired, critical_told, "a critical alert was lost");
        for (index, start) in sent.iter().enumerate() {
            let within = sent[index..].iter().filter(|at| **at < start + 60).count();
            prop_assert!(within <= 20, "{} messages within a minute", within);
        }
        let last = sent.last().copied().unwrap_or(0);
        prop_assert!(sent.len() as u64 <= 10 + last / 6);
    }
}
