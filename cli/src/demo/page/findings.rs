//! Whom to thank, to renew and to win back, through whom, how likely and how much.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{FINE, SHOWN, section, table};
use crate::demo::chart::{Bar, bars, columns, network};
use crate::demo::markup::{counted, day, escape, money, percent};
use crate::demo::report::{Donor, Report};

pub(super) fn thank(html: &mut String, report: &Report) {
    let lead = "A gift within 30 days, and no word from you since.";
    section(html, "Thank", lead);
    let rows: Vec<Vec<String>> = report
        .thank
        .iter()
        .map(|due| {
            let days = due.days.map_or_else(|| "–".into(), |days| days.to_string());
            vec![due.name.clone(), day(&due.day), money(due.amount), days]
        })
        .collect();
    let columns = [
        ("Donor", false),
        ("Gift of", false),
        ("Amount", true),
        ("Days ago", true),
    ];
    table(html, &columns, &rows, SHOWN);
    let (mail, silent) = (&report.mail, report.advised("R04_one_sided_contact"));
    let words = format!(
        "Of {} whom you wrote to, {} wrote back ({} mails were read). Little or nothing comes back from {}; another voice or channel may do better than another letter.",
        counted(mail.written_to, "donor", "donors"),
        mail.answered,
        mail.messages,
        names(&silent),
    );
    write!(
        html,
        "<h3>Who answers</h3>\n<p>{}</p>\n</section>\n",
        escape(&words)
    )
    .expect(FINE);
}

pub(super) fn renew(html: &mut String, report: &Report) {
    let lead = "Gave last year, not yet this year. Expected is the chance of a gift in a year times the next gift.";
    section(html, "Renew before the year ends", lead);
    let rows: Vec<Vec<String>> = report
        .renew()
        .iter()
        .map(|donor| {
            let figures = [
                percent(donor.chance),
                money(donor.gift),
                money(donor.potential),
            ];
            [vec![donor.name.clone()], figures.to_vec()].concat()
        })
        .collect();
    let columns = [
        ("Donor", false),
        ("Chance", true),
        ("Next gift", true),
        ("Expected", true),
    ];
    table(html, &columns, &rows, SHOWN);
    html.push_str("</section>\n");
}

pub(super) fn win_back(html: &mut String, report: &Report) {
    let lead = "Top givers who have probably stopped. A friend opens the door better than a letter: the last column names the best way to them, with the product of the strengths of its ties.";
    section(html, "Win back, and through whom", lead);
    let wanted = report.win_back();
    html.push_str("<div class=\"split\"><div>\n");
    let rows: Vec<Vec<String>> = wanted
        .iter()
        .map(|donor| {
            let years = donor.silent_days.map_or_else(|| "–".into(), years);
            let figures = [money(Some(donor.given)), years, percent(donor.alive)];
            let way = vec![way(report, donor)];
            [vec![donor.name.clone()], figures.to_vec(), way].concat()
        })
        .collect();
    let columns = [
        ("Donor", false),
        ("Gave", true),
        ("Silent", true),
        ("Still a donor", true),
        ("Through", false),
    ];
    table(html, &columns, &rows, 2 * SHOWN);
    doors(html, report);
    let ids: BTreeSet<&str> = wanted.iter().map(|donor| donor.id.as_str()).collect();
    let drawing = network(
        "Who knows whom: you in the middle, then those whom you know, then their friends",
        &report.network,
        &ids,
    );
    html.push_str("</div><div>\n");
    html.push_str(&drawing);
    html.push_str("<p class=\"key\"><i class=\"teal\"></i>you<i class=\"hot\"></i>to win back<i class=\"gold\"></i>bridges groups; rings are introductions, thick lines strong ties</p>\n</div></div>\n</section>\n");
}

/// Who opens several of the ways.
fn doors(html: &mut String, report: &Report) {
    let doors = report.doors();
    if doors.is_empty() {
        return;
    }
    html.push_str("<h3>Ask first</h3>\n<ul>\n");
    for door in doors.iter().take(SHOWN / 2) {
        let (name, to) = (escape(&door.name), escape(&door.to.join(", ")));
        writeln!(html, "<li><b>{name}</b> opens the way to {to}</li>").expect(FINE);
    }
    html.push_str("</ul>\n");
}

fn way(report: &Report, donor: &Donor) -> String {
    match report.network.way(&donor.id) {
        None => "not in the network".into(),
        Some(way) if way.through.is_empty() => "you know them".into(),
        Some(way) => format!("{} ({})", way.through.join(" → "), percent(way.strength)),
    }
}

/// Days as years with a digit.
fn years(days: u64) -> String {
    let tenths = days * 10 / 365;
    format!("{}.{} y", tenths / 10, tenths % 10)
}

fn names(donors: &[&Donor]) -> String {
    let shown: Vec<&str> = donors
        .iter()
        .take(SHOWN / 2)
        .map(|d| d.name.as_str())
        .collect();
    match donors.len().saturating_sub(shown.len()) {
        _ if shown.is_empty() => "nobody".into(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

pub(super) fn chances(html: &mut String, report: &Report) {
    let lead = format!(
        "{} by {} were read, and a model of giving was fitted to all histories. In a year they are expected to bring {}; half of it comes from {}.",
        counted(usize::try_from(report.gifts).unwrap_or(0), "gift", "gifts"),
        counted(report.donors.len(), "donor", "donors"),
        money(Some(report.expected())),
        counted(report.half(), "donor", "donors"),
    );
    section(html, "How likely, and how much", &lead);
    html.push_str(
        "<div class=\"split\"><div>\n<h3>Donors by chance of a gift in a year, in %</h3>\n",
    );
    let tenths: Vec<(String, u32)> = (0..10)
        .zip(report.chances())
        .map(|(tenth, n)| (format!("{}–{}", 10 * tenth, 10 * tenth + 10), n))
        .collect();
    html.push_str(&columns(
        "Number of donors by chance of a gift in a year",
        &tenths,
    ));
    html.push_str("</div><div>\n<h3>The ten of whom most is expected</h3>\n");
    let greatest: Vec<Bar> = report.donors.iter().take(SHOWN).filter_map(bar).collect();
    html.push_str(&bars(
        "Expected of the ten greatest donors in a year",
        &greatest,
    ));
    html.push_str("<p class=\"key\"><i class=\"teal bar\"></i>expected in a year<i class=\"gold bar\"></i>80 % range of that expectation; behind it the chance and the size of the next gift</p>\n</div></div>\n</section>\n");
}

fn bar(donor: &Donor) -> Option<Bar> {
    Some(Bar {
        label: donor.name.clone(),
        value: donor.potential?,
        range: donor.range,
        note: format!("{} of {}", percent(donor.chance), money(donor.gift)),
    })
}
