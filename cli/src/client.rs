//! The commands that talk to a running coordinator.
//!
//! Each is: build a request, send it, show the answer as a table for people or
//! as the answer's own JSON for machines.

pub(crate) mod http;
pub(crate) mod table;

mod resources;
pub(crate) mod submission;
pub(crate) mod watch;

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{
    arguments::{Cancel, ClientCommand, Emergency, Output, Retry, Status, Submit},
    exit::{Failure, TASK_FAILED, USAGE},
};

use http::Api;

/// Runs one client command.
pub(crate) fn run(command: &ClientCommand) -> anyhow::Result<ExitCode> {
    let connection = command.connection();
    let api = Api::new(&connection.url)?;
    let output = connection.output;
    match command {
        ClientCommand::Submit(submit) => self::submit(&api, submit),
        ClientCommand::Status(status) => self::status(&api, status),
        ClientCommand::Watch(watch) => watch::run(&api, &watch.tasks, output),
        ClientCommand::Cancel(cancel) => self::cancel(&api, cancel),
        ClientCommand::Retry(retry) => self::retry(&api, retry),
        ClientCommand::Queue(_) => {
            let queue = api.get("/api/workflows/queue")?;
            show(output, &queue, table::queue)
        }
        ClientCommand::Why(why) => resources::why(&api, why),
        ClientCommand::Workers(workers) => resources::workers(&api, workers),
        ClientCommand::Features(features) => resources::features(&api, features),
        ClientCommand::Profile(profile) => resources::profile(&api, profile),
        ClientCommand::Capacity(_) => {
            show(output, &api.get("/api/capacity")?, table::plan::capacity)
        }
        ClientCommand::Bottleneck(_) => {
            let bottleneck = api.get("/api/bottleneck")?;
            show(output, &bottleneck, table::plan::bottleneck)
        }
        ClientCommand::Alerts(alerts) => resources::alerts(&api, alerts),
        ClientCommand::Pause(emergency) => self::emergency(&api, "pause", emergency),
        ClientCommand::Resume(emergency) => self::emergency(&api, "resume", emergency),
        ClientCommand::Stop(emergency) => self::emergency(&api, "stop", emergency),
    }
}

fn show(output: Output, answer: &Value, render: fn(&Value) -> String) -> anyhow::Result<ExitCode> {
    match output {
        Output::Json => table::line(&serde_json::to_string_pretty(answer)?)?,
        Output::Table => table::line(&render(answer))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn submit(api: &Api, submit: &Submit) -> anyhow::Result<ExitCode> {
    let request = submission::read(submit, api)?;
    let answer = api.post_idempotent(
        &request.path,
        &request.body,
        submit.idempotency_key.as_deref(),
    )?;
    let output = submit.connection.output;
    let tasks = submission::accepted(&answer);
    if !submit.wait {
        show(output, &answer, table::accepted)?;
    }
    let refused = submission::rejected(&answer) > 0;
    if submit.wait {
        if refused {
            // Standard output is for how the accepted ones ended.
            eprintln!("{}", table::accepted(&answer));
        }
        let verdict = if tasks.is_empty() {
            ExitCode::SUCCESS
        } else {
            watch::run(api, &tasks, output)?
        };
        if verdict != ExitCode::SUCCESS {
            return Ok(verdict);
        }
    }
    Ok(if refused {
        ExitCode::from(crate::exit::REFUSED)
    } else {
        ExitCode::SUCCESS
    })
}

fn status(api: &Api, status: &Status) -> anyhow::Result<ExitCode> {
    let output = status.connection.output;
    match &status.task {
        None => show(output, &api.get("/api/workflows/status")?, table::system),
        Some(task) => {
            let answer = api.get(&format!("/api/workflows/status/{}", http::segment(task)?))?;
            show(output, &answer, table::task)
        }
    }
}

fn cancel(api: &Api, cancel: &Cancel) -> anyhow::Result<ExitCode> {
    let body = json!({"reason": cancel.reason});
    each(
        api,
        &cancel.tasks,
        "cancel",
        &body,
        cancel.connection.output,
    )
}

fn retry(api: &Api, retry: &Retry) -> anyhow::Result<ExitCode> {
    each(
        api,
        &retry.tasks,
        "retry",
        &json!({}),
        retry.connection.output,
    )
}

/// Does the same to several tasks; a refusal of one does not keep the others
/// from being asked.
fn each(
    api: &Api,
    tasks: &[String],
    action: &str,
    body: &Value,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let (mut answers, mut refused) = (Vec::new(), Vec::new());
    for task in tasks {
        match api.post(
            &format!("/api/workflows/tasks/{}/{action}", http::segment(task)?),
            body,
        ) {
            Ok(answer) => answers.push(answer),
            Err(failure) if failure.code == crate::exit::REFUSED => {
                refused.push(format!("{task}: {failure}"));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    show(output, &Value::Array(answers), table::changed)?;
    if refused.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Failure::new(crate::exit::REFUSED, refused.join("; ")).into())
    }
}

fn emergency(api: &Api, action: &str, emergency: &Emergency) -> anyhow::Result<ExitCode> {
    let body = json!({"reason": emergency.reason});
    let answer = api.post(&format!("/api/workflows/emergency/{action}"), &body)?;
    show(emergency.connection.output, &answer, table::mode)
}

/// The exit code of tasks that ended with these statuses.
pub(crate) fn verdict<'a>(mut statuses: impl Iterator<Item = &'a str>) -> ExitCode {
    if statuses.all(|status| status == "completed") {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(TASK_FAILED)
    }
}

/// A wrong use of the command line that clap could not see.
pub(crate) fn usage(message: impl Into<String>) -> Failure {
    Failure::new(USAGE, message)
}
