//! The caps, and the rules between fields of a grant timeline. Every problem is reported at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use super::input::{Input, Task, ThreePoint};
use super::{holidays, limits};
use crate::problem::accept;
use crate::{Error, Problem};

pub(super) fn validate(input: &Input) -> Result<(), Error> {
    caps(input)?;
    let mut problems = Vec::new();
    opportunity(input, &mut problems);
    calendar(input, &mut problems);
    tasks(input, &mut problems);
    risks(input, &mut problems);
    accept(problems)
}

fn caps(input: &Input) -> Result<(), Error> {
    let dependencies: usize = input.tasks.iter().map(|t| t.depends_on.len()).sum();
    let affected: usize = input.risks.iter().map(|r| r.affects.len()).sum();
    let counts = [
        ("max_tasks", input.tasks.len(), limits::MAX_TASKS, "/tasks"),
        (
            "max_dependencies",
            dependencies,
            limits::MAX_DEPENDENCIES,
            "/tasks",
        ),
        ("max_risks", input.risks.len(), limits::MAX_RISKS, "/risks"),
        ("max_affected", affected, limits::MAX_AFFECTED, "/risks"),
        (
            "max_milestones",
            input.milestone_offsets_days.len(),
            limits::MAX_MILESTONES,
            "/milestone_offsets_days",
        ),
        (
            "max_holidays",
            input.calendar.holidays.len(),
            limits::MAX_HOLIDAYS,
            "/calendar/holidays",
        ),
        (
            "max_blackouts",
            input.calendar.blackouts.len(),
            limits::MAX_BLACKOUTS,
            "/calendar/blackouts",
        ),
    ];
    for (name, value, cap, pointer) in counts {
        Error::cap(name, value as u64, cap, pointer)?;
    }
    let window = days_between(input.as_of.0, input.opportunity.closeDate.date.0);
    Error::cap(
        "max_window_days",
        window,
        limits::MAX_WINDOW_DAYS,
        "/opportunity/closeDate/date",
    )?;
    let runs = input.simulation.runs;
    Error::cap("max_runs", runs, limits::MAX_RUNS, "/simulation/runs")?;
    let draws = runs * (input.tasks.len() + input.risks.len()) as u64;
    Error::cap("max_draws", draws, limits::MAX_DRAWS, "/simulation/runs")
}

/// Days between two dates, whichever comes first.
fn days_between(a: Date, b: Date) -> u64 {
    u64::from((b - a).get_days().unsigned_abs())
}

fn opportunity(input: &Input, problems: &mut Vec<Problem>) {
    let close = &input.opportunity.closeDate;
    if super::deadline::zone(&close.tz).is_none() {
        problems.push(Problem::new(
            "/opportunity/closeDate/tz",
            "not an IANA time zone like America/New_York",
        ));
    }
    if input
        .opportunity
        .postDate
        .is_some_and(|post| post > close.date)
    {
        problems.push(Problem::new(
            "/opportunity/postDate",
            "must not be after closeDate",
        ));
    }
}

fn calendar(input: &Input, problems: &mut Vec<Problem>) {
    let calendar = &input.calendar;
    if let Some(country) = &calendar.country
        && holidays::of(country).is_none()
    {
        let known = holidays::countries();
        let detail = format!(
            "no holiday table; there are {known}, by the two letters of ISO 3166 (ES), alone or with a subdivision (ES-MD)"
        );
        problems.push(Problem::new("/calendar/country", detail));
    }
    let week = super::calendar::closed_weekdays(&calendar.weekend);
    if week.iter().all(|&closed| closed) {
        problems.push(Problem::new(
            "/calendar/weekend",
            "leaves no day to work on",
        ));
    }
    for (i, span) in calendar.blackouts.iter().enumerate() {
        if span.from > span.to {
            problems.push(Problem::new(
                format!("/calendar/blackouts/{i}/to"),
                "must not be before from",
            ));
        }
    }
}

/// Reports every later occurrence of an equal item.
fn distinct<T: Ord>(items: &[T], pointer: impl Fn(usize) -> String, problems: &mut Vec<Problem>) {
    let mut first: BTreeMap<&T, usize> = BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        let known = *first.entry(item).or_insert(i);
        if known != i {
            problems.push(Problem::new(
                pointer(i),
                format!("the same as {}", pointer(known)),
            ));
        }
    }
}

