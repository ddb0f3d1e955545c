use std::time::Instant;

use proptest::prelude::*;
use shared::model::ProfileName;

use super::*;
use crate::profile::Profile;

const LIMIT: u64 = 10 << 30;
const HARD: u64 = LIMIT / 100 * 98;

fn thresholds(name: ProfileName) -> Thresholds {
    Profile::preset(name).thresholds
}

fn balanced() -> Levels {
    Levels::new(&thresholds(ProfileName::Balanced))
}

fn calm(ms: u64) -> Measured {
    Measured {
        at: Duration::from_millis(ms),
        limit: LIMIT,
        memory: 0.40,
        cpu: Some(0.20),
        disk: Some(0.30),
        disk_bytes: Some((700 << 30, 1000 << 30)),
        memory_some: Some(0.0),
        memory_full: Some(0.0),
        memory_some_avg: Some((0.0, 0.0)),
        lateness_p99: Some(Duration::from_millis(1)),
        known: true,
        ..Measured::default()
    }
}

/// Plays seconds `from..to`, each shaped by `shape`, and gives the last
/// judgement and all overall transitions.
fn play(
    levels: &mut Levels,
    seconds: std::ops::Range<u64>,
    shape: impl Fn(u64, &mut Measured),
) -> (Judgement, Vec<Transition>) {
    let mut seen = Vec::new();
    let mut last = None;
    for second in seconds {
        let mut m = calm(second * 1000);
        shape(second, &mut m);
        let judgement = levels.observe(&m, HARD, false);
        seen.extend(judgement.transitions.iter().copied());
        last = Some(judgement);
    }
    seen.retain(|t| t.resource.is_none());
    (last.unwrap(), seen)
}

/// Second and level of each transition.
fn steps(transitions: &[Transition]) -> Vec<(u64, Level)> {
    let step = |t: &Transition| (t.at.as_secs(), t.to);
    transitions.iter().map(step).collect()
}

#[test]
fn one_sample_above_high_is_nothing_and_three_are_high_once() {
    let spike = |width: u64| {
        let mut levels = balanced();
        let shape = |s: u64, m: &mut Measured| {
            m.memory = if (10..10 + width).contains(&s) {
                0.86
            } else {
                0.60
            };
        };
        steps(&play(&mut levels, 0..90, shape).1)
    };
    assert_eq!(spike(1), []);
    // The third and last high sample is at 12 s; below 75 % from 13 s on.
    // The smoothed value is below 65 % four seconds later.
    let expected = [
        (11, Level::High),
        (28, Level::Elevated),
        (32, Level::Normal),
    ];
    assert_eq!(spike(3), expected);
}

#[test]
fn oscillation_within_the_margin_is_one_transition() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| {
        m.memory = 0.80 + 0.02 * (s as f64 * 0.7).sin();
    };
    let (last, seen) = play(&mut levels, 0..900, shape);
    let counted = seen.iter().filter(|t| t.counts()).count();
    assert_eq!((counted, last.level, last.locked), (1, Level::High, false));
}

#[test]
fn memory_leaves_step_by_step() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| {
        m.memory = match s {
            0..5 => 0.60,
            5..60 => 0.93,
            60..120 => 0.76,  // below critical - 5, not below high - 5
            120..180 => 0.66, // below high - 5, not below high - 15
            _ => 0.50,
        };
    };
    let (_, seen) = play(&mut levels, 0..260, shape);
    let levels_seen: Vec<Level> = seen.iter().map(|t| t.to).collect();
    let expected = [Level::Critical, Level::High, Level::Elevated, Level::Normal];
    assert_eq!(levels_seen, expected, "{seen:?}");
    // 0.93 falls with 5 s towards 0.76: below 0.87 after 2.2 s, then 10 s.
    assert_eq!(steps(&seen)[1].0, 72);
    assert_eq!(seen[1].rule, Rule::AboveHigh);
}

