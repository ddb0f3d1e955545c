//! What the fleet did, minute by minute, for plans, history and what is usual
//! at an hour of the week.
//!
//! Invariant: every replica writes, and a row of the same scope and minute
//! replaces the other's, so nothing is counted twice. What arrived and ended is
//! the difference of two readings of the store's counters.
//!
//! Deliberately absent: the store's own limits on how long rows are kept.

mod row;

use std::{sync::Arc, time::Duration};

use resources::pattern::{Hour, Pattern, Values};
use shared::{
    model::Stamp,
    store::{
        self,
        query::Totals,
        verbs::{Note, SeriesRow},
    },
};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::app::App;

use row::WorkerRow;
pub(crate) use row::{FleetRow, minute_of};

/// The scope of the whole fleet.
pub(crate) const FLEET: &str = "fleet";
/// The note under which the fleet's pattern is kept.
pub(crate) const PATTERN: &str = "fleet.pattern";
/// How long the pattern is kept without news: longer than any holiday.
const PATTERN_KEPT: Duration = Duration::from_hours(90 * 24);
/// The pattern is kept once in so many rows: what a crash loses of an hour.
const PATTERN_EVERY: u32 = 10;
/// Rows that are appended at once: a transaction of some milliseconds.
const BATCH: usize = 200;

/// A reading of the store's counters.
struct Reading {
    at: Instant,
    totals: Totals,
}

/// What is remembered from row to row.
#[derive(Default)]
struct Chronicle {
    before: Option<Reading>,
    /// Absent until it was asked for.
    pattern: Option<Pattern>,
    rows: u32,
}

/// The scope of a worker.
pub(crate) fn scope_of(worker: &shared::model::WorkerId) -> String {
    format!("{}{worker}", SeriesRow::OF_WORKER)
}

/// Writes for ever.
pub(crate) async fn run(app: Arc<App>) {
    let mut chronicle = Chronicle {
        before: read(&app).await.ok(),
        ..Chronicle::default()
    };
    let mut away = false;
    loop {
        tokio::time::sleep(pause(&app)).await;
        match write(&app, &mut chronicle).await {
            Ok(()) if away => {
                info!("figures of the fleet are written again");
                away = false;
            }
            Ok(()) => {}
            Err(error) => {
                if !away {
                    warn!(%error, "figures of the fleet are not written");
                }
                away = true;
            }
        }
    }
}

/// Until a little after the end of the interval, not all replicas at once.
fn pause(app: &App) -> Duration {
    let every = app.options.series_every;
    let period = every.as_micros().max(1);
    let now = u128::from(app.clock.now().micros().unsigned_abs());
    let spent = u64::try_from(now % period).unwrap_or_default();
    let rest = every.saturating_sub(Duration::from_micros(spent));
    rest + every.mul_f64(rand::random_range(0.01..0.08))
}

async fn read(app: &App) -> store::Result<Reading> {
    let totals = app.store.totals().await?;
    let at = Instant::now();
    Ok(Reading { at, totals })
}

async fn write(app: &App, chronicle: &mut Chronicle) -> store::Result<()> {
    let every = app.options.series_every;
    app.fleet.refresh(&*app.store).await?;
    let now = read(app).await?;
    let Some(before) = &chronicle.before else {
        chronicle.before = Some(now);
        return Ok(());
    };
    let span = now.at.saturating_duration_since(before.at);
    if span < every / 2 {
        // A short look would replace what another replica saw of the whole.
        return Ok(());
    }
    let fleet = app.fleet.now();
    let row = FleetRow::of(&fleet, &before.totals, &now.totals, span);
    chronicle.before = Some(now);
    // The minute that most of the interval lies in.
    let micros = i64::try_from((every / 2).as_micros()).unwrap_or_default();
    let at = minute_of(Stamp::from_micros(app.clock.now().micros() - micros));
    let mut rows = vec![SeriesRow {
        scope: FLEET.into(),
        at,
        figures: row.text(),
    }];
    rows.extend(fleet.live().map(|member| SeriesRow {
        scope: scope_of(member.id()),
        at,
        figures: WorkerRow::of(member, &fleet).text(),
    }));
    learn(app, chronicle, at, &row).await?;
    for batch in rows.chunks(BATCH) {
        app.store.append(batch.to_vec()).await?;
    }
    Ok(())
}

/// What is usual at this hour: every replica learns it from the same fleet, so
/// whichever keeps it last is right.
async fn learn(
    app: &App,
    chronicle: &mut Chronicle,
    at: Stamp,
    row: &FleetRow,
) -> store::Result<()> {
    let mut pattern = match chronicle.pattern.take() {
        Some(pattern) => pattern,
        None => kept_pattern(app).await?,
    };
    let seconds = u64::try_from(at.micros() / 1_000_000).unwrap_or_default();
    let values = Values {
        memory: row.memory,
        cpu: row.cpu,
        arrivals: Some(row.arrivals_per_minute()),
        in_flight: Some(f64::from(row.in_flight)),
    };
    pattern.observe(Hour::of_unix(seconds), &values);
    let text = pattern.to_text();
    chronicle.pattern = Some(pattern);
    chronicle.rows += 1;
    if chronicle.rows.is_multiple_of(PATTERN_EVERY) {
        let note = Note {
            name: PATTERN.into(),
            text,
            lasts: PATTERN_KEPT,
        };
        app.store.keep(note).await?;
    }
    Ok(())
}

/// The pattern that the fleet has learned; a fresh one if there is none.
pub(crate) async fn kept_pattern(app: &App) -> store::Result<Pattern> {
    let mut kept = app.store.kept(&[PATTERN.to_owned()]).await?;
    let Some(text) = kept.pop().flatten() else {
        return Ok(Pattern::default());
    };
    Ok(Pattern::from_text(&text).unwrap_or_else(|error| {
        warn!(%error, "what is usual is learned afresh");
        Pattern::default()
    }))
}
