//! Reads a rule into a tree.
//!
//! Recursive descent, bounded in depth and size, so that a hostile rule costs neither stack nor time.

use std::collections::BTreeSet;

use super::token::{Mistake, Token, tokens};
use super::value::Value as Held;

/// A literal owns its text.
type Value = Held<'static>;

/// Nested brackets, signs and negations; a rule that a person reads has three.
pub(super) const MAX_DEPTH: usize = 32;
/// Parts of a rule.
pub(super) const MAX_NODES: usize = 500;

/// A part of a rule. Columns are indices into [`Expression::labels`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    Column(usize),
    Not(Box<Node>),
    Negative(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Compute(Operator, Box<Node>, Box<Node>),
    In(Box<Node>, Vec<Node>),
    IsEmpty(usize),
    Call(Function, Vec<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Len,
    Abs,
    Round,
    Min,
    Max,
    Lower,
    Upper,
    Trim,
    Contains,
    StartsWith,
    EndsWith,
    Date,
    Year,
    Month,
    Day,
    DaysBetween,
    AsOf,
}

/// Each function with the least and the largest number of its arguments.
const FUNCTIONS: &[(&str, Function, usize, usize)] = &[
    ("len", Function::Len, 1, 1),
    ("abs", Function::Abs, 1, 1),
    ("round", Function::Round, 1, 2),
    ("min", Function::Min, 1, 16),
    ("max", Function::Max, 1, 16),
    ("lower", Function::Lower, 1, 1),
    ("upper", Function::Upper, 1, 1),
    ("trim", Function::Trim, 1, 1),
    ("contains", Function::Contains, 2, 2),
    ("starts_with", Function::StartsWith, 2, 2),
    ("ends_with", Function::EndsWith, 2, 2),
    ("date", Function::Date, 1, 1),
    ("year", Function::Year, 1, 1),
    ("month", Function::Month, 1, 1),
    ("day", Function::Day, 1, 1),
    ("days_between", Function::DaysBetween, 2, 2),
    ("as_of", Function::AsOf, 0, 0),
];

/// A rule that was read.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::excel) struct Expression {
    pub(super) root: Node,
    /// The labels of the columns that it refers to, each once, in order of first mention.
    pub(in crate::excel) labels: Vec<String>,
}

/// Reads a rule.
pub(in crate::excel) fn parse(text: &str) -> Result<Expression, Mistake> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens,
        next: 0,
        end: text.chars().count() + 1,
        nodes: 0,
        labels: Vec::new(),
    };
    let root = parser.either(0)?;
    if parser.next < parser.tokens.len() {
        return Err(parser.mistake("nothing more was expected here"));
    }
    debug_assert_eq!(
        parser.labels.iter().collect::<BTreeSet<_>>().len(),
        parser.labels.len()
    );
    Ok(Expression {
        root,
        labels: parser.labels,
    })
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
    nodes: usize,
    labels: Vec<String>,
}

type Read = Result<Node, Mistake>;

impl Parser {
    fn mistake(&self, detail: &'static str) -> Mistake {
        let at = self.tokens.get(self.next).map_or(self.end, |(at, _)| *at);
        Mistake { at, detail }
    }

