//! The harness's RabbitMQ and Redis as the bench needs them: emptied before each system, with their versions, memory
//! and processor time.
//!
//! Invariant: every system measured gets an empty virtual host and an empty database on the same two servers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use redis::Client;
use zerogate_tests::rabbit::{self, Rabbit};
use zerogate_tests::redis::{Fsync, Redis, RedisOptions};

use crate::process;

const POLL: Duration = Duration::from_millis(50);
/// Rewriting the log of an empty database takes milliseconds; a busy disk may take its time.
const REWRITE_WITHIN: Duration = Duration::from_mins(1);

/// The running nodes; dropped, they are gone.
pub(crate) struct Nodes {
    rabbit: Rabbit,
    redis: Redis,
}

impl Nodes {
    /// Starts both and waits until they answer.
    pub(crate) fn start() -> Result<Self> {
        let durability = RedisOptions {
            fsync: Fsync::EverySecond,
            ..RedisOptions::default()
        };
        Ok(Self {
            rabbit: Rabbit::start(1)?,
            redis: Redis::start(durability)?,
        })
    }

    /// An empty virtual host, an empty database and a short append-only file.
    pub(crate) fn wipe(&self) -> Result<()> {
        self.recreate_vhost()?;
        self.empty_redis()
    }

    /// The broker with the one virtual host that every system uses.
    pub(crate) fn amqp_url(&self) -> String {
        self.rabbit.url(&rabbit::vhost_name(0))
    }

    /// The Redis server, database 0.
    pub(crate) fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// Bytes that Redis holds now.
    pub(crate) fn redis_memory(&self) -> Result<f64> {
        let bytes = self.redis_fact("memory", "used_memory")?;
        Ok(bytes.parse()?)
    }

    /// Processor time used so far, seconds: RabbitMQ, Redis.
    pub(crate) fn cpu_seconds(&self) -> Result<(f64, f64)> {
        let rabbit = self.rabbit.node_pid().context("rabbitmq is gone")?;
        let redis = self.redis.pid().context("redis is gone")?;
        Ok((process::cpu_seconds(rabbit)?, process::cpu_seconds(redis)?))
    }

    /// Name and version of all parts, and the setting that decides what Redis can lose.
    pub(crate) fn versions(&self) -> Result<[(String, String); 4]> {
        let rabbit = "{ok, Version} = application:get_key(rabbit, vsn), Version.";
        let rabbit = self.rabbit.evaluate(rabbit)?;
        let erlang = self.rabbit.evaluate("erlang:system_info(otp_release).")?;
        let redis = self.redis_fact("server", "redis_version")?;
        let (_, fsync): (String, String) = self.redis_command(&["CONFIG", "GET", "appendfsync"])?;
        Ok([
            ("rabbitmq".to_owned(), rabbit.trim_matches('"').to_owned()),
            ("erlang".to_owned(), erlang.trim_matches('"').to_owned()),
            ("redis".to_owned(), redis),
            ("redis appendfsync".to_owned(), fsync),
        ])
    }

    /// Deleting the virtual host deletes all that the last system declared; one call, as each starts an Erlang.
    fn recreate_vhost(&self) -> Result<()> {
        let vhost = rabbit::vhost_name(0);
        let steps = format!(
            "rabbit_vhost:delete(<<\"{vhost}\">>, <<\"bench\">>), \
             rabbit_vhost:add(<<\"{vhost}\">>, <<\"bench\">>), \
             rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, <<\"{vhost}\">>, \
             <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"bench\">>)."
        );
        let answer = self.rabbit.evaluate(&steps)?;
        if answer != "ok" {
            bail!("the virtual host could not be recreated: {answer}");
        }
        Ok(())
    }

    /// A long append-only file would be rewritten in the middle of somebody's measurement: it is rewritten here.
    fn empty_redis(&self) -> Result<()> {
        self.redis_command::<()>(&["FLUSHALL", "SYNC"])?;
        self.redis_command::<()>(&["BGREWRITEAOF"])?;
        process::wait_until("the rewrite of the log", REWRITE_WITHIN, POLL, || {
            let running = self.redis_fact("persistence", "aof_rewrite_in_progress")?;
            let scheduled = self.redis_fact("persistence", "aof_rewrite_scheduled")?;
            Ok(running == "0" && scheduled == "0")
        })
    }

    fn redis_fact(&self, section: &str, name: &str) -> Result<String> {
        let info: String = self.redis_command(&["INFO", section])?;
        let value = info
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value
            .with_context(|| format!("redis did not say its {name}"))?
            .trim()
            .to_owned())
    }

    /// On a connection of its own: it is asked between the measurements only.
    fn redis_command<T: redis::FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let mut connection = Client::open(self.redis.url())?.get_connection()?;
        let mut command = redis::cmd(words.first().context("a command has a name")?);
        command.arg(&words[1..]);
        command
            .query(&mut connection)
            .with_context(|| format!("redis: {}", words.join(" ")))
    }
}
