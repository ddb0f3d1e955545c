//! Numbers in texts, and numbers as text.
//!
//! Invariant: only plain notation is a number, and an identifier with a leading zero is none. Deliberately absent:
//! thousands separators, currency signs and decimal commas, see [`super::amounts`].

/// Digits that spreadsheets keep of a number.
const DIGITS: usize = 15;

/// The number that a text spells: sign, digits, decimal point, exponent. `None` for `007`, `1,000`, `inf`, `0x10`, and
/// for more integral digits than a number keeps.
pub(crate) fn of_text(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let bytes = digits.as_bytes();
    let plain = bytes
        .iter()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    let zero_led = bytes.len() > 1 && bytes[0] == b'0' && bytes[1].is_ascii_digit();
    let long = bytes.len() > DIGITS && bytes.iter().all(u8::is_ascii_digit);
    if !plain || long || zero_led || !bytes.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

/// A number as text: without `.0`, in the shortest form that reads back, as spreadsheets show it.
pub(crate) fn plain(x: f64) -> String {
    let x = if x == 0.0 { 0.0 } else { x };
    if x.abs() >= 1e21 || (x != 0.0 && x.abs() < 1e-6) {
        format!("{x:e}")
    } else {
        x.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_notation_is_a_number() {
        for (text, number) in [
            ("0", 0.0),
            ("-12.50", -12.5),
            (" 1e3 ", 1_000.0),
            ("0.5", 0.5),
        ] {
            assert_eq!(of_text(text), Some(number), "{text}");
        }
        for text in [
            "",
            "-",
            "007",
            "-01",
            "1,000",
            "inf",
            "NaN",
            "0x10",
            "1 000",
            "+5",
            ".5",
            "1e999",
            "1234567890123456",
            "12-1",
        ] {
            assert_eq!(of_text(text), None, "{text}");
        }
        assert_eq!(plain(390_003.0), "390003");
        assert_eq!(plain(0.1), "0.1");
        assert_eq!(plain(-0.0), "0");
    }
}
