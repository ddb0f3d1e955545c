//! Every option of the roles is a flag, an environment variable and a key of a
//! TOML file, in that precedence; the defaults stand here, once.
//!
//! Invariant: an unknown key, an impossible value or a combination that cannot
//! work is refused before anything starts, with the name of the option and
//! what to do.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use resources::profile::Overrides;
use serde::Deserialize;
use shared::{broker::rabbit::QueueType, fault::Point, telemetry::LogFormat};

use crate::exit::{Failure, USAGE};

mod pressure;

pub(crate) use pressure::Pressure;

/// lapin reports every channel that the broker closes as an error, also where
/// that is an ordinary answer (the depth of a queue that is not there yet).
const LOG: &str = "info,lapin=off";

/// The options as they were given; absent means not given. Doc comments are
/// the help texts.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// A TOML file with any of these options
    #[arg(long, env = "ZEROGATE_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Serve HTTP here [default: 127.0.0.1:8080; a worker serves none]
    #[arg(long, env = "ZEROGATE_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Where the embedded store lives, and runs keep files while they go on [default: ./zerogate-data]
    #[arg(long, env = "ZEROGATE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// RabbitMQ, such as amqp://user:password@host:5672/vhost (amqps:// for TLS)
    #[arg(
        long,
        env = "ZEROGATE_AMQP_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    amqp_url: Option<String>,
    /// Redis or Valkey, such as redis://:password@host:6379/0 (rediss:// for TLS)
    #[arg(
        long,
        env = "ZEROGATE_REDIS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    redis_url: Option<String>,
    /// Where files and large payloads lie: file:///folder or s3://bucket/prefix, the same for all roles [default: blobs/ in the data directory]
    #[arg(long, env = "ZEROGATE_BLOB_URL", value_name = "URL")]
    blob_url: Option<String>,
    /// Kind of the task queues on RabbitMQ: classic or quorum [default: classic]
    #[arg(long, env = "ZEROGATE_QUEUE_TYPE", value_name = "KIND")]
    queue_type: Option<String>,
    /// Tasks that one worker runs at once [default: 10]
    #[arg(long, env = "ZEROGATE_CONCURRENCY", value_name = "N")]
    concurrency: Option<u32>,
    /// Thresholds, shares and pace of this worker: development, balanced, performance or emergency [default: balanced]
    #[arg(long, env = "ZEROGATE_PROFILE", value_name = "NAME")]
    profile: Option<String>,
    /// Single figures of the profile, as a table of the file
    #[arg(skip)]
    profile_figures: Overrides,
    /// Whether the resource gate decides what may start (enforce), only says what it would decide (shadow), or is off [default: enforce]
    #[arg(long, env = "ZEROGATE_GATE", value_name = "MODE")]
    gate: Option<String>,
    /// Write every decision of the gate with its inputs here, for `zerogate replay`
    #[arg(long, env = "ZEROGATE_DECISION_LOG", value_name = "FILE")]
    decision_log: Option<PathBuf>,
    /// Send alerts here, signed (Standard Webhooks)
    #[arg(
        long,
        env = "ZEROGATE_WEBHOOK_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    webhook_url: Option<String>,
    /// The secret that signs them: whsec_ and base64, or at least 16 characters
    #[arg(
        long,
        env = "ZEROGATE_WEBHOOK_SECRET",
        value_name = "SECRET",
        hide_env_values = true
    )]
    webhook_secret: Option<String>,
    /// Let the webhook reach private and loopback addresses
    #[arg(long, env = "ZEROGATE_WEBHOOK_PRIVATE")]
    webhook_private: bool,
    /// A name for this worker, in front of its per-boot id [default: the host's name]
    #[arg(long, env = "ZEROGATE_WORKER_NAME", value_name = "NAME")]
    worker_name: Option<String>,
    /// How long a lease holds without renewal [default: 20000]
    #[arg(long, env = "ZEROGATE_LEASE_MS", value_name = "MS")]
    lease_ms: Option<u64>,
    /// How often a worker renews its leases [default: 5000]
    #[arg(long, env = "ZEROGATE_RENEW_MS", value_name = "MS")]
    renew_ms: Option<u64>,
    /// Age at which a queued task is checked for a lost message [default: 15000]
    #[arg(long, env = "ZEROGATE_REPUBLISH_MS", value_name = "MS")]
    republish_ms: Option<u64>,
    /// How long finished tasks are kept [default: 604800000, a week]
    #[arg(long, env = "ZEROGATE_RETENTION_MS", value_name = "MS")]
    retention_ms: Option<u64>,
    /// How long a file is kept that no task refers to [default: 86400000, a day]
    #[arg(long, env = "ZEROGATE_FILE_RETENTION_MS", value_name = "MS")]
    file_retention_ms: Option<u64>,
    /// How long running work may go on after SIGTERM [default: 10000]
    #[arg(long, env = "ZEROGATE_DRAIN_MS", value_name = "MS")]
    drain_ms: Option<u64>,
    /// Expected work that may share one message; 0 sends every task alone [default: 20]
    #[arg(long, env = "ZEROGATE_BUNDLE_MS", value_name = "MS")]
    bundle_ms: Option<u64>,
    /// Log lines for people or for machines: text or json [default: text]
    #[arg(long, env = "ZEROGATE_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<String>,
    /// Which lines to log [default: info]
    #[arg(long, env = "ZEROGATE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Offer the diagnostic.* types, for smoke, load and fault tests
    #[arg(long, env = "ZEROGATE_DIAGNOSTICS")]
    diagnostics: bool,
    /// Stop for ever at a named point, for fault tests
    #[arg(long, hide = true, value_name = "POINT")]
    #[serde(skip)]
    fault: Vec<String>,
}

