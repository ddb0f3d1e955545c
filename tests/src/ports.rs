//! Free loopback ports that no other test of this machine takes at the same time.
//!
//! Ports come from below the ephemeral range, so an outgoing connection never lands on one between its choice and its
//! use, and each is reserved by a file lock until the test process ends, so parallel tests never meet. A restarted
//! server comes back on its old port.

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// Below Linux's ephemeral range (32768 and up), above what machines commonly serve on.
const FIRST: u16 = 15_000;
const LAST: u16 = 31_999;

/// Locks live as long as the process: the kernel frees them with it, however it ends.
static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on 127.0.0.1 that is free now and stays ours until this process ends.
pub fn free() -> Result<u16> {
    let folder = folder()?;
    let range = LAST - FIRST + 1;
    // Processes start at different places, so that they rarely try each other's ports.
    let start = u16::try_from(u64::from(std::process::id()) * 97 % u64::from(range))
        .context("start within the range")?;
    for _ in 0..range {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % range;
        let port = FIRST + (start + step) % range;
        if let Some(lock) = reserve(&folder, port)? {
            RESERVED
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(lock);
            return Ok(port);
        }
    }
    bail!("no free loopback port between {FIRST} and {LAST}")
}

fn folder() -> Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let folder = std::env::temp_dir().join(format!("zerogate-test-ports-{user}"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("create the port reservations in {}", folder.display()))?;
    Ok(folder)
}

fn reserve(folder: &std::path::Path, port: u16) -> Result<Option<File>> {
    let path = folder.join(port.to_string());
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("open the port reservation {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error).context("lock a port reservation"),
    }
    Ok(TcpListener::bind(("127.0.0.1", port))
        .is_ok()
        .then_some(lock))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..50).map(|_| free().unwrap()).collect();
        let distinct: BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(ports.len(), distinct.len());
        for port in ports {
            TcpListener::bind(("127.0.0.1", port)).unwrap();
        }
    }
}
