//! The workflow types that come with the program, as handlers.
//!
//! Invariant: the work runs on threads of its own, or, for types that parse
//! foreign bytes, in child processes; what it may see of the worker is a stop
//! request, a place for progress and the files of its input.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;
use shared::{
    model::{FileId, file},
    store::query::TypeInfo,
};
use workflows::{Bounds, WorkflowType};

use crate::{
    handler::{Control, Handler, HandlerError, Problem, Run, describe},
    isolation::{self, Job, Pool, Watch},
    workroom::{JobFolder, MadeFile, Shelf, Workroom},
};

/// One handler for each type of the catalogue.
pub fn handlers() -> impl Iterator<Item = impl Handler> {
    workflows::catalogue().iter().map(Builtin)
}

/// The type of that name, `diagnostic.child` included: for runs without a
/// fleet.
#[must_use]
pub fn find(name: &str) -> Option<&'static WorkflowType> {
    let probe = &isolation::probe::KIND;
    workflows::find(name).or_else(|| (name == probe.name).then_some(probe))
}

/// The diagnostic type that misbehaves in a child process; the table of what
/// it does stands in `isolation/probe.rs`.
pub(crate) fn probe() -> impl Handler {
    Builtin(&isolation::probe::KIND)
}

/// Brings the files of one run: bound to its tenant.
#[async_trait]
pub trait Courier: Debug + Send + Sync {
    /// Writes the file of this id to a new file at `to`, checked by length
    /// and hash. `at` is where the input names it.
    async fn fetch(&self, at: &str, id: FileId, to: &Path) -> Result<(), HandlerError>;

    /// Takes the files that the run made, before its result is reported. They
    /// are gone when this returns.
    async fn deliver(&self, made: &[MadeFile]) -> Result<(), HandlerError>;

    /// The tenant's secret by which people are named in results.
    async fn contact_key(&self) -> Result<[u8; 32], HandlerError>;
}

/// What built-in types have beside what every handler has.
#[derive(Clone, Debug)]
pub(crate) struct Means {
    pool: Pool,
    pub(crate) workroom: Workroom,
    /// Of the run's tenant; without it an input's files cannot be reached.
    pub(crate) courier: Option<Arc<dyn Courier>>,
}

impl Means {
    pub(crate) fn new(pool: Pool, workroom: Workroom) -> Self {
        Self {
            pool,
            workroom,
            courier: None,
        }
    }

    /// Fetches the files that an input names into a folder.
    async fn fetch(
        &self,
        input: &Value,
        folder: &JobFolder,
    ) -> Result<BTreeMap<String, PathBuf>, HandlerError> {
        let mut fetched = BTreeMap::new();
        for (at, id) in file::references(input) {
            let name = id.to_string();
            if fetched.contains_key(&name) {
                continue;
            }
            let path = folder.path().join(format!("in-{}", fetched.len()));
            self.courier()?.fetch(&at, id, &path).await?;
            fetched.insert(name, path);
        }
        Ok(fetched)
    }

    async fn deliver(&self, made: &[MadeFile]) -> Result<(), HandlerError> {
        if made.is_empty() {
            return Ok(());
        }
        self.courier()?.deliver(made).await
    }

    /// Who brings files.
    pub(crate) fn courier(&self) -> Result<&dyn Courier, HandlerError> {
        self.courier
            .as_deref()
            .ok_or_else(|| HandlerError::internal("this run cannot reach files"))
    }
}

/// What was decided about a run when it started.
#[derive(Clone, Copy, Debug)]
struct Wishes {
    advanced: bool,
}

