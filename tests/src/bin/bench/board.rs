//! The collected figures: per system and measure one value a run; medians and percentiles over them.
//!
//! Invariant: every value of a run is kept, the report can show the spread. Units are part of the measure's name.

use serde::Serialize;

/// The values of one measure on one system, in the order of the runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Series {
    /// The system's name, as on the command line.
    pub(crate) system: String,
    /// What was measured, with its unit as the last part of the name.
    pub(crate) measure: String,
    /// The middle value.
    pub(crate) median: f64,
    /// One value a run.
    pub(crate) runs: Vec<f64>,
}

/// All series of one run of the bench.
#[derive(Debug, Default)]
pub(crate) struct Board {
    series: Vec<Series>,
}

impl Board {
    /// Adds one run's value.
    pub(crate) fn add(&mut self, system: &str, measure: &str, value: f64) {
        let known = self
            .series
            .iter_mut()
            .find(|series| series.system == system && series.measure == measure);
        if let Some(series) = known {
            series.runs.push(value);
            series.median = median(&series.runs);
        } else {
            self.series.push(Series {
                system: system.to_owned(),
                measure: measure.to_owned(),
                median: value,
                runs: vec![value],
            });
        }
    }

    /// The middle of the runs, if there was any.
    pub(crate) fn median(&self, system: &str, measure: &str) -> Option<f64> {
        self.series
            .iter()
            .find(|series| series.system == system && series.measure == measure)
            .map(|series| series.median)
    }

    /// Everything, in the order in which it was first measured.
    pub(crate) fn series(&self) -> &[Series] {
        &self.series
    }
}

/// The middle value, or the mean of the two middle ones; NaN of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(middle)) {
        (_, None) => f64::NAN,
        (0, Some(upper)) => f64::midpoint(sorted[middle - 1], *upper),
        (_, Some(value)) => *value,
    }
}

/// The smallest value that at least `percent` of a hundred values do not exceed (nearest rank); NaN of nothing.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let sorted = sorted(values);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((percentile(&hundred, 50) - 50.0).abs() < 1e-12);
        assert!((percentile(&hundred, 99) - 99.0).abs() < 1e-12);
        assert!((percentile(&[7.0], 99) - 7.0).abs() < 1e-12);
        assert!(percentile(&[], 99).is_nan());
    }

    #[test]
    fn a_second_value_moves_the_median() {
        let mut board = Board::default();
        board.add("ours", "per_s", 1.0);
        board.add("ours", "per_s", 3.0);
        assert_eq!(board.median("ours", "per_s"), Some(2.0));
        assert_eq!(board.median("ours", "other"), None);
    }
}
