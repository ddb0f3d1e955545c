//! Thousands of damaged workbooks: each ends as a result or as a clean error, soon, and never as a panic.

use std::io::{Cursor, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_xlsxwriter::{Format, Formula};
use serde_json::json;

use super::{input, made, members, zipped};
use crate::files::{Sink, Source};
use crate::{Error, FileLink, Files, Run, id_of, sha256_of};

type Finished = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Files that a test can look into.
#[derive(Default)]
pub(super) struct Kept(pub(super) Finished);

impl Files for Kept {
    fn open(&self, _: &str) -> Result<Box<dyn Source>, Error> {
        Err(Error::Internal("nothing is kept to be read".into()))
    }

    fn create(&self, name: &str, _: &str) -> Result<Box<dyn Sink>, Error> {
        Ok(Box::new(Keeping {
            kept: self.0.clone(),
            name: name.into(),
            content: Cursor::default(),
        }))
    }
}

struct Keeping {
    kept: Finished,
    name: String,
    content: Cursor<Vec<u8>>,
}

impl Write for Keeping {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Keeping {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.content.seek(to)
    }
}

impl Sink for Keeping {
    fn finish(self: Box<Self>) -> Result<FileLink, Error> {
        let content = self.content.into_inner();
        let sha256 = sha256_of(&content);
        let link = FileLink {
            file: id_of(&sha256),
            sha256,
            bytes: content.len() as u64,
            name: self.name.clone(),
            content_type: String::new(),
        };
        self.kept.lock().unwrap().push((self.name, content));
        Ok(link)
    }
}

/// No single file may take longer, on a busy machine and without optimisation.
const SOON: Duration = Duration::from_secs(20);
/// All files of one format together; what does not fit is left out.
const ALL: Duration = Duration::from_mins(1);

/// A small workbook with some of everything.
fn rich() -> Vec<u8> {
    made(|page| {
        let (day, bold) = (
            Format::new().set_num_format("yyyy-mm-dd"),
            Format::new().set_bold(),
        );
        for (at, label) in (0..).zip(["Name", "Amount", "Day", "Flag", "Sum"]) {
            page.write_string(0, at, label).unwrap();
        }
        for row in 1..12 {
            page.write_string(row, 0, format!("Trust {row} & <Co>"))
                .unwrap();
            page.write_number(row, 1, f64::from(row) * 1.5).unwrap();
            page.write_number_with_format(row, 2, 43_000.0 + f64::from(row), &day)
                .unwrap();
            page.write_boolean(row, 3, row % 2 == 0).unwrap();
            page.write_formula(row, 4, Formula::new(format!("=B{row}*2")).set_result("3"))
                .unwrap();
        }
        page.write_rich_string(12, 0, &[(&bold, "rich"), (&Format::default(), " text")])
            .unwrap();
        page.merge_range(14, 0, 15, 2, "merged", &bold).unwrap();
    })
}

/// Runs damaged copies of a workbook. `damage` makes them.
fn hold(name: &str, count: u32, mut damage: impl FnMut(&mut ChaCha8Rng) -> Vec<u8>) {
    let started = Instant::now();
    let (mut good, mut refused, mut done) = (0, 0, 0);
    for seed in 0..u64::from(count) {
        if started.elapsed() > ALL {
            break;
        }
        let bytes = damage(&mut ChaCha8Rng::seed_from_u64(seed));
        let input = input(&bytes, &json!({"cleaned_workbook": true}));
        let begun = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| {
            super::super::run(&input, &Run::unattended())
        }));
        assert!(
            begun.elapsed() < SOON,
            "{name}, seed {seed}: {:?}",
            begun.elapsed()
        );
        done += 1;
        match result {
            Ok(Ok(_)) => good += 1,
            Ok(Err(Error::InvalidInput(_) | Error::LimitExceeded { .. })) => refused += 1,
            Ok(Err(other)) => panic!("{name}, seed {seed}: {other}"),
            Err(cause) => panic!("{name}, seed {seed}: a panic left the run: {cause:?}"),
        }
    }
    eprintln!(
        "{name}: {done} damaged files, {good} read, {refused} refused, {:?}",
        started.elapsed()
    );
    assert!(done >= count / 10, "{name}: only {done} of {count} in time");
    assert!(refused > 0 && good + refused == done);
}

/// Flips, cuts, repeats or overwrites some bytes.
fn damaged(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..=6) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..10) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + rng.random_range(1..64)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let end = (at + rng.random_range(1..64)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => bytes[at] = [0x00, 0xFF, 0x7F, 0x80, b'<', b'"', b'9'][rng.random_range(0..7)],
            4 => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(if rng.random() { 0xFF } else { 0 });
            }
            _ => bytes[at] ^= 1 << rng.random_range(0..8),
        }
    }
    bytes
}

/// The same inside of a member, which is then packed again in good order.
fn inside(all: &[(String, Vec<u8>)], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut all = all.to_vec();
    for _ in 0..rng.random_range(1..=2) {
        let at = rng.random_range(0..all.len());
        match rng.random_range(0..12) {
            0 => {
                all.remove(at);
            }
            1 => {
                let other = rng.random_range(0..all.len());
                let content = all[other].1.clone();
                all[at].1 = content;
            }
            _ => all[at].1 = damaged(&all[at].1, rng),
        }
        if all.is_empty() {
            break;
        }
    }
    zipped(&all)
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn damaged_xlsx() {
    let good = rich();
    hold("xlsx", 400, |rng| damaged(&good, rng));
    let all = members(&good);
    hold("members of xlsx", 1_200, |rng| inside(&all, rng));
}

#[test]
fn damaged_xlsb() {
    let good = data("table.xlsb");
    hold("xlsb", 200, |rng| damaged(&good, rng));
    let all = members(&good);
    hold("members of xlsb", 1_200, |rng| inside(&all, rng));
}

#[test]
fn damaged_xls() {
    let good = data("table.xls");
    hold("xls", 1_200, |rng| damaged(&good, rng));
}

#[test]
fn damaged_ods() {
    let good = data("table.ods");
    hold("ods", 200, |rng| damaged(&good, rng));
    let content: Vec<_> = members(&good)
        .into_iter()
        .filter(|(name, _)| {
            name == "content.xml" || name == "mimetype" || name.ends_with("manifest.xml")
        })
        .collect();
    hold("members of ods", 600, |rng| inside(&content, rng));
}

#[test]
fn damaged_csv() {
    let good = "Name;Amount;Day\n\"Ærø; \"\"Trust\"\"\";1,5;2020-01-02\nb;2;03/04/2020\n\n=x;3;\nTotal;6;\n".repeat(5);
    hold("csv", 600, |rng| damaged(good.as_bytes(), rng));
}