/// The value falls at once below every exit: critical lasts its 10 s, high its
/// 15 s, counted from the same moment.
#[test]
fn dwells_of_all_rungs_run_together() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| {
        m.memory = if s == 10 { 0.95 } else { 0.20 };
    };
    let (_, seen) = play(&mut levels, 0..60, shape);
    let expected = [
        (10, Level::Critical),
        (21, Level::High),
        (26, Level::Normal),
    ];
    assert_eq!(steps(&seen), expected);
}

#[test]
fn memory_at_the_hard_limit_is_an_emergency_even_below_the_profile() {
    let mut levels = Levels::new(&thresholds(ProfileName::Development));
    let limit = 512 << 20;
    let hard = limit - (32 << 20); // 93.75 %, below the profile's 98 %
    let at = |ms: u64, memory: f64| Measured {
        limit,
        memory,
        ..calm(ms)
    };
    let judged = levels.observe(&at(0, 0.95), hard, false);
    assert_eq!(judged.level, Level::Emergency);
    assert_eq!(
        (judged.by, judged.rule),
        (Some(Resource::Memory), Rule::AtHardLimit)
    );
    // High is 88.75 % here, five points below critical.
    let mut other = Levels::new(&thresholds(ProfileName::Development));
    let _seen = other.observe(&at(0, 0.89), hard, false);
    assert_eq!(
        other.observe(&at(1000, 0.89), hard, false).level,
        Level::High
    );
}

#[test]
fn a_kill_is_an_emergency_for_a_minute() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| m.oom_kills = u64::from(s == 10);
    let (_, seen) = play(&mut levels, 0..120, shape);
    assert_eq!(steps(&seen), [(10, Level::Emergency), (71, Level::Normal)]);
    assert_eq!(seen[0].rule, Rule::OutOfMemoryKill);
    // Also where the use of memory is not known.
    let mut blind = balanced();
    let shape = |s: u64, m: &mut Measured| {
        m.memory = f64::NAN;
        m.oom_kills = u64::from(s == 10);
    };
    let (last, seen) = play(&mut blind, 0..120, shape);
    assert_eq!(steps(&seen), [(10, Level::Emergency), (71, Level::Normal)]);
    assert!(last.of(Resource::Memory).held);
}

#[test]
fn the_processor_is_judged_late_and_never_above_critical() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| {
        m.cpu = Some(if (20..120).contains(&s) { 5.0 } else { 0.2 });
    };
    let (_, seen) = play(&mut levels, 0..300, shape);
    assert!(seen.iter().all(|t| t.to <= Level::Critical), "{seen:?}");
    // 5.0 is smoothed past 90 % within 2 s and must stay there for 5 s.
    assert!(steps(&seen).contains(&(26, Level::Critical)), "{seen:?}");
    assert_eq!(seen.last().unwrap().to, Level::Normal);
    // 78 %, reached slowly: high after it lasted for 10 s, not before.
    let mut levels = balanced();
    let shape = |_: u64, m: &mut Measured| m.cpu = Some(0.78);
    let (last, seen) = play(&mut levels, 0..60, shape);
    assert_eq!(steps(&seen), [(5, Level::Elevated), (10, Level::High)]);
    assert_eq!(last.level_without(Resource::Cpu), Level::Normal);
}

#[test]
fn a_late_heartbeat_is_critical_after_five_seconds() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| {
        let late = if (10..30).contains(&s) { 51 } else { 20 };
        m.lateness_p99 = Some(Duration::from_millis(late));
    };
    let (_, seen) = play(&mut levels, 0..80, shape);
    let expected = [(15, Level::Critical), (45, Level::Normal)];
    // The rungs below leave with it: the load itself was always low.
    assert_eq!(steps(&seen), expected);
    assert_eq!(seen[0].rule, Rule::Late);
}

