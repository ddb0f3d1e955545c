//! SIGTERM and SIGINT: the polite ways to end.

use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Waits for the first SIGTERM or SIGINT.
pub(crate) async fn asked_to_end() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    info!(signal = name, "asked to end");
    Ok(())
}
