use std::time::Instant;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn outlook() -> Outlook {
    Outlook {
        high: 0.80,
        critical: 0.92,
        horizon: secs(30),
        committed: None,
        usual: None,
    }
}

/// Two independent standard normal values (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// The two-pass form, which does not drift.
fn two_pass(window: &Window) -> Line {
    let points: Vec<Point> = window.points().collect();
    let n = points.len() as f64;
    let newest = points.last().unwrap().at;
    // Relative to the newest: large times would cost digits.
    let t = points.iter().map(|p| p.at - newest).sum::<f64>() / n;
    let y = points.iter().map(|p| p.value).sum::<f64>() / n;
    let sxx: f64 = points.iter().map(|p| (p.at - newest - t).powi(2)).sum();
    let sxy: f64 = points
        .iter()
        .map(|p| (p.at - newest - t) * (p.value - y))
        .sum();
    let slope = sxy / sxx;
    let residual = |p: &Point| p.value - y - slope * (p.at - newest - t);
    Line {
        now: y - slope * t,
        slope,
        centre: -t,
        sxx,
        sse: points.iter().map(|p| residual(p).powi(2)).sum(),
    }
}

/// Relative to the value, or to what it is measured against where the value
/// itself passes through zero.
fn close(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs().max(scale)
}

fn agree(window: &Window) -> bool {
    let (Some(running), exact) = (window.line(), two_pass(window)) else {
        return true;
    };
    let n = window.points().len();
    // Values are shares; residuals below a millionth are rounding.
    let floor = 1e-6 / exact.sxx.sqrt();
    let error = trend::standard_error(n, &exact).max(floor);
    close(running.now, exact.now, 1.0)
        && close(running.slope, exact.slope, error)
        && close(running.centre, exact.centre, 0.0)
        && close(running.sxx, exact.sxx, 0.0)
        && close(running.sse, exact.sse, 1e-3 * n as f64)
}

#[test]
fn a_million_pushes_do_not_drift() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut window = Window::new(30.0);
    let (mut at, mut value) = (0.0, 0.5);
    for push in 0_u32..1_000_000 {
        at += 0.9 + 0.3 * rng.random::<f64>();
        value = 0.5 + 0.95 * (value - 0.5) + 0.01 * (rng.random::<f64>() - 0.5);
        window.push(at, value);
        // Every look, at last, falls on every age since the sums were fresh.
        if push > 30 && (push % 101 == 0 || push > 999_000) {
            assert!(
                agree(&window),
                "push {push}: {:?} {:?}",
                window.line(),
                two_pass(&window)
            );
        }
    }
}

proptest! {
    #[test]
    fn running_sums_equal_the_two_pass_form(
        steps in proptest::collection::vec((0.2_f64..40.0, 0.0_f64..1.0), 4..900),
        span in prop::sample::select(vec![30.0_f64, 180.0, 1800.0]),
        start in 0.0_f64..1e7,
    ) {
        let mut window = Window::new(span);
        let mut at = start;
        for (pause, value) in steps {
            at += pause;
            window.push(at, value);
            if window.points().len() >= 5 {
                prop_assert!(agree(&window), "{:?} {:?}", window.line(), two_pass(&window));
            }
        }
    }
}

/// Shares of windows of AR(1) noise whose interval holds the true slope (0):
/// ours and the naive one.
fn coverage(span: u32, rho: f64, windows: u32) -> (f64, f64) {
    let mut rng = ChaCha8Rng::seed_from_u64(rho.to_bits() ^ u64::from(span));
    let (mut ours, mut naive) = (0, 0);
    for _ in 0..windows {
        let mut window = Window::new(f64::from(span));
        let mut noise = normal(&mut rng) / (1.0 - rho * rho).sqrt();
        for second in 0..=span {
            window.push(f64::from(second), 0.6 + 0.01 * noise);
            noise = rho * noise + normal(&mut rng);
        }
        let trend = Trend::of(&window).unwrap();
        ours += u32::from(trend.slope_low <= 0.0 && 0.0 <= trend.slope_high);
        let error = trend::standard_error(trend.n, &window.line().unwrap());
        naive += u32::from(trend.slope.abs() <= 2.39 * error);
    }
    (
        f64::from(ours) / f64::from(windows),
        f64::from(naive) / f64::from(windows),
    )
}

