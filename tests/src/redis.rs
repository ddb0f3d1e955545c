//! A private redis-server: own folder and port, with the durability under test; stop, kill, freeze, and lose a tail.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::Process;
use crate::wait::{self, Look};
use crate::{nursery, ports, settings};

/// Redis is up in some 20 ms; a large append-only file takes longer to load.
const START: Duration = Duration::from_secs(30);

/// When Redis forces its append-only file to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Before every answer: what was acknowledged is never lost.
    Always,
    /// Once a second: a crash of the machine loses about a second, sometimes two.
    EverySecond,
}

/// How the server is configured.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Durability of the append-only file.
    pub fsync: Fsync,
    /// `maxmemory` in bytes with the policy `noeviction`; none means no limit.
    pub max_memory: Option<u64>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            fsync: Fsync::EverySecond,
            max_memory: None,
        }
    }
}

/// One Redis server. Dropping it kills the server and removes the data.
#[derive(Debug)]
pub struct Redis {
    server: Option<Process>,
    port: u16,
    options: RedisOptions,
    folder: TempDir,
}

impl Redis {
    /// Starts a fresh server and waits until it answers.
    pub fn start(options: RedisOptions) -> Result<Self> {
        let mut redis = Self {
            server: None,
            port: ports::free()?,
            options,
            folder: TempDir::with_prefix("zerogate-redis-").context("make Redis' folder")?,
        };
        redis.start_again()?;
        Ok(redis)
    }

    /// Starts the server on the data it has and waits until the data is loaded.
    pub fn start_again(&mut self) -> Result<()> {
        if self.server.is_some() {
            bail!("Redis runs already");
        }
        let program = settings::executable("redis-server", &[]).context(
            "no redis-server found: install it (`apt-get install redis-server`; tests/run does)",
        )?;
        let mut command = nursery::command(program);
        command
            .env_clear()
            .env("LANG", "C.UTF-8")
            .current_dir(self.folder.path())
            .args(self.arguments());
        let log = self.folder.path().join("redis.out");
        let mut server = Process::start("redis", command, &log)?;
        let port = self.port;
        wait::until_strict("Redis to answer", START, || {
            if !server.is_running()? {
                let end = crate::process::tail(&log, 20);
                bail!("Redis ended while starting; its last words:\n{end}");
            }
            let answers = ping(port).is_ok_and(|answer| answer.starts_with("+PONG"));
            Ok(Look::when(answers, "no PONG yet"))
        })?;
        self.server = Some(server);
        Ok(())
    }

    /// Stops the server cleanly (SIGTERM): it writes everything first.
    pub fn stop(&mut self) -> Result<()> {
        let mut server = self.server.take().context("Redis does not run")?;
        server.terminate()?;
        server.wait_exit(START)?;
        Ok(())
    }

    /// SIGKILL in mid-work; data and port stay.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().context("Redis does not run")?.kill()
    }

    /// SIGSTOP: connections stay open and nothing is answered.
    pub fn freeze(&mut self) -> Result<()> {
        self.server.as_mut().context("Redis does not run")?.freeze()
    }

    /// SIGCONT after [`freeze`](Self::freeze).
    pub fn thaw(&mut self) -> Result<()> {
        self.server.as_mut().context("Redis does not run")?.thaw()
    }

    /// How much the append-only file holds now: a point that [`lose_after`](Self::lose_after) can return to.
    pub fn written(&self) -> Result<u64> {
        let file = self.append_only_file()?;
        Ok(file
            .metadata()
            .context("look at the append-only file")?
            .len())
    }

    /// Cuts the killed server's append-only file back to an earlier size: what a crash of the whole machine does to
    /// writes that were acknowledged but not yet forced to the disk. (SIGKILL alone loses nothing: the kernel has them.)
    pub fn lose_after(&mut self, size: u64) -> Result<()> {
        if self.server.is_some() {
            bail!("kill Redis before taking its last writes away");
        }
        self.append_only_file()?
            .set_len(size)
            .context("cut the append-only file")
    }

    /// The URL of database 0.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The process id of the running server.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Process::pid)
    }

    fn append_only_file(&self) -> Result<std::fs::File> {
        let path = self.append_only_path()?;
        std::fs::File::options()
            .write(true)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))
    }

    /// Redis 7 keeps a folder with a base and increments; before that it was one file.
    fn append_only_path(&self) -> Result<PathBuf> {
        let folder = self.folder.path().join("appendonlydir");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return Ok(self.folder.path().join("appendonly.aof"));
        };
        let mut increments: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
            .collect();
        increments.sort();
        increments
            .pop()
            .context("Redis has no append-only increment")
    }

    fn arguments(&self) -> Vec<String> {
        let fsync = match self.options.fsync {
            Fsync::Always => "always",
            Fsync::EverySecond => "everysec",
        };
        let port = self.port.to_string();
        let memory = self.options.max_memory.unwrap_or(0).to_string();
        let pairs = [
            ("--port", port.as_str()),
            ("--bind", "127.0.0.1"),
            ("--save", ""),
            ("--appendonly", "yes"),
            ("--appendfsync", fsync),
            ("--aof-load-truncated", "yes"),
            ("--maxmemory", memory.as_str()),
            ("--maxmemory-policy", "noeviction"),
            ("--daemonize", "no"),
        ];
        pairs
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value.to_owned()])
            .collect()
    }
}

fn ping(port: u16) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("connect to Redis")?;
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .context("limit the wait")?;
    stream.write_all(b"PING\r\n").context("ask Redis")?;
    let mut answer = [0_u8; 64];
    let length = stream.read(&mut answer).context("hear Redis")?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(redis: &Redis, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", redis.port)).unwrap();
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .unwrap();
        let mut answer = [0_u8; 256];
        let length = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    #[test]
    fn a_killed_server_keeps_its_data_and_a_cut_file_loses_only_the_tail() {
        let mut redis = Redis::start(RedisOptions {
            fsync: Fsync::Always,
            max_memory: Some(64 << 20),
        })
        .unwrap();
        assert!(say(&redis, "CONFIG GET appendfsync").contains("always"));
        assert!(say(&redis, "CONFIG GET maxmemory-policy").contains("noeviction"));
        say(&redis, "SET kept 1");
        let mark = redis.written().unwrap();
        say(&redis, "SET lost 1");
        redis.kill().unwrap();
        redis.start_again().unwrap();
        assert!(say(&redis, "GET lost").contains('1'));
        redis.kill().unwrap();
        redis.lose_after(mark).unwrap();
        redis.start_again().unwrap();
        assert!(say(&redis, "GET kept").contains('1'));
        assert!(say(&redis, "GET lost").starts_with("$-1"));
    }

    #[test]
    fn a_frozen_server_is_silent_and_a_dropped_one_is_gone() {
        let mut redis = Redis::start(RedisOptions::default()).unwrap();
        let port = redis.port;
        redis.freeze().unwrap();
        assert!(ping(port).is_err());
        redis.thaw().unwrap();
        assert!(ping(port).unwrap().starts_with("+PONG"));
        redis.freeze().unwrap();
        drop(redis);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}
