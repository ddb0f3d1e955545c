//! What each token is worth: its rating, changed by capitals and by the three tokens before it.
//!
//! Invariant: the order of operations is that of the original, for floats remember it. The quirks are kept and named
//! where they stand.

use super::lexicon;
use super::text::Token;

/// What capitals add to a word in a text that is not all in capitals.
const CAPITALS: f64 = 0.733;
/// What a negation makes of a rating.
const NEGATED: f64 = -0.74;
/// How much of a modifier's effect arrives from one, two and three tokens away.
const NEARNESS: [f64; 3] = [1.0, 0.95, 0.9];

/// The worth of every token.
pub(super) fn sentiments(tokens: &[Token<'_>]) -> Vec<f64> {
    let capitals = tokens.iter().filter(|t| t.upper).count();
    let line = Line {
        tokens,
        mixed: capitals > 0 && capitals < tokens.len(),
    };
    let mut worth: Vec<f64> = (0..tokens.len()).map(|i| line.worth(i)).collect();
    if let Some(but) = tokens.iter().position(|t| t.lower == "but") {
        weigh_around(but, &mut worth);
    }
    worth
}

/// Halves what stands before "but" and raises what stands after.
///
/// The original looks each value up by value, so that among equal ones the first is changed, maybe repeatedly.
fn weigh_around(but: usize, worth: &mut [f64]) {
    for k in 0..worth.len() {
        let value = worth[k];
        #[expect(clippy::float_cmp, reason = "equality of values is the quirk")]
        let first = worth[..k].iter().position(|&w| w == value).unwrap_or(k);
        if first < but {
            worth[first] = value * 0.5;
        } else if first > but {
            worth[first] = value * 1.5;
        }
    }
}

struct Line<'a> {
    tokens: &'a [Token<'a>],
    /// Some tokens are in capitals, not all.
    mixed: bool,
}

impl Line<'_> {
    /// The lower-case token at `i`.
    fn at(&self, i: usize) -> &str {
        &self.tokens[i].lower
    }

    /// The lower-case token `back` before `i`; empty where there is none.
    fn before(&self, i: usize, back: usize) -> &str {
        i.checked_sub(back).map_or("", |k| self.at(k))
    }

    fn worth(&self, i: usize) -> f64 {
        let token = &self.tokens[i];
        let next = self.tokens.get(i + 1);
        if token.word.boost.is_some()
            || token.lower == "kind" && next.is_some_and(|n| n.lower == "of")
        {
            return 0.0;
        }
        let Some(rating) = token.word.rating else {
            return 0.0;
        };
        let mut valence = rating;
        if token.lower == "no" && next.is_some_and(|n| n.word.rating.is_some()) {
            valence = 0.0; // it negates its neighbour instead
        }
        if self.follows_no(i) {
            valence = rating * NEGATED;
        }
        if token.upper && self.mixed {
            valence += if valence > 0.0 { CAPITALS } else { -CAPITALS };
        }
        for back in 1..=3.min(i) {
            if self.tokens[i - back].word.rating.is_some() {
                continue;
            }
            valence += self.boost(i - back, valence) * NEARNESS[back - 1];
            valence = self.negate(valence, i, back);
            if back == 3 {
                valence = self.sayings(valence, i);
            }
        }
        if self.before(i, 1) == "least" && !matches!(self.before(i, 2), "at" | "very") {
            valence *= NEGATED;
        }
        valence
    }

    fn follows_no(&self, i: usize) -> bool {
        self.before(i, 1) == "no"
            || self.before(i, 2) == "no"
            || self.before(i, 3) == "no" && matches!(self.before(i, 1), "or" | "nor")
    }

    /// What the modifier at `i` adds to a word of this valence.
    fn boost(&self, i: usize, valence: f64) -> f64 {
        let token = &self.tokens[i];
        let Some(mut boost) = token.word.boost else {
            return 0.0;
        };
        if valence < 0.0 {
            boost = -boost;
        }
        if token.upper && self.mixed {
            boost += if valence > 0.0 { CAPITALS } else { -CAPITALS };
        }
        boost
    }

    /// What the token `back` before `i` makes of the valence, as a negation or as part of one.
    fn negate(&self, valence: f64, i: usize, back: usize) -> f64 {
        let so = |k| matches!(self.before(i, k), "so" | "this");
        let doubt = |k| self.before(i, k) == "doubt";
        let far = self.before(i, back);
        let (never, without) = match back {
            2 => (far == "never" && so(1), far == "without" && doubt(1)),
            // "and" binds before "or" in the original: "so" or "this" next to the word is enough.
            3 => (
                far == "never" && so(2) || so(1),
                far == "without" && (doubt(2) || doubt(1)),
            ),
            _ => (false, false),
        };
        if never {
            valence * 1.25
        } else if !without && self.tokens[i - back].word.negates {
            valence * NEGATED
        } else {
            valence
        }
    }

    /// Sayings around `i`, which has at least three tokens before it, and dampeners of two words.
    fn sayings(&self, mut valence: f64, i: usize) -> f64 {
        let words = [self.at(i - 3), self.at(i - 2), self.at(i - 1), self.at(i)];
        let [three, two, one, zero] = words;
        let first = [
            &[one, zero][..],
            &words[1..],
            &[two, one],
            &words[..3],
            &[three, two],
        ]
        .into_iter()
        .find_map(lexicon::saying);
        valence = first.unwrap_or(valence);
        if i + 1 < self.tokens.len() {
            valence = lexicon::saying(&[zero, self.at(i + 1)]).unwrap_or(valence);
        }
        if i + 2 < self.tokens.len() {
            valence = lexicon::saying(&[zero, self.at(i + 1), self.at(i + 2)]).unwrap_or(valence);
        }
        for pair in [[three, two], [two, one]] {
            valence += lexicon::pair_boost(pair).unwrap_or(0.0);
        }
        valence
    }
}
