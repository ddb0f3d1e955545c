//! One child as its worker holds it: starts it, has it run one order at a time, and sees it end.
//!
//! Invariant: never waits without a bound; a process that was dropped is dead and waited for. What it prints on
//! standard error is read and forgotten but for the sentences in `verdict`.

use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, unix::process::ExitStatusExt},
    process::{self, ChildStderr, ChildStdin, ChildStdout, ExitStatus},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
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
    verdict::{Exit, Killed, LastWords},
};

/// How long a child may take to say that it serves: it starts in milliseconds, a machine that swaps takes longer.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How often a quiet child is looked at: its memory, and whether its run is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A run that was told to stop has this long, so that its warm child can go on serving.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
/// A child that closed its pipes has this long to be dead by itself, so that we learn what of.
const DEATH_WITHIN: Duration = Duration::from_secs(2);
/// The last words fit; what a library prints before them is forgotten.
const TAIL_BYTES: usize = 4096;
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
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// Bytes that are not yet a frame.
    inbox: Vec<u8>,
    tail: Vec<u8>,
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
    outbox: Vec<u8>,
    told_to_stop: Option<Instant>,
    next_look: Instant,
    peak_seen: u64,
    /// The answer, until the child is at rest again.
    ended: Option<(End, Value, Made)>,
}

/// What one look at the pipes found.
enum Seen {
    Open,
    Closed,
}

impl Process {
    /// Starts a child and waits until it serves.
    pub(super) fn start(nursery: &Nursery, program: &Program) -> io::Result<Self> {
        let mut child = nursery.start(program.command())?;
        let lost = || io::Error::other("a child has no pipes");
        let mut this = Self {
            stdin: child.stdin.take().ok_or_else(lost)?,
            stdout: child.stdout.take().ok_or_else(lost)?,
            stderr: child.stderr.take().ok_or_else(lost)?,
            child,
            inbox: Vec::new(),
            tail: Vec::new(),
            orders: 0,
            first: Account::default(),
            rest: Account::default(),
        };
        rustix::io::ioctl_fionbio(&this.stdin, true)?;
        rustix::io::ioctl_fionbio(&this.stdout, true)?;
        rustix::io::ioctl_fionbio(&this.stderr, true)?;
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
            let seen = self.look(&mut Vec::new(), LOOK_EVERY)?;
            match self
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
        self.drain_errors();
        self.tail.clear();
        self.orders += 1;
        order.number = self.orders;
        let begun = Instant::now();
        let mut watched = Watched {
            watch,
            number: order.number,
            begun,
            wall: Duration::from_secs(bounds.wall_seconds),
            answer_max: bounds.output_bytes.saturating_add(ANSWER_ROOM),
            outbox: codec::frame(&Ask::Run(Box::new(order)), input)?,
            told_to_stop: None,
            next_look: begun,
            peak_seen: 0,
            ended: None,
        };
        loop {
            if let Some(killed) = self.overdue(&mut watched) {
                return Ok(self.bury(Some(killed), &watched));
            }
            let Ok(Seen::Open) = self.look(&mut watched.outbox, LOOK_EVERY) else {
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
        while let Some((said, body)) = self.next_frame()? {
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
        if self.inbox.len() > longest {
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
        self.drain_errors();
        let before = Duration::from_nanos(self.rest.cpu_total_nanos);
        Answer::Died {
            exit,
            killed,
            words: LastWords::find(&String::from_utf8_lossy(&self.tail)),
            usage: Usage {
                peak_bytes: watched.peak_seen,
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

    /// The next whole frame.
    fn next_frame(&mut self) -> Result<Option<(Say, Value)>, Malformed> {
        let Some((prefix, rest)) = self.inbox.split_first_chunk() else {
            return Ok(None);
        };
        let Some(payload) = rest.get(..codec::length(*prefix)?) else {
            return Ok(None);
        };
        let frame = codec::open(payload)?;
        let whole = codec::LENGTH + payload.len();
        self.inbox.drain(..whole);
        Ok(Some(frame))
    }

    /// Waits until a pipe is ready, at most so long, and moves what is there.
    fn look(&mut self, outbox: &mut Vec<u8>, at_most: Duration) -> io::Result<Seen> {
        let ready = {
            let mut fds = vec![
                PollFd::new(&self.stdout, PollFlags::IN),
                PollFd::new(&self.stderr, PollFlags::IN),
            ];
            if !outbox.is_empty() {
                fds.push(PollFd::new(&self.stdin, PollFlags::OUT));
            }
            match poll(&mut fds, Some(&span(at_most))) {
                Err(rustix::io::Errno::INTR) => return Ok(Seen::Open),
                polled => polled?,
            };
            let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
            [ready(0), ready(1), ready(2)]
        };
        if ready[2] && write_some(&mut self.stdin, outbox).is_err() {
            // It has closed its end: what it had to say is still in the other pipe.
            outbox.clear();
        }
        if ready[1] {
            self.drain_errors();
        }
        if ready[0] {
            return read_all(&mut self.stdout, &mut self.inbox);
        }
        Ok(Seen::Open)
    }

    /// Reads what is on standard error and keeps its end.
    fn drain_errors(&mut self) {
        let closed = read_all(&mut self.stderr, &mut self.tail);
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        drop(closed);
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

fn span(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or_default()
}

fn write_some(pipe: &mut ChildStdin, outbox: &mut Vec<u8>) -> io::Result<()> {
    match pipe.write(outbox) {
        Ok(written) => {
            outbox.drain(..written);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads what is there now, at most a mebibyte, so that a flood is looked at piece by piece.
fn read_all(pipe: &mut (impl Read + AsFd), into: &mut Vec<u8>) -> io::Result<Seen> {
    const AT_ONCE: usize = 1 << 20;
    let mut chunk = [0; 1 << 14];
    let mut taken = 0;
    while taken < AT_ONCE {
        match pipe.read(&mut chunk) {
            Ok(0) => return Ok(Seen::Closed),
            Ok(read) => {
                into.extend_from_slice(&chunk[..read]);
                taken += read;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Seen::Open)
}
