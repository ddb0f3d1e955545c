//! One run of one handler: isolated, limited in time, and stoppable.
//!
//! Invariant: comes back. Within its timeout, or within the grace after it
//! was asked to stop; a handler that goes on is left behind, and its threads
//! stay counted.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use serde_json::Value;
use shared::store::verbs::Granted;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{classify::Ended, prepare};
use crate::{
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
    let input = match prepare::input(granted) {
        Ok(input) => input,
        Err(error) => return Ended::Unusable(error),
    };
    let deadline = Instant::now() + Duration::from_millis(granted.spec.timeout_ms);
    let run = Run {
        input,
        task: granted.task,
        attempt: granted.attempt,
        correlation_id: granted.spec.correlation_id.clone(),
        deadline,
        control: Control::new(Arc::clone(tether)),
    };
    let work =
        AssertUnwindSafe(validated(entry, run, !granted.spec.reads.is_empty())).catch_unwind();
    tokio::pin!(work);
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

/// The handler's own check comes first, because it knows its type best; what
/// parents gave nobody has held against the schema yet.
async fn validated(entry: &Entry, run: Run, substituted: bool) -> Result<Value, HandlerError> {
    let mut problems = entry.handler.validate(&run.input);
    if problems.is_empty() && substituted {
        let complaints = entry.schema().check(&run.input);
        problems.extend(complaints.into_iter().map(|complaint| Problem {
            pointer: complaint.pointer,
            detail: complaint.detail,
        }));
    }
    if problems.is_empty() {
        entry.handler.run(run).await
    } else {
        Err(HandlerError::invalid_inputs(&problems))
    }
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
