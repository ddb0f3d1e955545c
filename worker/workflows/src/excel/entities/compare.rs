//! Compares two values of a field and says at which level they agree.
//!
//! Level 0 is equality, the last level is disagreement; a missing value on either side gives no level at all. Names:
//! Jaro-Winkler (strsim, prefix of at most 4, boost above 0.7: Winkler 1990). Codes and dates: optimal string
//! alignment. Invariant: comparing is symmetric. Deliberately absent: weights, which the model learns.

use strsim::{jaro_winkler, osa_distance};

use super::normal::{Value, outward, sorted_words};
use super::settings::Kind;

/// Jaro-Winkler from here on: a spelling variant.
const NEAR: f64 = 0.92;
/// Jaro-Winkler from here on: perhaps the same.
const ALIKE: f64 = 0.82;

impl Kind {
    /// The levels of a kind, from equality to disagreement, as an output names them.
    pub(super) fn levels(self) -> &'static [&'static str] {
        match self {
            Self::Name | Self::Person | Self::Text => &[
                "equal",
                "jaro_winkler_0.92",
                "jaro_winkler_0.82",
                "different",
            ],
            Self::Id | Self::Exact | Self::Domain => &["equal", "different"],
            Self::Code => &["equal", "one_edit", "two_edits", "different"],
            Self::Date => &["equal", "one_edit", "different"],
            Self::Postcode => &["equal", "one_edit", "same_district", "different"],
        }
    }

    /// Where the estimation of m starts: the shares of levels among matches.
    pub(super) fn start_m(self) -> &'static [f64] {
        match self {
            Self::Name | Self::Person | Self::Text => &[0.80, 0.10, 0.05, 0.05],
            Self::Id | Self::Exact | Self::Domain => &[0.90, 0.10],
            Self::Code => &[0.85, 0.08, 0.02, 0.05],
            Self::Date => &[0.85, 0.10, 0.05],
            Self::Postcode => &[0.80, 0.05, 0.07, 0.08],
        }
    }

    /// Where the estimation of u starts: the shares of levels among pairs that are no match. Equality by chance is rarer
    /// for names of organisations than for names of people, rarest for identifiers.
    pub(super) fn start_u(self) -> &'static [f64] {
        match self {
            Self::Name => &[0.002, 0.013, 0.085, 0.90],
            Self::Person | Self::Text => &[0.02, 0.02, 0.08, 0.88],
            Self::Id => &[0.002, 0.998],
            Self::Exact => &[0.10, 0.90],
            Self::Domain => &[0.01, 0.99],
            Self::Code => &[0.002, 0.003, 0.005, 0.99],
            Self::Date => &[0.01, 0.03, 0.96],
            Self::Postcode => &[0.02, 0.02, 0.10, 0.86],
        }
    }
}

/// The level at which two values agree; `None` when one of them is missing.
pub(super) fn level(kind: Kind, a: &Value, b: &Value) -> Option<u8> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    if a.main() == b.main() {
        return Some(0);
    }
    let (x, y) = (a.main(), b.main());
    Some(match kind {
        Kind::Name => names(a, b),
        Kind::Person | Kind::Text => alike(jaro_winkler(x, y)),
        Kind::Id | Kind::Exact | Kind::Domain => 1,
        Kind::Code => match edits(x, y, 2) {
            1 => 1,
            2 => 2,
            _ => 3,
        },
        Kind::Date => u8::from(!(edits(x, y, 1) == 1 || day_and_month_swapped(x, y))) + 1,
        Kind::Postcode => {
            if edits(x, y, 1) == 1 {
                1
            } else if !outward(x).is_empty() && outward(x) == outward(y) {
                2
            } else {
                3
            }
        }
    })
}

/// The best of main names and aliases. Two aliases prove nothing by themselves: "(UK)" stands behind many names.
fn names(a: &Value, b: &Value) -> u8 {
    let (x, y) = (a.main(), b.main());
    let with_alias = a.forms.iter().skip(1).map(|form| (form.as_str(), y));
    let with_alias = with_alias.chain(b.forms.iter().skip(1).map(|form| (x, form.as_str())));
    let mut best = 0.0_f64;
    for (form, other) in with_alias {
        if form == other {
            return 0;
        }
        best = best.max(jaro_winkler(form, other));
    }
    best = best.max(jaro_winkler(x, y));
    if best < NEAR && x.contains(' ') && y.contains(' ') {
        best = best.max(jaro_winkler(&sorted_words(x), &sorted_words(y)));
    }
    alike(best)
}

