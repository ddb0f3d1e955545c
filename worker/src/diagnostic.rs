//! Workflow types that behave on command, for smoke, load and fault tests.
//!
//! Invariant: registered only when asked for. Each does exactly what its name
//! says, and refuses members that it does not know.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shared::store::query::TypeInfo;

use crate::handler::{Control, Handler, HandlerError, Run, describe};

/// One handler for each diagnostic type.
pub fn handlers() -> impl Iterator<Item = impl Handler> {
    Diagnostic::ALL.into_iter()
}

#[derive(Clone, Copy, Debug)]
enum Diagnostic {
    Noop,
    Sleep,
    Fail,
    Alloc,
    Spin,
    Panic,
    Hang,
    Echo,
}

/// A day: longer is a mistake in milliseconds.
const MS_MAX: u64 = 24 * 3600 * 1000;
/// A TiB: more is a mistake in mebibytes.
const MIB_MAX: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct For {
    ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    mib: u64,
    ms: u64,
}

impl Diagnostic {
    const ALL: [Self; 8] = [
        Self::Noop,
        Self::Sleep,
        Self::Fail,
        Self::Alloc,
        Self::Spin,
        Self::Panic,
        Self::Hang,
        Self::Echo,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Noop => "diagnostic.noop",
            Self::Sleep => "diagnostic.sleep",
            Self::Fail => "diagnostic.fail",
            Self::Alloc => "diagnostic.alloc",
            Self::Spin => "diagnostic.spin",
            Self::Panic => "diagnostic.panic",
            Self::Hang => "diagnostic.hang",
            Self::Echo => "diagnostic.echo",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Noop => "Does nothing.",
            Self::Sleep => "Waits, and stops when asked to.",
            Self::Fail => "Fails the first `times` attempts; always when `times` is absent.",
            Self::Alloc => "Touches so much memory and holds it for a while.",
            Self::Spin => "Burns one core for a while, and stops when asked to.",
            Self::Panic => "Panics.",
            Self::Hang => "Never ends, and ignores that it is told to stop.",
            Self::Echo => "Gives back its input.",
        }
    }

    fn schema(self) -> Value {
        let ms = || json!({"type": "integer", "minimum": 0, "maximum": MS_MAX});
        let closed = |properties: Value, required: &[&str]| {
            json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false
            })
        };
        match self {
            Self::Noop | Self::Panic | Self::Hang => closed(json!({}), &[]),
            Self::Sleep | Self::Spin => closed(json!({"ms": ms()}), &["ms"]),
            Self::Fail => closed(
                json!({"times": {"type": "integer", "minimum": 0, "maximum": u32::MAX}}),
                &[],
            ),
            Self::Alloc => closed(
                json!({"mib": {"type": "integer", "minimum": 0, "maximum": MIB_MAX}, "ms": ms()}),
                &["mib", "ms"],
            ),
            Self::Echo => json!({"type": "object"}),
        }
    }

    fn example(self) -> Value {
        match self {
            Self::Noop | Self::Panic | Self::Hang => json!({}),
            Self::Sleep | Self::Spin => json!({"ms": 100}),
            Self::Fail => json!({"times": 2}),
            Self::Alloc => json!({"mib": 64, "ms": 100}),
            Self::Echo => json!({"hello": "world"}),
        }
    }
}

#[async_trait]
impl Handler for Diagnostic {
    fn describe(&self) -> TypeInfo {
        let class = match self {
            Self::Spin | Self::Hang => "cpu",
            Self::Alloc => "memory",
            _ => "light",
        };
        describe(self.name())
            .for_people(self.name(), self.sentence())
            .input(self.schema(), self.example())
            .needs(Duration::from_millis(1), class)
            .category("essential")
            .build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        match self {
            Self::Noop => read(&run).map(|Nothing {}| json!({})),
            Self::Sleep => sleep(&run).await,
            Self::Fail => fail(&run),
            Self::Alloc => alloc(&run).await,
            Self::Spin => spin(&run).await,
            Self::Panic => {
                let Nothing {} = read(&run)?;
                panic!("as diagnostic.panic was asked to");
            }
            Self::Hang => {
                let Nothing {} = read(&run)?;
                run.blocking(|_| hang()).await
            }
            Self::Echo => Ok(run.input),
        }
    }
}

fn read<T: DeserializeOwned>(run: &Run) -> Result<T, HandlerError> {
    T::deserialize(&run.input).map_err(|e| HandlerError::invalid_input("", e.to_string()))
}

async fn sleep(run: &Run) -> Result<Value, HandlerError> {
    let For { ms } = read(run)?;
    wait(run, ms).await?;
    Ok(json!({"slept_ms": ms}))
}

async fn wait(run: &Run, ms: u64) -> Result<(), HandlerError> {
    /// As often as a progress bar is looked at.
    const STEP: Duration = Duration::from_millis(200);
    let begun = tokio::time::Instant::now();
    let whole = Duration::from_millis(ms);
    loop {
        let passed = begun.elapsed();
        if passed >= whole {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(STEP.min(whole.saturating_sub(passed))) => {}
            () = run.cancelled() => return Err(HandlerError::stopped()),
        }
        run.progress(begun.elapsed().div_duration_f64(whole), "waiting");
    }
}

fn fail(run: &Run) -> Result<Value, HandlerError> {
    let Times { times } = read(run)?;
    match times {
        Some(times) if run.attempt > times => Ok(json!({"attempt": run.attempt})),
        _ => Err(HandlerError::failed(format!(
            "attempt {} failed, as it was asked to",
            run.attempt
        ))),
    }
}

async fn alloc(run: &Run) -> Result<Value, HandlerError> {
    /// Every page is written, so that it really is there.
    const PAGE: usize = 4096;
    let Memory { mib, ms } = read(run)?;
    let bytes = usize::try_from(mib << 20)
        .map_err(|_| HandlerError::limit_exceeded("more memory than an address can name"))?;
    let held = run
        .blocking(move |control| {
            let mut memory = vec![0_u8; bytes];
            for page in memory.iter_mut().step_by(PAGE) {
                *page = 1;
                if control.cancelled() {
                    return Err(HandlerError::stopped());
                }
            }
            Ok(memory)
        })
        .await?;
    wait(run, ms).await?;
    drop(held);
    Ok(json!({"held_mib": mib, "held_ms": ms}))
}

async fn spin(run: &Run) -> Result<Value, HandlerError> {
    let For { ms } = read(run)?;
    run.blocking(move |control| spin_here(control, Duration::from_millis(ms)))
        .await?;
    Ok(json!({"spun_ms": ms}))
}

fn spin_here(control: &Control, whole: Duration) -> Result<(), HandlerError> {
    let begun = Instant::now();
    while begun.elapsed() < whole {
        if control.cancelled() {
            return Err(HandlerError::stopped());
        }
        (0..10_000).for_each(|_| std::hint::spin_loop());
    }
    Ok(())
}

/// Holds its thread until the process ends.
fn hang() -> Result<Value, HandlerError> {
    loop {
        std::thread::park();
    }
}
