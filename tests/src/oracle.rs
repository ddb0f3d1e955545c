//! What must hold for every submitted task, whatever broke in between.
//!
//! The promises checked: every accepted task reaches a final state, the expected one; none is committed twice (the
//! counters equal the number of tasks, and a task's history holds one success and nothing after it); a dependent
//! starts only after its parents have finished; the fleet is back at full work within 30 s of the fault's end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::api::{self, Api};
use crate::wait::{self, Look};

/// How long after the end of a fault the fleet may take until every slot works again (the requirement).
pub const RECOVERY: Duration = Duration::from_secs(30);

/// How a task must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Completed.
    Completed,
    /// Failed with this code.
    Failed(&'static str),
    /// Cancelled, for whatever reason.
    Cancelled,
    /// Any final state.
    Any,
}

/// Keeps book of everything submitted.
#[derive(Debug, Default)]
pub struct Oracle {
    tasks: BTreeMap<String, Ending>,
    /// Commits beyond one a task that the test itself asked for (a retry of a failed task commits again).
    extra_commits: u64,
}

impl Oracle {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Submits a task that must be accepted and must end so.
    pub fn submit(&mut self, api: &Api, submission: &Value, ending: Ending) -> Result<String> {
        let id = api.accept(submission)?;
        self.track(&id, ending);
        Ok(id)
    }

    /// Submits tasks in one atomic request that must be accepted and must all end so.
    pub fn submit_all(
        &mut self,
        api: &Api,
        submissions: &[Value],
        ending: Ending,
    ) -> Result<Vec<String>> {
        let ids = api.accept_all(submissions)?;
        for id in &ids {
            self.track(id, ending);
        }
        Ok(ids)
    }

    /// Takes an accepted task into the book, or changes how it must end.
    pub fn track(&mut self, id: &str, ending: Ending) {
        self.tasks.insert(id.to_owned(), ending);
    }

    /// Says that the test itself had a finished task run again.
    pub fn retried(&mut self) {
        self.extra_commits += 1;
    }

    /// How many tasks are in the book.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// True before the first task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until every task of the book is final and checks every promise. Returns the records by id.
    pub fn settle(&self, api: &Api, within: Duration) -> Result<BTreeMap<String, Value>> {
        let records = self.wait_final(api, within)?;
        for (id, record) in &records {
            check_ending(record, self.tasks[id]).with_context(|| format!("task {record:#}"))?;
            check_history(record).with_context(|| format!("task {record:#}"))?;
            check_order(record, &records).with_context(|| format!("task {record:#}"))?;
        }
        self.check_counters(api)?;
        Ok(records)
    }

    /// Waits until the fleet runs `slots` new tasks at once, at the latest [`RECOVERY`] after the fault's end.
    pub fn full_work(&mut self, api: &Api, slots: usize, fault_end: Instant) -> Result<()> {
        let probe = api::with(
            api::task("diagnostic.sleep", &json!({"ms": 1_000})),
            &json!({"priority": "critical"}),
        );
        let batch = vec![probe; slots];
        let left = RECOVERY.saturating_sub(fault_end.elapsed());
        let (mut open, mut highest) = (Vec::new(), 0);
        wait::until("the fleet to be back at full work", left, || {
            if all_final(api, &open)? {
                open = self.submit_all(api, &batch, Ending::Completed)?;
            }
            // Only the probes count: what ran before the fault may still be booked as running.
            let running = &api.queue()?["by_priority"]["critical"]["running"];
            let running = running.as_u64().unwrap_or(0);
            highest = highest.max(running);
            let reason = format!("at most {highest} of {slots} run at once");
            Ok(Look::when(running >= slots as u64, reason))
        })
    }

    fn wait_final(&self, api: &Api, within: Duration) -> Result<BTreeMap<String, Value>> {
        let mut open: Vec<&String> = self.tasks.keys().collect();
        let mut records = BTreeMap::new();
        wait::until("every task to reach a final state", within, || {
            let mut still = Vec::new();
            for id in &open {
                let record = api.status(id)?;
                if api::is_final(&api::text(&record, "status")) {
                    records.insert((*id).clone(), record);
                } else {
                    still.push(*id);
                }
            }
            open = still;
            let Some(first) = open.first() else {
                return Ok(Look::Done(()));
            };
            let record = api.status(first)?;
            Ok(Look::NotYet(format!(
                "{} are not, one of them: {record:#}",
                open.len()
            )))
        })?;
        Ok(records)
    }

    fn check_counters(&self, api: &Api) -> Result<()> {
        let queue = api.queue()?;
        let count = |name: &str| queue[name].as_u64().unwrap_or(u64::MAX);
        ensure!(
            count("pending") == 0 && count("running") == 0,
            "all tasks are final, yet the counters say otherwise: {queue}"
        );
        let commits = count("completed") + count("failed") + count("cancelled");
        let expected = self.tasks.len() as u64 + self.extra_commits;
        ensure!(
            commits == expected,
            "{expected} commits were due, {commits} were counted: {queue}"
        );
        Ok(())
    }
}

/// How often a task was started, by its record.
#[must_use]
pub fn starts(record: &Value) -> usize {
    record["attempts"].as_array().map_or(0, Vec::len)
}

/// Insists that no task was started a second time: what broke was none of its business.
pub fn started_once(records: &BTreeMap<String, Value>) -> Result<()> {
    for record in records.values() {
        ensure!(
            starts(record) <= 1,
            "started again without need: {record:#}"
        );
    }
    Ok(())
}