/// Values of one second are not independent of the second before: the
/// textbook's standard error fails where ours holds.
#[test]
fn intervals_hold_the_truth_in_95_percent_of_windows() {
    for rho in [0.0, 0.3, 0.6, 0.8, 0.9] {
        let (short, short_naive) = coverage(30, rho, 10_000);
        let (long, long_naive) = coverage(180, rho, 3_000);
        println!(
            "rho {rho}: 30 s {short:.3} (naive {short_naive:.3}), 180 s {long:.3} (naive {long_naive:.3})"
        );
        assert!(short >= 0.95 && long >= 0.95, "rho {rho}: {short} {long}");
        if rho >= 0.3 {
            assert!(
                short_naive < 0.95 && long_naive < 0.95,
                "{short_naive} {long_naive}"
            );
        }
    }
}

/// Feeds `shape` once a second and gives every forecast.
fn play(seconds: u64, outlook: &Outlook, shape: impl Fn(u64) -> f64) -> Vec<Forecast> {
    let mut forecaster = Forecaster::memory();
    let look = |s| forecaster.observe(secs(s), Some(shape(s)), outlook);
    (0..seconds).map(look).collect()
}

fn ramp(second: u64, from: u64) -> f64 {
    0.50 + 0.45 / 120.0 * second.saturating_sub(from) as f64
}

#[test]
fn a_ramp_is_seen_before_it_hurts() {
    // 50 -> 95 % in 120 s: 80 % after 80 s.
    let seen = play(600, &outlook(), |s| ramp(s, 300).min(0.95));
    let first = seen.iter().position(Forecast::acts_on_high).unwrap();
    assert!((340..=360).contains(&first), "{first}");
    // Said at the third tick in a row that says so.
    let says = |f: &Forecast| {
        f.short
            .is_some_and(|t| t.now >= 0.6 && t.reaches(0.80, 30.0))
    };
    assert_eq!(seen.iter().position(says), Some(first - 2));
    let eta = seen[first].high.unwrap();
    let due = 380.0 - first as f64;
    let crossing = eta.crossing.unwrap();
    assert!(
        (crossing.after.unwrap() - due).abs() < 1.0,
        "{crossing:?} {due}"
    );
    assert!(
        seen[382..].iter().all(|f| f.high.is_none()),
        "it is there: nothing to predict"
    );
    assert!(seen[..320].iter().all(|f| f.high.is_none()));
}

#[test]
fn the_lower_bound_fires_and_the_middle_of_the_window_bounds_the_time() {
    let trend = Trend {
        n: 181,
        span: 180.0,
        now: 0.70,
        slope: 0.001,
        slope_low: 0.0005,
        slope_high: 0.002,
        centre: 90.0,
        rho: 0.1,
    };
    assert!(!trend.reaches(0.80, 199.0) && trend.reaches(0.80, 201.0));
    assert!(!trend.reaches(0.70, 1e9), "it is there");
    let crossing = trend.crossing(0.80).unwrap();
    // 61 % in the middle of the window, 90 s ago.
    assert!((crossing.after.unwrap() - 100.0).abs() < 1e-9);
    assert!((crossing.earliest.unwrap() - 5.0).abs() < 1e-9);
    assert!((crossing.latest.unwrap() - 290.0).abs() < 1e-9);
    let flat = Trend {
        slope_low: -0.001,
        ..trend
    };
    assert_eq!(flat.crossing(0.80).unwrap().latest, None);
    assert!(!flat.reaches(0.80, 1e9));
}

