//! A private RabbitMQ node: own folder, own ports, own epmd, own cookie; needs no rights and touches no other node.
//!
//! The virtual hosts are made while the node boots, from a definitions file: 40 of them cost 0.7 s together, where one
//! `rabbitmqctl add_vhost` costs 1 to 2 s. epmd is started here in the foreground, because the one that Erlang would
//! start by itself is a daemon that outlives the node.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::process::Process;
use crate::wait::{self, Look};
use crate::{nursery, ports, settings};

/// A node boots in about 7 s on two idle cores; other tests and builds may share them.
const BOOT: Duration = Duration::from_secs(90);

/// A clean stop takes 1 to 3 s; it closes every queue first.
const STOP: Duration = Duration::from_mins(1);

/// One RabbitMQ node. Dropping it kills the node and its epmd and removes the data.
#[derive(Debug)]
pub struct Rabbit {
    node: Option<Process>,
    epmd: Process,
    port: u16,
    dist_port: u16,
    epmd_port: u16,
    folder: TempDir,
}

impl Rabbit {
    /// Boots a fresh node with the given number of virtual hosts, named by [`vhost_name`].
    pub fn start(vhosts: usize) -> Result<Self> {
        let folder = TempDir::with_prefix("zerogate-rabbit-").context("make the node's folder")?;
        let epmd_port = ports::free()?;
        write_configuration(folder.path(), vhosts)?;
        let epmd = start_epmd(folder.path(), epmd_port)?;
        let mut rabbit = Self {
            node: None,
            epmd,
            port: ports::free()?,
            dist_port: ports::free()?,
            epmd_port,
            folder,
        };
        rabbit.start_again()?;
        Ok(rabbit)
    }

    /// Boots the node on the data it has, after [`stop`](Self::stop), [`kill`](Self::kill) or [`wipe`](Self::wipe).
    pub fn start_again(&mut self) -> Result<()> {
        if self.node.is_some() {
            bail!("the RabbitMQ node runs already");
        }
        self.boot()?;
        self.wait_ready()
    }

    /// Stops the node cleanly; data and port stay.
    pub fn stop(&mut self) -> Result<()> {
        let mut node = self.node.take().context("the RabbitMQ node does not run")?;
        node.terminate()?;
        node.wait_exit(STOP)?;
        Ok(())
    }

    /// Kills the node in mid-work; data and port stay.
    pub fn kill(&mut self) -> Result<()> {
        self.node
            .take()
            .context("the RabbitMQ node does not run")?
            .kill()
    }

    /// Removes every queue, exchange and message of the stopped node; it boots with fresh virtual hosts.
    pub fn wipe(&mut self) -> Result<()> {
        if self.node.is_some() {
            bail!("stop the RabbitMQ node before wiping it");
        }
        let data = self.path("mnesia");
        std::fs::remove_dir_all(&data).context("remove the node's data")?;
        std::fs::create_dir(&data).context("make the node's data folder")
    }

    /// The AMQP URL of one virtual host.
    #[must_use]
    pub fn url(&self, vhost: &str) -> String {
        url(self.port, vhost)
    }

    /// The AMQP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the node itself, while it runs.
    #[must_use]
    pub fn node_pid(&self) -> Option<u32> {
        self.node.as_ref().map(Process::pid)
    }

