//! From a text to its tokens: emoji become their descriptions, blanks split, punctuation around words goes.
//!
//! Invariant: characters are classed as Python's `str` classes them (`split`, `strip`, `isupper`, `lower`).

use std::borrow::Cow;

use super::lexicon::{self, Word};

/// A word or an emoticon, and what is known of it.
#[derive(Debug)]
pub(super) struct Token<'a> {
    /// In lower case.
    pub(super) lower: Cow<'a, str>,
    /// Has letters, and all of them are capitals.
    pub(super) upper: bool,
    /// What the tables know.
    pub(super) word: Word,
}

/// Python's `str.isspace` of one character: Unicode's White_Space and the four separators of ASCII.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The text with emoji put into words. An emoji is set off from what stands before it, not from what follows.
pub(super) fn spoken(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() * 2);
    let mut after_space = true;
    for c in text.chars() {
        if let Some(description) = lexicon::emoji(c) {
            if !after_space {
                out.push(' ');
            }
            out.push_str(description);
            after_space = false;
        } else {
            out.push(c);
            after_space = c == ' ';
        }
    }
    Cow::Owned(out)
}

/// The tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    text.split(is_blank)
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let kept = stripped(piece);
            let lower = lower(kept);
            Token {
                word: lexicon::word(&lower),
                lower,
                upper: is_upper(kept),
            }
        })
        .collect()
}

/// Without the punctuation around it, unless at most two characters would remain: then it is likely an emoticon.
fn stripped(token: &str) -> &str {
    let bare = token.trim_matches(|c: char| c.is_ascii_punctuation());
    if bare.chars().nth(2).is_none() {
        token
    } else {
        bare
    }
}

fn lower(word: &str) -> Cow<'_, str> {
    if word
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(word.to_lowercase())
    }
}

/// Python's `str.isupper`: a capital, and nothing in lower or title case.
fn is_upper(word: &str) -> bool {
    // Most words begin with a small letter, which settles it.
    if word.as_bytes().first().is_some_and(u8::is_ascii_lowercase) {
        return false;
    }
    word.chars().any(char::is_uppercase) && !word.chars().any(|c| c.is_lowercase() || is_title(c))
}

/// General category Lt: the four Latin digraphs and the Greek capitals with iota beside them.
fn is_title(c: char) -> bool {
    matches!(c, '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}' | '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}'
        | '\u{1fa8}'..='\u{1faf}' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
}
