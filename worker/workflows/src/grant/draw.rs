//! Draws beta-PERT values by a table of the inverse distribution function: one uniform number, one look-up.
//!
//! alpha = 1 + 4 (m - a) / (b - a), beta = 6 - alpha. Two tables hold quantiles, one of shares from 0 to 1/2, one of
//! shares counted down from 1; their places stand ever closer towards the ends, where quantiles bend most, and between
//! them a draw is a line. Together with the distribution function that they are made from (the exact share of each of
//! [`CELLS`] equal parts of [a, b], by Simpson's rule, at both ends by the power series) that moves the distribution
//! function by less than 3e-5 (tested): a million runs could not tell. A draw takes exactly one number of the stream,
//! whatever it gives, and no branch, which would be guessed wrong half the time.

use std::sync::OnceLock;

use super::input::ThreePoint;

/// Parts of the range that the distribution function is summed over.
const CELLS: usize = 1_024;
/// Ends that differ by less, relative to their size, leave no room for a distribution.
const NARROW: f64 = 1e-12;

/// Added to a share before its place is looked up: the first places are so far apart as shares of this size are.
const OFFSET: f64 = 1.0 / 1_024.0;
/// Bits of a float's mantissa below those that tell a place: 64 places for each doubling of the share.
const BELOW: u32 = 46;
/// The place of a share of 0, counted from that of the float 0.
const FIRST: u64 = OFFSET.to_bits() >> BELOW;
/// Places of half a distribution: from [`OFFSET`] it doubles nine times to 1/2, and two places close the last part.
const PLACES: usize = 9 * 64 + 2;

/// A duration or delay to draw.
#[derive(Debug)]
pub(super) enum Draw {
    Fixed(f64),
    Beta(Table),
}

/// Quantiles of one estimate.
#[derive(Debug)]
pub(super) struct Table {
    /// Of shares from the lower end, then of shares from the upper.
    halves: Box<[[f64; PLACES]; 2]>,
}

impl Draw {
    pub(super) fn new(points: ThreePoint) -> Self {
        let (low, high) = (points.optimistic, points.pessimistic);
        let range = high - low;
        if range <= NARROW * high {
            return Self::Fixed(points.likely);
        }
        let mode = (points.likely - low) / range;
        let [lower, upper] = halves(4.0 * mode, 4.0 * (1.0 - mode));
        Self::Beta(Table {
            halves: Box::new([
                lower.map(|x| low + range * x),
                upper.map(|x| high - range * x),
            ]),
        })
    }

    /// The value below which `share`, in [0, 1), of the distribution lies.
    pub(super) fn value(&self, share: f64) -> f64 {
        match self {
            Self::Fixed(x) => *x,
            Self::Beta(table) => table.quantile(share),
        }
    }
}

impl Table {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a share up to 1/2 has one of PLACES places"
    )]
    fn quantile(&self, share: f64) -> f64 {
        const MASK: u64 = (1 << BELOW) - 1;
        let upper = share >= 0.5;
        // Exact: shares are multiples of 2^-53.
        let from_end = if upper { 1.0 - share } else { share };
        let bits = (from_end + OFFSET).to_bits();
        let place = ((bits >> BELOW) - FIRST) as usize;
        let inside = f64::from_bits(1_f64.to_bits() | (bits & MASK) << (52 - BELOW)) - 1.0;
        let half = &self.halves[usize::from(upper)];
        half[place] + inside * (half[place + 1] - half[place])
    }
}

/// The share of a place.
fn share(place: usize) -> f64 {
    f64::from_bits((FIRST + place as u64) << BELOW) - OFFSET
}

/// Logarithms of k / (2 CELLS), the edges and middles of all parts.
fn logs() -> &'static [f64] {
    static LOGS: OnceLock<Vec<f64>> = OnceLock::new();
    LOGS.get_or_init(|| {
        (0..=2 * CELLS)
            .map(|k| (k as f64 / (2 * CELLS) as f64).ln())
            .collect()
    })
}

/// One part of the range: its share, and the density at both of its edges. Neither is normalised.
#[derive(Clone, Copy)]
struct Cell {
    share: f64,
    edges: (f64, f64),
}

