//! What runs cost is told exactly, for each its own; what a child may not do is refused by the system.

use std::time::Duration;

use serde_json::{Value, json};

use crate::stand::{MIB, bounded, failure, job, pool, run};

#[test]
fn each_run_has_its_own_peak_and_processor_time_on_the_same_child() {
    let pool = pool();
    let usage = |input: Value| {
        let outcome = run(&pool, &job(input));
        outcome.result.unwrap();
        outcome.usage.unwrap()
    };
    let small = usage(json!({"do": "echo"}));
    let big = usage(json!({"do": "alloc", "mib": 96}));
    let again = usage(json!({"do": "echo"}));
    let busy = usage(json!({"do": "spin", "ms": 400}));
    let calm = usage(json!({"do": "echo"}));
    assert_eq!(pool.idle(), 1, "one child ran them all");
    assert!(
        big.peak_bytes > 96 * MIB && big.peak_bytes < 160 * MIB,
        "{big:?}"
    );
    // The kernel counts resident pages for each processor apart and may be off by some.
    for one in [small, again, calm] {
        assert!(
            one.peak_bytes > MIB / 2 && one.peak_bytes < 48 * MIB,
            "{one:?}"
        );
        assert!(one.cpu < Duration::from_millis(200), "{one:?}");
    }
    assert!(
        busy.cpu > Duration::from_millis(20) && busy.cpu <= busy.wall,
        "{busy:?}"
    );
}

#[test]
fn the_cost_of_a_run_whose_child_died_is_told_too() {
    let pool = pool();
    let cpu = bounded(json!({"do": "spin", "ms": 60_000}), |bounds| {
        bounds.cpu_seconds = 1;
    });
    run(&pool, &job(json!({"do": "alloc", "mib": 96})))
        .result
        .unwrap();
    let usage = run(&pool, &cpu).usage.unwrap();
    assert!(
        usage.cpu > Duration::from_millis(800) && usage.cpu < Duration::from_secs(4),
        "{usage:?}"
    );
    assert!(
        usage.peak_bytes < 48 * MIB,
        "not the peak of the run before: {usage:?}"
    );
    let wall = bounded(json!({"do": "hang"}), |bounds| bounds.wall_seconds = 1);
    let usage = run(&pool, &wall).usage.unwrap();
    assert!(
        usage.wall >= Duration::from_secs(1) && usage.peak_bytes > 0,
        "{usage:?}"
    );
}

#[test]
fn memory_stays_under_the_cap() {
    let pool = pool();
    let step = 16;
    for mib in (step..=512).step_by(step) {
        let outcome = run(
            &pool,
            &bounded(json!({"do": "alloc", "mib": mib}), |bounds| {
                bounds.memory_bytes = 256 * MIB;
            }),
        );
        let peak = outcome.usage.unwrap().peak_bytes;
        assert!(peak < 300 * MIB, "{mib} MiB asked: {peak}");
        if outcome.result.is_err() {
            assert!(mib > 200, "refused at {mib} MiB");
            assert!(failure(outcome).1.contains("256 MiB"));
        } else {
            assert!(mib < 256, "granted {mib} MiB");
        }
    }
}

#[test]
fn the_network_other_programs_and_other_processes_are_out_of_reach() {
    let result = run(&pool(), &job(json!({"do": "forbidden"})))
        .result
        .unwrap();
    assert_eq!(result["thread"], true, "threads are allowed: {result}");
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        for deed in ["connect", "listen", "udp", "program", "signal"] {
            assert_eq!(result[deed], 1, "{deed} must be EPERM: {result}");
        }
    }
}

#[test]
fn what_a_library_prints_spoils_no_answer_and_holds_nothing_up() {
    let pool = pool();
    for _ in 0..3 {
        let flood = job(json!({"do": "flood", "bytes": 3 * MIB}));
        assert_eq!(
            run(&pool, &flood).result.unwrap(),
            json!({"out": true, "err": true})
        );
    }
    assert_eq!(pool.idle(), 1);
}

#[test]
fn long_inputs_and_results_travel_whole() {
    let pool = pool();
    let text = "0123456789abcdef".repeat(1 << 20);
    let mut long = job(json!({"do": "echo", "text": text, "number": 0.1 + 0.2}));
    long.bounds.output_bytes = 32 * MIB;
    let result = run(&pool, &long).result.unwrap();
    assert_eq!(result, long.input);
}
