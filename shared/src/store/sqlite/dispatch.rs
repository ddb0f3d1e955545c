//! Steps 4 and 5: ready tasks are taken for publication, and slips that the
//! broker confirmed are counted.
//!
//! Invariant: a nonce takes tasks once; asked again it only finds those that
//! it still holds. The nonces live in memory: whoever asks lives in the same
//! process.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use crate::{
    model::{Nonce, Priority, Stamp, TaskEvent, TaskState},
    store::{
        Result,
        verbs::{PublishedSlip, Requeue, Take, Taken, TakenTask, Windows},
    },
};

use super::{
    core::Core,
    fault,
    records::Record,
    rotation::{Line, Turns},
    tally::Lane,
    upkeep,
};

/// The weight of one slip: divisible by every bundle size up to 16, so that
/// the shares of its tickets add up to a whole.
pub(super) const SLIP: i64 = 720_720;
/// How long a nonce is remembered.
const REMEMBERED: Duration = Duration::from_mins(1);

/// What the takers were given lately, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Takes {
    turns: Turns,
    given: HashMap<Nonce, (Vec<(i64, u32)>, bool)>,
    ages: VecDeque<(Stamp, Nonce)>,
    /// Tasks that this take may still set aside: a queue full of expired ones
    /// must not become one long transaction. The rest are for the next take.
    aside: u32,
}

impl Takes {
    fn forget_old(&mut self, now: Stamp) {
        while let Some((at, nonce)) = self.ages.front().copied()
            && at.after(REMEMBERED) <= now
        {
            self.ages.pop_front();
            self.given.remove(&nonce);
        }
    }
}

/// The verb `take_ready`.
pub(super) fn take_ready(core: &mut Core, take: &Take) -> Result<Taken> {
    if !core.starts_work() {
        return Ok(Taken::default());
    }
    core.takes.forget_old(core.now);
    if let Some((given, more)) = core.takes.given.get(&take.nonce).cloned() {
        return again(core, take.nonce, &given, more);
    }
    core.takes.aside = take.limit.saturating_mul(4).max(256);
    let records = select(core, take)?;
    let more = Priority::ALL
        .into_iter()
        .any(|priority| !lines(core, priority, &take.windows).is_empty());
    let tasks: Vec<_> = records
        .iter()
        .map(|record| ticket(core, record))
        .collect::<Result<_>>()?;
    let given = records.iter().map(|r| (r.seq, r.attempt)).collect();
    core.takes.given.insert(take.nonce, (given, more));
    core.takes.ages.push_back((core.now, take.nonce));
    Ok(Taken { tasks, more })
}

/// Takes up to the limit, the most urgent first; but the spare share is taken
/// before and stands behind.
fn select(core: &mut Core, take: &Take) -> Result<Vec<Record>> {
    let limit = usize::try_from(take.limit).unwrap_or(usize::MAX);
    let (spare_priority, mut spare) = spare(core, take)?;
    let mut records = Vec::new();
    for priority in Priority::ALL {
        if spare_priority == Some(priority) {
            records.append(&mut spare);
        }
        fill(core, take, priority, &mut records, limit - spare.len())?;
    }
    Ok(records)
}

/// What is reserved for the least urgent priority that has something to start,
/// while a more urgent one has work.
fn spare(core: &mut Core, take: &Take) -> Result<(Option<Priority>, Vec<Record>)> {
    let limit = usize::try_from(take.spare()).unwrap_or(usize::MAX);
    let mut spare = Vec::new();
    for (place, priority) in Priority::ALL.into_iter().enumerate().rev() {
        let mut above = Priority::ALL[..place].iter();
        if limit == 0 || !above.any(|above| !lines(core, *above, &take.windows).is_empty()) {
            break;
        }
        fill(core, take, priority, &mut spare, limit)?;
        if !spare.is_empty() {
            return Ok((Some(priority), spare));
        }
    }
    Ok((None, spare))
}

/// Takes from one priority until there are `limit` records.
fn fill(
    core: &mut Core,
    take: &Take,
    priority: Priority,
    taken: &mut Vec<Record>,
    limit: usize,
) -> Result<()> {
    while taken.len() < limit && core.takes.aside > 0 && pass(core, take, priority, taken, limit)? {
    }
    Ok(())
}

/// One round at one priority. `true` if another may find more, because tasks
/// that must not start were set aside.
fn pass(
    core: &mut Core,
    take: &Take,
    priority: Priority,
    taken: &mut Vec<Record>,
    limit: usize,
) -> Result<bool> {
    let left = limit - taken.len();
    let lines = lines(core, priority, &take.windows);
    let turns = core.takes.turns.share(priority.rank(), lines, left);
    let mut wanted: BTreeMap<Lane, i64> = BTreeMap::new();
    for (kind, tenant) in &turns {
        *wanted.entry(lane(priority, *kind, *tenant)).or_default() += 1;
    }
    let mut ready: BTreeMap<Lane, VecDeque<Record>> = BTreeMap::new();
    for (lane, count) in wanted {
        ready.insert(lane, oldest(core, lane, count)?);
    }
    let mut aside = 0;
    for (kind, tenant) in turns {
        let Some(mut task) = ready
            .get_mut(&lane(priority, kind, tenant))
            .and_then(VecDeque::pop_front)
        else {
            continue;
        };
        if task.expired(core.now) {
            upkeep::expire(core, &mut task)?;
            aside += 1;
        } else if task.due_at.is_some_and(|due| due > core.now) {
            core.step(&mut task, TaskEvent::HeldEarly)?;
            task.save(&core.db)?;
            aside += 1;
        } else {
            core.step(&mut task, TaskEvent::Taken)?;
            task.token = Some(take.nonce);
            task.deadline = Some(core.now.after(take.deadline));
            task.save(&core.db)?;
            taken.push(task);
        }
    }
    core.takes.aside = core.takes.aside.saturating_sub(aside);
    Ok(aside > 0)
}

