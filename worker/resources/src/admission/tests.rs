//! The rules of admission, one by one.

use super::*;

const MIB: u64 = 1 << 20;

/// A worker of 1,000 MiB and four processors in the balanced profile, calm.
fn calm() -> Conditions {
    Conditions {
        at: Duration::ZERO,
        stale_after: Duration::from_secs(3),
        used: 100 * MIB,
        limit: 1_000 * MIB,
        hard: 960 * MIB,
        critical: 920 * MIB,
        high: 800 * MIB,
        cores: 4.0,
        known: true,
        slots: 10,
        cpu_weight_cap: 2.0,
        reserve: 0.05,
        shares: [
            Share::Slots(1.0),
            Share::Slots(1.0),
            Share::Slots(1.0),
            Share::Slots(0.25),
        ],
        off: vec![Off::No; 8],
    }
}

fn used(mib: u64) -> Conditions {
    Conditions {
        used: mib * MIB,
        ..calm()
    }
}

/// A standard task of medium priority of which enough is known.
fn task(kind: u16, mib: u64) -> Question {
    Question {
        kind,
        priority: Priority::Medium,
        category: Category::Standard,
        estimate: Estimate {
            bytes: mib * MIB,
            ..Estimate::NOTHING
        },
        now: Duration::ZERO,
    }
}

fn of(category: Category, mib: u64) -> Question {
    Question {
        category,
        ..task(0, mib)
    }
}

fn urgent(kind: u16, mib: u64) -> Question {
    Question {
        priority: Priority::High,
        ..task(kind, mib)
    }
}

fn busy(cores: f64) -> Question {
    let mut question = task(0, 0);
    question.estimate.cores = cores;
    question.estimate.cpu_bound = true;
    question
}

fn unknown(kind: u16, mib: u64) -> Question {
    let mut question = task(kind, mib);
    question.estimate.samples = 0;
    question.estimate.basis = crate::estimate::Basis::Declared;
    question
}

fn later(question: Question, millis: u64) -> Question {
    Question {
        now: Duration::from_millis(millis),
        ..question
    }
}

/// A ledger that has seen 100 MiB in use with nothing booked.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new(8, 13);
    ledger.observe(Duration::ZERO, 100 * MIB);
    ledger
}

fn granted(ledger: &mut Ledger, question: &Question, conditions: &Conditions) -> (Booking, Terms) {
    match ledger.ask(question, conditions) {
        Verdict::Granted(booking, terms) => (booking, terms),
        Verdict::Blocked(shortage) => panic!("{shortage:?}: {shortage}"),
    }
}

fn short(ledger: &mut Ledger, question: &Question, conditions: &Conditions) -> Resource {
    match ledger.ask(question, conditions) {
        Verdict::Granted(_, terms) => panic!("{terms:?}"),
        Verdict::Blocked(shortage) => {
            assert!(shortage.value > shortage.limit || shortage.resource == Resource::Settling);
            assert!(!shortage.to_string().is_empty());
            shortage.resource
        }
    }
}

#[test]
fn ten_tasks_that_need_nothing_run_at_once_and_an_eleventh_does_not() {
    let mut ledger = ledger();
    for _ in 0..10 {
        granted(&mut ledger, &task(0, 0), &calm());
    }
    assert_eq!(short(&mut ledger, &task(0, 0), &calm()), Resource::Slots);
}

#[test]
fn what_was_promised_counts_before_it_shows() {
    let mut ledger = ledger();
    for _ in 0..3 {
        granted(&mut ledger, &task(0, 250), &calm());
    }
    // 100 + 3 x 250 + 250 is above 920 - 50, although only 100 are in use.
    assert_eq!(short(&mut ledger, &task(0, 250), &calm()), Resource::Memory);
    granted(&mut ledger, &task(1, 20), &calm());
}

