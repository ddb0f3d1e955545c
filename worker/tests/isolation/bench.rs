//! What a run costs beside its work: measured, printed, and held to its order of magnitude.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::stand::{Watcher, job, pool};

#[test]
fn a_warm_child_answers_well_under_the_time_that_a_start_takes() {
    let (pool, watcher) = (pool(), Watcher::default());
    let empty = job(json!({"do": "echo"}));
    let took = || {
        let begun = Instant::now();
        pool.run(&empty, &watcher).result.unwrap();
        begun.elapsed()
    };
    let first = took();
    let mut warm: Vec<Duration> = (0..150).map(|_| took()).collect();
    warm.sort();
    let (median, worst) = (warm[warm.len() / 2], warm[warm.len() - 1]);
    println!(
        "first run with the start of its child: {first:?}; warm: median {median:?}, worst {worst:?}"
    );
    let pids = watcher.pids();
    assert!(pids.iter().all(|pid| *pid == pids[0]), "one child");
    assert!(
        median < Duration::from_millis(20),
        "even on a busy machine: {median:?}"
    );
    assert!(median < first);
}
