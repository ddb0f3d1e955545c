//! Warm children, and the way of one run through them.
//!
//! Invariant: a child runs one task at a time and is lent to nobody else meanwhile; a run that must be alone has no
//! other child beside it, idle ones included. Blocks its caller, who is a thread of a run; never holds a lock while
//! a child works.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use shared::model::ErrorCode;
use tracing::{debug, info};
use workflows::{Bounds, FileLink};

use super::{
    Options, Usage,
    message::{End, Order},
    nursery::Nursery,
    oom::Kills,
    process::{Answer, Made, Process, Watch},
    verdict::{Before, Death, Verdict, judge},
};
use crate::{
    handler::{HandlerError, Problem},
    workroom::MadeFile,
};

/// How often a run that waits for its turn asks whether it is to stop.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// One run for a child.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which type of the catalogue.
    pub workflow_type: &'static str,
    /// What it may use.
    pub bounds: Bounds,
    /// Its input.
    pub input: Value,
    /// Whether the expensive optional parts are computed.
    pub advanced: bool,
    /// The tenant's secret by which people are named.
    pub contact_key: [u8; 32],
    /// Where the files of the input lie, by id.
    pub inputs: BTreeMap<String, PathBuf>,
    /// An empty folder for the files that it makes.
    pub folder: Option<PathBuf>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its result, or why there is none.
    pub result: Result<Value, HandlerError>,
    /// The files that it made, in its folder.
    pub made: Vec<MadeFile>,
    /// What it cost; of the last child, if there were two. `None` if none was started.
    pub usage: Option<Usage>,
}

/// Children of one worker. Cheap to clone; the last clone ends them.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    kills: Kills,
    /// Before the nursery, so that it is dropped before it.
    state: Mutex<State>,
    changed: Condvar,
    nursery: Nursery,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Process>,
    running: usize,
    alone: bool,
}

impl Pool {
    /// No child yet: they start when there is something to run.
    pub fn new(options: Options) -> io::Result<Self> {
        Ok(Self(Arc::new(Inner {
            options,
            kills: Kills::find(),
            state: Mutex::default(),
            changed: Condvar::new(),
            nursery: Nursery::new()?,
        })))
    }

    /// Children that wait for work.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0.state().idle.len()
    }

    /// Runs a job to its end.
    #[must_use]
    pub fn run(&self, job: &Job, watch: &dyn Watch) -> Outcome {
        let mut before = Before::Nothing;
        let mut usage = None;
        loop {
            let answer = match self.once(job, watch, before) {
                Ok(answer) => answer,
                Err(error) => return Outcome::failed(error, usage),
            };
            let (death, cost) = match answer {
                Once::Ended(outcome) => return outcome,
                Once::Died(death, cost) => (death, cost),
            };
            usage = Some(cost);
            before = match judge(&death, &job.bounds, before) {
                Verdict::Fail(error) => return Outcome::failed(error, usage),
                Verdict::Again(next) => next,
                Verdict::AgainAlone => Before::OutOfMemory,
            };
            info!(
                workflow_type = job.workflow_type,
                ?death,
                "a child process died; its run begins again in a fresh one"
            );
            if let Some(folder) = &job.folder
                && let Err(error) = emptied(folder)
            {
                let text = format!("the run's folder cannot be emptied: {}", error.kind());
                return Outcome::failed(HandlerError::internal(text), usage);
            }
        }
    }

    /// One try, in a warm child if it is the first.
    fn once(&self, job: &Job, watch: &dyn Watch, before: Before) -> Result<Once, HandlerError> {
        let turn = self.0.enter(before == Before::OutOfMemory, watch)?;
        let warm = (before == Before::Nothing).then(|| self.0.warm()).flatten();
        let mut child = match warm {
            Some(child) => child,
            None => Process::start(&self.0.nursery, &self.0.options.program).map_err(|error| {
                HandlerError::internal(format!("no child process could be started: {error}"))
            })?,
        };
        let kills = self.0.kills.count();
        let answer = child
            .run(order(job), &job.bounds, &job.input, watch)
            .map_err(|_| {
                HandlerError::limit_exceeded("the input is too long for a child process")
            })?;
        Ok(match answer {
            Answer::Ended {
                end,
                body,
                made,
                usage,
            } => {
                let panicked = matches!(end, End::Panicked(_));
                if panicked {
                    // Whatever its memory holds now, nobody else shall meet it.
                    drop(child);
                } else {
                    self.0.put_back(child);
                }
                drop(turn);
                Once::Ended(Outcome::of(job, end, body, made, usage))
            }
            Answer::Died {
                exit,
                killed,
                words,
                usage,
            } => {
                let death = Death {
                    exit,
                    killed,
                    words,
                    oom: self.0.kills.count() > kills,
                };
                Once::Died(death, usage)
            }
        })
    }
}

enum Once {
    Ended(Outcome),
    Died(Death, Usage),
}

