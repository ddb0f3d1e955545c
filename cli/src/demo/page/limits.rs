//! What the data cannot tell, and where they come from.

use std::fmt::Write as _;

use super::{FINE, section, table};
use crate::demo::book::Book;
use crate::demo::markup::escape;
use crate::demo::report::Report;
use crate::demo::sources::{REAL, invented};

/// What a reader of the chances could take for granted.
pub(in crate::demo) const WHOLE_YEAR: &str = "how much of this year's giving is still to come: a chance is for the whole year after the last complete one, this year, and does not know how little of it is left";

pub(super) fn cannot_tell(html: &mut String, report: &Report) {
    section(
        html,
        "What the data cannot tell",
        "Figures above stand on what was recorded. This is what was not, and what no record of this kind holds.",
    );
    html.push_str("<div class=\"split\"><div>\n<h3>Missing, and what follows</h3>\n");
    let rows: Vec<Vec<String>> = report
        .gaps
        .iter()
        .map(|gap| {
            vec![
                gap.what.clone(),
                gap.of.to_string(),
                gap.consequence.clone(),
            ]
        })
        .collect();
    table(
        html,
        &[("Gap", false), ("Donors", true), ("Consequence", false)],
        &rows,
        usize::MAX,
    );
    html.push_str("<h3>Rows that could not be used</h3>\n");
    let grade = report.grade.as_deref().map_or(String::new(), |grade| {
        format!("The register has data quality {grade}. ")
    });
    let rows = if report.left_out.is_empty() {
        "Every row was used.".to_owned()
    } else {
        report.left_out.join("; ") + "."
    };
    writeln!(
        html,
        "<p>{}</p>\n</div><div>\n<h3>It cannot tell</h3>\n<ul>",
        escape(&(grade + &rows))
    )
    .expect(FINE);
    let told = report.cannot_tell.iter().map(String::as_str);
    for text in told.chain([WHOLE_YEAR]) {
        writeln!(html, "<li>{}</li>", escape(text)).expect(FINE);
    }
    for text in &report.timeline.warnings {
        writeln!(html, "<li>Calendar: {}</li>", escape(text)).expect(FINE);
    }
    html.push_str("</ul>\n</div></div>\n</section>\n");
}

pub(super) fn sources(html: &mut String, book: &Book) {
    section(
        html,
        "What is real, and what is invented",
        "Published data were joined to one example, so that all five kinds of analysis have something to say about the same people.",
    );
    html.push_str("<div class=\"split\"><div>\n<h3>Real</h3>\n");
    pairs(
        html,
        REAL.map(|(part, origin)| (part, origin.to_owned()))
            .into_iter(),
    );
    html.push_str("</div><div>\n<h3>Invented</h3>\n");
    pairs(html, invented(book).into_iter());
    html.push_str("</div></div>\n</section>\n");
}

fn pairs(html: &mut String, pairs: impl Iterator<Item = (&'static str, String)>) {
    html.push_str("<table><tbody>\n");
    for (part, words) in pairs {
        let (part, words) = (escape(part), escape(&words));
        writeln!(
            html,
            "<tr><td class=\"key\">{part}</td><td>{words}</td></tr>"
        )
        .expect(FINE);
    }
    html.push_str("</tbody></table>\n");
}
