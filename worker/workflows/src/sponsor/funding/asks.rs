//! Rung 2: which asks are awarded, learned from the earlier ones and judged on the later.
//!
//! Invariant: a feature of an ask uses only what was known before its date; the model is judged on asks later than
//! all that it was fitted to, and is not used unless it beats the base rate there.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::past::Past;
use crate::money;
use crate::sponsor::book::{Asked, Book, Given, Record, count};
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
    let mut sides: Vec<Side<'_>> = book.records.iter().map(Side::new).collect();
    for (k, (i, ask, success)) in decided.into_iter().enumerate() {
        if k % CHECK_EVERY == 0 {
            run.check()?;
        }
        let day = ask.ask.date.0;
        let Outlook(features) = sides[i].until(day, Some(ask)).with(known(i, day));
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
    Side::new(record).until(day, ask).with(known)
}

impl Outlook {
    /// With relationship and influence.
    fn with(mut self, known: (Option<f64>, Option<f64>)) -> Self {
        (self.0[4], self.0[5]) = known;
        self
    }
}

/// One sponsor, on days that follow each other.
struct Side<'a> {
    gifts: &'a [Given<'a>],
    past: Past,
    /// What it funds.
    focus: BTreeSet<&'a str>,
}

impl<'a> Side<'a> {
    fn new(record: &'a Record<'_>) -> Self {
        Self {
            gifts: &record.gifts,
            past: Past::default(),
            focus: set(&record.sponsor.focus_areas),
        }
    }

    /// What the gifts before a day, which is not before that of the last call, and the ask itself say.
    fn until(&mut self, day: Date, ask: Option<&Asked<'_>>) -> Outlook {
        self.past.until(day, self.gifts);
        let gifts = &self.gifts[..self.past.gifts];
        let recency = gifts
            .last()
            .map(|g| f64::from((day - g.date).get_days()).ln_1p());
        let size = ask
            .and_then(|a| a.amount)
            .filter(|a| !a.is_zero())
            .zip(self.past.median())
            .map(|(ask, usual)| (money::float(ask) / money::float(usual)).ln());
        let frequency = f64::from(count(gifts)).ln_1p();
        let focus = ask.and_then(|a| jaccard(&set(&a.ask.focus_areas), &self.focus));
        Outlook([recency, Some(frequency), size, focus, None, None])
    }
}

fn set(words: &[String]) -> BTreeSet<&str> {
    words.iter().map(String::as_str).collect()
}

/// Shared over all; `None` when either side is empty. Looks at each of `few` once, and at none of `many` that is not
/// among them: a sponsor may name many areas and be asked often.
fn jaccard(few: &BTreeSet<&str>, many: &BTreeSet<&str>) -> Option<f64> {
    if few.is_empty() || many.is_empty() {
        return None;
    }
    let both = few.iter().filter(|word| many.contains(*word)).count();
    Some(both as f64 / (few.len() + many.len() - both) as f64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn focus_is_compared_as_sets(a in prop::collection::vec("[a-f]", 0..8), b in prop::collection::vec("[a-f]", 0..8)) {
            let all: BTreeSet<_> = a.iter().chain(&b).collect();
            let both = all.iter().filter(|word| a.contains(word) && b.contains(word)).count();
            let expected = (!a.is_empty() && !b.is_empty()).then(|| both as f64 / all.len() as f64);
            prop_assert_eq!(jaccard(&set(&a), &set(&b)), expected);
        }
    }
}