/// Where the real services are.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    pub(crate) amqp_url: String,
    pub(crate) redis_url: String,
    pub(crate) queue_type: QueueType,
}

/// The options as they hold, checked.
#[derive(Clone, Debug)]
pub(crate) struct Configuration {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) data_dir: PathBuf,
    pub(crate) blob_url: Option<String>,
    amqp_url: Option<String>,
    redis_url: Option<String>,
    queue_type: QueueType,
    pub(crate) concurrency: u32,
    pub(crate) pressure: Pressure,
    pub(crate) worker_name: Option<String>,
    pub(crate) lease: Duration,
    pub(crate) renew: Duration,
    pub(crate) republish: Duration,
    pub(crate) retention: Duration,
    pub(crate) file_retention: Duration,
    pub(crate) drain: Duration,
    pub(crate) bundle: Duration,
    pub(crate) log_format: LogFormat,
    pub(crate) log: String,
    pub(crate) diagnostics: bool,
    pub(crate) faults: Vec<Point>,
}

impl Settings {
    /// Joins flags, environment and file, fills in the defaults, and checks
    /// the whole. Every problem is reported at once.
    pub(crate) fn resolve(self) -> Result<Configuration, Failure> {
        let file = self
            .config
            .as_deref()
            .map(read_file)
            .transpose()?
            .unwrap_or_default();
        let given = self.or(file);
        let mut problems = Vec::new();
        let configuration = given.fill_in(&mut problems);
        configuration.check(&mut problems);
        if problems.is_empty() {
            Ok(configuration)
        } else {
            Err(Failure::new(
                USAGE,
                format!("configuration: {}", problems.join("; ")),
            ))
        }
    }

    /// A listening address to use where none was given.
    pub(crate) fn or_listen(mut self, listen: SocketAddr) -> Self {
        self.listen = self.listen.or(Some(listen));
        self
    }

    /// A data directory to use where none was given.
    pub(crate) fn or_data_dir(mut self, data_dir: &Path) -> Self {
        self.data_dir = self.data_dir.or_else(|| Some(data_dir.to_owned()));
        self
    }

    /// A gate to use where none was given.
    pub(crate) fn or_gate(mut self, mode: &str) -> Self {
        self.gate = self.gate.or_else(|| Some(mode.to_owned()));
        self
    }

    /// A log filter to use where none was given.
    pub(crate) fn or_log(mut self, filter: &str) -> Self {
        self.log = self.log.or_else(|| Some(filter.to_owned()));
        self
    }

    fn or(self, file: Self) -> Self {
        Self {
            config: self.config,
            listen: self.listen.or(file.listen),
            data_dir: self.data_dir.or(file.data_dir),
            amqp_url: self.amqp_url.or(file.amqp_url),
            redis_url: self.redis_url.or(file.redis_url),
            blob_url: self.blob_url.or(file.blob_url),
            queue_type: self.queue_type.or(file.queue_type),
            concurrency: self.concurrency.or(file.concurrency),
            profile: self.profile.or(file.profile),
            profile_figures: file.profile_figures,
            gate: self.gate.or(file.gate),
            decision_log: self.decision_log.or(file.decision_log),
            webhook_url: self.webhook_url.or(file.webhook_url),
            webhook_secret: self.webhook_secret.or(file.webhook_secret),
            webhook_private: self.webhook_private || file.webhook_private,
            worker_name: self.worker_name.or(file.worker_name),
            lease_ms: self.lease_ms.or(file.lease_ms),
            renew_ms: self.renew_ms.or(file.renew_ms),
            republish_ms: self.republish_ms.or(file.republish_ms),
            retention_ms: self.retention_ms.or(file.retention_ms),
            file_retention_ms: self.file_retention_ms.or(file.file_retention_ms),
            drain_ms: self.drain_ms.or(file.drain_ms),
            bundle_ms: self.bundle_ms.or(file.bundle_ms),
            log_format: self.log_format.or(file.log_format),
            log: self.log.or(file.log),
            diagnostics: self.diagnostics || file.diagnostics,
            fault: self.fault,
        }
    }

