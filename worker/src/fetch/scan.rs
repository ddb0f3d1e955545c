//! Looks at every route although no bell rang: once when the worker goes
//! idle, and now and then, because bells and hints may be lost.
//!
//! Invariant: nobody polls. Between two walks lies the scan interval, except
//! for the one walk that follows a busy time.

use std::time::Duration;

use tokio::time::sleep;

use crate::service::Core;

/// A worker is idle when it has found nothing for this long: the steps of a
/// chain follow each other faster, and must not pay for a walk each.
const IDLE_AFTER: Duration = Duration::from_millis(200);

/// Walks until dropped; not while nothing may start.
pub(crate) async fn walk(core: &Core) {
    loop {
        core.conditions.started().await;
        core.board.mark_all();
        tokio::select! {
            () = core.conditions.halted() => {}
            () = walk_while_started(core) => {}
        }
    }
}

async fn walk_while_started(core: &Core) {
    loop {
        let finds = core.board.finds();
        let wait = core.options.scan.mul_f64(0.5 + rand::random::<f64>());
        tokio::select! {
            () = idle_after(core, finds) => {}
            () = sleep(wait) => {}
        }
        core.board.mark_all();
    }
}

/// Waits until the worker has been idle for a while after it found more than
/// `walked_at` slips.
async fn idle_after(core: &Core, walked_at: u64) {
    loop {
        core.board.quiet.notified().await;
        let finds = core.board.finds();
        if finds == walked_at {
            continue;
        }
        sleep(IDLE_AFTER).await;
        if finds == core.board.finds() {
            return;
        }
        // Busy again; the next quiet moment asks again.
    }
}
