//! The risk list: what the input declares, and what the plan itself shows, each with its evidence.
//!
//! Probability and impact are given where they were measured (simulated or counted); elsewhere they are null with the
//! reason beside them. Nothing here is an opinion about how likely an unmeasured thing is.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::analysis::Analysis;
use super::input::{Risk, Task};
use super::statistics::quantile;
use crate::number::{float, maybe};

/// A task this often on a longest chain decides the finish.
const HIGH_CRITICALITY: f64 = 0.5;
/// Share of weekdays lost to holidays and blackouts that is worth a warning: about two days in four weeks.
const DENSE_HOLIDAYS: f64 = 0.1;
/// Words that name a registration with somebody else's office.
const REGISTRATIONS: [&str; 8] = [
    "sam.gov",
    "sam",
    "uei",
    "register",
    "registration",
    "grants.gov",
    "era",
    "commons",
];

/// A number that may be missing, with the reason.
enum Figure {
    Known(f64),
    Missing(&'static str),
}

struct Entry {
    kind: &'static str,
    subject: String,
    probability: Figure,
    impact_days: Figure,
    evidence: Value,
    message: String,
}

impl Entry {
    fn finish(self) -> Value {
        let split = |figure: Figure| match figure {
            Figure::Known(x) => (float(x), Value::Null),
            Figure::Missing(why) => (Value::Null, why.into()),
        };
        let (probability, no_probability) = split(self.probability);
        let (impact, no_impact) = split(self.impact_days);
        json!({"kind": self.kind, "subject": self.subject, "probability": probability, "probability_reason": no_probability,
            "impact_days": impact, "impact_reason": no_impact, "evidence": self.evidence, "message": self.message})
    }
}

pub(super) fn list(analysis: &Analysis<'_>) -> Vec<Value> {
    let mut entries = Vec::new();
    declared(analysis, &mut entries);
    negative_float(analysis, &mut entries);
    single_owner(analysis, &mut entries);
    overload(analysis, &mut entries);
    registrations(analysis, &mut entries);
    rolled_milestones(analysis, &mut entries);
    compressed_window(analysis, &mut entries);
    dense_holidays(analysis, &mut entries);
    entries.into_iter().map(Entry::finish).collect()
}

fn declared(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    for (i, risk) in analysis.plan.risks.iter().enumerate() {
        let counts = analysis.outcome.as_ref().map(|o| o.happened[i]);
        let given = counts
            .filter(|c| c.0 > 0)
            .map(|(n, on_time)| on_time as f64 / n as f64);
        entries.push(Entry {
            kind: "declared",
            subject: risk.id.clone(),
            probability: Figure::Known(risk.probability),
            impact_days: Figure::Known(risk.delay.mean()),
            evidence: json!({"name": risk.name, "affects": risk.affects, "happened_in_runs": counts.map(|c| c.0),
                "p_on_time_if_it_happens": maybe(given), "delay_variance": float(risk.delay.variance())}),
            message: format!("declared risk, {:.1} working days on average if it happens", risk.delay.mean()),
        });
    }
}

fn negative_float(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    for (v, (job, slot)) in analysis
        .plan
        .jobs
        .iter()
        .zip(&analysis.schedule.slots)
        .enumerate()
    {
        if job.done || slot.total_float() >= 0 {
            continue;
        }
        let late = analysis.outcome.as_ref().map(|o| o.late[v]);
        entries.push(Entry {
            kind: "negative_float",
            subject: job.task.id.clone(),
            probability: Figure::Known(late.unwrap_or(0) as f64 / analysis.runs()),
            impact_days: Figure::Known(-slot.total_float() as f64),
            evidence: json!({"total_float": slot.total_float(), "late_runs": late, "runs": analysis.runs()}),
            message: format!("already {} working days late on expected durations", -slot.total_float()),
        });
    }
}

/// Owners on whom the finish depends in most futures.
fn single_owner(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    let Some(outcome) = &analysis.outcome else {
        return;
    };
    let mut by_owner: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (v, job) in analysis.plan.jobs.iter().enumerate() {
        let index = outcome.critical[v] as f64 / analysis.runs();
        if let Some(owner) = &job.task.owner
            && !job.done
            && index >= HIGH_CRITICALITY
        {
            by_owner
                .entry(owner)
                .or_default()
                .push(json!({"id": job.task.id, "criticality_index": float(index)}));
        }
    }
    for (owner, tasks) in by_owner {
        entries.push(Entry {
            kind: "critical_single_owner",
            subject: owner.to_owned(),
            probability: Figure::Missing("the owner's absences are not in the input"),
            impact_days: Figure::Missing(
                "a day of absence during these tasks delays the finish by about a day",
            ),
            message: format!(
                "{} task(s) that usually decide the finish have this one owner",
                tasks.len()
            ),
            evidence: json!({"tasks": tasks, "threshold": HIGH_CRITICALITY}),
        });
    }
}

/// Monday of the date's week.
fn monday(date: Date) -> Date {
    date - i64::from(date.weekday().to_monday_zero_offset()).days()
}

/// Weeks of the early schedule in which an owner has more task days than working days.
fn overload(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    let plan = analysis.plan;
    let mut load: BTreeMap<(&str, Date), (i64, Vec<&str>)> = BTreeMap::new();
    for (job, slot) in plan.jobs.iter().zip(&analysis.schedule.slots) {
        let Some(owner) = job.task.owner.as_deref().filter(|_| !job.done) else {
            continue;
        };
        for ordinal in slot.es..slot.ef {
            let week = load
                .entry((owner, monday(plan.ordinals.date(ordinal))))
                .or_default();
            week.0 += 1;
            if week.1.last() != Some(&job.task.id.as_str()) {
                week.1.push(&job.task.id);
            }
        }
    }
    for ((owner, week), (days, tasks)) in load {
        let open = (0..7)
            .map(|i| week + i64::from(i).days())
            .filter(|&d| d >= plan.input.as_of.0 && plan.calendar.is_working(d));
        let open = i64::try_from(open.count()).expect("a week has seven days");
        if days <= open {
            continue;
        }
        entries.push(Entry {
            kind: "owner_overload",
            subject: owner.to_owned(),
            probability: Figure::Missing("follows from the early schedule; levelling may avoid it"),
            impact_days: Figure::Known((days - open) as f64),
            message: format!("{days} task days on {open} working days in the week of {week}"),
            evidence: json!({"week": week.to_string(), "task_days": days, "working_days": open, "tasks": tasks,
                "capacity": plan.input.capacity.get(owner)}),
        });
    }
}

/// The registration word in a task's id or name.
fn registration(task: &Task) -> Option<&'static str> {
    let text = format!("{} {}", task.id, task.name.as_deref().unwrap_or_default()).to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '.')
        .collect();
    REGISTRATIONS
        .into_iter()
        .find(|wanted| words.contains(wanted))
}

