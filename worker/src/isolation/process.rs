//! One child as its worker holds it: starts it, has it run one order at a time, and sees it end.
//!
//! Invariant: never waits without a bound; a process that was dropped is dead and waited for. What it prints on
//! standard error is read and forgotten but for the sentences in `verdict`.

use std::{
    collections::VecDeque,
    io,
    os::unix::process::ExitStatusExt,
    process::{self, ExitStatus},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde_json::Value;
use workflows::{Bounds, FileLink};

use super::{
    Usage,
    codec::{self, Malformed},
    limits,
    message::{Account, Ask, End, Order, Say},
    nursery::Nursery,
    options::Program,
    pipes::{Pipes, Seen, span},
    verdict::{Exit, Killed, LastWords},
};

/// How long a child may take to say that it serves: it starts in milliseconds, a machine that swaps takes longer.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How often a quiet child is looked at: its memory, and whether its run is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A run that was told to stop has this long, so that its warm child can go on serving: less than the second that a
/// draining worker gives its runs.
const STOP_PATIENCE: Duration = Duration::from_millis(500);
/// A child that closed its pipes has this long to be dead by itself, so that we learn what of.
const DEATH_WITHIN: Duration = Duration::from_secs(2);
/// Beside the result that `output_bytes` caps: names of made files, and encoding.
const ANSWER_ROOM: u64 = 2 << 20;

/// Who watches over a run.
pub trait Watch {
    /// Whether the run is to end early.
    fn cancelled(&self) -> bool;
    /// Takes progress: a fraction and a sentence.
    fn progress(&self, fraction: f64, doing: &str);
}

/// A child process.
#[derive(Debug)]
pub(super) struct Process {
    child: process::Child,
    pipes: Pipes,
    /// Orders given.
    orders: u64,
    /// At its first rest, and at the latest.
    first: Account,
    rest: Account,
}

/// Made files by their names in the run's folder.
pub(super) type Made = Vec<(String, FileLink)>;

/// How an order ended.
#[derive(Debug)]
pub(super) enum Answer {
    /// The child answered, and serves on.
    Ended {
        end: End,
        body: Value,
        made: Made,
        usage: Usage,
    },
    /// The child is dead.
    Died {
        exit: Exit,
        killed: Option<Killed>,
        words: LastWords,
        usage: Usage,
    },
}

/// An order under way.
struct Watched<'a> {
    watch: &'a dyn Watch,
    number: u64,
    begun: Instant,
    wall: Duration,
    answer_max: u64,
    /// Still to be written.
    outbox: VecDeque<u8>,
    told_to_stop: Option<Instant>,
    next_look: Instant,
    peak_seen: u64,
    /// The answer, until the child is at rest again.
    ended: Option<(End, Value, Made)>,
}

impl Process {
    /// Starts a child and waits until it serves.
    pub(super) fn start(nursery: &Nursery, program: &Program) -> io::Result<Self> {
        let mut child = nursery.start(program.command())?;
        let pipes = Pipes::of(&mut child)?;
        let mut this = Self {
            child,
            pipes,
            orders: 0,
            first: Account::default(),
            rest: Account::default(),
        };
        this.greet()?;
        Ok(this)
    }

