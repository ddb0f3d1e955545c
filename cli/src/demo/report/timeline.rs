//! The grant: what must start when, and how sure it is to be in time.

use jiff::civil::Date;
use serde_json::Value;

use super::{list, number, str_of, text};

/// The plan on its calendar.
#[derive(Debug)]
pub(in crate::demo) struct Timeline {
    pub(in crate::demo) opportunity: String,
    /// By the day on which they must start at the latest.
    pub(in crate::demo) steps: Vec<Step>,
    pub(in crate::demo) milestones: Vec<Milestone>,
    pub(in crate::demo) as_of: Option<Date>,
    pub(in crate::demo) target: Option<Date>,
    pub(in crate::demo) deadline: Option<Date>,
    /// The last day on which work can begin with the wanted chance of being in time.
    pub(in crate::demo) safe_start: Option<Date>,
    /// That wanted chance.
    pub(in crate::demo) wanted: Option<f64>,
    /// Chance of being in time when work begins now.
    pub(in crate::demo) now: Chance,
    /// The same, when it begins only on the latest safe day.
    pub(in crate::demo) late: Chance,
    /// Days on which everything is ready in half, and in nineteen of twenty, of the simulated futures.
    pub(in crate::demo) ready: [String; 2],
    /// Weeks in which somebody has more work than days.
    pub(in crate::demo) overloads: Vec<(String, String)>,
    /// Notes about the calendar.
    pub(in crate::demo) warnings: Vec<String>,
}

/// A probability with its 95 % interval.
#[derive(Debug, Default)]
pub(in crate::demo) struct Chance {
    pub(in crate::demo) p: Option<f64>,
    pub(in crate::demo) interval: Option<(f64, f64)>,
}

/// A task of the plan.
#[derive(Debug)]
pub(in crate::demo) struct Step {
    pub(in crate::demo) name: String,
    pub(in crate::demo) owner: String,
    pub(in crate::demo) start: Date,
    pub(in crate::demo) finish: Date,
    pub(in crate::demo) latest_start: Date,
    pub(in crate::demo) latest_finish: Date,
    /// Share of the simulated futures in which it decides the finish.
    pub(in crate::demo) decides: f64,
    pub(in crate::demo) under_way: bool,
}

/// A checkpoint so many days before the deadline.
#[derive(Debug)]
pub(in crate::demo) struct Milestone {
    pub(in crate::demo) days_before: i64,
    pub(in crate::demo) date: Date,
    pub(in crate::demo) due: usize,
    pub(in crate::demo) chance: Option<f64>,
}

impl Timeline {
    pub(super) fn of(plan: &Value, late: &Value) -> Self {
        let mut steps: Vec<Step> = list(&plan["schedule"]).iter().filter_map(step).collect();
        steps.sort_by(|a, b| (a.latest_start, &a.name).cmp(&(b.latest_start, &b.name)));
        let overloads = list(&plan["risks"])
            .iter()
            .filter(|r| r["kind"] == "owner_overload");
        Self {
            opportunity: text(&plan["opportunity_id"]),
            steps,
            milestones: list(&plan["milestones"])
                .iter()
                .filter_map(milestone)
                .collect(),
            as_of: day(&plan["as_of"]),
            target: day(&plan["submission_target"]),
            deadline: day(&plan["deadline"]["date"]),
            safe_start: day(&plan["latest_safe_start"]),
            wanted: number(&plan["latest_safe_start_detail"]["target"]),
            now: chance(plan),
            late: chance(late),
            ready: ["p50_date", "p95_date"].map(|name| text(&plan["completion"][name])),
            overloads: overloads
                .map(|r| (text(&r["subject"]), text(&r["message"])))
                .collect(),
            warnings: list(&plan["warnings"]).iter().map(text).collect(),
        }
    }
}

fn chance(plan: &Value) -> Chance {
    let completion = &plan["completion"];
    let interval = &completion["ci95"];
    Chance {
        p: number(&completion["p_on_time"]),
        interval: number(&interval[0]).zip(number(&interval[1])),
    }
}

fn step(task: &Value) -> Option<Step> {
    let name = task["name"].as_str().map_or(&task["id"], |_| &task["name"]);
    Some(Step {
        name: text(name),
        owner: text(&task["owner"]),
        start: day(&task["early_start_date"])?,
        finish: day(&task["early_finish_date"])?,
        latest_start: day(&task["latest_start_date"])?,
        latest_finish: day(&task["latest_finish_date"])?,
        decides: number(&task["criticality_index"]).unwrap_or(0.0),
        under_way: task["state"] == "in_progress",
    })
}

fn milestone(milestone: &Value) -> Option<Milestone> {
    Some(Milestone {
        days_before: milestone["offset"].as_i64()?,
        date: day(&milestone["date"])?,
        due: list(&milestone["tasks_due"]).len(),
        chance: number(&milestone["p_met"]),
    })
}

fn day(value: &Value) -> Option<Date> {
    str_of(value).parse().ok()
}