fn alike(similarity: f64) -> u8 {
    match similarity {
        s if s >= NEAR => 1,
        s if s >= ALIKE => 2,
        _ => 3,
    }
}

/// Insertions, deletions, changes and swaps of neighbours between two codes; anything above `most` counts as above.
fn edits(x: &str, y: &str, most: usize) -> usize {
    if x.chars().count().abs_diff(y.chars().count()) > most {
        return most + 1;
    }
    osa_distance(x, y)
}

/// `yyyymmdd` with `mm` and `dd` exchanged.
fn day_and_month_swapped(x: &str, y: &str) -> bool {
    x.len() == 8
        && y.len() == 8
        && x.is_ascii()
        && y.is_ascii()
        && x[..4] == y[..4]
        && x[4..6] == y[6..]
        && x[6..] == y[4..6]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(kind: Kind, a: &str, b: &str) -> Option<&'static str> {
        let (a, b) = (Value::new(kind, a), Value::new(kind, b));
        let there = level(kind, &a, &b);
        assert_eq!(there, level(kind, &b, &a));
        there.map(|l| kind.levels()[usize::from(l)])
    }

    #[test]
    fn jaro_winkler_is_winklers() {
        // Values of Winkler's table, to three places.
        for (a, b, expected) in [
            ("martha", "marhta", 0.961),
            ("dwayne", "duane", 0.840),
            ("dixon", "dicksonx", 0.813),
        ] {
            assert!((jaro_winkler(a, b) - expected).abs() < 0.001, "{a} {b}");
        }
    }

    #[test]
    fn names_agree_by_main_form_or_alias() {
        assert_eq!(
            compared(
                Kind::Name,
                "Project 17",
                "Project Seventeen (AKA Project 17)"
            ),
            Some("equal")
        );
        assert_eq!(
            compared(Kind::Name, "Mind (UK)", "Shelter (UK)"),
            Some("different")
        );
        assert_eq!(
            compared(Kind::Name, "Migrants Organise", "Organise Migrants Ltd"),
            Some("jaro_winkler_0.92")
        );
        assert_eq!(
            compared(Kind::Name, "IMiX", "Global Dialogue"),
            Some("different")
        );
        assert_eq!(compared(Kind::Name, "", "Global Dialogue"), None);
    }

    #[test]
    fn codes_and_dates_allow_slips() {
        assert_eq!(compared(Kind::Code, "5304218", "5304281"), Some("one_edit"));
        assert_eq!(compared(Kind::Code, "5304218", "5304"), Some("different"));
        assert_eq!(
            compared(Kind::Date, "1931-02-11", "19311102"),
            Some("one_edit")
        );
        assert_eq!(
            compared(Kind::Date, "1931-02-11", "1931-02-12"),
            Some("one_edit")
        );
        assert_eq!(
            compared(Kind::Date, "1931-02-11", "1947-08-30"),
            Some("different")
        );
        assert_eq!(
            compared(Kind::Postcode, "SW1A 1AA", "SW1A 2BB"),
            Some("same_district")
        );
        assert_eq!(
            compared(Kind::Id, "GB-CHC-1", "GB-CHC-2"),
            Some("different")
        );
    }

    #[test]
    fn starts_are_distributions() {
        for kind in [
            Kind::Name,
            Kind::Person,
            Kind::Id,
            Kind::Code,
            Kind::Exact,
            Kind::Postcode,
            Kind::Domain,
            Kind::Date,
            Kind::Text,
        ] {
            for start in [kind.start_m(), kind.start_u()] {
                assert_eq!(start.len(), kind.levels().len());
                assert!((start.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
            let ratios: Vec<f64> = kind
                .start_m()
                .iter()
                .zip(kind.start_u())
                .map(|(m, u)| m / u)
                .collect();
            assert!(ratios.is_sorted_by(|a, b| a >= b), "{kind:?}");
        }
    }
}
