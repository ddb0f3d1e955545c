//! Joins what matches: union-find over profiles, strongest link first, never across different identifiers.
//!
//! Invariant: no set holds two different non-empty identifiers, and the result depends on the links alone, not on
//! their order. Deliberately absent: splitting; what was joined wrongly shows in its weakest link.

use std::cmp::Ordering;

/// A pair that may be the same. Profiles are numbered in order of their content, so ties are broken by content.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Link {
    pub(super) a: u32,
    pub(super) b: u32,
    /// Probability of a match.
    pub(super) p: f64,
}

impl Link {
    /// Strongest first, then by content.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        other
            .p
            .total_cmp(&self.p)
            .then((self.a, self.b).cmp(&(other.a, other.b)))
    }
}

/// Disjoint sets of profiles, each with at most one identifier in every field of identifiers.
#[derive(Debug)]
pub(super) struct Sets {
    parent: Vec<u32>,
    size: Vec<u32>,
    /// Of a root: for each field of identifiers the one that its set has, as a number; 0 is none.
    ids: Vec<Vec<u32>>,
}

impl Sets {
    /// Every profile alone; `ids` has the numbers of its identifiers, 0 where there is none.
    pub(super) fn new(ids: Vec<Vec<u32>>) -> Self {
        let n = crate::number::small(ids.len());
        Self {
            parent: (0..n).collect(),
            size: vec![1; ids.len()],
            ids,
        }
    }

    /// The representative of a profile's set.
    pub(super) fn root(&mut self, mut of: u32) -> u32 {
        while self.parent[of as usize] != of {
            let above = self.parent[of as usize];
            self.parent[of as usize] = self.parent[above as usize];
            of = above;
        }
        of
    }

    /// Whether two sets have different identifiers.
    pub(super) fn conflict(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.root(a) as usize, self.root(b) as usize);
        self.ids[a]
            .iter()
            .zip(&self.ids[b])
            .any(|(x, y)| *x != 0 && *y != 0 && x != y)
    }

    /// Joins two sets unless their identifiers differ. True when they were apart and are one now.
    pub(super) fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        if a == b || self.conflict(a, b) {
            return false;
        }
        let (big, small) = if self.size[a as usize] < self.size[b as usize] {
            (b, a)
        } else {
            (a, b)
        };
        self.parent[small as usize] = big;
        self.size[big as usize] += self.size[small as usize];
        let moved = std::mem::take(&mut self.ids[small as usize]);
        for (mine, theirs) in self.ids[big as usize].iter_mut().zip(moved) {
            *mine = (*mine).max(theirs);
        }
        true
    }
}
