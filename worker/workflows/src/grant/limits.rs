//! The limits of a grant timeline, listed in every output. All are hard: beyond them the input is refused.

use serde_json::{Value, json};

/// Tasks of one plan; real ones have ten to two hundred.
pub(super) const MAX_TASKS: u64 = 5_000;
/// Dependencies of all tasks together.
pub(super) const MAX_DEPENDENCIES: u64 = 50_000;
/// Declared risks.
pub(super) const MAX_RISKS: u64 = 1_000;
/// Tasks named by all risks together: each is visited in every run.
pub(super) const MAX_AFFECTED: u64 = 50_000;
/// Milestone offsets.
pub(super) const MAX_MILESTONES: u64 = 100;
/// Holidays listed in the input: a century of a busy country.
pub(super) const MAX_HOLIDAYS: u64 = 10_000;
/// Blackouts listed in the input.
pub(super) const MAX_BLACKOUTS: u64 = 1_000;
/// Days from `as_of` or a milestone to the deadline: twenty years, longer than any call.
pub(super) const MAX_WINDOW_DAYS: u64 = 7_305;
/// Working days that all tasks and delays take together at worst.
pub(super) const MAX_PLAN_WORKING_DAYS: u64 = 100_000;
/// Calendar days that are walked to count them: a calendar that is nearly all closed is refused, not searched.
pub(super) const MAX_CALENDAR_DAYS: u64 = 500_000;
/// Simulated runs.
pub(super) const MAX_RUNS: u64 = 1_000_000;
/// Random draws of a simulation, runs x (tasks + risks): about 11 seconds of one core at 22 ns each.
pub(super) const MAX_DRAWS: u64 = 500_000_000;
/// Runs whose durations are kept for the rank correlations; more would add memory, not precision.
pub(super) const SENSITIVITY_RUNS: usize = 10_000;
/// Durations kept for the rank correlations: 160 MB.
pub(super) const SENSITIVITY_VALUES: usize = 20_000_000;

pub(super) fn listed() -> Value {
    json!({
        "max_tasks": MAX_TASKS,
        "max_dependencies": MAX_DEPENDENCIES,
        "max_risks": MAX_RISKS,
        "max_affected": MAX_AFFECTED,
        "max_milestones": MAX_MILESTONES,
        "max_holidays": MAX_HOLIDAYS,
        "max_blackouts": MAX_BLACKOUTS,
        "max_window_days": MAX_WINDOW_DAYS,
        "max_plan_working_days": MAX_PLAN_WORKING_DAYS,
        "max_calendar_days": MAX_CALENDAR_DAYS,
        "max_runs": MAX_RUNS,
        "max_draws": MAX_DRAWS,
        "sensitivity_runs": SENSITIVITY_RUNS,
        "sensitivity_values": SENSITIVITY_VALUES,
    })
}
