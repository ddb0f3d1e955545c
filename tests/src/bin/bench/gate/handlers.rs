//! The experiment's own workflow types, one per class: they take and touch as much memory as the input says, hold it,
//! and leave a trace outside the system.
//!
//! Invariant: every start and every end of a run is one appended line of the ledger, whatever the store says of it.
//! The memory is there from the first moment: kind to gates that go by what is measured, as there is no growth that
//! they could miss.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use shared::store::query::TypeInfo;
use worker::{Control, Handler, HandlerError, Registry, Run, describe};

use super::mix::Class;
use crate::process;

/// How often a holding run looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(20);

/// All types, on one ledger.
pub(crate) fn registry(ledger: &Path) -> Result<Registry> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(ledger)
        .with_context(|| format!("open the ledger {}", ledger.display()))?;
    let ledger = Arc::new(Ledger(file));
    let classes = Class::ALL.into_iter();
    Ok(classes.fold(Registry::new(), |registry, class| {
        let ledger = Arc::clone(&ledger);
        registry.with(Holder { class, ledger })
    }))
}

/// The outside world: what runs did to it.
struct Ledger(File);

impl Ledger {
    /// One write of one short line: appends of several processes do not mix.
    fn note(&self, what: char, task: &str, attempt: u32) -> Result<(), HandlerError> {
        let line = format!("{what} {task} {attempt}\n");
        (&self.0)
            .write_all(line.as_bytes())
            .map_err(|error| HandlerError::internal(format!("the ledger takes no line: {error}")))
    }
}

/// How often tasks were begun and brought to an end, by the ledger.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    /// Tasks that began more than once.
    pub(crate) begun_again: usize,
    /// Tasks whose work was done more than once.
    pub(crate) done_again: usize,
}

/// Reads a ledger.
pub(crate) fn traces(ledger: &Path) -> Result<Traces> {
    let text = fs::read_to_string(ledger)
        .with_context(|| format!("read the ledger {}", ledger.display()))?;
    Ok(counted(&text))
}

fn counted(text: &str) -> Traces {
    let again = |what: &str| {
        let mut tasks: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(what)?.split(' ').nth(1))
            .collect();
        tasks.sort_unstable();
        let repeated = tasks.chunk_by(|a, b| a == b);
        repeated.filter(|same| same.len() > 1).count()
    };
    Traces {
        begun_again: again("B"),
        done_again: again("E"),
    }
}

/// Holds memory.
struct Holder {
    class: Class,
    ledger: Arc<Ledger>,
}

#[async_trait::async_trait]
impl Handler for Holder {
    fn describe(&self) -> TypeInfo {
        let properties = json!({
            "bytes": {"type": "integer", "minimum": 0},
            "ms": {"type": "integer", "minimum": 0},
            "pad": {"type": "string"}
        });
        describe(self.class.type_name())
            .for_people(
                self.class.type_name(),
                "Holds memory in proportion to the length of its input.",
            )
            .input(
                json!({"type": "object", "properties": properties, "required": ["bytes", "ms"], "additionalProperties": false}),
                json!({"bytes": 1, "ms": 1}),
            )
            .category(self.class.category())
            .needs(self.class.hold(), "memory")
            .build()
    }

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        let number = |name: &str| {
            let value = run.input[name].as_u64();
            value.ok_or_else(|| HandlerError::invalid_input(format!("/{name}"), "must be a number"))
        };
        let bytes = usize::try_from(number("bytes")?)
            .map_err(|_| HandlerError::limit_exceeded("more bytes than can be addressed"))?;
        let length = Duration::from_millis(number("ms")?);
        let (task, attempt) = (run.task.to_string(), run.attempt);
        let ledger = Arc::clone(&self.ledger);
        run.blocking(move |control| {
            ledger.note('B', &task, attempt)?;
            hold(bytes, length, control)?;
            ledger.note('E', &task, attempt)?;
            Ok(json!({"held_bytes": bytes}))
        })
        .await
    }
}

fn hold(bytes: usize, length: Duration, control: &Control) -> Result<(), HandlerError> {
    let until = Instant::now() + length;
    // Ones: zeroes would be pages that the kernel need not give.
    let block = black_box(vec![1u8; bytes]);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        if control.cancelled() {
            return Err(HandlerError::stopped());
        }
        process::pause(left.min(LOOK));
    }
    drop(black_box(block));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_counted_once_a_task_and_apart_for_begin_and_end() {
        let ledger = "B a 1\nE a 1\nB b 1\nB b 2\nB b 3\nE b 3\nB c 1\nE c 1\nE c 1\n";
        let expected = Traces {
            begun_again: 1,
            done_again: 1,
        };
        assert_eq!(counted(ledger), expected);
        assert_eq!(counted(""), Traces::default());
    }
}
