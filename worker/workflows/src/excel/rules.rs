//! Rules over the columns of a row: a small language that can compare and compute, and nothing else.
//!
//! Grammar, loosest first; keywords in any case:
//!
//! ```text
//! expr    = and { ("or" | "||") and }
//! and     = not { ("and" | "&&") not }
//! not     = ("not" | "!") not | compare
//! compare = sum [ ("==" | "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") sum
//!               | ["not"] "in" "(" expr { "," expr } ")" ]
//! sum     = product { ("+" | "-") product }
//! product = sign { ("*" | "/" | "%") sign }
//! sign    = "-" sign | primary
//! primary = number | 'text' | "text" | true | false | [Column label] | column_name
//!         | function "(" [ expr { "," expr } ] ")" | "(" expr ")"
//! ```
//!
//! `]` in a label is written `]]`, a quote in a text twice. Functions: `len`, `abs`, `round(x, digits)`, `min`, `max`,
//! `lower`, `upper`, `trim`, `contains`, `starts_with`, `ends_with`, `date('2027-03-31')`, `year`, `month`, `day`,
//! `days_between(from, to)`, `as_of()`, `is_empty([Column])`. Numbers are exact decimals. A date less a date is days.
//!
//! A row whose evaluation meets an empty cell outside of `is_empty`, or `as_of()` without a day, is not applicable; `and` and `or` stop as soon as
//! the left side decides. What cannot be computed (text times date, division by 0) fails. Invariant: no rule panics,
//! recurses deeper than [`parse::MAX_DEPTH`] or has more than [`parse::MAX_NODES`] parts. Deliberately absent: loops,
//! assignment, regular expressions, cells of other rows.

mod evaluate;
mod parse;
mod token;
mod value;

#[cfg(test)]
mod tests;

pub(super) use evaluate::{Outcome, evaluate};
pub(super) use parse::{Expression, parse};
pub(super) use value::Value;
