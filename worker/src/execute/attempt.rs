//! One run of one handler: isolated, limited in time, and stoppable.
//!
//! Invariant: comes back. Within its timeout, or within the grace after it
//! was asked to stop; a handler that goes on is left behind, and its threads
//! stay counted.

use std::{
    borrow::Cow, future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration,
};

use futures_util::FutureExt;
use serde_json::Value;
use shared::{
    model::Priority,
    store::{large, verbs::Granted},
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{classify::Ended, prepare};
use crate::{
    files::{Carrier, RunFiles},
    handler::{Control, HandlerError, Problem, Run, Tether, Why},
    registry::Entry,
    service::Core,
};

/// A run that was told to give its task back has this long: its work is lost
/// either way, and somebody waits for the process to end.
const GIVE_BACK_GRACE: Duration = Duration::from_secs(1);

/// Runs a granted task to one end or another.
pub(super) async fn attempt(
    core: &Core,
    entry: &Entry,
    granted: &Granted,
    tether: &Arc<Tether>,
) -> Ended {
    let Some(granted) = recalled(core, granted, tether).await else {
        return Ended::Left;
    };
    let granted = granted.as_ref();
    let input = match prepare::input(granted) {
        Ok(input) => input,
        Err(error) => return Ended::Unusable(error),
    };
    let mut means = core.means.clone();
    let carrier = Carrier::new(&core.depot, &granted.spec.tenant, tether);
    means.courier = Some(Arc::new(carrier));
    let files = Arc::new(RunFiles::new(means.clone()));
    let deadline = Instant::now() + Duration::from_millis(granted.spec.timeout_ms);
    let run = Run {
        input,
        task: granted.task,
        attempt: granted.attempt,
        correlation_id: granted.spec.correlation_id.clone(),
        deadline,
        advanced: advanced(core, granted.spec.priority),
        control: Control::new(Arc::clone(tether)),
        means: Some(means),
        files: Some(Arc::clone(&files)),
    };
    let substituted = !granted.spec.reads.is_empty();
    let mut work =
        pin!(AssertUnwindSafe(validated(entry, run, substituted, &files)).catch_unwind());
    let mut work = pin!(poll_fn(
        |context| tether.polled(|| work.as_mut().poll(context))
    ));
    tokio::select! {
        biased;
        end = &mut work => returned(end),
        () = tether.stopped() => match timeout(grace(core, tether), work).await {
            Ok(end) => returned(end),
            Err(_) => Ended::Left,
        },
        () = sleep_until(deadline) => {
            tether.ask_to_stop(Why::TimedOut);
            Ended::TimedOut
        }
    }
}

/// Whether the expensive optional parts of handlers run now.
fn advanced(core: &Core, priority: Priority) -> bool {
    let resources = core.resources.as_ref();
    resources.is_none_or(|resources| resources.advanced(priority))
}

/// The grant with the large texts that lie elsewhere; `None` if the run is
/// asked to stop before they are here. The blob store away is not the task's
/// fault: its time does not run yet.
async fn recalled<'a>(
    core: &Core,
    granted: &'a Granted,
    tether: &Tether,
) -> Option<Cow<'a, Granted>> {
    let mut texts = granted.parents.iter().filter_map(|p| p.result.as_ref());
    if !large::is_mark(&granted.input) && !texts.any(large::is_mark) {
        return Some(Cow::Borrowed(granted));
    }
    tokio::select! {
        biased;
        () = tether.stopped() => None,
        whole = core.ledger.recall(granted) => Some(match whole {
            Some(whole) => Cow::Owned(*whole),
            // Refused for good: what is missing is said when the input is read.
            None => Cow::Borrowed(granted),
        }),
    }
}

/// The handler's own check comes first, because it knows its type best; what
/// parents gave nobody has held against the schema yet. What the run made is
/// kept before its result is told.
async fn validated(
    entry: &Entry,
    run: Run,
    substituted: bool,
    files: &RunFiles,
) -> Result<Value, HandlerError> {
    let mut problems = entry.handler.validate(&run.input);
    if problems.is_empty() && substituted {
        let complaints = entry.schema().check(&run.input);
        problems.extend(complaints.into_iter().map(|complaint| Problem {
            pointer: without_keys(&complaint.pointer),
            detail: complaint.detail,
        }));
    }
    if !problems.is_empty() {
        return Err(HandlerError::invalid_inputs(&problems));
    }
    let result = entry.handler.run(run).await?;
    files.deliver().await?;
    Ok(result)
}

/// A pointer as it may stand in the record of a failed task, which outlives
/// the input: keys of maps can be addresses or names, fields are short words.
fn without_keys(pointer: &str) -> String {
    let is_field = |step: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        step.len() <= 40 && step.chars().all(plain)
    };
    let steps = pointer.split('/').map(|step| {
        if is_field(step) {
            step.to_owned()
        } else {
            format!("(key of {} characters)", step.chars().count())
        }
    });
    steps.collect::<Vec<_>>().join("/")
}

/// Waits for the threads of a run that came to its end, at most the grace;
/// `false` if some go on: the run is then counted as abandoned.
pub(super) async fn threads_ended(core: &Core, tether: &Tether) -> bool {
    tokio::select! {
        () = tether.threads_ended() => true,
        () = sleep(core.options.cancel_grace) => !tether.abandon(&core.abandoned),
        () = core.hurrying.cancelled() => !tether.abandon(&core.abandoned),
    }
}

fn grace(core: &Core, tether: &Tether) -> Duration {
    match tether.why() {
        // Whatever it still does changes nothing.
        Some(Why::Refused) => Duration::ZERO,
        Some(Why::GivenBack) if core.draining.is_cancelled() => {
            GIVE_BACK_GRACE.min(core.options.cancel_grace)
        }
        _ => core.options.cancel_grace,
    }
}

type Caught = std::thread::Result<Result<Value, HandlerError>>;

fn returned(end: Caught) -> Ended {
    match end {
        Ok(result) => Ended::Returned(result),
        Err(panic) => Ended::Panicked(panic.downcast_ref::<&'static str>().copied()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_name_fields_and_places_and_no_keys_that_are_data() {
        assert_eq!(without_keys("/rows/2/due-date"), "/rows/2/due-date");
        assert_eq!(without_keys(""), "");
        let told = without_keys("/aliases/ann@fund.example/1");
        assert_eq!(told, "/aliases/(key of 16 characters)/1");
    }
}
