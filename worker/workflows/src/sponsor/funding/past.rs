//! What a sponsor had given before a day, for days that follow each other: one pass over its gifts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::sponsor::book::Given;

/// The gifts before a day.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// How many there are.
    pub(super) gifts: usize,
    /// The lower half of the amounts above 0, one more than the upper where their number is odd.
    low: BinaryHeap<Decimal>,
    high: BinaryHeap<Reverse<Decimal>>,
}

impl Past {
    /// Moves on to `day`, which is not before that of the last call. `all` is ascending by date.
    pub(super) fn until(&mut self, day: Date, all: &[Given<'_>]) {
        let new = all[self.gifts..].iter().take_while(|g| g.date < day);
        for gift in new {
            self.gifts += 1;
            if !gift.amount.is_zero() {
                self.add(gift.amount);
            }
        }
    }

    fn add(&mut self, amount: Decimal) {
        // By way of the lower half, whose greatest goes on to the upper: the halves stay apart.
        self.low.push(amount);
        self.high.extend(self.low.pop().map(Reverse));
        if self.high.len() > self.low.len() {
            self.low.extend(self.high.pop().map(|Reverse(least)| least));
        }
    }

    /// The middle amount; the mean of the two middle ones of an even number.
    pub(super) fn median(&self) -> Option<Decimal> {
        let low = *self.low.peek()?;
        let even = self.low.len() == self.high.len();
        let high = self.high.peek().filter(|_| even).map_or(low, |h| h.0);
        Some((low + high) / Decimal::TWO)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_median_is_that_of_the_sorted_amounts(amounts in prop::collection::vec(0_i64..50, 0..40)) {
            let day = |k: usize| Date::constant(2020, 1, 1) + jiff::Span::new().days(i64::try_from(k).unwrap());
            let gifts: Vec<Given<'_>> = amounts.iter().enumerate()
                .map(|(k, amount)| Given { id: "g", date: day(k), amount: Decimal::from(*amount) })
                .collect();
            let mut past = Past::default();
            for k in 0..=gifts.len() {
                past.until(day(k), &gifts);
                prop_assert_eq!(past.gifts, k);
                let mut known: Vec<i64> = amounts[..k].iter().copied().filter(|a| *a > 0).collect();
                known.sort_unstable();
                let middle = known.len().checked_sub(1)
                    .map(|last| Decimal::from(known[last / 2] + known[known.len() / 2]) / Decimal::TWO);
                prop_assert_eq!(past.median(), middle);
            }
        }
    }
}
