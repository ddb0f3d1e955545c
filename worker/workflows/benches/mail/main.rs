//! E-mail analysis against Python on the same bytes in one run:
//! `cargo bench -p zerogate-workflows --bench mail [-- --runs 5 --mails 10000]`.
//!
//! Two measurements, interleaved, medians: all four VADER scores of the rated lines against vaderSentiment, and a whole
//! analysis of a generated mailbox ([`corpus`]) against `mailbox`, `email` and vaderSentiment ([`peer`]). Only the ratio
//! counts. Invariant: before a time is taken for good, both sides must have found the same: compound scores, mails,
//! threads. Deliberately absent: a stored baseline, and an error for a goal that is missed.

mod corpus;
mod peer;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use zerogate_workflows::{Files, Run, Sink, Source};

use peer::Peer;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What issue and specification ask for: how many times faster than Python.
const GOALS: [(&str, f64); 2] = [("vader", 20.0), ("mail", 10.0)];

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().collect();
    if !args.iter().any(|a| a == "--bench") {
        // Run as one of all targets of a test: nobody asked for times.
        return Ok(());
    }
    let number = |name: &str, default: usize| {
        let value = args.iter().position(|a| a == name).map(|at| &args[at + 1]);
        value.map_or(Ok(default), |text| text.parse())
    };
    let (runs, mails) = (number("--runs", 5)?, number("--mails", 10_000)?);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-mail");
    fs::create_dir_all(&folder)?;
    let peer = Peer::install(&folder)?;
    let texts = corpus::rated_lines()?;
    let lines = folder.join("texts.json");
    fs::write(&lines, serde_json::to_vec(&texts)?)?;
    let mailbox = folder.join("mails.mbox");
    fs::write(&mailbox, corpus::mailbox(&texts, mails))?;
    let mut out = io::stdout();
    writeln!(
        out,
        "load {}; {} rated lines; {mails} mails, {} KiB; {runs} runs",
        fs::read_to_string("/proc/loadavg")?.trim(),
        texts.len(),
        fs::metadata(&mailbox)?.len() >> 10
    )?;
    let mut times: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..runs {
        let (ours, theirs) = (vader(&texts), peer.drive("vader", &lines)?);
        agree("compound", &ours, &theirs)?;
        take(&mut times[0], &ours, &theirs);
        let (ours, theirs) = (analysis(&mailbox)?, peer.drive("mail", &mailbox)?);
        agree("mails", &ours, &theirs)?;
        agree("threads", &ours, &theirs)?;
        take(&mut times[1], &ours, &theirs);
        writeln!(out, "ours {ours}\npeer {theirs}")?;
    }
    writeln!(out, "\nmeasure   ours s   python s   ratio   goal")?;
    for ((name, goal), [ours, theirs]) in GOALS.into_iter().zip(times) {
        let (ours, theirs) = (median(ours), median(theirs));
        writeln!(
            out,
            "{name:<8}{ours:>8.3}{theirs:>11.3}{:>8.1}{goal:>7.0}",
            theirs / ours
        )?;
    }
    Ok(())
}

/// All four scores of every text.
fn vader(texts: &[String]) -> Value {
    let started = Instant::now();
    let compound: f64 = texts
        .iter()
        .map(|text| zerogate_workflows::polarity_scores(text).compound)
        .sum();
    json!({"seconds": started.elapsed().as_secs_f64(), "texts": texts.len(), "compound": compound})
}

/// A whole run of the type, from the file to the bytes of the result.
fn analysis(mailbox: &Path) -> Outcome<Value> {
    let files = OneFile(mailbox);
    let run = Run {
        files: &files,
        ..Run::unattended()
    };
    let input = json!({"as_of": corpus::AS_OF, "owner_addresses": [corpus::OWNER],
        "sponsor_domains": {"d1.example": "s1", "d2.example": "s2"},
        "source": {"kind": "mbox", "data": {"file": zerogate_workflows::id_of(&"0".repeat(64))}}});
    let email = zerogate_workflows::find("email_analysis").ok_or("the type is not built in")?;
    let started = Instant::now();
    let output = (email.run)(&input, &run)?;
    let bytes = output.to_string().len();
    let seconds = started.elapsed().as_secs_f64();
    Ok(
        json!({"seconds": seconds, "mails": output["corpus"]["messages"], "threads": output["threads_total"],
        "scored_of_contacts": output["tone"]["n"], "contacts": output["contacts_total"], "result_bytes": bytes}),
    )
}

/// Refuses to compare times of different work.
fn agree(field: &str, ours: &Value, theirs: &Value) -> Outcome<()> {
    let number = |side: &Value| side[field].as_f64().unwrap_or(f64::NAN);
    if (number(ours) - number(theirs)).abs() < 1e-6 {
        return Ok(());
    }
    Err(format!(
        "{field} differs: ours {}, python {}",
        ours[field], theirs[field]
    )
    .into())
}

fn take(times: &mut [Vec<f64>; 2], ours: &Value, theirs: &Value) {
    for (list, side) in times.iter_mut().zip([ours, theirs]) {
        list.push(side["seconds"].as_f64().unwrap_or(f64::NAN));
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The mailbox under whatever id.
struct OneFile<'a>(&'a Path);

impl Files for OneFile<'_> {
    fn open(&self, _: &str) -> Result<Box<dyn Source>, zerogate_workflows::Error> {
        let file = fs::File::open(self.0)
            .map_err(|e| zerogate_workflows::Error::Internal(e.to_string()))?;
        Ok(Box::new(file))
    }

    fn create(&self, _: &str, _: &str) -> Result<Box<dyn Sink>, zerogate_workflows::Error> {
        Err(zerogate_workflows::Error::Internal(
            "an e-mail analysis makes no files".into(),
        ))
    }
}
