//! Rung 2: which asks are awarded, learned from the earlier ones and judged on the later.
//!
//! Invariant: a feature of an ask uses only what was known before its date; the model is judged on asks later than
//! all that it was fitted to, and is not used unless it beats the base rate there.

use jiff::civil::Date;

use super::past::Past;
use crate::money;
use crate::sponsor::book::{Asked, Book, Record, count};
use crate::sponsor::model::logistic::{Case, Judgement, Model, judge};
use crate::{Error, Run};

/// Decided asks before a model is fitted.
const FEWEST_ASKS: usize = 100;
/// Awarded, and declined, among them.
const FEWEST_OF_EACH: usize = 30;
/// Share of the asks, by time, that the model is fitted to.
const TRAINING_SHARE: f64 = 0.7;

/// Asks between two looks at the stop request: each takes some microseconds.
const CHECK_EVERY: usize = 1_024;

/// What the model looks at.
pub(crate) const FEATURES: [&str; 6] = [
    "log1p_recency_days",
    "log1p_frequency",
    "log_ask_to_median_gift",
    "focus_jaccard",
    "relationship",
    "influence",
];

/// The features of an ask, in the order of [`FEATURES`].
#[derive(Debug, Clone)]
pub(crate) struct Outlook(pub(crate) [Option<f64>; 6]);

/// A fitted and judged model.
#[derive(Debug)]
pub(crate) struct Scored {
    pub(crate) model: Model<6>,
    pub(crate) judgement: Judgement,
    pub(crate) trained_on: u32,
    pub(crate) judged_on: u32,
    pub(crate) base_rate: f64,
}

impl Scored {
    pub(super) fn why(&self) -> String {
        format!(
            "logistic regression on {} asks; Brier skill {:.3} against the base rate on the {} later ones",
            self.trained_on, self.judgement.brier_skill, self.judged_on
        )
    }
}

/// What is known of a sponsor on a day besides its gifts: relationship score and influence, both in [0, 1]. Each
/// sponsor's days are asked for in their order.
pub(crate) type Known<'a> = &'a mut dyn FnMut(usize, Date) -> (Option<f64>, Option<f64>);

/// Fits and judges the model. The inner error says why there is none.
pub(crate) fn fit(
    book: &Book<'_>,
    known: Known<'_>,
    run: &Run<'_>,
) -> Result<Result<Scored, String>, Error> {
    let mut decided: Vec<(usize, &Asked<'_>, bool)> = book
        .records
        .iter()
        .enumerate()
        .flat_map(|(i, r)| r.asks.iter().map(move |a| (i, a)))
        .filter_map(|(i, a)| Some((i, a, a.success()?)))
        .collect();
    let awarded = decided.iter().filter(|d| d.2).count();
    let declined = decided.len() - awarded;
    if decided.len() < FEWEST_ASKS || awarded.min(declined) < FEWEST_OF_EACH {
        return Ok(Err(format!(
            "{awarded} asks were awarded and {declined} declined; a model of asks needs {FEWEST_ASKS} in all and {FEWEST_OF_EACH} of each"
        )));
    }
    decided.sort_by_key(|(_, a, _)| (a.ask.date, a.ask.id.as_str()));
    let mut cases = Vec::with_capacity(decided.len());
    let mut pasts: Vec<Past> = book.records.iter().map(|_| Past::default()).collect();
    for (k, (i, ask, success)) in decided.into_iter().enumerate() {
        if k % CHECK_EVERY == 0 {
            run.check()?;
        }
        let (record, day) = (&book.records[i], ask.ask.date.0);
        pasts[i].until(day, &record.gifts);
        let features = then(record, Some(ask), day, &pasts[i]);
        let Outlook(features) = features.with(known(i, day));
        cases.push(Case { features, success });
    }
    scored(&cases, run)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of the number of cases"
)]
fn scored(cases: &[Case<6>], run: &Run<'_>) -> Result<Result<Scored, String>, Error> {
    let (training, later) = cases.split_at((TRAINING_SHARE * cases.len() as f64).round() as usize);
    let Some(model) = Model::fit(training, run)?.filter(|m| m.converged) else {
        return Ok(Err("the earlier asks all ended the same way".into()));
    };
    let base_rate = training.iter().filter(|c| c.success).count() as f64 / training.len() as f64;
    let predictions: Vec<_> = later.iter().map(|c| model.predict(&c.features)).collect();
    let outcomes: Vec<_> = later.iter().map(|c| c.success).collect();
    let judgement = judge(&predictions, &outcomes, base_rate, run)?;
    let better = judgement.brier_skill > 0.0;
    if !better {
        return Ok(Err(format!(
            "the model of asks does not beat the base rate on later asks (Brier skill {:.3})",
            judgement.brier_skill
        )));
    }
    Ok(Ok(Scored {
        model,
        judgement,
        trained_on: count(training),
        judged_on: count(later),
        base_rate,
    }))
}

/// The features of an ask on a day, from what was known before it. Without an ask its size and subject are unknown.
pub(crate) fn features(
    record: &Record<'_>,
    ask: Option<&Asked<'_>>,
    day: Date,
    known: (Option<f64>, Option<f64>),
) -> Outlook {
    let mut past = Past::default();
    past.until(day, &record.gifts);
    then(record, ask, day, &past).with(known)
}

impl Outlook {
    /// With relationship and influence.
    fn with(mut self, known: (Option<f64>, Option<f64>)) -> Self {
        (self.0[4], self.0[5]) = known;
        self
    }
}

/// What gifts and the ask itself say.
fn then(record: &Record<'_>, ask: Option<&Asked<'_>>, day: Date, past: &Past) -> Outlook {
    let gifts = &record.gifts[..past.gifts];
    let recency = gifts
        .last()
        .map(|g| f64::from((day - g.date).get_days()).ln_1p());
    let size = ask
        .and_then(|a| a.amount)
        .filter(|a| !a.is_zero())
        .zip(past.median())
        .map(|(ask, usual)| (money::float(ask) / money::float(usual)).ln());
    let frequency = f64::from(count(gifts)).ln_1p();
    let focus = ask.and_then(|a| jaccard(&a.ask.focus_areas, &record.sponsor.focus_areas));
    Outlook([recency, Some(frequency), size, focus, None, None])
}

/// Shared over all; `None` when either side is empty.
fn jaccard(a: &[String], b: &[String]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let (a, b): (std::collections::BTreeSet<_>, std::collections::BTreeSet<_>) =
        (a.iter().collect(), b.iter().collect());
    Some(a.intersection(&b).count() as f64 / a.union(&b).count() as f64)
}
