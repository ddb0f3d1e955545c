//! Looking: one task, lists, and the queue in numbers.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    model::{Priority, Stamp, Status, TaskId, TaskState, TaskView, TenantId, TypeName},
    store::{
        Error, Result,
        query::{Counts, Cursor, Page, Percentiles, Tally, TaskQuery, Totals},
    },
};

use tracing::error;

use super::{
    codec,
    connection::{Lane, Link},
    keys,
    reply::{self, Items},
    scripts::{self, Ask},
};

/// Records looked at by one call of the script: a few milliseconds, during
/// which the server does nothing else.
const GLANCES: u32 = 1000;
/// Calls for one page. A filter that matches hardly anything ends the page
/// early, with a cursor to go on from.
const CALLS: u32 = 50;

/// One task.
pub(super) async fn task(link: &Link, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>> {
    let mut ask = Ask::new(&scripts::TASK, link.base());
    ask.arg(tenant.as_str()).id(id);
    match link.ask(Lane::Bulk, &ask).await? {
        redis::Value::Nil | redis::Value::Boolean(false) => Ok(None),
        value => codec::view(value).map(Some),
    }
}

/// One page of tasks.
pub(super) async fn tasks(link: &Link, query: TaskQuery) -> Result<Page> {
    let wanted = usize::try_from(query.limit.max(1)).unwrap_or(usize::MAX);
    let mut found: Vec<(TaskView, u64)> = Vec::new();
    let mut below = query.cursor.map(|Cursor(seq)| seq);
    for _ in 0..CALLS {
        // One more than asked for tells whether there is another page.
        let missing = wanted.saturating_add(1).saturating_sub(found.len());
        let mut items = look(link, &query, below, missing).await?;
        let last = items.int()?;
        while !items.is_empty() {
            let mut pair = items.items()?;
            let seq = reply::number(&pair.text()?)?;
            let view = match codec::view(pair.value()?) {
                Ok(view) => view,
                Err(error) => {
                    error!(number = seq, %error, "a task is left out of a list");
                    continue;
                }
            };
            if has_labels(&view, &query.labels) {
                found.push((view, seq));
            }
        }
        if found.len() > wanted {
            found.truncate(wanted);
            let next = found.last().map(|(_, seq)| Cursor(*seq));
            return Ok(page(found, next));
        }
        match u64::try_from(last) {
            Ok(last) => below = Some(last),
            Err(_) => return Ok(page(found, None)),
        }
    }
    Ok(page(found, below.map(Cursor)))
}

async fn look(link: &Link, query: &TaskQuery, below: Option<u64>, missing: usize) -> Result<Items> {
    let mut ask = Ask::new(&scripts::TASKS, link.base());
    ask.arg(query.tenant.as_str())
        .arg(below.map_or("+inf".to_owned(), |seq| seq.to_string()))
        .arg(missing)
        .arg(GLANCES)
        .arg(letters(query.status))
        .arg(
            query
                .priority
                .map_or(String::new(), |priority| priority.rank().to_string()),
        )
        .arg(
            query
                .workflow_type
                .as_ref()
                .map_or("", |name| name.as_str()),
        );
    Items::of(link.ask(Lane::Bulk, &ask).await?)
}

/// The letters of the states that show as this status.
fn letters(status: Option<Status>) -> String {
    TaskState::ALL
        .into_iter()
        .filter(|state| status.is_none_or(|wanted| state.status() == wanted))
        .map(TaskState::letter)
        .collect()
}

fn has_labels(view: &TaskView, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .all(|(name, value)| view.spec.labels.get(name) == Some(value))
}

fn page(found: Vec<(TaskView, u64)>, next: Option<Cursor>) -> Page {
    Page {
        items: found.into_iter().map(|(view, _)| view).collect(),
        next,
    }
}

/// The tenant's queue in numbers.
pub(super) async fn counts(link: &Link, tenant: &TenantId) -> Result<Counts> {
    let mut ask = Ask::new(&scripts::COUNTS, link.base());
    ask.arg(tenant.as_str());
    let mut items = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    let now = Stamp::from_micros(items.int()?);
    let oldest = items.int()?;
    let mut counts = Counts {
        oldest_pending_age_ms: (oldest >= 0).then(|| {
            let age = now.since(Stamp::from_micros(oldest));
            u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
        }),
        ..Counts::default()
    };
    tallies(items.items()?, &mut counts.by_route)?;
    histograms(now, items, &mut counts)?;
    Ok(counts)
}

type Tallies = BTreeMap<(TypeName, Priority), Tally>;

/// The whole store in numbers.
pub(super) async fn totals(link: &Link) -> Result<Totals> {
    let ask = Ask::new(&scripts::TOTALS, link.base());
    let mut items = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    let mut totals = Totals::default();
    let mut learned = items.items()?;
    while !learned.is_empty() {
        let name = learned.text()?;
        let name = name
            .parse()
            .map_err(|_| Error::Corrupt("the name of a type".into()))?;
        let micros = reply::number(&learned.text()?)?;
        totals
            .expected_run
            .insert(name, Duration::from_micros(micros));
    }
    let mut counted = items.items()?;
    while !counted.is_empty() {
        let (name, number) = (counted.text()?, reply::number::<u64>(&counted.text()?)?);
        match name.as_str() {
            "retries" => totals.retries = number,
            "lapsed" => totals.leases_lapsed = number,
            of_tenant if of_tenant.starts_with("t:") => totals.submitted += number,
            // A newer version counts more.
            _ => {}
        }
    }
    while !items.is_empty() {
        let mut of_tenant = Tallies::new();
        tallies(items.items()?, &mut of_tenant)?;
        for (route, tally) in of_tenant {
            totals.by_route.entry(route).or_default().add(&tally);
        }
    }
    Ok(totals)
}

/// Reads pairs of `rank:type:group` and number.
fn tallies(mut items: Items, by_route: &mut Tallies) -> Result<()> {
    while !items.is_empty() {
        let name = items.text()?;
        let number = reply::number::<i64>(&items.text()?)?;
        let number = u64::try_from(number).unwrap_or(0);
        let (route, group) = name
            .rsplit_once(':')
            .ok_or_else(|| Error::Corrupt("the name of a counter".into()))?;
        let route = keys::parse_route(route)?;
        let key = (route.workflow_type, route.priority);
        let tally = by_route.entry(key).or_default();
        match group {
            "P" => tally.pending = number,
            "X" => tally.running = number,
            "C" => tally.completed = number,
            "F" => tally.failed = number,
            "K" => tally.cancelled = number,
            _ => return Err(Error::Corrupt("the name of a counter".into())),
        }
    }
    Ok(())
}

type Histogram = BTreeMap<u32, u64>;

/// Reads the histograms of this minute and the five before it. The oldest one
/// counts for throughput only as far as it lies within five minutes.
fn histograms(now: Stamp, mut items: Items, counts: &mut Counts) -> Result<()> {
    const MINUTES: f64 = 5.0;
    let (mut waits, mut runs) = (Histogram::new(), Histogram::new());
    #[expect(clippy::cast_precision_loss, reason = "less than a minute")]
    let elapsed = now.micros().rem_euclid(60_000_000) as f64 / 60e6;
    let (mut ended, mut minute) = (0.0, 0);
    while !items.is_empty() {
        let weight = if minute == 5 { 1.0 - elapsed } else { 1.0 };
        minute += 1;
        let mut fields = items.items()?;
        while !fields.is_empty() {
            let name = fields.text()?;
            let number: u64 = reply::number(&fields.text()?)?;
            match name.split_at_checked(1) {
                #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
                Some(("n", "")) => ended += weight * number as f64,
                Some(("w", bucket)) => {
                    *waits.entry(reply::number(bucket)?).or_default() += number;
                }
                Some(("r", bucket)) => *runs.entry(reply::number(bucket)?).or_default() += number,
                _ => return Err(Error::Corrupt("the name of a bucket".into())),
            }
        }
    }
    counts.throughput_per_minute = ended / MINUTES;
    counts.wait_ms = percentiles(&waits);
    counts.run_ms = percentiles(&runs);
    Ok(())
}

/// Percentiles of a histogram whose n-th bucket begins at 1.1^n microseconds,
/// by the nearest rank. The middle of the bucket stands for its values.
fn percentiles(histogram: &Histogram) -> Percentiles {
    let total: u64 = histogram.values().sum();
    let at = |percent: u64| {
        let rank = (total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let (bucket, _) = histogram.iter().find(|(_, number)| {
            seen += **number;
            seen >= rank
        })?;
        Some(1.1_f64.powf(f64::from(*bucket) + 0.5) / 1000.0)
    };
    Percentiles {
        p50: at(50),
        p95: at(95),
        p99: at(99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_within_a_tenth_of_the_truth() {
        let mut histogram = Histogram::new();
        for micros in 1..=10_000_u32 {
            let bucket = f64::from(micros).log(1.1).floor();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and not negative"
            )]
            let bucket = bucket as u32;
            *histogram.entry(bucket).or_default() += 1;
        }
        let found = percentiles(&histogram);
        for (value, truth) in [(found.p50, 5.0), (found.p95, 9.5), (found.p99, 9.9)] {
            let error = (value.unwrap() / truth - 1.0).abs();
            assert!(error < 0.1, "{value:?} for {truth}");
        }
        assert_eq!(percentiles(&Histogram::new()), Percentiles::default());
    }

    #[test]
    fn a_status_names_its_states() {
        assert_eq!(letters(Some(Status::Pending)), "WSRTQ");
        assert_eq!(letters(Some(Status::Cancelled)), "K");
        assert_eq!(letters(None).len(), TaskState::ALL.len());
    }
}
