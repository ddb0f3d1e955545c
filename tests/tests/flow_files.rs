//! Files and large payloads through whole fleets: from an upload to a child process that reads it, and back.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use shared::model::FileId;
use zerogate_tests::api::{Api, Reply, task, text, with};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::on_both;
use zerogate_tests::wait::SOON;

on_both!(
    a_file_is_uploaded_read_by_a_child_made_and_read_again,
    large_inputs_and_results_come_back_whole,
);

fn upload(api: &Api, content: &[u8]) -> Result<Reply> {
    let headers = [
        ("content-type", "application/x-test"),
        ("x-filename", "given.bin"),
    ];
    api.request("POST", "/api/files", &headers, content)
}

fn sha256(content: &[u8]) -> String {
    FileId::of_sha256(Sha256::digest(content).into()).hex()
}

/// Bytes that are no text and do not repeat soon.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}

fn a_file_is_uploaded_read_by_a_child_made_and_read_again(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let content = noise(7 << 20);
    let stored = upload(&api, &content)?.expect(201)?.body;
    ensure!(stored["sha256"] == sha256(&content), "{stored}");
    let read = |data: Value| task("diagnostic.child", &json!({"do": "read", "data": data}));
    let id = api.accept(&read(json!({"file": stored["file_id"]})))?;
    let found = api.finished(&id, SOON)?;
    ensure!(found["result"]["bytes"] == 7 << 20, "{found:#}");
    ensure!(found["result"]["sha256"] == sha256(&content), "{found:#}");

    // A child makes a file, and its dependent reads that: the reference is in the parent's result.
    let write = task("diagnostic.child", &json!({"do": "write", "bytes": 90_000}));
    let ids = api.accept_all(&[
        with(write, &json!({"ref": "w"})),
        read(json!({"file": {"$result": "w", "pointer": "/file"}})),
    ])?;
    let found = api.finished(&ids[1], SOON)?;
    let made = api.status(&ids[0])?["result"].clone();
    ensure!(
        found["result"]["sha256"] == made["sha256"],
        "{made} {found:#}"
    );
    let file = api
        .get(&format!("/api/files/{}", text(&made, "file")))?
        .expect(200)?;
    ensure!(sha256(&file.bytes) == text(&made, "sha256"), "other bytes");
    ensure!(
        file.header("content-type") == text(&made, "content_type"),
        "{made}"
    );

    let nobody = json!({"file": format!("f-{}", "0".repeat(64))});
    let places = api.submit(&read(nobody))?.problem(422)?;
    ensure!(places == ["/input/data"], "{places:?}");
    Ok(())
}

/// 300 KiB in and out, also to a dependent. On Redis none of it lies there.
fn large_inputs_and_results_come_back_whole(fleet: &mut Fleet) -> Result<()> {
    let api = fleet.api();
    let input = json!({"text": "ü~".repeat(100 << 10), "n": [1, 2, 3]});
    let ids = api.accept_all(&[
        with(task("diagnostic.echo", &input), &json!({"ref": "a"})),
        task("diagnostic.echo", &json!({"all": {"$result": "a"}})),
    ])?;
    let first = api.finished(&ids[0], SOON)?;
    ensure!(first["result"] == input, "another result");
    let second = api.finished(&ids[1], SOON)?;
    ensure!(second["result"]["all"] == input, "another result");
    if let Ok(redis) = fleet.redis() {
        let mut redis = redis::Client::open(redis.url())?.get_connection()?;
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut redis)?;
        for key in keys {
            let used = redis::cmd("MEMORY")
                .arg("USAGE")
                .arg(&key)
                .query::<u64>(&mut redis)?;
            ensure!(used < 100_000, "{key} takes {used} bytes in Redis");
        }
    }
    Ok(())
}

/// 64 MiB pass through a process that never holds them; one MiB more is refused.
#[test]
fn an_upload_and_a_download_of_64_mib_cost_little_memory() -> Result<()> {
    Fleet::run(Options::embedded(), |fleet| {
        let api = fleet.api();
        let pid = fleet.coordinators[0].process.pid();
        // What any request costs for good is not counted.
        upload(&api, &noise(1 << 10))?.expect(201)?;
        let before = peak_kib(pid)?;
        let content = noise(64 << 20);
        let stored = upload(&api, &content)?.expect(201)?.body;
        let taken = peak_kib(pid)?.saturating_sub(before);
        let place = format!("/api/files/{}", text(&stored, "file_id"));
        let back = api.get(&place)?.expect(200)?;
        ensure!(back.bytes == content, "other bytes");
        let both = peak_kib(pid)?.saturating_sub(before);
        eprintln!("64 MiB up: {taken} KiB more at the peak, and down: {both} KiB");
        ensure!(both < 32 << 10, "{both} KiB more");
        upload(&api, &noise(65 << 20))?.problem(413)?;
        let refused = peak_kib(pid)?.saturating_sub(before);
        ensure!(refused < 32 << 10, "{refused} KiB more for a refusal");
        Ok(())
    })
}

/// The most memory that a process ever had resident, from the kernel.
fn peak_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words = line.context("VmHWM in the process's status")?;
    let number = words.split_whitespace().nth(1).context("a number")?;
    Ok(number.parse()?)
}

/// A worker that looks at another folder than the fleet says so, and what to set.
#[test]
fn a_worker_without_the_fleets_blob_store_says_what_to_set() -> Result<()> {
    Fleet::run(Options::distributed(), |fleet| {
        let elsewhere = format!("file://{}/elsewhere", fleet.folder().display());
        let index = fleet.add_worker(&["--blob-url", &elsewhere])?;
        let process = &mut fleet.workers[index].process;
        process.wait_line(
            &["another blob store than the fleet", "--blob-url"],
            Duration::from_mins(1),
        )?;
        let quiet = fleet.workers[0]
            .process
            .lines_with(&["another blob store"])?;
        ensure!(quiet.is_empty(), "{quiet:?}");
        Ok(())
    })
}
