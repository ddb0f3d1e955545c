//! What a person can type about resources: features, workers, profiles, and
//! why things are as they are.
//!
//! Invariant: whoever changes something says why.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use super::Connection;

#[derive(Debug, Args)]
pub(crate) struct Features {
    #[command(subcommand)]
    pub(crate) action: Option<FeaturesAction>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeaturesAction {
    /// List them (the same as `zerogate features`)
    List,
    /// Switch one on or off for a while, whatever the workers would decide, or leave it to them again
    Set(FeatureOrder),
    /// Show which rule holds on which worker, its numbers, and what would change it
    Why {
        /// The feature: a workflow type, or advanced_analytics
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct FeatureOrder {
    /// The feature: a workflow type, or advanced_analytics
    pub(crate) name: String,
    /// auto leaves it to the workers
    pub(crate) state: Switch,
    /// Why, for the record and for those who wonder later
    #[arg(long)]
    pub(crate) reason: String,
    /// For how long, such as 90s, 15m or 1h30m; at most 24h [default: 1h]
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    pub(crate) lasts: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    Enabled,
    Disabled,
    Auto,
}

#[derive(Debug, Args)]
pub(crate) struct Workers {
    #[command(subcommand)]
    pub(crate) action: Option<WorkersAction>,
    /// Show this worker; without it, list all
    pub(crate) id: Option<String>,
    /// Show how the worker (without one: the fleet) was doing minute by minute
    #[arg(long)]
    pub(crate) history: bool,
    /// How far back, such as 15m or 6h; at most a day is shown
    #[arg(long, value_name = "TIME", value_parser = span, requires = "history", default_value = "1h")]
    pub(crate) since: Duration,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkersAction {
    /// Have a worker finish what it has and take nothing new
    Drain(WorkerOrder),
    /// Let a drained worker take work again
    Resume(WorkerOrder),
}

#[derive(Debug, Args)]
pub(crate) struct WorkerOrder {
    /// The worker
    pub(crate) id: String,
    /// Why, for the record
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Profile {
    #[command(subcommand)]
    pub(crate) action: ProfileAction,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileAction {
    /// Set the profile of the fleet, or of one worker
    Set(ProfileOrder),
}

#[derive(Debug, Args)]
pub(crate) struct ProfileOrder {
    /// configured gives back what each worker was started with
    pub(crate) name: Preset,
    /// This worker only
    #[arg(long, value_name = "ID")]
    pub(crate) worker: Option<String>,
    /// Why, for the record
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    Development,
    Balanced,
    Performance,
    Emergency,
    Configured,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The task
    pub(crate) task: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Alerts {
    /// Those of this level only
    #[arg(long)]
    pub(crate) level: Option<AlertLevel>,
    /// Those in this state only
    #[arg(long)]
    pub(crate) state: Option<AlertState>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlertLevel {
    Low,
    Medium,
    High,
    Critical,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlertState {
    Firing,
    Resolved,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// How often to look, such as 500ms or 10s
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "2s", conflicts_with = "once")]
    pub(crate) every: Duration,
    /// Print one look as plain text and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The decision log that a worker wrote (--decision-log)
    pub(crate) log: PathBuf,
    /// Try this profile on the same events
    #[arg(long)]
    pub(crate) profile: Option<shared::model::ProfileName>,
    /// Try another figure of the profile, in percent or milliseconds, such as memory_high=85; may be repeated
    #[arg(long, value_name = "FIGURE=VALUE")]
    pub(crate) set: Vec<String>,
    /// How to print what came of it
    #[arg(long, short, value_enum, default_value_t = super::Output::Table)]
    pub(crate) output: super::Output,
}

/// A span of time as people write it.
fn span(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a span of time such as 90s, 15m or 1h30m";
    let span: SignedDuration = text.parse().map_err(|_| FORM.to_owned())?;
    let span = Duration::try_from(span).map_err(|_| FORM.to_owned())?;
    if span.is_zero() {
        return Err("must be longer than nothing".to_owned());
    }
    Ok(span)
}

/// The name of a choice, as it is typed and as the API has it.
pub(crate) fn name_of(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "1", "soon", "-5s", "0s", "5 parsecs"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn choices_have_the_names_of_the_api() {
        assert_eq!(name_of(&Switch::Auto), "auto");
        assert_eq!(name_of(&Preset::Performance), "performance");
        assert_eq!(name_of(&AlertState::Firing), "firing");
    }
}
