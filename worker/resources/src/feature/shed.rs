//! The automatic rules: which categories give way, and how they come back.
//!
//! Fast down, slow up: a category goes off at the tick that asks for it. After
//! a critical level or worse it comes back in its turn only, the most important
//! first, one category per [`TURN`] after the cause is over, so that a recovered
//! worker is not pressed down again by everything that waited. After less it
//! comes back when its cause is over: the level has its own slow exit.
//!
//! Invariant: what is off is nested. If standard is off, so is advanced; if
//! advanced is off, so is experimental.

use std::time::Duration;

use serde::Serialize;
use shared::model::{Category, Level};

use super::{
    Situation,
    rule::{Automatic, Rule},
};

/// Between the end of the cause and the first category, and between two
/// categories: long enough for the tasks of one to show their need.
pub const TURN: Duration = Duration::from_secs(30);

/// A forecast's switch lasts at least this long: shorter, and a trend that
/// breaks because of the switch would take it back at once.
pub const PREVENTIVE_HOLD: Duration = Duration::from_mins(1);

/// The categories that may give way, in the order in which they come back.
const COMING_BACK: [Category; 3] = [
    Category::Standard,
    Category::Advanced,
    Category::Experimental,
];

/// One category's part.
#[derive(Clone, Debug, Default, Serialize)]
struct Part {
    off: Option<Automatic>,
    /// A forecast holds it off until then.
    held_until: Duration,
    /// When the cause was over; `None` while it lasts.
    over_since: Option<Duration>,
}

/// The memory of the automatic rules.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Shed {
    parts: [Part; 3],
    /// The worker has been critical since the first of them went off.
    severe: bool,
    last_return: Option<Duration>,
}

impl Shed {
    /// What holds this category off.
    pub(super) fn of(&self, category: Category) -> Option<&Automatic> {
        let index = COMING_BACK.iter().position(|each| *each == category)?;
        self.parts[index].off.as_ref()
    }

    pub(super) fn observe(&mut self, now: &Situation<'_>) {
        for (part, category) in self.parts.iter_mut().zip(COMING_BACK) {
            match cause(category, now) {
                Some(rule) => part.switch_off(rule, now),
                None if part.off.is_some() => {
                    part.over_since.get_or_insert(now.at);
                }
                None => {}
            }
        }
        self.severe |= now.level >= Level::Critical;
        self.bring_back(now.at);
        self.severe &= self.parts.iter().any(|part| part.off.is_some());
    }

    /// Lets the most important category that is off come back if it is its
    /// turn; tells the others when theirs is.
    fn bring_back(&mut self, at: Duration) {
        let pause = if self.severe { TURN } else { Duration::ZERO };
        let mut earliest = self.last_return.map_or(Duration::ZERO, |last| last + pause);
        let mut first = true;
        for part in &mut self.parts {
            if part.off.is_none() {
                continue;
            }
            let Some(over) = part.over_since else {
                // Nested: whatever is less important is still wanted off too,
                // or waits for this one.
                return;
            };
            let turn = earliest.max(over + pause).max(part.held_until);
            if first && turn <= at {
                *part = Part::default();
                self.last_return = Some(at);
                earliest = at + pause;
                continue;
            } else if let Some(off) = &mut part.off {
                let cpu_alone = off.rule.is_cpu_alone();
                // A forecast that did not come true keeps its name while it
                // holds; then the category merely waits for its turn.
                if part.held_until <= at || !matches!(off.rule, Rule::Predicted { .. }) {
                    off.rule = Rule::Recovering { cpu_alone };
                }
                off.until = Some(turn);
                earliest = turn + pause;
            }
            first = false;
        }
    }
}

impl Part {
    fn switch_off(&mut self, rule: Rule, now: &Situation<'_>) {
        if matches!(rule, Rule::Predicted { .. }) && self.off.is_none() {
            self.held_until = now.at + PREVENTIVE_HOLD;
        }
        let until = (self.held_until > now.at).then_some(self.held_until);
        self.over_since = None;
        self.off = Some(Automatic { rule, until });
    }
}

/// Why this category has to give way now.
fn cause(category: Category, now: &Situation<'_>) -> Option<Rule> {
    let (from, predicted_from) = match category {
        Category::Essential => return None,
        // Never on a forecast: standard work gives way to facts only.
        Category::Standard => (Level::Critical, None),
        Category::Advanced => (Level::High, Some(Level::Critical)),
        Category::Experimental => (Level::Elevated, Some(Level::High)),
    };
    // With nothing in flight the processor alone switches nothing off; what is
    // off for its sake waits for its turn, and binds nobody until then.
    let level = if now.in_flight == 0 {
        now.level_without_cpu
    } else {
        now.level
    };
    if level >= from {
        let cpu_alone = now.level_without_cpu < from;
        return Some(Rule::Level { level, cpu_alone });
    }
    if !now.known && category >= Category::Advanced {
        return Some(Rule::Blind);
    }
    let seen = now.predicted.filter(|_| now.profile.prediction.acts)?;
    (seen >= predicted_from?).then_some(Rule::Predicted { level: seen })
}
