//! The probability of funding: a ladder of models, of which each sponsor's answer names the rung and why.
//!
//! Rung 2 (`logistic`) where asks were decided often enough and the model beats the base rate on later asks; rung 1
//! (`bgbb`) where enough sponsors have a history of gifts; rung 0 (`beta_binomial`) otherwise. There is no rung of
//! hand-set probabilities. Invariant: features of an ask are those of the day before it.

mod asks;
mod past;

use std::collections::BTreeMap;

use super::book::{Book, Record};
use super::input::{Input, Kind, Params};
use super::model::bgbb::{self, History};
use super::model::shrinkage::{Prior, Trials};
use super::periods;
use crate::{Error, Run};
pub(super) use asks::{FEATURES, Outlook, Scored, features, fit as fit_asks};

/// Sponsors with [`FEWEST_PERIODS`] before BG/BB is fitted.
const FEWEST_SPONSORS: usize = 30;
/// Completed periods since the first gift that make a history.
const FEWEST_PERIODS: u32 = 3;

/// Which model gave a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rung {
    BetaBinomial,
    BgBb,
    Logistic,
}

impl Rung {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BetaBinomial => "beta_binomial",
            Self::BgBb => "bgbb",
            Self::Logistic => "logistic",
        }
    }

    /// The formula behind the probability.
    pub(super) fn method(self) -> &'static str {
        match self {
            Self::BetaBinomial => {
                "1 - B(a', b' + m) / B(a', b') of the posterior (s + a, n - s + b); (s + a) / (n + a + b) for m = 1"
            }
            Self::BgBb => "1 - L(x, t_x, n + m) / L(x, t_x, n)",
            Self::Logistic => "1 / (1 + exp(-(intercept + coefficients . features)))",
        }
    }
}

/// What is said about one sponsor.
#[derive(Debug, Clone)]
pub(super) struct Funding {
    pub(super) p: f64,
    pub(super) interval90: Option<(f64, f64)>,
    pub(super) rung: Rung,
    pub(super) why: String,
    /// What the probability is about: `1 year`, `1 ask`.
    pub(super) horizon: String,
    /// Sponsors, or asks, that the model was fitted to.
    pub(super) trained_on: u32,
    pub(super) alive: Option<f64>,
    pub(super) expected_gifts: Option<f64>,
    pub(super) base_rate: Option<f64>,
    /// The sponsor's own trials: periods or asks.
    pub(super) own: Trials,
}

/// The models of one analysis.
#[derive(Debug)]
pub(super) struct Ladder {
    histories: Vec<Option<History>>,
    params: Params,
    /// Rung 0 of decided asks.
    pub(super) asked: Rates,
    /// Rung 0 of completed periods.
    pub(super) gave: Rates,
    /// BG/BB, and to how many sponsors it was fitted.
    pub(super) bgbb: Option<(bgbb::Fit, u32)>,
    /// Rung 2, or why it is not used.
    pub(super) asks: Result<Scored, String>,
    pub(super) why_not_bgbb: String,
}

/// One kind of trials: asks that were decided, or periods with and without a gift. Kinds are never mixed, for a
/// declined ask and a year without a gift are different things.
#[derive(Debug)]
pub(super) struct Rates {
    /// Each sponsor's own.
    own: Vec<Trials>,
    /// What the types of sponsors say before a sponsor's own trials.
    pub(super) prior: Prior,
    all: Trials,
}

impl Rates {
    fn new(book: &Book<'_>, own: Vec<Trials>) -> Self {
        let mut all = Trials::default();
        for trials in &own {
            all.add(*trials);
        }
        Self {
            prior: Prior::of(&segments(book, &own)),
            own,
            all,
        }
    }
}

impl Ladder {
    /// Fits what the data allow. `asks` is rung 2, fitted before, for it needs more than gifts.
    pub(super) fn new(
        book: &Book<'_>,
        input: &Input,
        asks: Result<Scored, String>,
        run: &Run<'_>,
    ) -> Result<Self, Error> {
        let params = &input.params;
        let histories: Vec<_> = book
            .records
            .iter()
            .map(|r| periods::history(&r.gifts, params.period, input.as_of.0))
            .collect();
        let own_asks = book.records.iter().map(asked).collect();
        let own_periods = histories.iter().map(|h| gave(*h)).collect();
        let long = histories
            .iter()
            .flatten()
            .filter(|h| h.n >= FEWEST_PERIODS)
            .count();
        let enough = long >= FEWEST_SPONSORS;
        let mut bgbb = None;
        if enough {
            let (counts, donors) = counted(&histories);
            let fit = bgbb::fit(&counts, run)?.filter(|fit| fit.converged);
            bgbb = fit.map(|fit| (fit, donors));
        }
        let why_not_bgbb = if enough {
            "BG/BB did not converge".to_owned()
        } else {
            format!(
                "{long} sponsors have {FEWEST_PERIODS} completed periods since their first gift; BG/BB needs {FEWEST_SPONSORS}"
            )
        };
        Ok(Self {
            asked: Rates::new(book, own_asks),
            gave: Rates::new(book, own_periods),
            params: params.clone(),
            histories,
            bgbb,
            asks,
            why_not_bgbb,
        })
    }

