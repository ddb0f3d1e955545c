//! `zerogate demo`: all five workflow types on shipped data, as one dependent run through all nine steps in one process,
//! and what a programme officer wants to know from it, as text and as one page.
//!
//! Read in this order: [`book`] and [`mailbox`] are the data, [`plan`] what is submitted, [`report`] what the results say,
//! [`words`] and [`page`] (with [`chart`]) how it is shown, [`sources`] what of it is real. Invariant: the same program writes the same page.
//! Deliberately absent: any figure that is not in a result.

mod book;
mod mailbox;

mod plan;

mod report;

mod markup;
mod sources;
mod words;

mod chart;
mod page;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::Context as _;
use serde_json::Value;

use crate::{
    arguments::Demo,
    client::{http::Api, submission, table, watch},
    configuration::Configuration,
    exit::{Failure, TASK_FAILED, USAGE},
    roles::{dev, signals},
};

use book::Book;
use report::Report;

/// Runs the demo and chooses the exit code.
pub(crate) fn run(demo: Demo) -> anyhow::Result<ExitCode> {
    let scratch = Scratch::new()?;
    let settings = demo.settings.or_listen(([127, 0, 0, 1], 0).into());
    let configuration = settings
        .or_data_dir(&scratch.0)
        .or_log("warn")
        .or_gate("off")
        .resolve()?;
    let shown = show(&configuration, &scratch, demo.html, demo.keep);
    dev::runtime()?.block_on(shown)
}

async fn show(
    configuration: &Configuration,
    scratch: &Scratch,
    html: PathBuf,
    keep: bool,
) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let embedded = dev::Embedded::start(configuration).await?;
    let url = format!("http://{}", embedded.address());
    eprintln!(
        "Zero Gate is up at {url}, in this one process: coordinator, worker, store and broker.\n"
    );
    let told = {
        let (url, folder) = (url.clone(), scratch.0.clone());
        tokio::task::spawn_blocking(move || tell(&url, &folder, &html))
            .await
            .context("the demo panicked")?
    };
    if told.is_ok() && keep {
        eprintln!("\nStill up at {url}; Ctrl-C ends it.");
        signals::asked_to_end().await?;
    }
    embedded.end().await;
    let all_completed = told?;
    eprintln!(
        "From start to end: {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    Ok(if all_completed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(TASK_FAILED)
    })
}

/// Submits, follows and explains; blocking, as every client is.
fn tell(url: &str, folder: &Path, html: &Path) -> anyhow::Result<bool> {
    let api = Api::new(url)?;
    let book = Book::shipped()?;
    let files = plan::Files::upload(&api, &book, folder)?;
    let answer = api.post(
        "/api/workflows/submit/bulk",
        &plan::submission(&book, &files),
    )?;
    let tasks = watch::follow(&api, &submission::accepted(&answer))?;
    let mut all_completed = true;
    for task in tasks.iter().filter(|task| task["status"] != "completed") {
        table::line(&table::task(task))?;
        all_completed = false;
    }
    if !all_completed {
        return Ok(false);
    }
    let results: Vec<Value> = tasks.iter().map(|task| task["result"].clone()).collect();
    let report = Report::of(&results);
    table::line(&words::words(&report, &book))?;
    std::fs::write(html, page::page(&report, &book)).map_err(|error| {
        let place = html.display();
        let text = format!("{place}: {error}; --html PATH writes the page elsewhere");
        Failure::new(USAGE, text)
    })?;
    let whole = std::path::absolute(html).unwrap_or_else(|_| html.to_owned());
    table::line(&format!("The page: {}", whole.display()))?;
    Ok(true)
}

/// A folder of this run alone, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("zerogate-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("zerogate: {}: {error}", self.0.display());
        }
    }
}
