//! Splits a text into sentences: at `.`, `!`, `?` and `…` before a blank and a beginning, and at empty lines.
//!
//! Invariant: every visible character is in exactly one sentence, and no sentence is longer than [`LONGEST`] bytes
//! plus a word: VADER is made for short texts, and its cost may grow with the square of their length.

/// Bytes after which a sentence is cut at the next blank: some 350 words, longer than people write.
const LONGEST: usize = 2_048;

/// A point after these ends no sentence.
const ABBREVIATIONS: [&str; 26] = [
    "dr", "mr", "mrs", "ms", "prof", "rev", "hon", "st", "sr", "jr", "no", "nos", "vs", "etc",
    "e.g", "i.e", "cf", "al", "approx", "dept", "inc", "ltd", "co", "corp", "fig", "est",
];

/// The sentences of a text, in order, without white space around them.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let end = at + c.len_utf8();
        let cut = match c {
            '\n' => text[end..]
                .trim_start_matches([' ', '\t', '\r'])
                .starts_with('\n'),
            '.' | '!' | '?' | '…' => ends(&text[start..at], c, &text[end..]),
            _ => c.is_whitespace() && at - start > LONGEST,
        } || end - start > 4 * LONGEST;
        if cut {
            // Quotes and brackets that close belong to the sentence that they close.
            let mut end = end;
            while let Some((next, _)) = chars.next_if(|(_, c)| is_closing(*c)) {
                end = next + text[next..].chars().next().map_or(0, char::len_utf8);
            }
            push(&text[start..end], &mut out);
            start = end;
        }
    }
    push(&text[start..], &mut out);
    out
}

fn push<'a>(piece: &'a str, out: &mut Vec<&'a str>) {
    let piece = piece.trim();
    if !piece.is_empty() {
        out.push(piece);
    }
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | ')' | ']' | '}' | '”' | '’' | '»')
}

/// Whether a sentence ends at this mark: then comes a blank and something that may begin one.
fn ends(before: &str, mark: char, after: &str) -> bool {
    let after = after.trim_start_matches(is_closing);
    let Some(next) = after.chars().next() else {
        return true;
    };
    if !next.is_whitespace() {
        return false;
    }
    let Some(first) = after.trim_start().chars().next() else {
        return true;
    };
    if mark == '.' && is_abbreviation(before) {
        return false;
    }
    // A small letter goes on after "..." and after abbreviations unknown here, hardly ever after "!" or "?".
    !(first.is_lowercase() && matches!(mark, '.' | '…'))
}

fn is_abbreviation(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("");
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let mut chars = word.chars();
    let initial =
        chars.next().is_some_and(char::is_uppercase) && chars.next().is_none() && word != "I";
    initial || ABBREVIATIONS.iter().any(|a| a.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        for (text, expected) in [
            (
                "Thank you! It was great. Really.",
                vec!["Thank you!", "It was great.", "Really."],
            ),
            (
                "Dr. Smith met J. Doe, e.g. on Monday.",
                vec!["Dr. Smith met J. Doe, e.g. on Monday."],
            ),
            ("So did I. We left.", vec!["So did I.", "We left."]),
            (
                "It cost 3.50 at fund.org today",
                vec!["It cost 3.50 at fund.org today"],
            ),
            ("Wait... what?! No way", vec!["Wait... what?!", "No way"]),
            (
                "He said \"stop.\" Then he left.",
                vec!["He said \"stop.\"", "Then he left."],
            ),
            (
                "Dear Ada,\n\nmany thanks\nfor all of it.\n \nBest",
                vec!["Dear Ada,", "many thanks\nfor all of it.", "Best"],
            ),
            ("", vec![]),
            (" . ", vec!["."]),
        ] {
            assert_eq!(split(text), expected, "{text:?}");
        }
    }

    #[test]
    fn endless_texts_are_cut() {
        let words = "word ".repeat(10_000);
        assert!(split(&words).iter().all(|s| s.len() <= LONGEST + 5));
        let solid = "é".repeat(100_000);
        assert!(split(&solid).iter().all(|s| s.len() <= 4 * LONGEST + 2));
    }

    proptest! {
        #[test]
        fn nothing_visible_is_lost_or_doubled(text in "[a-zA-ZéI.!?…\"')\n\r\t ]{0,200}") {
            let visible = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(split(&text).into_iter().map(visible).collect::<String>(), visible(&text));
        }
    }
}