/// A run's right to have a child.
struct Turn<'a> {
    inner: &'a Inner,
    alone: bool,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a child may run: beside others, or alone.
    fn enter(&self, alone: bool, watch: &dyn Watch) -> Result<Turn<'_>, HandlerError> {
        let mut state = self.state();
        // Whoever wants to be alone keeps others from beginning, or it would wait for ever; one at a time does.
        let mut announced = false;
        loop {
            if alone && !announced && !state.alone {
                state.alone = true;
                announced = true;
            }
            if announced && state.running == 0 || !alone && !state.alone {
                state.running += 1;
                let beside = if alone {
                    std::mem::take(&mut state.idle)
                } else {
                    Vec::new()
                };
                drop(state);
                drop(beside);
                return Ok(Turn { inner: self, alone });
            }
            if watch.cancelled() {
                state.alone &= !announced;
                self.changed.notify_all();
                return Err(HandlerError::stopped());
            }
            let waited = self.changed.wait_timeout(state, ASK_EVERY);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A child that waits and is fit to serve.
    fn warm(&self) -> Option<Process> {
        loop {
            // Dropped outside the lock.
            let mut child = self.state().idle.pop()?;
            if self.fit(&mut child) {
                return Some(child);
            }
        }
    }

    fn put_back(&self, mut child: Process) {
        if !self.fit(&mut child) {
            debug!("a child process has served long enough");
            return;
        }
        let mut state = self.state();
        if !state.alone && state.idle.len() < self.options.idle_max {
            state.idle.push(child);
        } else {
            drop(state);
            drop(child);
        }
    }

    fn fit(&self, child: &mut Process) -> bool {
        child.is_fit(self.options.runs_max, self.options.growth_max)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.running -= 1;
        if self.alone {
            state.alone = false;
        }
        self.inner.changed.notify_all();
    }
}

fn order(job: &Job) -> Order {
    let mut order = Order {
        number: 0,
        workflow_type: job.workflow_type.to_owned(),
        memory_bytes: 0,
        cpu_seconds: 0,
        output_bytes: 0,
        advanced: job.advanced,
        contact_key: job.contact_key,
        inputs: job.inputs.clone(),
        folder: job.folder.clone(),
    };
    order.bounded_by(&job.bounds);
    order
}

impl Outcome {
    fn failed(error: HandlerError, usage: Option<Usage>) -> Self {
        Self {
            result: Err(error),
            made: Vec::new(),
            usage,
        }
    }

    fn of(job: &Job, end: End, body: Value, made: Made, usage: Usage) -> Self {
        let result = result(end, body);
        let folder = job.folder.as_deref().unwrap_or(Path::new(""));
        let made = if result.is_ok() { made } else { Vec::new() };
        let checked: Result<Vec<_>, _> = made
            .into_iter()
            .map(|(name, link)| found(folder, &name, link))
            .collect();
        match checked {
            Ok(made) => Self {
                result,
                made,
                usage: Some(usage),
            },
            Err(error) => Self::failed(error, Some(usage)),
        }
    }
}

fn result(end: End, body: Value) -> Result<Value, HandlerError> {
    match end {
        End::Result => Ok(body),
        End::InvalidInput(problems) => {
            let problem = |(pointer, detail)| Problem { pointer, detail };
            let problems: Vec<_> = problems.into_iter().map(problem).collect();
            Err(HandlerError::invalid_inputs(&problems))
        }
        End::LimitExceeded(text) => Err(HandlerError::limit_exceeded(text)),
        End::Stopped => Err(HandlerError::stopped()),
        End::Internal(detail) => Err(HandlerError::internal(detail)),
        End::Panicked(text) => Err(HandlerError::of(
            ErrorCode::Panic,
            text.map_or_else(
                || {
                    "the handler panicked (its message may quote the input and is withheld)"
                        .to_owned()
                },
                |text| format!("the handler panicked: {text}"),
            ),
        )),
    }
}

/// A made file where the child says it is. A child is not believed: only an ordinary file of that length in the
/// run's own folder is one.
fn found(folder: &Path, name: &str, link: FileLink) -> Result<MadeFile, HandlerError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let path = folder.join(name);
    let there = path
        .symlink_metadata()
        .is_ok_and(|file| file.is_file() && file.len() == link.bytes);
    if plain && there {
        Ok(MadeFile { link, path })
    } else {
        Err(HandlerError::internal(
            "a file that the run made is not where it should be",
        ))
    }
}

/// Empties a folder for the next try.
fn emptied(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
    };

    struct Patient;

    impl Watch for Patient {
        fn cancelled(&self) -> bool {
            false
        }

        fn progress(&self, _: f64, _: &str) {}
    }

    struct Impatient;

    impl Watch for Impatient {
        fn cancelled(&self) -> bool {
            true
        }

        fn progress(&self, _: f64, _: &str) {}
    }

    #[test]
    fn alone_is_alone_and_everybody_has_a_turn() {
        let pool = Pool::new(Options::default()).unwrap();
        let beside = Arc::new(AtomicUsize::new(0));
        let runs: Vec<_> = (0..24)
            .map(|n| {
                let (pool, beside) = (pool.clone(), Arc::clone(&beside));
                thread::spawn(move || {
                    let alone = n % 3 == 0;
                    for _ in 0..50 {
                        let turn = pool.0.enter(alone, &Patient).unwrap();
                        let others = beside.fetch_add(1, Ordering::SeqCst);
                        assert!(!alone || others == 0, "{others} beside a lonely one");
                        thread::yield_now();
                        assert!(!alone || beside.load(Ordering::SeqCst) == 1);
                        beside.fetch_sub(1, Ordering::SeqCst);
                        drop(turn);
                    }
                })
            })
            .collect();
        for run in runs {
            run.join().unwrap();
        }
        let state = pool.0.state();
        assert!(state.running == 0 && !state.alone);
    }

    #[test]
    fn whoever_gives_up_waiting_to_be_alone_holds_nobody_up() {
        let pool = Pool::new(Options::default()).unwrap();
        let running = pool.0.enter(false, &Patient).unwrap();
        assert!(pool.0.enter(true, &Impatient).is_err());
        drop(pool.0.enter(false, &Patient).unwrap());
        drop(running);
        drop(pool.0.enter(true, &Patient).unwrap());
    }
}