fn registrations(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    let plan = analysis.plan;
    // The first risk, by id, that affects each task.
    let mut declared: BTreeMap<&str, &Risk> = BTreeMap::new();
    for &risk in &plan.risks {
        for task in &risk.affects {
            declared.entry(task).or_insert(risk);
        }
    }
    for (job, slot) in plan
        .jobs
        .iter()
        .zip(&analysis.schedule.slots)
        .filter(|(job, _)| !job.done)
    {
        let Some(word) = registration(job.task) else {
            continue;
        };
        let declared = declared.get(job.task.id.as_str());
        let missing = "no declared risk affects this task";
        entries.push(Entry {
            kind: "external_registration",
            subject: job.task.id.clone(),
            probability: declared.map_or(Figure::Missing(missing), |r| Figure::Known(r.probability)),
            impact_days: declared.map_or(Figure::Missing(missing), |r| Figure::Known(r.delay.mean())),
            evidence: json!({"word": word, "declared_risk": declared.map(|r| &r.id), "total_float": slot.total_float()}),
            message: "depends on an outside office; SAM.gov takes up to 10 business days".into(),
        });
    }
}

fn rolled_milestones(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    for m in analysis
        .plan
        .milestones
        .iter()
        .filter(|m| m.nominal != m.date)
    {
        entries.push(Entry {
            kind: "milestone_on_non_working_day",
            subject: m.offset.to_string(),
            probability: Figure::Known(1.0),
            impact_days: Figure::Known(f64::from((m.nominal - m.date).get_days())),
            evidence: json!({"nominal": m.nominal.to_string(), "date": m.date.to_string(), "unit": "calendar_days"}),
            message: format!("{} is not a working day; moved back to {}", m.nominal, m.date),
        });
    }
}

/// A call that is open for less than the simulated P80 of the whole remaining work.
fn compressed_window(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    let plan = analysis.plan;
    let Some(post) = plan.input.opportunity.postDate else {
        return;
    };
    if analysis.outcome.is_none() || !plan.open() {
        return;
    }
    let window = plan
        .calendar
        .count(post.0, plan.input.opportunity.closeDate.date.0);
    let p80 = quantile(&analysis.sorted, 0.8);
    let longer = analysis
        .sorted
        .iter()
        .filter(|&&t| t > window as f64)
        .count();
    if window as f64 >= p80 {
        return;
    }
    entries.push(Entry {
        kind: "compressed_window",
        subject: "opportunity".into(),
        probability: Figure::Known(longer as f64 / analysis.sorted.len() as f64),
        impact_days: Figure::Known(p80 - window as f64),
        evidence: json!({"window_working_days": window, "p80_working_days": float(p80)}),
        message: "the call is open for less time than the work takes in four of five futures"
            .into(),
    });
}

fn dense_holidays(analysis: &Analysis<'_>, entries: &mut Vec<Entry>) {
    let plan = analysis.plan;
    let window = plan
        .input
        .as_of
        .0
        .series(1.day())
        .take_while(|&d| d <= plan.target);
    let weekdays: Vec<Date> = window.filter(|&d| plan.calendar.is_weekday(d)).collect();
    let lost: Vec<String> = weekdays
        .iter()
        .filter(|&&d| !plan.calendar.is_working(d))
        .map(ToString::to_string)
        .collect();
    if weekdays.is_empty() || (lost.len() as f64) < DENSE_HOLIDAYS * weekdays.len() as f64 {
        return;
    }
    entries.push(Entry {
        kind: "holiday_density",
        subject: "calendar".into(),
        probability: Figure::Known(1.0),
        impact_days: Figure::Known(lost.len() as f64),
        message: format!("{} of {} weekdays until the target are holidays or blackouts", lost.len(), weekdays.len()),
        evidence: json!({"num": lost.len(), "den": weekdays.len(), "days": lost, "threshold": DENSE_HOLIDAYS}),
    });
}
