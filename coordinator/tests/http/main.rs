//! The HTTP contract on the real embedded store and broker.
//!
//! Every test starts a coordinator of its own on a free port and speaks HTTP
//! to it; where work must be done, [`stage::Stage::work`] does what a worker
//! does, through the broker and the store.

#![expect(clippy::unwrap_used, reason = "a test may")]
#![expect(
    clippy::needless_pass_by_value,
    reason = "reads better where it is called"
)]

mod crew;
mod stage;

mod accepting;
mod contract;
mod refusing;

mod changing;
mod looking;

mod dispatching;
mod files;

mod explaining;
mod measuring;
mod steering;

use serde_json::{Value, json};

const SUBMIT: &str = "/api/workflows/submit";
const BULK: &str = "/api/workflows/submit/bulk";
const NOWHERE: &str = "00000000-0000-7000-8000-000000000000";

fn echo(input: Value) -> Value {
    json!({"workflow_type": "diagnostic.echo", "input": input})
}

fn with(mut task: Value, members: Value) -> Value {
    let members = members.as_object().unwrap().clone();
    task.as_object_mut().unwrap().extend(members);
    task
}