const fn lane(priority: Priority, kind: i64, tenant: i64) -> Lane {
    Lane {
        priority,
        kind,
        tenant,
    }
}

/// The types with ready work at this priority and room in their windows.
fn lines(core: &Core, priority: Priority, windows: &Windows) -> Vec<Line> {
    let mut occupied: BTreeMap<i64, (i64, Vec<(i64, u64)>)> = BTreeMap::new();
    for (lane, figures) in core.tally.lanes() {
        if lane.priority == priority {
            let (in_window, tenants) = occupied.entry(lane.kind).or_default();
            *in_window += figures.in_window();
            let ready = figures.of(TaskState::Ready);
            if ready > 0 {
                tenants.push((lane.tenant, ready.unsigned_abs()));
            }
        }
    }
    let lines = occupied.into_iter().filter(|(_, (_, t))| !t.is_empty());
    lines
        .map(|(kind, (in_window, tenants))| Line {
            kind,
            room: u64::from(window(core, windows, lane(priority, kind, 0)))
                .saturating_sub(in_window.unsigned_abs()),
            tenants,
        })
        .filter(|line| line.room > 0)
        .collect()
}

fn window(core: &Core, windows: &Windows, lane: Lane) -> u32 {
    core.names
        .kind(lane)
        .ok()
        .and_then(|kind| windows.by_type.get(&kind).copied())
        .unwrap_or(windows.default)
}

fn oldest(core: &Core, lane: Lane, count: i64) -> Result<VecDeque<Record>> {
    let rows = Record::all(
        &core.db,
        "INDEXED BY task_ready WHERE state = 'R' AND priority = ?1 AND type = ?2 AND tenant = ?3 \
         ORDER BY seq LIMIT ?4",
        &[&lane.priority.rank(), &lane.kind, &lane.tenant, &count],
    )?;
    Ok(rows.into())
}

/// What a nonce was given and still holds.
fn again(core: &Core, nonce: Nonce, given: &[(i64, u32)], more: bool) -> Result<Taken> {
    let mut tasks = Vec::new();
    for (seq, attempt) in given {
        if let Some(record) = Record::by_seq(&core.db, *seq)?
            && record.state == TaskState::Taken
            && record.token == Some(nonce)
            && record.attempt == *attempt
        {
            tasks.push(ticket(core, &record)?);
        }
    }
    Ok(Taken { tasks, more })
}

fn ticket(core: &Core, record: &Record) -> Result<TakenTask> {
    let (correlation_id, traceparent, input_bytes) = core
        .db
        .prepare_cached(
            "SELECT correlation_id, traceparent, octet_length(input) FROM body WHERE seq = ?1",
        )
        .and_then(|mut statement| {
            statement.query_row([record.seq], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?))
            })
        })
        .map_err(fault)?;
    Ok(TakenTask {
        id: record.id,
        tenant: core.names.tenant(record.lane)?,
        route: core.names.route(record.lane)?,
        attempt: record.attempt + 1,
        input_bytes: input_bytes.unsigned_abs(),
        solo: record.solo,
        expected_run: core
            .learned
            .get(&record.lane.kind)
            .map(|mean| Duration::from_secs_f64(mean.max(0.0) / 1e6)),
        correlation_id,
        traceparent,
    })
}

/// The verb `published`.
pub(super) fn published(core: &mut Core, slips: &[PublishedSlip]) -> Result<()> {
    for slip in slips {
        let tickets = i64::try_from(slip.tickets.len().max(1)).unwrap_or(SLIP);
        for (id, attempt) in &slip.tickets {
            let Some(mut task) = Record::by_id(&core.db, *id)? else {
                continue;
            };
            if task.attempt + 1 == *attempt && core.step(&mut task, TaskEvent::Published)? {
                task.slip = SLIP / tickets;
                task.deadline = Some(core.now.after(slip.republish_after));
                task.save(&core.db)?;
            }
        }
    }
    Ok(())
}

/// The verb `requeue`.
pub(super) fn requeue(core: &mut Core, requeue: &Requeue) -> Result<u32> {
    let Some(kind) = core.names.known(requeue.route.workflow_type.as_str()) else {
        return Ok(0);
    };
    let latest = match requeue.overdue_by {
        None => i64::MAX,
        Some(by) => core
            .now
            .micros()
            .saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)),
    };
    let queued = Record::all(
        &core.db,
        "INDEXED BY task_deadline WHERE state = 'Q' AND deadline <= ?1 AND type = ?2 \
         AND priority = ?3 ORDER BY deadline, seq LIMIT ?4",
        &[
            &latest,
            &kind,
            &requeue.route.priority.rank(),
            &requeue.limit,
        ],
    )?;
    let mut moved = 0;
    for mut task in queued {
        if core.step(&mut task, TaskEvent::Requeued)? {
            task.save(&core.db)?;
            moved += 1;
        }
    }
    Ok(moved)
}
