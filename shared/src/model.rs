//! The language of Zero Gate: typed ids, the life of a task, retry policy, and
//! plans.
//!
//! Invariant: nothing here performs I/O, reads a clock or draws randomness;
//! whatever depends on those takes them as arguments.

pub mod id;
pub mod priority;
pub mod stamp;
pub mod state;

pub mod error;
pub mod file;
pub mod retry;
pub mod task;

pub mod alert;
pub mod feature;
pub mod health;
pub mod level;

pub mod plan;
pub mod reference;
pub mod waiting;

pub use alert::{AlertLevel, AlertState};
pub use error::{ErrorCode, TaskError};
pub use feature::Category;
pub use file::FileId;
pub use health::HealthState;
pub use id::{AttemptToken, Nonce, TaskId, TenantId, TypeName, WorkerId};
pub use level::{Level, ProfileName};
pub use priority::{Priority, Route};
pub use retry::RetryPolicy;
pub use stamp::Stamp;
pub use state::{Status, TaskEvent, TaskState, To};
pub use task::{AttemptRecord, Json, OnDependencyFailure, Progress, TaskSpec, TaskView};
pub use waiting::WaitingOn;
