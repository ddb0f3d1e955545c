//! VADER: the tone of a short English text, exactly as vaderSentiment 3.3.2 computes it.
//!
//! C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
//! ICWSM 2014. The way of a text: `text` (emoji become words, tokens) -> `valence` (what each token is worth) -> the
//! four scores here. Invariant: all four scores equal those of Python's package at their printed precision, quirks
//! included; its own rated lines are the test. Deliberately absent: repairs of the algorithm, other languages.
//!
//! A tone hint, never a measurement: on edited prose its correlation with human raters is 0.43 to 0.59.

mod lexicon;
mod text;
mod valence;

#[cfg(test)]
mod tests;

/// The name and version of the method, for evidence.
pub const METHOD: &str = "VADER as in vaderSentiment 3.3.2";

/// What VADER says about one text. The first three add up to about 1; all are 0 for a text without words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scores {
    /// Share of negative words, with their weight; 3 decimals.
    pub neg: f64,
    /// Share of neutral words; 3 decimals.
    pub neu: f64,
    /// Share of positive words, with their weight; 3 decimals.
    pub pos: f64,
    /// The whole, from -1 to 1; 4 decimals.
    pub compound: f64,
}

/// The four scores of a text. One sentence is what it is made for: `compound` saturates on long texts, and a text of
/// `n` words that contains "but" takes up to `n` squared steps.
#[must_use]
pub fn polarity_scores(text: &str) -> Scores {
    let spoken = text::spoken(text);
    let tokens = text::tokens(&spoken);
    if tokens.is_empty() {
        return Scores {
            neg: 0.0,
            neu: 0.0,
            pos: 0.0,
            compound: 0.0,
        };
    }
    score(&valence::sentiments(&tokens), emphasis(&spoken))
}

/// Sums up what the tokens are worth.
fn score(sentiments: &[f64], emphasis: f64) -> Scores {
    let mut sum: f64 = sentiments.iter().sum();
    if sum > 0.0 {
        sum += emphasis;
    } else if sum < 0.0 {
        sum -= emphasis;
    }
    let (mut pos, mut neg, mut neutral) = (0.0_f64, 0.0_f64, 0.0_f64);
    for &s in sentiments {
        if s > 0.0 {
            pos += s + 1.0;
        } else if s < 0.0 {
            neg += s - 1.0;
        } else {
            neutral += 1.0;
        }
    }
    if pos > neg.abs() {
        pos += emphasis;
    } else if pos < neg.abs() {
        neg -= emphasis;
    }
    let total = pos + neg.abs() + neutral;
    Scores {
        neg: rounded((neg / total).abs(), 3),
        neu: rounded((neutral / total).abs(), 3),
        pos: rounded((pos / total).abs(), 3),
        compound: rounded((sum / (sum * sum + 15.0).sqrt()).clamp(-1.0, 1.0), 4),
    }
}

/// What exclamation and question marks add: up to four of the former, and of the latter none for a single one.
fn emphasis(text: &str) -> f64 {
    let (mut exclamations, mut questions) = (0_u32, 0_u32);
    for byte in text.bytes() {
        exclamations += u32::from(byte == b'!');
        questions += u32::from(byte == b'?');
    }
    let asked = match questions {
        0 | 1 => 0.0,
        2 | 3 => f64::from(questions) * 0.18,
        _ => 0.96,
    };
    f64::from(exclamations.min(4)) * 0.292 + asked
}

/// Python's `round(x, digits)`: the decimal nearest to the exact binary value, a true tie to the even digit.
fn rounded(x: f64, digits: u8) -> f64 {
    let power = 10_f64.powi(i32::from(digits));
    let scaled = x * power;
    if (scaled - scaled.floor() - 0.5).abs() > 1e-6 {
        return scaled.round() / power;
    }
    // Too near to a tie for a rounded product to tell: decimal formatting is exact.
    format!("{x:.*}", usize::from(digits)).parse().unwrap_or(x)
}
