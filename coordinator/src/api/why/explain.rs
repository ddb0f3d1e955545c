//! Why a task is not running, as a sentence.
//!
//! Invariant: the numbers and names are those of the reason; nothing of the
//! task's input or result.

use shared::{
    model::{Route, TaskState, TaskView, WaitingOn},
    store::query::Readiness,
};

use crate::fleet::Fleet;

/// Workers that a sentence names; all of them stand in the list beside it.
const MOST_NAMED: usize = 3;

/// The sentence.
pub(super) fn detail(task: &TaskView, waiting: Option<WaitingOn>, fleet: &Fleet) -> String {
    let Some(waiting) = waiting else {
        return ended(task);
    };
    let scheduled = task.state == TaskState::Scheduled;
    let due = |what: &str| match task.due_at.filter(|_| scheduled) {
        Some(at) => format!("{what}, due at {at}"),
        None => what.to_owned(),
    };
    match waiting {
        WaitingOn::Paused => held(fleet),
        WaitingOn::Dependencies => "it waits for parents that have not ended".into(),
        WaitingOn::Schedule => due("its time has not come"),
        WaitingOn::Retry => due(&failed(task)),
        WaitingOn::Quota => "its tenant's quota is used up".into(),
        WaitingOn::FeatureDisabled => switched_off(task, fleet),
        WaitingOn::TooLarge => due(&too_large(task, fleet)),
        WaitingOn::Capacity => capacity(task, fleet),
        WaitingOn::Queue => in_line(task.state).into(),
    }
}

fn ended(task: &TaskView) -> String {
    let what = format!("the task is {}", task.state.status());
    match (&task.error, &task.worker_id) {
        (Some(error), _) if task.state.is_final() => format!("{what}: {}", error.code),
        (_, Some(worker)) if task.state == TaskState::Running => format!("{what} on {worker}"),
        _ => what,
    }
}

fn held(fleet: &Fleet) -> String {
    let what = if fleet.is_stopped() {
        "stopped"
    } else {
        "paused"
    };
    match fleet.mode.reason.as_str() {
        "" => format!("the fleet is {what}"),
        reason => format!("the fleet is {what}: {reason}"),
    }
}

fn failed(task: &TaskView) -> String {
    let (failures, most) = (task.failures, task.spec.retry.max_attempts);
    format!("it failed {failures} of {most} times and is tried again")
}

fn switched_off(task: &TaskView, fleet: &Fleet) -> String {
    let what = "its type is switched off wherever it is served";
    let Some(ruling) = fleet.off_everywhere(&task.spec.route()) else {
        return what.into();
    };
    let until = ruling.until.map(|until| format!(", until {until}"));
    let until = until.unwrap_or_default();
    format!("{what}: {} (rule {}{until})", ruling.reason, ruling.rule)
}

fn too_large(task: &TaskView, fleet: &Fleet) -> String {
    let needs = match task.too_large {
        Some(needs) => format!("it needs {needs} bytes"),
        None => "it needs more memory".to_owned(),
    };
    match fleet.room(&task.spec.workflow_type) {
        Some(room) if task.too_large.is_some_and(|needs| needs > room) => {
            format!("{needs}, and no worker announces room for more than {room}")
        }
        _ => format!("{needs}, for which the worker that was to run it had no room"),
    }
}

fn capacity(task: &TaskView, fleet: &Fleet) -> String {
    let route = task.spec.route();
    let serving: Vec<_> = fleet.serving(&route.workflow_type).collect();
    if serving.is_empty() {
        return nobody(&route, fleet);
    }
    let short: Vec<String> = serving
        .iter()
        .filter_map(|member| {
            let obstacle = fleet.obstacle(member, &route, task.too_large)?;
            let (what, value, limit) = (&obstacle.resource, obstacle.value, obstacle.limit);
            Some(format!("{}: {what} {value} of {limit}", member.id()))
        })
        .take(MOST_NAMED)
        .collect();
    let more = serving.len().saturating_sub(short.len());
    let more = match more {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(
        "no worker that serves its type would take it now: {}{more}",
        short.join("; ")
    )
}

/// Nobody takes work of this type: those that would are away.
fn nobody(route: &Route, fleet: &Fleet) -> String {
    let named = fleet.workers.iter().filter(|member| {
        let mut types = member.seen.state.types.iter();
        types.any(|served| *served == route.workflow_type)
    });
    let (mut lost, mut draining) = (0, 0);
    for member in named {
        match fleet.readiness(member) {
            Readiness::Lost => lost += 1,
            Readiness::Draining => draining += 1,
            Readiness::Ready | Readiness::Gated => {}
        }
    }
    match (lost, draining) {
        (0, 0) => "no live worker serves its type".into(),
        (lost, 0) => format!("no live worker serves its type; {lost} that did are lost"),
        (0, draining) => format!("no live worker takes its type; {draining} drain"),
        _ => format!("no live worker takes its type; {lost} are lost and {draining} drain"),
    }
}

const fn in_line(state: TaskState) -> &'static str {
    match state {
        TaskState::Ready => {
            "it stands in line in the store, and is sent as soon as its window has room"
        }
        TaskState::Taken => "it is being sent to the broker",
        _ => "it stands in line at the broker; a worker has room",
    }
}
