//! The limits of a sponsor analysis, listed in every output. All are hard: above them the input is refused.

use serde_json::{Value, json};

/// Sponsors of one analysis: each costs 2,000 draws, 50,000 of them some seconds.
pub(super) const MAX_SPONSORS: u64 = 50_000;
/// Gifts: a million are about 100 MB of JSON, more than a submission can carry.
pub(super) const MAX_GIFTS: u64 = 1_000_000;
/// Asks, as gifts.
pub(super) const MAX_ASKS: u64 = 1_000_000;
/// Interactions, as gifts.
pub(super) const MAX_INTERACTIONS: u64 = 1_000_000;
/// Ties: what a relationship mapping takes.
pub(super) const MAX_TIES: u64 = 2_000_000;
/// Draws behind each interval of an amount.
pub(super) const DRAWS: u32 = 2_000;

pub(super) fn listed() -> Value {
    json!({
        "max_sponsors": MAX_SPONSORS,
        "max_gifts": MAX_GIFTS,
        "max_asks": MAX_ASKS,
        "max_interactions": MAX_INTERACTIONS,
        "max_ties": MAX_TIES,
        "max_import_rows": crate::imports::MAX_ROWS,
        "draws": DRAWS,
    })
}
