//! Precedence, dwell, overrides and effects.

use proptest::prelude::*;
use shared::model::ProfileName;

use super::{order::Standing, rule::Automatic, *};

const CATALOGUE: [(&str, Category); 4] = [
    ("sponsor_analysis", Category::Essential),
    ("relationship_mapping", Category::Standard),
    (ADVANCED_ANALYTICS, Category::Advanced),
    ("excel_processing", Category::Experimental),
];

fn features() -> Features {
    let catalogue: Vec<Feature> = CATALOGUE
        .iter()
        .map(|(name, category)| Feature::new(name, *category))
        .collect();
    Features::new(&catalogue)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Busy, memory-bound and calm unless changed.
fn at(profile: &Profile, seconds: u64, level: Level) -> Situation<'_> {
    Situation {
        at: secs(seconds),
        level,
        level_without_cpu: level,
        predicted: None,
        profile,
        known: true,
        in_flight: 4,
        in_flight_by_feature: &[1, 1, 1, 1],
        memory: 0.5,
        used: 1000,
        cpu: Some(0.5),
    }
}

fn balanced() -> Profile {
    Profile::preset(ProfileName::Balanced)
}

fn on(features: &Features) -> [bool; 4] {
    CATALOGUE.map(|(name, _)| features.enabled(name))
}

fn order(feature: &str, enabled: bool, seconds: u64) -> Override {
    Override {
        feature: feature.to_owned(),
        enabled,
        by: "ops@example.org".to_owned(),
        reason: "a test".to_owned(),
        remaining: secs(seconds),
    }
}

fn tick(features: &mut Features, situation: &Situation<'_>) -> [bool; 4] {
    let _changes = features.observe(situation);
    on(features)
}

#[test]
fn each_level_switches_its_categories_off_at_once() {
    let profile = balanced();
    for (level, expected) in [
        (Level::Normal, [true, true, true, true]),
        (Level::Elevated, [true, true, true, false]),
        (Level::High, [true, true, false, false]),
        (Level::Critical, [true, false, false, false]),
        (Level::Emergency, [true, false, false, false]),
    ] {
        let mut features = features();
        assert_eq!(tick(&mut features, &at(&profile, 1, level)), expected);
        let rule = &features.state("excel_processing").unwrap().rule;
        let name = match level {
            Level::Normal => "free",
            Level::Emergency => "emergency",
            _ => "level",
        };
        assert_eq!(rule.as_str(), name);
    }
}

#[test]
fn categories_come_back_in_order_one_per_turn() {
    let profile = balanced();
    let mut features = features();
    tick(&mut features, &at(&profile, 10, Level::Critical));
    let mut back = Vec::new();
    for second in 11..=150 {
        for change in features
            .observe(&at(&profile, second, Level::Normal))
            .changes
        {
            if change.enabled {
                back.push((second, change.feature));
            }
        }
    }
    let expected = [
        (41, "relationship_mapping"),
        (71, ADVANCED_ANALYTICS),
        (101, "excel_processing"),
    ]
    .map(|(second, name)| (second, name.to_owned()));
    assert_eq!(back, expected);
}

#[test]
fn a_relapse_starts_the_turn_again() {
    let profile = balanced();
    let mut features = features();
    tick(&mut features, &at(&profile, 0, Level::Critical));
    tick(&mut features, &at(&profile, 1, Level::High));
    tick(&mut features, &at(&profile, 20, Level::Normal));
    tick(&mut features, &at(&profile, 45, Level::High));
    tick(&mut features, &at(&profile, 50, Level::Normal));
    let state = features.state(ADVANCED_ANALYTICS).unwrap();
    assert_eq!(state.rule, Rule::Recovering { cpu_alone: false });
    assert_eq!(state.until, Some(secs(80)));
    assert_eq!(
        features.state("excel_processing").unwrap().until,
        Some(secs(110))
    );
    assert!(!tick(&mut features, &at(&profile, 79, Level::Normal))[2]);
    assert_eq!(
        tick(&mut features, &at(&profile, 80, Level::Normal)),
        [true, true, true, false]
    );
}

