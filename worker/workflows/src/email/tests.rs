//! Python's `email` as an oracle, conformance of threads, the same mail in two forms, hostile mail.

mod forms;
mod hostile;
mod mutations;
mod oracle;
mod rules;
mod threads;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{Error, Run, find};

fn try_run(input: &Value) -> Result<Value, Error> {
    (find("email_analysis").unwrap().run)(input, &Run::unattended())
}

fn input(kind: &str, bytes: &[u8]) -> Value {
    json!({
        "as_of": "2026-11-23",
        "owner_addresses": ["me@eso.example"],
        "source": {"kind": kind, "data": {"content_base64": STANDARD.encode(bytes)}},
    })
}

fn analyse(kind: &str, bytes: &[u8]) -> Value {
    try_run(&input(kind, bytes)).unwrap()
}

fn mbox<T: AsRef<[u8]>>(mails: &[T]) -> Vec<u8> {
    let mut out = Vec::new();
    for mail in mails {
        out.extend_from_slice(b"From x@y.example Mon Nov  2 09:00:00 2026\n");
        for line in mail.as_ref().split_inclusive(|b| *b == b'\n') {
            let arrows = line.iter().take_while(|b| **b == b'>').count();
            if line[arrows..].starts_with(b"From ") {
                out.push(b'>');
            }
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b"\n\n");
    }
    out
}

fn anomaly(output: &Value, kind: &str) -> u64 {
    let all = output["anomalies"].as_array().unwrap();
    all.iter()
        .find(|a| a["kind"] == kind)
        .map_or(0, |a| a["n"].as_u64().unwrap())
}

/// The folder of the package mail-parser, whose messages are the test data: its licence stays with it.
fn corpus_folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version=1",
                "--offline",
                "--manifest-path",
                manifest,
            ])
            .output()
            .unwrap();
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let package = metadata["packages"]
            .as_array()
            .unwrap()
            .iter()
            .find(|p| p["name"] == "mail-parser" && p["version"] == "0.11.9")
            .unwrap();
        let manifest = PathBuf::from(package["manifest_path"].as_str().unwrap());
        manifest.parent().unwrap().join("resources")
    })
}

/// Every message of that package by its path, sorted.
fn real_mails() -> &'static [(String, Vec<u8>)] {
    static MAILS: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    MAILS.get_or_init(|| {
        let root = corpus_folder().join("eml");
        let mut mails = Vec::new();
        for group in std::fs::read_dir(&root).unwrap() {
            for file in std::fs::read_dir(group.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|e| e == "eml") {
                    let name = path
                        .strip_prefix(&root)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned();
                    mails.push((name, std::fs::read(&path).unwrap()));
                }
            }
        }
        mails.sort();
        mails
    })
}
