//! Brings values into the form in which they are compared and blocked.
//!
//! Invariant: normalising is idempotent on its main form, never panics, and gives at most [`MAX_FORMS`] forms of at
//! most [`MAX_CHARS`] characters, whatever a cell holds. Deliberately absent: dictionaries of nicknames, phonetics.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::settings::Kind;

/// Characters of a value that are compared: longer than any name, short enough for a quadratic comparison.
const MAX_CHARS: usize = 128;
/// A name and its aliases.
const MAX_FORMS: usize = 4;

/// Endings that say what an organisation is in law, not which one it is; longer ones first.
const LEGAL: &[&[&str]] = &[
    &["charitable", "incorporated", "organisation"],
    &["community", "interest", "company"],
    &["public", "limited", "company"],
    &["limited", "liability", "partnership"],
    &["charitable", "trust"],
    &["c", "i", "c"],
    &["c", "i", "o"],
    &["limited"],
    &["ltd"],
    &["plc"],
    &["llp"],
    &["llc"],
    &["cic"],
    &["cio"],
    &["inc"],
    &["incorporated"],
    &["corp"],
    &["corporation"],
    &["company"],
    &["co"],
    &["foundation"],
    &["trust"],
    &["gmbh"],
    &["pty"],
    &["bv"],
];

/// Words between two names of the same organisation.
const ALSO: &[&[&str]] = &[
    &["also", "known", "as"],
    &["formerly", "known", "as"],
    &["previously", "known", "as"],
    &["known", "as"],
    &["trading", "as"],
    &["operating", "as"],
    &["aka"],
    &["formerly"],
    &["previously"],
];

/// Writings of "there is none" in columns of ids.
const NO_ID: &[&str] = &[
    "NA",
    "NONE",
    "NULL",
    "NIL",
    "UNKNOWN",
    "TBC",
    "NOTAPPLICABLE",
];

/// A value in its comparable forms: the main one, then aliases. Empty when there is nothing to compare.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Value {
    pub(super) forms: Vec<String>,
}

impl Value {
    pub(super) fn new(kind: Kind, raw: &str) -> Self {
        let raw = raw.trim();
        let forms = match kind {
            Kind::Name => return Self { forms: name(raw) },
            Kind::Person | Kind::Text | Kind::Exact => words(raw).join(" "),
            Kind::Id => id(raw),
            Kind::Code | Kind::Postcode => alphanumeric(raw),
            Kind::Domain => domain(raw),
            Kind::Date => raw.chars().take(10).filter(char::is_ascii_digit).collect(),
        };
        let forms = clip(forms);
        Self {
            forms: if forms.is_empty() {
                vec![]
            } else {
                vec![forms]
            },
        }
    }

    /// The main form; empty when there is none.
    pub(super) fn main(&self) -> &str {
        self.forms.first().map_or("", String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }
}

fn clip(text: String) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => text[..at].trim_end().to_owned(),
        None => text,
    }
}

/// Compatibility-decomposed, without marks, lower-case; a cell may be far longer than what is compared.
fn folded(raw: &str) -> impl Iterator<Item = char> + '_ {
    raw.chars()
        .take(4 * MAX_CHARS)
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
}

/// Words of letters and digits; "&" and "+" are the word "and"; apostrophes and dots vanish inside words.
fn words(raw: &str) -> Vec<String> {
    let mut text = String::new();
    for c in folded(raw) {
        match c {
            '&' | '+' => text.push_str(" and "),
            '\'' | '\u{2019}' | '\u{2bc}' | '`' => {}
            c if c.is_alphanumeric() => text.push(c),
            _ => text.push(' '),
        }
    }
    text.split_whitespace().map(str::to_owned).collect()
}

fn alphanumeric(raw: &str) -> String {
    folded(raw)
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .collect()
}

/// An identifier without blanks, in capitals; nothing for writings of "none" and for zeros alone.
fn id(raw: &str) -> String {
    let bare = alphanumeric(raw);
    if bare.chars().all(|c| c == '0') || NO_ID.contains(&bare.as_str()) {
        return String::new();
    }
    folded(raw)
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_uppercase)
        .collect()
}

/// The host of an address of a page or a mailbox, without `www.`.
fn domain(raw: &str) -> String {
    let text: String = folded(raw).collect();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, r)| r);
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = host.rsplit('@').next().unwrap_or("");
    let host = host.split(':').next().unwrap_or("").trim_end_matches('.');
    host.trim_start_matches("www.").to_owned()
}

/// A name without its legal ending, then what stood in brackets or after "aka" as aliases.
fn name(raw: &str) -> Vec<String> {
    let (outside, inside) = brackets(raw);
    let mut parts = split_also(&words(&outside));
    for text in &inside {
        parts.extend(split_also(&words(text)));
    }
    let mut forms: Vec<String> = Vec::new();
    for part in parts {
        let form = clip(core(&part).join(" "));
        if !form.is_empty() && !forms.contains(&form) && forms.len() < MAX_FORMS {
            forms.push(form);
        }
    }
    forms
}

/// What stands outside of brackets, and each text inside.
fn brackets(raw: &str) -> (String, Vec<String>) {
    let (mut outside, mut inside) = (String::new(), Vec::new());
    let mut current: Option<String> = None;
    for c in raw.chars().take(4 * MAX_CHARS) {
        match (c, &mut current) {
            ('(' | '[' | '\u{ff08}', None) => current = Some(String::new()),
            (')' | ']' | '\u{ff09}', Some(text)) => {
                inside.push(std::mem::take(text));
                current = None;
                outside.push(' ');
            }
            (c, Some(text)) => text.push(c),
            (c, None) => outside.push(c),
        }
    }
    // A bracket that never closes is punctuation.
    if let Some(text) = current {
        outside.push(' ');
        outside.push_str(&text);
    }
    (outside, inside)
}