/// The tasks that lost a worker on their way.
#[must_use]
pub fn lost(records: &BTreeMap<String, Value>) -> Vec<&Value> {
    let lost = |record: &&Value| {
        let attempts = record["attempts"].as_array();
        attempts.is_some_and(|all| all.iter().any(|one| one["code"] == "worker_lost"))
    };
    records.values().filter(lost).collect()
}

fn all_final(api: &Api, ids: &[String]) -> Result<bool> {
    for id in ids {
        if !api::is_final(&api::text(&api.status(id)?, "status")) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn check_ending(record: &Value, ending: Ending) -> Result<()> {
    let status = api::text(record, "status");
    let code = api::text(&record["error"], "code");
    match ending {
        Ending::Completed => ensure!(status == "completed", "must be completed, is {status}"),
        Ending::Failed(expected) => ensure!(
            status == "failed" && code == expected,
            "must have failed with {expected}, is {status} with {code:?}"
        ),
        Ending::Cancelled => ensure!(status == "cancelled", "must be cancelled, is {status}"),
        Ending::Any => ensure!(api::is_final(&status), "must be final, is {status}"),
    }
    ensure!(
        record["finished_at"].is_string(),
        "final without finished_at"
    );
    Ok(())
}

/// A completed task has exactly one success, its last attempt; numbers grow; no attempt overlaps the one before it.
fn check_history(record: &Value) -> Result<()> {
    let attempts = record["attempts"]
        .as_array()
        .context("no attempts member")?;
    for pair in attempts.windows(2) {
        ensure!(
            pair[0]["attempt"].as_u64() < pair[1]["attempt"].as_u64(),
            "attempt numbers do not grow"
        );
        ensure!(
            api::text(&pair[0], "finished_at") <= api::text(&pair[1], "started_at"),
            "an attempt starts before the one before it has ended"
        );
    }
    let successes = attempts
        .iter()
        .filter(|attempt| attempt["code"].is_null() && attempt["finished_at"].is_string())
        .count();
    if record["status"] == json!("completed") {
        let last = attempts.last().context("completed without an attempt")?;
        ensure!(
            successes == 1,
            "completed with {successes} successful attempts"
        );
        ensure!(
            last["code"].is_null(),
            "completed, but the last attempt failed"
        );
        ensure!(
            last["attempt"] == record["attempt"],
            "the history misses the last attempt"
        );
    } else if successes > 0 {
        bail!("a successful attempt, yet the task is {}", record["status"]);
    }
    Ok(())
}

/// A dependent that ran started after every parent had finished.
fn check_order(record: &Value, records: &BTreeMap<String, Value>) -> Result<()> {
    let started = api::text(&record["attempts"][0], "started_at");
    if started.is_empty() {
        return Ok(());
    }
    for parent in record["depends_on"].as_array().into_iter().flatten() {
        let Some(parent) = parent.as_str().and_then(|id| records.get(id)) else {
            continue;
        };
        let finished = api::text(parent, "finished_at");
        ensure!(
            finished <= started,
            "started at {started}, before its parent finished at {finished}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: &str, attempts: &Value) -> Value {
        let last = attempts.as_array().unwrap().len();
        json!({"task_id": "t", "status": status, "attempt": last, "attempts": attempts, "depends_on": ["p"],
               "finished_at": "2026-11-23T03:00:09.000000Z", "error": null})
    }

    fn attempt(n: u64, started: &str, finished: &str, code: Option<&str>) -> Value {
        json!({"attempt": n, "started_at": started, "finished_at": finished, "code": code})
    }

    #[test]
    fn a_task_committed_twice_is_noticed() {
        let once = record(
            "completed",
            &json!([
                attempt(1, "1", "2", Some("worker_lost")),
                attempt(2, "3", "4", None)
            ]),
        );
        assert!(check_history(&once).is_ok());
        let twice = record(
            "completed",
            &json!([attempt(1, "1", "2", None), attempt(2, "3", "4", None)]),
        );
        assert!(check_history(&twice).is_err());
        let after = record(
            "failed",
            &json!([
                attempt(1, "1", "2", None),
                attempt(2, "3", "4", Some("timeout"))
            ]),
        );
        assert!(check_history(&after).is_err());
        let overlap = record(
            "completed",
            &json!([
                attempt(1, "1", "4", Some("worker_lost")),
                attempt(2, "3", "5", None)
            ]),
        );
        assert!(check_history(&overlap).is_err());
    }

    #[test]
    fn a_dependent_before_its_parent_is_noticed() {
        let child = record("completed", &json!([attempt(1, "5", "6", None)]));
        let parents =
            |finished: &str| BTreeMap::from([("p".to_owned(), json!({"finished_at": finished}))]);
        assert!(check_order(&child, &parents("5")).is_ok());
        assert!(check_order(&child, &parents("51")).is_err());
    }

    #[test]
    fn a_wrong_ending_is_noticed() {
        let failed = with_error(record(
            "failed",
            &json!([attempt(1, "1", "2", Some("panic"))]),
        ));
        assert!(check_ending(&failed, Ending::Failed("panic")).is_ok());
        assert!(check_ending(&failed, Ending::Failed("timeout")).is_err());
        assert!(check_ending(&failed, Ending::Completed).is_err());
        let open = record("running", &json!([]));
        assert!(check_ending(&open, Ending::Any).is_err());
    }

    fn with_error(mut record: Value) -> Value {
        record["error"] = json!({"code": "panic"});
        record
    }
}
