//! The options about resources: profile, gate, decision log and alerts.
//!
//! Invariant: every flaw is reported with the option and what is allowed.

use std::path::PathBuf;

use resources::profile::Profile;
use shared::model::ProfileName;
use worker::{alerts::webhook::Webhook, gate::Choice};

use super::Settings;

/// How a worker deals with its resources.
#[derive(Clone, Debug)]
pub(crate) struct Pressure {
    pub(crate) profile: Profile,
    pub(crate) gate: Choice,
    pub(crate) decision_log: Option<PathBuf>,
    pub(crate) webhook: Option<Webhook>,
}

impl Pressure {
    /// What the settings say, defaults filled in.
    pub(super) fn read(settings: &Settings, problems: &mut Vec<String>) -> Self {
        Self {
            profile: profile(settings, problems),
            gate: gate(settings.gate.as_deref(), problems),
            decision_log: settings.decision_log.clone(),
            webhook: webhook(settings, problems),
        }
    }
}

fn profile(settings: &Settings, problems: &mut Vec<String>) -> Profile {
    let name = match settings.profile.as_deref().map(str::parse::<ProfileName>) {
        None => ProfileName::default(),
        Some(Ok(name)) => name,
        Some(Err(error)) => {
            problems.push(format!("profile: {error}"));
            ProfileName::default()
        }
    };
    let preset = Profile::preset(name);
    preset
        .with(&settings.profile_figures)
        .unwrap_or_else(|flaws| {
            problems.extend(flaws.iter().map(|flaw| format!("profile-figures: {flaw}")));
            preset
        })
}

fn gate(given: Option<&str>, problems: &mut Vec<String>) -> Choice {
    match given {
        None | Some("enforce") => Choice::Enforce,
        Some("shadow") => Choice::Shadow,
        Some("off") => Choice::Off,
        Some(other) => {
            problems.push(format!(
                "gate: `{other}` is none of off, shadow and enforce"
            ));
            Choice::Enforce
        }
    }
}

fn webhook(settings: &Settings, problems: &mut Vec<String>) -> Option<Webhook> {
    let url = settings.webhook_url.as_deref()?;
    let Some(secret) = settings.webhook_secret.as_deref() else {
        problems.push("webhook-url: needs webhook-secret, which signs the messages".into());
        return None;
    };
    match Webhook::new(url, secret, settings.webhook_private) {
        Ok(webhook) => Some(webhook),
        Err(error) => {
            problems.push(format!("webhook-url: {error}"));
            None
        }
    }
}