struct Builtin(&'static WorkflowType);

#[async_trait]
impl Handler for Builtin {
    fn describe(&self) -> TypeInfo {
        let Self(kind) = self;
        describe(kind.name)
            .for_people(kind.title, kind.description)
            .input((kind.input_schema)(), (kind.example)())
            .defaults((kind.defaults)())
            .needs(
                Duration::from_millis(kind.estimated_duration_ms),
                kind.resource_class,
            )
            .category(kind.category.as_str())
            .build()
    }

    async fn run(&self, mut run: Run) -> Result<Value, HandlerError> {
        let control = run.control();
        let wishes = Wishes {
            advanced: run.advanced,
        };
        let input = std::mem::take(&mut run.input);
        match (self.0.isolated, run.means.take()) {
            (None, means) => inside(self.0, input, (control, means, wishes)).await,
            (Some(bounds), Some(means)) => {
                outside(self.0, bounds, input, (control, means, wishes)).await
            }
            (Some(_), None) => Err(HandlerError::internal("this run has no child processes")),
        }
    }
}

/// On a thread of this process, with the files that the input names, if any.
async fn inside(
    kind: &'static WorkflowType,
    input: Value,
    (control, means, wishes): (Control, Option<Means>, Wishes),
) -> Result<Value, HandlerError> {
    let (inputs, folder) = match means {
        Some(means) if !file::references(&input).is_empty() => {
            let folder = means.workroom.folder().map_err(|error| no_folder(&error))?;
            (means.fetch(&input, &folder).await?, Some(folder))
        }
        _ => (BTreeMap::new(), None),
    };
    control
        .blocking(move |control| {
            // It goes with its folder's guard, and makes no files.
            let (files, _folder) = (Shelf::new(inputs, None, 0), folder);
            let surroundings = workflows::Run {
                stop: &|| control.cancelled(),
                progress: &|fraction, doing| control.progress(fraction, doing),
                advanced: wishes.advanced,
                // A permit is worth one core; a run never takes those of
                // its neighbours.
                threads: NonZeroUsize::MIN,
                files: &files,
                contact_key: &[0; 32],
            };
            (kind.run)(&input, &surroundings).map_err(HandlerError::from)
        })
        .await
}

fn no_folder(error: &io::Error) -> HandlerError {
    HandlerError::internal(format!("no folder for the run: {}", error.kind()))
}

/// In a child process. The folder goes with the last of its two users: this
/// future, which may be dropped at any wait, and the thread.
async fn outside(
    kind: &'static WorkflowType,
    bounds: Bounds,
    input: Value,
    (control, means, wishes): (Control, Means, Wishes),
) -> Result<Value, HandlerError> {
    let folder = means.workroom.folder().map_err(|error| no_folder(&error))?;
    let inputs = means.fetch(&input, &folder).await?;
    let job = Job {
        workflow_type: kind.name,
        bounds,
        input,
        advanced: wishes.advanced,
        contact_key: means.courier()?.contact_key().await?,
        inputs,
        folder: Some(
            folder
                .subfolder("made")
                .map_err(|error| no_folder(&error))?,
        ),
    };
    let pool = means.pool.clone();
    let (outcome, _folder) = control
        .blocking(move |control| {
            let outcome = pool.run(&job, control);
            if let Some(usage) = outcome.usage {
                control.used(usage);
            }
            Ok((outcome, folder))
        })
        .await?;
    let result = outcome.result?;
    means.deliver(&outcome.made).await?;
    Ok(result)
}

impl Watch for Control {
    fn cancelled(&self) -> bool {
        Self::cancelled(self)
    }

    fn progress(&self, fraction: f64, doing: &str) {
        Self::progress(self, fraction, doing);
    }
}

impl From<workflows::Error> for HandlerError {
    fn from(error: workflows::Error) -> Self {
        match error {
            workflows::Error::InvalidInput(problems) => {
                let problems: Vec<_> = problems
                    .into_iter()
                    .map(|problem| Problem {
                        pointer: problem.pointer,
                        detail: problem.detail,
                    })
                    .collect();
                Self::invalid_inputs(&problems)
            }
            limit @ workflows::Error::LimitExceeded { .. } => {
                Self::limit_exceeded(limit.to_string())
            }
            workflows::Error::Stopped => Self::stopped(),
            workflows::Error::Internal(detail) => Self::internal(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_runs_in_the_worker_is_trusted_and_what_is_isolated_has_bounds() {
        for kind in workflows::catalogue() {
            let foreign = matches!(kind.name, "excel_processing" | "email_analysis");
            assert_eq!(kind.isolated.is_some(), foreign, "{}", kind.name);
        }
    }
}
