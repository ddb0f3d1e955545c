//! A plan on its calendar: when each task can start, how long it can wait, and the days that bind it.

use jiff::civil::Date;

use super::{count, label, line, nothing, open, rect};
use crate::demo::report::Timeline;

const LEFT: f64 = 290.0;
const WIDE: f64 = 630.0;
const ROW: f64 = 28.0;
const TOP: f64 = 44.0;

/// The days that the drawing spans.
struct Scale {
    first: Date,
    days: f64,
}

impl Scale {
    fn x(&self, day: Date) -> f64 {
        LEFT + WIDE * f64::from((day - self.first).get_days()) / self.days
    }

    /// The end of a day that is worked on.
    fn end(&self, day: Date) -> f64 {
        self.x(day) + WIDE / self.days
    }
}

/// Draws the tasks in their order; a task's light tail is the time that it can wait.
pub(in crate::demo) fn gantt(about: &str, plan: &Timeline) -> String {
    let ends = plan.steps.iter().map(|step| step.latest_finish);
    let last = ends.chain(plan.deadline).max();
    let firsts = plan.steps.iter().map(|step| step.start);
    let first = firsts.chain(plan.as_of).min();
    let (Some(first), Some(last), false) = (first, last, plan.steps.is_empty()) else {
        return nothing(about);
    };
    let scale = Scale {
        first,
        days: f64::from((last - first).get_days() + 4).max(1.0),
    };
    let bottom = TOP + ROW * count(plan.steps.len());
    let mut svg = open(LEFT + WIDE + 40.0, bottom + 30.0, about);
    months(&mut svg, &scale, (first, last), bottom);
    for (number, step) in plan.steps.iter().enumerate() {
        let top = TOP + ROW * count(number) + 5.0;
        let who = if step.owner.is_empty() {
            step.name.clone()
        } else {
            format!("{} ({})", step.name, step.owner)
        };
        label(&mut svg, (LEFT - 10.0, top + 13.0), "name", &who);
        let (start, finish) = (scale.x(step.start), scale.end(step.finish));
        let wait = scale.end(step.latest_finish);
        rect(&mut svg, (start, top + 3.0), (wait - start, 12.0), "float");
        let class = if step.decides >= 0.5 {
            "bar hot"
        } else {
            "bar"
        };
        rect(&mut svg, (start, top), (finish - start, 18.0), class);
    }
    for (day, class, name) in [
        (plan.as_of, "mark today", "today"),
        (plan.safe_start, "mark safe", "latest safe start"),
        (plan.deadline, "mark end", "deadline"),
    ] {
        if let Some(day) = day {
            let x = scale.x(day);
            line(&mut svg, (x, TOP - 8.0), (x, bottom + 6.0), class);
            let place = if class == "mark end" {
                "mark right"
            } else {
                "mark"
            };
            label(&mut svg, (x, bottom + 22.0), place, name);
        }
    }
    svg + "</svg>"
}

/// A thin line and a name at the first day of each month.
fn months(svg: &mut String, scale: &Scale, (first, last): (Date, Date), bottom: f64) {
    let mut day = first.first_of_month();
    while day <= last {
        if day >= first {
            let x = scale.x(day);
            line(svg, (x, TOP - 14.0), (x, bottom), "grid");
            label(
                svg,
                (x + 4.0, TOP - 16.0),
                "month",
                &day.strftime("%B").to_string(),
            );
        }
        let Ok(next) = day.checked_add(jiff::Span::new().months(1)) else {
            return;
        };
        day = next;
    }
}
