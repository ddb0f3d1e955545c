//! Bulk submissions of ours: bodies made beforehand, several clients at once, and the wait for the last task.
//!
//! Invariant: the clock starts before the first request and stops when the counter of completed tasks has grown by
//! exactly as many; making the bodies is not measured.

use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::http::Client;
use crate::ours::Fleet;
use crate::process;

/// Often enough for a few percent of a one-second run, gentle enough not to be the load.
const POLL: Duration = Duration::from_millis(20);
const FINISH_WITHIN: Duration = Duration::from_mins(3);

/// Seconds from the first submission to the last answer, and to the last completed task.
pub(crate) struct Timing {
    /// Until every submission was answered.
    pub(crate) submit_s: f64,
    /// Until every task was completed.
    pub(crate) total_s: f64,
}

/// A bulk request of `count` independent tasks of a type.
pub(crate) fn bulk(count: u32, workflow_type: &str, input: &str) -> String {
    let task = format!(r#"{{"workflow_type":"{workflow_type}","input":{input}}}"#);
    let mut body = String::from(r#"{"tasks":["#);
    for index in 0..count {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&task);
    }
    body.push_str("]}");
    body
}

/// A bulk request in which task `i` has the ref `t<i>` and depends on the tasks that `parents` names.
pub(crate) fn bulk_dag(count: u32, parents: impl Fn(u32) -> Vec<u32>) -> String {
    let mut body = String::from(r#"{"tasks":["#);
    for index in 0..count {
        let names: Vec<String> = parents(index)
            .iter()
            .map(|parent| format!(r#""t{parent}""#))
            .collect();
        let comma = if index > 0 { "," } else { "" };
        write!(
            body,
            r#"{comma}{{"ref":"t{index}","workflow_type":"diagnostic.noop","input":{{}},"depends_on":[{}]}}"#,
            names.join(",")
        )
        .expect("a String takes any text");
    }
    body.push_str("]}");
    body
}

/// Bodies of at most `chunk` no-op tasks each, `tasks` in all.
pub(crate) fn chunks(tasks: u32, chunk: u32) -> Vec<String> {
    let chunk = chunk.max(1);
    (0..tasks.div_ceil(chunk))
        .map(|index| bulk(chunk.min(tasks - index * chunk), "diagnostic.noop", "{}"))
        .collect()
}

/// Submits a bulk and checks that all of it was accepted; gives the id of the last task.
pub(crate) fn submit(client: &Client, body: &str) -> Result<String> {
    let answer = client.post("/api/workflows/submit/bulk", body)?;
    if answer["rejected"].as_u64() != Some(0) {
        bail!("tasks were rejected: {answer}");
    }
    let last = answer["items"].as_array().and_then(|items| items.last());
    let id = last.and_then(|item| item["task_id"].as_str());
    Ok(id.context("a bulk answer without its items")?.to_owned())
}

/// Submits `tasks` no-op tasks from several clients and waits until all are completed.
pub(crate) fn run(fleet: &mut Fleet, tasks: u32, chunk: u32, clients: u32) -> Result<Timing> {
    let counter = fleet.client();
    let before = counter.completed_count()?;
    // Smaller chunks than asked where each client would otherwise not get one.
    let chunk = chunk.min(tasks.div_ceil(clients.max(1)));
    let bodies = chunks(tasks, chunk);
    let started = Instant::now();
    let submit_s = thread::scope(|scope| {
        let submitters: Vec<_> = (0..clients.max(1))
            .map(|client| {
                let connection = fleet.client();
                let own = bodies
                    .iter()
                    .skip(client as usize)
                    .step_by(clients.max(1) as usize);
                scope.spawn(move || -> Result<()> {
                    for body in own {
                        submit(&connection, body)?;
                    }
                    Ok(())
                })
            })
            .collect();
        for submitter in submitters {
            submitter
                .join()
                .map_err(|_| anyhow!("a submitting thread panicked"))??;
        }
        Ok::<f64, anyhow::Error>(started.elapsed().as_secs_f64())
    })?;
    wait_completed(fleet, &counter, before + u64::from(tasks))?;
    Ok(Timing {
        submit_s,
        total_s: started.elapsed().as_secs_f64(),
    })
}

/// Waits until the counter of completed tasks reaches `goal`; more than that is an error, as each is counted once.
pub(crate) fn wait_completed(fleet: &mut Fleet, client: &Client, goal: u64) -> Result<()> {
    let mut count = 0;
    let waited = process::wait_until("the last task", FINISH_WITHIN, POLL, || {
        count = client.completed_count()?;
        Ok(count >= goal)
    });
    fleet.check()?;
    waited.with_context(|| format!("{count} of {goal} completed"))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn chunks_hold_every_task_once() {
        let sizes: Vec<usize> = chunks(25, 10)
            .iter()
            .map(|body| {
                let body: Value = serde_json::from_str(body).unwrap();
                body["tasks"].as_array().unwrap().len()
            })
            .collect();
        assert_eq!(sizes, [10, 10, 5]);
    }

    #[test]
    fn a_dag_names_its_parents() {
        let body: Value = serde_json::from_str(&bulk_dag(3, |index| (0..index).collect())).unwrap();
        assert_eq!(body["tasks"][2]["ref"], "t2");
        assert_eq!(
            body["tasks"][2]["depends_on"],
            serde_json::json!(["t0", "t1"])
        );
        assert_eq!(body["tasks"][0]["depends_on"], serde_json::json!([]));
    }
}
