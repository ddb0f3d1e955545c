//! The eight components of a strength, each in [0, 1] with its evidence, or unknown for a reason.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Direction, Interaction, Known};
use crate::number::float;

/// Interactions' weight at which intensity is one half. Fixed: one sponsor's data must not move another's score.
pub(super) const HALF_INTENSITY: f64 = 3.0;
/// Hours in which the worth of an answer halves.
const ANSWER_HALF_LIFE_HOURS: f64 = 24.0;
/// A message without an answer for so long has none.
pub(super) const ANSWER_DAYS: i32 = 14;
/// Months that consistency looks at.
pub(super) const ACTIVE_MONTHS: i32 = 12;
/// Months in which duration comes to 63 %.
pub(super) const DURATION_MONTHS: f64 = 24.0;
/// Mean length of a month of the Gregorian calendar.
pub(super) const DAYS_PER_MONTH: f64 = 30.436_875;

/// Why all that rests on interactions is unknown without one.
const NO_INTERACTION: &str = "no interaction";

/// One component.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Component {
    /// Known.
    Known(Evidence),
    /// Not known, and why.
    Unknown(&'static str),
}

/// A value and what it was made of. Where `value` is not `num / den` itself, it is a function of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evidence {
    /// In [0, 1].
    pub(crate) value: f64,
    /// Numerator.
    pub(crate) num: f64,
    /// Denominator.
    pub(crate) den: f64,
    /// Items that it rests on.
    pub(crate) n: u64,
    /// Items left out because their answer may still come.
    pub(crate) censored: u64,
    /// The formula.
    pub(crate) method: &'static str,
}

impl Component {
    /// The value, if known.
    pub(crate) fn value(&self) -> Option<f64> {
        match self {
            Self::Known(evidence) => Some(evidence.value),
            Self::Unknown(_) => None,
        }
    }

    pub(super) fn describe(&self, weight: f64) -> Value {
        match self {
            Self::Known(e) => {
                let mut out = json!({"value": float(e.value), "num": float(e.num), "den": float(e.den), "n": e.n,
                    "weight": float(weight), "method": e.method});
                if e.censored > 0 {
                    out["censored"] = e.censored.into();
                }
                out
            }
            Self::Unknown(reason) => {
                json!({"value": null, "reason": reason, "n": 0, "weight": float(weight)})
            }
        }
    }

    /// A plain quotient.
    fn ratio(num: f64, den: f64, n: usize, method: &'static str) -> Self {
        Self::of(num / den, num, den, n, method)
    }

    fn of(value: f64, num: f64, den: f64, n: usize, method: &'static str) -> Self {
        Self::Known(Evidence {
            value: value.clamp(0.0, 1.0),
            num,
            den,
            n: n as u64,
            censored: 0,
            method,
        })
    }
}

/// An interaction with its weight.
struct Weighed<'a> {
    it: Interaction<'a>,
    weight: f64,
}

/// All components, in their fixed order.
pub(super) fn all(known: &Known<'_>, half_life_days: f64) -> [Component; 8] {
    let mut past: Vec<Weighed<'_>> = known
        .interactions
        .iter()
        .filter(|i| i.at <= known.as_of)
        .map(|&it| Weighed {
            it,
            weight: it.channel.worth() * (-days(it.at, known.as_of) / half_life_days).exp2(),
        })
        .collect();
    past.sort_by(|a, b| (a.it.at, a.it.id).cmp(&(b.it.at, b.it.id)));
    [
        intensity(&past),
        reciprocity(&past),
        responsiveness(&past, known.as_of),
        consistency(&past, known.as_of),
        duration(&past, known.as_of),
        tone(&past),
        structural(known),
        giving(known),
    ]
}

/// Days from one instant to a later one.
pub(super) fn days(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 86_400.0
}

