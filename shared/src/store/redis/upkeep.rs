//! The sweep: everything whose time has come.

use std::time::Duration;

use crate::store::{
    Result,
    verbs::{Overdue, Sweep, Swept},
};

use super::{
    connection::{Lane, Link},
    keys,
    reply::Items,
    scripts::{self, Ask},
};

/// Sweeps once. A sweep whose answer was lost has done its work all the same.
pub(super) async fn sweep(link: &Link, sweep: Sweep) -> Result<Swept> {
    let mut ask = Ask::new(&scripts::SWEEP, link.base());
    ask.arg(keys::micros(sweep.outage_after))
        .arg(keys::micros(sweep.lease))
        .arg(sweep.lapse_cap)
        .arg(keys::micros(sweep.retention))
        .arg(sweep.limit);
    let mut items = Items::of(link.ask(Lane::Verbs, &ask).await?)?;
    Ok(Swept {
        due: items.small()?,
        takes_lapsed: items.small()?,
        leases_lapsed: items.small()?,
        workers_lost: items.small()?,
        expired: items.small()?,
        reaped: items.small()?,
        outage: items.int()? != 0,
        more: items.int()? != 0,
        next_due: u64::try_from(items.int()?).ok().map(Duration::from_micros),
        overdue: overdue(items.items()?)?,
        files_expired: items.small()?,
    })
}

fn overdue(mut items: Items) -> Result<Vec<Overdue>> {
    let mut found = Vec::new();
    while !items.is_empty() {
        found.push(Overdue {
            route: keys::parse_route(&items.text()?)?,
            tasks: items.small()?,
            slips: items.small()?,
        });
    }
    found.sort_unstable_by(|a, b| a.route.cmp(&b.route));
    Ok(found)
}
