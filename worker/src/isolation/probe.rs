//! `diagnostic.child`: a type that misbehaves on command in a child process, for fault tests and demos.
//!
//! Its input is `{"do": ...}` and one of:
//!
//! | do | what happens | how the task ends |
//! |---|---|---|
//! | `echo` | gives back its input | completed |
//! | `alloc`, `"mib"` | touches so much memory, then frees it | completed, or `limit_exceeded` (memory) |
//! | `spin`, `"ms"` | burns processor time, stops when asked to | completed, or `limit_exceeded` (processor time) |
//! | `hang` | sleeps for ever and hears nothing | `limit_exceeded` (wall time), or the task's timeout |
//! | `panic` | panics | `panic` |
//! | `abort` | aborts the process | `invalid_input` after a second try |
//! | `overflow` | recurses without end | `limit_exceeded` (nesting) |
//! | `exit`, `"code"` | ends the process | `invalid_input` after a second try |
//! | `write`, `"bytes"` | makes a file of so many bytes | completed, or `limit_exceeded` (output) |
//! | `big`, `"bytes"` | has a result of so many bytes | completed, or `limit_exceeded` (output) |
//! | `flood`, `"bytes"` | prints so many bytes on both standard streams | completed: nobody reads them |
//! | `read`, `"data": {"file"}` | reads an uploaded file | completed with their length and hash |
//! | `forbidden` | tries what a reader must not: network, programs, processes | completed with the answers |
//!
//! Invariant: each does exactly that. Registered only with the diagnostic types; no input of a tenant reaches it.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};
use workflows::{Bounds, Category, Error, Problem, Run, WorkflowType};

/// Small, so that each is met within seconds; far apart, so that a busy machine meets the processor time first.
const BOUNDS: Bounds = Bounds {
    memory_bytes: 256 << 20,
    cpu_seconds: 2,
    wall_seconds: 15,
    output_bytes: 4 << 20,
};

/// The type.
pub(crate) static KIND: WorkflowType = WorkflowType {
    name: "diagnostic.child",
    title: "diagnostic.child",
    description: "Misbehaves on command in a child process.",
    category: Category::Essential,
    resource_class: "light",
    estimated_duration_ms: 10,
    input_schema: schema,
    defaults: || json!({}),
    example: || json!({"do": "echo"}),
    isolated: Some(BOUNDS),
    demand: |_, _| None,
    run,
    summary: ToString::to_string,
};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Deed {
    Echo,
    Alloc { mib: usize },
    Spin { ms: u64 },
    Hang,
    Panic,
    Abort,
    Overflow,
    Exit { code: i32 },
    Write { bytes: usize },
    Big { bytes: usize },
    Flood { bytes: usize },
    Read { data: Link },
    Forbidden,
}

/// A reference to a file, as inputs hold it.
#[derive(Deserialize)]
struct Link {
    file: String,
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["do"],
        "properties": {"do": {"enum": [
            "echo", "alloc", "spin", "hang", "panic", "abort", "overflow", "exit", "write", "big", "flood", "read",
            "forbidden"
        ]}}
    })
}

fn run(input: &Value, run: &Run<'_>) -> Result<Value, Error> {
    let deed = Deed::deserialize(input).map_err(|error| {
        Error::InvalidInput(vec![Problem {
            pointer: String::new(),
            detail: error.to_string(),
        }])
    })?;
    (run.progress)(
        0.5,
        &format!("misbehaving in process {}", std::process::id()),
    );
    match deed {
        Deed::Echo => Ok(input.clone()),
        Deed::Alloc { mib } => Ok(json!({"touched": touch(mib << 20)})),
        Deed::Spin { ms } => spin(ms, run),
        Deed::Hang => loop {
            std::thread::park();
        },
        Deed::Panic => panic!("as diagnostic.child was asked to"),
        Deed::Abort => std::process::abort(),
        Deed::Overflow => Ok(json!({"depth": recurse(0)})),
        Deed::Exit { code } => std::process::exit(code),
        Deed::Write { bytes } => write(bytes, run),
        Deed::Big { bytes } => Ok(json!("x".repeat(bytes))),
        Deed::Flood { bytes } => Ok(flood(bytes)),
        Deed::Read { data } => read(&data.file, run),
        Deed::Forbidden => Ok(forbidden()),
    }
}

/// Allocates and writes to every page, so that it really is there.
fn touch(bytes: usize) -> usize {
    const PAGE: usize = 4096;
    let mut memory = vec![0_u8; bytes];
    for page in memory.iter_mut().step_by(PAGE) {
        *page = 1;
    }
    std::hint::black_box(&memory).len()
}

fn spin(ms: u64, run: &Run<'_>) -> Result<Value, Error> {
    let whole = Duration::from_millis(ms);
    let begun = Instant::now();
    while begun.elapsed() < whole {
        run.check()?;
        (0..10_000).for_each(|_| std::hint::spin_loop());
    }
    Ok(json!({"spun_ms": ms}))
}

#[expect(
    unconditional_recursion,
    reason = "the overflow of the stack is what is asked for"
)]
fn recurse(depth: u64) -> u64 {
    let held = std::hint::black_box([depth; 64]);
    recurse(depth + 1) + held[7]
}

fn write(bytes: usize, run: &Run<'_>) -> Result<Value, Error> {
    let mut sink = run.files.create("made.bin", "application/octet-stream")?;
    let chunk = vec![b'z'; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(chunk.len());
        if sink.write_all(&chunk[..now]).is_err() {
            break;
        }
        left -= now;
    }
    let link = sink.finish()?;
    serde_json::to_value(link).map_err(|error| Error::Internal(error.to_string()))
}

/// What a careless library does; the frames must not mind.
fn flood(bytes: usize) -> Value {
    let text = "nobody reads this\n".repeat(bytes / 18 + 1);
    let out = io::stdout().write_all(text.as_bytes()).is_ok();
    let err = io::stderr().write_all(text.as_bytes()).is_ok();
    json!({"out": out, "err": err})
}

fn read(file: &str, run: &Run<'_>) -> Result<Value, Error> {
    let mut bytes = Vec::new();
    let read = run.files.open(file)?.read_to_end(&mut bytes);
    read.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(json!({"bytes": bytes.len(), "sha256": workflows::sha256_of(&bytes)}))
}

/// The operating system's answer to each attempt; null where it let it pass.
fn forbidden() -> Value {
    fn code<T>(result: io::Result<T>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }
    let thread = std::thread::Builder::new()
        .spawn(|| 7)
        .map(std::thread::JoinHandle::join);
    json!({
        "connect": code(TcpStream::connect(("127.0.0.1", 9))),
        "listen": code(TcpListener::bind(("127.0.0.1", 0))),
        "udp": code(UdpSocket::bind(("127.0.0.1", 0))),
        "program": code(Command::new("/bin/true").status()),
        "signal": code(rustix::process::test_kill_process(rustix::process::getpid()).map_err(Into::into)),
        "thread": matches!(thread, Ok(Ok(7))),
    })
}
