//! Texts and figures as they stand in the page and in the text.
//!
//! Invariant: whatever a name holds, it stays text; an unknown figure is a dash.

use jiff::civil::Date;

/// A text for the page: nothing in it is markup, and control characters are gone.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Whole units with separators: 12,346.
pub(super) fn money(amount: Option<f64>) -> String {
    let Some(amount) = amount.filter(|x| x.is_finite()) else {
        return "–".into();
    };
    let digits = format!("{:.0}", amount.abs());
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if amount < 0.0 && digits != "0" {
        out.insert(0, '−');
    }
    out
}

/// A probability: 12 %. What is not quite certain does not round to it.
pub(super) fn percent(p: Option<f64>) -> String {
    match p {
        None => "–".into(),
        Some(p) if p > 0.99 && p < 1.0 => "over 99 %".into(),
        Some(p) if p > 0.0 && p < 0.01 => "under 1 %".into(),
        Some(p) => format!("{:.0} %", 100.0 * p),
    }
}

/// A day as people write it: 23 November 2026; what is none stays as it is.
pub(super) fn day(text: &str) -> String {
    let read: Option<Date> = text.parse().ok();
    read.map_or_else(|| text.to_owned(), |day| long(Some(day)))
}

/// The same for a day that may be unknown.
pub(super) fn long(day: Option<Date>) -> String {
    day.map_or_else(|| "–".into(), |day| day.strftime("%-d %B %Y").to_string())
}

/// A day within the year at hand: 8 Dec.
pub(super) fn short(day: Date) -> String {
    day.strftime("%-d %b").to_string()
}

/// Donors in the words of a person: one donor, 3 donors.
pub(super) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_text() {
        let name = "<script>alert(\"1\")</script>\u{7} O'Neil & Sons";
        let shown = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; O&#39;Neil &amp; Sons";
        assert_eq!(escape(name), shown);
    }

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(money(Some(1_234_567.4)), "1,234,567");
        assert_eq!(money(Some(-999.6)), "−1,000");
        assert_eq!(money(Some(12.0)), "12");
        assert_eq!(money(None), "–");
        assert_eq!(percent(Some(0.9871)), "99 %");
        assert_eq!(percent(Some(0.9994)), "over 99 %");
        assert_eq!(percent(Some(1.0)), "100 %");
        assert_eq!(percent(None), "–");
        assert_eq!(day("2026-11-03"), "3 November 2026");
        assert_eq!(day("soon"), "soon");
    }
}
