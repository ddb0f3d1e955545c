//! What the store shows: one task, pages of tasks, and counts.
//!
//! Invariant: looking changes nothing. Tasks are read on a connection of
//! their own, so a long list never holds up a verb.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    model::{AttemptRecord, Json, TaskId, TaskState, TaskView, TenantId, TypeName},
    store::{
        Result,
        query::{Counts, Cursor, Page, TaskQuery, Totals},
    },
};

use super::{
    core::Core,
    facts, fault,
    pace::Measure,
    records::{self, COLUMNS, Record},
    resolve, tally,
};

/// The verb `task`.
pub(super) fn task(db: &Connection, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>> {
    let Some(record) = Record::by_id(db, id)? else {
        return Ok(None);
    };
    if number(db, tenant.as_str())? != Some(record.lane.tenant) {
        return Ok(None);
    }
    let result = result_of(db, &record)?;
    Ok(Some(TaskView {
        result,
        ..view(db, record)?
    }))
}

/// The verb `tasks`.
pub(super) fn tasks(db: &Connection, query: &TaskQuery) -> Result<Page> {
    let Some(tenant) = number(db, query.tenant.as_str())? else {
        return Ok(Page::default());
    };
    let kind = match &query.workflow_type {
        Some(name) => match number(db, name.as_str())? {
            Some(kind) => kind,
            None => return Ok(Page::default()),
        },
        None => ANY,
    };
    let before = query.cursor.map_or(i64::MAX, |cursor| {
        i64::try_from(cursor.0).unwrap_or(i64::MAX)
    });
    let sql = format!(
        "SELECT {COLUMNS} FROM task WHERE seq < ?1 AND tenant = ?2 AND (?3 < 0 OR type = ?3) \
         AND (?4 < 0 OR priority = ?4) AND (?5 IS NULL OR instr(?5, state) > 0) ORDER BY seq DESC"
    );
    let mut statement = db.prepare_cached(&sql).map_err(fault)?;
    let rank = query.priority.map_or(ANY, |level| level.rank().into());
    let mut rows = statement
        .query(params![before, tenant, kind, rank, letters(query)])
        .map_err(fault)?;
    let mut page = Page::default();
    let mut last = None;
    while let Some(row) = rows.next().map_err(fault)? {
        let record = Record::read(row).map_err(fault)?;
        if !query.labels.is_empty() && !has_labels(db, &record, query)? {
            continue;
        }
        if page.items.len() >= usize::try_from(query.limit.max(1)).unwrap_or(usize::MAX) {
            page.next = last;
            break;
        }
        last = Some(Cursor(record.seq.unsigned_abs()));
        page.items.push(view(db, record)?);
    }
    Ok(page)
}

/// Stands for "not asked for": no number of a name and no rank is negative.
const ANY: i64 = -1;

/// The states that show as the status asked for, as letters.
fn letters(query: &TaskQuery) -> Option<String> {
    let status = query.status?;
    let shown = TaskState::ALL.into_iter().filter(|s| s.status() == status);
    Some(shown.map(TaskState::letter).collect())
}

fn has_labels(db: &Connection, record: &Record, query: &TaskQuery) -> Result<bool> {
    let labels = resolve::spec_of(db, record.seq)?.labels;
    let mut wanted = query.labels.iter();
    Ok(wanted.all(|(key, value)| labels.get(key) == Some(value)))
}

pub(super) fn number(db: &Connection, name: &str) -> Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM name WHERE text = ?1")
        .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
        .map_err(fault)
}

pub(super) fn result_of(db: &Connection, record: &Record) -> Result<Option<Json>> {
    if record.state != TaskState::Completed {
        return Ok(None);
    }
    let text: Option<Option<String>> = db
        .prepare_cached("SELECT result FROM outcome WHERE seq = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([record.seq], |row| row.get(0))
                .optional()
        })
        .map_err(fault)?;
    Ok(text.flatten().map(Json::from_text))
}

/// A reading without the result.
fn view(db: &Connection, record: Record) -> Result<TaskView> {
    let is = |state| record.state == state;
    let shows_progress = is(TaskState::Running) || is(TaskState::Completed);
    let has_error = is(TaskState::Failed) || is(TaskState::Cancelled);
    Ok(TaskView {
        id: record.id,
        spec: resolve::spec_of(db, record.seq)?,
        state: record.state,
        attempt: record.attempt,
        failures: record.failures,
        dependents: dependents(db, record.seq)?,
        submitted_at: record.submitted_at,
        started_at: record.started_at,
        finished_at: record.finished_at,
        due_at: record.due_at.filter(|_| is(TaskState::Scheduled)),
        too_large: record.too_large.map(i64::unsigned_abs),
        asides: record.asides,
        cancel_requested: is(TaskState::Running) && record.cancel.is_some(),
        result: None,
        error: if has_error {
            records::error_of(db, record.seq)?
        } else {
            None
        },
        attempts: attempts(db, &record)?,
        progress: record.progress.filter(|_| shows_progress),
        worker_id: record.worker,
    })
}

