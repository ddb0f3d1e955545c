//! Each way in which a child can die, and what it means for the task; neighbours never notice.

use std::{
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use serde_json::json;
use shared::model::ErrorCode;

use crate::stand::{Watcher, bounded, failure, job, pool, run, until};

#[test]
fn a_limit_that_is_met_ends_the_run_and_names_itself() {
    let pool = pool();
    let memory = bounded(json!({"do": "alloc", "mib": 100_000}), |_| ());
    let cpu = bounded(json!({"do": "spin", "ms": 60_000}), |bounds| {
        bounds.cpu_seconds = 1;
    });
    let wall = bounded(json!({"do": "hang"}), |bounds| bounds.wall_seconds = 1);
    let file = job(json!({"do": "write", "bytes": 3 << 20}));
    let result = job(json!({"do": "big", "bytes": 3 << 20}));
    let nesting = job(json!({"do": "overflow"}));
    let folder = tempfile::tempdir().unwrap();
    for (mut job, name) in [
        (memory, "memory_bytes"),
        (cpu, "cpu_seconds"),
        (wall, "wall_seconds"),
        (file, "output_bytes"),
        (result, "output_bytes"),
        (nesting, "nesting"),
    ] {
        job.folder = Some(folder.path().to_owned());
        let (code, message) = failure(run(&pool, &job));
        assert_eq!(code, ErrorCode::LimitExceeded, "{name}: {message}");
        assert!(message.contains(name), "{name}: {message}");
        let next = run(&pool, &self::job(json!({"do": "echo", "n": name})));
        assert_eq!(
            next.result.unwrap()["n"],
            name,
            "the next good task succeeds"
        );
    }
}

#[test]
fn limits_are_a_runs_own_although_its_child_is_reused() {
    let pool = pool();
    let spin = bounded(json!({"do": "spin", "ms": 700}), |bounds| {
        bounds.cpu_seconds = 2;
    });
    for _ in 0..5 {
        run(&pool, &spin).result.unwrap();
    }
    let alloc = job(json!({"do": "alloc", "mib": 100}));
    for _ in 0..5 {
        run(&pool, &alloc).result.unwrap();
    }
    assert_eq!(pool.idle(), 1, "one child ran them all");
}

#[test]
fn a_panic_is_caught_and_its_child_serves_nobody_else() {
    let pool = pool();
    let (code, message) = failure(run(&pool, &job(json!({"do": "panic"}))));
    assert_eq!(code, ErrorCode::Panic);
    assert!(
        message.ends_with("as diagnostic.child was asked to"),
        "{message}"
    );
    assert_eq!(pool.idle(), 0);
}

#[test]
fn a_crash_is_tried_again_once_and_then_it_is_the_inputs_fault() {
    let pool = pool();
    for (input, how) in [
        (json!({"do": "abort"}), "signal 6"),
        (json!({"do": "exit", "code": 3}), "exit code 3"),
        (json!({"do": "exit", "code": 0}), "exit code 0"),
    ] {
        let watcher = Watcher::default();
        let (code, message) = failure(pool.run(&job(input), &watcher));
        assert_eq!(code, ErrorCode::InvalidInput, "{message}");
        assert!(message.contains(how), "{message}");
        assert_eq!(watcher.pids().len(), 2, "two children, and no more");
    }
}

#[test]
fn what_an_input_says_is_wrong_is_told_as_in_the_worker() {
    let pool = pool();
    let (code, message) = failure(run(&pool, &job(json!({"do": "nothing known"}))));
    assert_eq!(code, ErrorCode::InvalidInput);
    assert!(message.starts_with("the input: "), "{message}");
    assert_eq!(pool.idle(), 1, "an ordinary error costs no child");
    let mut unknown = job(json!({}));
    unknown.workflow_type = "no.such.type";
    assert_eq!(failure(run(&pool, &unknown)).0, ErrorCode::Internal);
}

#[test]
fn a_run_that_is_to_stop_stops_and_one_that_does_not_hear_is_ended() {
    for (input, serves_on) in [
        (json!({"do": "spin", "ms": 60_000}), 1),
        (json!({"do": "hang"}), 0),
    ] {
        let (pool, watcher) = (pool(), Arc::new(Watcher::default()));
        let (own, theirs) = (pool.clone(), Arc::clone(&watcher));
        let running = thread::spawn(move || own.run(&job(input), &*theirs));
        until("progress", || watcher.pids().first().copied());
        watcher.cancel.store(true, Ordering::Relaxed);
        let (code, message) = failure(running.join().unwrap());
        assert_eq!(code, ErrorCode::Internal);
        assert!(message.contains("stopped"), "{message}");
        assert_eq!(pool.idle(), serves_on, "a child that heard serves on");
    }
}

#[test]
fn neighbours_of_a_crashing_child_do_not_notice() {
    let pool = pool();
    let neighbours: Vec<_> = (0..2)
        .map(|n| {
            let pool = pool.clone();
            thread::spawn(move || run(&pool, &job(json!({"do": "spin", "ms": 1500, "n": n}))))
        })
        .collect();
    let mut crashes = 0;
    while !neighbours.iter().all(thread::JoinHandle::is_finished) {
        for input in [
            json!({"do": "abort"}),
            json!({"do": "overflow"}),
            json!({"do": "panic"}),
        ] {
            run(&pool, &job(input)).result.unwrap_err();
            crashes += 1;
        }
    }
    for neighbour in neighbours {
        let outcome = neighbour.join().unwrap();
        assert_eq!(outcome.result.unwrap()["spun_ms"], 1500);
        assert!(outcome.usage.unwrap().wall < Duration::from_secs(30));
    }
    assert!(crashes > 0);
}
