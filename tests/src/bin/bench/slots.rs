//! The cost of orchestration when all slots are busy: tasks that sleep 10 ms, against threads that only sleep.
//!
//! Invariant: both sides sleep the same number of times at the same width on the same machine; submission is outside
//! the clock. A sleep is never exactly 10 ms, therefore the bare sleepers are the measure and not the arithmetic.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::backlog::mode;
use crate::load;
use crate::process;
use crate::stage::Stage;
use crate::system::System;

/// Seconds beyond the bare sleepers', as a share of theirs.
pub(crate) const OVERHEAD: &str = "ten_ms_tasks_overhead_percent";
/// What the bare sleepers need beyond the arithmetic: the machine's own share.
pub(crate) const TIMER: &str = "ten_ms_sleep_excess_percent";
/// Three seconds of work: the start and the end of a run weigh little.
const TASKS_A_SLOT: u32 = 300;
const WORK: Duration = Duration::from_millis(10);

/// As many runs as asked, on one fleet.
pub(crate) fn measure(stage: &mut Stage) -> Result<()> {
    stage.nodes.wipe()?;
    let slots = stage.options.concurrency;
    let ideal = WORK.as_secs_f64() * f64::from(TASKS_A_SLOT);
    let body = load::bulk(slots * TASKS_A_SLOT, "diagnostic.sleep", r#"{"ms":10}"#);
    let mut fleet = stage.fleet(System::Ours)?;
    let client = fleet.client();
    for _ in 0..stage.options.runs {
        let bare = bare(slots)?;
        let before = client.completed_count()?;
        mode(&client, "pause")?;
        load::submit(&client, &body)?;
        mode(&client, "resume")?;
        let started = Instant::now();
        load::wait_completed(
            &mut fleet,
            &client,
            before + u64::from(slots * TASKS_A_SLOT),
        )?;
        let seconds = started.elapsed().as_secs_f64();
        let board = &mut stage.board;
        board.add(
            System::Ours.name(),
            OVERHEAD,
            (seconds / bare - 1.0) * 100.0,
        );
        board.add("bare sleepers", TIMER, (bare / ideal - 1.0) * 100.0);
    }
    Ok(())
}

fn bare(slots: u32) -> Result<f64> {
    let started = Instant::now();
    thread::scope(|scope| {
        let sleepers: Vec<_> = (0..slots)
            .map(|_| scope.spawn(|| (0..TASKS_A_SLOT).for_each(|_| process::pause(WORK))))
            .collect();
        sleepers.into_iter().try_for_each(|sleeper| {
            sleeper
                .join()
                .map_err(|_| anyhow!("a sleeping thread panicked"))
        })
    })?;
    Ok(started.elapsed().as_secs_f64())
}
