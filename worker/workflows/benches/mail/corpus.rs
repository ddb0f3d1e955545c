//! What both sides read: the rated lines of vaderSentiment's distribution, and a seeded mailbox made of them.
//!
//! Mails look like those of programs in use: transport fields, two alternatives, an attribution with a quote, a
//! signature; more than half answer an earlier one.

use std::fmt::Write;
use std::io::{Cursor, Read};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Outcome;

/// After the last mail.
pub(crate) const AS_OF: &str = "2026-11-23";
/// Half of the mails are from this address, half to it.
pub(crate) const OWNER: &str = "me@eso.example";

const RATED: &[u8] = include_bytes!("../../tests/oracle/vader.zip");
const SETS: [&str; 4] = [
    "tweets",
    "nytEditorialSnippets",
    "movieReviewSnippets",
    "amazonReviewSnippets",
];
const PEOPLE: u32 = 300;

/// Every text that people have rated, in order.
pub(crate) fn rated_lines() -> Outcome<Vec<String>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(RATED))?;
    let mut texts = Vec::new();
    for set in SETS {
        let mut content = String::new();
        archive
            .by_name(&format!("{set}.tsv"))?
            .read_to_string(&mut content)?;
        for line in content.split_terminator('\n') {
            let text = line.rsplit('\t').next().ok_or("an empty line")?;
            texts.push(serde_json::from_str(text)?);
        }
    }
    Ok(texts)
}

/// An mbox of so many mails.
pub(crate) fn mailbox(texts: &[String], mails: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    // Edited prose alone: a mailbox of tweets would be no mailbox. No line may look like a separator or a quote.
    let prose: Vec<&str> = texts[4_200..]
        .iter()
        .map(|text| text.trim())
        .filter(|text| !text.starts_with("From ") && !text.starts_with(['>', '-']))
        .collect();
    let mut out = String::new();
    for number in 0..mails {
        let minute = i64::try_from(number * 500_000 / mails).unwrap_or(500_000);
        mail(&mut out, number, minute, &prose, &mut rng);
    }
    out
}

fn mail(out: &mut String, number: usize, minute: i64, prose: &[&str], rng: &mut ChaCha8Rng) {
    let pick = |rng: &mut ChaCha8Rng| prose[rng.random_range(0..prose.len())];
    let person = rng.random_range(0..PEOPLE);
    let contact = format!("p{person}@d{}.example", person % 40);
    let (from, to) = if rng.random_bool(0.5) {
        (OWNER, contact.as_str())
    } else {
        (contact.as_str(), OWNER)
    };
    let first: jiff::civil::DateTime = jiff::civil::date(2025, 12, 1).at(0, 0, 0, 0);
    let at = first + jiff::SignedDuration::from_mins(minute);
    let date = at.strftime("%a, %d %b %Y %H:%M:%S +0000");
    let body: Vec<&str> = (0..rng.random_range(4..12)).map(|_| pick(rng)).collect();
    let quote: Vec<&str> = (0..rng.random_range(0..8)).map(|_| pick(rng)).collect();
    let answers = (number > 0 && rng.random_bool(0.6)).then(|| {
        format!(
            "<m{}@eso.example>",
            number - rng.random_range(1..=number.min(50))
        )
    });
    write!(
        out,
        "From {from} {}\nReceived: from a.example by b.example with ESMTP id x{number}; {date}\n\
         From: Some Name <{from}>\nTo: Other Name <{to}>\nDate: {date}\nMessage-ID: <m{number}@eso.example>\n",
        at.strftime("%a %b %e %H:%M:%S %Y"),
    )
    .expect("writing to a string cannot fail");
    if let Some(id) = &answers {
        write!(out, "In-Reply-To: {id}\nReferences: {id}\n")
            .expect("writing to a string cannot fail");
    }
    write!(
        out,
        "Subject: About thing {}\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=\"=_b{number}\"\n\n\
         --=_b{number}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{}\n\n\
         On {date}, Name <{to}> wrote:\n> {}\n\n-- \nName\n\
         --=_b{number}\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n<p>{}</p>\n\
         --=_b{number}--\n\n",
        number % 700,
        body.join("\n"),
        quote.join("\n> "),
        body.join("</p><p>"),
    )
    .expect("writing to a string cannot fail");
}