fn tasks(input: &Input, problems: &mut Vec<Problem>) {
    let ids: Vec<&str> = input.tasks.iter().map(|t| t.id.as_str()).collect();
    distinct(&ids, |i| format!("/tasks/{i}/id"), problems);
    let known: BTreeMap<&str, usize> = ids
        .iter()
        .enumerate()
        .rev()
        .map(|(i, &id)| (id, i))
        .collect();
    for (i, task) in input.tasks.iter().enumerate() {
        three_points(task.duration, format!("/tasks/{i}/duration"), problems);
        for (k, id) in task.depends_on.iter().enumerate() {
            if !known.contains_key(id.as_str()) {
                problems.push(Problem::new(
                    format!("/tasks/{i}/depends_on/{k}"),
                    "no task has this id",
                ));
            }
        }
        actuals(input, i, task, problems);
    }
    cycles(input, &known, problems);
}

fn actuals(input: &Input, i: usize, task: &Task, problems: &mut Vec<Problem>) {
    for (field, day) in [
        ("actual_start", task.actual_start),
        ("actual_finish", task.actual_finish),
    ] {
        if day.is_some_and(|d| d > input.as_of) {
            problems.push(Problem::new(
                format!("/tasks/{i}/{field}"),
                "must not be after as_of",
            ));
        }
    }
    if let (Some(start), Some(finish)) = (task.actual_start, task.actual_finish)
        && finish < start
    {
        problems.push(Problem::new(
            format!("/tasks/{i}/actual_finish"),
            "must not be before actual_start",
        ));
    }
}

fn three_points(points: ThreePoint, pointer: String, problems: &mut Vec<Problem>) {
    if !points.ordered() {
        problems.push(Problem::new(
            pointer,
            "must have optimistic <= likely <= pessimistic",
        ));
    }
}

/// Names one cycle of each knot of dependencies.
fn cycles(input: &Input, known: &BTreeMap<&str, usize>, problems: &mut Vec<Problem>) {
    let mut graph = DiGraph::<(), ()>::with_capacity(input.tasks.len(), 0);
    let nodes: Vec<_> = input.tasks.iter().map(|_| graph.add_node(())).collect();
    let parents = |i: usize| {
        input.tasks[i]
            .depends_on
            .iter()
            .filter_map(|id| known.get(id.as_str()).copied())
    };
    for i in 0..input.tasks.len() {
        for parent in parents(i) {
            graph.add_edge(nodes[i], nodes[parent], ());
        }
    }
    for knot in tarjan_scc(&graph) {
        let mut members: Vec<usize> = knot.iter().map(|v| v.index()).collect();
        members.sort_unstable();
        let start = members[0];
        if members.len() == 1 && !parents(start).any(|p| p == start) {
            continue;
        }
        // Inside a knot every task has a parent in it, so walking parents must come round.
        let mut walk = vec![start];
        let around = loop {
            let at = walk[walk.len() - 1];
            let next = parents(at)
                .filter(|p| members.binary_search(p).is_ok())
                .min();
            let next = next.expect("a task of a knot depends on another of it");
            if let Some(from) = walk.iter().position(|&v| v == next) {
                break walk.split_off(from);
            }
            walk.push(next);
        };
        let mut names: Vec<&str> = around.iter().map(|&i| input.tasks[i].id.as_str()).collect();
        names.push(names[0]);
        let pointer = format!("/tasks/{}/depends_on", around[0]);
        problems.push(Problem::new(
            pointer,
            format!("a cycle: {}", names.join(" -> ")),
        ));
    }
}

fn risks(input: &Input, problems: &mut Vec<Problem>) {
    let ids: Vec<&str> = input.risks.iter().map(|r| r.id.as_str()).collect();
    distinct(&ids, |i| format!("/risks/{i}/id"), problems);
    let known: BTreeSet<&str> = input.tasks.iter().map(|t| t.id.as_str()).collect();
    for (i, risk) in input.risks.iter().enumerate() {
        three_points(risk.delay, format!("/risks/{i}/delay"), problems);
        for (k, id) in risk.affects.iter().enumerate() {
            if !known.contains(id.as_str()) {
                problems.push(Problem::new(
                    format!("/risks/{i}/affects/{k}"),
                    "no task has this id",
                ));
            }
        }
    }
}
