//! How a tone moves over weeks: the slope after Theil (1950) and Sen (1968), which a single bad day does not turn.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Weeks that a trend looks at, the newest ones: five years. Slopes grow with the square of them.
const MOST_WEEKS: usize = 260;
/// Fewer weeks make a line, not a trend.
const LEAST_WEEKS: usize = 3;

/// A trend, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trend {
    /// Change per week, over so many weeks with a value.
    Slope {
        /// Change per week.
        per_week: f64,
        /// Weeks with a value.
        weeks: usize,
    },
    /// Not enough weeks.
    TooFew {
        /// Weeks with a value.
        weeks: usize,
    },
}

/// The trend of weekly means. Weeks are counted back from `as_of`, so the last one is whole.
pub(super) fn by_week(values: &[(Timestamp, f64)], as_of: Timestamp) -> Trend {
    const WEEK: i64 = 7 * 86_400;
    let mut weeks: BTreeMap<i64, (f64, u32)> = BTreeMap::new();
    for (at, value) in values {
        let back = (as_of.as_second() - at.as_second()).max(0) / WEEK;
        let week = weeks.entry(back).or_default();
        week.0 += value;
        week.1 += 1;
    }
    let points: Vec<(f64, f64)> = weeks
        .into_iter()
        .take(MOST_WEEKS)
        .map(|(back, (sum, n))| (-(back as f64), sum / f64::from(n)))
        .collect();
    let count = points.len();
    match theil_sen(&points) {
        Some(per_week) if count >= LEAST_WEEKS => Trend::Slope {
            per_week,
            weeks: count,
        },
        _ => Trend::TooFew { weeks: count },
    }
}

/// The median of the slopes between all pairs of points with different `x`; `None` without such a pair.
pub(super) fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (i, (x, y)) in points.iter().enumerate() {
        for (other_x, other_y) in &points[i + 1..] {
            let run = other_x - x;
            if run != 0.0 {
                slopes.push((other_y - y) / run);
            }
        }
    }
    if slopes.is_empty() {
        return None;
    }
    let (middle, odd) = (slopes.len() / 2, slopes.len() % 2 == 1);
    let (below, &mut upper, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp);
    match lower {
        Some(lower) if !odd => Some(f64::midpoint(lower, upper)),
        _ => Some(upper),
    }
}
