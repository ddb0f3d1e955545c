//! What must start when, and how likely the grant is to be in time.

use std::fmt::Write as _;

use super::{FINE, table};
use crate::demo::chart::gantt;
use crate::demo::markup::{counted, day, escape, long, percent, short};
use crate::demo::report::{Chance, Timeline};

/// Tasks in the table: what binds within the next weeks.
const NEXT: usize = 6;
/// Weeks of too much work that are named.
const WEEKS: usize = 3;

fn lead(plan: &Timeline) -> String {
    format!(
        "The deadline of {} is {}, to be submitted by {}. Begun now, it is in time in {} of the simulated futures; half of them are ready by {}, nineteen of twenty by {}. \
         Work must begin by {} to keep a chance of {}.",
        plan.opportunity,
        long(plan.deadline),
        long(plan.target),
        exact(&plan.now),
        day(&plan.ready[0]),
        day(&plan.ready[1]),
        long(plan.safe_start),
        percent(plan.wanted),
    )
}

pub(super) fn section(html: &mut String, plan: &Timeline) {
    super::section(html, "What must start when", &lead(plan));
    html.push_str(&gantt("The tasks of the grant on the calendar", plan));
    html.push_str("<p class=\"key\"><i class=\"hot bar\"></i>usually decides the finish<i class=\"teal bar\"></i>other work<i class=\"pale bar\"></i>can wait so long</p>\n");
    html.push_str("<div class=\"split\"><div>\n<h3>Start next</h3>\n");
    let next: Vec<Vec<String>> = plan
        .steps
        .iter()
        .take(NEXT)
        .map(|step| {
            let start = if step.under_way {
                "under way".into()
            } else {
                short(step.start)
            };
            vec![
                step.name.clone(),
                step.owner.clone(),
                start,
                short(step.latest_start),
            ]
        })
        .collect();
    let columns = [
        ("Task", false),
        ("Owner", false),
        ("Can start", true),
        ("Must start", true),
    ];
    table(html, &columns, &next, NEXT);
    html.push_str("</div><div>\n<h3>Checkpoints</h3>\n");
    let due = plan.milestones.iter().filter(|milestone| milestone.due > 0);
    let checkpoints: Vec<Vec<String>> = due
        .map(|milestone| {
            let days = usize::try_from(milestone.days_before).unwrap_or(0);
            let before = counted(days, "day before", "days before");
            vec![
                short(milestone.date),
                before,
                milestone.due.to_string(),
                percent(milestone.chance),
            ]
        })
        .collect();
    let columns = [
        ("Date", false),
        ("", false),
        ("Tasks due", true),
        ("Chance", true),
    ];
    table(html, &columns, &checkpoints, usize::MAX);
    html.push_str("</div></div>\n");
    cautions(html, plan);
    html.push_str("</section>\n");
}

fn cautions(html: &mut String, plan: &Timeline) {
    html.push_str("<h3>Watch</h3>\n<ul>\n");
    let late = format!(
        "Waiting until {} costs: the chance falls to {}.",
        long(plan.safe_start),
        exact(&plan.late)
    );
    let overloads = plan
        .overloads
        .iter()
        .take(WEEKS)
        .map(|(who, what)| format!("Too much work for {who}: {what}."));
    for text in std::iter::once(late).chain(overloads) {
        writeln!(html, "<li>{}</li>", escape(&text)).expect(FINE);
    }
    html.push_str("</ul>\n");
}

/// A chance with its interval, in tenths of a percent.
fn exact(chance: &Chance) -> String {
    match (chance.p, chance.interval) {
        (Some(p), Some((low, high))) => format!(
            "{:.1} % (95 % interval {:.1} to {:.1} %)",
            100.0 * p,
            100.0 * low,
            100.0 * high
        ),
        (p, _) => percent(p),
    }
}
