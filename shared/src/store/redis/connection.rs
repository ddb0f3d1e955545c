//! Connections to the server, and what a failure on them means.
//!
//! Two lanes: one for the verbs of the ordinary course, one for submissions
//! and lists, which may be large and slow, so that they do not make a claim
//! wait. Each reconnects by itself and never sends a command twice; asking
//! again is decided here.
//!
//! Invariant: no user name or password ever stands in an error or a log line.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    Client, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisError,
    ServerErrorKind, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use crate::store::{Error, Result};

use super::{Options, keys, scripts::Ask};

/// How long one connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Commands that may wait to be written. The crate's 50 is less than one busy
/// worker has under way; a thousand small ones are a few hundred kilobytes.
const PIPELINE: usize = 1000;

/// Which connection a verb uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Small and quick.
    Verbs,
    /// Possibly large: submissions and lists.
    Bulk,
}

/// The connections of one store.
#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    verbs: Wire,
    bulk: Wire,
    base: String,
}

/// One connection, which reconnects by itself.
#[derive(Clone)]
struct Wire {
    client: Client,
    config: ConnectionManagerConfig,
    manager: Arc<Mutex<ConnectionManager>>,
    timeout: Duration,
}

impl Wire {
    async fn open(client: &Client, timeout: Duration) -> Result<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(timeout))
            .set_pipeline_buffer_size(PIPELINE)
            .set_min_delay(Duration::from_millis(20))
            .set_max_delay(Duration::from_millis(200))
            .set_number_of_retries(3);
        let manager = ConnectionManager::new_with_config(client.clone(), config.clone())
            .await
            .map_err(|e| classify(&e))?;
        Ok(Self {
            client: client.clone(),
            config,
            manager: Arc::new(Mutex::new(manager)),
            timeout,
        })
    }

    fn manager(&self) -> ConnectionManager {
        self.locked().clone()
    }

    /// What an error means after a start that succeeded. The crate's manager
    /// tries again only what broke on the way: a new connection that the
    /// server itself turned down would be its answer for ever, so another
    /// manager, which connects when it is used, takes its place.
    fn failed(&self, error: &RedisError) -> Error {
        let turned_down = is_refusal(error) || is_full_of_clients(error);
        if turned_down
            && let Ok(fresh) =
                ConnectionManager::new_lazy_with_config(self.client.clone(), self.config.clone())
        {
            *self.locked() = fresh;
        }
        classify_running(error)
    }

    fn locked(&self) -> MutexGuard<'_, ConnectionManager> {
        // A handle is whole after any panic.
        self.manager.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.client.get_connection_info().addr();
        f.debug_struct("Link")
            .field("address", &format_args!("{address}"))
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Connects both lanes.
    pub(super) async fn open(options: &Options) -> Result<Self> {
        let info = connection_info(&options.url)?;
        let client = Client::open(info).map_err(|e| classify(&e))?;
        Ok(Self {
            verbs: Wire::open(&client, options.timeout).await?,
            bulk: Wire::open(&client, options.bulk_timeout).await?,
            base: keys::base(&options.prefix),
            client,
        })
    }

    /// The beginning of all keys.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// For connections of another kind.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a script. Loads it first where the server does not know it, and asks
    /// again when the connection broke under it: of every script the second answer
    /// is as good as the first, the same, or one that says what the first did
    /// (`wrong_state` for a task cancelled by it).
    pub(super) async fn ask(&self, lane: Lane, ask: &Ask) -> Result<Value> {
        let wire = match lane {
            Lane::Verbs => &self.verbs,
            Lane::Bulk => &self.bulk,
        };
        let mut manager = wire.manager();
        // Twice the time of one answer: the second half is for asking again.
        let budget = wire.timeout * 2;
        let answer = tokio::time::timeout(budget, async {
            match run(&mut manager, ask).await {
                Err(e) if is_lost(&e) => run(&mut manager, ask).await,
                other => other,
            }
        });
        match answer.await {
            Ok(result) => result.map_err(|e| wire.failed(&e)),
            Err(_) => Err(Error::Unavailable(format!(
                "redis did not answer within {budget:?}"
            ))),
        }
    }

    /// Whether the server answers, after a start that succeeded.
    pub(super) async fn ping(&self) -> Result<()> {
        let mut manager = self.verbs.manager();
        redis::cmd("PING")
            .query_async::<Value>(&mut manager)
            .await
            .map(drop)
            .map_err(|e| self.verbs.failed(&e))
    }

    /// Sends a plain command, as a start does: what it may not do is final.
    pub(super) async fn command(&self, command: &redis::Cmd) -> Result<Value> {
        let mut manager = self.verbs.manager();
        command
            .query_async(&mut manager)
            .await
            .map_err(|e| classify(&e))
    }
}