#[test]
fn stalls_count_only_when_memory_is_half_used() {
    let stalling = |memory: f64| {
        let mut levels = balanced();
        let shape = |s: u64, m: &mut Measured| {
            m.memory = memory;
            m.memory_some = Some(if (5..10).contains(&s) { 0.10 } else { 0.0 });
        };
        steps(&play(&mut levels, 0..60, shape).1)
    };
    assert_eq!(stalling(0.49), []);
    assert_eq!(stalling(0.51), [(5, Level::High), (40, Level::Normal)]);
}

#[test]
fn a_full_stall_and_a_long_one_are_critical() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| m.memory_full = Some(if s == 5 { 0.06 } else { 0.0 });
    let (_, seen) = play(&mut levels, 0..60, shape);
    assert_eq!(steps(&seen)[0], (5, Level::Critical));
    assert_eq!(seen[0].rule, Rule::AllStall);
    let long = |ease: f64| {
        let mut levels = balanced();
        let shape = |s: u64, m: &mut Measured| {
            let avg10 = 0.90 * ease.powi(i32::try_from(s / 2).unwrap());
            m.memory_some_avg = Some((avg10, 0.30));
        };
        // The first sample has nothing before it, so it cannot ease.
        play(&mut levels, 0..10, shape).0
    };
    assert_eq!(long(0.95).of(Resource::Pressure).rule, Rule::LongStall);
    assert!(
        long(0.95)
            .of(Resource::Pressure)
            .leave
            .unwrap()
            .lasted
            .is_zero()
    );
    assert!(
        !long(0.80)
            .of(Resource::Pressure)
            .leave
            .unwrap()
            .lasted
            .is_zero()
    );
}

#[test]
fn a_disk_is_judged_by_share_and_by_what_is_left() {
    let mut levels = balanced();
    let shape = |s: u64, m: &mut Measured| m.disk = Some(if s >= 20 { 0.86 } else { 0.30 });
    let (last, seen) = play(&mut levels, 0..60, shape);
    assert_eq!(steps(&seen), [(30, Level::High)]);
    assert_eq!(last.by, Some(Resource::Disk));
    let free = |bytes: u64| {
        let mut levels = balanced();
        let shape = |_: u64, m: &mut Measured| m.disk_bytes = Some((bytes, 1000 << 30));
        play(&mut levels, 0..3, shape).0.level
    };
    assert_eq!(free(11 << 30), Level::Normal);
    assert_eq!(free(9 << 30), Level::Emergency); // below 1 %
    let small = Measured {
        disk_bytes: Some(((1 << 30) - 1, 20 << 30)),
        ..calm(0)
    };
    assert_eq!(
        balanced().observe(&small, HARD, false).level,
        Level::Emergency
    );
}

#[test]
fn flapping_makes_every_exit_three_times_as_long() {
    let mut levels = balanced();
    // High for 5 s in every 60 s: two transitions a minute.
    let shape = |s: u64, m: &mut Measured| {
        m.memory = if s < 300 && s % 60 < 5 { 0.82 } else { 0.50 };
    };
    let (_, seen) = play(&mut levels, 0..1200, shape);
    let counted: Vec<(u64, Level)> = steps(
        &seen
            .into_iter()
            .filter(Transition::counts)
            .collect::<Vec<_>>(),
    );
    assert_eq!(counted[3].0 - counted[2].0, 19); // 15 s after the last high sample
    let locked: Vec<u64> = counted.iter().skip(4).map(|c| c.0).collect();
    assert_eq!(
        locked[1] - locked[0],
        49,
        "45 s after the last high sample: {counted:?}"
    );
    assert_eq!(counted.len(), 10);
    // Ten calm minutes later the lock is open.
    let last = counted.last().unwrap().0;
    assert!(levels.flaps.is_locked(Duration::from_secs(last + 599)));
    assert!(!levels.flaps.is_locked(Duration::from_secs(last + 600)));
}