    /// The next token if it is one of these signs or keywords.
    fn take(&mut self, wanted: &[&'static str]) -> Option<&'static str> {
        let found = match &self.tokens.get(self.next)?.1 {
            Token::Sign(sign) => wanted.iter().find(|w| *w == sign),
            Token::Word(word) => wanted
                .iter()
                .find(|w| w.starts_with(char::is_alphabetic) && word.eq_ignore_ascii_case(w)),
            _ => None,
        }?;
        self.next += 1;
        Some(found)
    }

    fn need(&mut self, sign: &'static str, detail: &'static str) -> Result<(), Mistake> {
        self.take(&[sign])
            .map(|_| ())
            .ok_or_else(|| self.mistake(detail))
    }

    /// Counts a part, and refuses what is too deep or too large.
    fn count(&mut self, depth: usize) -> Result<(), Mistake> {
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return Err(self.mistake("nested too deeply"));
        }
        if self.nodes > MAX_NODES {
            return Err(self.mistake("too many parts in one rule"));
        }
        Ok(())
    }

    fn either(&mut self, depth: usize) -> Read {
        let mut left = self.both(depth)?;
        while self.take(&["or"]).is_some() {
            // A chain leans to the left, and evaluation follows it down: the cap on parts bounds that too.
            self.count(depth)?;
            left = Node::Or(Box::new(left), Box::new(self.both(depth)?));
        }
        Ok(left)
    }

    fn both(&mut self, depth: usize) -> Read {
        let mut left = self.negation(depth)?;
        while self.take(&["and"]).is_some() {
            self.count(depth)?;
            left = Node::And(Box::new(left), Box::new(self.negation(depth)?));
        }
        Ok(left)
    }

    fn negation(&mut self, depth: usize) -> Read {
        if self.take(&["not"]).is_some() {
            self.count(depth + 1)?;
            return Ok(Node::Not(Box::new(self.negation(depth + 1)?)));
        }
        self.comparison(depth)
    }

    fn comparison(&mut self, depth: usize) -> Read {
        let left = self.sum(depth)?;
        let before = self.next;
        let not = self.take(&["not"]).is_some();
        if self.take(&["in"]).is_some() {
            self.count(depth)?;
            self.need("(", "a list in brackets was expected")?;
            let list = self.list(depth + 1)?;
            let found = Node::In(Box::new(left), list);
            return Ok(if not {
                Node::Not(Box::new(found))
            } else {
                found
            });
        }
        self.next = before;
        let Some(sign) = self.take(&["==", "!=", "<=", ">=", "<", ">"]) else {
            return Ok(left);
        };
        self.count(depth)?;
        let comparison = match sign {
            "==" => Comparison::Equal,
            "!=" => Comparison::Unequal,
            "<=" => Comparison::LessOrEqual,
            ">=" => Comparison::GreaterOrEqual,
            "<" => Comparison::Less,
            _ => Comparison::Greater,
        };
        Ok(Node::Compare(
            comparison,
            Box::new(left),
            Box::new(self.sum(depth)?),
        ))
    }

    fn sum(&mut self, depth: usize) -> Read {
        let mut left = self.product(depth)?;
        while let Some(sign) = self.take(&["+", "-"]) {
            self.count(depth)?;
            let operator = if sign == "+" {
                Operator::Plus
            } else {
                Operator::Minus
            };
            left = Node::Compute(operator, Box::new(left), Box::new(self.product(depth)?));
        }
        Ok(left)
    }

    fn product(&mut self, depth: usize) -> Read {
        let mut left = self.sign(depth)?;
        while let Some(sign) = self.take(&["*", "/", "%"]) {
            self.count(depth)?;
            let operator = match sign {
                "*" => Operator::Times,
                "/" => Operator::Over,
                _ => Operator::Modulo,
            };
            left = Node::Compute(operator, Box::new(left), Box::new(self.sign(depth)?));
        }
        Ok(left)
    }

    fn sign(&mut self, depth: usize) -> Read {
        if self.take(&["-"]).is_some() {
            self.count(depth + 1)?;
            return Ok(Node::Negative(Box::new(self.sign(depth + 1)?)));
        }
        self.primary(depth)
    }

    fn primary(&mut self, depth: usize) -> Read {
        self.count(depth)?;
        if self.take(&["("]).is_some() {
            let inner = self.either(depth + 1)?;
            self.need(")", "a closing bracket was expected")?;
            return Ok(inner);
        }
        let Some((_, token)) = self.tokens.get(self.next).cloned() else {
            return Err(self.mistake("the rule ends too early"));
        };
        match token {
            Token::Sign(_) => Err(self.mistake("a value was expected")),
            Token::Number(x) => Ok(self.literal(Value::Number(x))),
            Token::Text(text) => Ok(self.literal(Value::Text(text.into()))),
            Token::Label(label) => {
                self.next += 1;
                Ok(Node::Column(self.column(&label)))
            }
            Token::Word(word) => self.word(&word, depth),
        }
    }

    fn literal(&mut self, value: Value) -> Node {
        self.next += 1;
        Node::Literal(value)
    }

    fn column(&mut self, label: &str) -> usize {
        let label = label.trim();
        self.labels
            .iter()
            .position(|known| known == label)
            .unwrap_or_else(|| {
                self.labels.push(label.to_owned());
                self.labels.len() - 1
            })
    }

    /// A function, a truth value, or a column by a name that needs no brackets.
    fn word(&mut self, word: &str, depth: usize) -> Read {
        let lower = word.to_ascii_lowercase();
        if ["and", "or", "not", "in"].contains(&lower.as_str()) {
            return Err(self.mistake("a value was expected"));
        }
        let called = matches!(self.tokens.get(self.next + 1), Some((_, Token::Sign("("))));
        if !called {
            return Ok(match lower.as_str() {
                "true" => self.literal(Value::Bool(true)),
                "false" => self.literal(Value::Bool(false)),
                _ => {
                    self.next += 1;
                    Node::Column(self.column(word))
                }
            });
        }
        if lower == "is_empty" {
            self.next += 2;
            let argument = self.primary(depth + 1)?;
            let Node::Column(column) = argument else {
                return Err(self.mistake("is_empty takes one column"));
            };
            self.need(")", "a closing bracket was expected")?;
            return Ok(Node::IsEmpty(column));
        }
        let Some(&(_, function, least, most)) = FUNCTIONS.iter().find(|(name, ..)| *name == lower)
        else {
            return Err(self.mistake("no function has this name"));
        };
        self.next += 2;
        let arguments = self.list(depth + 1)?;
        if !(least..=most).contains(&arguments.len()) {
            return Err(self.mistake("the function before takes another number of values"));
        }
        Ok(Node::Call(function, arguments))
    }

    /// Values up to the closing bracket.
    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Mistake> {
        let mut items = Vec::new();
        if self.take(&[")"]).is_some() {
            return Ok(items);
        }
        loop {
            items.push(self.either(depth)?);
            if self.take(&[","]).is_none() {
                self.need(")", "a comma or a closing bracket was expected")?;
                return Ok(items);
            }
        }
    }
}
