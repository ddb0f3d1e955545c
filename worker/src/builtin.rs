//! The workflow types that come with the program, as handlers.
//!
//! Invariant: the work runs on threads of its own; what it may see of the
//! worker is a stop request and a place for progress.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use shared::store::query::TypeInfo;
use workflows::WorkflowType;

use crate::handler::{Handler, HandlerError, Problem, Run, describe};

/// One handler for each type of the catalogue.
pub fn handlers() -> impl Iterator<Item = impl Handler> {
    workflows::catalogue().iter().map(Builtin)
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

    async fn run(&self, run: Run) -> Result<Value, HandlerError> {
        let work = self.0.run;
        let control = run.control();
        let input = run.input;
        control
            .blocking(move |control| {
                let surroundings = workflows::Run {
                    stop: &|| control.cancelled(),
                    progress: &|fraction, doing| control.progress(fraction, doing),
                    // Switched by the feature `advanced_analytics`, once the
                    // worker has features.
                    advanced: true,
                    files: &workflows::NoFiles,
                    contact_key: &[0; 32],
                };
                work(&input, &surroundings).map_err(error)
            })
            .await
    }
}

fn error(error: workflows::Error) -> HandlerError {
    match error {
        workflows::Error::InvalidInput(problems) => {
            let problems: Vec<_> = problems
                .into_iter()
                .map(|problem| Problem {
                    pointer: problem.pointer,
                    detail: problem.detail,
                })
                .collect();
            HandlerError::invalid_inputs(&problems)
        }
        limit @ workflows::Error::LimitExceeded { .. } => {
            HandlerError::limit_exceeded(limit.to_string())
        }
        workflows::Error::Stopped => HandlerError::stopped(),
        workflows::Error::Internal(detail) => HandlerError::internal(detail),
    }
}
