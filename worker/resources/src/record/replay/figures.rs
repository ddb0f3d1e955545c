//! What a log comes to, counted from answers as they were written down.
//!
//! Invariant: the same counting for answers that were read and for those that
//! were just given; members that it does not count may change freely.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use shared::model::{AlertLevel, Level};

use crate::{feature::Change, record::Answer};

/// What a log comes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Looks at the world.
    pub ticks: u64,
    /// Questions.
    pub asked: u64,
    /// Of those, granted.
    pub granted: u64,
    /// The others, by what was short.
    pub blocked: BTreeMap<String, u64>,
    /// Tasks in hand that did not fit.
    pub misfits: u64,
    /// Seconds at each level.
    pub seconds_at: BTreeMap<String, f64>,
    /// Times that the overall level came to be another.
    pub level_changes: u64,
    /// Times that a feature was switched off.
    pub switched_off: u64,
    /// Messages to people, by level of the alert.
    pub notes: BTreeMap<String, u64>,
    /// The lowest limit of tasks at once.
    pub least_slots: Option<u32>,
}

/// What of an [`Answer`] is counted.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    Ticked(Look),
    Granted(IgnoredAny),
    Blocked(Short),
    Misfit(IgnoredAny, IgnoredAny),
    Ordered(Vec<Switched>),
    #[serde(other)]
    Else,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Look {
    level: Level,
    features: Vec<Switched>,
    notes: Vec<Told>,
    slots: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Short {
    resource: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Switched {
    was: bool,
    enabled: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Told {
    level: AlertLevel,
}

impl Said {
    pub(super) fn of(answer: &Answer) -> Self {
        let switched = |changes: &[Change]| {
            let each = changes.iter().map(|change| Switched {
                was: change.was,
                enabled: change.enabled,
            });
            each.collect()
        };
        match answer {
            Answer::Ticked(ticked) => Self::Ticked(Look {
                level: ticked.level,
                features: switched(&ticked.features),
                notes: ticked
                    .notes
                    .iter()
                    .map(|note| Told { level: note.level })
                    .collect(),
                slots: ticked.slots,
            }),
            Answer::Granted(_) => Self::Granted(IgnoredAny),
            Answer::Blocked(shortage) => Self::Blocked(Short {
                resource: shortage.resource.as_str().to_owned(),
            }),
            Answer::Misfit(..) => Self::Misfit(IgnoredAny, IgnoredAny),
            Answer::Ordered(changes) => Self::Ordered(switched(changes)),
            Answer::Fits | Answer::Noted => Self::Else,
        }
    }
}

/// Counts answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    figures: Figures,
    level: Option<(Duration, Level)>,
}

impl Tally {
    /// Counts an answer, which was that to a tick if there is a time.
    pub(super) fn count(&mut self, at: Option<Duration>, said: &Said) {
        let figures = &mut self.figures;
        match said {
            Said::Granted(_) => {
                figures.asked += 1;
                figures.granted += 1;
            }
            Said::Blocked(short) => {
                figures.asked += 1;
                *figures.blocked.entry(short.resource.clone()).or_default() += 1;
            }
            Said::Misfit(..) => figures.misfits += 1,
            Said::Ordered(changes) => figures.switched_off += off(changes),
            Said::Ticked(look) => {
                figures.ticks += 1;
                figures.switched_off += off(&look.features);
                for note in &look.notes {
                    *figures.notes.entry(note.level.to_string()).or_default() += 1;
                }
                let least = figures.least_slots.unwrap_or(u32::MAX);
                figures.least_slots = Some(least.min(look.slots));
                if let Some(at) = at {
                    self.pass(at, look.level);
                }
            }
            Said::Else => {}
        }
    }

    /// Time went on at the level before.
    fn pass(&mut self, at: Duration, level: Level) {
        if let Some((since, before)) = self.level.replace((at, level)) {
            let seconds = at.saturating_sub(since).as_secs_f64();
            self.figures.level_changes += u64::from(before != level);
            let spent = self.figures.seconds_at.entry(before.to_string());
            *spent.or_default() += seconds;
        }
    }

    pub(super) fn end(self) -> Figures {
        self.figures
    }
}

fn off(changes: &[Switched]) -> u64 {
    changes.iter().filter(|it| it.was && !it.enabled).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Detail, Resource, Shortage};

    fn read(answer: &Answer) -> Said {
        serde_json::from_str(&serde_json::to_string(answer).unwrap()).unwrap()
    }

    #[test]
    fn a_written_answer_counts_as_the_given_one_does() {
        let short = Shortage {
            resource: Resource::TooLarge,
            value: 2.0,
            limit: 1.0,
            detail: Detail::None,
        };
        let answers = [
            Answer::Granted(7),
            Answer::Blocked(short),
            Answer::Fits,
            Answer::Misfit(short, 9),
            Answer::Ordered(Vec::new()),
            Answer::Noted,
        ];
        let (mut given, mut written) = (Tally::default(), Tally::default());
        for answer in &answers {
            given.count(None, &Said::of(answer));
            written.count(None, &read(answer));
        }
        let (given, written) = (given.end(), written.end());
        assert_eq!(given, written);
        assert_eq!((given.asked, given.granted, given.misfits), (2, 1, 1));
        assert_eq!(given.blocked["too_large"], 1);
    }

    #[test]
    fn time_counts_for_the_level_that_it_was_spent_at() {
        let look = |level, slots| {
            Said::Ticked(Look {
                level,
                features: vec![Switched {
                    was: true,
                    enabled: false,
                }],
                notes: vec![Told {
                    level: AlertLevel::High,
                }],
                slots,
            })
        };
        let mut tally = Tally::default();
        tally.count(Some(Duration::from_secs(1)), &look(Level::Normal, 4));
        tally.count(Some(Duration::from_secs(3)), &look(Level::High, 2));
        tally.count(Some(Duration::from_secs(6)), &look(Level::High, 3));
        let figures = tally.end();
        assert!((figures.seconds_at["normal"] - 2.0).abs() < 1e-9);
        assert!((figures.seconds_at["high"] - 3.0).abs() < 1e-9);
        assert_eq!((figures.level_changes, figures.least_slots), (1, Some(2)));
        assert_eq!((figures.switched_off, figures.notes["high"]), (3, 3));
    }
}
