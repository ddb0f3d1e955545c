//! The tone of what people wrote: language, sentences, VADER; per mail, per contact and for all.
//!
//! Invariant: only English is scored; whatever is not scored is null with a reason, never 0. A tone hint, never a
//! measurement of a relationship: on edited prose VADER's correlation with human raters is 0.43 to 0.59.

mod language;
mod sentences;
mod trend;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::message::{Class, Message};
use crate::number::float;
use crate::vader::{self, polarity_scores};

use trend::Trend;

/// What every reader of these numbers must know.
pub(super) const NOTE: &str = "a tone hint, never a measurement of a relationship";
/// Days in which the weight of a mail's tone halves; that of relationship strength.
const HALF_LIFE_DAYS: f64 = 90.0;

/// The tone of one text, over its sentences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tone {
    /// Mean compound score of the sentences, in [-1, 1].
    pub(super) mean: f64,
    /// The lowest.
    pub(super) min: f64,
    /// The highest.
    pub(super) max: f64,
    /// Sentences.
    pub(super) sentences: u32,
}

/// Why a text has no score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unscored {
    /// Nothing new was written, or it was too large to keep.
    NoText,
    /// The body is sealed.
    Encrypted,
    /// Too short to tell its language.
    Short,
    /// Its language cannot be told reliably.
    Unreliable,
    /// It is not English but this (ISO 639-1 where there is such a code, else 639-3).
    Language(&'static str),
    /// The task forbids it.
    SwitchedOff,
    /// Not written by a person.
    NotHuman,
}

impl Unscored {
    /// As results say it.
    pub(super) fn reason(self) -> String {
        match self {
            Self::NoText => "no text".into(),
            Self::Encrypted => "encrypted".into(),
            Self::Short => "short".into(),
            Self::Unreliable => "unreliable".into(),
            Self::Language(code) => format!("language:{code}"),
            Self::SwitchedOff => "switched off by params.sentiment".into(),
            Self::NotHuman => "not written by a person".into(),
        }
    }
}

/// The tone of a mail's new text.
pub(super) fn of_message(message: &Message) -> Result<Tone, Unscored> {
    if message.class != Class::Human {
        return Err(Unscored::NotHuman);
    }
    if message.seal.is_some() {
        return Err(Unscored::Encrypted);
    }
    of_text(&message.new_text.text)
}

/// The tone of a text, if it is English.
pub(super) fn of_text(text: &str) -> Result<Tone, Unscored> {
    language::english(text)?;
    let (mut sum, mut min, mut max, mut count) = (0.0, f64::INFINITY, f64::NEG_INFINITY, 0_u32);
    for sentence in sentences::split(text) {
        let score = polarity_scores(sentence).compound;
        sum += score;
        min = f64::min(min, score);
        max = f64::max(max, score);
        count += 1;
    }
    if count == 0 {
        return Err(Unscored::NoText);
    }
    Ok(Tone {
        mean: sum / f64::from(count),
        min,
        max,
        sentences: count,
    })
}

/// Tones of several mails with their times, and what was not scored.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    scored: Vec<(Timestamp, Tone)>,
    unscored: BTreeMap<String, u64>,
}

/// How these numbers are made, once per result.
pub(super) fn conventions() -> Value {
    json!({"method": vader::METHOD, "method_version": 1, "note": NOTE,
        "message": "mean over its sentences; new text only, English only, at least 60 characters",
        "mean": "over messages, each weighing 2^(-age in days / 90)",
        "trend": "Theil-Sen slope of weekly means, per week"})
}

impl Gathered {
    /// Adds a mail; the order of these calls is that of the sums.
    pub(super) fn add(&mut self, at: Timestamp, tone: Result<Tone, Unscored>) {
        match tone {
            Ok(tone) => self.scored.push((at, tone)),
            Err(why) => *self.unscored.entry(why.reason()).or_default() += 1,
        }
    }

    /// `{mean, trend, n, ...}`: mean decayed by age, trend per week, counts and what was left out.
    pub(super) fn describe(&self, as_of: Timestamp) -> Value {
        let (mut num, mut den, mut sentences) = (0.0, 0.0, 0_u64);
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for (at, tone) in &self.scored {
            let days = as_of.duration_since(*at).as_secs_f64() / 86_400.0;
            let weight = (-days / HALF_LIFE_DAYS).exp2();
            num += weight * tone.mean;
            den += weight;
            sentences += u64::from(tone.sentences);
            min = min.min(tone.min);
            max = max.max(tone.max);
        }
        let mut out = json!({"mean": float(num / den), "num": float(num), "den": float(den), "n": self.scored.len(),
            "min": float(min), "max": float(max), "sentences": sentences, "not_scored": self.unscored});
        if den <= 0.0 {
            // Not 0 / 0: nothing is known.
            for name in ["mean", "min", "max"] {
                out[name] = Value::Null;
            }
            out["reason"] = self.reason().into();
        }
        let points: Vec<(Timestamp, f64)> =
            self.scored.iter().map(|(at, t)| (*at, t.mean)).collect();
        match trend::by_week(&points, as_of) {
            Trend::Slope { per_week, weeks } => {
                out["trend"] = float(per_week);
                out["trend_weeks"] = weeks.into();
            }
            Trend::TooFew { weeks } => {
                out["trend"] = Value::Null;
                out["trend_weeks"] = weeks.into();
                out["trend_reason"] = "fewer than 3 weeks with a scored mail".into();
            }
        }
        out
    }

    /// The commonest reason why nothing was scored; of equally common ones the first by name.
    fn reason(&self) -> String {
        let commonest = self.unscored.iter().rev().max_by_key(|(_, n)| **n);
        commonest.map_or_else(|| "no mail".into(), |(reason, _)| reason.clone())
    }
}
