//! Logs and metrics: set up once, by the composition root.
//!
//! Logs go to standard error, as text for people or as one JSON object a line.
//! Every line that concerns a task is written inside a span that carries its
//! `task_id` and `correlation_id`. Metrics are kept in the process and
//! rendered as Prometheus text on request.
//!
//! Invariant: no payload, address or name of a person is ever a field or a
//! label; labels come from closed or bounded sets.

use std::{str::FromStr, sync::Arc};

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is not a log format: use text or json")),
        }
    }
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter of the logs is not one.
    #[error("the log filter `{0}` is not valid: write for example info, or worker=debug,info")]
    Filter(String),
    /// Something else of this process was first.
    #[error("telemetry was set up twice in this process: {0}")]
    Twice(String),
}

/// Sends log lines that pass `filter` to standard error from now on.
pub fn start_logs(format: LogFormat, filter: &str) -> Result<(), Error> {
    let parsed = EnvFilter::try_new(filter).map_err(|_| Error::Filter(filter.to_owned()))?;
    let registry = tracing_subscriber::registry().with(parsed);
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
            registry.with(lines.with_ansi(ansi)).try_init()
        }
        LogFormat::Json => {
            let lines = lines
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false);
            registry.with(lines).try_init()
        }
    }
    .map_err(|error| Error::Twice(error.to_string()))
}

/// The metrics of this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<PrometheusHandle>);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Task waits and runs: a millisecond to an hour, about three a decade.
const TASK_SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    180.0, 600.0, 3600.0,
];

/// Answers and verbs: a tenth of a millisecond to ten seconds.
const CALL_SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0,
];

/// Peaks of runs in child processes: 8 MiB (an idle one) to 4 GiB.
const CHILD_BYTES: &[f64] = &[
    8_388_608.0,
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
    536_870_912.0,
    1_073_741_824.0,
    2_147_483_648.0,
    4_294_967_296.0,
];

impl Metrics {
    /// Starts to collect what the process records.
    pub fn install() -> Result<Self, Error> {
        let twice =
            |error: metrics_exporter_prometheus::BuildError| Error::Twice(error.to_string());
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Prefix("zerogate_task_".into()), TASK_SECONDS)
            .and_then(|builder| {
                let peaks = Matcher::Full("zerogate_child_peak_bytes".into());
                builder.set_buckets_for_metric(peaks, CHILD_BYTES)
            })
            .and_then(|builder| {
                let times = Matcher::Full("zerogate_child_cpu_seconds".into());
                builder.set_buckets_for_metric(times, TASK_SECONDS)
            })
            .and_then(|builder| builder.set_buckets(CALL_SECONDS))
            .and_then(PrometheusBuilder::install_recorder)
            .map_err(twice)?;
        describe();
        describe_resources();
        Ok(Self(Arc::new(handle)))
    }

    /// Everything recorded so far, as Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn describe() {
    describe_counter!(
        "zerogate_tasks_submitted_total",
        "Tasks accepted by the fleet."
    );
    describe_counter!(
        "zerogate_tasks_finished_total",
        "Tasks that ended, by type and outcome: a coordinator tells the fleet's, a worker its own."
    );
    describe_histogram!(
        "zerogate_task_wait_seconds",
        Unit::Seconds,
        "From acceptance to the first claim."
    );
    describe_histogram!(
        "zerogate_task_run_seconds",
        Unit::Seconds,
        "From claim to the end of the run."
    );
    describe_histogram!(
        "zerogate_child_peak_bytes",
        Unit::Bytes,
        "Highest memory of a run in a child process."
    );
    describe_histogram!(
        "zerogate_child_cpu_seconds",
        Unit::Seconds,
        "Processor time of a run in a child process."
    );
    describe_gauge!(
        "zerogate_tasks",
        "Tasks of the fleet, by state: pending and running now, the others since installation."
    );
    describe_counter!(
        "zerogate_retries_total",
        "Failed runs that are tried again: a coordinator tells the fleet's, a worker its own."
    );
    describe_counter!(
        "zerogate_leases_lapsed_total",
        "Leases that ran out in the fleet."
    );
    describe_counter!(
        "zerogate_duplicates_dropped_total",
        "Tickets that a claim found to be copies."
    );
    describe_counter!("zerogate_published_total", "Slips published, by result.");
    describe_gauge!(
        "zerogate_dispatch_window",
        "Tasks that may be taken or queued at once, by type."
    );
    describe_counter!(
        "zerogate_broker_reconnects_total",
        "Connections to the broker that were rebuilt."
    );
    describe_counter!(
        "zerogate_store_reconnects_total",
        "Connections to the store that were rebuilt."
    );
    describe_gauge!("zerogate_worker_slots", "Slots of this worker, by state.");
    describe_gauge!(
        "zerogate_backlog_seconds",
        "Expected seconds of work that wait."
    );
    describe_histogram!(
        "zerogate_http_request_seconds",
        Unit::Seconds,
        "HTTP answers, by route and status."
    );
}

fn describe_resources() {
    describe_gauge!(
        "zerogate_feature_enabled",
        "Whether a feature is on: 0 or 1 of a worker, of the fleet the share of its workers."
    );
    describe_gauge!("zerogate_workers", "Live workers of the fleet, by level.");
    describe_gauge!(
        "zerogate_worker_level",
        "0 (normal) to 4 (emergency): a coordinator tells the hardest pressed worker's."
    );
    describe_gauge!(
        "zerogate_worker_health",
        "0 to 100: a coordinator tells the least well worker's."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_have_buckets_and_not_quantiles() {
        let metrics = Metrics::install().unwrap();
        metrics::histogram!("zerogate_task_run_seconds", "workflow_type" => "t").record(0.02);
        let text = metrics.render();
        assert!(
            text.contains("zerogate_task_run_seconds_bucket{workflow_type=\"t\",le=\"0.025\"} 1"),
            "{text}"
        );
        assert!(!text.contains("quantile"));
    }
}
