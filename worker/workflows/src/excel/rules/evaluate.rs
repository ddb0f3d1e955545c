//! Applies a rule to a row.
//!
//! Invariant: total; whatever the cells hold, the answer is one of [`Outcome`].

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::civil::Date;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::super::cell::Moment;
use super::super::dates;
use super::parse::{Comparison, Expression, Function, Node, Operator};
use super::value::Value;

/// What a rule says of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::excel) enum Outcome {
    /// It holds.
    Holds,
    /// It does not hold.
    Broken,
    /// It cannot be computed on what the cells hold; counts as broken.
    Senseless,
    /// An empty cell is needed, or the day of an input that has none.
    NotApplicable,
}

/// Why there is no value.
enum Halt {
    Empty,
    Senseless,
}

type Found<'t> = Result<Value<'t>, Halt>;

/// Applies a rule; `cell` gives the value of a column by its place in [`Expression::labels`].
pub(in crate::excel) fn evaluate<'t>(
    rule: &'t Expression,
    as_of: Option<Date>,
    cell: &dyn Fn(usize) -> Value<'t>,
) -> Outcome {
    match (Row { as_of, cell }).value(&rule.root) {
        Ok(Value::Bool(true)) => Outcome::Holds,
        Ok(Value::Bool(false)) => Outcome::Broken,
        Ok(_) | Err(Halt::Senseless) => Outcome::Senseless,
        Err(Halt::Empty) => Outcome::NotApplicable,
    }
}

struct Row<'r, 't> {
    as_of: Option<Date>,
    cell: &'r dyn Fn(usize) -> Value<'t>,
}