    /// The history of the `i`-th sponsor, if it ever gave.
    pub(super) fn history(&self, i: usize) -> Option<History> {
        self.histories[i]
    }

    /// The answer for the `i`-th sponsor, whose next ask looks like `outlook`.
    pub(super) fn answer(&self, i: usize, outlook: &Outlook) -> Funding {
        let mut funding = match &self.asks {
            Ok(scored) => self.by_asks(i, scored, outlook),
            Err(why) => self
                .by_gifts(i, why)
                .unwrap_or_else(|reason| self.by_rate(i, &format!("{why}; {reason}"))),
        };
        if let (Some((fit, _)), Some(history)) = (&self.bgbb, self.histories[i]) {
            funding.alive = Some(fit.parameters.alive(history));
            funding.expected_gifts = Some(
                fit.parameters
                    .expected(history, self.params.horizon_periods),
            );
        }
        funding
    }

    fn by_asks(&self, i: usize, scored: &Scored, outlook: &Outlook) -> Funding {
        Funding {
            p: scored.model.predict(&outlook.0),
            interval90: Some(scored.model.interval90(&outlook.0)),
            rung: Rung::Logistic,
            why: scored.why(),
            horizon: "1 ask".into(),
            trained_on: scored.trained_on,
            alive: None,
            expected_gifts: None,
            base_rate: Some(scored.base_rate),
            own: self.asked.own[i],
        }
    }

    /// Rung 1, or why not.
    fn by_gifts(&self, i: usize, why_not_asks: &str) -> Result<Funding, String> {
        let (fit, donors) = self
            .bgbb
            .as_ref()
            .ok_or_else(|| self.why_not_bgbb.clone())?;
        let history = self.histories[i].ok_or("the sponsor has never given, which BG/BB needs")?;
        let m = self.params.horizon_periods;
        let boundary = if fit.at_boundary {
            "; a parameter lies at its bound, so no interval"
        } else {
            ""
        };
        Ok(Funding {
            p: fit.parameters.gives_within(history, m),
            interval90: fit.interval90(history, m),
            rung: Rung::BgBb,
            why: format!(
                "BG/BB fitted to the gifts of {donors} sponsors{boundary}; {why_not_asks}"
            ),
            horizon: self.params.period.horizon(m),
            trained_on: *donors,
            alive: None,
            expected_gifts: None,
            base_rate: self.gave.all.rate(),
            own: self.gave.own[i],
        })
    }

    /// A sponsor with decided asks is judged by them, one without by its periods; one with neither by what is known
    /// of the others. So an ask of one sponsor never changes what another's own history says.
    fn by_rate(&self, i: usize, why: &str) -> Funding {
        let has = |rates: &Rates| rates.own[i].trials > 0;
        let asks = has(&self.asked) || !has(&self.gave) && self.asked.all.trials > 0;
        let (rates, what, m) = if asks {
            (&self.asked, "decided asks", 1)
        } else {
            (&self.gave, "completed periods", self.params.horizon_periods)
        };
        let prior = if rates.prior.learned {
            "by moments over the types of sponsors"
        } else {
            "Jeffreys'"
        };
        let own = rates.own[i];
        Funding {
            p: rates.prior.within(own, m),
            interval90: rates.prior.interval90(own, m),
            rung: Rung::BetaBinomial,
            why: format!("{why}; rate of {what}, prior {prior}"),
            horizon: if asks {
                "1 ask".into()
            } else {
                self.params.period.horizon(m)
            },
            trained_on: rates.all.trials,
            alive: None,
            expected_gifts: None,
            base_rate: rates.all.rate(),
            own,
        }
    }
}

fn asked(record: &Record<'_>) -> Trials {
    let decided = record.asks.iter().filter_map(super::book::Asked::success);
    decided.fold(Trials::default(), |mut sum, success| {
        sum.add(Trials {
            successes: u32::from(success),
            trials: 1,
        });
        sum
    })
}

fn gave(history: Option<History>) -> Trials {
    history.map_or_else(Trials::default, |h| Trials {
        successes: h.x,
        trials: h.n,
    })
}

/// Trials by type of sponsor.
fn segments(book: &Book<'_>, trials: &[Trials]) -> Vec<Trials> {
    let mut of: BTreeMap<Option<Kind>, Trials> = BTreeMap::new();
    for (record, own) in book.records.iter().zip(trials) {
        of.entry(record.sponsor.kind).or_default().add(*own);
    }
    of.into_values().collect()
}

/// Equal histories counted, and the number of sponsors behind them.
fn counted(histories: &[Option<History>]) -> (Vec<(History, f64)>, u32) {
    let mut counts: BTreeMap<History, u32> = BTreeMap::new();
    for history in histories.iter().flatten() {
        *counts.entry(*history).or_default() += 1;
    }
    let donors = counts.values().sum();
    (
        counts.into_iter().map(|(h, n)| (h, f64::from(n))).collect(),
        donors,
    )
}