/// Cuts at "aka", "formerly known as" and the like.
fn split_also(words: &[String]) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new()];
    let mut at = 0;
    while at < words.len() {
        let also = ALSO.iter().find(|phrase| starts(&words[at..], phrase));
        if let Some(phrase) = also {
            parts.push(Vec::new());
            at += phrase.len();
        } else {
            if let Some(last) = parts.last_mut() {
                last.push(words[at].clone());
            }
            at += 1;
        }
    }
    parts
}

fn starts(words: &[String], phrase: &[&str]) -> bool {
    words.len() >= phrase.len() && words.iter().zip(phrase).all(|(w, p)| w == p)
}

/// Without a leading article and legal endings; a name that is nothing else keeps its words.
fn core(words: &[String]) -> &[String] {
    let mut rest = words;
    if rest.len() > 1 && rest[0] == "the" {
        rest = &rest[1..];
    }
    while let Some(ending) = LEGAL
        .iter()
        .find(|e| rest.len() > e.len() && starts(&rest[rest.len() - e.len()..], e))
    {
        rest = &rest[..rest.len() - ending.len()];
    }
    // "and" before a removed "co" belongs to it.
    match rest {
        [before @ .., last] if !before.is_empty() && last == "and" => before,
        _ => rest,
    }
}

/// Words in order of the alphabet, so that a changed order of words does not matter.
pub(super) fn sorted_words(form: &str) -> String {
    let mut words: Vec<&str> = form.split(' ').collect();
    words.sort_unstable();
    words.join(" ")
}

/// The part of a postcode that names a district: all but the last three characters of a UK postcode, all but the
/// last two of others.
pub(super) fn outward(postcode: &str) -> &str {
    let tail = if is_uk_postcode(postcode) { 3 } else { 2 };
    let cut = postcode.char_indices().rev().nth(tail - 1);
    cut.map_or("", |(at, _)| &postcode[..at])
}

/// `A9 9AA` to `AA9A 9AA`, here without its blank.
fn is_uk_postcode(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !(5..=7).contains(&bytes.len()) || !text.is_ascii() {
        return false;
    }
    let (out, inward) = bytes.split_at(bytes.len() - 3);
    inward[0].is_ascii_digit()
        && inward[1..].iter().all(u8::is_ascii_uppercase)
        && out[0].is_ascii_uppercase()
        && out.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(kind: Kind, raw: &str) -> Vec<String> {
        Value::new(kind, raw).forms
    }

    #[test]
    fn names_lose_case_marks_punctuation_and_legal_endings() {
        for (raw, expected) in [
            ("The Café & Friends Ltd.", "cafe and friends"),
            ("CAFÉ AND FRIENDS LIMITED", "cafe and friends"),
            ("St. John's C.I.C.", "st johns"),
            ("Koestler Trust", "koestler"),
            ("Smith & Co. Ltd", "smith"),
            ("Trust Limited", "trust"),
            ("The Trust", "trust"),
            ("\u{ff21}cme \u{fb01}lms Inc", "acme films"),
        ] {
            assert_eq!(forms(Kind::Name, raw), [expected], "{raw}");
        }
    }

    #[test]
    fn brackets_and_aka_become_aliases() {
        assert_eq!(
            forms(Kind::Name, "Project Seventeen (AKA Project 17)"),
            ["project seventeen", "project 17"]
        );
        assert_eq!(
            forms(Kind::Name, "Alpha Ltd formerly known as Beta Trust"),
            ["alpha", "beta"]
        );
        assert_eq!(
            forms(Kind::Name, "Open (never closed"),
            ["open never closed"]
        );
        assert_eq!(forms(Kind::Name, "(Inside only)"), ["inside only"]);
        assert!(forms(Kind::Name, " () - ").is_empty());
    }

    #[test]
    fn normalising_twice_changes_nothing() {
        for raw in [
            "The A & B Trust (Leeds)",
            "Zoë’s Co",
            "co co co",
            "the the",
            "and and",
            "x and",
        ] {
            let once = Value::new(Kind::Name, raw);
            let twice = Value::new(Kind::Name, once.main());
            assert_eq!(once.main(), twice.main(), "{raw}");
        }
    }

    #[test]
    fn ids_that_say_none_are_none() {
        for raw in ["n/a", "0", "000", "-", " none ", "N.A."] {
            assert!(forms(Kind::Id, raw).is_empty(), "{raw}");
        }
        assert_eq!(forms(Kind::Id, " gb-chc-012 "), ["GB-CHC-012"]);
    }

    #[test]
    fn places_and_domains() {
        assert_eq!(forms(Kind::Postcode, "sw1a 1aa"), ["SW1A1AA"]);
        assert_eq!(outward("SW1A1AA"), "SW1A");
        assert_eq!(outward("4223"), "42");
        assert_eq!(outward("7"), "");
        assert_eq!(
            forms(Kind::Domain, "https://www.Example.org:80/a?b"),
            ["example.org"]
        );
        assert_eq!(forms(Kind::Domain, "Ann <x>@example.org"), ["example.org"]);
        assert_eq!(forms(Kind::Date, "1915-11-11T00:00"), ["19151111"]);
    }

    #[test]
    fn long_cells_are_cut() {
        let long = "ßé ".repeat(40_000);
        let value = Value::new(Kind::Name, &long);
        assert!(value.main().chars().count() <= MAX_CHARS);
    }
}
