//! `GET /api/features`, `PUT /api/features/{name}`.
//!
//! Invariant: essential features are never switched off; every order has a
//! reason and an end, and is recorded.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shared::{model::Category, store::verbs::Order};
use tracing::warn;

use super::{
    body::Body,
    control::{MAX_REASON, NOBODY},
    problem::{Code, Problem},
};
use crate::{
    app::App,
    features::{self, Feature},
    submit::Fields,
};

/// Seconds that an order holds unless it says otherwise: an hour, so that
/// nothing stays switched by hand because somebody forgot it.
const DEFAULT_EXPIRY: u64 = 3600;
/// Seconds that an order holds at most: a day.
const MAX_EXPIRY: u64 = 86_400;

#[derive(Serialize)]
struct Features<'a> {
    features: Vec<Feature<'a>>,
}

/// What may be ordered.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Enabled,
    Disabled,
    Auto,
}

struct Asked {
    state: Option<bool>,
    reason: String,
    lasts: Duration,
}

/// Every feature.
pub(super) async fn all(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.fleet.refresh(&*app.store).await?;
    let fleet = app.fleet.now();
    let features = features::all(&fleet);
    Ok(Json(Features { features }).into_response())
}

/// Orders the state of one feature.
pub(super) async fn order(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let document = Body::read(request, &app).await?.document()?;
    let known = || features::category(&app.fleet.now(), &name);
    let mut category = known();
    if category.is_none() {
        // A worker may have announced it a moment ago.
        app.fleet.look_again(&*app.store).await?;
        category = known();
    }
    let category = category.ok_or_else(|| {
        Problem::new(
            Code::NotFound,
            "there is no such feature; GET /api/features lists them",
        )
    })?;
    let asked = asked(document, &name, category)?;
    let order = Order::Feature {
        feature: name.clone(),
        state: asked.state,
        by: NOBODY.into(),
        reason: asked.reason,
        lasts: asked.lasts,
    };
    let orders = app.store.order(order).await?;
    app.fleet.orders_are(orders);
    warn!(feature = name, state = ?asked.state, "a feature was ordered");
    let fleet = app.fleet.now();
    Ok(Json(features::feature(&fleet, &name, category)).into_response())
}

fn asked(document: serde_json::Value, name: &str, category: Category) -> Result<Asked, Problem> {
    let mut fields = Fields::of(document, "");
    if !fields.has("state") {
        fields.flaw("state", "is required: enabled, disabled or auto");
    }
    let state = fields.word("state", "enabled, disabled, auto");
    if !fields.has("reason") {
        fields.flaw("reason", "is required: say why, for those who wonder later");
    }
    let reason = fields.short_text("reason", MAX_REASON);
    let lasts = fields.whole("expires_in_s", 1, MAX_EXPIRY);
    if state == Some(Wanted::Disabled) && category == Category::Essential {
        let detail = format!(
            "{name} is essential and is never switched off; pause the fleet to stop all work"
        );
        fields.flaw("state", detail);
    }
    let findings = fields.finish();
    match (state, reason, findings.is_empty()) {
        (Some(state), Some(reason), true) => Ok(Asked {
            state: (state != Wanted::Auto).then_some(state == Wanted::Enabled),
            reason,
            lasts: Duration::from_secs(lasts.unwrap_or(DEFAULT_EXPIRY)),
        }),
        _ => Err(Problem::invalid(findings)),
    }
}
