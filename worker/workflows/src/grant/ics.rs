//! The milestones, the submission target and the deadline as an iCalendar file (RFC 5545) of all-day events.
//!
//! Ids and stamps come from the input, so importing a later result updates the same events.

use jiff::ToSpan;
use jiff::civil::Date;

use super::plan::Plan;

/// Octets of a line before it is folded.
const LINE: usize = 75;

pub(super) fn file(plan: &Plan<'_>) -> String {
    let call = plan.input.opportunity.id.as_deref().unwrap_or("grant");
    let deadline = plan.input.opportunity.closeDate.date.0;
    let mut lines = vec![
        "BEGIN:VCALENDAR".into(),
        "VERSION:2.0".into(),
        "PRODID:-//Zero Gate//grant_timeline//EN".into(),
    ];
    let mut add = |key: &str, date: Date, title: &str| {
        lines.extend([
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}-{key}@zerogate", escaped(call)),
            format!("DTSTAMP:{}T000000Z", compact(plan.input.as_of.0)),
            format!("DTSTART;VALUE=DATE:{}", compact(date)),
            format!("DTEND;VALUE=DATE:{}", compact(date + 1.day())),
            format!("SUMMARY:{}", escaped(title)),
            "END:VEVENT".to_owned(),
        ]);
    };
    for m in &plan.milestones {
        add(
            &format!("milestone-{}", m.offset),
            m.date,
            &format!("{call}: {} days before the deadline", m.offset),
        );
    }
    add("target", plan.target, &format!("{call}: ready to submit"));
    add(
        "deadline",
        deadline,
        &format!("{call}: deadline {}", plan.input.opportunity.closeDate.time),
    );
    lines.push("END:VCALENDAR".into());
    lines.iter().map(|line| folded(line) + "\r\n").collect()
}

fn compact(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Continues on lines that begin with a space, never inside a character.
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > LINE {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(c);
        width += c.len_utf8();
    }
    out
}