impl<'t> Row<'_, 't> {
    fn value(&self, node: &'t Node) -> Found<'t> {
        Ok(match node {
            Node::Literal(value) => value.clone(),
            Node::Column(at) => match (self.cell)(*at) {
                Value::Empty => return Err(Halt::Empty),
                value => value,
            },
            Node::IsEmpty(at) => Value::Bool((self.cell)(*at) == Value::Empty),
            Node::Not(inner) => Value::Bool(!self.truth(inner)?),
            Node::And(a, b) => Value::Bool(self.truth(a)? && self.truth(b)?),
            Node::Or(a, b) => Value::Bool(self.truth(a)? || self.truth(b)?),
            Node::Negative(inner) => Value::Number(-self.number(inner)?),
            Node::Compare(comparison, a, b) => {
                Value::Bool(compare(*comparison, &self.value(a)?, &self.value(b)?)?)
            }
            Node::Compute(operator, a, b) => compute(*operator, &self.value(a)?, &self.value(b)?)?,
            Node::In(item, list) => {
                let item = self.value(item)?;
                let mut found = false;
                for other in list {
                    found |= item.order(&self.value(other)?) == Some(Ordering::Equal);
                }
                Value::Bool(found)
            }
            Node::Call(function, arguments) => self.call(*function, arguments)?,
        })
    }

    fn truth(&self, node: &'t Node) -> Result<bool, Halt> {
        match self.value(node)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Halt::Senseless),
        }
    }

    fn number(&self, node: &'t Node) -> Result<Decimal, Halt> {
        match self.value(node)? {
            Value::Number(x) => Ok(x),
            _ => Err(Halt::Senseless),
        }
    }

    /// Text as it is; numbers as they are written.
    fn text(&self, node: &'t Node) -> Result<Cow<'t, str>, Halt> {
        match self.value(node)? {
            Value::Text(text) => Ok(text),
            Value::Number(x) => Ok(x.normalize().to_string().into()),
            Value::Date(moment) => Ok(moment.to_string().into()),
            _ => Err(Halt::Senseless),
        }
    }

    fn date(&self, node: &'t Node) -> Result<Date, Halt> {
        match self.value(node)? {
            Value::Date(moment) => Ok(moment.date),
            Value::Text(text) => dates::of_text(&text, None)
                .map(|m| m.date)
                .ok_or(Halt::Senseless),
            _ => Err(Halt::Senseless),
        }
    }

    fn call(&self, function: Function, arguments: &'t [Node]) -> Found<'t> {
        let whole = |x: i64| Value::Number(Decimal::from(x));
        // The number of arguments was checked when the rule was read.
        let first = |at: usize| arguments.get(at).ok_or(Halt::Senseless);
        Ok(match function {
            Function::Len => Value::Number(Decimal::from(self.text(first(0)?)?.chars().count())),
            Function::Abs => Value::Number(self.number(first(0)?)?.abs()),
            Function::Round => self.round(first(0)?, arguments.get(1))?,
            Function::Min => self.extreme(arguments, Ordering::Less)?,
            Function::Max => self.extreme(arguments, Ordering::Greater)?,
            Function::Lower => Value::Text(self.text(first(0)?)?.to_lowercase().into()),
            Function::Upper => Value::Text(self.text(first(0)?)?.to_uppercase().into()),
            Function::Trim => Value::Text(self.text(first(0)?)?.trim().to_owned().into()),
            Function::Contains => {
                Value::Bool(self.text(first(0)?)?.contains(&*self.text(first(1)?)?))
            }
            Function::StartsWith => {
                Value::Bool(self.text(first(0)?)?.starts_with(&*self.text(first(1)?)?))
            }
            Function::EndsWith => {
                Value::Bool(self.text(first(0)?)?.ends_with(&*self.text(first(1)?)?))
            }
            Function::Date => Value::Date(Moment::day(self.date(first(0)?)?)),
            Function::Year => whole(self.date(first(0)?)?.year().into()),
            Function::Month => whole(self.date(first(0)?)?.month().into()),
            Function::Day => whole(self.date(first(0)?)?.day().into()),
            Function::DaysBetween => whole(days(self.date(first(0)?)?, self.date(first(1)?)?)),
            Function::AsOf => Value::Date(Moment::day(self.as_of.ok_or(Halt::Empty)?)),
        })
    }

    fn round(&self, node: &'t Node, digits: Option<&'t Node>) -> Found<'t> {
        let digits = match digits {
            None => 0,
            Some(node) => self
                .number(node)?
                .to_u32()
                .filter(|&d| d <= 28)
                .ok_or(Halt::Senseless)?,
        };
        let rounded = self
            .number(node)?
            .round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
        Ok(Value::Number(rounded))
    }

    /// The value that is `wanted` against all others.
    fn extreme(&self, arguments: &'t [Node], wanted: Ordering) -> Found<'t> {
        let mut best: Option<Value<'t>> = None;
        for node in arguments {
            let value = self.value(node)?;
            let better = match &best {
                None => true,
                Some(best) => value.order(best).ok_or(Halt::Senseless)? == wanted,
            };
            if better {
                best = Some(value);
            }
        }
        best.ok_or(Halt::Senseless)
    }
}

fn days(from: Date, to: Date) -> i64 {
    (to - from).get_days().into()
}

/// Values of different kinds are unequal; ordering them makes no sense.
fn compare(comparison: Comparison, a: &Value<'_>, b: &Value<'_>) -> Result<bool, Halt> {
    let order = a.order(b);
    Ok(match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::Unequal => order != Some(Ordering::Equal),
        Comparison::Less => order.ok_or(Halt::Senseless)?.is_lt(),
        Comparison::LessOrEqual => order.ok_or(Halt::Senseless)?.is_le(),
        Comparison::Greater => order.ok_or(Halt::Senseless)?.is_gt(),
        Comparison::GreaterOrEqual => order.ok_or(Halt::Senseless)?.is_ge(),
    })
}

fn compute<'t>(operator: Operator, a: &Value<'_>, b: &Value<'_>) -> Found<'t> {
    let computed = match (operator, a, b) {
        (Operator::Minus, Value::Date(a), Value::Date(b)) => {
            Some(Decimal::from(days(b.date, a.date)))
        }
        (_, Value::Number(a), Value::Number(b)) => match operator {
            Operator::Plus => a.checked_add(*b),
            Operator::Minus => a.checked_sub(*b),
            Operator::Times => a.checked_mul(*b),
            Operator::Over => a.checked_div(*b),
            Operator::Modulo => a.checked_rem(*b),
        },
        _ => None,
    };
    computed.map(Value::Number).ok_or(Halt::Senseless)
}
