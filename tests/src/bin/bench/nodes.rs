//! A private RabbitMQ and a private Redis for one run of the bench: the only module that knows how they are started.
//!
//! Invariant: nothing is shared with a node that happens to run on the machine (own ports, own Erlang port mapper,
//! own home), and nothing is left behind. Every system measured gets an empty virtual host and an empty database.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{self, Group};

/// RabbitMQ's own scripts; the wrappers on PATH insist on the system's user and node.
const RABBITMQ_BIN: &str = "/usr/lib/rabbitmq/bin";
/// The virtual host that every system uses, recreated before each.
const VHOST: &str = "bench";
const POLL: Duration = Duration::from_millis(50);
/// Erlang takes a few seconds on a busy machine; a minute means that it will not come.
const START_WITHIN: Duration = Duration::from_mins(1);

/// The running nodes; dropped, they are gone.
pub(crate) struct Nodes {
    rabbit: Rabbit,
    redis: Redis,
}

impl Nodes {
    /// Starts both under `dir` and waits until they answer.
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        let rabbit = Rabbit::start(dir).context("rabbitmq")?;
        let redis = Redis::start(dir).context("redis")?;
        Ok(Self { rabbit, redis })
    }

    /// An empty virtual host, an empty database and a short append-only file.
    pub(crate) fn wipe(&mut self) -> Result<()> {
        self.rabbit.group.check()?;
        self.redis.group.check()?;
        self.rabbit.recreate_vhost()?;
        self.redis.empty()
    }

    /// The broker with the current virtual host.
    pub(crate) fn amqp_url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/{VHOST}", self.rabbit.port)
    }

    /// The Redis server, database 0.
    pub(crate) fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.redis.port)
    }

    /// Bytes that Redis holds now.
    pub(crate) fn redis_memory(&self) -> Result<f64> {
        let info = self.redis.command("INFO memory")?;
        let bytes = field(&info, "used_memory:").context("redis did not say its memory")?;
        Ok(bytes.parse()?)
    }

    /// Processor time used so far, seconds: RabbitMQ, Redis.
    pub(crate) fn cpu_seconds(&self) -> Result<(f64, f64)> {
        Ok((
            self.rabbit.group.cpu_seconds()?,
            self.redis.group.cpu_seconds()?,
        ))
    }

    /// Name and version of both, and the setting that decides what Redis can lose.
    pub(crate) fn versions(&self) -> Result<[(String, String); 4]> {
        let info = self.redis.command("INFO server")?;
        let redis = field(&info, "redis_version:").context("redis did not say its version")?;
        let fsync = self.redis.command("CONFIG GET appendfsync")?;
        let fsync = fsync.lines().last().unwrap_or_default().to_owned();
        let rabbit = self
            .rabbit
            .eval("{ok, V} = application:get_key(rabbit, vsn), V.")?;
        let erlang = self.rabbit.eval("erlang:system_info(otp_release).")?;
        Ok([
            ("rabbitmq".to_owned(), unquoted(&rabbit)),
            ("erlang".to_owned(), unquoted(&erlang)),
            ("redis".to_owned(), redis),
            ("redis appendfsync".to_owned(), fsync),
        ])
    }
}

struct Rabbit {
    port: u16,
    home: PathBuf,
    epmd_port: u16,
    node: String,
    group: Group,
    _epmd: Group,
}

