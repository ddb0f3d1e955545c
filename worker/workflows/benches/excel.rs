//! One side of the comparison of `benches/excel/compare.py`: makes the workbook, or reads, types, validates and scores it.
//!
//! `excel make PATH` writes a workbook of 100,000 x 20 cells; `excel run PATH` prints one line of JSON: seconds from the
//! bytes on disk to the finished output, peak resident memory in KiB, and figures that the other side must find as well.
//! Deliberately absent: repeats and medians, which are the script's; the peak belongs to a process.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rust_xlsxwriter::{Format, Workbook, XlsxError};
use serde_json::{Value, json};
use zerogate_workflows::{Error, Files, Run, Sink, Source, find};

const ROWS: u32 = 100_000;
const COLUMNS: u16 = 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", path] => make(Path::new(path)).expect("the workbook can be written"),
        ["run", path] => measure(path.into()),
        // `cargo bench` and `cargo test --benches` say no more than `--bench`.
        _ => say("usage: excel make PATH | excel run PATH; see benches/excel/compare.py"),
    }
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output takes a line");
}

/// Grants as registers have them: identifiers, names that recur, amounts, dates, codes; with every 1,000th amount a
/// text, every 500th name empty and every 5,000th identifier a repeat.
fn make(path: &Path) -> Result<(), XlsxError> {
    let mut book = Workbook::new();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let page = book.add_worksheet();
    for at in 0..COLUMNS {
        page.write_string(0, at, format!("Column {at}"))?;
    }
    for row in 1..=ROWS {
        let mix = row.wrapping_mul(2_654_435_761);
        for at in 0..COLUMNS {
            match at % 5 {
                0 => {
                    let repeat = u32::from(row % 5_000 == 0);
                    page.write_string(row, at, format!("G-{at}-{:06}", row - repeat))?
                }
                1 if row % 500 == 0 => continue,
                1 => page.write_string(row, at, format!("Recipient {}", mix % 5_000))?,
                2 if row % 1_000 == 0 => page.write_string(row, at, "n/a")?,
                2 => page.write_number(row, at, f64::from(mix % 100_000) / 4.0)?,
                3 => {
                    let serial = f64::from(40_000 + mix % 5_000);
                    page.write_number_with_format(row, at, serial, &day)?
                }
                _ => page.write_string(row, at, ["GBP", "EUR", "USD"][mix as usize % 3])?,
            };
        }
    }
    book.save(path)
}

/// The schema of all twenty columns, as `peer.py` has it.
fn schema() -> Value {
    let fields: Vec<Value> = (0..COLUMNS)
        .map(|at| {
            let name = format!("Column {at}");
            match at % 5 {
                0 | 1 => json!({"name": name, "required": true}),
                2 => json!({"name": name, "type": "number", "min": 0}),
                3 => json!({"name": name, "type": "date"}),
                _ => json!({"name": name, "type": "currency"}),
            }
        })
        .collect();
    json!({"fields": fields, "primaryKey": ["Column 0"]})
}

/// The one file that there is.
struct OnDisk(PathBuf);

impl Files for OnDisk {
    fn open(&self, _: &str) -> Result<Box<dyn Source>, Error> {
        let file = File::open(&self.0);
        Ok(Box::new(file.map_err(|e| Error::Internal(e.to_string()))?))
    }

    fn create(&self, _: &str, _: &str) -> Result<Box<dyn Sink>, Error> {
        Err(Error::Internal("nothing is attached here".into()))
    }
}

fn measure(path: PathBuf) {
    let files = OnDisk(path);
    let run = Run {
        files: &files,
        ..Run::unattended()
    };
    let input = json!({
        "workbook": {"file": format!("f-{}", "0".repeat(64))},
        "schema": schema(),
        "record_file": false,
        "limits": {"records": 100},
    });
    let kind = find("excel_processing").expect("the type is in the catalogue");
    let started = Instant::now();
    let output = (kind.run)(&input, &run).expect("the workbook is good");
    let text = serde_json::to_string(&output).expect("an output is JSON");
    let seconds = started.elapsed().as_secs_f64();
    let quality = &output["quality"];
    let line = json!({
        "seconds": seconds,
        "peak_kib": peak_kib(),
        "output_bytes": text.len(),
        "rows": output["records_total"],
        "completeness": quality["completeness"]["num"],
        "validity": quality["validity"]["num"],
        "uniqueness": quality["uniqueness"]["num"],
        "overall": quality["overall"]["value"],
        "sum": output["totals"][0]["sum"],
        "errors": output["validation"]["errors_total"],
        "distinct": output["columns"][1]["distinct"],
    });
    say(&line.to_string());
}

/// The most memory that this process has had resident.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
