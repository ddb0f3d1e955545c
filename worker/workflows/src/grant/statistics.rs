//! Quantiles, moments and rank correlations of simulated values.

use crate::number::{Ranker, correlation};

/// The nearest-rank quantile of ascending values.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rank within the values"
)]
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    // A relative 1e-12 below keeps a product like 0.07 * 100 from taking the rank after its own.
    let rank = (q * sorted.len() as f64 * (1.0 - 1e-12)).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Mean and sample variance.
pub(super) fn moments(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| squares / (n - 1.0)))
}

/// Spearman's rank correlation; ties share their mean rank, `None` when a side does not vary.
pub(super) fn spearman(
    x: impl Iterator<Item = f64> + Clone,
    ranks_of_y: &[f64],
    ranker: &mut Ranker,
) -> Option<f64> {
    correlation(&ranker.ranks(x), ranks_of_y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::ranks;

    #[test]
    fn ranks_share_ties() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]).statistic
        let rho = spearman(
            (1..=5).map(f64::from),
            &ranks(&[5.0, 6.0, 7.0, 8.0, 7.0]),
            &mut Ranker::default(),
        )
        .unwrap();
        assert!((rho - 0.820_782_681_668_123_2).abs() < 1e-12);
        assert_eq!(
            spearman([1.0, 1.0].into_iter(), &[1.0, 2.0], &mut Ranker::default()),
            None
        );
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!(
            (quantile(&values, 0.5) - 50.0).abs() < 1e-12
                && (quantile(&values, 0.07) - 7.0).abs() < 1e-12
        );
        assert!(
            (quantile(&values, 1.0) - 100.0).abs() < 1e-12
                && (quantile(&values, 0.001) - 1.0).abs() < 1e-12
        );
    }
}