#[test]
fn what_is_measured_counts_although_nobody_promised_it() {
    let mut ledger = ledger();
    granted(&mut ledger, &task(0, 10), &calm());
    assert_eq!(
        short(&mut ledger, &task(0, 10), &used(865)),
        Resource::Memory
    );
    granted(&mut ledger, &task(0, 10), &used(860));
}

#[test]
fn each_class_has_its_ceiling() {
    let ledger = ledger();
    let ceiling = |priority, category| ledger.ceiling(priority, category, &calm()) / MIB;
    assert_eq!(ceiling(Priority::Critical, Category::Experimental), 960);
    assert_eq!(ceiling(Priority::High, Category::Standard), 960);
    assert_eq!(ceiling(Priority::Medium, Category::Essential), 870);
    assert_eq!(ceiling(Priority::Low, Category::Standard), 870);
    assert_eq!(ceiling(Priority::Low, Category::Advanced), 750);
    assert_eq!(ceiling(Priority::Low, Category::Experimental), 700);
}

#[test]
fn the_reserve_follows_the_size_of_critical_tasks_and_is_used_by_them() {
    let mut ledger = ledger();
    let critical = Question {
        priority: Priority::Critical,
        ..task(1, 60)
    };
    let standard =
        |ledger: &Ledger| ledger.ceiling(Priority::Low, Category::Standard, &calm()) / MIB;
    let (booking, _) = granted(&mut ledger, &critical, &calm());
    assert_eq!(standard(&ledger), 920 - (120 - 60));
    ledger.give_back(booking);
    assert_eq!(standard(&ledger), 920 - 120);
    let mut none = calm();
    none.reserve = 0.0;
    assert_eq!(
        ledger.ceiling(Priority::Low, Category::Standard, &none),
        920 * MIB
    );
}

#[test]
fn an_idle_worker_makes_progress_below_the_hard_limit_alone() {
    let mut ledger = ledger();
    let (_, terms) = granted(&mut ledger, &of(Category::Experimental, 850), &calm());
    assert!(terms.progress && terms.projected > terms.ceiling);
    // But only one, and not at the hard limit.
    assert_eq!(short(&mut ledger, &task(1, 1), &calm()), Resource::Memory);
    let mut idle = self::ledger();
    granted(&mut idle.clone(), &task(0, 10), &used(959));
    assert_eq!(short(&mut idle, &task(0, 10), &used(960)), Resource::Memory);
    assert_eq!(idle.shut_since(Duration::ZERO), Some(Duration::ZERO));
}

#[test]
fn too_large_is_what_could_never_run_here() {
    let mut ledger = ledger();
    assert_eq!(ledger.ever(&calm()), 860 * MIB);
    granted(&mut ledger.clone(), &task(0, 860), &calm());
    assert_eq!(
        short(&mut ledger, &task(0, 861), &calm()),
        Resource::TooLarge
    );
    assert_eq!(
        ledger.shut_since(Duration::ZERO),
        None,
        "the task is to blame"
    );
    // A guess is never too large: it would never be put right.
    let mut guess = unknown(0, 2_000);
    guess.estimate.basis = crate::estimate::Basis::Guessed;
    assert_eq!(granted(&mut ledger, &guess, &calm()).1.bytes, 860 * MIB);
}

#[test]
fn urgent_work_goes_on_top_of_the_limit_within_its_bound() {
    let mut ledger = ledger();
    for _ in 0..10 {
        granted(&mut ledger, &task(0, 0), &calm());
    }
    for _ in 0..3 {
        assert!(granted(&mut ledger, &urgent(1, 0), &calm()).1.bypass);
    }
    assert_eq!(short(&mut ledger, &urgent(1, 0), &calm()), Resource::Bypass);
    // An idle worker runs as much urgent work as any other.
    let mut idle = self::ledger();
    for place in 0..13 {
        let (_, terms) = granted(&mut idle, &urgent(1, 0), &calm());
        assert_eq!(terms.bypass, place >= 10);
    }
    // With no slot at all one may still go on top.
    let mut none = calm();
    none.slots = 0;
    assert_eq!(none.bypass_slots(), 1);
    assert!(granted(&mut self::ledger(), &urgent(1, 0), &none).1.bypass);
}

