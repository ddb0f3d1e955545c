//! Alerts of the fleet, and who tells them.

use redis::Value;
use tracing::debug;

use crate::{
    model::{AlertState, Stamp},
    store::{
        Error, Result,
        verbs::{AlertRecord, FirstOf},
    },
};

use super::{
    connection::{Lane, Link},
    keys,
    reply::Items,
    scripts::{self, Ask},
};

/// Raises, changes or resolves alerts.
pub(super) async fn raise(link: &Link, records: Vec<AlertRecord>) -> Result<()> {
    records.iter().try_for_each(AlertRecord::check)?;
    let mut ask = Ask::new(&scripts::RAISE, link.base());
    ask.arg(AlertRecord::KEPT)
        .arg(keys::micros(AlertRecord::KEPT_RESOLVED));
    for record in &records {
        let text = serde_json::to_string(record)
            .map_err(|e| Error::Corrupt(format!("an alert that is not JSON: {e}")))?;
        ask.arg(&record.id)
            .arg(record.updated_at.micros())
            .arg(u8::from(record.state == AlertState::Resolved))
            .arg(text);
    }
    link.ask(Lane::Verbs, &ask).await.map(drop)
}

/// The latest alerts. One of a newer version that this one cannot read is left
/// out.
pub(super) async fn latest(link: &Link, limit: u32) -> Result<Vec<AlertRecord>> {
    let mut ask = Ask::new(&scripts::ALERTS, link.base());
    ask.arg(limit).arg(keys::micros(AlertRecord::KEPT_RESOLVED));
    let mut items = Items::of(link.ask(Lane::Bulk, &ask).await?)?;
    let mut records = Vec::with_capacity(items.len() / 2);
    while !items.is_empty() {
        let at = Stamp::from_micros(items.int()?);
        let Some(text) = items.maybe_text()? else {
            continue;
        };
        let Ok(mut record) = serde_json::from_str::<AlertRecord>(&text) else {
            debug!("an alert cannot be read");
            continue;
        };
        record.updated_at = at;
        records.push(record);
    }
    Ok(records)
}

/// Whether this asker is the first.
pub(super) async fn first_of(link: &Link, first: FirstOf) -> Result<Option<u64>> {
    first.check()?;
    let mut ask = Ask::new(&scripts::FIRST_OF, link.base());
    ask.arg(&first.key)
        .arg(first.by.to_string())
        .arg(keys::micros(first.lasts))
        .arg(keys::micros(FirstOf::KEPT));
    match link.ask(Lane::Verbs, &ask).await? {
        Value::Int(others) => Ok(u64::try_from(others).ok()),
        _ => Err(Error::Corrupt("the number of those who asked".into())),
    }
}
