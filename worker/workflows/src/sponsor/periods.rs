//! Calendar periods, and what a sponsor did in them.
//!
//! Invariant: a history counts completed periods only; the period of the first gift opens it and is not counted.

use jiff::civil::Date;

use super::book::Given;
use super::input::Period;
use super::model::bgbb::History;

impl Period {
    /// The number of the period that holds a day; consecutive periods have consecutive numbers.
    pub(super) fn number(self, day: Date) -> i32 {
        let (year, month) = (i32::from(day.year()), i32::from(day.month()) - 1);
        match self {
            Self::Year => year,
            Self::Quarter => 4 * year + month / 3,
            Self::Month => 12 * year + month,
        }
    }

    /// The last period that has ended by the end of this day.
    pub(super) fn last_completed(self, as_of: Date) -> i32 {
        let here = self.number(as_of);
        let ends_today = as_of.tomorrow().is_ok_and(|next| self.number(next) != here);
        if ends_today { here } else { here - 1 }
    }

    /// Days from this one to the last of its period.
    pub(super) fn days_left(self, as_of: Date) -> i32 {
        let here = self.number(as_of);
        let mut last = as_of;
        while let Ok(next) = last.tomorrow()
            && self.number(next) == here
        {
            last = next;
        }
        (last - as_of).get_days()
    }

    /// Its mean length in the Gregorian calendar.
    pub(super) fn mean_days(self) -> f64 {
        match self {
            Self::Year => 365.2425,
            Self::Quarter => 365.2425 / 4.0,
            Self::Month => 365.2425 / 12.0,
        }
    }

    /// The name with its number: `1 year`, `3 quarters`.
    pub(super) fn horizon(self, periods: u32) -> String {
        let name = match self {
            Self::Year => "year",
            Self::Quarter => "quarter",
            Self::Month => "month",
        };
        format!("{periods} {name}{}", if periods == 1 { "" } else { "s" })
    }
}

/// Gifts in yearly (quarterly, monthly) opportunities up to `as_of`. `None` before the first gift.
pub(super) fn history(gifts: &[Given<'_>], period: Period, as_of: Date) -> Option<History> {
    let first = period.number(gifts.first()?.date);
    let opportunities = (period.last_completed(as_of) - first).max(0);
    let mut given: Vec<i32> = gifts
        .iter()
        .map(|g| period.number(g.date) - first)
        .filter(|&at| at >= 1 && at <= opportunities)
        .collect();
    given.dedup();
    let count = |n: i32| u32::try_from(n).unwrap_or(0);
    Some(History {
        x: super::book::count(&given),
        t_x: count(given.last().copied().unwrap_or(0)),
        n: count(opportunities),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use rust_decimal::Decimal;

    fn gifts(days: &[Date]) -> Vec<Given<'static>> {
        days.iter()
            .map(|&date| Given {
                id: "g",
                date,
                amount: Decimal::ONE,
            })
            .collect()
    }

    #[test]
    fn the_first_period_opens_a_history_and_the_present_one_does_not_count() {
        let given = gifts(&[
            date(2019, 3, 1),
            date(2019, 9, 1),
            date(2021, 1, 1),
            date(2024, 12, 31),
            date(2026, 2, 1),
        ]);
        let history = history(&given, Period::Year, date(2026, 11, 23)).unwrap();
        assert_eq!(history, History { x: 2, t_x: 5, n: 6 });
    }

    #[test]
    fn two_gifts_of_one_period_are_one() {
        let given = gifts(&[
            date(2020, 1, 1),
            date(2021, 1, 1),
            date(2021, 1, 1),
            date(2021, 6, 1),
        ]);
        let history = history(&given, Period::Year, date(2022, 6, 1)).unwrap();
        assert_eq!(history, History { x: 1, t_x: 1, n: 1 });
    }

    #[test]
    fn a_period_is_complete_on_its_last_day() {
        assert_eq!(Period::Year.last_completed(date(2025, 12, 31)), 2025);
        assert_eq!(Period::Year.last_completed(date(2025, 12, 30)), 2024);
        assert_eq!(Period::Quarter.days_left(date(2026, 2, 27)), 32);
        assert_eq!(
            Period::Month.number(date(2026, 1, 1)) - Period::Month.number(date(2025, 12, 31)),
            1
        );
    }

    #[test]
    fn a_new_sponsor_has_no_opportunity_yet() {
        let history = history(
            &gifts(&[date(2026, 5, 1)]),
            Period::Year,
            date(2026, 11, 23),
        )
        .unwrap();
        assert_eq!(history, History { x: 0, t_x: 0, n: 0 });
        assert!(super::history(&[], Period::Year, date(2026, 11, 23)).is_none());
    }
}
