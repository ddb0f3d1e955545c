//! A log replays bit for bit, whatever happened; other thresholds can be tried.

use std::time::Duration;

use proptest::prelude::*;
use shared::model::{Category, Priority, ProfileName};

use super::{Answer, Event, Header, Line, VERSION, WhatIf, replay, settled};
use crate::{
    estimate::Declared,
    feature::Override,
    governor::{Governor, Kind, Setup, Spent, Tick},
    history::Retention,
    pattern::Hour,
    profile::{Overrides, Profile},
    sample::{CpuReading, HostMemory, MemoryGroup, Pressure, RawSample},
};

fn setup() -> Setup {
    let kinds = Category::ALL.map(|category| Kind {
        name: format!("{category}_work"),
        category,
        declared: Declared::default(),
    });
    Setup {
        worker: "w-1".to_owned(),
        kinds: kinds.to_vec(),
        profile: Profile::preset(ProfileName::Balanced),
        concurrency: 6,
        seed: 3,
        retention: Retention::default(),
    }
}

/// What a second brings: memory and processor use, and what is asked.
#[derive(Clone, Debug)]
struct Second {
    memory: f64,
    cpu: f64,
    sampled: bool,
    asks: Vec<(u16, usize, u8)>,
    ends: usize,
    peak: u64,
    order: Option<bool>,
}

fn second() -> impl Strategy<Value = Second> {
    (
        0.05..1.02_f64,
        0.0..1.1_f64,
        prop::bool::weighted(0.9),
        prop::collection::vec((0_u16..4, 0_usize..4, 0_u8..24), 0..6),
        0_usize..6,
        0_u64..(200 << 20),
        prop::option::weighted(0.1, any::<bool>()),
    )
        .prop_map(|(memory, cpu, sampled, asks, ends, peak, order)| Second {
            memory,
            cpu,
            sampled,
            asks,
            ends,
            peak,
            order,
        })
}