#[test]
fn forecasts_act_early_hold_a_minute_and_spare_standard_work() {
    let profile = balanced();
    let mut features = features();
    let mut seen = at(&profile, 0, Level::Normal);
    seen.predicted = Some(Level::High);
    assert_eq!(tick(&mut features, &seen), [true, true, true, false]);
    seen.predicted = Some(Level::Critical);
    seen.at = secs(5);
    assert_eq!(tick(&mut features, &seen), [true, true, false, false]);
    // Gone at once, but advanced was switched at 5 s and holds until 65 s.
    tick(&mut features, &at(&profile, 6, Level::Normal));
    assert!(!tick(&mut features, &at(&profile, 64, Level::Normal))[2]);
    let state = features.state(ADVANCED_ANALYTICS).unwrap();
    assert_eq!(state.rule.as_str(), "predicted");
    assert!(tick(&mut features, &at(&profile, 65, Level::Normal))[2]);
    assert!(
        features.enabled("excel_processing"),
        "and so does experimental"
    );
}

#[test]
fn after_a_high_level_everything_comes_back_with_its_exit() {
    let profile = balanced();
    let mut features = features();
    assert_eq!(
        tick(&mut features, &at(&profile, 0, Level::High)),
        [true, true, false, false]
    );
    assert_eq!(
        tick(&mut features, &at(&profile, 20, Level::Elevated)),
        [true, true, true, false]
    );
    assert_eq!(
        tick(&mut features, &at(&profile, 21, Level::Normal)),
        [true; 4]
    );
}

#[test]
fn forecasts_only_warn_in_development() {
    let profile = Profile::preset(ProfileName::Development);
    let mut features = features();
    let mut seen = at(&profile, 0, Level::Normal);
    seen.predicted = Some(Level::Critical);
    assert_eq!(tick(&mut features, &seen), [true; 4]);
}

#[test]
fn unknown_limits_switch_the_optional_off() {
    let profile = balanced();
    let mut features = features();
    let mut blind = at(&profile, 0, Level::Normal);
    blind.known = false;
    assert_eq!(tick(&mut features, &blind), [true, true, false, false]);
    assert_eq!(
        features.state(ADVANCED_ANALYTICS).unwrap().rule,
        Rule::Blind
    );
}

#[test]
fn an_idle_worker_on_a_busy_host_is_not_starved() {
    let profile = balanced();
    let mut features = features();
    let mut busy_host = at(&profile, 0, Level::Critical);
    busy_host.level_without_cpu = Level::Normal;
    busy_host.in_flight = 0;
    assert_eq!(tick(&mut features, &busy_host), [true; 4]);
    // With work in flight the same level does switch off ...
    busy_host.in_flight = 1;
    busy_host.at = secs(1);
    assert_eq!(tick(&mut features, &busy_host), [true, false, false, false]);
    assert!(
        features
            .binds("excel_processing", Priority::Low, 1)
            .is_some()
    );
    // ... and once that work ended, binds nobody, before any turn has come.
    busy_host.in_flight = 0;
    busy_host.at = secs(2);
    assert_eq!(tick(&mut features, &busy_host), [true, false, false, false]);
    assert!(
        features
            .binds("excel_processing", Priority::Low, 0)
            .is_none()
    );
}

#[test]
fn automatic_rules_spare_urgent_tasks_and_the_others_do_not() {
    let profile = balanced();
    let mut features = features();
    tick(&mut features, &at(&profile, 0, Level::High));
    let binds = |features: &Features| {
        Priority::ALL.map(|priority| features.binds("excel_processing", priority, 4).is_some())
    };
    assert_eq!(binds(&features), [false, false, true, true]);
    features.order(secs(1), &[order("excel_processing", false, 60)]);
    tick(&mut features, &at(&profile, 1, Level::Normal));
    assert_eq!(binds(&features), [true; 4]);
    features.order(secs(2), &[]);
    tick(&mut features, &at(&profile, 2, Level::Emergency));
    assert_eq!(binds(&features), [true; 4]);
    let performance = Profile::preset(ProfileName::Performance);
    tick(&mut features, &at(&performance, 3, Level::Normal));
    assert_eq!(
        features.state("excel_processing").unwrap().rule,
        Rule::Profile {
            profile: ProfileName::Performance
        }
    );
    assert_eq!(binds(&features), [true; 4]);
}