fn intensity(past: &[Weighed<'_>]) -> Component {
    if past.is_empty() {
        return Component::Unknown(NO_INTERACTION);
    }
    let sum: f64 = past.iter().map(|w| w.weight).sum();
    Component::ratio(
        sum,
        sum + HALF_INTENSITY,
        past.len(),
        "A / (A + 3), A = sum of decayed weights",
    )
}

fn reciprocity(past: &[Weighed<'_>]) -> Component {
    let (mut incoming, mut outgoing) = (0.0, 0.0);
    for w in past {
        match w.it.direction {
            Direction::In => incoming += w.weight,
            Direction::Out => outgoing += w.weight,
            Direction::Mutual => {
                incoming += w.weight / 2.0;
                outgoing += w.weight / 2.0;
            }
        }
    }
    let both = incoming + outgoing;
    if past.is_empty() {
        return Component::Unknown(NO_INTERACTION);
    }
    if both <= 0.0 {
        return Component::Unknown("every interaction is so old that its weight vanishes");
    }
    let num = 2.0 * f64::min(incoming, outgoing);
    Component::ratio(
        num,
        both,
        past.len(),
        "2 min(in, out) / (in + out) of decayed weights",
    )
}

/// Answers to our messages: all that went from us to them alone. A conversation of both sides is mutual, and its own
/// answer.
fn responsiveness(past: &[Weighed<'_>], as_of: Timestamp) -> Component {
    let mut answers: HashMap<&str, Timestamp> = HashMap::new();
    for w in past.iter().filter(|w| w.it.direction != Direction::Out) {
        if let Some(question) = w.it.reply_to {
            // In order of time: the first answer stays.
            answers.entry(question).or_insert(w.it.at);
        }
    }
    let (mut sum, mut n, mut censored) = (0.0, 0_usize, 0);
    let ours = past.iter().filter(|w| w.it.direction == Direction::Out);
    for message in ours {
        match answers.get(message.it.id) {
            Some(&answer) if days(message.it.at, answer) <= f64::from(ANSWER_DAYS) => {
                sum += answer_worth(message.it.at, answer);
            }
            None if days(message.it.at, as_of) < f64::from(ANSWER_DAYS) => {
                censored += 1;
                continue;
            }
            _ => {}
        }
        n += 1;
    }
    if n == 0 {
        return Component::Unknown(if censored > 0 {
            "our messages are younger than 14 days and unanswered so far"
        } else {
            "no message of ours to them"
        });
    }
    Component::Known(Evidence {
        value: sum / n as f64,
        num: sum,
        den: n as f64,
        n: n as u64,
        censored,
        method: "mean over our messages of 2^(-hours to the answer / 24), 0 after 14 days without one",
    })
}

/// What an answer counts by the time it took. Clocks differ: one before its question took none.
pub(super) fn answer_worth(question: Timestamp, answer: Timestamp) -> f64 {
    let hours = 24.0 * days(question, answer).max(0.0);
    (-hours / ANSWER_HALF_LIFE_HOURS).exp2()
}

fn consistency(past: &[Weighed<'_>], as_of: Timestamp) -> Component {
    if past.is_empty() {
        return Component::Unknown(NO_INTERACTION);
    }
    let here = month(as_of);
    let active: BTreeSet<i32> = past
        .iter()
        .map(|w| here - month(w.it.at))
        .filter(|back| *back < ACTIVE_MONTHS)
        .collect();
    let den = f64::from(ACTIVE_MONTHS);
    Component::ratio(
        active.len() as f64,
        den,
        past.len(),
        "calendar months (UTC) with an interaction among the last 12 / 12",
    )
}

/// The number of a calendar month in UTC; consecutive months have consecutive numbers.
pub(super) fn month(at: Timestamp) -> i32 {
    let date: Date = TimeZone::UTC.to_datetime(at).date();
    12 * i32::from(date.year()) + i32::from(date.month())
}

fn duration(past: &[Weighed<'_>], as_of: Timestamp) -> Component {
    let Some(first) = past.first() else {
        return Component::Unknown(NO_INTERACTION);
    };
    let months = days(first.it.at, as_of) / DAYS_PER_MONTH;
    let value = 1.0 - (-months / DURATION_MONTHS).exp();
    Component::of(
        value,
        months,
        DURATION_MONTHS,
        past.len(),
        "1 - exp(-months since the first interaction / 24)",
    )
}

fn tone(past: &[Weighed<'_>]) -> Component {
    let (mut sum, mut weight, mut n) = (0.0, 0.0, 0);
    for w in past {
        if let Some(sentiment) = w.it.sentiment {
            sum += w.weight * sentiment;
            weight += w.weight;
            n += 1;
        }
    }
    if n == 0 {
        return Component::Unknown("no text");
    }
    if weight <= 0.0 {
        return Component::Unknown("every text is so old that its weight vanishes");
    }
    let value = f64::midpoint(sum / weight, 1.0);
    Component::of(
        value,
        sum,
        weight,
        n,
        "(decayed mean sentiment + 1) / 2; a tone hint",
    )
}

fn structural(known: &Known<'_>) -> Component {
    match known.overlap {
        None => Component::Unknown("no ties are given"),
        Some(overlap) if overlap.either == 0 => Component::Unknown("neither side has a tie"),
        Some(overlap) => Component::ratio(
            overlap.both as f64,
            overlap.either as f64,
            overlap.either,
            "shared acquaintances / acquaintances of either side",
        ),
    }
}

fn giving(known: &Known<'_>) -> Component {
    let Some(gifts) = known.gifts else {
        return Component::Unknown("no gifts are given");
    };
    let value = 1.0 - (-(gifts as f64)).exp();
    Component::Known(Evidence {
        value,
        num: gifts as f64,
        den: 1.0,
        n: gifts,
        censored: 0,
        method: "1 - exp(-gifts in the last 3 periods)",
    })
}
