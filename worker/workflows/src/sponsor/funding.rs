//! The probability of funding: a ladder of models, of which each sponsor's answer names the rung and why.
//!
//! Rung 2 (`logistic`) where asks were decided often enough and the model beats the base rate on later asks; rung 1
//! (`bgbb`) where enough sponsors have a history of gifts; rung 0 (`beta_binomial`) otherwise. There is no rung of
//! hand-set probabilities. Invariant: features of an ask are those of the day before it.

mod asks;

use std::collections::BTreeMap;

use super::book::{Book, Record};
use super::input::{Kind, Params};
use super::model::bgbb::{self, History};
use super::model::shrinkage::{Prior, Trials};
use super::periods;
use crate::schema::Day;
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
    prior: Prior,
    /// Each sponsor's trials for rung 0.
    trials: Vec<Trials>,
    trials_are_asks: bool,
    /// BG/BB, and to how many sponsors it was fitted.
    pub(super) bgbb: Option<(bgbb::Fit, u32)>,
    /// Rung 2, or why it is not used.
    pub(super) asks: Result<Scored, String>,
    pub(super) why_not_bgbb: String,
    base_rate: Option<f64>,
}

impl Ladder {
    /// Fits what the data allow. `asks` is rung 2, fitted before, for it needs more than gifts.
    pub(super) fn new(
        book: &Book<'_>,
        params: &Params,
        as_of: Day,
        asks: Result<Scored, String>,
    ) -> Self {
        let histories: Vec<_> = book
            .records
            .iter()
            .map(|r| periods::history(&r.gifts, params.period, as_of.0))
            .collect();
        let trials_are_asks = book
            .records
            .iter()
            .any(|r| r.asks.iter().any(|a| a.success().is_some()));
        let trials: Vec<_> = book
            .records
            .iter()
            .zip(&histories)
            .map(|(record, history)| {
                if trials_are_asks {
                    asked(record)
                } else {
                    gave(*history)
                }
            })
            .collect();
        let long = histories
            .iter()
            .flatten()
            .filter(|h| h.n >= FEWEST_PERIODS)
            .count();
        let enough = long >= FEWEST_SPONSORS;
        let bgbb = enough
            .then(|| counted(&histories))
            .and_then(|(counts, donors)| Some((bgbb::fit(&counts)?, donors)));
        let bgbb = bgbb.filter(|(fit, _)| fit.converged);
        let why_not_bgbb = if enough {
            "BG/BB did not converge".to_owned()
        } else {
            format!(
                "{long} sponsors have {FEWEST_PERIODS} completed periods since their first gift; BG/BB needs {FEWEST_SPONSORS}"
            )
        };
        let mut given = Trials::default();
        for history in histories.iter().flatten() {
            given.add(gave(Some(*history)));
        }
        Self {
            prior: Prior::of(&segments(book, &trials)),
            base_rate: given.rate(),
            params: params.clone(),
            histories,
            trials,
            trials_are_asks,
            bgbb,
            asks,
            why_not_bgbb,
        }
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
            own: self.trials[i],
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
            base_rate: self.base_rate,
            own: gave(Some(history)),
        })
    }

    fn by_rate(&self, i: usize, why: &str) -> Funding {
        let own = self.trials[i];
        let m = if self.trials_are_asks {
            1
        } else {
            self.params.horizon_periods
        };
        let prior = if self.prior.learned {
            "by moments over the types of sponsors"
        } else {
            "Jeffreys'"
        };
        let mut all = Trials::default();
        self.trials.iter().for_each(|t| all.add(*t));
        Funding {
            p: self.prior.within(own, m),
            interval90: self.prior.interval90(own, m),
            rung: Rung::BetaBinomial,
            why: format!("{why}; prior {prior}"),
            horizon: if self.trials_are_asks {
                "1 ask".into()
            } else {
                self.params.period.horizon(m)
            },
            trained_on: all.trials,
            alive: None,
            expected_gifts: None,
            base_rate: all.rate(),
            own,
        }
    }

    /// The prior of rung 0.
    pub(super) fn prior(&self) -> Prior {
        self.prior
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
