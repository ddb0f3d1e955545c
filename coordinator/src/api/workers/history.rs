//! What a worker, or the fleet, looked like minute by minute.
//!
//! Invariant: rows as they were written, in order of time; figures of a
//! version that this one does not know are shown all the same.

use std::time::Duration;

use axum::http::Uri;
use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    model::Stamp,
    store::verbs::{SeriesQuery, SeriesRow},
};

use super::super::{planning::earlier, problem::Problem, query::Query};
use crate::app::App;

/// How far back an answer goes that is not asked for more.
const USUAL: Duration = Duration::from_hours(1);
/// Rows in one answer: a day.
const MOST: u32 = 1440;

/// One minute.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    at: Stamp,
    figures: Box<RawValue>,
}

/// The span that a query asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    from: Stamp,
    to: Stamp,
}

impl Span {
    /// From `from` to `to`; the last hour if nothing is said.
    pub(super) fn of(uri: &Uri, app: &App) -> Result<Self, Problem> {
        let mut query = Query::of(uri)?;
        let to = query.time("to").unwrap_or(Stamp::MAX);
        let latest = to.min(app.clock.now());
        let from = query.time("from").unwrap_or_else(|| earlier(latest, USUAL));
        if from > to {
            query.flaw("from", "must not be after `to`");
        }
        query.finish()?;
        Ok(Self { from, to })
    }

    /// The rows of a scope.
    pub(super) async fn rows(self, app: &App, scope: String) -> Result<Vec<Row>, Problem> {
        let query = SeriesQuery {
            scope,
            from: self.from,
            to: self.to,
            limit: MOST,
        };
        let rows = app.store.series(query).await?;
        Ok(rows.iter().filter_map(Row::of).collect())
    }
}

impl Row {
    fn of(row: &SeriesRow) -> Option<Self> {
        let figures = RawValue::from_string(row.figures.as_str().to_owned()).ok()?;
        Some(Self {
            at: row.at,
            figures,
        })
    }
}
