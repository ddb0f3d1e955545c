//! Operators' standing orders.

use redis::Value;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracing::warn;

use crate::{
    model::{ProfileName, Stamp, WorkerId},
    store::{
        Error, Result,
        verbs::{DrainOrder, FeatureOrder, Order, Orders, ProfileOrder},
    },
};

use super::{
    connection::{Lane, Link},
    keys,
    reply::{self, Items},
    scripts::{self, Ask},
};

/// What is stored of an order beside its times.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Said<T> {
    what: T,
    by: String,
    reason: String,
}

/// Gives an order.
pub(super) async fn give(link: &Link, order: Order) -> Result<Orders> {
    order.check()?;
    let mut ask = Ask::new(&scripts::ORDER, link.base());
    match order {
        Order::Feature {
            feature,
            state,
            by,
            reason,
            lasts,
        } => ask
            .arg(format!("f:{feature}"))
            .arg(said(state, by, reason)?)
            .arg(keys::micros(lasts)),
        Order::Profile {
            worker,
            profile,
            by,
            reason,
        } => {
            let field = worker.map_or("p".to_owned(), |worker| format!("wp:{worker}"));
            ask.arg(field).arg(said(profile, by, reason)?).arg("")
        }
        Order::Drain {
            worker,
            drain,
            by,
            reason,
        } => {
            let drain = drain.then_some(true);
            let field = format!("wd:{worker}");
            ask.arg(field).arg(said(drain, by, reason)?).arg("")
        }
    };
    orders(link.ask(Lane::Verbs, &ask).await?)
}

/// The text of an order; nothing to withdraw it.
fn said<T: Serialize>(what: Option<T>, by: String, reason: String) -> Result<String> {
    let Some(what) = what else {
        return Ok(String::new());
    };
    serde_json::to_string(&Said { what, by, reason })
        .map_err(|e| Error::Corrupt(format!("an order that is not JSON: {e}")))
}

/// The standing orders.
pub(super) async fn standing(link: &Link) -> Result<Orders> {
    let ask = Ask::new(&scripts::ORDERS, link.base());
    orders(link.ask(Lane::Verbs, &ask).await?)
}

/// One that cannot be read, because a newer version gave it, is left out.
fn orders(value: Value) -> Result<Orders> {
    let mut items = Items::of(value)?;
    let now = Stamp::from_micros(items.int()?);
    let mut fields = items.items()?;
    let mut orders = Orders::default();
    while !fields.is_empty() {
        let (field, text) = (fields.text()?, fields.text()?);
        if field == "v" {
            orders.version = reply::number(&text)?;
        } else if add(&mut orders, &field, &text).is_none() {
            let field = keys::shorten(&field);
            warn!(field, "a standing order cannot be read");
        }
    }
    Ok(orders.standing_at(now))
}

/// Reads one field of the hash.
fn add(orders: &mut Orders, field: &str, text: &str) -> Option<()> {
    let (expires_at, rest) = text.split_once('|')?;
    let (at, text) = rest.split_once('|')?;
    let (expires_at, at) = (reply::stamp(expires_at).ok()?, reply::stamp(at).ok()?);
    if let Some(feature) = field.strip_prefix("f:") {
        let Said { what, by, reason } = parse::<bool>(text)?;
        orders.features.push(FeatureOrder {
            feature: feature.to_owned(),
            enabled: what,
            by,
            reason,
            at,
            expires_at,
            remaining_ms: 0,
        });
    } else if field == "p" {
        orders.profile = Some(profile(text, at)?);
    } else if let Some(name) = field.strip_prefix("wp:") {
        let worker: WorkerId = name.parse().ok()?;
        orders.workers.entry(worker).or_default().profile = Some(profile(text, at)?);
    } else {
        let worker: WorkerId = field.strip_prefix("wd:")?.parse().ok()?;
        let Said { by, reason, .. } = parse::<bool>(text)?;
        let drain = DrainOrder { by, reason, at };
        orders.workers.entry(worker).or_default().drain = Some(drain);
    }
    Some(())
}

fn profile(text: &str, at: Stamp) -> Option<ProfileOrder> {
    let Said { what, by, reason } = parse::<ProfileName>(text)?;
    Some(ProfileOrder {
        profile: what,
        by,
        reason,
        at,
    })
}

fn parse<T: DeserializeOwned + Default>(text: &str) -> Option<Said<T>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn an_order_that_cannot_be_read_hides_no_other() {
        let fields = [
            "v",
            "7",
            "f:a",
            "20|1|{\"what\":true}",
            "f:over",
            "10|1|{\"what\":true}",
            "p",
            "0|1|{\"what\":\"of a newer version\"}",
            "wd:w",
            "0|1|{\"what\":true,\"by\":\"x\"}",
            "wp:w",
            "nonsense",
            "of a newer version",
            "0|1|{}",
        ];
        let fields = fields.into_iter().map(bulk).collect();
        let value = Value::Array(vec![Value::Int(10), Value::Array(fields)]);
        let orders = orders(value).unwrap();
        assert_eq!(orders.version, 7);
        let names: Vec<_> = orders
            .features
            .iter()
            .map(|it| it.feature.as_str())
            .collect();
        assert_eq!((names, orders.profile), (vec!["a"], None));
        let worker = &orders.workers[&"w".parse().unwrap()];
        assert_eq!(worker.drain.as_ref().unwrap().by, "x");
        assert_eq!(worker.profile, None);
    }
}
