//! A slope with honest bounds.
//!
//! Samples a second apart are not independent: what is high now is high in a
//! second. The textbook's standard error of a slope is then several times too
//! small (at an autocorrelation of 0.9 its 98 % interval holds the truth in
//! 40 % of cases). The correction `sqrt((1 + rho) / (1 - rho))` is right for a
//! known `rho`; estimated from the residuals of a short window it still falls
//! short, for three reasons, each met here:
//!
//! 1. the lag-1 estimate is biased towards zero, by about `(2 + 4 rho) / n`
//!    around a fitted line (Kendall 1954, Marriott and Pope 1954);
//! 2. it is uncertain itself: half a standard error is added;
//! 3. few independent samples remain, `n (1 - rho) / (1 + rho)`: Student's
//!    quantile takes the place of the normal one.
//!
//! Invariant: `slope_low <= slope <= slope_high`; on noise with an
//! autocorrelation of 0 to 0.9 they hold the truth in at least 95 % of windows
//! (a test of this package).

use serde::{Deserialize, Serialize};

use super::window::{Line, Window};

/// The normal quantile that bounds a slope: one-sided 99 %, with the rounding
/// up that the documentation chose.
const QUANTILE: f64 = 2.39;
/// Residuals that are correlated more than this are no noise around a line.
const RHO_MAX: f64 = 0.95;
/// Standard errors of the autocorrelation that are added to it.
const RHO_CAUTION: f64 = 0.5;

/// A straight line through a window of samples, and how far to trust it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// Samples.
    pub n: usize,
    /// Seconds that they span.
    pub span: f64,
    /// The fitted value now.
    pub now: f64,
    /// Per second.
    pub slope: f64,
    /// Lower bound of the slope.
    pub slope_low: f64,
    /// Upper bound of the slope.
    pub slope_high: f64,
    /// How far back the middle of the window lies, in seconds.
    pub centre: f64,
    /// The autocorrelation that the bounds allow for.
    pub rho: f64,
}

/// When a threshold will be reached, in seconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// By the slope itself; `None` if it does not rise.
    pub after: Option<f64>,
    /// By the upper bound of the slope; `None` if even that does not rise.
    pub earliest: Option<f64>,
    /// By the lower bound; `None` for perhaps never.
    pub latest: Option<f64>,
}

impl Trend {
    /// The trend of a window; `None` below ten samples, where an
    /// autocorrelation means nothing.
    #[must_use]
    pub fn of(window: &Window) -> Option<Self> {
        let n = window.points().len();
        let line = window.line().filter(|_| n >= 10)?;
        let rho = autocorrelation(window, &line);
        let margin = QUANTILE * standard_error(n, &line) * inflation(n, rho);
        Some(Self {
            n,
            span: window.spans(),
            now: line.now,
            slope: line.slope,
            slope_low: line.slope - margin,
            slope_high: line.slope + margin,
            centre: line.centre,
            rho,
        })
    }

    /// When it reaches a threshold; `None` if it is there already.
    ///
    /// The bounds turn the line around the middle of the window, where it is
    /// known best: a slope that is too low also makes the value of now too
    /// low, and close to the threshold that is what matters.
    #[must_use]
    pub fn crossing(&self, threshold: f64) -> Option<Crossing> {
        let way = threshold - self.now;
        let from_centre = way + self.slope * self.centre;
        let by = |slope: f64| (slope > 0.0).then(|| (from_centre / slope - self.centre).max(0.0));
        (way > 0.0).then(|| Crossing {
            after: by(self.slope),
            earliest: by(self.slope_high),
            latest: by(self.slope_low),
        })
    }

    /// From the fitted value of now, even the lower bound of the slope reaches
    /// a threshold within so many seconds: what a forecast fires on.
    #[must_use]
    pub fn reaches(&self, threshold: f64, seconds: f64) -> bool {
        let way = threshold - self.now;
        way > 0.0 && self.slope_low > 0.0 && way <= self.slope_low * seconds
    }
}

/// `sqrt(SSE / (n - 2) / Sxx)`: right if samples were independent.
pub(super) fn standard_error(n: usize, line: &Line) -> f64 {
    (line.sse / (n as f64 - 2.0) / line.sxx).sqrt()
}

/// The autocorrelation to allow for: unbiased, and with some caution. Without
/// residuals there is none.
fn autocorrelation(window: &Window, line: &Line) -> f64 {
    if line.sse <= f64::EPSILON * f64::EPSILON {
        return 0.0;
    }
    let n = window.points().len() as f64;
    let biased = window.autocorrelation(line);
    let rho = ((n * biased + 2.0) / (n - 4.0)).clamp(0.0, RHO_MAX);
    (rho + RHO_CAUTION * ((1.0 - rho * rho) / n).sqrt()).min(RHO_MAX)
}

/// By how much autocorrelation widens the bounds: fewer independent samples,
/// and Student's quantile for so few (Cornish and Fisher's expansion at 99 %,
/// relative to the normal quantile).
fn inflation(n: usize, rho: f64) -> f64 {
    let independent = n as f64 * (1.0 - rho) / (1.0 + rho);
    let freedom = (independent - 2.0).max(1.0);
    let student = 1.0 + 1.60 / freedom + 2.46 / (freedom * freedom);
    ((1.0 + rho) / (1.0 - rho)).sqrt() * student
}
