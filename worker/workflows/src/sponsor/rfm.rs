//! Recency, frequency, monetary value: the raw figures, and quintiles among the sponsors that have given.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::book::{Record, count};
use crate::number::ranks;

/// Fewer donors than this have no quintiles.
pub(super) const FEWEST: usize = 5;

/// One sponsor's figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rfm {
    /// Days since the last gift.
    pub(super) recency_days: Option<i32>,
    /// Number of gifts.
    pub(super) frequency: u32,
    /// Sum of gifts.
    pub(super) monetary: Decimal,
    /// Quintiles 1 to 5 of recency (5 is the most recent), frequency and sum.
    pub(super) quintiles: Option<[u8; 3]>,
}

/// The figures of every record, in their order.
pub(super) fn table(records: &[Record<'_>], as_of: Date) -> Vec<Rfm> {
    let mut all: Vec<Rfm> = records.iter().map(|record| raw(record, as_of)).collect();
    let donors: Vec<usize> = (0..all.len()).filter(|&i| all[i].frequency > 0).collect();
    if donors.len() < FEWEST {
        return all;
    }
    let column = |value: &dyn Fn(&Rfm) -> f64| -> Vec<u8> {
        let values: Vec<f64> = donors.iter().map(|&i| value(&all[i])).collect();
        quintiles(&values)
    };
    let recency = column(&|r| -f64::from(r.recency_days.unwrap_or(0)));
    let frequency = column(&|r| f64::from(r.frequency));
    let monetary = column(&|r| crate::money::float(r.monetary));
    for (place, &i) in donors.iter().enumerate() {
        all[i].quintiles = Some([recency[place], frequency[place], monetary[place]]);
    }
    all
}

fn raw(record: &Record<'_>, as_of: Date) -> Rfm {
    Rfm {
        recency_days: record.gifts.last().map(|g| (as_of - g.date).get_days()),
        frequency: count(&record.gifts),
        monetary: record.gifts.iter().map(|g| g.amount).sum(),
        quintiles: None,
    }
}

/// 1 + floor(5 (rank - 1) / n) of the average rank: what ties across a boundary falls into the lower bin.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 to 4 by construction"
)]
fn quintiles(values: &[f64]) -> Vec<u8> {
    let n = values.len() as f64;
    ranks(values)
        .iter()
        .map(|rank| 1 + (5.0 * (rank - 1.0) / n).floor() as u8)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_the_lower_bin() {
        assert_eq!(quintiles(&[1.0, 2.0, 3.0, 4.0, 5.0]), [1, 2, 3, 4, 5]);
        assert_eq!(quintiles(&[1.0, 2.0, 2.0, 4.0, 5.0]), [1, 2, 2, 4, 5]);
        assert_eq!(quintiles(&[7.0; 6]), [3; 6]);
        let many: Vec<f64> = (0..100).map(f64::from).collect();
        for bin in 1..=5 {
            let members = quintiles(&many).into_iter().filter(|q| *q == bin);
            assert_eq!(members.count(), 20);
        }
    }
}
