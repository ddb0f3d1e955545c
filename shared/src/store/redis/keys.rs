//! How things are named in Redis: keys, routes, queues.
//!
//! Invariant: every key begins with the base, whose hash tag `{00}` is the
//! shard, so that a script only ever touches one node of a cluster. Scripts
//! build the rest of a key themselves (`lua/core.lua`).
//!
//! The alphabets of types and tenants contain no `:` and no `|`.

use std::time::Duration;

use crate::{
    model::{Priority, Route, Stamp, TenantId, TypeName},
    store::{Error, Result},
};

/// The shard of an installation with one store. More shards need mode, window
/// and fairness across them; the names are ready for it.
const SHARD: u8 = 0;

/// The beginning of every key of the shard.
pub(super) fn base(prefix: &str) -> String {
    format!("{prefix}:{{{SHARD:02}}}:")
}

/// The channel of the news.
pub(super) fn news(base: &str) -> String {
    format!("{base}news")
}

/// A route as scripts name it: `rank:type`.
pub(super) fn route(route: &Route) -> String {
    format!("{}:{}", route.priority.rank(), route.workflow_type)
}

/// A tenant's part of a route: `rank:type:tenant`.
pub(super) fn queue(priority: Priority, workflow_type: &TypeName, tenant: &TenantId) -> String {
    format!("{}:{workflow_type}:{tenant}", priority.rank())
}

/// Reads [`route`].
pub(super) fn parse_route(text: &str) -> Result<Route> {
    let parsed = text.split_once(':').and_then(|(rank, name)| {
        let priority = Priority::from_rank(rank.parse().ok()?)?;
        Some(Route::new(name.parse().ok()?, priority))
    });
    parsed.ok_or_else(|| Error::Corrupt(format!("`{}` is not a route", shorten(text))))
}

/// Reads [`queue`].
pub(super) fn parse_queue(text: &str) -> Result<(Route, TenantId)> {
    let bad = || Error::Corrupt(format!("`{}` is not a queue", shorten(text)));
    let (front, tenant) = text.rsplit_once(':').ok_or_else(bad)?;
    Ok((parse_route(front)?, tenant.parse().map_err(|_| bad())?))
}

/// Whole microseconds, at most what a double holds exactly.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .min(Stamp::MAX.micros().unsigned_abs())
}

/// Enough of a text to recognise it by.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_the_shard_as_their_hash_tag() {
        assert_eq!(base("zg"), "zg:{00}:");
        assert_eq!(news(&base("zg")), "zg:{00}:news");
    }

    #[test]
    fn routes_and_queues_come_back() {
        let name: TypeName = "diagnostic.noop".parse().unwrap();
        let tenant: TenantId = "acme_1".parse().unwrap();
        for priority in Priority::ALL {
            let wanted = Route::new(name.clone(), priority);
            assert_eq!(parse_route(&route(&wanted)).unwrap(), wanted);
            let text = queue(priority, &name, &tenant);
            assert_eq!(parse_queue(&text).unwrap(), (wanted, tenant.clone()));
        }
        for bad in ["", "4:x", "x", "1:", "1:Bad"] {
            assert!(parse_route(bad).is_err(), "{bad}");
            assert!(parse_queue(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_stay_exact_as_doubles() {
        assert_eq!(micros(Duration::MAX), (1 << 53) - 1);
        assert_eq!(micros(Duration::from_millis(3)), 3000);
    }
}