/// The runs that ended, and the one that goes on.
fn attempts(db: &Connection, record: &Record) -> Result<Vec<AttemptRecord>> {
    let mut runs = records::runs(db, record.seq)?;
    if let (TaskState::Running, Some(started_at), Some(worker)) =
        (record.state, record.started_at, &record.worker)
    {
        runs.push(AttemptRecord {
            attempt: record.attempt,
            started_at,
            finished_at: None,
            worker_id: worker.clone(),
            code: None,
            message: None,
        });
    }
    let surplus = runs.len().saturating_sub(TaskView::ATTEMPTS_KEPT);
    runs.drain(..surplus);
    Ok(runs)
}

fn dependents(db: &Connection, seq: i64) -> Result<Vec<TaskId>> {
    let mut statement = db
        .prepare_cached(
            "SELECT t.id FROM edge e JOIN task t ON t.seq = e.child WHERE e.parent = ?1 \
             ORDER BY e.child",
        )
        .map_err(fault)?;
    let rows = statement
        .query_map([seq], |row| row.get(0).map(TaskId::from_bytes))
        .map_err(fault)?;
    rows.collect::<rusqlite::Result<_>>().map_err(fault)
}

/// The verb `counts`; asked of the writing thread, which has the figures.
pub(super) fn counts(core: &Core, tenant: &TenantId) -> Result<Counts> {
    let Some(tenant) = core.names.known(tenant.as_str()) else {
        return Ok(Counts::default());
    };
    let mut counts = Counts::default();
    let mut oldest = None;
    for (lane, figures) in core.tally.lanes().filter(|(lane, _)| lane.tenant == tenant) {
        let kind: TypeName = core.names.kind(lane)?;
        counts
            .by_route
            .insert((kind, lane.priority), figures.tally());
        if figures.of(TaskState::Ready) > 0 {
            oldest = earlier(oldest, first_ready(&core.db, lane)?);
        }
    }
    oldest = earlier(oldest, first_in_window(&core.db, tenant)?);
    counts.oldest_pending_age_ms = match oldest {
        Some(seq) => Record::by_seq(&core.db, seq)?
            .map(|task| core.now.since(task.submitted_at).as_millis())
            .and_then(|age| u64::try_from(age).ok()),
        None => None,
    };
    (counts.wait_ms, _) = core.pace.of(core.now, tenant, Measure::Wait);
    (counts.run_ms, counts.throughput_per_minute) = core.pace.of(core.now, tenant, Measure::Run);
    Ok(counts)
}

/// The verb `totals`.
pub(super) fn totals(core: &Core) -> Result<Totals> {
    let count = |total| facts::total(&core.db, total);
    let mut totals = Totals {
        submitted: count(facts::SUBMITTED)?,
        retries: count(facts::RETRIES)?,
        leases_lapsed: count(facts::LEASES_LAPSED)?,
        ..Totals::default()
    };
    for (lane, figures) in core.tally.lanes() {
        let kind: TypeName = core.names.kind(lane)?;
        if let Some(mean) = core.learned.get(&lane.kind) {
            let mean = Duration::from_secs_f64(mean.max(0.0) / 1e6);
            totals.expected_run.insert(kind.clone(), mean);
        }
        let route = (kind, lane.priority);
        totals
            .by_route
            .entry(route)
            .or_default()
            .add(&figures.tally());
    }
    Ok(totals)
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

fn first_ready(db: &Connection, lane: tally::Lane) -> Result<Option<i64>> {
    db.prepare_cached(
        "SELECT min(seq) FROM task INDEXED BY task_ready WHERE state = 'R' AND priority = ?1 \
         AND type = ?2 AND tenant = ?3",
    )
    .and_then(|mut statement| {
        statement.query_row(
            params![lane.priority.rank(), lane.kind, lane.tenant],
            |row| row.get(0),
        )
    })
    .map_err(fault)
}

fn first_in_window(db: &Connection, tenant: i64) -> Result<Option<i64>> {
    db.prepare_cached(
        "SELECT min(seq) FROM task INDEXED BY task_deadline WHERE state IN ('T', 'Q') \
         AND deadline IS NOT NULL AND tenant = ?1",
    )
    .and_then(|mut statement| statement.query_row([tenant], |row| row.get(0)))
    .map_err(fault)
}
