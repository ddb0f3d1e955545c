//! What inputs are said to need against what their runs take: the peak of live heap bytes, by a counting allocator.
//!
//! One test, for the counter is that of the whole process. Deliberately absent: times, which a test run cannot judge; what
//! can be counted of them is (`a_search_takes_about_the_steps_that_it_is_said_to_need` of relationship mapping).

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its signature; this one counts and hands on to the system's"
)]
#![expect(
    clippy::cast_precision_loss,
    reason = "bytes of a test's memory are far below 2^53"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test; the makers of its cases are no test functions"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rust_xlsxwriter::Workbook;
use serde_json::{Map, Value, json};
use zerogate_workflows::{
    Error, Files, NoFiles, Run, Sink, Source, catalogue, demand, find, id_of, sha256_of,
};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An estimate may be so many times too high or too low.
const FACTOR: f64 = 2.5;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

/// One uploaded file; a run may make none.
struct Upload(Vec<u8>);

impl Files for Upload {
    fn open(&self, _: &str) -> Result<Box<dyn Source>, Error> {
        Ok(Box::new(Cursor::new(self.0.clone())))
    }

    fn create(&self, name: &str, media_type: &str) -> Result<Box<dyn Sink>, Error> {
        NoFiles.create(name, media_type)
    }
}