    fn greet(&mut self) -> io::Result<()> {
        let refused = |why: &str| {
            io::Error::other(format!(
                "a child process {why}; the worker's program must call zerogate_worker::isolation::serve_if_asked() first in its main"
            ))
        };
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            let seen = self.pipes.look(&mut VecDeque::new(), LOOK_EVERY)?;
            match self
                .pipes
                .next_frame()
                .map_err(|_| refused("does not speak the protocol"))?
            {
                Some((Say::Ready(version, account), _)) if version == env!("CARGO_PKG_VERSION") => {
                    (self.first, self.rest) = (account, account);
                    return Ok(());
                }
                Some(_) => return Err(refused("is of another version")),
                None if matches!(seen, Seen::Closed) => return Err(refused("ended at its start")),
                None => {}
            }
        }
        Err(refused("did not serve in time"))
    }

    /// Whether it is alive and may serve on, after so many orders and with this growth.
    pub(super) fn is_fit(&mut self, orders_max: u64, growth_max: u64) -> bool {
        let grown = self
            .rest
            .resident_bytes
            .saturating_sub(self.first.resident_bytes);
        self.orders < orders_max && grown <= growth_max && matches!(self.child.try_wait(), Ok(None))
    }

    /// Runs one order to its end, or to the child's.
    pub(super) fn run(
        &mut self,
        mut order: Order,
        bounds: &Bounds,
        input: &Value,
        watch: &dyn Watch,
    ) -> Result<Answer, Malformed> {
        self.pipes.forget_errors();
        self.orders += 1;
        order.number = self.orders;
        let begun = Instant::now();
        let mut watched = Watched {
            watch,
            number: order.number,
            begun,
            wall: Duration::from_secs(bounds.wall_seconds),
            answer_max: bounds.output_bytes.saturating_add(ANSWER_ROOM),
            outbox: codec::frame(&Ask::Run(Box::new(order)), input)?.into(),
            told_to_stop: None,
            next_look: begun + LOOK_EVERY,
            peak_seen: 0,
            ended: None,
        };
        loop {
            if let Some(killed) = self.overdue(&mut watched) {
                return Ok(self.bury(Some(killed), &watched));
            }
            let Ok(Seen::Open) = self.pipes.look(&mut watched.outbox, LOOK_EVERY) else {
                // Its last frame may have come with its end.
                return Ok(match self.hear(&mut watched) {
                    Ok(Some(answer)) => answer,
                    _ => self.bury(None, &watched),
                });
            };
            match self.hear(&mut watched) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(Malformed) => return Ok(self.bury(Some(Killed::Babbled), &watched)),
            }
        }
    }

    /// Looks at the clock, the watcher and the child's memory; why it is to be killed, if it is.
    fn overdue(&self, watched: &mut Watched<'_>) -> Option<Killed> {
        let now = Instant::now();
        if now < watched.next_look {
            return None;
        }
        watched.next_look = now + LOOK_EVERY;
        if let Some(memory) = limits::memory_of(self.child.id()) {
            watched.peak_seen = watched.peak_seen.max(memory.peak);
        }
        if watched.told_to_stop.is_none() && watched.watch.cancelled() {
            watched.told_to_stop = Some(now);
            let stop = codec::frame(&Ask::Stop(watched.number), &Value::Null);
            watched.outbox.extend(stop.unwrap_or_default());
        }
        match watched.told_to_stop {
            Some(at) if now - at >= STOP_PATIENCE => Some(Killed::Stopped),
            _ if now - watched.begun >= watched.wall => Some(Killed::Wall),
            _ => None,
        }
    }

    /// Takes what the child said; the answer once it is whole.
    fn hear(&mut self, watched: &mut Watched<'_>) -> Result<Option<Answer>, Malformed> {
        while let Some((said, body)) = self.pipes.next_frame()? {
            match (said, watched.ended.take()) {
                (Say::Progress(fraction, doing), ended) => {
                    watched.ended = ended;
                    watched.watch.progress(fraction, &doing);
                }
                (Say::Ended(end, made), None) => watched.ended = Some((end, body, made)),
                (Say::Idle(account), Some((end, body, made))) => {
                    self.rest = account;
                    let usage = Usage {
                        peak_bytes: account.peak_bytes,
                        cpu: Duration::from_nanos(account.cpu_nanos),
                        wall: watched.begun.elapsed(),
                    };
                    return Ok(Some(Answer::Ended {
                        end,
                        body,
                        made,
                        usage,
                    }));
                }
                _ => return Err(Malformed),
            }
        }
        let longest = usize::try_from(watched.answer_max).unwrap_or(usize::MAX);
        if self.pipes.pending() > longest {
            return Err(Malformed);
        }
        Ok(None)
    }

    /// Ends the child if it has not ended, and tells how it died.
    fn bury(&mut self, killed: Option<Killed>, watched: &Watched<'_>) -> Answer {
        if killed.is_some() {
            self.child.kill().ok();
        }
        self.await_death();
        let cpu = limits::cpu_of(self.child.id()).unwrap_or_default();
        // Dead or not, it is dead now; a status that says killed is ours only if we had to.
        self.child.kill().ok();
        let exit = self.child.wait().map_or(Exit::Code(-1), exit_of);
        let before = Duration::from_nanos(self.rest.cpu_total_nanos);
        Answer::Died {
            exit,
            killed,
            words: LastWords::find(&self.pipes.last_errors()),
            usage: Usage {
                peak_bytes: watched.peak_seen.max(self.rest.resident_bytes),
                cpu: cpu.saturating_sub(before),
                wall: watched.begun.elapsed(),
            },
        }
    }

    fn await_death(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let Some(Ok(handle)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
            return;
        };
        let mut fds = [PollFd::new(&handle, PollFlags::IN)];
        poll(&mut fds, Some(&span(DEATH_WITHIN))).ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(-1),
    }
}
