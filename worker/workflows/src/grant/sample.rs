//! Inputs to try: a small one, and a federal application as an office would plan it.

use serde_json::{Value, json};

/// A three-point estimate.
fn points(optimistic: u32, likely: u32, pessimistic: u32) -> Value {
    json!({"optimistic": optimistic, "likely": likely, "pessimistic": pessimistic})
}

/// Three tasks and a risk.
pub(crate) fn example() -> Value {
    json!({
        "as_of": "2026-11-23",
        "opportunity": {"id": "o1", "postDate": "2026-10-01",
            "closeDate": {"date": "2027-03-31", "time": "17:00", "tz": "America/New_York"}},
        "calendar": {"country": "US", "weekend": ["sat", "sun"], "holidays": ["2026-11-27"],
            "blackouts": [{"from": "2026-12-24", "to": "2027-01-01"}]},
        "milestone_offsets_days": [90, 60, 30, 14, 7, 1],
        "submit_buffer_working_days": 2,
        "tasks": [
            {"id": "scope", "name": "Agree the scope", "duration": points(3, 5, 10), "unit": "working_days", "owner": "kim"},
            {"id": "budget", "name": "Draw up the budget", "duration": points(3, 5, 10), "depends_on": ["scope"], "owner": "kim",
                "gate_offset": 60},
            {"id": "register", "name": "Renew SAM.gov registration", "duration": points(5, 10, 20), "owner": "lee"}],
        "capacity": {"kim": 0.5},
        "risks": [{"id": "sam", "probability": 0.15, "delay": points(2, 5, 15), "affects": ["register"]}],
        "simulation": {"runs": 10_000, "seed": 42, "target": 0.8},
    })
}

/// A March 2027 federal deadline with twelve tasks, four owners and three risks; invented, for demonstration.
pub(super) fn federal() -> Value {
    serde_json::from_str(include_str!("../../data/sample_grant.json"))
        .expect("the shipped file is valid JSON")
}
