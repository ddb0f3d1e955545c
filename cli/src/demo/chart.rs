//! Charts as inline SVG.
//!
//! Invariant: labels are escaped, numbers have a fixed precision, colours are classes of the page's style; a chart of
//! nothing is a sentence. Deliberately absent: scripts, fonts, anything fetched.

mod gantt;
mod network;

use std::fmt::Write as _;

use super::markup::escape;

pub(super) use gantt::gantt;
pub(super) use network::network;

/// Why formatting into a text cannot fail.
const FINE: &str = "writing to a string cannot fail";

/// A bar with the range that it may lie in.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    pub(super) range: Option<(f64, f64)>,
    /// What stands at its end.
    pub(super) note: String,
}

/// Opens a drawing of this size with a description for those who cannot see it.
fn open(width: f64, height: f64, about: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>",
        escape(about)
    )
}

/// The sentence in place of a chart of nothing.
fn nothing(about: &str) -> String {
    format!("<p class=\"none\">{}: nothing to show.</p>", escape(about))
}

/// A piece of text at a place.
fn label(svg: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    write!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>",
        escape(text)
    )
    .expect(FINE);
}

/// A box; corners are a little round.
fn rect(svg: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
    let width = width.max(0.0);
    write!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\" class=\"{class}\"/>"
    )
    .expect(FINE);
}

/// A straight line.
fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), class: &str) {
    write!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" class=\"{class}\"/>",
        from.0, from.1, to.0, to.1
    )
    .expect(FINE);
}

/// Bars that lie, the greatest value or end of a range filling the width.
pub(super) fn bars(about: &str, bars: &[Bar]) -> String {
    let end = |bar: &Bar| bar.range.map_or(bar.value, |(_, high)| high.max(bar.value));
    let most = bars.iter().map(end).fold(0.0, f64::max);
    if most <= 0.0 {
        return nothing(about);
    }
    let (row, left, wide) = (26.0, 96.0, 300.0);
    let mut svg = open(540.0, row * count(bars.len()) + 6.0, about);
    for (number, bar) in bars.iter().enumerate() {
        let top = row * count(number) + 4.0;
        let x = |value: f64| left + wide * value.max(0.0) / most;
        label(&mut svg, (left - 8.0, top + 14.0), "name", &bar.label);
        rect(&mut svg, (left, top), (x(bar.value) - left, 18.0), "bar");
        if let Some((low, high)) = bar.range {
            let middle = top + 9.0;
            line(&mut svg, (x(low), middle), (x(high), middle), "range");
            for end in [low, high] {
                line(
                    &mut svg,
                    (x(end), middle - 5.0),
                    (x(end), middle + 5.0),
                    "range",
                );
            }
        }
        label(&mut svg, (x(end(bar)) + 8.0, top + 14.0), "note", &bar.note);
    }
    svg + "</svg>"
}

/// Standing columns with their counts, under labels.
pub(super) fn columns(about: &str, columns: &[(String, u32)]) -> String {
    let most = columns.iter().map(|(_, n)| *n).max().unwrap_or(0);
    if most == 0 {
        return nothing(about);
    }
    let (wide, high) = (52.0, 150.0);
    let mut svg = open(wide * count(columns.len()), high + 44.0, about);
    for (place, (name, n)) in columns.iter().enumerate() {
        let left = wide * count(place);
        let tall = high * f64::from(*n) / f64::from(most);
        let top = 20.0 + high - tall;
        rect(&mut svg, (left + 4.0, top), (wide - 8.0, tall), "bar");
        let middle = left + wide / 2.0;
        label(&mut svg, (middle, top - 5.0), "count", &n.to_string());
        label(&mut svg, (middle, high + 37.0), "tick", name);
    }
    svg + "</svg>"
}

/// A small count as a coordinate.
fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(value: f64, range: Option<(f64, f64)>) -> Bar {
        Bar {
            label: "<b>A & B</b>".into(),
            value,
            range,
            note: "\"5\"".into(),
        }
    }

    #[test]
    fn labels_are_escaped() {
        for svg in [
            bars("a \"chart\" <x>", &[bar(5.0, Some((4.0, 6.0)))]),
            columns("a \"chart\" <x>", &[("<b>A & B</b>".into(), 2)]),
        ] {
            assert!(!svg.contains("<b>") && !svg.contains("<x>"), "{svg}");
            assert!(svg.contains("&lt;b&gt;A &amp; B&lt;/b&gt;"), "{svg}");
            assert!(svg.contains("a &quot;chart&quot;"), "{svg}");
        }
    }

    #[test]
    fn nothing_is_a_sentence() {
        for text in [
            bars("gifts", &[]),
            bars("gifts", &[bar(0.0, None)]),
            columns("gifts", &[]),
            columns("gifts", &[("0".into(), 0)]),
        ] {
            assert_eq!(text, "<p class=\"none\">gifts: nothing to show.</p>");
        }
    }

    #[test]
    fn lengths_are_in_proportion() {
        let svg = bars("x", &[bar(10.0, None), bar(5.0, None)]);
        assert!(
            svg.contains("width=\"300.0\"") && svg.contains("width=\"150.0\""),
            "{svg}"
        );
        let svg = columns("x", &[("a".into(), 4), ("b".into(), 1)]);
        assert!(
            svg.contains("height=\"150.0\"") && svg.contains("height=\"37.5\""),
            "{svg}"
        );
    }
}