#[test]
fn urgency_never_breaks_the_hard_limit() {
    let mut ledger = ledger();
    granted(&mut ledger, &task(0, 0), &calm());
    assert_eq!(
        short(&mut ledger, &urgent(1, 10), &used(951)),
        Resource::Memory
    );
    granted(&mut ledger, &urgent(1, 10), &used(950));
}

#[test]
fn who_switched_a_feature_off_decides_whom_it_binds() {
    for (off, binds) in [
        (Off::Manual, true),
        (Off::Emergency, true),
        (Off::Profile, true),
        (Off::Automatic, false),
    ] {
        let mut conditions = calm();
        conditions.off[1] = off;
        let mut ledger = ledger();
        assert_eq!(
            short(&mut ledger, &task(1, 0), &conditions),
            Resource::Feature
        );
        assert_eq!(
            !ledger.would_admit(&urgent(1, 0), &conditions),
            binds,
            "{off:?}"
        );
        assert!(ledger.would_admit(&task(2, 0), &conditions));
    }
}

#[test]
fn a_category_has_its_share_of_the_slots() {
    let mut ledger = ledger();
    let experimental = of(Category::Experimental, 0);
    for _ in 0..2 {
        granted(&mut ledger, &experimental, &calm());
    }
    assert_eq!(short(&mut ledger, &experimental, &calm()), Resource::Share);
    // Switched on by hand under a profile without a share: one at a time.
    let mut none = calm();
    none.shares[3] = Share::Off;
    let mut forced = self::ledger();
    granted(&mut forced, &experimental, &none);
    assert_eq!(short(&mut forced, &experimental, &none), Resource::Share);
}

#[test]
fn processors_bound_cpu_bound_work_only_and_never_the_first() {
    let mut ledger = ledger();
    granted(&mut ledger, &busy(100.0), &calm());
    assert_eq!(short(&mut ledger, &busy(1.0), &calm()), Resource::Cpu);
    granted(&mut ledger, &task(1, 0), &calm());
    let mut ledger = self::ledger();
    for _ in 0..8 {
        granted(&mut ledger, &busy(1.0), &calm());
    }
    assert_eq!(short(&mut ledger, &busy(0.3), &calm()), Resource::Cpu);
    assert!(ledger.would_admit(&urgent(1, 0), &calm()));
}

#[test]
fn on_old_measurements_only_vital_work_and_little() {
    let mut ledger = ledger();
    let old = |question| later(question, 3_001);
    assert_eq!(
        short(&mut ledger, &old(task(0, 0)), &calm()),
        Resource::Stale
    );
    assert_eq!(
        short(&mut ledger, &old(urgent(0, 0)), &calm()),
        Resource::Stale
    );
    let essential = old(of(Category::Essential, 0));
    for _ in 0..4 {
        granted(&mut ledger, &essential, &calm());
    }
    assert_eq!(short(&mut ledger, &essential, &calm()), Resource::Stale);
    assert!(ledger.would_admit(&later(task(0, 0), 3_000), &calm()));
}

#[test]
fn an_unknown_capacity_allows_as_many_as_processors_and_nothing_optional() {
    let mut ledger = ledger();
    let mut blind = calm();
    blind.known = false;
    assert_eq!(
        short(&mut ledger, &of(Category::Advanced, 0), &blind),
        Resource::Capacity
    );
    for _ in 0..4 {
        granted(&mut ledger, &task(0, 0), &blind);
    }
    assert_eq!(short(&mut ledger, &task(0, 0), &blind), Resource::Slots);
}

