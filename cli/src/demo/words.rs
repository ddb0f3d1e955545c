//! The report as text for a terminal.
//!
//! Invariant: it says what the page says, shorter; control characters of names are gone.

use std::fmt::Write as _;

use super::book::Book;
use super::markup::{counted, day, long, money, percent, short};
use super::page::WHOLE_YEAR;
use super::report::{Donor, Report, Timeline};
use super::sources::{REAL, invented};

/// Lines of a list before the rest is counted.
const SHOWN: usize = 5;
/// Why formatting into a text cannot fail.
const FINE: &str = "writing to a string cannot fail";

/// The whole text.
pub(super) fn words(report: &Report, book: &Book) -> String {
    let mut text = format!(
        "What to do next, as of {}; amounts in {}.\n",
        day(&report.as_of),
        report.currency
    );
    thank(&mut text, report);
    renew(&mut text, report);
    win_back(&mut text, report);
    chances(&mut text, report);
    grant(&mut text, &report.timeline);
    cannot_tell(&mut text, report);
    let names = |parts: &[&str]| parts.join(", ").to_lowercase();
    let real = REAL.map(|(part, _)| part);
    let made: Vec<&str> = invented(book).iter().map(|(part, _)| *part).collect();
    write!(
        text,
        "\nREAL: {}. INVENTED: {} (the page says how).\n",
        names(&real),
        names(&made)
    )
    .expect(FINE);
    text.retain(|c| c == '\n' || !c.is_control());
    text
}

fn thank(text: &mut String, report: &Report) {
    heading(
        text,
        "THANK",
        &counted(report.thank.len(), "donor", "donors"),
    );
    let line = |due: &super::report::Thanks| {
        format!("{}: {} on {}", due.name, money(due.amount), day(&due.day))
    };
    list(text, report.thank.iter().map(line));
}

fn renew(text: &mut String, report: &Report) {
    let donors = report.renew();
    heading(
        text,
        "RENEW before the year ends",
        &counted(donors.len(), "donor", "donors"),
    );
    list(
        text,
        donors
            .iter()
            .map(|donor| format!("{}: {}", donor.name, odds(donor))),
    );
}

fn win_back(text: &mut String, report: &Report) {
    let donors = report.win_back();
    heading(text, "WIN BACK", &counted(donors.len(), "donor", "donors"));
    let line = |donor: &&Donor| {
        let way = match report.network.way(&donor.id) {
            None => "nobody in the network knows them".into(),
            Some(way) if way.through.is_empty() => "you know them yourself".into(),
            Some(way) => format!("through {}", way.through.join(", then ")),
        };
        let (gave, alive) = (money(Some(donor.given)), percent(donor.alive));
        format!(
            "{}: gave {gave} in all, still a donor {alive}; {way}",
            donor.name
        )
    };
    list(text, donors.iter().map(line));
    if let Some(door) = report.doors().first() {
        writeln!(
            text,
            "  Ask {} first: they open the way to {}.",
            door.name,
            door.to.join(", ")
        )
        .expect(FINE);
    }
    let (mail, silent) = (&report.mail, report.advised("R04_one_sided_contact"));
    writeln!(
        text,
        "  Of {} whom you wrote to, {} wrote back; contact with {} is one-sided.",
        counted(mail.written_to, "donor", "donors"),
        mail.answered,
        silent.len()
    )
    .expect(FINE);
}

fn chances(text: &mut String, report: &Report) {
    let expected = format!("{} expected in a year", money(Some(report.expected())));
    heading(text, "HOW LIKELY, HOW MUCH", &expected);
    let half = format!(
        "half of it from {}",
        counted(report.half(), "donor", "donors")
    );
    let greatest = report.donors.iter().take(SHOWN);
    let lines = greatest.map(|donor| format!("{}: {}", donor.name, odds(donor)));
    list(text, std::iter::once(half).chain(lines).take(SHOWN));
}

fn odds(donor: &Donor) -> String {
    let (chance, gift) = (percent(donor.chance), money(donor.gift));
    format!(
        "{chance} chance of about {gift}, {} expected",
        money(donor.potential)
    )
}

fn grant(text: &mut String, plan: &Timeline) {
    heading(
        text,
        "THE GRANT",
        &format!(
            "in time in {} of the simulated futures",
            percent(plan.now.p)
        ),
    );
    writeln!(
        text,
        "  Deadline {}. Work must begin by {}; then the chance is {}.",
        long(plan.deadline),
        long(plan.safe_start),
        percent(plan.late.p)
    )
    .expect(FINE);
    let line = |step: &super::report::Step| {
        format!(
            "{} ({}): must start by {}",
            step.name,
            step.owner,
            short(step.latest_start)
        )
    };
    list(
        text,
        plan.steps.iter().filter(|step| !step.under_way).map(line),
    );
}

fn cannot_tell(text: &mut String, report: &Report) {
    heading(text, "WHAT THE DATA CANNOT TELL", "");
    let told = report.cannot_tell.iter().map(String::clone);
    let all: Vec<String> = told.chain([WHOLE_YEAR.to_owned()]).collect();
    for line in all {
        writeln!(text, "  - {line}").expect(FINE);
    }
    let gaps = report
        .gaps
        .iter()
        .map(|gap| format!("{} ({})", gap.what, gap.of));
    writeln!(text, "  Missing: {}.", gaps.collect::<Vec<_>>().join(", ")).expect(FINE);
    for row in &report.left_out {
        writeln!(text, "  Not used: {row}.").expect(FINE);
    }
}

fn heading(text: &mut String, title: &str, figure: &str) {
    let colon = if figure.is_empty() { "" } else { ": " };
    writeln!(text, "\n{title}{colon}{figure}").expect(FINE);
}

fn list(text: &mut String, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    for line in lines.iter().take(SHOWN) {
        writeln!(text, "  {line}").expect(FINE);
    }
    if lines.len() > SHOWN {
        writeln!(text, "  and {} more", lines.len() - SHOWN).expect(FINE);
    }
}
