//! Whether a number format shows dates: binary workbooks store dates as numbers, and only their format tells.
//!
//! Deliberately absent: how the number would be written; a cell keeps its value.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::dates;
use super::gather::number;

/// How a format shows a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Number,
    Date,
    Duration,
}

impl Shown {
    /// What the format of that number shows: one of the workbook's own, or a built-in one (ECMA-376 18.8.30).
    pub(crate) fn of(id: u16, formats: &BTreeMap<u16, String>) -> Self {
        match formats.get(&id) {
            Some(code) => of_code(code),
            None => match id {
                46 => Self::Duration,
                14..=22 | 27..=36 | 45 | 47 | 50..=58 => Self::Date,
                _ => Self::Number,
            },
        }
    }
}

/// A number with its format: a date where the format shows one.
pub(crate) fn cell(x: f64, format: Shown, is_1904: bool) -> Cell {
    match format {
        Shown::Number => number(x),
        Shown::Date => dates::of_serial(x, is_1904),
        Shown::Duration => dates::of_duration(x),
    }
}

/// What a format code shows: a date when letters of dates stand outside of quotes, escapes and brackets.
fn of_code(code: &str) -> Shown {
    let mut characters = code.chars();
    let mut bracket: Option<String> = None;
    let mut is_date = false;
    while let Some(c) = characters.next() {
        match (&mut bracket, c) {
            (Some(inside), ']') => {
                let elapsed = inside.to_ascii_lowercase();
                if !elapsed.is_empty()
                    && ["h", "m", "s"]
                        .iter()
                        .any(|unit| elapsed.replace(unit, "").is_empty())
                {
                    return Shown::Duration;
                }
                bracket = None;
            }
            (Some(inside), _) => inside.push(c),
            (None, '[') => bracket = Some(String::new()),
            (None, '"') => {
                let _ = characters.by_ref().find(|c| *c == '"');
            }
            (None, '\\' | '_' | '*') => {
                let _ = characters.next();
            }
            (None, ';') => break,
            (None, 'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S') => is_date = true,
            _ => {}
        }
    }
    if is_date && !code.eq_ignore_ascii_case("standard") {
        Shown::Date
    } else {
        Shown::Number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_codes_show_dates_or_not() {
        for code in [
            "yyyy-mm-dd",
            "d/m/yy",
            "[$-809]dd mmmm yyyy;@",
            "hh:mm",
            "[Red]h:mm",
        ] {
            assert_eq!(of_code(code), Shown::Date, "{code}");
        }
        for code in [
            "General",
            "0.00E+00",
            "#,##0 \"days\"",
            "[Red]0",
            "0\\d",
            "0_d",
            "Standard",
            "@",
            "0;\"d\";d",
        ] {
            assert_eq!(of_code(code), Shown::Number, "{code}");
        }
        for code in ["[h]:mm:ss", "[mm]:ss"] {
            assert_eq!(of_code(code), Shown::Duration, "{code}");
        }
    }
}
