//! The parts together: samples in, answers out.

use std::time::Duration;

use shared::model::{Category, Level, Priority, ProfileName};

use super::{Governor, Kind, Setup, Spent, Tick};
use crate::{
    admission::{Booking, Resource, Verdict},
    estimate::Declared,
    feature::Override,
    history::Retention,
    profile::Profile,
    sample::{CpuReading, HostMemory, RawSample},
};

const MIB: u64 = 1 << 20;
const ESSENTIAL: u16 = 0;
const STANDARD: u16 = 1;
const EXPERIMENTAL: u16 = 2;

fn kind(name: &str, category: Category) -> Kind {
    Kind {
        name: name.to_owned(),
        category,
        declared: Declared {
            bytes: Some(MIB),
            cores: None,
        },
    }
}

fn governor() -> Governor {
    Governor::new(Setup {
        worker: "w-1".to_owned(),
        kinds: vec![
            kind("grant_timeline", Category::Essential),
            kind("relationship_mapping", Category::Standard),
            kind("excel_processing", Category::Experimental),
        ],
        profile: Profile::preset(ProfileName::Balanced),
        concurrency: 10,
        seed: 7,
        retention: Retention::default(),
    })
    .unwrap()
}

/// A machine of 1,000 MiB with so much in use, two cores of which a share is
/// busy.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a test are small and positive"
)]
fn tick(at: u64, memory: f64, cpu: f64) -> Tick {
    let total = 1000 * MIB;
    let used = (memory * 1000.0) as u64 * MIB;
    let seconds = |share: f64| Duration::from_secs_f64(share * at as f64);
    Tick {
        at: Duration::from_secs(at),
        sample: Some(RawSample {
            at: Duration::from_secs(at),
            host: Some(HostMemory {
                total,
                available: total - used,
            }),
            cpu: CpuReading {
                used: Some(seconds(2.0 * cpu)),
                host_busy: Some(seconds(2.0 * cpu)),
                host_total: Some(seconds(2.0)),
                affinity: 2,
                quotas: Vec::new(),
            },
            ..RawSample::default()
        }),
        workers: 1,
        ..Tick::default()
    }
}

/// Samples from one second to another.
fn run(governor: &mut Governor, seconds: std::ops::Range<u64>, memory: f64, cpu: f64) {
    for at in seconds {
        drop(governor.tick(&tick(at, memory, cpu)));
    }
}

fn ask(
    governor: &mut Governor,
    at: u64,
    kind: u16,
    priority: Priority,
) -> Result<Booking, Resource> {
    match governor.ask(Duration::from_secs(at), kind, priority) {
        Verdict::Granted(booking, _) => Ok(booking),
        Verdict::Blocked(shortage) => Err(shortage.resource),
    }
}

#[test]
fn a_calm_worker_fills_its_slots_and_urgent_work_goes_on_top() {
    let mut governor = governor();
    run(&mut governor, 1..5, 0.2, 0.1);
    for _ in 0..10 {
        ask(&mut governor, 5, STANDARD, Priority::Medium).unwrap();
    }
    assert_eq!(
        ask(&mut governor, 5, STANDARD, Priority::Medium),
        Err(Resource::Slots)
    );
    assert!(ask(&mut governor, 5, ESSENTIAL, Priority::Critical).is_ok());
    assert_eq!(governor.slots().0, 11);
    assert_eq!(governor.most(), 13);
}

#[test]
fn nothing_is_granted_between_the_deciding_sample_and_relief() {
    let mut governor = governor();
    run(&mut governor, 1..5, 0.2, 0.1);
    assert!(ask(&mut governor, 5, STANDARD, Priority::Low).is_ok());
    run(&mut governor, 5..7, 0.95, 0.1);
    assert_eq!(governor.level(), Level::Critical);
    for kind in [STANDARD, EXPERIMENTAL] {
        assert_eq!(
            ask(&mut governor, 7, kind, Priority::Low),
            Err(Resource::Feature),
            "standard goes off at critical, experimental long before"
        );
    }
    let essential = ask(&mut governor, 7, ESSENTIAL, Priority::Medium);
    assert_eq!(essential, Err(Resource::Memory), "on, but there is no room");
}

