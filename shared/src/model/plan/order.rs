//! The graph of a request: its cycles, its levels, its order.
//!
//! Invariant: no recursion, so that a chain of a hundred thousand tasks costs
//! no stack; time and memory grow with tasks plus dependencies.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use petgraph::{
    Direction,
    algo::kosaraju_scc,
    graph::{DiGraph, NodeIndex},
};

use super::{Draft, Flaw, FlawKind, Links, MAX_DEPTH};

/// How many names of a cycle stand in its message; the rest is elided.
const CYCLE_NAMES: usize = 20;

/// Who depends on whom, and who depends on himself by way of others.
pub(super) struct Shape {
    /// Edges lead from parent to dependent.
    graph: DiGraph<(), ()>,
    /// The knot that each draft is part of, if it is part of one.
    knot: Vec<Option<usize>>,
    /// The members of each knot, in order of their places.
    knots: Vec<Vec<usize>>,
}

impl Shape {
    pub(super) fn of(links: &[Links]) -> Self {
        let edges = links.iter().map(|one| one.parents.len()).sum();
        let mut graph = DiGraph::with_capacity(links.len(), edges);
        for _ in links {
            graph.add_node(());
        }
        for (index, one) in links.iter().enumerate() {
            for (parent, _) in one.siblings() {
                graph.add_edge(NodeIndex::new(parent), NodeIndex::new(index), ());
            }
        }
        let mut knot = vec![None; links.len()];
        let mut knots = Vec::new();
        for component in kosaraju_scc(&graph) {
            if component.len() < 2 {
                continue;
            }
            let mut members: Vec<usize> = component.into_iter().map(NodeIndex::index).collect();
            members.sort_unstable();
            for &member in &members {
                knot[member] = Some(knots.len());
            }
            knots.push(members);
        }
        Self { graph, knot, knots }
    }

    /// Marks every member of every knot, each with a cycle of that knot.
    pub(super) fn name_cycles(&self, drafts: &[Draft], links: &[Links], flaws: &mut Vec<Flaw>) {
        for (number, members) in self.knots.iter().enumerate() {
            let cycle = self.cycle_in(number, members[0], links);
            let text = describe(&cycle, drafts);
            for &index in members {
                let inside = |(parent, _): &(usize, _)| self.knot[*parent] == Some(number);
                let pointer = links[index]
                    .siblings()
                    .find(inside)
                    .map_or_else(|| "/depends_on".into(), |(_, mention)| mention.pointer());
                flaws.push(Flaw {
                    index,
                    pointer,
                    kind: FlawKind::Cycle(text.clone()),
                });
            }
        }
    }

    /// Walks from parent to parent inside the knot until a place comes again.
    fn cycle_in(&self, number: usize, start: usize, links: &[Links]) -> Vec<usize> {
        let mut path = vec![start];
        let mut place = HashMap::from([(start, 0)]);
        loop {
            let last = path[path.len() - 1];
            let next = links[last]
                .siblings()
                .map(|(parent, _)| parent)
                .find(|parent| self.knot[*parent] == Some(number))
                .expect("every member of a knot has a parent in it");
            if let Some(&from) = place.get(&next) {
                return path.split_off(from);
            }
            place.insert(next, path.len());
            path.push(next);
        }
    }

    /// Orders the sound drafts: Kahn's algorithm, the smallest place first, so
    /// that a request that is in order stays as it is. Marks what is too deep
    /// and what depends on something unsound.
    pub(super) fn settle(
        &self,
        drafts: &[Draft],
        links: &[Links],
        flaws: &mut Vec<Flaw>,
    ) -> Vec<usize> {
        let mut unsound: Vec<bool> = drafts.iter().map(|draft| draft.rejected).collect();
        for flaw in flaws.iter() {
            unsound[flaw.index] = true;
        }
        let mut open: Vec<usize> = (0..drafts.len())
            .map(|index| {
                links[index]
                    .siblings()
                    .filter(|(parent, _)| !self.tangled(*parent, index))
                    .count()
            })
            .collect();
        let mut level = vec![1_usize; drafts.len()];
        let mut next: BinaryHeap<_> = (0..drafts.len())
            .filter(|index| open[*index] == 0)
            .map(Reverse)
            .collect();
        let mut sound = Vec::with_capacity(drafts.len());
        while let Some(Reverse(index)) = next.pop() {
            judge(index, &links[index], &level, &mut unsound, flaws);
            if !unsound[index] {
                sound.push(index);
            }
            let node = NodeIndex::new(index);
            for child in self.graph.neighbors_directed(node, Direction::Outgoing) {
                let child = child.index();
                if self.tangled(index, child) {
                    continue;
                }
                level[child] = level[child].max(level[index] + 1);
                open[child] -= 1;
                if open[child] == 0 {
                    next.push(Reverse(child));
                }
            }
        }
        sound
    }

    /// Whether an edge lies inside a knot, where no order exists.
    fn tangled(&self, parent: usize, child: usize) -> bool {
        self.knot[parent].is_some() && self.knot[parent] == self.knot[child]
    }
}

/// Decides about one draft whose parents are decided.
fn judge(
    index: usize,
    links: &Links,
    level: &[usize],
    unsound: &mut [bool],
    flaws: &mut Vec<Flaw>,
) {
    if unsound[index] {
        return;
    }
    let culprit = links.siblings().find(|(parent, _)| unsound[*parent]);
    let flaw = if let Some((parent, mention)) = culprit {
        (mention.pointer(), FlawKind::ParentRejected(parent))
    } else if level[index] > MAX_DEPTH {
        ("/depends_on".to_owned(), FlawKind::TooDeep)
    } else {
        return;
    };
    unsound[index] = true;
    flaws.push(Flaw {
        index,
        pointer: flaw.0,
        kind: flaw.1,
    });
}

/// `a -> b -> a`: each depends on the next.
fn describe(cycle: &[usize], drafts: &[Draft]) -> String {
    let name = |index: usize| {
        drafts[index]
            .name
            .clone()
            .unwrap_or_else(|| format!("#{index}"))
    };
    let mut names: Vec<String> = cycle.iter().take(CYCLE_NAMES).map(|i| name(*i)).collect();
    if cycle.len() > CYCLE_NAMES {
        names.push(format!("... ({} more)", cycle.len() - CYCLE_NAMES));
    }
    names.extend(cycle.first().map(|first| name(*first)));
    names.join(" -> ")
}
