//! Cuts a rule into words and signs.
//!
//! Invariant: positions count characters from 1, and an error carries a position, never the text.

use rust_decimal::Decimal;

/// A mistake in a rule: where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::excel) struct Mistake {
    /// Character of the rule, from 1.
    pub(in crate::excel) at: usize,
    /// What is wrong there.
    pub(in crate::excel) detail: &'static str,
}

/// A word or sign of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Number(Decimal),
    Text(String),
    /// A label in brackets.
    Label(String),
    /// A keyword, function or plain column name.
    Word(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// Signs, longer ones first, and what each means.
const SIGNS: &[(&str, &str)] = &[
    ("==", "=="),
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("&&", "and"),
    ("||", "or"),
    ("=", "=="),
    ("<", "<"),
    (">", ">"),
    ("!", "not"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("%", "%"),
    ("(", "("),
    (")", ")"),
    (",", ","),
];

/// The tokens with their positions.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Mistake> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let start = at;
        let token = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '\'' | '"' => Token::Text(quoted(&chars, &mut at, c, "a text that does not end")?),
            '[' => Token::Label(quoted(&chars, &mut at, ']', "a label without its ]")?),
            c if c.is_ascii_digit() => number(&chars, &mut at)?,
            c if c.is_alphabetic() || c == '_' => {
                while chars
                    .get(at)
                    .is_some_and(|c| c.is_alphanumeric() || *c == '_')
                {
                    at += 1;
                }
                Token::Word(chars[start..at].iter().collect())
            }
            _ => sign(&chars, &mut at)?,
        };
        found.push((start + 1, token));
    }
    Ok(found)
}

/// What stands up to `end`; a doubled `end` stands for itself.
fn quoted(
    chars: &[char],
    at: &mut usize,
    end: char,
    detail: &'static str,
) -> Result<String, Mistake> {
    let start = *at;
    let mut text = String::new();
    *at += 1;
    while let Some(&c) = chars.get(*at) {
        *at += 1;
        if c != end {
            text.push(c);
        } else if chars.get(*at) == Some(&end) {
            text.push(end);
            *at += 1;
        } else {
            return Ok(text);
        }
    }
    Err(Mistake {
        at: start + 1,
        detail,
    })
}

fn number(chars: &[char], at: &mut usize) -> Result<Token, Mistake> {
    let start = *at;
    while chars
        .get(*at)
        .is_some_and(|c| c.is_ascii_digit() || *c == '.')
    {
        *at += 1;
    }
    let text: String = chars[start..*at].iter().collect();
    let wrong = Mistake {
        at: start + 1,
        detail: "not a number of at most 28 digits",
    };
    Decimal::from_str_exact(&text)
        .map(Token::Number)
        .map_err(|_| wrong)
}

fn sign(chars: &[char], at: &mut usize) -> Result<Token, Mistake> {
    let rest = &chars[*at..];
    let known = SIGNS.iter().find(|(sign, _)| {
        sign.chars().count() <= rest.len() && sign.chars().zip(rest).all(|(a, b)| a == *b)
    });
    let Some((sign, meaning)) = known else {
        return Err(Mistake {
            at: *at + 1,
            detail: "a character that no rule has",
        });
    };
    *at += sign.chars().count();
    Ok(Token::Sign(meaning))
}
