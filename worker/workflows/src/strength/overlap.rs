//! Shared acquaintances: Jaccard's index of two neighbourhoods.

use std::collections::{BTreeMap, BTreeSet};

/// How two neighbourhoods overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overlap {
    /// People tied to both sides.
    pub(crate) both: usize,
    /// People tied to at least one side.
    pub(crate) either: usize,
}

/// Who is tied to whom; direction does not matter.
#[derive(Debug, Default)]
pub(crate) struct Ties<'a> {
    neighbours: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Ties<'a> {
    /// From pairs of ids; a tie of someone with themself is none.
    pub(crate) fn new(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut ties = Self::default();
        for (a, b) in pairs.into_iter().filter(|(a, b)| a != b) {
            ties.neighbours.entry(a).or_default().insert(b);
            ties.neighbours.entry(b).or_default().insert(a);
        }
        ties
    }

    /// How the neighbourhoods of two groups overlap.
    #[cfg(test)]
    pub(crate) fn overlap(&self, us: &[&str], them: &[&str]) -> Overlap {
        Overlap::of(&self.circle(us), &self.circle(them))
    }

    /// The neighbours of a group. Its own members are not among them.
    pub(crate) fn circle(&self, group: &[&str]) -> BTreeSet<&'a str> {
        let members: BTreeSet<&str> = group.iter().copied().collect();
        group
            .iter()
            .filter_map(|id| self.neighbours.get(id))
            .flatten()
            .copied()
            .filter(|id| !members.contains(id))
            .collect()
    }
}

impl Overlap {
    /// Of two circles. Cheap where one is small, so that ours may be met with those of all sponsors.
    pub(crate) fn of(ours: &BTreeSet<&str>, theirs: &BTreeSet<&str>) -> Self {
        let both = ours.intersection(theirs).count();
        Self {
            both,
            either: ours.len() + theirs.len() - both,
        }
    }
}
