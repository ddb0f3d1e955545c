//! Amounts of money and numbers with separators in texts of untyped files: `£300`, `1,250.50`, `1.250,50`, `EUR 12,5`.
//!
//! Like dates in numbers, they are read only where one reading exists: a text may fit both notations (`1,250`), and
//! then the column must settle which is meant. Invariant: whatever is a plain number reads the same with a decimal
//! point. Deliberately absent: blanks and apostrophes between digits, and signs of currencies that several countries
//! write differently.

use super::numbers;

/// Which character separates the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// `1,250.50`
    Point,
    /// `1.250,50`
    Comma,
}

/// The currencies whose marks are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Pound,
    Dollar,
    Euro,
}

/// The marks as they are written before or behind an amount.
const MARKS: [(&str, Mark); 6] = [
    ("£", Mark::Pound),
    ("GBP", Mark::Pound),
    ("$", Mark::Dollar),
    ("USD", Mark::Dollar),
    ("€", Mark::Euro),
    ("EUR", Mark::Euro),
];

/// A text without the mark of a currency, and the mark: `-£300` is `-300`.
fn unmarked(text: &str) -> (String, Option<Mark>) {
    let text = text.trim();
    let (sign, rest) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    for (written, mark) in MARKS {
        let bare = rest
            .strip_prefix(written)
            .or_else(|| rest.strip_suffix(written));
        if let Some(bare) = bare {
            return (format!("{sign}{}", bare.trim()), Some(mark));
        }
    }
    (text.to_owned(), None)
}

/// The mark that a text bears, if it is an amount in some notation.
pub(crate) fn mark(text: &str) -> Option<Mark> {
    unmarked(text).1
}

/// The number that a text spells in that notation, its currency aside.
pub(crate) fn of_text(text: &str, notation: Notation) -> Option<f64> {
    let (bare, _) = unmarked(text);
    let (group, point) = match notation {
        Notation::Point => (',', '.'),
        Notation::Comma => ('.', ','),
    };
    let (whole, decimals) = bare
        .split_once(point)
        .map_or((bare.as_str(), None), |(w, d)| (w, Some(d)));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let mut groups = digits.split(group);
    let first = groups.next().unwrap_or_default();
    let grouped = digits.contains(group);
    if grouped
        && (!(1..=3).contains(&first.len())
            || first.starts_with('0')
            || groups.any(|g| g.len() != 3 || !g.bytes().all(|b| b.is_ascii_digit())))
    {
        return None;
    }
    let plain: String = whole.chars().filter(|&c| c != group).collect();
    match decimals {
        Some("") => None,
        Some(decimals) if notation == Notation::Comma || grouped => {
            let digits = decimals.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| numbers::of_text(&format!("{plain}.{decimals}")))?
        }
        Some(decimals) => numbers::of_text(&format!("{plain}.{decimals}")),
        None => numbers::of_text(&plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_by_their_notation() {
        for (text, point, comma) in [
            ("£300", Some(300.0), Some(300.0)),
            ("-£1,250.50", Some(-1_250.5), None),
            ("1,250", Some(1_250.0), Some(1.25)),
            ("1.250", Some(1.25), Some(1_250.0)),
            ("1.250,50 €", None, Some(1_250.5)),
            ("EUR 12,5", None, Some(12.5)),
            ("0,125", None, Some(0.125)),
            ("1,250,000", Some(1_250_000.0), None),
            ("1e3", Some(1_000.0), Some(1_000.0)),
            ("2.5e3", Some(2_500.0), None),
            ("12,50,000", None, None),
            ("1,25", None, Some(1.25)),
            ("0.5", Some(0.5), None),
            ("12.05.2020", None, None),
            ("007", None, None),
            ("£", None, None),
            ("£ n/a", None, None),
            ("1,", None, None),
            ("1,250.", None, None),
            ("1,2 3", None, None),
        ] {
            assert_eq!(of_text(text, Notation::Point), point, "{text}");
            assert_eq!(of_text(text, Notation::Comma), comma, "{text}");
        }
        assert_eq!(mark("GBP 5"), Some(Mark::Pound));
        assert_eq!(mark("5"), None);
    }
}
