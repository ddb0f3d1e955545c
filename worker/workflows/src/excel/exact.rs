//! Cell numbers as exact decimals: what a person sees, not the binary fraction behind it.
//!
//! Spreadsheets keep 15 significant digits; a 16th is the residue of binary arithmetic (`0.30000000000000004`), and sums
//! and comparisons would carry it on. Invariant: a decimal is the cell's number to 15 significant digits.

use rust_decimal::Decimal;

/// The number as a decimal; `None` where a decimal of 28 digits cannot hold it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "guarded: integral and below 2^53; equality is what makes the short way exact"
)]
pub(super) fn decimal(x: f64) -> Option<Decimal> {
    /// Below this, hundredths are integers that a double holds and have at most 15 digits, so nothing is cut.
    const SHORT: f64 = 1e13;
    if x.abs() < SHORT {
        let hundredths = (x * 100.0).round();
        if hundredths / 100.0 == x {
            return Some(Decimal::new(hundredths as i64, 2).normalize());
        }
    }
    Decimal::from_scientific(&format!("{x:.14e}"))
        .ok()
        .map(|d| d.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_what_people_see() {
        for (x, expected) in [
            (0.1, "0.1"),
            (21_757_793.27, "21757793.27"),
            (-5.0, "-5"),
            (0.0, "0"),
            (-0.0, "0"),
            (1e-7, "0.0000001"),
            (1.0 / 3.0, "0.333333333333333"),
            (0.1 + 0.2, "0.3"),
            (12.670_000_000_000_002, "12.67"),
            (1e15, "1000000000000000"),
        ] {
            assert_eq!(decimal(x).unwrap().to_string(), expected, "{x}");
        }
        assert_eq!(decimal(1e300), None);
    }
}
