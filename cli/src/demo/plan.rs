//! What the demo submits: seven tasks of all five types, which read each other's results.
//!
//! ```text
//! workbook ─▶ gifts ────────────────▶ sponsors        grant ─▶ late
//!         └─▶ ties ─▶ network ────────▲ ▲
//! mailbox ─▶ mail ──────────────────────┘
//! ```
//!
//! Deliberately absent: anything computed here; the workers do that.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::http::Api;
use crate::exit::{Failure, UNAVAILABLE};

use super::book::{Book, US};
use super::mailbox;

/// The tasks, in the order of the submission.
pub(super) const TASKS: [(&str, &str); 7] = [
    ("gifts", "excel_processing"),
    ("ties", "excel_processing"),
    ("mail", "email_analysis"),
    ("network", "relationship_mapping"),
    ("sponsors", "sponsor_analysis"),
    ("grant", "grant_timeline"),
    ("late", "grant_timeline"),
];
/// More rows than the workbook has: nothing is cut.
const ROWS: u32 = 10_000;

/// The ids of the uploaded files.
#[derive(Debug)]
pub(super) struct Files {
    workbook: String,
    mailbox: String,
}

impl Files {
    /// Writes both files into the folder and uploads them, as a person would.
    pub(super) fn upload(api: &Api, book: &Book, folder: &Path) -> anyhow::Result<Self> {
        let send = |name: &str, bytes: &[u8]| -> anyhow::Result<String> {
            let path = folder.join(name);
            std::fs::write(&path, bytes)?;
            let stored = api.upload(&path)?;
            let id = stored["file_id"].as_str();
            let none = || Failure::new(UNAVAILABLE, "an upload was answered without a file id");
            Ok(id.ok_or_else(none)?.to_owned())
        };
        Ok(Self {
            workbook: send("register.xlsx", &book.workbook()?)?,
            mailbox: send("mailbox.mbox", mailbox::mbox(book).as_bytes())?,
        })
    }
}

/// One dependent run, in the order of [`TASKS`].
pub(super) fn submission(book: &Book, files: &Files) -> Value {
    let inputs = [
        gifts(book, files),
        sheet(files, "Acquaintances"),
        mail(book, files),
        network(book),
        sponsors(book),
        workflows::sample_grant(),
        late(),
    ];
    let tasks: Vec<Value> = TASKS
        .iter()
        .zip(inputs)
        .map(|((name, kind), input)| json!({"ref": name, "workflow_type": kind, "input": input}))
        .collect();
    json!({"tasks": tasks})
}

fn result(task: &str, pointer: &str) -> Value {
    json!({"$result": task, "pointer": pointer})
}

fn sheet(files: &Files, name: &str) -> Value {
    json!({"workbook": {"file": files.workbook}, "sheets": [name], "limits": {"records": ROWS}, "record_file": false})
}

fn gifts(book: &Book, files: &Files) -> Value {
    let mut input = sheet(files, "Gifts");
    input["as_of"] = book.as_of.to_string().into();
    input["schema"] = json!({
        "fields": [
            {"name": "Gift", "required": true, "unique": true},
            {"name": "Donor ID", "required": true},
            {"name": "Date", "type": "date", "required": true},
            {"name": "Amount", "type": "number", "required": true, "min": 0}],
    });
    input
}

fn mail(book: &Book, files: &Files) -> Value {
    let domains: BTreeMap<String, &str> = mailbox::written_to(book)
        .map(|(_, donor)| (mailbox::domain(donor), donor))
        .collect();
    json!({"as_of": book.as_of.to_string(), "owner_addresses": [mailbox::OWN],
        "source": {"kind": "mbox", "data": {"file": files.mailbox}}, "sponsor_domains": domains})
}

/// The nodes are named here, for the sheet of ties holds ids only.
fn network(book: &Book) -> Value {
    let person = |id: &String| json!({"id": id, "type": "person", "name": book.donors.get(id)});
    let mut nodes: Vec<Value> = book.known.iter().map(person).collect();
    nodes.push(json!({"id": US, "type": "person", "name": "You"}));
    json!({
        "nodes": nodes,
        "imports": [{"into": "edges", "records": result("ties", "/records"),
            "mapping": {"a": "Person A", "b": "Person B", "strength": "Strength"}, "constants": {"kind": "knows"}}],
        "query": {"source": US, "targets": book.known, "max_hops": 7, "k_paths": 2},
    })
}

fn sponsors(book: &Book) -> Value {
    let rows = result("gifts", "/records");
    json!({
        "as_of": book.as_of.to_string(),
        "currency": book.currency,
        "imports": [
            {"into": "sponsors", "records": rows, "mapping": {"id": "Donor ID", "name": "Donor", "type": "Type"}},
            {"into": "gifts", "records": rows,
                "mapping": {"id": "Gift", "sponsor_id": "Donor ID", "date": "Date", "amount": "Amount"}},
            {"into": "ties", "records": result("ties", "/records"),
                "mapping": {"a": "Person A", "b": "Person B", "strength": "Strength"}}],
        "interactions": result("mail", "/interactions"),
        "influence": result("network", "/nodes"),
        "params": {"us": [US]},
    })
}

/// The same plan, looked at on the day that the first run calls its latest safe start.
fn late() -> Value {
    let mut input = workflows::sample_grant();
    input["as_of"] = result("grant", "/latest_safe_start");
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_has_all_five_types_and_refers_to_its_own_tasks_only() {
        let files = Files {
            workbook: "f-1".into(),
            mailbox: "f-2".into(),
        };
        let submission = submission(&Book::shipped().unwrap(), &files);
        for kind in workflows::catalogue() {
            assert!(TASKS.iter().any(|(_, k)| *k == kind.name), "{}", kind.name);
        }
        let text = submission.to_string();
        let named: Vec<&str> = text.split("\"$result\":\"").skip(1).collect();
        assert_eq!(named.len(), 7);
        for rest in named {
            let name = rest.split('"').next().unwrap();
            assert!(TASKS.iter().any(|(task, _)| *task == name), "{name}");
        }
    }
}
