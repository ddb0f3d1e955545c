//! Dependent tasks: a fan-in of 100 into one, a chain of 50; for ours also one bulk request of 10,000 tasks and a DAG of
//! 1,000 nodes, for which the peers have no counterpart.
//!
//! Invariant: each clock runs from before the submission until the client knows that the last task is done.

use std::time::Instant;

use anyhow::Result;
use serde::Deserialize;

use crate::board::median;
use crate::http::Client;
use crate::load;
use crate::ours::NOOP;
use crate::stage::Stage;
use crate::system::System;

/// 100 tasks and one that waits for all of them.
pub(crate) const FAN_IN: &str = "fan_in_100_ms";
/// 50 tasks, each waiting for the one before.
pub(crate) const CHAIN: &str = "chain_50_ms";
/// One request with 10,000 independent tasks, until it is answered.
pub(crate) const BULK: &str = "bulk_10000_answer_ms";
/// One request with a DAG of 1,000 nodes, until it is answered.
pub(crate) const DAG_ANSWER: &str = "dag_1000_answer_ms";
/// The same until all nodes are completed.
pub(crate) const DAG_TOTAL: &str = "dag_1000_completed_ms";
const WIDTH: u32 = 100;
const LENGTH: u32 = 50;
const LAYERS: u32 = 10;
const BULK_TASKS: u32 = 10_000;
const WARM_UP: u32 = 50;

/// What a driver of a peer prints.
#[derive(Deserialize)]
struct Driven {
    fan_in_ms: Vec<f64>,
    chain_ms: Vec<f64>,
}

/// One run of one system.
pub(crate) fn measure(stage: &mut Stage, system: System) -> Result<()> {
    if system.is_ours() {
        return ours(stage, system);
    }
    let options = [
        ("samples", stage.options.dag_samples),
        ("width", WIDTH),
        ("length", LENGTH),
        ("warmup", WARM_UP),
    ];
    let driven: Driven = stage.peer(system)?.drive("dag", &options)?;
    stage
        .board
        .add(system.name(), FAN_IN, median(&driven.fan_in_ms));
    stage
        .board
        .add(system.name(), CHAIN, median(&driven.chain_ms));
    Ok(())
}

fn ours(stage: &mut Stage, system: System) -> Result<()> {
    let mut fleet = stage.fleet(system)?;
    let client = fleet.client();
    for _ in 0..WARM_UP {
        client.completed(&client.submit(NOOP)?)?;
    }
    let fan_in = load::bulk_dag(WIDTH + 1, fan_in_parents);
    let chain = load::bulk_dag(LENGTH, chain_parents);
    let samples = stage.options.dag_samples;
    let fan_in = to_the_last(&client, &fan_in, samples)?;
    let chain = to_the_last(&client, &chain, samples)?;

    let dag = load::bulk_dag(WIDTH * LAYERS, layered_parents);
    let before = client.completed_count()?;
    let started = Instant::now();
    load::submit(&client, &dag)?;
    let answered = since(started);
    load::wait_completed(&mut fleet, &client, before + u64::from(WIDTH * LAYERS))?;
    let completed = since(started);

    let bulk = load::bulk(BULK_TASKS, "diagnostic.noop", "{}");
    let before = client.completed_count()?;
    let started = Instant::now();
    load::submit(&client, &bulk)?;
    let bulk = since(started);
    load::wait_completed(&mut fleet, &client, before + u64::from(BULK_TASKS))?;

    let figures = [
        (FAN_IN, fan_in),
        (CHAIN, chain),
        (DAG_ANSWER, answered),
        (DAG_TOTAL, completed),
        (BULK, bulk),
    ];
    for (measure, value) in figures {
        stage.board.add(system.name(), measure, value);
    }
    Ok(())
}

/// The median time from submission to the completion of the last task of the request.
fn to_the_last(client: &Client, body: &str, samples: u32) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..samples {
        let started = Instant::now();
        client.completed(&load::submit(client, body)?)?;
        times.push(since(started));
    }
    Ok(median(&times))
}

/// The last of the tasks waits for all others.
fn fan_in_parents(index: u32) -> Vec<u32> {
    if index == WIDTH {
        (0..WIDTH).collect()
    } else {
        Vec::new()
    }
}

fn chain_parents(index: u32) -> Vec<u32> {
    index.checked_sub(1).into_iter().collect()
}

/// Layers of 100; each node waits for up to three of the layer before, spread so that every one has children.
fn layered_parents(index: u32) -> Vec<u32> {
    let Some(before) = (index / WIDTH).checked_sub(1) else {
        return Vec::new();
    };
    let place = index % WIDTH;
    let mut parents: Vec<u32> = [place, place * 7 + 1, place * 13 + 5]
        .iter()
        .map(|spread| before * WIDTH + spread % WIDTH)
        .collect();
    parents.sort_unstable();
    parents.dedup();
    parents
}

fn since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layered_dag_only_looks_back() {
        for index in 0..WIDTH * LAYERS {
            let parents = layered_parents(index);
            assert_eq!(parents.is_empty(), index < WIDTH);
            assert!(
                parents
                    .iter()
                    .all(|parent| parent / WIDTH + 1 == index / WIDTH)
            );
            assert!(parents.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn only_the_last_of_a_fan_in_waits() {
        assert_eq!(fan_in_parents(WIDTH).len(), 100);
        assert!(fan_in_parents(WIDTH - 1).is_empty());
        assert_eq!(chain_parents(0), Vec::<u32>::new());
        assert_eq!(chain_parents(7), [6]);
    }
}