impl Rabbit {
    fn start(dir: &Path) -> Result<Self> {
        let home = dir.join("rabbitmq");
        std::fs::create_dir_all(&home)?;
        // Started by us and in the foreground: the one that a node starts for itself is a daemon and would stay.
        let epmd_port = process::free_port()?;
        let mut epmd = Command::new("epmd");
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]);
        let epmd = Group::spawn(&mut epmd, dir, "epmd")?;
        let port = process::free_port()?;
        let node = format!("bench{port}@localhost");
        let plugins = home.join("enabled_plugins");
        std::fs::write(&plugins, "[].\n")?;
        let mut server = Command::new(format!("{RABBITMQ_BIN}/rabbitmq-server"));
        server
            .current_dir(&home)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", process::free_port()?.to_string())
            .env("RABBITMQ_MNESIA_BASE", home.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", home.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", &plugins)
            .env("RABBITMQ_PID_FILE", home.join("pid"));
        node_environment(&mut server, &home, epmd_port, &node);
        let group = Group::spawn(&mut server, dir, "rabbitmq")?;
        let mut rabbit = Self {
            port,
            home,
            epmd_port,
            node,
            group,
            _epmd: epmd,
        };
        process::wait_until("the broker's port", START_WITHIN, POLL, || {
            rabbit.group.check()?;
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
        Ok(rabbit)
    }

    /// Deleting the virtual host deletes all that the last system declared; one call, as each starts an Erlang.
    fn recreate_vhost(&self) -> Result<()> {
        let steps = format!(
            "catch rabbit_vhost:delete(<<\"{VHOST}\">>, <<\"bench\">>), \
             rabbit_vhost:add(<<\"{VHOST}\">>, <<\"bench\">>), \
             rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, <<\"{VHOST}\">>, \
             <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"bench\">>)."
        );
        let answer = self.eval(&steps)?;
        if answer.trim() != "ok" {
            bail!("the virtual host could not be recreated: {answer}");
        }
        Ok(())
    }

    fn eval(&self, expression: &str) -> Result<String> {
        let mut command = Command::new(format!("{RABBITMQ_BIN}/rabbitmqctl"));
        command.args(["--quiet", "eval", expression]);
        node_environment(&mut command, &self.home, self.epmd_port, &self.node);
        process::output(&mut command)
    }
}

/// What server and control script must agree on; the cookie lies in HOME.
fn node_environment(command: &mut Command, home: &Path, epmd_port: u16, node: &str) {
    command
        .env("HOME", home)
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("RABBITMQ_NODENAME", node);
}

struct Redis {
    port: u16,
    group: Group,
}

impl Redis {
    fn start(dir: &Path) -> Result<Self> {
        let home = dir.join("redis");
        std::fs::create_dir_all(&home)?;
        let port = process::free_port()?;
        let mut server = Command::new("redis-server");
        server
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "everysec", "--port", &port.to_string()])
            .args(["--maxmemory-policy", "noeviction", "--dir"])
            .arg(&home);
        let group = Group::spawn(&mut server, dir, "redis")?;
        let mut redis = Self { port, group };
        process::wait_until("redis to answer", START_WITHIN, POLL, || {
            redis.group.check()?;
            Ok(redis.command("PING").is_ok_and(|pong| pong == "PONG"))
        })?;
        Ok(redis)
    }

    /// A long append-only file would be rewritten in the middle of somebody's measurement: it is rewritten here.
    fn empty(&self) -> Result<()> {
        self.command("FLUSHALL SYNC")?;
        self.command("BGREWRITEAOF")?;
        process::wait_until("the rewrite of the log", START_WITHIN, POLL, || {
            let info = self.command("INFO persistence")?;
            let idle = |name| field(&info, name).as_deref() == Some("0");
            Ok(idle("aof_rewrite_in_progress:") && idle("aof_rewrite_scheduled:"))
        })
    }

    /// One inline command on a connection of its own; the answer without its RESP framing.
    fn command(&self, line: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        read_reply(&mut BufReader::new(stream)).with_context(|| format!("redis: {line}"))
    }
}

fn read_reply(reader: &mut impl BufRead) -> Result<String> {
    let mut head = String::new();
    reader.read_line(&mut head)?;
    let head = head.trim_end();
    let (kind, rest) = head.split_at_checked(1).context("an empty reply")?;
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "$" => {
            let mut bytes = vec![0; rest.parse::<usize>()? + 2];
            reader.read_exact(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
        }
        "*" => {
            let items: Result<Vec<_>> = (0..rest.parse::<usize>()?)
                .map(|_| read_reply(reader))
                .collect();
            Ok(items?.join("\n"))
        }
        _ => bail!("{head}"),
    }
}

fn field(info: &str, name: &str) -> Option<String> {
    let value = info.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().to_owned())
}

fn unquoted(term: &str) -> String {
    term.trim().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_to_their_end() {
        let read = |text: &str| read_reply(&mut BufReader::new(text.as_bytes()));
        assert_eq!(read("+PONG\r\n").unwrap(), "PONG");
        assert_eq!(read("$4\r\na\r\nb\r\n").unwrap(), "a\r\nb");
        assert_eq!(read("*2\r\n$1\r\na\r\n$1\r\nb\r\n").unwrap(), "a\nb");
        assert!(read("-ERR no\r\n").is_err());
        assert!(read("").is_err());
    }
}
