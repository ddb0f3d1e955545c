//! The word tables: the shipped lexicons (MIT, made by `data/make_vader.py`) and the modifiers of the algorithm.
//!
//! Invariant: parsed once; one look-up tells all that is known of a word.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::OnceLock;

const WORDS: &str = include_str!("../../data/vader_lexicon.txt");
const EMOJI: &str = include_str!("../../data/vader_emoji.txt");

/// What an intensifier adds to the word after it.
pub(super) const MORE: f64 = 0.293;
/// What a dampener adds to it.
pub(super) const LESS: f64 = -0.293;

const NEGATIONS: &str = "aint arent cannot cant couldnt darent didnt doesnt ain't aren't can't couldn't daren't didn't \
    doesn't dont hadnt hasnt havent isnt mightnt mustnt neither don't hadn't hasn't haven't isn't mightn't mustn't \
    neednt needn't never none nope nor not nothing nowhere oughtnt shant shouldnt uhuh wasnt werent oughtn't shan't \
    shouldn't uh-uh wasn't weren't without wont wouldnt won't wouldn't rarely seldom despite";

const INTENSIFIERS: &str = "absolutely amazingly awfully completely considerable considerably decidedly deeply effing \
    enormous enormously entirely especially exceptional exceptionally extreme extremely fabulously flipping flippin \
    frackin fracking fricking frickin frigging friggin fully fuckin fucking fuggin fugging greatly hella highly hugely \
    incredible incredibly intensely major majorly more most particularly purely quite really remarkably so \
    substantially thoroughly total totally tremendous tremendously uber unbelievably unusually utter utterly very";

const DAMPENERS: &str = "almost barely hardly kinda kindof kind-of less little marginal marginally occasional \
    occasionally partly scarce scarcely slight slightly somewhat sorta sortof sort-of";

/// What is known of a lower-case word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    /// Mean rating, -4 to 4, of a word in the lexicon.
    pub(super) rating: Option<f64>,
    /// What it does to a rated word after it.
    pub(super) boost: Option<f64>,
    /// Whether it negates a rated word after it.
    pub(super) negates: bool,
}

type Words = HashMap<&'static str, Word, BuildHasherDefault<Fnv>>;

struct Tables {
    words: Words,
    emoji: HashMap<char, &'static str>,
}

/// FNV-1a: words are short, and the table's keys are ours, so nobody can crowd them.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| Tables {
        words: words(),
        emoji: EMOJI
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter_map(|(emoji, text)| Some((emoji.chars().next()?, text)))
            .collect(),
    })
}

fn words() -> Words {
    let mut words = Words::default();
    for (word, rating) in WORDS.lines().filter_map(|line| line.split_once('\t')) {
        words.entry(word).or_default().rating = rating.parse().ok();
    }
    for (list, boost) in [(INTENSIFIERS, MORE), (DAMPENERS, LESS)] {
        for word in list.split_whitespace() {
            words.entry(word).or_default().boost = Some(boost);
        }
    }
    for word in NEGATIONS.split_whitespace() {
        words.entry(word).or_default().negates = true;
    }
    words
}

/// What is known of this lower-case word; of an unknown one nothing.
pub(super) fn word(lower: &str) -> Word {
    let mut word = tables().words.get(lower).copied().unwrap_or_default();
    word.negates = word.negates || lower.contains('\'') && lower.contains("n't");
    word
}

/// The description of an emoji of one code point.
pub(super) fn emoji(character: char) -> Option<&'static str> {
    tables().emoji.get(&character).copied()
}

/// Sayings that are worth what they say, whatever their words are rated.
pub(super) fn saying(words: &[&str]) -> Option<f64> {
    match words {
        ["the", "shit" | "bomb"] | ["to", "die", "for"] => Some(3.0),
        ["bad", "ass"] => Some(1.5),
        ["bus", "stop"] => Some(0.0),
        ["yeah", "right"] => Some(-2.0),
        ["kiss", "of", "death"] => Some(-1.5),
        ["beating", "heart"] => Some(3.5),
        _ => None,
    }
}

/// Dampeners of two words.
pub(super) fn pair_boost(pair: [&str; 2]) -> Option<f64> {
    matches!(pair, ["just", "enough"] | ["kind" | "sort", "of"]).then_some(LESS)
}
