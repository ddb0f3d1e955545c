//! Entity resolution against data with known truth, and against what must hold on any data.

mod febrl;
mod partition;

use std::borrow::Cow;

use serde_json::Value;

use super::{Entities, Plan, resolve::Resolution, resolve::resolve};
use crate::Run;

/// The plan of a parameter.
fn plan(settings: &Value) -> Plan {
    let settings: Entities = serde_json::from_value(settings.clone()).unwrap();
    Plan::new(&settings, "/entities").unwrap()
}

/// Resolves rows that bring the columns of the plan in its order.
fn resolved(plan: &Plan, rows: &[Vec<String>]) -> Resolution {
    let rows = rows.iter().map(|row| {
        row.iter()
            .map(|text| Cow::Borrowed(text.as_str()))
            .collect()
    });
    resolve(plan, rows, &Run::unattended()).unwrap()
}