#[test]
fn an_override_ends_by_itself() {
    let profile = balanced();
    let mut features = features();
    features.order(secs(10), &[order("relationship_mapping", false, 100)]);
    assert!(!tick(&mut features, &at(&profile, 10, Level::Normal))[1]);
    let state = features.state("relationship_mapping").unwrap();
    assert_eq!(state.until, Some(secs(110)));
    assert!(state.reason.contains("ops@example.org"), "{}", state.reason);
    assert!(!tick(&mut features, &at(&profile, 109, Level::Normal))[1]);
    let changes = features.observe(&at(&profile, 110, Level::Normal));
    assert_eq!(changes.expired, ["relationship_mapping"]);
    assert!(features.enabled("relationship_mapping"));
}

#[test]
fn no_override_outlasts_a_day() {
    let profile = balanced();
    let mut features = features();
    features.order(
        Duration::ZERO,
        &[order("excel_processing", false, 1_000_000)],
    );
    assert!(!tick(&mut features, &at(&profile, 86_399, Level::Normal))[3]);
    assert!(tick(&mut features, &at(&profile, 86_400, Level::Normal))[3]);
}

#[test]
fn keeping_a_feature_on_against_critical_is_a_conflict() {
    let profile = balanced();
    let mut features = features();
    features.order(
        Duration::ZERO,
        &[
            order("excel_processing", true, 3600),
            order("sponsor_analysis", true, 3600),
        ],
    );
    let calm = features.observe(&at(&profile, 1, Level::High));
    assert!(calm.conflicts.is_empty());
    let pressed = features.observe(&at(&profile, 2, Level::Emergency));
    assert!(features.enabled("excel_processing"));
    assert_eq!(
        pressed.conflicts,
        [Conflict {
            feature: "excel_processing".to_owned(),
            by: "ops@example.org".to_owned(),
            level: Level::Emergency
        }]
    );
}

#[test]
fn the_effect_of_a_switch_is_measured() {
    let profile = balanced();
    let mut features = features();
    let before = Situation {
        used: 900,
        ..at(&profile, 0, Level::Elevated)
    };
    assert!(features.observe(&before).effects.is_empty());
    let running = Situation {
        used: 950,
        ..at(&profile, 5, Level::Elevated)
    };
    assert!(features.observe(&running).effects.is_empty());
    let ended = Situation {
        used: 400,
        cpu: Some(0.2),
        in_flight_by_feature: &[1, 1, 1, 0],
        ..at(&profile, 8, Level::Elevated)
    };
    let effects = features.observe(&ended).effects;
    assert_eq!(effects.len(), 1);
    let effect = &effects[0];
    assert_eq!(effect.feature, "excel_processing");
    assert_eq!(effect.rule, "level");
    assert_eq!((effect.freed(), effect.took), (500, secs(8)));
    assert_eq!(
        (effect.cpu_before, effect.cpu_after),
        (Some(0.5), Some(0.2))
    );
    assert!(effect.ended);
    assert_eq!(features.effects().count(), 1);
}

#[test]
fn a_measurement_ends_after_half_a_minute_and_names_its_company() {
    let profile = balanced();
    let mut features = features();
    tick(&mut features, &at(&profile, 0, Level::High));
    let effects = features.observe(&at(&profile, 30, Level::High)).effects;
    assert_eq!(effects.len(), 2);
    assert!(effects.iter().all(|effect| !effect.ended));
    assert!(effects.iter().all(|effect| effect.together == 1));
}

