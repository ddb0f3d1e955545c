//! `GET /api/capacity` and `GET /api/bottleneck`.
//!
//! Invariant: answers are functions of the fleet's series, its pattern and the
//! workers' heartbeats; without data they say that they know nothing.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use resources::{
    bottleneck::{self, Evidence},
    pattern::{BINS, Figure, Hour, Pattern},
    plan::{self, Now, Plan, Room, Usual},
};
use serde::{Deserialize, Serialize};
use shared::{
    model::Stamp,
    store::verbs::{SeriesQuery, SeriesRow},
};
use tracing::debug;

use super::problem::Problem;
use crate::{
    app::App,
    fleet::Fleet,
    series::{self, FleetRow},
};

/// How far back a plan looks: a day shows its own peaks.
const LOOKS_BACK: Duration = Duration::from_hours(24);
/// Rows of that time, one a minute, and a little more.
const MOST_ROWS: u32 = 1500;

#[derive(Serialize)]
struct Capacity {
    #[serde(flatten)]
    plan: Plan,
    /// What is there.
    room: Room,
}

/// How many workers the work needs.
pub(super) async fn capacity(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.fleet.refresh(&*app.store).await?;
    let now = app.clock.now();
    let query = SeriesQuery {
        scope: series::FLEET.into(),
        from: earlier(now, LOOKS_BACK),
        to: Stamp::MAX,
        limit: MOST_ROWS,
    };
    let (rows, pattern) = tokio::try_join!(app.store.series(query), series::kept_pattern(&app))?;
    let minutes: Vec<plan::Minute> = rows.iter().filter_map(minute).collect();
    let room = room(&app.fleet.now());
    let hour = Hour::of_unix(u64::try_from(now.micros() / 1_000_000).unwrap_or_default());
    let of_week = u16::try_from(hour.of_week()).unwrap_or_default();
    let plan = plan::plan(&minutes, &room, Now(of_week), &baseline(&pattern));
    Ok(Json(Capacity { plan, room }).into_response())
}

/// What holds the fleet back.
pub(super) async fn bottleneck(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.fleet.refresh(&*app.store).await?;
    let totals = app.store.totals().await?;
    let waiting: u64 = totals.by_route.values().map(|tally| tally.pending).sum();
    let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
    let fleet = app.fleet.now();
    let evidence: Vec<(String, Evidence)> = fleet
        .working()
        .map(|member| {
            let slots = member.seen.state.slots;
            // A worker without a monitor still says how many slots it fills.
            let evidence = Evidence::deserialize(&member.report.evidence);
            let evidence = evidence.unwrap_or_else(|_| Evidence {
                slots_used: slots.used.into(),
                slots_limit: slots.limit.into(),
                slots_cap: slots.cap.into(),
                ..Evidence::default()
            });
            (member.id().to_string(), evidence)
        })
        .collect();
    Ok(Json(bottleneck::fleet(&evidence, Some(waiting))).into_response())
}

fn minute(row: &SeriesRow) -> Option<plan::Minute> {
    let read = serde_json::from_str::<FleetRow>(row.figures.as_str());
    let read = read.inspect_err(|error| debug!(%error, "a row of the series cannot be read"));
    Some(read.ok()?.minute(row.at))
}

/// What the workers that take work have, as far as they know it.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^53")]
fn room(fleet: &Fleet) -> Room {
    let known = fleet.working().filter(|member| member.report.known);
    let known: Vec<(f64, f64, f64)> = known
        .map(|member| {
            let report = &member.report;
            let slots = f64::from(member.seen.state.slots.cap);
            (report.cpu.cores, report.memory.limit as f64, slots)
        })
        .collect();
    Room {
        workers: u32::try_from(fleet.working().count()).unwrap_or(u32::MAX),
        ..Room::of(&known)
    }
}

/// Arrivals by hour of the week, as the fleet has learned them.
fn baseline(pattern: &Pattern) -> Vec<Option<Usual>> {
    // The pattern's weeks begin on Mondays; the epoch was a Thursday.
    let monday = Hour(4 * 24);
    (0..u64::from(BINS))
        .map(|bin| {
            let hour = Hour(monday.0 + bin);
            let usual = pattern.expected(hour, Figure::Arrivals)?;
            Some(Usual {
                mean: usual.mean,
                deviation: usual.deviation,
                weeks: f64::from(usual.weeks),
            })
        })
        .collect()
}

pub(super) fn earlier(now: Stamp, by: Duration) -> Stamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Stamp::from_micros(now.micros().saturating_sub(micros).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_begins_with_the_first_hour_of_the_week() {
        assert_eq!(Hour(4 * 24).of_week(), 0);
        assert_eq!(Hour(4 * 24 + 167).of_week(), 167);
    }
}