#[test]
fn what_is_missing_changes_nothing() {
    let mut levels = balanced();
    let (before, _) = play(&mut levels, 0..30, |_, m| {
        m.memory = 0.85;
        m.cpu = Some(0.80);
        m.disk = Some(0.90);
        m.memory_some = Some(0.3);
    });
    let (after, seen) = play(&mut levels, 30..400, |_, m| {
        m.memory = f64::NAN;
        m.cpu = None;
        m.disk = None;
        m.disk_bytes = None;
        m.memory_some = None;
        m.memory_full = None;
        m.memory_some_avg = None;
        m.lateness_p99 = None;
    });
    assert!(seen.is_empty(), "{seen:?}");
    for (before, after) in before.standings.iter().zip(&after.standings) {
        assert_eq!((before.level, before.rule), (after.level, after.rule));
        assert_eq!(before.value, after.value);
        assert!(after.held && !before.held);
    }
}

/// Calm, then ten minutes without a sample, then calm: two calm samples do not
/// prove that it was calm in between.
#[test]
fn a_hole_breaks_a_run() {
    let mut levels = balanced();
    let _seen = play(&mut levels, 0..5, |_, m| m.memory = 0.95);
    let _seen = levels.observe(&calm(30_000), HARD, false);
    assert_eq!(
        levels.observe(&calm(600_000), HARD, false).level,
        Level::Critical
    );
    assert_eq!(
        play(&mut levels, 601..616, |_, _| ()).0.level,
        Level::Normal
    );
}

#[test]
fn another_profile_judges_from_its_own_evidence() {
    let mut levels = balanced();
    let (judged, _) = play(&mut levels, 0..30, |_, m| m.memory = 0.82);
    assert_eq!(judged.level, Level::High);
    levels.set_thresholds(&thresholds(ProfileName::Development)); // high 90 %
    let (_, seen) = play(&mut levels, 30..60, |_, m| m.memory = 0.82);
    assert_eq!(steps(&seen), [(45, Level::Elevated)]);
    levels.set_thresholds(&thresholds(ProfileName::Emergency)); // high 70, critical 85 %
    let (_, seen) = play(&mut levels, 60..70, |_, m| m.memory = 0.82);
    assert_eq!(steps(&seen), [(61, Level::High)]);
}

#[test]
fn a_forecast_lifts_normal_to_elevated_and_no_further() {
    let mut levels = balanced();
    let judged = levels.observe(&calm(0), HARD, true);
    assert_eq!(
        (judged.level, judged.by, judged.rule),
        (Level::Elevated, None, Rule::Predicted)
    );
    let (_, seen) = play(&mut levels, 1..30, |_, _| ());
    assert_eq!(steps(&seen), [(16, Level::Normal)]);
    let (last, _) = play(&mut levels, 30..60, |_, m| m.memory = 0.85);
    assert_eq!(last.level, Level::High);
}

/// At 200 ms and at 2 s the same ramp is judged alike, within a sample or two.
#[test]
fn the_pace_of_sampling_does_not_change_the_meaning() {
    let entered = |step_ms: u64| {
        let mut levels = balanced();
        (0..120_000 / step_ms).map(|k| k * step_ms).find(|ms| {
            let m = Measured {
                memory: 0.5 + 0.45 * *ms as f64 / 120_000.0,
                ..calm(*ms)
            };
            levels.observe(&m, HARD, false).level == Level::High
        })
    };
    for step in [200, 500, 1000, 2000] {
        let at = entered(step).unwrap();
        assert!((80_000..=80_000 + 2 * step).contains(&at), "{step}: {at}");
    }
}

#[test]
fn a_judgement_survives_its_record() {
    let mut levels = balanced();
    let (judged, _) = play(&mut levels, 0..10, |_, m| m.memory = 0.95);
    let text = serde_json::to_string(&judged).unwrap();
    assert_eq!(serde_json::from_str::<Judgement>(&text).unwrap(), judged);
}

