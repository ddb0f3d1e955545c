//! `zerogate run`: one input through one workflow type, here, without a fleet.
//!
//! Types that parse foreign bytes run in a child process, exactly as in a worker: a hostile file ends the child and
//! becomes a sentence. Invariant: nothing is left behind but the result and, where asked for, the files it made.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use serde_json::{Value, json};
use worker::{
    HandlerError, builtin,
    isolation::{self, Job, Pool, Watch},
    workroom::{MadeFile, Shelf, Workroom, sha256_of_file},
};
use workflows::WorkflowType;

use crate::{
    arguments::{Print, Run},
    client::table,
    exit::{Failure, TASK_FAILED, USAGE},
    input,
};

/// Bytes that a made file of a type without bounds of its own may have.
const OUTPUT_MAX: u64 = 64 << 20;

/// Runs, prints, and chooses the exit code.
pub(crate) fn run(run: &Run) -> anyhow::Result<ExitCode> {
    let kind = builtin::find(&run.workflow_type).ok_or_else(|| unknown(&run.workflow_type))?;
    let base = run.example.then(kind.example);
    let mut drafted = input::read(&run.input, kind.name, base)?;
    let mut files = BTreeMap::new();
    for (place, path) in drafted.files {
        let link = json!({"file": path});
        input::put(&mut drafted.value, &place, link)?;
    }
    identify(&mut drafted.value, &mut files)?;
    let room = Workroom::temporary(&format!("run-{}", std::process::id()))?;
    let folder = room.folder().context("no folder for the run")?;
    let (result, made) = perform(kind, drafted.value, files, folder.path())?;
    let result = result.map_err(|error| Failure::new(TASK_FAILED, error.to_string()))?;
    match run.output {
        Print::Json => table::line(&serde_json::to_string_pretty(&result)?)?,
        Print::Summary => table::line(&(kind.summary)(&result))?,
    }
    keep(&made, run.output_dir.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> Failure {
    let known: Vec<_> = workflows::catalogue()
        .iter()
        .map(|kind| kind.name)
        .collect();
    let text = format!(
        "`{name}` is not a workflow type of this program; it has {}",
        known.join(", ")
    );
    Failure::new(USAGE, text)
}

/// Replaces every `{"file": <path>}` by the id of the file's content.
fn identify(value: &mut Value, files: &mut BTreeMap<String, PathBuf>) -> Result<(), Failure> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(|item| identify(item, files)),
        Value::Object(members)
            if members.len() == 1 && members.get("file").is_some_and(Value::is_string) =>
        {
            let text = members["file"].as_str().unwrap_or_default();
            let wrong = |error| Failure::new(USAGE, format!("{text}: {error}"));
            let path = fs::canonicalize(text).map_err(wrong)?;
            let id = workflows::id_of(&sha256_of_file(&path).map_err(wrong)?);
            files.insert(id.clone(), path);
            members.insert("file".into(), id.into());
            Ok(())
        }
        Value::Object(members) => members
            .values_mut()
            .try_for_each(|inner| identify(inner, files)),
        _ => Ok(()),
    }
}

type Performed = (Result<Value, HandlerError>, Vec<MadeFile>);

fn perform(
    kind: &'static WorkflowType,
    input: Value,
    inputs: BTreeMap<String, PathBuf>,
    folder: &Path,
) -> anyhow::Result<Performed> {
    let Some(bounds) = kind.isolated else {
        return Ok(here(
            kind,
            &input,
            Shelf::new(inputs, Some(folder.to_owned()), OUTPUT_MAX),
        ));
    };
    let pool = Pool::new(isolation::Options::default()).context("no thread for a child process")?;
    let job = Job {
        workflow_type: kind.name,
        bounds,
        input,
        advanced: true,
        contact_key: [0; 32],
        inputs,
        folder: Some(folder.to_owned()),
    };
    let outcome = pool.run(&job, &Unwatched);
    if let Some(usage) = outcome.usage {
        tracing::debug!(?usage, "the child process has answered");
    }
    Ok((outcome.result, outcome.made))
}

/// In this process: these types read no foreign bytes.
fn here(kind: &WorkflowType, input: &Value, files: Shelf) -> Performed {
    let surroundings = workflows::Run {
        files: &files,
        ..workflows::Run::unattended()
    };
    let result = (kind.run)(input, &surroundings).map_err(HandlerError::from);
    (result, files.into_made())
}

/// Copies made files to where the person wants them, under their names; without a place, names them.
fn keep(made: &[MadeFile], to: Option<&Path>) -> anyhow::Result<()> {
    for file in made {
        let Some(folder) = to else {
            eprintln!(
                "zerogate: the run made {} ({} bytes); --output-dir DIR keeps it",
                file.link.name, file.link.bytes
            );
            continue;
        };
        // A name to show is not a path; what could lead elsewhere is not used.
        let name = Path::new(&file.link.name).file_name();
        let target = folder.join(name.unwrap_or(file.link.file.as_ref()));
        fs::create_dir_all(folder)
            .and_then(|()| fs::copy(&file.path, &target))
            .with_context(|| target.display().to_string())?;
        eprintln!("zerogate: wrote {}", target.display());
    }
    Ok(())
}

/// Ctrl-C ends program and child together.
struct Unwatched;

impl Watch for Unwatched {
    fn cancelled(&self) -> bool {
        false
    }

    fn progress(&self, _: f64, _: &str) {}
}
