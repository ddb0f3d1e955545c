//! What a person at the screen has chosen: a pane, a row, an order to confirm.
//!
//! Invariant: pure; an order leaves here only after a question that was
//! answered with `y`.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::look::{Snapshot, Wish};

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Workers,
    Queues,
    Features,
    Alerts,
}

impl Pane {
    /// All panes, in the order of the tab key.
    pub(super) const ALL: [Self; 4] = [Self::Workers, Self::Queues, Self::Features, Self::Alerts];

    fn step(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }

    /// Rows that it shows.
    fn rows(self, snapshot: &Snapshot) -> usize {
        match self {
            Self::Workers => snapshot.workers.list("workers").len(),
            Self::Queues => super::paint::queues::rows(snapshot),
            Self::Features => snapshot.features.list("features").len(),
            Self::Alerts => snapshot.alerts.list("alerts").len(),
        }
    }
}

/// What is to be done about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Stay,
    End,
    Do(Wish),
}

/// What was chosen.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Where arrows go; none for a printed look.
    pub(super) focus: Option<Pane>,
    selected: [usize; Pane::ALL.len()],
    /// What waits for a `y`.
    pub(super) asked: Option<Wish>,
    /// A sentence about the latest order.
    pub(super) note: Option<String>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            focus: Some(Pane::Workers),
            selected: [0; Pane::ALL.len()],
            asked: None,
            note: None,
        }
    }
}

impl View {
    /// For a look that nobody steers.
    pub(super) fn unfocused() -> Self {
        Self {
            focus: None,
            ..Self::default()
        }
    }

    /// The selected row of a pane, within what it shows now.
    pub(super) fn row(&self, pane: Pane, snapshot: &Snapshot) -> Option<usize> {
        let last = pane.rows(snapshot).checked_sub(1)?;
        Some(self.selected[pane as usize].min(last))
    }

    /// Takes a key.
    pub(super) fn on_key(&mut self, key: KeyEvent, snapshot: &Snapshot) -> Next {
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Next::End;
        }
        if let Some(wish) = self.asked.take() {
            if key.code == KeyCode::Char('y') {
                return Next::Do(wish);
            }
            self.note = Some("left as it was".into());
            return Next::Stay;
        }
        self.note = None;
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Next::End,
            KeyCode::Char('p') => self.asked = Some(Wish::Pause),
            KeyCode::Char('r') => self.asked = Some(Wish::Resume),
            KeyCode::Char('d') => self.drain(snapshot),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(Pane::ALL.len() - 1),
            KeyCode::Down => self.go(snapshot, |row| row.saturating_add(1)),
            KeyCode::Up => self.go(snapshot, |row| row.saturating_sub(1)),
            KeyCode::Home => self.go(snapshot, |_| 0),
            KeyCode::End => self.go(snapshot, |_| usize::MAX),
            _ => {}
        }
        Next::Stay
    }

    fn turn(&mut self, by: usize) {
        self.focus = self.focus.map(|pane| pane.step(by));
    }

    fn go(&mut self, snapshot: &Snapshot, to: impl Fn(usize) -> usize) {
        let Some(pane) = self.focus else { return };
        let last = pane.rows(snapshot).saturating_sub(1);
        let row = self.row(pane, snapshot).unwrap_or(0);
        self.selected[pane as usize] = to(row).min(last);
    }

    fn drain(&mut self, snapshot: &Snapshot) {
        let row = self.row(Pane::Workers, snapshot);
        let worker = row.and_then(|row| snapshot.workers.list("workers").get(row));
        let id = worker.and_then(|worker| worker["worker_id"].as_str());
        match (self.focus, id) {
            (Some(Pane::Workers), Some(id)) => {
                let drains = worker.is_some_and(|worker| worker["state"] == "draining");
                let wish = if drains { Wish::Undrain } else { Wish::Drain };
                self.asked = Some(wish(id.to_owned()));
            }
            _ => self.note = Some("choose a worker first (tab and arrows)".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::look::Part;
    use serde_json::json;

    fn snapshot() -> Snapshot {
        let workers = json!({"workers": [{"worker_id": "w1", "state": "ready"}, {"worker_id": "w2", "state": "draining"}]});
        Snapshot {
            workers: Part {
                answer: workers,
                ..Part::default()
            },
            ..Snapshot::default()
        }
    }

    fn press(view: &mut View, keys: &[KeyCode]) -> Next {
        let press = |key: &KeyCode| view.on_key(KeyEvent::from(*key), &snapshot());
        keys.iter().map(press).last().unwrap_or(Next::Stay)
    }

    #[test]
    fn nothing_is_ordered_without_a_yes() {
        for key in ['p', 'r', 'd'] {
            let mut view = View::default();
            for answer in [
                KeyCode::Char('n'),
                KeyCode::Enter,
                KeyCode::Esc,
                KeyCode::Char('Y'),
                KeyCode::Char(key),
            ] {
                assert_eq!(press(&mut view, &[KeyCode::Char(key), answer]), Next::Stay);
                assert_eq!(view.asked, None);
            }
            let done = press(&mut view, &[KeyCode::Char(key), KeyCode::Char('y')]);
            assert!(matches!(done, Next::Do(_)), "{key}");
            // The yes is used up.
            assert_eq!(press(&mut view, &[KeyCode::Char('y')]), Next::Stay);
        }
    }

    #[test]
    fn drain_means_the_selected_worker_and_undoes_itself() {
        let mut view = View::default();
        let (d, y) = (KeyCode::Char('d'), KeyCode::Char('y'));
        let drain = Next::Do(Wish::Drain("w1".into()));
        assert_eq!(press(&mut view, &[d, y]), drain);
        let undrain = Next::Do(Wish::Undrain("w2".into()));
        assert_eq!(
            press(&mut view, &[KeyCode::Down, KeyCode::Down, d, y]),
            undrain
        );
        press(&mut view, &[KeyCode::Tab, d]);
        assert_eq!(view.asked, None, "another pane has the focus");
    }

    #[test]
    fn panes_follow_each_other_and_rows_stay_within() {
        let mut view = View::default();
        press(&mut view, &[KeyCode::BackTab]);
        assert_eq!(view.focus, Some(Pane::Alerts));
        press(&mut view, &[KeyCode::Down, KeyCode::End, KeyCode::Tab]);
        assert_eq!(view.focus, Some(Pane::Workers));
        press(&mut view, &[KeyCode::End]);
        assert_eq!(view.row(Pane::Workers, &snapshot()), Some(1));
        assert_eq!(view.row(Pane::Workers, &Snapshot::default()), None);
        press(&mut view, &[KeyCode::Up, KeyCode::Up]);
        assert_eq!(view.row(Pane::Workers, &snapshot()), Some(0));
    }

    #[test]
    fn q_and_control_c_end_it_even_at_a_question() {
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        let mut view = View::default();
        assert_eq!(press(&mut view, &[KeyCode::Char('q')]), Next::End);
        press(&mut view, &[KeyCode::Char('p')]);
        assert_eq!(view.on_key(control_c, &snapshot()), Next::End);
    }
}
