//! Notes and rows of figures.

use crate::{
    model::Json,
    store::{
        Error, Result,
        verbs::{Note, SeriesQuery, SeriesRow},
    },
};

use super::{
    connection::{Lane, Link},
    keys,
    reply::{self, Items},
    scripts::{self, Ask},
};

/// Keeps a note.
pub(super) async fn keep(link: &Link, note: Note) -> Result<()> {
    note.check()?;
    let mut ask = Ask::new(&scripts::KEEP, link.base());
    ask.arg(&note.name)
        .arg(&note.text)
        .arg(keys::micros(note.lasts).div_ceil(1000));
    link.ask(Lane::Bulk, &ask).await.map(drop)
}

/// The notes of these names.
pub(super) async fn kept(link: &Link, names: &[String]) -> Result<Vec<Option<String>>> {
    let mut ask = Ask::new(&scripts::KEPT, link.base());
    ask.arg(names);
    let mut answers = Items::of(link.ask(Lane::Bulk, &ask).await?)?;
    names.iter().map(|_| answers.maybe_text()).collect()
}

/// Appends rows.
pub(super) async fn append(link: &Link, rows: Vec<SeriesRow>) -> Result<()> {
    rows.iter().try_for_each(SeriesRow::check)?;
    let mut ask = Ask::new(&scripts::APPEND, link.base());
    ask.arg(keys::micros(SeriesRow::KEPT))
        .arg(keys::micros(SeriesRow::AHEAD));
    for row in &rows {
        ask.arg(&row.scope)
            .arg(keys::micros(SeriesRow::kept(&row.scope)))
            .arg(row.at.micros())
            .arg(row.figures.as_str());
    }
    link.ask(Lane::Bulk, &ask).await.map(drop)
}

/// Rows of a scope.
pub(super) async fn series(link: &Link, query: SeriesQuery) -> Result<Vec<SeriesRow>> {
    let mut ask = Ask::new(&scripts::SERIES, link.base());
    ask.arg(&query.scope)
        .arg(query.from.micros())
        .arg(query.to.micros())
        .arg(query.limit)
        .arg(keys::micros(SeriesRow::KEPT));
    let mut items = Items::of(link.ask(Lane::Bulk, &ask).await?)?;
    let mut rows = Vec::with_capacity(items.len());
    while !items.is_empty() {
        let text = items.text()?;
        let (at, figures) = text
            .split_once('|')
            .ok_or_else(|| Error::Corrupt("a row of figures".into()))?;
        rows.push(SeriesRow {
            scope: query.scope.clone(),
            at: reply::stamp(at)?,
            figures: Json::from_text(figures.to_owned()),
        });
    }
    Ok(rows)
}