/// A small generator of numbers that look random: cases must be the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A type, how large, its input as text, and the file that it names.
type Case = (&'static str, String, String, Vec<u8>);

fn case(kind: &'static str, size: String, input: &Value) -> Case {
    (kind, size, input.to_string(), Vec::new())
}

fn timeline(tasks: u64, runs: u64) -> Case {
    let list: Vec<Value> = (0..tasks)
        .map(|i| {
            let before = if i == 0 {
                json!([])
            } else {
                json!([format!("t{:05}", i / 2)])
            };
            json!({"id": format!("t{i:05}"), "name": "a task", "depends_on": before,
                "duration": {"optimistic": 1, "likely": 2 + i % 3, "pessimistic": 6}})
        })
        .collect();
    let input = json!({"as_of": "2026-11-23", "opportunity": {"id": "o", "closeDate": {"date": "2032-03-31"}},
        "calendar": {"country": "US"}, "tasks": list, "simulation": {"runs": runs, "seed": 1, "target": 0.8}});
    case(
        "grant_timeline",
        format!("{tasks} tasks, {runs} runs"),
        &input,
    )
}

fn network(nodes: u64, edges: u64, targets: u64) -> Case {
    let mut numbers = Numbers(7);
    let people: Vec<Value> = (0..nodes)
        .map(|n| json!({"id": person(n), "type": "person", "name": "Somebody"}))
        .collect();
    let ties: Vec<Value> = (0..edges)
        .map(|_| json!({"a": person(numbers.below(nodes)), "b": person(numbers.below(nodes)), "strength": 0.5}))
        .collect();
    let sought: Vec<_> = (1..=targets).map(person).collect();
    let input = json!({"nodes": people, "edges": ties, "params": {"exact_limit": 200_000},
        "query": {"source": person(0), "targets": sought, "k_paths": if targets == 1 { 2 } else { 5 }}});
    case(
        "relationship_mapping",
        format!("{nodes} nodes, {edges} edges, {targets} targets"),
        &input,
    )
}

fn person(n: u64) -> String {
    format!("p{n:06}")
}

/// Nothing but the ties of a table, whose ends become nodes.
fn imported(nodes: u64, edges: u64, uploaded: bool) -> Case {
    let mut numbers = Numbers(7);
    let rows: Vec<Value> = (0..edges)
        .map(|_| {
            json!({"Giver": person(numbers.below(nodes)), "Taker": person(numbers.below(nodes)), "Last met": "2026-11-02",
                "Notes": "They met at the annual dinner and spoke at length about the new wing of the museum, its cost, and who \
                else might wish to support it; to be followed up by letter before the end of the season"})
        })
        .collect();
    let mut import = json!({"into": "edges", "mapping": {"a": "Giver", "b": "Taker", "last_contact": "Last met"}});
    let mut lines = Vec::new();
    if uploaded {
        for row in &rows {
            writeln!(lines, "{row}").unwrap();
        }
        import["file"] = stored(&lines, false);
    } else {
        import["records"] = rows.into();
    }
    let input = json!({"imports": [import], "params": {"exact_limit": 200_000}});
    let size = format!(
        "{edges} imported edges of {nodes} nodes, {} bytes uploaded",
        lines.len()
    );
    ("relationship_mapping", size, input.to_string(), lines)
}

fn sponsors(sponsors: u64, contacts: u64) -> Case {
    let mut numbers = Numbers(7);
    let mut day = || {
        format!(
            "20{}-{:02}-{:02}",
            18 + numbers.below(8),
            1 + numbers.below(12),
            1 + numbers.below(28)
        )
    };
    let owner = |i: u64| format!("s{}", i % sponsors);
    let list: Vec<Value> = (0..sponsors)
        .map(|i| json!({"id": owner(i), "name": "A Trust", "type": "foundation"}))
        .collect();
    let gifts: Vec<Value> = (0..5 * sponsors)
        .map(|i| json!({"id": format!("g{i}"), "sponsor_id": owner(i), "date": day(), "amount": 100 + i % 900}))
        .collect();
    let interactions: Vec<Value> = (0..contacts)
        .map(|i| json!({"id": format!("i{i}"), "sponsor_id": owner(i), "ts": day(), "channel": "email", "direction": "out",
            "sentiment": 0.25}))
        .collect();
    let input = json!({"as_of": "2026-11-23", "currency": "GBP", "sponsors": list, "gifts": gifts, "interactions": interactions});
    case(
        "sponsor_analysis",
        format!("{sponsors} sponsors, {contacts} contacts"),
        &input,
    )
}

fn mails(count: u64) -> Vec<u8> {
    let mut numbers = Numbers(7);
    let mut text = String::new();
    for i in 0..count {
        let (who, length) = (numbers.below(40), 4 + numbers.below(40));
        write!(
            text,
            "From a@b.example Mon Nov 02 09:00:00 2026\nMessage-ID: <m{i}@b.example>\nFrom: P <p{who}@trust.example>\n\
            To: kim@us.example\nSubject: Grant {who}\nDate: Mon, {:02} Nov 2026 09:{:02}:00 +0000\n\n",
            1 + i % 20,
            i % 60
        )
        .unwrap();
        for _ in 0..length {
            text.push_str("Thank you for the lovely report, we were glad to read how it went.\n");
        }
        text.push('\n');
    }
    text.into_bytes()
}

fn mail(count: u64, inline: bool) -> Case {
    let bytes = mails(count);
    let data = stored(&bytes, inline);
    let input = json!({"as_of": "2026-11-23", "owner_addresses": ["kim@us.example"], "source": {"kind": "mbox", "data": data}});
    let size = format!("{count} mails, {} bytes, inline {inline}", bytes.len());
    (
        "email_analysis",
        size,
        input.to_string(),
        if inline { Vec::new() } else { bytes },
    )
}

/// A few mails of somebody about whom much is known.
fn known(name: &'static str, count: u64) -> Case {
    let address = |i: u64| format!("somebody.{i:06}@place-{}.example", i % 97);
    let list = match name {
        "known_message_ids" => (0..count)
            .map(|i| format!("<a-usual-message-id.{i:08}.0123456789@mail.example>"))
            .collect(),
        "aliases" => (0..count / 4)
            .map(|i| (address(4 * i), json!([1, 2, 3].map(|k| address(4 * i + k)))))
            .collect::<Map<_, _>>()
            .into(),
        _ => (0..count)
            .map(|i| (format!("fund-{i:06}.example"), json!(format!("s{i}"))))
            .collect::<Map<_, _>>()
            .into(),
    };
    let mut input = json!({"as_of": "2026-11-23", "owner_addresses": ["kim@us.example"],
        "source": {"kind": "mbox", "data": stored(&mails(50), true)}});
    input[name] = list;
    case("email_analysis", format!("{count} {name}"), &input)
}

/// Mails packed one by one, of words in no order: text that is all the same would vanish when packed.
fn maildir(count: u64) -> Case {
    let mut numbers = Numbers(7);
    let words = include_str!("../data/vader_lexicon.txt").lines();
    let words: Vec<&str> = words
        .filter_map(|line| line.split('\t').next())
        .step_by(20)
        .collect();
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..count {
        let name = format!("Maildir/cur/{i}:2,S");
        archive
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        let who = numbers.below(40);
        write!(
            archive,
            "Message-ID: <m{i}@b.example>\nFrom: P <p{who}@trust.example>\nTo: kim@us.example\nSubject: Grant {who}\n\
            Date: Mon, {:02} Nov 2026 09:{:02}:00 +0000\n\n",
            1 + i % 20,
            i % 60
        )
        .unwrap();
        for n in 0..200 + numbers.below(1_000) {
            // Some words are far more usual than others.
            let usual = 1 + numbers.below(words.len() as u64);
            let word = words[usize::try_from(numbers.below(usual)).unwrap()];
            write!(archive, "{word}{}", if n % 12 == 11 { "\n" } else { " " }).unwrap();
        }
    }
    let bytes = archive.finish().unwrap().into_inner();
    let input = json!({"as_of": "2026-11-23", "owner_addresses": ["kim@us.example"],
        "source": {"kind": "maildir_zip", "data": stored(&bytes, false)}});
    let size = format!("{count} packed mails, {} bytes", bytes.len());
    ("email_analysis", size, input.to_string(), bytes)
}

fn stored(bytes: &[u8], inline: bool) -> Value {
    if inline {
        json!({"content_base64": STANDARD.encode(bytes)})
    } else {
        json!({"file": id_of(&sha256_of(bytes))})
    }
}

fn sheet(rows: u64, form: &str, inline: bool) -> Case {
    let mut numbers = Numbers(7);
    let mut line = |i: u64| {
        let who = numbers.below(500);
        (
            format!("GRANT-{i}"),
            format!("Trust number {who}"),
            numbers.below(90_000),
            format!("2026-{:02}-{:02}", 1 + i % 12, 1 + i % 28),
        )
    };
    let bytes = if form == "csv" {
        let mut text = String::from("Identifier,Funder,Amount,Date\n");
        for i in 0..rows {
            let (id, who, sum, day) = line(i);
            writeln!(text, "{id},{who},{sum},{day}").unwrap();
        }
        text.into_bytes()
    } else {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        sheet
            .write_row(0, 0, ["Identifier", "Funder", "Amount", "Date"])
            .unwrap();
        for i in 0..rows {
            let (id, who, sum, day) = line(i);
            let row = u32::try_from(i + 1).unwrap();
            sheet.write_string(row, 0, id).unwrap();
            sheet.write_string(row, 1, who).unwrap();
            sheet
                .write_number(row, 2, f64::from(u32::try_from(sum).unwrap()))
                .unwrap();
            sheet.write_string(row, 3, day).unwrap();
        }
        book.save_to_buffer().unwrap()
    };
    let input = json!({"workbook": stored(&bytes, inline), "record_file": false});
    let size = format!(
        "{rows} rows of {form}, {} bytes, inline {inline}",
        bytes.len()
    );
    (
        "excel_processing",
        size,
        input.to_string(),
        if inline { Vec::new() } else { bytes },
    )
}

fn cases() -> Vec<Case> {
    vec![
        timeline(5, 1_000),
        timeline(50, 10_000),
        timeline(400, 2_000),
        network(50, 200, 1),
        network(500, 2_000, 1),
        network(2_000, 20_000, 1),
        network(500, 2_000, 100),
        imported(800, 4_000, false),
        imported(800, 4_000, true),
        sponsors(20, 100),
        sponsors(200, 4_000),
        sponsors(100, 20_000),
        mail(50, true),
        mail(500, true),
        mail(4_000, false),
        known("known_message_ids", 20_000),
        known("aliases", 20_000),
        known("sponsor_domains", 20_000),
        maildir(1_000),
        sheet(200, "csv", true),
        sheet(20_000, "csv", false),
        sheet(200, "xlsx", true),
        sheet(5_000, "xlsx", true),
        sheet(20_000, "xlsx", false),
    ]
}

/// Peak of live bytes above what was there before.
fn measured(kind: &str, text: &str, files: &Upload) -> usize {
    let run = Run {
        files,
        ..Run::unattended()
    };
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let input: Value = serde_json::from_str(text).unwrap();
    let output = (find(kind).unwrap().run)(&input, &run).unwrap();
    assert!(output.is_object());
    PEAK.load(Relaxed) - before
}

#[test]
fn an_estimate_is_near_what_a_run_takes() {
    for kind in catalogue() {
        let input = (kind.example)();
        // What is loaded once stays: the first run of a type pays for all.
        (kind.run)(&input, &Run::unattended()).unwrap();
        let need = demand(kind.name, &input, 0).unwrap();
        assert!(need.cores >= 1 && need.memory_bytes > 0 && !need.duration.is_zero());
    }
    let mut wrong = Vec::new();
    for (kind, size, text, upload) in cases() {
        let input: Value = serde_json::from_str(&text).unwrap();
        let need = demand(kind, &input, upload.len() as u64).unwrap();
        drop(input);
        let peak = measured(kind, &text, &Upload(upload));
        let ratio = need.memory_bytes as f64 / peak as f64;
        let line = format!(
            "{kind}: {size}: peak {peak}, estimate {} ({ratio:.2})",
            need.memory_bytes
        );
        println!("{line}");
        if !(1.0 / FACTOR..=FACTOR).contains(&ratio) {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(demand("none such", &Value::Null, 0), None);
}
