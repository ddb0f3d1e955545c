//! Thousands of seeded mutations of good mails and archives: none panics, none takes long, each ends as a result or a
//! permanent error.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{input, mbox, real_mails, try_run};
use crate::Error;

/// More than enough on any machine for what is asked; the count below is asserted, not the time.
const BUDGET: Duration = Duration::from_secs(40);
const AT_LEAST: usize = 1_500;

fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    const TOKENS: &[&[u8]] = &[
        b"\n\n",
        b"\r\n",
        b"--",
        b"boundary=",
        b"Content-Type: message/rfc822\n",
        b"=?utf-8?B?",
        b"?=",
        b"\"",
        b"<",
        b">",
        b"(",
        b",",
        b";",
        b"\xff\xfe",
        b"\x00",
        b"base64",
        b"From ",
        b"multipart/mixed",
        b"=\n",
        b"charset=\"utf-7\"",
        b"&#x",
        b"References: ",
        b"Date: ",
        b"PK\x01\x02",
        b"{\"",
        b"[[",
    ];
    for _ in 0..rng.random_range(1..=6) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..5) {
            0 if at < bytes.len() => bytes[at] = rng.next_u32().to_le_bytes()[0],
            1 => {
                let end = (at + rng.random_range(0..64)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let token = TOKENS[rng.random_range(0..TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
            3 => {
                let end = (at + rng.random_range(0..256)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = rng.random_range(0..=bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
}

/// Mutates the seeds until the budget ends or every one was mutated `rounds` times; the number of runs.
fn storm(kind: &str, seeds: &[Vec<u8>], rounds: usize, seed: u64) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (start, mut runs) = (Instant::now(), 0);
    for _ in 0..rounds {
        for original in seeds {
            if start.elapsed() > BUDGET && runs >= AT_LEAST {
                return runs;
            }
            let mut bytes = original.clone();
            mutate(&mut bytes, &mut rng);
            let one = Instant::now();
            let result = try_run(&input(kind, &bytes));
            assert!(
                matches!(
                    result,
                    Ok(_) | Err(Error::InvalidInput(_) | Error::LimitExceeded { .. })
                ),
                "{kind}: {result:?}"
            );
            assert!(
                one.elapsed() < Duration::from_secs(20),
                "{kind}: {:?}",
                one.elapsed()
            );
            runs += 1;
        }
    }
    runs
}

fn small_mails() -> Vec<Vec<u8>> {
    let all = real_mails().iter().map(|(_, b)| b.clone());
    all.filter(|b| b.len() < 100_000).collect()
}

#[test]
fn mutated_messages() {
    assert!(storm("eml", &small_mails(), 30, 1) >= AT_LEAST);
}

#[test]
fn mutated_mailboxes() {
    let mails = small_mails();
    let boxes: Vec<Vec<u8>> = mails.chunks(4).map(mbox).collect();
    assert!(storm("mbox", &boxes, 60, 2) >= AT_LEAST);
}

#[test]
fn mutated_archives_and_documents() {
    let mails = small_mails();
    let archives: Vec<Vec<u8>> = mails.chunks(8).map(super::forms::zip_of).collect();
    assert!(storm("maildir_zip", &archives, 120, 3) >= AT_LEAST);
    let pages: Vec<Vec<u8>> = mails
        .iter()
        .filter_map(|m| super::forms::as_graph(m))
        .map(|g| serde_json::to_vec(&[g]).unwrap())
        .collect();
    assert!(storm("graph_json", &pages, 30, 4) >= AT_LEAST);
}
