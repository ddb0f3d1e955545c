//! A pool of children of the example program, and looks at the processes that it has.
//!
//! Invariant: waits for conditions, each with a deadline.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use shared::model::ErrorCode;
use worker::isolation::{Job, Options, Outcome, Pool, Program, Watch};
use workflows::Bounds;

/// Far longer than anything here takes, so that only a fault reaches it.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const MIB: u64 = 1 << 20;

/// Generous enough for a child in a debug build on a busy machine.
pub(crate) const BOUNDS: Bounds = Bounds {
    memory_bytes: 128 * MIB,
    cpu_seconds: 20,
    wall_seconds: 60,
    output_bytes: MIB,
};

/// The example, which calls `serve_if_asked` as a team's own worker does.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap();
    let program = folder.join("examples/own_worker");
    assert!(
        program.is_file(),
        "{} is missing: run `cargo build -p zerogate-worker --examples`",
        program.display()
    );
    program
}

pub(crate) fn options() -> Options {
    Options {
        program: Program::at(program()),
        ..Options::default()
    }
}

pub(crate) fn pool() -> Pool {
    Pool::new(options()).unwrap()
}

pub(crate) fn job(input: Value) -> Job {
    Job {
        workflow_type: "diagnostic.child",
        bounds: BOUNDS,
        input,
        advanced: false,
        contact_key: [0; 32],
        inputs: std::collections::BTreeMap::new(),
        folder: None,
    }
}

pub(crate) fn bounded(input: Value, change: impl FnOnce(&mut Bounds)) -> Job {
    let mut job = job(input);
    change(&mut job.bounds);
    job
}

/// Runs unwatched.
pub(crate) fn run(pool: &Pool, job: &Job) -> Outcome {
    pool.run(job, &Watcher::default())
}

/// The code and the message of a failure.
pub(crate) fn failure(outcome: Outcome) -> (ErrorCode, String) {
    let error = outcome.result.unwrap_err();
    (error.code(), error.message().to_owned())
}

/// Notes progress; cancels when told.
#[derive(Default)]
pub(crate) struct Watcher {
    pub(crate) cancel: AtomicBool,
    /// Pids of the children that ran.
    pids: Mutex<Vec<u32>>,
}

impl Watcher {
    /// The children that have begun to run, in order.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.pids.lock().unwrap().clone()
    }
}

impl Watch for Watcher {
    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn progress(&self, _: f64, doing: &str) {
        let pid = doing.rsplit(' ').next().unwrap().parse().unwrap();
        self.pids.lock().unwrap().push(pid);
    }
}

/// Waits until there is a value.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    status.is_ok_and(|text| !text.contains("\nState:\tZ"))
}

/// Sends SIGKILL to one process.
pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
