//! The child: receives orders on standard input, runs one at a time, answers on standard output.
//!
//! Two threads: this process's first one reads, so that a stop and the end of the worker are noticed while a run is
//! busy; the other runs. Invariant: when the worker's end of the pipe closes, the process ends at once. Deliberately
//! absent: the async runtime, logs, configuration, the environment.

use std::{
    any::Any,
    fs::File,
    io::{self, Read, Write},
    num::NonZeroUsize,
    os::fd::AsFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use workflows::{Error, FileLink};

use super::{
    codec, confine, limits,
    message::{Account, Ask, End, Order, Say},
};
use crate::{
    builtin,
    workroom::{MadeFile, Shelf},
};

/// As for runs inside the worker: a recursive reader of a deep document needs more than the 2 MiB default.
const STACK_BYTES: usize = 8 << 20;
/// Progress is shown about once a second; more often only costs.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// For the header of an answer, beside the result that `output_bytes` caps: made files have names.
const HEADER_ROOM: u64 = 1 << 16;

/// Serves orders until the worker closes the pipe, then ends the process.
pub(super) fn serve() -> ! {
    confine::settle();
    // A failure to speak means that nobody listens any more.
    let code = i32::from(converse().is_err());
    std::process::exit(code)
}

fn converse() -> io::Result<()> {
    let voice = Voice::take()?;
    let stopped = Arc::new(AtomicU64::new(0));
    // One order waits at most: the worker sends the next one after the answer.
    let (send, orders) = sync_channel(1);
    let runner = Runner {
        voice: voice.clone(),
        stopped: Arc::clone(&stopped),
    };
    thread::Builder::new()
        .name("run".into())
        .stack_size(STACK_BYTES)
        .spawn(move || runner.work(&orders))?;
    let ready = Say::Ready(env!("CARGO_PKG_VERSION").into(), account(Duration::ZERO));
    voice.say(&ready, &Value::Null)?;
    listen(&send, &stopped)
}

/// Reads until the worker has closed the pipe.
fn listen(orders: &SyncSender<(Box<Order>, Value)>, stopped: &AtomicU64) -> io::Result<()> {
    let mut input = io::stdin().lock();
    loop {
        let mut prefix = [0; codec::LENGTH];
        match input.read_exact(&mut prefix) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut payload = vec![0; codec::length(prefix).map_err(io::Error::other)?];
        input.read_exact(&mut payload)?;
        match codec::open(&payload).map_err(io::Error::other)? {
            (Ask::Run(order), body) => orders.send((order, body)).map_err(io::Error::other)?,
            (Ask::Stop(number), _) => stopped.store(number, Ordering::Relaxed),
        }
    }
}

/// The child's end of the pipe to the worker.
#[derive(Clone)]
struct Voice(Arc<Mutex<File>>);

impl Voice {
    /// Takes standard output for itself: what code prints by mistake goes to standard error and spoils no frame.
    fn take() -> io::Result<Self> {
        let own = io::stdout().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(Self(Arc::new(Mutex::new(own.into()))))
    }

    fn say(&self, header: &Say, body: &Value) -> io::Result<()> {
        self.send(&codec::frame(header, body).map_err(io::Error::other)?)
    }

    fn send(&self, frame: &[u8]) -> io::Result<()> {
        let mut pipe = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.write_all(frame)
    }
}

/// The thread that runs.
struct Runner {
    voice: Voice,
    stopped: Arc<AtomicU64>,
}

impl Runner {
    fn work(&self, orders: &Receiver<(Box<Order>, Value)>) {
        while let Ok((order, input)) = orders.recv() {
            let before = limits::cpu();
            limits::begin(order.memory_bytes, order.cpu_seconds, order.output_bytes);
            let frame = self.run(&order, &input);
            let spoken = self.voice.send(&frame);
            limits::end();
            drop((frame, input, order));
            let account = Say::Idle(account(before));
            // Here and not before the next run: whatever that one takes to be received is its own, too.
            limits::forget_peak();
            if spoken
                .and_then(|()| self.voice.say(&account, &Value::Null))
                .is_err()
            {
                return;
            }
        }
    }

    /// Runs an order and makes the answer.
    fn run(&self, order: &Order, input: &Value) -> Vec<u8> {
        let files = Shelf::new(
            order.inputs.clone(),
            order.folder.clone(),
            order.output_bytes,
        );
        let ended = catch_unwind(AssertUnwindSafe(|| self.perform(order, input, &files)));
        let (end, body) = match ended {
            Ok(Ok(result)) => (End::Result, result),
            Ok(Err(error)) => (reported(error), Value::Null),
            Err(panic) => (End::Panicked(constant(&*panic)), Value::Null),
        };
        let cap = order.output_bytes.saturating_add(HEADER_ROOM);
        match codec::frame(&Say::Ended(end, named(files)), &body) {
            Ok(frame) if frame.len() as u64 <= cap => frame,
            _ => too_long(order.output_bytes),
        }
    }

    fn perform(&self, order: &Order, input: &Value, files: &Shelf) -> Result<Value, Error> {
        // Whatever is switched on: the worker decides what is asked of a child.
        let kind = builtin::find(&order.workflow_type).ok_or_else(|| {
            Error::Internal(
                "the child does not know this workflow type; is it another program?".into(),
            )
        })?;
        let told = Mutex::new(None::<Instant>);
        let progress = |fraction: f64, doing: &str| {
            let mut last = told.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_none_or(|at| at.elapsed() >= PROGRESS_EVERY) {
                *last = Some(Instant::now());
                self.voice
                    .say(&Say::Progress(fraction, doing.to_owned()), &Value::Null)
                    .ok();
            }
        };
        let surroundings = workflows::Run {
            stop: &|| self.stopped.load(Ordering::Relaxed) == order.number,
            progress: &progress,
            advanced: order.advanced,
            // Processor time is bounded for the whole process.
            threads: NonZeroUsize::MIN,
            files,
            contact_key: &order.contact_key,
        };
        (kind.run)(input, &surroundings)
    }
}

fn reported(error: Error) -> End {
    match error {
        Error::InvalidInput(problems) => End::InvalidInput(
            problems
                .into_iter()
                .map(|problem| (problem.pointer, problem.detail))
                .collect(),
        ),
        limit @ Error::LimitExceeded { .. } => End::LimitExceeded(limit.to_string()),
        Error::Stopped => End::Stopped,
        Error::Internal(detail) => End::Internal(detail),
    }
}

/// A panic's text if it is a constant of the program; a formatted one may quote the input.
fn constant(panic: &(dyn Any + Send)) -> Option<String> {
    panic
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
}

/// The made files by their names in the folder.
fn named(files: Shelf) -> Vec<(String, FileLink)> {
    let name = |made: MadeFile| {
        let name = made.path.file_name()?.to_str()?.to_owned();
        Some((name, made.link))
    };
    files.into_made().into_iter().filter_map(name).collect()
}

fn too_long(cap: u64) -> Vec<u8> {
    let end = End::LimitExceeded(format!(
        "the result is longer than {cap} bytes (output_bytes)"
    ));
    let frame = codec::frame(&Say::Ended(end, Vec::new()), &Value::Null);
    frame.expect("a sentence fits into a frame")
}

/// What was used since the process had used `before`.
fn account(before: Duration) -> Account {
    let memory = limits::memory().unwrap_or_default();
    let cpu = limits::cpu();
    Account {
        peak_bytes: memory.peak,
        resident_bytes: memory.resident,
        cpu_nanos: nanos(cpu.saturating_sub(before)),
        cpu_total_nanos: nanos(cpu),
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
