//! `zerogate demo`: two real workflows on shipped real data, and two that read
//! their results, through all nine steps in one process.
//!
//! The network is Zachary's karate club (1977), as packaged by NetworkX; the
//! grant closes on a federal deadline in March 2027. The two dependents ask
//! what a person would ask next: whom does the introducer reach, and how sure
//! is the plan if work begins only on the latest safe day?

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::{
    arguments::Demo,
    client::{http::Api, submission, table, watch},
    configuration::Configuration,
    exit::{Failure, TASK_FAILED},
    roles::{dev, signals},
};

/// The member whose way to [`TARGET`] is asked for: the one with the longest
/// way to go in the whole club.
const SOURCE: &str = "16";
/// The member to be introduced to.
const TARGET: &str = "26";

/// Runs the demo and chooses the exit code.
pub(crate) fn run(demo: Demo) -> anyhow::Result<ExitCode> {
    let scratch = Scratch::new()?;
    let settings = demo.settings.or_listen(([127, 0, 0, 1], 0).into());
    let configuration = settings.or_data_dir(&scratch.0).or_log("warn").resolve()?;
    let keep = demo.keep;
    dev::runtime()?.block_on(show(&configuration, keep))
}

async fn show(configuration: &Configuration, keep: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let embedded = dev::Embedded::start(configuration).await?;
    let url = format!("http://{}", embedded.address());
    eprintln!(
        "Zero Gate is up at {url}, in this one process: coordinator, worker, store and broker.\n"
    );
    let told = {
        let url = url.clone();
        tokio::task::spawn_blocking(move || tell(&url))
            .await
            .context("the demo panicked")?
    };
    if told.is_ok() && keep {
        eprintln!("\nStill up at {url}; Ctrl-C ends it.");
        signals::asked_to_end().await?;
    }
    embedded.end().await;
    let all_completed = told?;
    eprintln!(
        "\nFrom start to end: {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    Ok(if all_completed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(TASK_FAILED)
    })
}

/// Submits, follows and explains; blocking, as every client is.
fn tell(url: &str) -> Result<bool, Failure> {
    let api = Api::new(url)?;
    let answer = api.post("/api/workflows/submit/bulk", &submission())?;
    let tasks = watch::follow(&api, &submission::accepted(&answer))?;
    let print = |text: &str| {
        table::line(text)
            .map_err(|error| Failure::new(TASK_FAILED, format!("standard output: {error}")))
    };
    for (task, title) in tasks.iter().zip(TITLES) {
        print(&format!("\n=== {title}\n"))?;
        match task["status"].as_str() {
            Some("completed") => {
                print(&table::readable(&task["workflow_type"], &task["result"]))?;
            }
            _ => print(&table::task(task))?,
        }
    }
    print(&format!(
        "\n=== What was asked of the fleet\n\n{}",
        table::queue(&api.get("/api/workflows/queue")?)
    ))?;
    Ok(tasks.iter().all(|task| task["status"] == "completed"))
}

const TITLES: [&str; 4] = [
    "A network of 34 people: who holds it together, and who can introduce member 16 to member 26?",
    "The first introducer on the best of those ways: what can that person reach?",
    "A grant that closes on 31 March 2027: what must start when, and will it be on time?",
    "The same grant, if work begins only on the latest safe day",
];

/// One dependent run of four tasks, in the order of [`TITLES`].
fn submission() -> Value {
    let mut network = workflows::karate_club();
    network["query"] = json!({"source": SOURCE, "targets": [TARGET], "max_hops": 7, "k_paths": 3});
    let mut introducer = network.clone();
    introducer["query"]["source"] = json!({"$result": "network", "pointer": "/paths/0/nodes/1"});
    let plan = workflows::sample_grant();
    let mut late = plan.clone();
    late["as_of"] = json!({"$result": "plan", "pointer": "/latest_safe_start"});
    json!({"tasks": [
        {"ref": "network", "workflow_type": "relationship_mapping", "input": network},
        {"ref": "introducer", "workflow_type": "relationship_mapping", "priority": "high", "input": introducer},
        {"ref": "plan", "workflow_type": "grant_timeline", "input": plan},
        {"ref": "late", "workflow_type": "grant_timeline", "priority": "high", "input": late},
    ]})
}

/// A folder of this run alone, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("zerogate-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("zerogate: {}: {error}", self.0.display());
        }
    }
}