#[test]
fn unknown_needs_settle_for_two_seconds_or_until_the_end() {
    let mut ledger = ledger();
    let (booking, _) = granted(&mut ledger, &unknown(0, 50), &calm());
    assert_eq!(
        short(&mut ledger, &later(task(1, 50), 1_999), &calm()),
        Resource::Settling
    );
    assert_eq!(ledger.changes_at(Duration::from_secs(1)), Some(SETTLE));
    assert!(
        ledger.would_admit(&task(1, 0), &calm()),
        "what needs nothing need not wait"
    );
    assert!(ledger.would_admit(&urgent(1, 50), &calm()));
    assert!(ledger.would_admit(&later(task(1, 50), 2_000), &calm()));
    ledger.give_back(booking);
    assert!(ledger.would_admit(&task(1, 50), &calm()));
    // A task of unknown needs that cannot be large does not disturb anybody.
    granted(&mut ledger, &unknown(0, 5), &calm());
    assert!(ledger.would_admit(&task(1, 50), &calm()));
}

#[test]
fn unknown_and_perhaps_large_runs_alone() {
    let mut ledger = ledger();
    let (first, _) = granted(&mut ledger, &task(1, 50), &calm());
    assert_eq!(
        short(&mut ledger, &unknown(0, 300), &calm()),
        Resource::Solo
    );
    ledger.give_back(first);
    granted(&mut ledger, &unknown(0, 300), &calm());
    assert_eq!(
        short(&mut ledger, &later(task(1, 50), 2_500), &calm()),
        Resource::Solo
    );
}

#[test]
fn a_booking_is_resized_or_refused_as_it_was() {
    let mut ledger = ledger();
    let (small, _) = granted(&mut ledger, &task(0, 10), &calm());
    let (other, _) = granted(&mut ledger, &task(1, 400), &calm());
    let size = |mib| task(0, mib).estimate;
    let now = Duration::ZERO;
    ledger.resize(small, &size(200), now, &calm()).unwrap();
    assert_eq!(ledger.totals().bytes, 600 * MIB);
    let not_now = ledger.resize(small, &size(500), now, &calm()).unwrap_err();
    assert_eq!(not_now.resource, Resource::Memory);
    let never = ledger.resize(small, &size(900), now, &calm()).unwrap_err();
    assert_eq!(never.resource, Resource::TooLarge);
    assert_eq!(ledger.totals().bytes, 600 * MIB);
    // Alone, it may take what the worker has.
    ledger.give_back(other);
    ledger.resize(small, &size(860), now, &calm()).unwrap();
    // Less is always granted, and a booking that is gone is nobody's.
    ledger.resize(small, &size(1), now, &used(1_000)).unwrap();
    ledger.give_back(small).unwrap();
    ledger.resize(small, &size(900), now, &calm()).unwrap();
    assert_eq!(*ledger.totals(), Totals::default());
}

#[test]
fn an_abandoned_task_frees_its_slot_and_keeps_its_memory() {
    let mut ledger = ledger();
    let (booking, _) = granted(&mut ledger, &task(0, 300), &calm());
    assert!(ledger.abandon(booking));
    let totals = *ledger.totals();
    assert_eq!((totals.in_flight(), totals.bytes), (0, 300 * MIB));
    // Progress reckons with it.
    assert_eq!(short(&mut ledger, &task(0, 570), &calm()), Resource::Memory);
    assert!(ledger.would_admit(&task(0, 560), &calm()));
    assert!(
        ledger
            .give_back(booking)
            .is_some_and(|entry| entry.abandoned)
    );
    assert_eq!(*ledger.totals(), Totals::default());
    assert_eq!(ledger.give_back(booking), None);
}

