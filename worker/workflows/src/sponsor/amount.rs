//! How much a sponsor is likely to give, and what that makes together with the chance that it gives.
//!
//! Gamma-Gamma over all sponsors with gifts; without enough of them a sponsor's own mean. Intervals are quantiles of
//! seeded draws. Every sponsor is given the same random stream, so that an answer depends on its figures alone, not on
//! its id or place.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, StandardNormal};
use rust_decimal::Decimal;

use super::book::Record;
use super::funding::Funding;
use super::limits::DRAWS;
use super::model::gamma_gamma::{self, Fit, Giving};
use super::model::special::logistic;
use crate::{Error, Run, money};

/// Sponsors with gifts before Gamma-Gamma is fitted: three parameters from fewer means would be noise.
const FEWEST_DONORS: usize = 10;

/// How amounts are predicted.
#[derive(Debug)]
pub(super) struct Amounts {
    /// Gamma-Gamma and the number of its donors, or why it is not used.
    pub(super) model: Result<(Fit, usize), String>,
    seed: u64,
}

/// What is said about one sponsor's next gift.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expected {
    pub(super) mean: Decimal,
    /// The middle 80 % of the next gift.
    pub(super) p10_p90: Option<(Decimal, Decimal)>,
    /// Chance times mean.
    pub(super) potential: Decimal,
    /// The middle 80 % of the potential, as far as chance and mean are uncertain.
    pub(super) potential_p10_p90: Option<(Decimal, Decimal)>,
    /// Whether the sponsor's largest award cut the mean.
    pub(super) capped: bool,
    pub(super) method: &'static str,
}

impl Amounts {
    pub(super) fn new(records: &[Record<'_>], seed: u64, run: &Run<'_>) -> Result<Self, Error> {
        let givings: Vec<_> = records.iter().filter_map(giving).collect();
        let model = if givings.len() < FEWEST_DONORS {
            Err(format!(
                "{} sponsors have given an amount; Gamma-Gamma needs {FEWEST_DONORS}",
                givings.len()
            ))
        } else {
            match gamma_gamma::fit(&givings, run)? {
                None => {
                    Err("all mean gifts are equal, which Gamma-Gamma cannot describe".to_owned())
                }
                Some(fit) if !fit.converged => Err("Gamma-Gamma did not converge".to_owned()),
                Some(fit) if fit.parameters.q <= 1.0 => {
                    Err("the fitted Gamma-Gamma has no mean across sponsors (q <= 1)".to_owned())
                }
                Some(fit) => Ok((fit, givings.len())),
            }
        };
        Ok(Self { model, seed })
    }

    /// The answer for one sponsor; the error is the reason why there is none. Intervals only if `draw`.
    pub(super) fn answer(
        &self,
        record: &Record<'_>,
        funding: &Funding,
        draw: bool,
    ) -> Result<Expected, String> {
        let own = giving(record);
        let cap = record.max_award;
        let (mean, method, drawn) = match (&self.model, own) {
            (Ok((fit, _)), own) => {
                let own = own.unwrap_or(Giving { x: 0.0, mean: 0.0 });
                let mean = fit
                    .parameters
                    .expected(own)
                    .ok_or("Gamma-Gamma has no mean for this sponsor")?;
                let drawn = draw.then(|| self.draws(fit, own, funding, cap.map(money::float)));
                (mean, "gamma_gamma", drawn.flatten())
            }
            (Err(_), Some(own)) => (own.mean, "own_mean", None),
            (Err(why), None) => {
                return Err(format!("the sponsor has given nothing yet, and {why}"));
            }
        };
        let uncapped = money::from_float(mean);
        let mean = cap.map_or(uncapped, |cap| uncapped.min(money::cents(cap)));
        let potential = money::from_float(funding.p * money::float(mean));
        let pair = |(low, high): (f64, f64)| (money::from_float(low), money::from_float(high));
        Ok(Expected {
            mean,
            capped: mean < uncapped,
            p10_p90: drawn.as_ref().map(|d| pair(d.gift)),
            potential,
            potential_p10_p90: drawn.as_ref().and_then(|d| d.potential).map(pair),
            method,
        })
    }

    /// 2,000 draws of the next gift and of chance times mean, each sponsor's from the same stream.
    fn draws(&self, fit: &Fit, own: Giving, funding: &Funding, cap: Option<f64>) -> Option<Draws> {
        let p = fit.parameters;
        let rate = p.v + own.x * own.mean;
        let (shape, gift) = (
            Gamma::new(p.p * own.x + p.q, 1.0).ok()?,
            Gamma::new(p.p, 1.0).ok()?,
        );
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let capped = |amount: f64| cap.map_or(amount, |cap| amount.min(cap));
        let logit = (funding.p / (1.0 - funding.p)).ln();
        let deviation = funding.interval90.and_then(|(low, high)| spread(low, high));
        let (mut gifts, mut potentials) = (Vec::new(), Vec::new());
        for _ in 0..DRAWS {
            // nu ~ Gamma(p x + q) / (v + x m); the mean gift given nu is p / nu.
            let nu = shape.sample(&mut rng) / rate;
            gifts.push(capped(gift.sample(&mut rng) / nu));
            let normal: f64 = rng.sample(StandardNormal);
            if let Some(deviation) = deviation {
                potentials.push(logistic(logit + deviation * normal) * capped(p.p / nu));
            }
        }
        Some(Draws {
            gift: tails(&mut gifts)?,
            potential: tails(&mut potentials),
        })
    }
}

struct Draws {
    gift: (f64, f64),
    /// Absent where the chance has no interval.
    potential: Option<(f64, f64)>,
}

/// The standard deviation on the logit scale of a 90 % interval.
fn spread(low: f64, high: f64) -> Option<f64> {
    let logit = |p: f64| (p / (1.0 - p)).ln();
    let width = logit(high) - logit(low);
    width
        .is_finite()
        .then_some(width / (2.0 * 1.644_853_626_951_472_7))
}

/// The 10th and 90th percentile by nearest rank.
fn tails(values: &mut [f64]) -> Option<(f64, f64)> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some((values[last / 10], values[last - last / 10]))
}

/// A sponsor's gifts above zero: how many, and their mean.
fn giving(record: &Record<'_>) -> Option<Giving> {
    let amounts: Vec<Decimal> = record
        .gifts
        .iter()
        .map(|g| g.amount)
        .filter(|a| !a.is_zero())
        .collect();
    let number = super::book::count(&amounts);
    (number > 0).then(|| Giving {
        x: f64::from(number),
        mean: money::float(amounts.iter().sum::<Decimal>() / Decimal::from(number)),
    })
}
