//! All figures about all sponsors, before they are laid out.
//!
//! Every list is in the order of the book's records.

use jiff::civil::Date;

use super::advice::{self, Advice, Facts};
use super::amount::{Amounts, Expected};
use super::bonds::Bonds;
use super::book::{Asked, Book, Record};
use super::funding::{Funding, Ladder, Outlook, Scored, features, fit_asks};
use super::influence::{Influence, Standing};
use super::input::{AskOutcome, Input};
use super::rfm::{self, Rfm};
use crate::strength::{Strength, sweep::Sweep};
use crate::{Error, Run};

/// Sponsors between two reports of progress: some milliseconds of draws.
const REPORT_EVERY: usize = 64;
/// The place of reciprocity among the components.
const RECIPROCITY: usize = 1;

/// Everything that was found out.
pub(super) struct Analysis<'a> {
    pub(super) input: &'a Input,
    pub(super) book: Book<'a>,
    pub(super) findings: Vec<Finding>,
    pub(super) ladder: Ladder,
    pub(super) amounts: Amounts,
    pub(super) influence: Influence,
    /// Whether intervals were drawn.
    pub(super) drawn: bool,
}

/// What was found out about one sponsor.
pub(super) struct Finding {
    pub(super) rfm: Rfm,
    pub(super) now: Strength,
    /// The day and strength that the trend compares with.
    pub(super) then: Option<(Date, Strength)>,
    pub(super) funding: Funding,
    /// Or why no amount is known.
    pub(super) amount: Result<Expected, String>,
    pub(super) standing: Option<Standing>,
    pub(super) advice: Vec<Advice>,
}

impl<'a> Analysis<'a> {
    pub(super) fn new(input: &'a Input, run: &Run<'_>) -> Result<Self, Error> {
        let book = Book::new(input)?;
        let as_of = input.as_of.0;
        run.step(0.1, "measuring influence")?;
        let influence = Influence::new(input, run)?;
        let bonds = Bonds::new(&book, input);
        run.step(0.3, "learning from decided asks")?;
        let asks = asks(&book, &bonds, &influence, run)?;
        run.step(0.4, "fitting models of giving")?;
        let ladder = Ladder::new(&book, input, asks, run)?;
        let amounts = Amounts::new(&book.records, input.seed, run)?;
        let rfm = rfm::table(&book.records, as_of);
        let mut findings = Vec::with_capacity(book.records.len());
        for (i, (record, rfm)) in book.records.iter().zip(rfm).enumerate() {
            if i % REPORT_EVERY == 0 {
                run.step(
                    0.5 + 0.5 * i as f64 / book.records.len() as f64,
                    "judging sponsors",
                )?;
            }
            let now = bonds.at_end_of(i, record, as_of);
            let then = bonds.earlier(i, record, as_of);
            let standing = influence.of(record);
            let outlook = outlook(record, as_of, looks(now.score, standing));
            let funding = ladder.answer(i, &outlook);
            let amount = amounts.answer(record, &funding, run.advanced);
            let advice = advice::about(&Facts {
                record,
                rfm: &rfm,
                funding: &funding,
                reciprocity: now.components[RECIPROCITY].value(),
                relationship: now.score,
                in_network: standing.is_some(),
                period: input.params.period,
                as_of,
            });
            findings.push(Finding {
                rfm,
                now,
                then,
                funding,
                amount,
                standing,
                advice,
            });
        }
        Ok(Self {
            input,
            book,
            findings,
            ladder,
            amounts,
            influence,
            drawn: run.advanced,
        })
    }

    /// Records with what was found out about them.
    pub(super) fn sponsors(&self) -> impl Iterator<Item = (&Record<'a>, &Finding)> {
        self.book.records.iter().zip(&self.findings)
    }
}

/// The model of asks, each seen with what was known of its sponsor before it.
fn asks(
    book: &Book<'_>,
    bonds: &Bonds<'_>,
    influence: &Influence,
    run: &Run<'_>,
) -> Result<Result<Scored, String>, Error> {
    // Asks come in order of time, so a look at each sponsor that only moves forward sees them all.
    let mut sweeps: Vec<Option<Sweep<'_>>> = book.records.iter().map(|_| None).collect();
    let mut known = |i: usize, day: Date| {
        let record = &book.records[i];
        let sweep = sweeps[i].get_or_insert_with(|| bonds.looking_back(i));
        let score = bonds.score_before((i, record), day, sweep);
        looks(score, influence.of(record))
    };
    fit_asks(book, &mut known, run)
}

/// Two features as shares.
fn looks(score: Option<f64>, standing: Option<Standing>) -> (Option<f64>, Option<f64>) {
    (score.map(|s| s / 100.0), standing.map(|s| s.score / 100.0))
}

/// The features of the next ask: the earliest pending one, else one of unknown size and subject.
fn outlook(record: &Record<'_>, as_of: Date, known: (Option<f64>, Option<f64>)) -> Outlook {
    let pending = |ask: &&Asked<'_>| ask.ask.outcome == AskOutcome::Pending;
    let next = record.asks.iter().find(pending);
    features(record, next, as_of.tomorrow().unwrap_or(as_of), known)
}