#[test]
fn judging_costs_microseconds() {
    let mut levels = balanced();
    let count = 20_000_u32;
    let start = Instant::now();
    for k in 0..u64::from(count) {
        let mut m = calm(k * 1000);
        m.memory = 0.5 + 0.4 * ((k % 97) as f64 / 97.0);
        let _seen = std::hint::black_box(levels.observe(&m, HARD, false));
    }
    let each = start.elapsed() / count;
    println!("Levels::observe: {each:?} each (unoptimised build)");
    assert!(each < Duration::from_millis(1), "{each:?}");
}

proptest! {
    /// Noise that is narrower than the margin never leads down, and leads up
    /// at most once per threshold: around a single one, at most one transition.
    #[test]
    fn noise_within_the_margin_is_at_most_one_transition(
        centre in 0.60_f64..0.97,
        noise in proptest::collection::vec(-0.0249_f64..0.0249, 50..400),
        step in prop::sample::select(vec![200_u64, 1000, 2000]),
    ) {
        let mut levels = balanced();
        let mut counted = Vec::new();
        for (k, offset) in noise.iter().enumerate() {
            let m = Measured { memory: centre + offset, ..calm(k as u64 * step) };
            let judged = levels.observe(&m, HARD, false);
            counted.extend(judged.transitions.into_iter().filter(|t| t.resource.is_none() && t.counts()));
        }
        prop_assert!(counted.iter().all(|t| t.to > t.from), "{counted:?}");
        if centre < 0.88 {
            prop_assert!(counted.len() <= 1, "{counted:?}");
        }
    }

    /// The same for the processor and its margin of ten points.
    #[test]
    fn noise_of_the_processor_is_at_most_one_transition(
        centre in 0.50_f64..0.80,
        noise in proptest::collection::vec(-0.0499_f64..0.0499, 50..400),
    ) {
        let mut levels = balanced();
        let mut counted = 0;
        for (k, offset) in noise.iter().enumerate() {
            let m = Measured { cpu: Some(centre + offset), ..calm(k as u64 * 1000) };
            let judged = levels.observe(&m, HARD, false);
            counted += judged.transitions.iter().filter(|t| t.resource.is_none() && t.counts()).count();
        }
        prop_assert!(counted <= 1);
    }

    /// Whatever happened: below every exit for the longest dwell (60 s, three
    /// times as long under the flap lock, and the filters' time to fall), a
    /// worker is normal again. And the same events give the same judgements.
    #[test]
    fn a_worker_gets_out_by_itself(
        events in proptest::collection::vec(
            (1_u64..4000, 0.0_f64..1.1, 0.0_f64..4.0, 0.0_f64..1.0, 0.0_f64..1.0, 0_u64..20, any::<bool>()),
            1..300,
        ),
    ) {
        let (mut levels, mut twin) = (balanced(), balanced());
        let mut now = 0;
        for (pause, memory, cpu, disk, stall, kills, predicted) in events {
            now += pause;
            let m = Measured {
                memory,
                cpu: Some(cpu).filter(|v| *v < 3.5),
                disk: Some(disk),
                memory_some: Some(stall),
                memory_full: Some(stall / 2.0),
                oom_kills: u64::from(kills == 0),
                ..calm(now)
            };
            let judged = levels.observe(&m, HARD, predicted);
            prop_assert_eq!(&judged, &twin.observe(&m, HARD, predicted));
            prop_assert_eq!(judged.level, judged.standings.iter().map(|s| s.level)
                .fold(if judged.predicted { Level::Elevated } else { Level::Normal }, Level::max));
            prop_assert!(judged.of(Resource::Cpu).level <= Level::Critical);
        }
        for _ in 0..240 {
            now += 1000;
            let _seen = levels.observe(&calm(now), HARD, false);
        }
        prop_assert_eq!(levels.level(), Level::Normal);
    }
}