#[test]
fn a_young_forecaster_warns_and_does_not_act() {
    let seen = play(120, &outlook(), |s| ramp(s, 0));
    let warned = seen.iter().position(|f| f.high.is_some()).unwrap();
    assert!(warned <= 60, "{warned}");
    assert!(seen.iter().all(|f| !f.acts_on_high() && !f.settled));
}

#[test]
fn a_slow_leak_is_seen_by_the_long_window_alone() {
    let seen = play(3600, &outlook(), |s| 0.10 + 0.0002 * s as f64);
    let first = seen.iter().find(|f| f.high.is_some()).unwrap();
    assert_eq!(first.high.unwrap().by, By::LongTrend);
    let lead = 3500.0 - first.at.as_secs_f64();
    assert!((15.0..=30.0).contains(&lead), "{lead}");
}

#[test]
fn a_fall_flat_noise_and_too_few_samples_say_nothing() {
    assert!(
        play(400, &outlook(), |s| 0.79 - 0.001 * s as f64)
            .iter()
            .all(|f| f.high.is_none())
    );
    assert!(
        play(19, &outlook(), |s| 0.60 + 0.01 * s as f64)
            .iter()
            .all(|f| f.high.is_none())
    );
    // Within the horizon and rising, but 20 points away.
    let far = Outlook {
        horizon: secs(600),
        ..outlook()
    };
    assert!(
        play(100, &far, |s| 0.40 + 0.0015 * s as f64)
            .iter()
            .all(|f| f.high.is_none())
    );
}

#[test]
fn the_lower_bound_decides() {
    // A slope that crosses in time, in noise that hides it: 95 % of the time
    // the lower bound does not.
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let noise: Vec<f64> = (0..2000).map(|_| 0.02 * normal(&mut rng)).collect();
    let seen = play(2000, &outlook(), |s| {
        0.78 + noise[usize::try_from(s).unwrap()]
    });
    let by_slope = seen.iter().filter(|f| {
        let after = f.short.and_then(|t| t.crossing(0.80)).and_then(|c| c.after);
        after.is_some_and(|after| after <= 30.0)
    });
    let by_bound = seen.iter().filter(|f| f.high.is_some()).count();
    assert!(by_slope.count() > 10 && by_bound == 0, "{by_bound}");
}

#[test]
fn another_regime_restarts_the_windows() {
    for regime in [Regime::Capacity, Regime::Profile, Regime::Admission] {
        let mut forecaster = Forecaster::memory();
        for s in 0..354 {
            let _seen = forecaster.observe(secs(s), Some(ramp(s, 300)), &outlook());
        }
        assert!(
            forecaster
                .observe(secs(354), Some(ramp(354, 300)), &outlook())
                .high
                .is_some()
        );
        forecaster.restart(regime);
        for s in 355..375 {
            let forecast = forecaster.observe(secs(s), Some(ramp(s, 300)), &outlook());
            assert!(forecast.high.is_none(), "{s}");
            assert_eq!(forecast.settled, regime != Regime::Capacity);
        }
        // And soon knows again.
        let again = (375..380).any(|s| {
            forecaster
                .observe(secs(s), Some(ramp(s, 300)), &outlook())
                .high
                .is_some()
        });
        assert!(again);
    }
}

#[test]
fn commitments_fire_at_once() {
    let with = |committed: f64, value: f64| {
        let outlook = Outlook {
            committed: Some(committed),
            ..outlook()
        };
        Forecaster::memory().observe(secs(0), Some(value), &outlook)
    };
    let burst = with(0.93, 0.30);
    assert_eq!(burst.high.unwrap().by, By::Inventory);
    assert!(burst.acts_on_high() && burst.acts_on_critical());
    assert!(with(0.79, 0.30).high.is_none());
    assert!(with(0.93, 0.85).high.is_none(), "it is there already");
    assert!(with(f64::NAN, 0.30).high.is_none());
}

