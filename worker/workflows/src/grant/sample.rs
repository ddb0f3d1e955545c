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

/// A March 2027 federal deadline with twelve tasks, four owners and three risks.
pub(super) fn federal() -> Value {
    let task = |id: &str, name: &str, duration: Value, owner: &str, before: &[&str]| {
        json!({"id": id, "name": name, "duration": duration, "unit": "working_days", "owner": owner, "depends_on": before,
            "gate_offset": null, "percent_complete": 0, "actual_start": null, "actual_finish": null})
    };
    let mut tasks = vec![
        task(
            "concept",
            "Concept note and go/no-go",
            points(2, 3, 6),
            "dana",
            &[],
        ),
        task(
            "registration",
            "Renew SAM.gov registration",
            points(5, 10, 20),
            "ruth",
            &[],
        ),
        task(
            "partners",
            "Commitment of partner organisations",
            points(5, 10, 25),
            "dana",
            &["concept"],
        ),
        task(
            "needs",
            "Needs assessment with local data",
            points(5, 8, 15),
            "omar",
            &["concept"],
        ),
        task(
            "design",
            "Programme design and logic model",
            points(5, 8, 14),
            "dana",
            &["needs"],
        ),
        task(
            "budget",
            "Budget and cost share",
            points(3, 5, 10),
            "kim",
            &["design", "partners"],
        ),
        task(
            "narrative",
            "Project narrative, first draft",
            points(8, 12, 20),
            "omar",
            &["design"],
        ),
        task(
            "letters",
            "Letters of support",
            points(5, 10, 20),
            "ruth",
            &["partners"],
        ),
        task(
            "evaluation",
            "Evaluation plan",
            points(3, 5, 9),
            "omar",
            &["design"],
        ),
        task(
            "review",
            "Internal review and revision",
            points(3, 5, 10),
            "dana",
            &["narrative", "budget", "evaluation"],
        ),
        task(
            "signoff",
            "Board and finance sign-off",
            points(1, 3, 8),
            "kim",
            &["review"],
        ),
        task(
            "submission",
            "Assemble and upload to Grants.gov",
            points(1, 2, 4),
            "ruth",
            &["signoff", "letters", "registration"],
        ),
    ];
    tasks[0]["percent_complete"] = json!(50);
    tasks[0]["actual_start"] = json!("2026-11-19");
    tasks[3]["gate_offset"] = json!(90);
    tasks[5]["gate_offset"] = json!(30);
    tasks[9]["gate_offset"] = json!(14);
    json!({
        "as_of": "2026-11-23",
        "opportunity": {"id": "federal-entrepreneur-support-2027", "postDate": "2026-10-01",
            "closeDate": {"date": "2027-03-31", "time": "17:00", "tz": "America/New_York"}},
        "calendar": {"country": "US", "weekend": ["sat", "sun"], "holidays": ["2026-11-27"],
            "blackouts": [{"from": "2026-12-24", "to": "2027-01-01"}]},
        "milestone_offsets_days": [90, 60, 30, 14, 7, 1],
        "submit_buffer_working_days": 2,
        "tasks": tasks,
        "capacity": {"dana": 0.6, "kim": 0.5, "omar": 0.8, "ruth": 0.5},
        "risks": [
            {"id": "sam-delay", "name": "SAM.gov validation is delayed", "probability": 0.15, "delay": points(2, 5, 15),
                "affects": ["registration"]},
            {"id": "partner-withdraws", "name": "A partner withdraws", "probability": 0.1, "delay": points(5, 10, 20),
                "affects": ["partners"]},
            {"id": "guidance-changes", "name": "The funder amends the notice", "probability": 0.2, "delay": points(1, 3, 8),
                "affects": ["narrative", "budget"]}],
        "simulation": {"runs": 10_000, "seed": 42, "target": 0.8},
    })
}
