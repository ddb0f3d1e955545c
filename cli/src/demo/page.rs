//! The report as one page: self-contained, without scripts and without a link to anything.
//!
//! Invariant: every text of a result goes through [`escape`]; the page is well formed, and the same report makes the
//! same bytes. Deliberately absent: clocks, ids of tasks, durations.

mod findings;
mod grant;
mod limits;

use std::fmt::Write as _;

use super::book::Book;
use super::markup::{day, escape, money, percent, short};
use super::report::Report;

pub(super) use limits::WHOLE_YEAR;

const STYLE: &str = include_str!("page.css");
/// Rows of a table before the rest is counted.
const SHOWN: usize = 10;
/// Why formatting into a text cannot fail.
const FINE: &str = "writing to a string cannot fail";

/// The whole page.
pub(super) fn page(report: &Report, book: &Book) -> String {
    let mut html =
        String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    html.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;\"/>\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    let today = escape(&day(&report.as_of));
    let currency = escape(&report.currency);
    write!(
        html,
        "<title>What to do next, {today}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header><div>\n\
         <h1>What to do next</h1>\n<p>{} donors, their network and a grant, as of {today}. Amounts are in {currency}. \
         An example: <b>what is real and what is invented stands at the end.</b></p>\n</div></header>\n<main>\n",
        report.donors.len()
    )
    .expect(FINE);
    tiles(&mut html, report);
    html.push_str("<div class=\"two\">\n");
    findings::thank(&mut html, report);
    findings::renew(&mut html, report);
    html.push_str("</div>\n");
    findings::win_back(&mut html, report);
    findings::chances(&mut html, report);
    grant::section(&mut html, &report.timeline);
    limits::cannot_tell(&mut html, report);
    limits::sources(&mut html, book);
    html.push_str("</main>\n<footer>Made by Zero Gate: seven tasks of five workflow types in one dependent run. The workbook became gifts and ties, the \
        ties a network, the mailbox contacts, and all of them together the analysis of donors.</footer>\n</body>\n</html>\n");
    html
}

fn tiles(html: &mut String, report: &Report) {
    let plan = &report.timeline;
    let renew = report.renew();
    let renewals: f64 = renew.iter().filter_map(|donor| donor.potential).sum();
    let later = plan.safe_start.map_or_else(|| "–".into(), short);
    let tiles = [
        (
            report.thank.len().to_string(),
            "to thank: they gave within 30 days, and nobody has answered".to_owned(),
        ),
        (
            renew.len().to_string(),
            format!(
                "to renew this year: {} expected of them in a year",
                money(Some(renewals))
            ),
        ),
        (
            report.win_back().len().to_string(),
            "to win back: top givers who have probably stopped".into(),
        ),
        (
            money(Some(report.expected())),
            format!(
                "expected in a year; {} donors bring half of it",
                report.half()
            ),
        ),
        (
            percent(plan.now.p),
            format!(
                "chance of the grant being in time; {} if work begins on {later} only",
                percent(plan.late.p)
            ),
        ),
    ];
    html.push_str("<div class=\"tiles\">\n");
    for (figure, words) in tiles {
        let (figure, words) = (escape(&figure), escape(&words));
        writeln!(
            html,
            "<div class=\"tile\"><b>{figure}</b><small>{words}</small></div>"
        )
        .expect(FINE);
    }
    html.push_str("</div>\n");
}

/// A column: its heading, and whether it holds figures.
type Column<'a> = (&'a str, bool);

/// A table of texts, cut after `most` rows; the rest is counted.
fn table(html: &mut String, columns: &[Column<'_>], rows: &[Vec<String>], most: usize) {
    if rows.is_empty() {
        html.push_str("<p class=\"none\">Nobody at present.</p>\n");
        return;
    }
    let class = |(_, figures): &Column<'_>| if *figures { " class=\"n\"" } else { "" };
    html.push_str("<table><thead><tr>");
    for column in columns {
        write!(html, "<th{}>{}</th>", class(column), escape(column.0)).expect(FINE);
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in rows.iter().take(most) {
        html.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            write!(html, "<td{}>{}</td>", class(column), escape(cell)).expect(FINE);
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table>\n");
    if rows.len() > most {
        writeln!(html, "<p class=\"more\">and {} more</p>", rows.len() - most).expect(FINE);
    }
}

/// Opens a section.
fn section(html: &mut String, title: &str, lead: &str) {
    let (title, lead) = (escape(title), escape(lead));
    writeln!(html, "<section><h2>{title}</h2>\n<p>{lead}</p>").expect(FINE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Results in which every text that a page shows is hostile.
    fn hostile() -> Vec<Value> {
        let evil = "<b onload=\"x\">&'";
        let advice = |rule: &str| json!({"rule": rule, "evidence": ["g"]});
        let sponsors = json!({"as_of": evil, "currency": evil, "cannot_tell": [evil],
            "sponsors": [{"id": "a", "name": evil, "funding": {"p": 0.5, "p_alive": 0.1}, "potential": "10.00",
                "recommendations": [advice("R01_thank"), advice("R02_renew"), advice("R03_reengage_lapsed"), advice("R04_one_sided_contact")]}],
            "data_gaps": [{"gap": evil, "sponsors": 1, "consequence": evil}],
            "imports": [{"into": evil, "left_out": [{"rows": 1, "first": [evil], "reason": evil}]}]});
        let network = json!({"nodes": [{"id": "us", "name": evil}, {"id": "a", "name": evil}, {"id": "b", "name": evil}],
            "targets": [{"id": "a", "shortest_hops": 2}, {"id": "b", "shortest_hops": 1}],
            "paths": [{"rank": 1, "target": "a", "nodes": ["us", "b", "a"], "strength_product": 0.5}]});
        let grant = json!({"opportunity_id": evil, "as_of": "2026-11-23", "deadline": {"date": "2026-12-31"}, "warnings": [evil],
            "risks": [{"kind": "owner_overload", "subject": evil, "message": evil}],
            "schedule": [{"name": evil, "owner": evil, "early_start_date": "2026-11-23", "early_finish_date": "2026-11-24",
                "latest_start_date": "2026-11-30", "latest_finish_date": "2026-12-01"}]});
        let register = json!({"records": [{"values": {"Gift": "g", "Date": evil, "Amount": evil}}], "quality": {"grade": evil}});
        vec![
            register,
            json!({}),
            json!({}),
            network,
            sponsors,
            grant,
            json!({}),
        ]
    }

    #[test]
    fn no_text_of_a_result_becomes_markup() {
        let html = page(&Report::of(&hostile()), &Book::shipped().unwrap());
        assert!(!html.contains("<b onload"), "{html}");
        assert!(
            html.matches("&lt;b onload=&quot;x&quot;&gt;&amp;&#39;")
                .count()
                > 15
        );
    }

    #[test]
    fn a_page_of_nothing_says_so() {
        let html = page(&Report::of(&[]), &Book::shipped().unwrap());
        assert!(
            html.contains("Nobody at present.") && !html.contains("<svg"),
            "{html}"
        );
        assert!(html.contains("The tasks of the grant on the calendar: nothing to show."));
    }
}
