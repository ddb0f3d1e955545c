//! The limit falls at once, comes back slowly, and rests at the cap.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const fn load(at_ms: u64, level: Level) -> Load {
    Load {
        at: Duration::from_millis(at_ms),
        level,
        cpu: Level::Normal,
        in_flight: 10,
        completed: 0,
        workers: 1,
        cpu_floor: 4,
    }
}

/// The limit at each full second of a sequence of levels, one sample a second.
fn limits(limit: &mut Limit, from: u64, levels: &[(Level, u64)]) -> Vec<u32> {
    let mut at = from;
    let mut seen = Vec::new();
    for &(level, seconds) in levels {
        for _ in 0..seconds {
            seen.push(limit.observe(&load(at * 1_000, level)));
            at += 1;
        }
    }
    seen
}

#[test]
fn a_calm_worker_stays_at_the_cap() {
    let mut limit = Limit::new(10, 1);
    let mut completed = 0;
    for at in 0..3_600 {
        completed += at % 17;
        let load = Load {
            completed,
            in_flight: u32::try_from(at % 11).unwrap(),
            level: if at % 7 == 0 {
                Level::Elevated
            } else {
                Level::Normal
            },
            ..load(at * 1_000, Level::Normal)
        };
        assert_eq!(limit.observe(&load), 10);
    }
}

#[test]
fn critical_halves_at_most_once_in_five_seconds() {
    let mut limit = Limit::new(10, 1);
    let seen = limits(&mut limit, 0, &[(Level::Critical, 21)]);
    assert_eq!(seen[..5], [5; 5]);
    assert_eq!((seen[5], seen[10], seen[15], seen[20]), (2, 1, 1, 1));
}

#[test]
fn an_emergency_leaves_one_slot_at_once_and_high_holds() {
    let mut limit = Limit::new(10, 1);
    assert_eq!(limits(&mut limit, 0, &[(Level::High, 5)]), [10; 5]);
    assert_eq!(limits(&mut limit, 5, &[(Level::Emergency, 2)]), [1; 2]);
    assert_eq!(limits(&mut limit, 7, &[(Level::High, 60)]), [1; 60]);
}

#[test]
fn a_slow_start_waits_starts_at_a_quarter_doubles_to_half_then_climbs() {
    let mut limit = Limit::new(40, 7);
    let levels = [(Level::Emergency, 3), (Level::Normal, 60)];
    let seen = limits(&mut limit, 0, &levels);
    assert_eq!(seen[3], 0, "it waits first");
    let open = seen.iter().rposition(|&slots| slots == 0).unwrap() + 1;
    assert_eq!(seen[open..open + 5], [10; 5]);
    assert_eq!(seen[open + 5..open + 8], [20, 21, 22]);
    assert_eq!(*seen.last().unwrap(), 40);
    assert_eq!(limit.stage(), Stage::Calm);
}

#[test]
fn high_stops_a_slow_start_and_a_relapse_begins_lower() {
    let mut limit = Limit::new(40, 7);
    let levels = [(Level::Emergency, 1), (Level::Normal, 3), (Level::High, 30)];
    let seen = limits(&mut limit, 0, &levels);
    assert_eq!(seen[10..], vec![10; seen.len() - 10]);
    let after = limits(&mut limit, 60, &[(Level::Emergency, 1), (Level::Normal, 4)]);
    assert_eq!(
        after.last(),
        Some(&2),
        "a quarter of the ten that it had reached"
    );
}

#[test]
fn a_short_processor_lowers_gently_to_its_floor_and_back() {
    let mut limit = Limit::new(10, 1);
    let mut seen = Vec::new();
    for at in 0..60 {
        let cpu = Level::Critical;
        seen.push(limit.observe(&Load {
            cpu,
            ..load(at * 1_000, Level::Normal)
        }));
    }
    assert_eq!((seen[0], seen[4], seen[5], seen[10]), (9, 9, 8, 7));
    assert_eq!(seen.last(), Some(&4));
    let back = limits(&mut limit, 60, &[(Level::Normal, 10)]);
    assert_eq!((back[0], back[9]), (5, 10));
}

