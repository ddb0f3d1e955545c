//! The median time to an answer when some answers have not come: E. L. Kaplan and P. Meier, J. Am. Stat. Assoc. 53
//! (1958). A median over answers alone would be too small: it forgets who never answers.

/// Slack for products of fractions that are exactly one half in arithmetic but not in binary.
const ROUNDING: f64 = 1e-12;

/// One mail: answered after so many hours, or not within them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observed {
    /// Hours to the answer, or until now.
    pub(super) hours: f64,
    /// Whether there was an answer.
    pub(super) answered: bool,
}

/// What is known about the time to an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latency {
    /// The first time at which at most half are unanswered; `None` when more remain so.
    pub(super) median: Option<f64>,
    /// Mails with an answer.
    pub(super) answered: u64,
    /// Mails without one so far.
    pub(super) censored: u64,
}

impl Latency {
    /// Why there is no median.
    pub(super) fn reason(self) -> Option<&'static str> {
        match (self.median, self.answered + self.censored) {
            (Some(_), _) => None,
            (None, 0) => Some("no mail that needs an answer"),
            (None, _) => Some("fewer than half are answered"),
        }
    }
}

/// The Kaplan-Meier median.
pub(super) fn of(observed: Vec<Observed>) -> Latency {
    let answered = observed.iter().filter(|o| o.answered).count() as u64;
    let censored = observed.len() as u64 - answered;
    let median = curve(observed)
        .into_iter()
        .find(|(_, share)| *share <= 0.5 + ROUNDING)
        .map(|(hours, _)| hours);
    Latency {
        median,
        answered,
        censored,
    }
}

/// The share still unanswered right after each time of an answer. Who is censored at a time was at risk at it.
pub(super) fn curve(mut observed: Vec<Observed>) -> Vec<(f64, f64)> {
    observed.sort_by(|a, b| a.hours.total_cmp(&b.hours));
    let mut share = 1.0;
    let mut steps = Vec::new();
    let mut at_risk = observed.len();
    for group in observed.chunk_by(|a, b| a.hours.total_cmp(&b.hours).is_eq()) {
        let answers = group.iter().filter(|o| o.answered).count();
        if answers > 0 {
            share *= (at_risk - answers) as f64 / at_risk as f64;
            steps.push((group[0].hours, share));
        }
        at_risk -= group.len();
    }
    steps
}
