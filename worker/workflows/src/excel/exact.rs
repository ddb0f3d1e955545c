//! Cell numbers as exact decimals: what a person sees, not the binary fraction behind it.
//!
//! Invariant: a decimal is the shortest one that reads back as the cell's number. Deliberately absent: rounding.

use rust_decimal::Decimal;

/// The number as a decimal; `None` above 28 digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "guarded: integral and below 2^53; equality is what makes the short way exact"
)]
pub(super) fn decimal(x: f64) -> Option<Decimal> {
    /// Below this, hundredths are integers that a double holds and have at most 15 digits, so they are the shortest form.
    const SHORT: f64 = 1e13;
    if x.abs() < SHORT {
        let hundredths = (x * 100.0).round();
        if hundredths / 100.0 == x {
            return Some(Decimal::new(hundredths as i64, 2).normalize());
        }
    }
    let text = super::numbers::plain(x);
    let exact = if text.contains('e') {
        Decimal::from_scientific(&text)
    } else {
        Decimal::from_str_exact(&text)
    };
    exact.ok().map(|d| d.normalize())
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
            (1.0 / 3.0, "0.3333333333333333"),
            (1e15, "1000000000000000"),
        ] {
            assert_eq!(decimal(x).unwrap().to_string(), expected, "{x}");
        }
        assert_eq!(decimal(1e300), None);
    }
}