    /// Lets the running node evaluate Erlang expressions (`rabbitmqctl eval`), and gives the printed value.
    pub fn evaluate(&self, expressions: &str) -> Result<String> {
        let mut command = nursery::command(server_script()?.with_file_name("rabbitmqctl"));
        command
            .args(["--quiet", "eval", expressions])
            .env("HOME", self.path("home"))
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("RABBITMQ_NODENAME", self.node_name())
            .env("RABBITMQ_CONF_ENV_FILE", self.path("none.conf"));
        let output = command.output().context("run rabbitmqctl")?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            bail!("rabbitmqctl eval ended with {}: {problem}", output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The process ids of everything that was started for this node.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        self.node
            .iter()
            .map(Process::pid)
            .chain([self.epmd.pid()])
            .collect()
    }

    fn node_name(&self) -> String {
        format!("zerogate{}@localhost", self.port)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn boot(&mut self) -> Result<()> {
        let mut command = nursery::command(server_script()?);
        command
            .arg("-noinput")
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", settings::search_path())
            .env("LANG", "C.UTF-8")
            // Without this the script stays between us and the node as a shell that waits; with it, it becomes the node.
            .env("RABBITMQ_ALLOW_INPUT", "1")
            .env("HOME", self.path("home"))
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("RABBITMQ_NODENAME", self.node_name())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.dist_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.path("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.path("log"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", self.path("generated"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.path("plugins"))
            .env("RABBITMQ_PID_FILE", self.path("pid"))
            .env("RABBITMQ_CONFIG_FILE", self.path("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", self.path("none.config"))
            .env("RABBITMQ_CONF_ENV_FILE", self.path("none.conf"));
        self.node = Some(Process::start("rabbitmq", command, &self.path("node.out"))?);
        Ok(())
    }

    fn wait_ready(&mut self) -> Result<()> {
        let log = self.path("node.out");
        let port = self.port;
        let node = self.node.as_mut().context("the node was just started")?;
        wait::until_strict("RabbitMQ to answer", BOOT, || {
            if !node.is_running()? {
                let end = crate::process::tail(&log, 20);
                bail!("RabbitMQ ended while booting; its last words:\n{end}");
            }
            Ok(Look::when(speaks_amqp(port), "no AMQP answer yet"))
        })
    }
}

/// The name of the n-th virtual host of a node.
#[must_use]
pub fn vhost_name(n: usize) -> String {
    format!("t{n}")
}

/// The AMQP URL of a virtual host of the node on this port.
#[must_use]
pub fn url(port: u16, vhost: &str) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}/{vhost}")
}

fn write_configuration(folder: &Path, vhosts: usize) -> Result<()> {
    for name in ["home", "mnesia", "log", "generated"] {
        std::fs::create_dir(folder.join(name)).context("make a folder for the node")?;
    }
    let names: Vec<String> = (0..vhosts).map(vhost_name).collect();
    let definitions = json!({
        "users": [{"name": "guest", "password": "guest", "tags": ["administrator"]}],
        "vhosts": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "permissions": names.iter().map(|name| json!({
            "user": "guest", "vhost": name, "configure": ".*", "write": ".*", "read": ".*",
        })).collect::<Vec<_>>(),
    });
    let definitions_file = folder.join("definitions.json");
    std::fs::write(&definitions_file, definitions.to_string()).context("write the definitions")?;
    std::fs::write(folder.join("plugins"), "[].\n").context("write the plugin list")?;
    let configuration = format!(
        "load_definitions = {}\nlog.console = false\nlog.file.level = info\n\
         disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 1GB\n",
        definitions_file.display()
    );
    std::fs::write(folder.join("rabbitmq.conf"), configuration).context("write rabbitmq.conf")
}

fn start_epmd(folder: &Path, port: u16) -> Result<Process> {
    let installed = installed_below("/usr/lib/erlang", "erts-", "bin/epmd");
    let epmd = settings::executable("epmd", &installed)
        .context("no epmd: install rabbitmq-server (tests/run does), which brings Erlang")?;
    let mut command = nursery::command(epmd);
    command
        .args(["-port", &port.to_string(), "-address", "127.0.0.1"])
        .env_clear();
    let epmd = Process::start("epmd", command, &folder.join("epmd.out"))?;
    wait::until("epmd to listen", Duration::from_secs(10), || {
        let listens = TcpStream::connect(("127.0.0.1", port)).is_ok();
        Ok(Look::when(listens, "not yet"))
    })?;
    Ok(epmd)
}

/// The node's own start script. Debian's wrapper in /usr/sbin insists on root or the user rabbitmq; this one does not.
fn server_script() -> Result<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server")];
    for root in [
        "/usr/lib/rabbitmq/lib",
        "/opt",
        "/opt/homebrew/opt",
        "/usr/local/lib",
    ] {
        places.extend(installed_below(root, "rabbitmq", "sbin/rabbitmq-server"));
    }
    let found = places.into_iter().find(|place| place.is_file());
    found.or_else(|| settings::executable("rabbitmq-server", &[])).context(
        "no rabbitmq-server found: install it (`apt-get install rabbitmq-server`; tests/run does)",
    )
}

fn installed_below(root: &str, prefix: &str, file: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| starts_with(&entry.file_name(), prefix))
        .map(|entry| entry.path().join(file))
        .collect();
    found.sort();
    found
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.to_string_lossy().starts_with(prefix)
}

/// A listener that answers the protocol header is a broker that takes connections: the last boot step opens it.
fn speaks_amqp(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let patience = Some(Duration::from_secs(2));
    let mut answer = [0_u8; 8];
    stream.set_read_timeout(patience).is_ok()
        && stream.write_all(b"AMQP\x00\x00\x09\x01").is_ok()
        && stream.read_exact(&mut answer).is_ok()
}