/// The fast mode of the sampler must not fill a window of 30 s with 6 s.
#[test]
fn faster_samples_do_not_shorten_the_window() {
    let mut forecaster = Forecaster::memory();
    let mut last = Forecast::default();
    for k in 0..200_u64 {
        let at = Duration::from_millis(k * 200);
        last = forecaster.observe(at, Some(0.5), &outlook());
    }
    assert_eq!(last.short.unwrap().n, 31);
    assert!((last.short.unwrap().span - 30.0).abs() < 1.0);
}

/// A Monday's usual rise to 70 % is not alarming; a band that reaches the
/// threshold, a value above the band and a fast ramp are.
#[test]
fn the_usual_rise_is_not_alarming() {
    let patient = Outlook {
        horizon: secs(300),
        ..outlook()
    };
    let leak = |s: u64| 0.60 + 0.0005 * s as f64; // 80 % after 400 s
    let first = |usual: Option<(f64, f64)>| {
        let usual = usual.map(|(mean, deviation)| Usual {
            mean,
            deviation,
            weeks: 5,
        });
        let seen = play(399, &Outlook { usual, ..patient }, leak);
        let fired = seen.iter().position(|f| f.high.is_some());
        (
            fired.map(|at| leak(at as u64)),
            seen.iter().any(|f| f.usual),
        )
    };
    let (alone, silenced) = first(None);
    assert!(alone.unwrap() < 0.71 && !silenced);
    // Usual up to 74 %: said when the value leaves the band.
    let (banded, silenced) = first(Some((0.70, 0.02)));
    assert!(
        (0.74..0.76).contains(&banded.unwrap()) && silenced,
        "{banded:?}"
    );
    // The band reaches high itself: history is no comfort.
    assert_eq!(first(Some((0.75, 0.02))), (alone, false));
    // A fast ramp is alarming in any week.
    let usual = Some(Usual {
        mean: 0.70,
        deviation: 0.02,
        weeks: 5,
    });
    let fast = play(380, &Outlook { usual, ..outlook() }, |s| ramp(s, 300));
    assert!(
        fast.iter()
            .any(|f| f.high.is_some_and(|eta| eta.by == By::ShortTrend))
    );
}

#[test]
fn a_filling_disk_is_seen_hours_ahead() {
    let mut forecaster = Forecaster::disk();
    let disk = Outlook {
        high: 0.85,
        critical: 0.95,
        horizon: secs(300),
        ..outlook()
    };
    let fired = (0..2160_u64).map(|k| k * 10).find(|at| {
        let value = 0.50 + 0.35 * *at as f64 / 20_000.0; // high after 20,000 s
        forecaster
            .observe(secs(*at), Some(value), &disk)
            .acts_on_high()
    });
    let lead = 20_000 - fired.unwrap();
    assert!((150..=300).contains(&lead), "{lead}");
}

#[test]
fn the_horizon_follows_what_can_be_shed() {
    assert_eq!(horizon(None, 1.0), secs(30));
    assert_eq!(horizon(Some(secs(5)), 1.0), secs(30));
    assert_eq!(horizon(Some(secs(50)), 1.5), secs(150));
    assert_eq!(horizon(Some(secs(1000)), 2.0), secs(600));
    assert_eq!(horizon(Some(secs(50)), f64::NAN), secs(100));
}

#[test]
fn forecasting_costs_microseconds() {
    let mut forecaster = Forecaster::memory();
    let count = 5_000_u32;
    let start = Instant::now();
    for s in 0..u64::from(count) {
        let value = 0.5 + 0.2 * ((s % 97) as f64 / 97.0);
        let _seen = std::hint::black_box(forecaster.observe(secs(s), Some(value), &outlook()));
    }
    let each = start.elapsed() / count;
    println!("Forecaster::observe: {each:?} each (unoptimised build)");
    assert!(each < Duration::from_millis(2), "{each:?}");
}