#[test]
fn it_does_not_rise_where_more_has_meant_less_nor_where_nobody_needs_it() {
    // Throughput falls as the limit rises.
    let mut limit = Limit::new(20, 1);
    let mut completed = 0;
    let mut at = 0;
    while limit.slots() > 4 {
        let cpu = Level::High;
        limit.observe(&Load {
            cpu,
            completed,
            ..load(at * 1_000, Level::Normal)
        });
        completed += u64::from(100 - 4 * limit.slots());
        at += 1;
    }
    let low = limit.slots();
    assert!(limit.covariance() < 0.0);
    assert_eq!(
        limit.observe(&Load {
            completed,
            ..load(at * 1_000, Level::Normal)
        }),
        low
    );
    // An idle one has no need.
    let mut idle = Limit::new(20, 1);
    idle.observe(&Load {
        cpu: Level::High,
        ..load(0, Level::Normal)
    });
    for at in 1..30 {
        let slots = idle.observe(&Load {
            in_flight: 3,
            ..load(at * 1_000, Level::Normal)
        });
        assert_eq!(slots, 18);
    }
}

#[test]
fn the_jitter_differs_between_workers_and_is_within_its_bounds() {
    let waits: Vec<_> = (0..1_000)
        .map(|seed| {
            let mut limit = Limit::new(10, seed);
            limit.reopen(Duration::ZERO, 64);
            match limit.stage() {
                Stage::Waiting { until, .. } => until,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert!(waits.iter().all(|&wait| wait < LONGEST_WAIT));
    for tenth in 0..10 {
        let range = Duration::from_secs(tenth)..Duration::from_secs(tenth + 1);
        let count = waits.iter().filter(|&wait| range.contains(wait)).count();
        assert!(
            (60..140).contains(&count),
            "{count} of 1000 in second {tenth}"
        );
    }
    let mut alone = Limit::new(10, 3);
    alone.reopen(Duration::ZERO, 1);
    assert_eq!(alone.observe(&load(300, Level::Normal)), 2);
}

/// Virtual seconds: how many tasks a fleet of 64 starts in its busiest second
/// after a release, each task lasting 10 s, with endless work waiting.
fn peak(slow_start: bool) -> u32 {
    let mut fleet: Vec<_> = (0..64).map(|seed| Limit::new(10, seed)).collect();
    let mut running = vec![Vec::<u64>::new(); fleet.len()];
    let mut starts = vec![0_u32; 60];
    for at in 0..60_000 / 200 {
        let ms = at * 200;
        for (limit, running) in fleet.iter_mut().zip(&mut running) {
            if at == 0 && slow_start {
                limit.reopen(Duration::ZERO, 64);
            }
            running.retain(|&ends| ends > ms);
            let in_flight = u32::try_from(running.len()).unwrap();
            let slots = limit.observe(&Load {
                in_flight,
                workers: 64,
                ..load(ms, Level::Normal)
            });
            for _ in in_flight..slots {
                running.push(ms + 10_000);
                starts[usize::try_from(ms / 1_000).unwrap()] += 1;
            }
        }
    }
    let all = running.iter().map(Vec::len).sum::<usize>();
    assert_eq!(all, 640, "everybody works again at the end");
    *starts.iter().max().unwrap()
}

#[test]
fn a_fleet_released_from_a_pause_is_no_herd() {
    let (herd, slow) = (peak(false), peak(true));
    println!("busiest second of 64 workers: {herd} starts at once, {slow} with slow start");
    assert_eq!(herd, 640);
    assert!(slow <= 160, "{slow}: a quarter of the herd at most");
}

fn level() -> impl Strategy<Value = Level> {
    (0..5_usize).prop_map(|rank| Level::ALL[rank])
}

proptest! {
    /// Whatever happens: within bounds, never more than doubled by one sample
    /// (or one up), and back at the cap after enough calm with work to do.
    #[test]
    fn bounds_pace_and_recovery(
        cap in 1_u32..100,
        seed in any::<u64>(),
        steps in prop::collection::vec((level(), level(), 100_u64..3_000, 0_u32..100), 1..200),
    ) {
        let mut limit = Limit::new(cap, seed);
        let mut at = 0;
        for (level, cpu, after, in_flight) in steps {
            at += after;
            let before = limit.slots();
            let slots = limit.observe(&Load { cpu, in_flight, ..load(at, level) });
            prop_assert!(slots <= cap);
            let waits = matches!(limit.stage(), Stage::Waiting { .. });
            prop_assert!(slots >= 1 || waits);
            prop_assert!(before == 0 || slots <= (before * 2).max(before + 1));
            if level == Level::Emergency {
                prop_assert_eq!(slots, 1);
            }
        }
        for _ in 0..300 {
            at += 1_000;
            limit.observe(&Load { in_flight: limit.slots(), ..load(at, Level::Normal) });
        }
        prop_assert_eq!(limit.slots(), cap);
    }
}