async fn run(manager: &mut ConnectionManager, ask: &Ask) -> std::result::Result<Value, RedisError> {
    match ask.command.query_async(manager).await {
        Err(e) if e.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
            ask.script.load_async(manager).await?;
            ask.command.query_async(manager).await
        }
        other => other,
    }
}

/// The connection broke. A timeout is not that: its time is spent.
fn is_lost(error: &RedisError) -> bool {
    error.is_connection_dropped() || (error.is_io_error() && !error.is_timeout())
}

fn connection_info(url: &str) -> Result<ConnectionInfo> {
    let info = url.into_connection_info().map_err(|_| {
        Error::Unsuitable(
            "the redis url is malformed: expected redis://[user:password@]host:port/database, or rediss:// for TLS"
                .into(),
        )
    })?;
    let tcp = info.tcp_settings().clone().set_nodelay(true);
    // RESP3 tells of a broken connection at once, so that an idle lane
    // reconnects before its next verb needs it.
    let redis = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_tcp_settings(tcp).set_redis_settings(redis))
}

/// Whether the server refuses who we are, or what we may do.
pub(super) fn is_refusal(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm) => true,
        ErrorKind::Extension => matches!(error.code(), Some("NOAUTH" | "WRONGPASS")),
        _ => false,
    }
}

/// Whether the server turns a new connection down for having too many, which it
/// says before any command of ours.
fn is_full_of_clients(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ResponseError)
    ) && error
        .detail()
        .is_some_and(|detail| detail.contains("max number of clients"))
}

/// What an error means after a start that succeeded. A password that rotates
/// is refused for a while, and nothing may be given up for that: somebody is
/// about to mend it, and work waits as it does for a server that is away.
pub(super) fn classify_running(error: &RedisError) -> Error {
    match classify(error) {
        Error::Unsuitable(reason) if is_refusal(error) => Error::Unavailable(reason),
        other => other,
    }
}

/// What an error of the client means to the one who asked, at a start.
pub(super) fn classify(error: &RedisError) -> Error {
    let detail = || keys::shorten(error.detail().unwrap_or_else(|| error.category()));
    match error.kind() {
        _ if is_refusal(error) => refused(&detail()),
        ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => {
            Error::Unsuitable(format!("redis cannot be used: {}", detail()))
        }
        _ if is_full_of_clients(error) => Error::Unavailable(detail()),
        ErrorKind::Server(
            ServerErrorKind::ResponseError
            | ServerErrorKind::ExecAbort
            | ServerErrorKind::CrossSlot
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask,
        ) => Error::Corrupt(format!("redis refused a script: {error}")),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Error::Corrupt(detail()),
        ErrorKind::Extension => match error.code().unwrap_or_default() {
            "OOM" => Error::Full("redis has reached its maxmemory".into()),
            "WRONGTYPE" => Error::Corrupt(detail()),
            code => Error::Unavailable(format!("{code} {}", detail())),
        },
        _ if error.is_timeout() => Error::Unavailable("redis did not answer in time".into()),
        _ => Error::Unavailable(keys::shorten(&error.to_string())),
    }
}

fn refused(detail: &str) -> Error {
    Error::Unsuitable(format!(
        "redis refuses access: {detail}; check the user and password in the url, and that the user may run scripts"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_url_is_refused_without_being_quoted() {
        for url in ["http://user:hunter2@host", "redis://:hunter2@host:port", ""] {
            let error = connection_info(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("redis://"), "{error}");
        }
    }

    #[test]
    fn the_connection_is_quick_and_notices_its_end() {
        let info = connection_info("redis://localhost:6379/2").unwrap();
        assert!(info.tcp_settings().nodelay());
        assert_eq!(info.redis_settings().protocol(), ProtocolVersion::RESP3);
        assert_eq!(info.redis_settings().db(), 2);
    }

    #[test]
    fn errors_are_told_apart() {
        let full = redis::make_extension_error("OOM".into(), Some("maxmemory".into()));
        assert!(matches!(classify(&full), Error::Full(_)));
        let reset = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(is_lost(&reset));
        assert!(matches!(classify(&reset), Error::Unavailable(_)));
        let late = RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert!(!is_lost(&late));
        for code in ["NOAUTH", "WRONGPASS"] {
            let refused = redis::make_extension_error(code.into(), Some("no".into()));
            assert!(matches!(classify(&refused), Error::Unsuitable(_)));
            assert!(matches!(classify_running(&refused), Error::Unavailable(_)));
        }
        let busy = redis::make_extension_error("BUSY".into(), None);
        assert!(classify(&busy).is_transient());
    }
}