#[test]
fn an_order_counts_at_once_and_ends_by_itself() {
    let mut governor = governor();
    run(&mut governor, 1..5, 0.2, 0.1);
    let off = Override {
        feature: "relationship_mapping".to_owned(),
        enabled: false,
        by: "ops".to_owned(),
        reason: "a bad release".to_owned(),
        remaining: Duration::from_mins(1),
    };
    let changes = governor.order(Duration::from_secs(5), &[off], None);
    assert_eq!((changes.len(), changes[0].enabled), (1, false));
    for priority in Priority::ALL {
        assert_eq!(
            ask(&mut governor, 5, STANDARD, priority),
            Err(Resource::Feature),
            "an operator binds every task"
        );
    }
    run(&mut governor, 6..67, 0.2, 0.1);
    assert!(ask(&mut governor, 67, STANDARD, Priority::Low).is_ok());
}

#[test]
fn the_emergency_profile_leaves_essential_work_and_goes_back() {
    let mut governor = governor();
    run(&mut governor, 1..5, 0.2, 0.1);
    drop(governor.order(Duration::from_secs(5), &[], Some(ProfileName::Emergency)));
    assert!(ask(&mut governor, 5, ESSENTIAL, Priority::Low).is_ok());
    assert!(ask(&mut governor, 5, STANDARD, Priority::Critical).is_err());
    drop(governor.order(Duration::from_secs(6), &[], None));
    run(&mut governor, 6..8, 0.2, 0.1);
    assert!(ask(&mut governor, 8, STANDARD, Priority::Medium).is_ok());
}

#[test]
fn a_busy_host_alone_never_starves_an_idle_worker() {
    let mut governor = governor();
    run(&mut governor, 1..120, 0.2, 1.0);
    assert!(governor.level() >= Level::High, "{}", governor.level());
    assert!(governor.level() <= Level::Critical);
    for kind in [ESSENTIAL, STANDARD, EXPERIMENTAL] {
        let booking = ask(&mut governor, 120, kind, Priority::Low).unwrap();
        governor.give_back(booking, None);
    }
    ask(&mut governor, 121, STANDARD, Priority::Low).unwrap();
    run(&mut governor, 121..123, 0.2, 1.0);
    assert_eq!(
        ask(&mut governor, 123, EXPERIMENTAL, Priority::Low),
        Err(Resource::Feature),
        "next to running work it waits"
    );
}

#[test]
fn a_silent_monitor_stops_ordinary_work_and_says_so() {
    let mut governor = governor();
    run(&mut governor, 1..5, 0.2, 0.1);
    let silent = |at| Tick {
        at: Duration::from_secs(at),
        ..Tick::default()
    };
    let notes: Vec<_> = (5..12)
        .flat_map(|at| governor.tick(&silent(at)).notes)
        .collect();
    assert!(
        notes.iter().any(|note| note.key.ends_with("monitor_blind")),
        "{notes:?}"
    );
    assert_eq!(
        ask(&mut governor, 12, STANDARD, Priority::Low),
        Err(Resource::Stale)
    );
    assert!(ask(&mut governor, 12, ESSENTIAL, Priority::Critical).is_ok());
}

#[test]
fn what_runs_cost_is_learned_and_what_is_too_large_is_known() {
    let mut governor = governor();
    run(&mut governor, 1..5, 0.2, 0.1);
    for at in 5..25 {
        let booking = ask(&mut governor, at, STANDARD, Priority::Medium).unwrap();
        governor
            .resize(Duration::from_secs(at), booking, 20)
            .unwrap();
        let spent = Spent {
            runs: 1,
            peak: Some(300 * MIB),
            cpu: Duration::from_millis(900),
            wall: Duration::from_secs(1),
            starved: false,
        };
        governor.give_back(booking, Some(&spent));
        drop(governor.tick(&tick(at, 0.1, 0.1)));
    }
    let report = governor.report(Duration::from_secs(25));
    let load = &report.types[usize::from(STANDARD)];
    assert!(load.learned && load.bytes >= 300 * MIB, "{load:?}");
    assert!(ask(&mut governor, 25, STANDARD, Priority::Medium).is_ok());
    assert_eq!(
        ask(&mut governor, 25, STANDARD, Priority::Medium).err(),
        None,
        "two of 345 MiB beside 100 stay below 87 % of 1,000"
    );
    assert_eq!(
        ask(&mut governor, 25, STANDARD, Priority::Medium),
        Err(Resource::Memory)
    );
    assert!(!report.features.is_empty() && report.known);
}
