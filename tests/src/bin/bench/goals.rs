//! The goals of BENCH.md as data: what is compared with what, and whether this run reached it.
//!
//! Invariant: pure; a goal whose figures were not taken in this run is `not measured`, never assumed.
//! Deliberately absent: the goals for the monitor, the gate and the five workflow types, which no no-op task can show.

use serde::Serialize;

use crate::board::Board;
use crate::{api_load, backlog, dag, latency, slots, throughput};

/// One goal and its standing.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    /// What must hold.
    pub(crate) what: &'static str,
    /// The value compared with the limit; none when it was not measured in this run.
    pub(crate) value: Option<f64>,
    /// The limit.
    pub(crate) limit: f64,
    /// Whether the value must be at least (or at most) the limit.
    pub(crate) at_least: bool,
    /// Reached, or not; none when not measured.
    pub(crate) reached: Option<bool>,
    /// Value by limit, or limit by value where less is better: 1 and above is reached.
    pub(crate) ratio: Option<f64>,
}

/// Every goal, judged by the medians of the board.
pub(crate) fn judge(board: &Board) -> Vec<Goal> {
    let mut goals = throughput_goals(board);
    goals.extend(latency_goals(board));
    goals.extend(dag_goals(board));
    goals.extend(size_goals(board));
    goals
}

fn throughput_goals(board: &Board) -> Vec<Goal> {
    let against = |ours, other| ratio(board, throughput::END_TO_END, ours, other);
    vec![
        at_least(
            "throughput: bundles on / Celery",
            against("ours", "celery"),
            15.0,
        ),
        at_least(
            "throughput: bundles on / Celery (required now)",
            against("ours", "celery"),
            8.0,
        ),
        at_least(
            "throughput: bundles on / BullMQ",
            against("ours", "bullmq"),
            3.0,
        ),
        at_least(
            "throughput: bundles on / BullMQ (required now)",
            against("ours", "bullmq"),
            1.5,
        ),
        at_least(
            "throughput: bundles on / bare lapin loop",
            against("ours", "lapin"),
            1.0,
        ),
        at_least(
            "throughput: one ticket a slip / prototype loop",
            against("ours-single", "prototype"),
            0.9,
        ),
        at_least(
            "throughput: one ticket a slip / Celery",
            against("ours-single", "celery"),
            6.0,
        ),
        at_least(
            "throughput: embedded, durable, tasks/s",
            board.median("ours-embedded", throughput::END_TO_END),
            5_000.0,
        ),
        at_most(
            "embedded: start to ready, ms",
            board.median("ours-embedded", throughput::START),
            1_000.0,
        ),
        at_most(
            "backlog of 100,000: dearer submission, %",
            board.median("ours", backlog::SUBMIT_CHANGE),
            20.0,
        ),
        at_most(
            "backlog of 100,000: dearer work, %",
            board.median("ours", backlog::WORK_CHANGE),
            20.0,
        ),
        at_most(
            "orchestration of 10 ms tasks on all slots, %",
            board.median("ours", slots::OVERHEAD),
            2.0,
        ),
    ]
}

fn latency_goals(board: &Board) -> Vec<Goal> {
    let against = |measure| ratio(board, measure, "ours", "celery");
    vec![
        at_most(
            "idle latency: p50 / Celery's p50",
            against(latency::P50),
            1.0,
        ),
        at_most(
            "idle latency: p99 / Celery's p99",
            against(latency::P99),
            1.5,
        ),
        at_most(
            "idle latency: p50, ms (required now)",
            board.median("ours", latency::P50),
            5.0,
        ),
        at_most(
            "API under load: reads p99, ms",
            board.median("ours", api_load::READ),
            20.0,
        ),
        at_most(
            "API under load: single submissions p99, ms",
            board.median("ours", api_load::SUBMIT),
            20.0,
        ),
    ]
}

fn dag_goals(board: &Board) -> Vec<Goal> {
    let against = |measure| ratio(board, measure, "ours", "bullmq");
    let bulk = board.median("ours", dag::BULK);
    vec![
        at_most("fan-in 100 -> 1 / BullMQ's flow", against(dag::FAN_IN), 1.0),
        at_most("chain of 50 / BullMQ's flow", against(dag::CHAIN), 1.0),
        at_most("bulk of 10,000 tasks answered, ms", bulk, 1_000.0),
        at_most(
            "bulk of 10,000 tasks answered, ms (required now)",
            bulk,
            2_000.0,
        ),
        at_most(
            "1,000-node DAG answered, ms",
            board.median("ours", dag::DAG_ANSWER),
            1_000.0,
        ),
    ]
}

fn size_goals(board: &Board) -> Vec<Goal> {
    let worker = board.median("ours", latency::WORKER_MEMORY);
    vec![
        at_most("idle worker, MiB resident", worker, 20.0),
        at_most("idle worker, MiB resident (required now)", worker, 30.0),
        at_most(
            "idle coordinator, MiB resident",
            board.median("ours", latency::COORDINATOR_MEMORY),
            40.0,
        ),
        at_most(
            "pending task in Redis, bytes",
            board.median("ours", backlog::TASK_BYTES),
            1_024.0,
        ),
    ]
}

fn ratio(board: &Board, measure: &str, ours: &str, other: &str) -> Option<f64> {
    Some(board.median(ours, measure)? / board.median(other, measure)?)
}

fn at_least(what: &'static str, value: Option<f64>, limit: f64) -> Goal {
    Goal {
        what,
        value,
        limit,
        at_least: true,
        reached: value.map(|value| value >= limit),
        ratio: value.map(|value| value / limit),
    }
}

fn at_most(what: &'static str, value: Option<f64>, limit: f64) -> Goal {
    Goal {
        what,
        value,
        limit,
        at_least: false,
        reached: value.map(|value| value <= limit),
        // A value of nothing (or below, for a change) is as good as can be, and has no finite ratio.
        ratio: value
            .filter(|value| *value > 0.0)
            .map(|value| limit / value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_without_its_figures_is_not_judged() {
        let goals = judge(&Board::default());
        assert!(
            goals
                .iter()
                .all(|goal| goal.reached.is_none() && goal.ratio.is_none())
        );
    }

    #[test]
    fn ratios_are_taken_between_medians_of_one_run() {
        let mut board = Board::default();
        for value in [100.0, 900.0, 300.0] {
            board.add("ours", throughput::END_TO_END, value);
        }
        board.add("celery", throughput::END_TO_END, 30.0);
        board.add("ours", latency::WORKER_MEMORY, 25.0);
        let goals = judge(&board);
        let find = |what: &str| goals.iter().find(|goal| goal.what == what).unwrap();
        assert_eq!(find("throughput: bundles on / Celery").reached, Some(false));
        assert_eq!(
            find("throughput: bundles on / Celery (required now)").reached,
            Some(true)
        );
        assert_eq!(find("idle worker, MiB resident").reached, Some(false));
        assert_eq!(
            find("idle worker, MiB resident (required now)").reached,
            Some(true)
        );
        assert_eq!(find("throughput: bundles on / BullMQ").reached, None);
    }
}
