//! Where the demo's data come from: what is real, and what was invented to join it.
//!
//! Invariant: everything that `book`, `mailbox` and `plan` send is named here. Licences stand in NOTICE.

use super::book::Book;
use super::markup::counted;

/// What others measured and published.
pub(super) const REAL: [(&str, &str); 5] = [
    (
        "Years of giving",
        "donors of a public radio station, one in fifty of 11,104 (Fader, Hardie and Shang 2010, packaged in lifetimes 0.11.3)",
    ),
    (
        "Amounts",
        "mean purchases of customers of a shop, times 100 and varied by a fifth from year to year (CDNOW; Fader, Hardie and Lee 2005, in lifetimes 0.11.3)",
    ),
    (
        "Who knows whom",
        "the 34 members of a karate club and the 78 ties that Zachary (1977) observed (packaged in NetworkX)",
    ),
    (
        "Holidays",
        "those of the United States (packaged in holidays 0.109)",
    ),
    (
        "Tone of mails",
        "the word list and rules of VADER (Hutto and Gilbert 2014)",
    ),
];

/// What was made up, and why.
pub(super) fn invented(book: &Book) -> Vec<(&'static str, String)> {
    vec![
        (
            "One organisation",
            format!(
                "the donors and the club have nothing to do with each other; the {} donors who gave most stand for its members, and you for its instructor",
                book.known.len()
            ),
        ),
        (
            "Days of gifts",
            "the data know years only; gifts between a donor's first and last stand as early as they can".into(),
        ),
        (
            "This year's gifts",
            format!(
                "{} this year by the most regular donors, so that there is somebody to thank",
                counted(book.invented, "gift", "gifts")
            ),
        ),
        (
            "The mailbox",
            "letters and answers were written for this demo; those who gave last year answer, the others do not".into(),
        ),
        (
            "The grant",
            "opportunity, tasks, owners and risks are an example; no funder has asked for it".into(),
        ),
        (
            "Mistakes",
            format!("{} rows of the workbook are wrong on purpose, as real registers are", Book::mistakes()),
        ),
    ]
}
