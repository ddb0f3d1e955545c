//! What is asked of the store, and what it answers, verb by verb: in the order
//! of the nine steps, then what people ask, then what time brings.
//!
//! Invariant: plain data. Batches answer in the order of their questions.

mod submitting;

mod dispatching;

mod running;

mod steering;

mod orders;

mod notes;

mod alerts;

mod keeping;

pub use alerts::{AlertRecord, FirstOf};
pub use dispatching::{Overdue, PublishedSlip, Requeue, Take, Taken, TakenTask, Windows};
pub use keeping::{Beat, BeatReply, Sweep, Swept};
pub use notes::{Note, SeriesQuery, SeriesRow};
pub use orders::{DrainOrder, FeatureOrder, Order, Orders, ProfileOrder, WorkerOrders};
pub use running::{
    Aside, Claim, ClaimReply, ClaimTicket, Claimed, Finish, FinishReply, Finished, Granted,
    Outcome, ParentResult, Release, Renew, Renewal, Report, RunRef,
};
pub use steering::{Cancel, CancelOutcome, Mode, ModeAsked, ModeState, Retry, RetryOutcome};
pub use submitting::{Idempotency, NewTask, Submission, Submitted};
