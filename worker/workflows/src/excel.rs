//! Excel processing: workbooks that tenants send, as typed and judged tables.
//!
//! The way of a run: `guard`, `container` and `markup` (is it safe to open) -> `read` (cells, by `openxml`, `xlsb`, `biff`,
//! `opendocument` or `delimited`, counted by `gather`) -> `header` and `infer` (tables) -> `judge` (`validation` with
//! `rules`, `quality`, `totals`, `entities`) -> `output`, `records` and `cleaned`. Invariant: no input makes it panic,
//! allocate without bound or run without end. Deliberately absent: formulas are never evaluated, external links never
//! followed.

mod amounts;
mod biff;
mod cell;
mod classes;
mod cleaned;
mod compound;
mod container;
mod dates;
mod delimited;
mod duration;
mod entities;
mod exact;
mod gather;
mod guard;
mod header;
mod infer;
mod input;
mod judge;
mod limits;
mod markup;
mod number_format;
mod numbers;
mod opendocument;
mod openxml;
mod output;
mod packaging;
mod quality;
mod read;
mod records;
mod rules;
mod summary;
mod table;
mod texts;
mod totals;
mod validation;
mod xlsb;

#[cfg(test)]
mod handmade;
#[cfg(test)]
mod tests;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::document::Document;
use crate::{Demand, Error, Problem, Run, schema};

pub(crate) use input::{defaults, example};
pub(crate) use summary::text as summary;

/// JSON Schema of the input.
pub(crate) fn input_schema() -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema::of::<input::Input>).clone()
}

/// What an input is likely to need, by the bytes of its workbook.
pub(crate) fn demand(input: &Value, file_bytes: u64) -> Demand {
    let inline = input["workbook"]["content_base64"].as_str();
    let inline = inline.map_or(0, str::len) as u64;
    let bytes = file_bytes + inline / 4 * 3;
    Demand {
        memory_bytes: (256 << 10) + 2 * inline + 10 * bytes,
        cores: 1,
        duration: Duration::from_millis(20) + Duration::from_nanos(300 * bytes),
    }
}

/// Reads, types and judges a workbook.
pub(crate) fn run(input: &Value, run: &Run<'_>) -> Result<Value, Error> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let input: input::Input = schema::read(SCHEMA.get_or_init(input_schema), input)?;
    let plans = judge::Plans::new(
        input.schema.as_ref(),
        input.entities.as_ref(),
        input.as_of()?,
    )?;
    let workbook = guard::contained("the workbook", || tables(&input, run))?;
    let mut doc = Document::default();
    run.step(0.4, "judging tables")?;
    let mut truncated = guard::contained("the workbook", || {
        let truncated = judge::fill(&workbook, &plans, run, &mut doc)?;
        output::fill(&workbook, &mut doc);
        Ok(truncated)
    })?;
    run.step(0.8, "writing results")?;
    truncated |= attach(&workbook, &input, run, &mut doc)?;
    doc.set("truncated", truncated);
    doc.set("as_of", json!(input.as_of));
    if input.as_of.is_none() {
        doc.because("/as_of", "the input has none");
    }
    doc.set("conventions", conventions());
    let mut limits = limits::listed();
    if let (Value::Object(all), Value::Object(judging)) = (&mut limits, judge::limits()) {
        all.extend(judging);
    }
    doc.set("limits", limits);
    Ok(doc.finish())
}

/// The typed tables of an input's workbook.
fn tables(input: &input::Input, run: &Run<'_>) -> Result<table::Workbook, Error> {
    let place = input.header()?;
    let source = input.workbook.open(run, guard::AT, limits::FILE_BYTES)?;
    let bytes = guard::bytes_of(source)?;
    run.step(0.05, "checking the file")?;
    let wanted = read::Wanted(input.sheets.as_deref());
    let mut workbook = read::read(&bytes, input.format.format(), &wanted, run)?;
    drop(bytes);
    run.step(0.3, "typing columns")?;
    let typed = workbook.is_typed();
    let mut named = false;
    for sheet in &mut workbook.sheets {
        named |= header::apply(sheet, &workbook.texts, typed, place) && !sheet.rows.is_empty();
        infer::infer(sheet, &workbook.texts, typed, run)?;
    }
    if !named && place != header::Place::Auto {
        let detail = "no sheet has a cell in this row";
        return Err(Error::InvalidInput(vec![Problem::new("/header", detail)]));
    }
    Ok(workbook)
}

/// The records, in the result and as files. Whether some that should be there are not.
fn attach(
    workbook: &table::Workbook,
    input: &input::Input,
    run: &Run<'_>,
    doc: &mut Document,
) -> Result<bool, Error> {
    let mut truncated = false;
    let total: u64 = workbook
        .sheets
        .iter()
        .map(|s| s.records().count() as u64)
        .sum();
    let shown = records::first(workbook, input.limits.records);
    doc.set("records_total", total);
    let listed = shown.len() as u64;
    doc.set("records_truncated", listed < total);
    doc.set("records", shown);
    let asked = input.limits.records.min(total);
    if listed < asked {
        truncated = true;
        doc.warn(format!(
            "records lists the first {listed} of the {asked} that were asked for; more would be above {} bytes",
            limits::RECORDS_SHOWN_BYTES
        ));
    }
    if input.record_file {
        let written = records::attach(workbook, run)?;
        if written.records < total {
            truncated = true;
            doc.warn(format!(
                "the attached files hold the first {} of {total} records; the rest does not fit",
                written.records
            ));
        }
        doc.set("record_files", json!(written.files));
    } else {
        doc.set("record_files", Value::Null);
        doc.because("/record_files", "the input asks for none");
    }
    if input.cleaned_workbook {
        run.step(0.9, "writing the cleaned workbook")?;
        doc.set("cleaned_workbook", json!(cleaned::attach(workbook, run)?));
    } else {
        doc.set("cleaned_workbook", Value::Null);
        doc.because("/cleaned_workbook", "the input asks for none");
    }
    Ok(truncated)
}

/// How the result is to be read.
fn conventions() -> Value {
    json!({
        "coordinates": "sheet!R5C3 is row 5, column 3 of a sheet, both counted from 1; a record stands at its table's first column",
        "rows": "records only: neither titles, header, blank rows, repeated headers nor totals",
        "type": "the narrowest type that at least 95 % of the filled cells support; the others are exceptions",
        "filled": "neither empty nor white space nor an error",
        "records": "values are of the type of their column where they can be, else as stored; empty cells are absent, errors null",
        "dates": "text dates are read only where one reading exists, or the column settles the order of day and month",
        "formulas": "last stored values; formulas are never calculated, external links never followed",
    })
}
