//! Whose turn it is, within one priority: types take turns, and within a type
//! its tenants do.
//!
//! Invariant: pure. While two types (or two tenants of a type) have ready
//! work within their windows, neither is served twice before the other is.

use std::collections::HashMap;

/// One type with ready work at the priority in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The type.
    pub(super) kind: i64,
    /// How many more of its tasks fit into the window.
    pub(super) room: u64,
    /// Its tenants with ready tasks, and how many; by tenant.
    pub(super) tenants: Vec<(i64, u64)>,
}

/// Who was served last, so that the next take begins with the next one.
#[derive(Debug, Default)]
pub(super) struct Turns {
    kinds: HashMap<u8, i64>,
    tenants: HashMap<(u8, i64), i64>,
}

impl Turns {
    /// Shares `limit` turns out at this priority: pairs of type and tenant.
    pub(super) fn share(
        &mut self,
        rank: u8,
        mut lines: Vec<Line>,
        limit: usize,
    ) -> Vec<(i64, i64)> {
        lines.sort_by_key(|line| line.kind);
        begin_after(&mut lines, |line| line.kind, self.kinds.get(&rank));
        for line in &mut lines {
            line.tenants.sort_unstable();
            let last = self.tenants.get(&(rank, line.kind));
            begin_after(&mut line.tenants, |(tenant, _)| *tenant, last);
        }
        let mut shared = Vec::new();
        let mut places = vec![0_usize; lines.len()];
        while shared.len() < limit {
            let before = shared.len();
            for (line, place) in lines.iter_mut().zip(&mut places) {
                if shared.len() < limit
                    && let Some(tenant) = one(line, place)
                {
                    self.kinds.insert(rank, line.kind);
                    self.tenants.insert((rank, line.kind), tenant);
                    shared.push((line.kind, tenant));
                }
            }
            if shared.len() == before {
                break;
            }
        }
        shared
    }
}

/// The next tenant of a line that has work, if the window has room.
fn one(line: &mut Line, place: &mut usize) -> Option<i64> {
    if line.room == 0 {
        return None;
    }
    for _ in 0..line.tenants.len() {
        let at = *place % line.tenants.len();
        *place = at + 1;
        let (tenant, ready) = &mut line.tenants[at];
        if *ready > 0 {
            *ready -= 1;
            line.room -= 1;
            return Some(*tenant);
        }
    }
    None
}

fn begin_after<T>(items: &mut [T], key: impl Fn(&T) -> i64, last: Option<&i64>) {
    if let Some(last) = last {
        let place = items.iter().position(|item| key(item) > *last);
        items.rotate_left(place.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_tenants_take_turns_and_windows_hold() {
        let lines = vec![
            Line {
                kind: 1,
                room: 3,
                tenants: vec![(7, 9), (8, 1)],
            },
            Line {
                kind: 2,
                room: 9,
                tenants: vec![(7, 2)],
            },
        ];
        let mut turns = Turns::default();
        let shared = turns.share(0, lines.clone(), 10);
        assert_eq!(shared, [(1, 7), (2, 7), (1, 8), (2, 7), (1, 7)]);
        assert_eq!(
            turns.share(0, lines.clone(), 1),
            [(2, 7)],
            "type 1 was served last, so type 2 begins"
        );
        assert_eq!(
            turns.share(0, lines, 1),
            [(1, 8)],
            "tenant 7 was served last, so tenant 8 begins"
        );
    }
}