/// Quantiles of x^p (1 - x)^q, counted from the lower end, then from the upper.
fn halves(p: f64, q: f64) -> [[f64; PLACES]; 2] {
    let logs = logs();
    let density = |k: usize| (p * logs[k] + q * logs[2 * CELLS - k]).exp();
    let h = 1.0 / CELLS as f64;
    // x^p (1 - q x) from 0 to h; the density may have no derivative there.
    let end = |p: f64, q: f64| h.powf(p + 1.0) * (1.0 / (p + 1.0) - q * h / (p + 2.0));
    let mut left = density(2);
    let mut cells = Vec::with_capacity(CELLS);
    cells.push(Cell {
        share: end(p, q),
        edges: (0.0, left),
    });
    for cell in 1..CELLS - 1 {
        let right = density(2 * cell + 2);
        cells.push(Cell {
            share: h / 6.0 * (left + 4.0 * density(2 * cell + 1) + right),
            edges: (left, right),
        });
        left = right;
    }
    cells.push(Cell {
        share: end(q, p),
        edges: (left, 0.0),
    });
    let total: f64 = cells.iter().map(|cell| cell.share).sum();
    let lower = inverted(cells.iter().copied(), p, total);
    let mirrored = cells.iter().rev().map(|cell| Cell {
        edges: (cell.edges.1, cell.edges.0),
        ..*cell
    });
    [lower, inverted(mirrored, q, total)]
}

/// The places' quantiles in [0, 1], of cells from an end at which the density is that of a power `p` of the distance.
fn inverted(cells: impl Iterator<Item = Cell>, p: f64, total: f64) -> [f64; PLACES] {
    let mut cells = cells.enumerate();
    let (mut at, mut cell) = cells.next().expect("a range has parts");
    let mut under = 0.0;
    std::array::from_fn(|place| {
        let wanted = share(place) * total;
        while under + cell.share < wanted
            && let Some(next) = cells.next()
        {
            under += cell.share;
            (at, cell) = next;
        }
        let part = ((wanted - under) / cell.share).clamp(0.0, 1.0);
        let inside = if at == 0 {
            part.powf(1.0 / (p + 1.0))
        } else {
            bent(part, cell)
        };
        (at as f64 + inside) / CELLS as f64
    })
}

/// Where in a cell a part of its share ends: the cubic whose slopes at the edges are those of the quantiles, which
/// are 1 / density. A slope above 3 could turn it around.
fn bent(part: f64, cell: Cell) -> f64 {
    let slope = |density: f64| (cell.share * CELLS as f64 / density).min(3.0);
    let (first, last) = (slope(cell.edges.0), slope(cell.edges.1));
    let rest = 1.0 - part;
    part * part * (3.0 - 2.0 * part) + part * rest * (first * rest - last * part)
}

#[cfg(test)]
mod tests {
    use statrs::function::beta::beta_reg;

    use super::*;

    /// Quantiles that are looked at.
    const N: u32 = 100_000;

    fn points(likely: f64) -> ThreePoint {
        ThreePoint {
            optimistic: 10.0,
            likely,
            pessimistic: 15.0,
        }
    }

    #[test]
    fn the_table_is_the_beta_distribution() {
        for likely in [10.0, 10.01, 10.7, 11.0, 12.5, 14.3, 14.9, 15.0] {
            let points = points(likely);
            let draw = Draw::new(points);
            let alpha = 1.0 + 4.0 * (likely - 10.0) / 5.0;
            let (mut mean, mut square, mut last) = (0.0, 0.0, 0.0);
            for i in 0..N {
                let share = (f64::from(i) + 0.5) / f64::from(N);
                let x = draw.value(share);
                assert!(x >= last, "{likely} at {share}: {x} after {last}");
                last = x;
                let exact = beta_reg(alpha, 6.0 - alpha, ((x - 10.0) / 5.0).clamp(0.0, 1.0));
                assert!((exact - share).abs() < 3e-5, "{likely} at {share}: {exact}");
                mean += x / f64::from(N);
                square += x * x / f64::from(N);
            }
            assert!((mean - points.mean()).abs() < 1e-4, "{likely}: {mean}");
            let variance = square - mean * mean;
            assert!(
                (variance - points.variance()).abs() < 1e-3,
                "{likely}: {variance}"
            );
        }
    }

    #[test]
    fn the_ends_of_the_range_are_kept() {
        let draw = Draw::new(ThreePoint {
            optimistic: 0.0,
            likely: 0.0,
            pessimistic: 3_650.0,
        });
        assert!(draw.value(0.0).abs() < 1e-12);
        assert!((0.0..=3_650.0).contains(&draw.value(1.0 - f64::EPSILON / 2.0)));
        let draw = Draw::new(points(12.5));
        assert!((draw.value(0.0) - 10.0).abs() < 1e-12);
        // The two halves meet at the median.
        let before = draw.value(0.5 - f64::EPSILON / 4.0);
        assert!((before - 12.5).abs() < 1e-4 && (draw.value(0.5) - before).abs() < 1e-4);
    }

    #[test]
    fn no_range_is_no_distribution() {
        let points = |pessimistic| ThreePoint {
            optimistic: 2.0,
            likely: 2.0,
            pessimistic,
        };
        assert!(matches!(Draw::new(points(2.0)), Draw::Fixed(x) if (x - 2.0).abs() < 1e-12));
        assert!(matches!(Draw::new(points(2.0 + 1e-15)), Draw::Fixed(_)));
    }
}
