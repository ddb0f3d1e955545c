//! What the server must be, checked once when connecting.
//!
//! Invariant: a server that cannot run the scripts, or that holds tasks in
//! another layout, is refused with what to do; a server that may lose or refuse
//! work is warned about with the fix.
//!
//! Deliberately absent: turning one layout into another. A queue is drained
//! sooner than such code is proved.

use redis::Value;
use tracing::{info, warn};

use crate::store::{Error, Result};

use super::{
    connection::{Lane, Link},
    keys,
    reply::{self, Items},
    scripts::{self, Ask},
};

/// The first version whose scripts carry flags.
const OLDEST: (u32, u32) = (7, 0);

/// Checks the server behind the link, then what it holds.
pub(super) async fn check(link: &Link) -> Result<()> {
    server(link).await?;
    layout(link).await
}

/// Refuses tasks of another layout. A store without tasks becomes ours with the
/// first submission, not by being connected to.
async fn layout(link: &Link) -> Result<()> {
    let ask = Ask::new(&scripts::LAYOUT, link.base());
    let mut items = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    if items.is_empty() {
        return Ok(());
    }
    Err(other_layout(&mut items)?)
}

/// The refusal of a store, from the layout it is of and ours.
pub(super) fn other_layout(items: &mut Items) -> Result<Error> {
    let (found, ours) = (items.text()?, items.text()?);
    let found = match found.as_str() {
        "" => "the layout of an earlier version".to_owned(),
        number => format!("layout {}", keys::shorten(number)),
    };
    Ok(Error::Unsuitable(format!(
        "redis holds tasks in {found}, this version keeps them in layout {ours}; let the version that stored them finish them and forget them (its retention), stop it, and start this one; or give this one a database of its own: the number at the end of the redis url"
    )))
}

async fn server(link: &Link) -> Result<()> {
    let answer = link.command(&redis::cmd("INFO")).await;
    let text = match answer {
        Ok(Value::VerbatimString { text, .. }) => text,
        Ok(other) => reply::text(other)?,
        Err(Error::Unsuitable(reason)) if reason.contains("info") => {
            info!(
                "redis does not let us ask for INFO: version, eviction and persistence are unchecked"
            );
            return Ok(());
        }
        Err(e) => return Err(e),
    };
    version(&text)?;
    for problem in problems(&text) {
        warn!("{problem}");
    }
    Ok(())
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// Valkey reports the Redis version it stands for.
fn version(info: &str) -> Result<()> {
    let found = field(info, "redis_version").unwrap_or("unknown");
    let mut numbers = found.split('.').map(|part| part.parse::<u32>().ok());
    let (major, minor) = (numbers.next().flatten(), numbers.next().flatten());
    match (major, minor) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(()),
        _ => Err(Error::Unsuitable(format!(
            "redis {}.{} or newer (or valkey) is needed, this server is version {found}",
            OLDEST.0, OLDEST.1
        ))),
    }
}

fn problems(info: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    if field(info, "maxmemory_policy").is_some_and(|policy| policy != "noeviction") {
        found.push(
            "redis may evict accepted tasks when memory is full; fix: CONFIG SET maxmemory-policy noeviction",
        );
    }
    if field(info, "aof_enabled") == Some("0") {
        found.push(
            "redis forgets accepted tasks when it restarts; fix: CONFIG SET appendonly yes, then CONFIG REWRITE",
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_servers_are_refused_and_valkey_is_welcome() {
        assert!(version("redis_version:7.0.15\r\n").is_ok());
        assert!(version("redis_version:7.2.4\r\nserver_name:valkey\r\n").is_ok());
        assert!(version("redis_version:10.1.0\r\n").is_ok());
        let error = version("redis_version:6.2.14\r\n").unwrap_err().to_string();
        assert!(error.contains("6.2.14") && error.contains("7.0"), "{error}");
        assert!(version("").is_err());
    }

    #[test]
    fn eviction_and_forgetting_are_warned_about() {
        assert!(problems("maxmemory_policy:noeviction\r\naof_enabled:1\r\n").is_empty());
        let found = problems("maxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n");
        assert_eq!(found.len(), 2);
    }
}