#[test]
fn after_eight_smaller_ones_room_is_kept_for_a_large_one() {
    let mut ledger = ledger();
    let mut running: Vec<_> = (0..7)
        .map(|_| granted(&mut ledger, &task(1, 100), &calm()).0)
        .collect();
    assert_eq!(short(&mut ledger, &task(0, 400), &calm()), Resource::Memory);
    for _ in 0..8 {
        ledger.give_back(running.remove(0));
        running.push(granted(&mut ledger, &task(1, 100), &calm()).0);
        assert_eq!(short(&mut ledger, &task(0, 400), &calm()), Resource::Memory);
    }
    assert_eq!(ledger.held_for(Duration::ZERO), Some((0, Priority::Medium)));
    for _ in 0..4 {
        ledger.give_back(running.remove(0));
        assert_eq!(short(&mut ledger, &task(1, 100), &calm()), Resource::Held);
        assert!(
            ledger.would_admit(&task(2, 0), &calm()),
            "it takes nothing away"
        );
    }
    granted(&mut ledger, &task(0, 400), &calm());
    assert_eq!(ledger.held_for(Duration::ZERO), None);
}

#[test]
fn after_thirty_seconds_too_but_not_for_one_that_nobody_asks_for() {
    let mut ledger = ledger();
    let (booking, _) = granted(&mut ledger, &task(1, 700), &calm());
    let large = task(0, 400);
    for second in [0, 10, 20, 30] {
        let mut now = calm();
        now.at = Duration::from_secs(second);
        assert_eq!(
            short(&mut ledger, &later(large, second * 1_000), &now),
            Resource::Memory
        );
    }
    let mut now = calm();
    now.at = Duration::from_secs(31);
    assert_eq!(
        short(&mut ledger, &later(task(2, 60), 31_000), &now),
        Resource::Held
    );
    now.at = Duration::from_secs(61);
    assert!(ledger.would_admit(&later(task(2, 60), 61_000), &now));
    ledger.give_back(booking);
}

#[test]
fn a_task_that_was_too_large_for_its_booking_is_waited_for() {
    let mut ledger = ledger();
    let (booking, _) = granted(&mut ledger, &task(0, 10), &calm());
    granted(&mut ledger, &task(1, 500), &calm());
    let size = task(0, 400).estimate;
    ledger
        .resize(booking, &size, Duration::ZERO, &calm())
        .unwrap_err();
    ledger.give_back(booking);
    let at = |second| {
        let mut now = calm();
        now.at = Duration::from_secs(second);
        now
    };
    // Its type goes on with small ones meanwhile.
    let (booking, _) = granted(&mut ledger, &task(0, 10), &at(0));
    assert_eq!(
        short(&mut ledger, &later(task(0, 300), 20_000), &at(20)),
        Resource::Memory
    );
    ledger.give_back(booking);
    // Then room is kept for it, and booked by the next that is pulled.
    assert_eq!(
        short(&mut ledger, &later(task(0, 10), 31_000), &at(31)),
        Resource::Memory
    );
    assert_eq!(
        short(&mut ledger, &later(task(2, 100), 31_000), &at(31)),
        Resource::Held
    );
}

#[test]
fn asking_what_would_be_changes_nothing() {
    let mut ledger = ledger();
    granted(&mut ledger, &unknown(0, 50), &calm());
    let before = format!("{ledger:?}");
    for question in [task(1, 50), urgent(1, 900), unknown(2, 400)] {
        std::hint::black_box(ledger.would_admit(&question, &calm()));
    }
    assert_eq!(format!("{ledger:?}"), before);
}

#[test]
fn names_are_distinct_and_a_booking_is_a_number() {
    let names: std::collections::BTreeSet<_> = Resource::ALL.map(Resource::as_str).into();
    assert_eq!(names.len(), Resource::ALL.len());
    for resource in Resource::ALL {
        let json = serde_json::to_value(resource).unwrap();
        assert_eq!(json, resource.as_str());
    }
    let mut ledger = ledger();
    for _ in 0..3 {
        let (booking, _) = granted(&mut ledger, &task(0, 1), &calm());
        assert_eq!(Booking::from_number(booking.number()), booking);
        ledger.give_back(booking);
    }
}