/// Lives through the seconds and writes the log.
fn record(seconds: &[Second]) -> Vec<u8> {
    let setup = settled(setup());
    let mut log = Vec::new();
    let header = Header {
        decision_log: VERSION,
        program: "test".to_owned(),
        begun: String::new(),
        setup: setup.clone(),
    };
    serde_json::to_writer(&mut log, &header).unwrap();
    log.push(b'\n');
    let mut governor = Governor::new(setup).unwrap();
    let mut on = |event: Event| {
        let event = settled(event);
        let answer = governor.on(&event);
        let line = Line {
            event: &event,
            answer: &answer,
        };
        serde_json::to_writer(&mut log, &line).unwrap();
        log.push(b'\n');
        answer
    };
    let mut held = Vec::new();
    let mut busy = 0.0;
    for (second, at) in seconds.iter().zip(1_u32..) {
        let at = Duration::from_secs(1) * at + Duration::from_nanos(333);
        busy += second.cpu;
        drop(on(Event::Tick(Box::new(tick(second, at, busy)))));
        for &(kind, rank, bucket) in &second.asks {
            let priority = Priority::ALL[rank];
            if let Answer::Granted(booking) = on(Event::Ask { at, kind, priority }) {
                drop(on(Event::Resize {
                    at,
                    booking,
                    bucket,
                }));
                held.push(booking);
            }
        }
        for booking in held.drain(..second.ends.min(held.len())) {
            let spent = Spent {
                runs: 1,
                peak: Some(second.peak),
                cpu: Duration::from_millis(second.peak % 997),
                wall: Duration::from_secs(1),
                starved: second.peak.is_multiple_of(17),
            };
            drop(on(Event::GiveBack {
                booking,
                spent: Some(spent),
            }));
        }
        if let Some(enabled) = second.order {
            let overrides = vec![Override {
                feature: "standard_work".to_owned(),
                enabled,
                by: "ops".to_owned(),
                reason: "why not".to_owned(),
                remaining: Duration::from_secs(3),
            }];
            drop(on(Event::Order {
                at,
                overrides,
                profile: None,
            }));
        }
    }
    log
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a test are small and positive"
)]
fn tick(second: &Second, at: Duration, busy: f64) -> Tick {
    const TOTAL: u64 = 1 << 30;
    let used = (second.memory.min(1.0) * TOTAL as f64) as u64;
    let sample = RawSample {
        at,
        host: Some(HostMemory {
            total: 4 * TOTAL,
            available: 3 * TOTAL,
        }),
        groups: vec![MemoryGroup {
            limit: Some(TOTAL),
            current: used,
            anon: used,
            ..MemoryGroup::default()
        }],
        cpu: CpuReading {
            used: Some(Duration::from_secs_f64(busy * 1.5)),
            affinity: 2,
            quotas: vec![1.5 / 1.1],
            ..CpuReading::default()
        },
        memory_pressure: Some(Pressure {
            some_total: Duration::from_secs_f64(busy / 31.0),
            some_avg10: second.cpu / 7.0,
            some_avg60: second.memory / 13.0,
            ..Pressure::default()
        }),
        oom_kills: Some(0),
        ..RawSample::default()
    };
    Tick {
        at,
        sample: second.sampled.then_some(sample),
        hour: Some(Hour(at.as_secs() / 20)),
        resident: used / 2,
        ended: (1, u32::from(second.peak.is_multiple_of(5))),
        waited_p95: Some(Duration::from_millis(second.peak % 100_000)),
        workers: 3,
        backlog: 1,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_log_replays_bit_for_bit(seconds in prop::collection::vec(second(), 1..80)) {
        let log = record(&seconds);
        let replayed = replay(&*log, &WhatIf::default()).unwrap();
        prop_assert_eq!(replayed.different, 0, "{:?}", replayed.differences);
        prop_assert_eq!(replayed.events, log.split(|byte| *byte == b'\n').count() - 2);
    }

    #[test]
    fn other_thresholds_can_be_tried_on_any_log(seconds in prop::collection::vec(second(), 1..60)) {
        let log = record(&seconds);
        let what_if = WhatIf { profile: Some(ProfileName::Emergency), ..WhatIf::default() };
        let tried = replay(&*log, &what_if).unwrap();
        prop_assert!(tried.other_thresholds);
        let figures = &tried.figures;
        prop_assert_eq!(figures.granted + figures.blocked.values().sum::<u64>(), figures.asked);
    }
}

fn calm(seconds: usize) -> Vec<Second> {
    vec![
        Second {
            memory: 0.76,
            cpu: 0.2,
            sampled: true,
            asks: vec![(1, 2, 10)],
            ends: 1,
            peak: 1 << 20,
            order: None,
        };
        seconds
    ]
}

#[test]
fn a_lower_threshold_would_have_refused_more() {
    let log = record(&calm(60));
    let plain = replay(&*log, &WhatIf::default()).unwrap();
    let figures = Overrides {
        memory_high: Some(70.0),
        memory_critical: Some(85.0),
        ..Overrides::default()
    };
    let what_if = WhatIf {
        figures,
        ..WhatIf::default()
    };
    let tried = replay(&*log, &what_if).unwrap();
    assert!(
        tried.figures.seconds_at["high"] > 40.0,
        "{:?}",
        tried.figures
    );
    assert!(!plain.figures.seconds_at.contains_key("high"));
    let nonsense = WhatIf {
        figures: Overrides {
            memory_high: Some(99.0),
            ..Overrides::default()
        },
        ..WhatIf::default()
    };
    let error = replay(&*log, &nonsense).unwrap_err().to_string();
    assert!(error.contains("memory_high"), "{error}");
}

#[test]
fn a_log_that_was_cut_short_is_replayed_as_far_as_it_goes() {
    let log = record(&calm(10));
    let cut = replay(&log[..log.len() - 20], &WhatIf::default()).unwrap();
    assert_eq!(cut.different, 0);
    let other = String::from_utf8(log.clone()).unwrap().replacen(
        "\"decision_log\":1",
        "\"decision_log\":9",
        1,
    );
    assert!(
        replay(other.as_bytes(), &WhatIf::default())
            .unwrap_err()
            .to_string()
            .contains("version 9")
    );
    assert!(replay(&b"{}\n"[..], &WhatIf::default()).is_err());
    assert!(replay(&b""[..], &WhatIf::default()).is_err());
}

#[test]
fn a_changed_answer_is_found() {
    let log = String::from_utf8(record(&calm(30))).unwrap();
    let forged = log.replacen("\"granted\":0", "\"granted\":77", 1);
    assert_ne!(log, forged);
    let replayed = replay(forged.as_bytes(), &WhatIf::default()).unwrap();
    assert!(replayed.different >= 1);
    assert!(replayed.differences[0].recorded.contains("77"));
}
