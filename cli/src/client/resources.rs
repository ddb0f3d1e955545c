//! The commands about resources: features, workers, profiles, alerts, and why
//! things are as they are.
//!
//! Invariant: whatever an order changed is shown as the coordinator now has it.

use std::{process::ExitCode, time::Duration};

use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    model::Stamp,
};

use crate::arguments::resources::{
    Alerts, FeatureOrder, Features, FeaturesAction, Preset, Profile, ProfileAction, Why,
    WorkerOrder, Workers, WorkersAction, name_of,
};

use super::{
    http::{self, Api},
    show,
    table::{self, features, history, workers},
    usage,
};

type Ended = anyhow::Result<ExitCode>;

/// `zerogate features`.
pub(super) fn features(api: &Api, command: &Features) -> Ended {
    let output = command.connection.output;
    match &command.action {
        None | Some(FeaturesAction::List) => {
            show(output, &api.get("/api/features")?, features::list)
        }
        Some(FeaturesAction::Set(order)) => {
            show(output, &order_feature(api, order)?, features::one)
        }
        Some(FeaturesAction::Why { name }) => show(output, &feature(api, name)?, features::why),
    }
}

fn order_feature(api: &Api, order: &FeatureOrder) -> anyhow::Result<Value> {
    let mut body = json!({"state": name_of(&order.state), "reason": order.reason});
    if let Some(lasts) = order.lasts {
        // Rounded up: an order for half a second is one.
        body["expires_in_s"] = lasts.as_millis().div_ceil(1000).to_string().parse()?;
    }
    let path = format!("/api/features/{}", http::feature(&order.name)?);
    Ok(api.put(&path, &body)?)
}

fn feature(api: &Api, name: &str) -> anyhow::Result<Value> {
    let all = api.get("/api/features")?;
    let mut listed = all["features"].as_array().into_iter().flatten();
    let found = listed.find(|feature| feature["name"] == name);
    let unknown = || {
        let text =
            format!("there is no feature `{name}` in this fleet; `zerogate features` lists them");
        crate::exit::Failure::new(crate::exit::REFUSED, text)
    };
    Ok(found.cloned().ok_or_else(unknown)?)
}

/// `zerogate workers`.
pub(super) fn workers(api: &Api, command: &Workers) -> Ended {
    let output = command.connection.output;
    match (&command.action, &command.id) {
        (Some(_), Some(id)) => {
            Err(usage(format!("`{id}` stands before the order; write it after")).into())
        }
        (Some(WorkersAction::Drain(order)), None) => {
            show(output, &order_worker(api, "drain", order)?, workers::order)
        }
        (Some(WorkersAction::Resume(order)), None) => {
            show(output, &order_worker(api, "resume", order)?, workers::order)
        }
        (None, None) if command.history => {
            let answer = api.get(&format!("/api/history?from={}", ago(command.since)))?;
            show(output, &answer, history::table)
        }
        (None, None) => show(output, &api.get("/api/workers")?, workers::list),
        (None, Some(id)) => {
            let path = format!(
                "/api/workers/{}?from={}",
                http::worker(id)?,
                ago(command.since)
            );
            let answer = api.get(&path)?;
            let render = if command.history {
                history::table
            } else {
                workers::one
            };
            show(output, &answer, render)
        }
    }
}

fn order_worker(api: &Api, action: &str, order: &WorkerOrder) -> anyhow::Result<Value> {
    let path = format!("/api/workers/{}/{action}", http::worker(&order.id)?);
    Ok(api.post(&path, &json!({"reason": order.reason}))?)
}

/// The time so long before now.
fn ago(span: Duration) -> Stamp {
    let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    let now = SystemClock.now().micros();
    Stamp::from_micros(now.saturating_sub(micros).max(0))
}

/// `zerogate profile`.
pub(super) fn profile(api: &Api, command: &Profile) -> Ended {
    let ProfileAction::Set(order) = &command.action;
    let name = match order.name {
        Preset::Configured => Value::Null,
        preset => name_of(&preset).into(),
    };
    let path = match &order.worker {
        None => "/api/profile".to_owned(),
        Some(id) => format!("/api/workers/{}/profile", http::worker(id)?),
    };
    let answer = api.put(&path, &json!({"profile": name, "reason": order.reason}))?;
    show(command.connection.output, &answer, workers::profile)
}

/// `zerogate why`.
pub(super) fn why(api: &Api, command: &Why) -> Ended {
    let task = http::segment(&command.task)?;
    let answer = api.get(&format!("/api/workflows/tasks/{task}/why"))?;
    show(command.connection.output, &answer, table::why::task)
}

/// `zerogate alerts`.
pub(super) fn alerts(api: &Api, command: &Alerts) -> Ended {
    let level = command.level.map(|level| ("level", name_of(&level)));
    let state = command.state.map(|state| ("state", name_of(&state)));
    let asked: Vec<String> = level
        .into_iter()
        .chain(state)
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut path = "/api/alerts".to_owned();
    if !asked.is_empty() {
        path = format!("{path}?{}", asked.join("&"));
    }
    show(
        command.connection.output,
        &api.get(&path)?,
        table::alerts::list,
    )
}
