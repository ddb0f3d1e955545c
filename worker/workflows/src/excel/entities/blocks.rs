//! Which pairs are compared: those that share a block.
//!
//! A block is the set of profiles with the same key under one rule. Invariant: each pair comes once, and the pairs do
//! not depend on the order of rows. Blocks above [`MAX_BLOCK`] profiles and beyond [`MAX_PAIRS`] pairs are skipped and
//! counted: a missed pair is a false negative that the output admits.

use super::normal::{Value, outward, sorted_words};
use super::settings::{KeyPart, Piece, Plan};
use crate::number::small;

/// Profiles of one block: 19,900 pairs. A larger one comes from a key that says little. WORKFLOWS 6.3.
pub(in crate::excel) const MAX_BLOCK: usize = 200;
/// Compared pairs: about ten seconds of comparing.
pub(in crate::excel) const MAX_PAIRS: u64 = 2_000_000;
/// Keys of one profile under one rule: aliases multiply.
const MAX_KEYS: usize = 8;

/// What became of the blocks of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::excel) struct RuleReport {
    /// Blocks whose pairs were compared.
    pub(in crate::excel) blocks: u64,
    /// Profiles in the largest block, compared or not.
    pub(in crate::excel) largest: usize,
    /// Blocks left out because they are larger than [`MAX_BLOCK`].
    pub(in crate::excel) skipped_large: u64,
    /// Blocks left out because [`MAX_PAIRS`] was reached.
    pub(in crate::excel) skipped_budget: u64,
}

/// The blocks that are compared.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Members in ascending order; small blocks first.
    kept: Vec<Vec<u32>>,
    /// Of each profile the numbers of its blocks, ascending.
    of_profile: Vec<Vec<u32>>,
    /// One for each rule.
    pub(super) reports: Vec<RuleReport>,
}

impl Blocks {
    /// The blocks of all rules over the profiles' values.
    pub(super) fn new(plan: &Plan, profiles: &[Vec<Value>]) -> Self {
        let mut reports = Vec::new();
        let mut kept: Vec<(usize, usize, Vec<u32>)> = Vec::new();
        for (number, rule) in plan.rules.iter().enumerate() {
            let mut keyed: Vec<(u64, u32)> = Vec::new();
            for (i, profile) in profiles.iter().enumerate() {
                keyed.extend(
                    keys(rule, profile)
                        .into_iter()
                        .map(|key| (hash(&key), small(i))),
                );
            }
            keyed.sort_unstable();
            keyed.dedup();
            let mut report = RuleReport::default();
            for block in keyed
                .chunk_by(|x, y| x.0 == y.0)
                .filter(|block| block.len() > 1)
            {
                report.largest = report.largest.max(block.len());
                if block.len() > MAX_BLOCK {
                    report.skipped_large += 1;
                } else {
                    let members = block.iter().map(|&(_, profile)| profile).collect();
                    kept.push((block.len(), number, members));
                }
            }
            reports.push(report);
        }
        // Stable: within a size and a rule the order is that of the keys' hashes.
        kept.sort_by_key(|&(size, rule, _)| (size, rule));
        let mut this = Self {
            kept: Vec::new(),
            of_profile: vec![Vec::new(); profiles.len()],
            reports,
        };
        this.admit(kept);
        this
    }

    fn admit(&mut self, kept: Vec<(usize, usize, Vec<u32>)>) {
        let mut pairs = 0_u64;
        for (size, rule, members) in kept {
            pairs += (size * (size - 1) / 2) as u64;
            if pairs > MAX_PAIRS {
                self.reports[rule].skipped_budget += 1;
                continue;
            }
            self.reports[rule].blocks += 1;
            for &member in &members {
                self.of_profile[member as usize].push(small(self.kept.len()));
            }
            self.kept.push(members);
        }
    }

    /// Every pair once, the lower number first.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.kept
            .iter()
            .enumerate()
            .flat_map(move |(block, members)| {
                members.iter().enumerate().flat_map(move |(at, &a)| {
                    members[at + 1..]
                        .iter()
                        .filter(move |&&b| self.first_common(a, b) == Some(small(block)))
                        .map(move |&b| (a, b))
                })
            })
    }

    /// The first block that two profiles share.
    fn first_common(&self, a: u32, b: u32) -> Option<u32> {
        let (mut x, mut y) = (
            self.of_profile[a as usize].iter(),
            self.of_profile[b as usize].iter(),
        );
        let (mut left, mut right) = (x.next()?, y.next()?);
        loop {
            match left.cmp(right) {
                std::cmp::Ordering::Less => left = x.next()?,
                std::cmp::Ordering::Greater => right = y.next()?,
                std::cmp::Ordering::Equal => return Some(*left),
            }
        }
    }
}

/// FNV-1a, the same on every machine. Two keys that collide share a block, which costs comparisons and no correctness.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The keys of a profile under a rule: every combination of the forms of its parts. None if a part is missing.
fn keys(rule: &[KeyPart], profile: &[Value]) -> Vec<String> {
    let mut keys = vec![String::new()];
    for part in rule {
        let pieces: Vec<String> = profile[part.column]
            .forms
            .iter()
            .map(|form| piece(*part, form))
            .filter(|p| !p.is_empty())
            .collect();
        keys = keys
            .iter()
            // A unit separator never survives normalising, so keys of several parts cannot be mistaken.
            .flat_map(|key| pieces.iter().map(move |p| format!("{key}\u{1f}{p}")))
            .take(MAX_KEYS)
            .collect();
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn piece(part: KeyPart, form: &str) -> String {
    let first = |text: &str| -> String { text.chars().take(part.length).collect() };
    match part.piece {
        Piece::Whole => form.to_owned(),
        Piece::FirstToken => form.split(' ').next().unwrap_or("").to_owned(),
        Piece::Prefix => first(form),
        Piece::SortedPrefix => first(&sorted_words(form).replace(' ', "")),
        Piece::Outward => outward(form).to_owned(),
    }
}