#[test]
fn sentences_follow_the_numbers() {
    let profile = balanced();
    let mut features = features();
    let mut pressed = at(&profile, 0, Level::High);
    pressed.memory = 0.834;
    tick(&mut features, &pressed);
    let state = features.state(ADVANCED_ANALYTICS).unwrap();
    assert_eq!(
        state.reason,
        "off: the worker is at level high (memory 83 %, high from 80 %; processor 50 %, high from 75 %)"
    );
    assert_eq!(
        state.would_change,
        "the level falls below high; then one category comes back per 30 s"
    );
    assert_eq!(state.evidence.memory.to_bits(), 0.834f64.to_bits());
}

fn any_level() -> impl Strategy<Value = Level> {
    (0usize..5).prop_map(|index| Level::ALL[index])
}

/// The specification's order of precedence, written down a second time.
fn expected(category: Category, inputs: &Inputs<'_>) -> (bool, &'static str) {
    let mut rules = vec![
        (category == Category::Essential, true, "essential"),
        (
            inputs.order.is_some(),
            inputs.order.is_some_and(|order| order.enabled),
            "manual",
        ),
        (
            inputs.emergency_level || inputs.profile == ProfileName::Emergency,
            false,
            "emergency",
        ),
        (inputs.off_by_profile, false, "profile"),
        (inputs.automatic.is_some(), false, "level"),
        (true, true, "free"),
    ];
    rules.retain(|(applies, _, _)| *applies);
    (rules[0].1, rules[0].2)
}

proptest! {
    #[test]
    fn precedence_is_total(
        category in 0usize..4,
        ordered in proptest::option::of(any::<bool>()),
        emergency_level in any::<bool>(),
        profile in 0usize..4,
        off_by_profile in any::<bool>(),
        automatic in any::<bool>(),
    ) {
        let standing = ordered.map(|enabled| Standing {
            enabled,
            by: "someone".to_owned(),
            reason: "why".to_owned(),
            until: secs(1),
        });
        let off = Automatic {
            rule: Rule::Level { level: Level::High, cpu_alone: false },
            until: None,
        };
        let inputs = Inputs {
            order: standing.as_ref(),
            emergency_level,
            profile: ProfileName::ALL[profile],
            off_by_profile,
            automatic: automatic.then_some(&off),
        };
        let category = Category::ALL[category];
        let ruling = rule::resolve(category, &inputs);
        prop_assert_eq!((ruling.enabled, ruling.rule.as_str()), expected(category, &inputs));
    }

    /// Whatever happens: essential work is on, what is off automatically is
    /// nested, a switch by a level is immediate, and after a calm while
    /// without orders everything is back.
    #[test]
    fn invariants_hold_over_any_history(
        steps in proptest::collection::vec(
            (any_level(), any_level(), 0u32..3, 1u64..40, 0usize..4, proptest::option::of((0usize..4, any::<bool>(), 0u64..90)), any::<bool>()),
            1..60,
        ),
    ) {
        let mut features = features();
        let mut now = 0;
        for (level, without, in_flight, pause, profile, ordered, known) in steps {
            now += pause;
            if let Some((which, enabled, seconds)) = ordered {
                features.order(secs(now), &[order(CATALOGUE[which].0, enabled, seconds)]);
            }
            let profile = Profile::preset(ProfileName::ALL[profile]);
            let situation = Situation {
                level_without_cpu: without.min(level),
                in_flight,
                known,
                ..at(&profile, now, level)
            };
            let state = tick(&mut features, &situation);
            prop_assert!(state[0]);
            let automatic = |index: usize| {
                features.states()[index].rule.is_automatic()
            };
            let free = |index: usize| features.states()[index].rule == Rule::Free;
            for index in 1..3 {
                prop_assert!(!(automatic(index) && free(index + 1)));
            }
            if in_flight > 0 && level >= Level::Critical {
                for feature in features.states() {
                    let may = matches!(feature.rule, Rule::Essential | Rule::Manual { .. });
                    prop_assert!(!feature.enabled || may, "{:?}", feature);
                }
            }
        }
        let profile = balanced();
        for _ in 0..250 {
            now += 1;
            tick(&mut features, &at(&profile, now, Level::Normal));
        }
        prop_assert_eq!(on(&features), [true; 4]);
    }
}
