//! What tenants send, through whole fleets: workbooks and mail that are read, and hostile ones that harm nobody. Every
//! fixture carries a canary, which may come back in a result and nowhere else.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use zerogate_tests::api::{Api, task, text, with};
use zerogate_tests::command::zerogate;
use zerogate_tests::fleet::Fleet;
use zerogate_tests::foreign::{self, CANARY, Hostile};
use zerogate_tests::on_both;
use zerogate_tests::oracle::{Ending, Oracle, started_once};
use zerogate_tests::wait::{self, Look, SOON};
use zerogate_tests::workload;

on_both!(
    a_workbook_and_a_mailbox_are_read_the_same_on_every_run,
    hostile_files_end_once_and_nothing_of_them_is_told,
    all_records_of_a_workbook_are_gifts_of_sponsors,
);

fn upload(api: &Api, content: &[u8], name: &str) -> Result<Value> {
    let headers = [
        ("content-type", "application/octet-stream"),
        ("x-filename", name),
    ];
    let stored = api
        .request("POST", "/api/files", &headers, content)?
        .expect(201)?;
    Ok(json!({"file": stored.body["file_id"]}))
}

fn excel(workbook: &Value) -> Value {
    let input = json!({
        "workbook": workbook, "as_of": "2026-11-23", "cleaned_workbook": true,
        "entities": {"name": "Organisation"},
    });
    task("excel_processing", &input)
}

fn mail(kind: &str, data: &Value) -> Value {
    let input = json!({
        "as_of": "2026-11-23", "owner_addresses": ["me@fund.example"], "source": {"kind": kind, "data": data},
    });
    task("email_analysis", &input)
}

/// Twice, as a retry or a redelivery would: the results agree to the byte, and so do the files that they name.
fn a_workbook_and_a_mailbox_are_read_the_same_on_every_run(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let workbook = upload(&api, &foreign::workbook(200)?, "book.xlsx")?;
    let mbox = upload(&api, foreign::mbox(40).as_bytes(), "in.mbox")?;
    let mut oracle = Oracle::new();
    let tasks = [
        excel(&workbook),
        excel(&workbook),
        mail("mbox", &mbox),
        mail("mbox", &mbox),
    ];
    let ids = oracle.submit_all(&api, &tasks, Ending::Completed)?;
    let records = oracle.settle(&api, SOON)?;
    started_once(&records)?;
    let result = |at: usize| &records[&ids[at]]["result"];
    ensure!(result(0) == result(1), "two readings of one workbook");
    ensure!(result(2) == result(3), "two readings of one mailbox");
    ensure!(
        result(0)["sheets"][0]["rows"] == 200,
        "{:#}",
        result(0)["sheets"]
    );
    ensure!(
        result(2)["corpus"]["parsed"] == 40,
        "{:#}",
        result(2)["corpus"]
    );
    named_by_the_tenants_own_key(result(2))?;
    files_of(&api, result(0))
}

/// The key that names people is the tenant's: a run without a fleet, under its fixed key, names them otherwise.
fn named_by_the_tenants_own_key(result: &Value) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mbox = folder.path().join("in.mbox");
    fs::write(&mbox, foreign::mbox(40))?;
    let file = mbox.display().to_string();
    let input = &mail("mbox", &Value::Null)["input"];
    let given = ["--input", "-", "--file", &file, "-o", "json"];
    let words = [&["run", "email_analysis"], &given[..]].concat();
    let here = zerogate(None, &words, &input.to_string())?
        .expect(0)?
        .json()?;
    let (ours, theirs) = (&here["contacts"][0], &result["contacts"][0]);
    ensure!(ours["counts"] == theirs["counts"], "{ours:#}\n{theirs:#}");
    ensure!(
        ours["key"].is_string() && ours["key"] != theirs["key"],
        "{ours:#}"
    );
    Ok(())
}