    fn fill_in(self, problems: &mut Vec<String>) -> Configuration {
        let millis = |given: Option<u64>, default| Duration::from_millis(given.unwrap_or(default));
        let log_format = self.log_format.as_deref().unwrap_or("text").parse();
        let queue_type = match self.queue_type.as_deref().unwrap_or("classic") {
            "classic" => QueueType::Classic,
            "quorum" => QueueType::Quorum,
            other => {
                problems.push(format!(
                    "queue-type: `{other}` is neither classic nor quorum"
                ));
                QueueType::Classic
            }
        };
        let mut faults = Vec::new();
        for name in &self.fault {
            match Point::named(name) {
                Some(point) => faults.push(point),
                None => problems.push(format!("--fault: there is no point `{name}`")),
            }
        }
        let pressure = Pressure::read(&self, problems);
        Configuration {
            pressure,
            listen: self.listen,
            data_dir: self
                .data_dir
                .unwrap_or_else(|| PathBuf::from("zerogate-data")),
            amqp_url: self.amqp_url,
            redis_url: self.redis_url,
            blob_url: self.blob_url,
            queue_type,
            concurrency: self.concurrency.unwrap_or(10),
            worker_name: self.worker_name,
            lease: millis(self.lease_ms, 20_000),
            renew: millis(self.renew_ms, 5_000),
            republish: millis(self.republish_ms, 15_000),
            retention: millis(self.retention_ms, 7 * 24 * 3_600_000),
            file_retention: millis(self.file_retention_ms, 24 * 3_600_000),
            drain: millis(self.drain_ms, 10_000),
            bundle: millis(self.bundle_ms, 20),
            log_format: log_format.unwrap_or_else(|error| {
                problems.push(format!("log-format: {error}"));
                LogFormat::Text
            }),
            log: self.log.unwrap_or_else(|| LOG.to_owned()),
            diagnostics: self.diagnostics,
            faults,
        }
    }
}

impl Configuration {
    /// The loopback address of a coordinator that was not told another.
    pub(crate) const LISTEN: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

    /// Where RabbitMQ and Redis are, for the roles that need them.
    pub(crate) fn services(&self) -> Result<Services, Failure> {
        let missing = |flag: &str, variable: &str, example: &str| {
            let text = format!(
                "this role needs {flag} or {variable}, such as {example}; \
                 `zerogate dev` needs neither broker nor database"
            );
            Failure::new(USAGE, text)
        };
        let amqp_url = self.amqp_url.clone().ok_or_else(|| {
            missing(
                "--amqp-url",
                "ZEROGATE_AMQP_URL",
                "amqp://guest:guest@127.0.0.1:5672/%2f",
            )
        })?;
        let redis_url = self.redis_url.clone().ok_or_else(|| {
            missing(
                "--redis-url",
                "ZEROGATE_REDIS_URL",
                "redis://127.0.0.1:6379/0",
            )
        })?;
        Ok(Services {
            amqp_url,
            redis_url,
            queue_type: self.queue_type,
        })
    }

    fn check(&self, problems: &mut Vec<String>) {
        if !(1..=1024).contains(&self.concurrency) {
            problems.push("concurrency: must be 1 to 1024".into());
        }
        if self.renew.is_zero() || self.renew * 2 > self.lease {
            problems.push(format!(
                "renew-ms: must be above 0 and at most half of lease-ms ({}), so that one lost renewal does not lose the lease",
                self.lease.as_millis()
            ));
        }
        if self.republish < Duration::from_millis(100) {
            problems.push("republish-ms: must be at least 100".into());
        }
        if self.file_retention < Duration::from_mins(1) {
            problems.push(
                "file-retention-ms: must be at least 60000, so that a file outlives the moment between its upload and its use"
                    .into(),
            );
        }
        if self.bundle > Duration::from_secs(1) {
            problems
                .push("bundle-ms: must be at most 1000; a task of a second travels alone".into());
        }
        if let Some(listen) = self.listen
            && !listen.ip().is_loopback()
        {
            problems.push(format!(
                "listen: {listen} is not a loopback address; without authentication this program serves 127.0.0.1 or [::1] only, put a gateway in front"
            ));
        }
        if !self.faults.is_empty() && !self.diagnostics {
            problems.push("--fault: only together with --diagnostics".into());
        }
    }
}

fn read_file(path: &Path) -> Result<Settings, Failure> {
    let bad = |detail: String| Failure::new(USAGE, format!("{}: {detail}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    toml::from_str(&text).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_toml(text: &str) -> Result<Settings, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = from_toml("concurency = 4").unwrap_err().to_string();
        assert!(error.contains("concurency"), "{error}");
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let file = from_toml("concurrency = 4\nlease-ms = 30000\ndiagnostics = true").unwrap();
        let flags = Settings {
            concurrency: Some(7),
            ..Settings::default()
        };
        let mut problems = Vec::new();
        let holds = flags.or(file).fill_in(&mut problems);
        assert_eq!(
            (
                holds.concurrency,
                holds.lease.as_secs(),
                holds.renew.as_secs()
            ),
            (7, 30, 5)
        );
        assert!(holds.diagnostics && problems.is_empty());
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let settings = Settings {
            concurrency: Some(0),
            renew_ms: Some(30_000),
            queue_type: Some("stream".into()),
            listen: Some(([0, 0, 0, 0], 80).into()),
            fault: vec!["nowhere".into()],
            ..Settings::default()
        };
        let message = settings.resolve().unwrap_err().to_string();
        for part in ["concurrency", "renew-ms", "queue-type", "listen", "nowhere"] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}