/// The complete records reach the dependent as a file: the result itself lists some of them only.
fn all_records_of_a_workbook_are_gifts_of_sponsors(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let workbook = upload(&api, &foreign::workbook(600)?, "book.xlsx")?;
    let read = task(
        "excel_processing",
        &json!({"workbook": workbook, "limits": {"records": 10}}),
    );
    let rows = json!({"file": {"$result": "book", "pointer": "/record_files/0/file"}});
    let columns = json!({"sponsor_id": "Organisation", "date": "Awarded", "amount": "Amount"});
    let sponsors = json!({
        "as_of": "2026-12-31", "currency": "USD",
        "imports": [
            {"into": "sponsors", "file": rows, "mapping": {"id": "Organisation"}},
            {"into": "gifts", "file": rows, "mapping": columns},
        ],
    });
    let mut oracle = Oracle::new();
    let tasks = [
        with(read, &json!({"ref": "book"})),
        task("sponsor_analysis", &sponsors),
    ];
    let ids = oracle.submit_all(&api, &tasks, Ending::Completed)?;
    let records = oracle.settle(&api, SOON)?;
    let result = &records[&ids[1]]["result"];
    let sponsors = result["sponsors"].as_array().context("sponsors")?;
    ensure!(sponsors.len() == 40, "{}", sponsors.len());
    ensure!(
        result["imports"][1]["used"] == 600,
        "{:#}",
        result["imports"]
    );
    Ok(())
}

/// Every file that a result names can be had, and is what the result says.
fn files_of(api: &Api, result: &Value) -> Result<()> {
    let records = result["record_files"]
        .as_array()
        .context("files of records")?;
    let files = records.iter().chain([&result["cleaned_workbook"]]);
    for file in files {
        let got = api
            .get(&format!("/api/files/{}", text(file, "file")))?
            .expect(200)?;
        ensure!(got.bytes.len() as u64 == file["bytes"], "{file}");
    }
    Ok(())
}

fn hostile_files_end_once_and_nothing_of_them_is_told(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let mut oracle = Oracle::new();
    let neighbours = oracle.submit_all(&api, &workload::sleeps(8, 300), Ending::Completed)?;
    let pid = member(fleet).process.pid();
    let mut expected = Vec::new();
    for Hostile {
        what,
        kind,
        bytes,
        says,
    } in foreign::hostile()?
    {
        let data = upload(&api, &bytes, &format!("{CANARY}.bin"))?;
        let submission = match kind {
            None => excel(&data),
            Some(kind) => mail(kind, &data),
        };
        let once = with(submission, &json!({"retry": {"max_attempts": 3}}));
        expected.push((what, says, oracle.submit(&api, &once, Ending::Any)?));
    }
    let good = upload(&api, &foreign::workbook(50)?, "good.xlsx")?;
    let good = oracle.submit(&api, &excel(&good), Ending::Completed)?;
    let records = oracle.settle(&api, SOON)?;
    started_once(&records)?;
    ensure!(records[&good]["status"] == "completed" && neighbours.len() == 8);
    for (what, says, id) in &expected {
        let record = &records[id];
        let error = &record["error"];
        ensure!(record["status"] == "failed", "{what}: {record:#}");
        let (code, message) = (text(error, "code"), text(error, "message"));
        ensure!(
            ["invalid_input", "limit_exceeded"].contains(&code.as_str()),
            "{what}: {error}"
        );
        ensure!(message.contains(says), "{what}: {message}");
        ensure!(!record.to_string().contains(CANARY), "{what}: {record:#}");
    }
    ensure!(member(fleet).process.pid() == pid && fleet_lives(fleet)?);
    silent(fleet)
}

fn member(fleet: &Fleet) -> &zerogate_tests::fleet::Member {
    fleet.workers.first().unwrap_or(&fleet.coordinators[0])
}

fn fleet_lives(fleet: &mut Fleet) -> Result<bool> {
    let members = fleet.coordinators.iter_mut().chain(&mut fleet.workers);
    members
        .map(|member| member.process.is_running())
        .try_fold(true, |all, one| Ok(all && one?))
}

/// The canary is in no log and no metric, and the runs' folders are empty again.
fn silent(fleet: &Fleet) -> Result<()> {
    for member in fleet.coordinators.iter().chain(&fleet.workers) {
        for line in member.process.lines()? {
            ensure!(!line.contains(CANARY), "{line}");
        }
        let metrics = member.api().get("/metrics")?.expect(200)?.text;
        ensure!(!metrics.contains(CANARY), "the canary is in the metrics");
    }
    let work = fleet.folder().join("data").join("work");
    wait::until("the runs' folders to be empty", SOON, || {
        let left = files_below(&work)?;
        Ok(Look::when(left.is_empty(), format!("left: {left:?}")))
    })
}

/// Regular files below a folder, but for the lock at its door.
fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).with_context(|| format!("{}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_none_or(|name| name != ".lock") {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(found)
}
