//! One rung of a resource's ladder: on after enough evidence, off after more.
//!
//! Invariant: a rung turns off only after its leaving condition has held
//! without a break for the whole dwell; while a higher rung is on, it stays on
//! (and its own dwell runs meanwhile). What is not known counts neither way.
//!
//! Deliberately absent: which values mean what (the resources' files).

use std::time::Duration;

use shared::model::Level;

use super::Rule;

/// Two looks further apart than this do not make one unbroken run: longer than
/// the slowest signal needs (the disk: every 10 s, 2 s to time out, and a slow
/// sampling pace of 2 s), so that it can be judged at all.
const HOLE: Duration = Duration::from_secs(15);

/// Since when a condition holds without a break.
#[derive(Clone, Debug, Default, PartialEq)]
struct Run {
    since: Option<Duration>,
    last: Duration,
    samples: u32,
}

impl Run {
    fn observe(&mut self, at: Duration, holds: bool) {
        if !holds {
            *self = Self::default();
            return;
        }
        if self.since.is_none() || at.saturating_sub(self.last) > HOLE {
            self.since = Some(at);
            self.samples = 0;
        }
        self.last = at;
        self.samples = self.samples.saturating_add(1);
    }

    /// How long it has lasted; `None` while it does not hold.
    fn lasted(&self) -> Option<Duration> {
        self.since.map(|since| self.last.saturating_sub(since))
    }
}

/// How much evidence a rung asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Terms {
    /// Consecutive samples before it turns on.
    pub(super) samples: u32,
    /// How long they must span.
    pub(super) lasting: Duration,
    /// How long the leaving condition must hold.
    pub(super) dwell: Duration,
}

/// What one sample says about one rung.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sign {
    /// The figure that is judged.
    pub(super) value: f64,
    /// From here on the rung turns on.
    pub(super) enter_at: f64,
    /// Below this it may turn off.
    pub(super) leave_below: f64,
    /// The rule that speaks for turning on.
    pub(super) enter: Option<Rule>,
    /// Everything speaks for turning off.
    pub(super) leave: bool,
}

impl Sign {
    /// Enters by `raw`, leaves by `smooth` (which lies above `raw` while the
    /// value falls).
    pub(super) fn of(raw: f64, smooth: f64, enter_at: f64, margin: f64, rule: Rule) -> Self {
        let leave_below = enter_at - margin;
        Self {
            value: smooth,
            enter_at,
            leave_below,
            enter: (raw >= enter_at).then_some(rule),
            leave: smooth < leave_below,
        }
    }
}

/// One rung.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rung {
    /// The level that it stands for.
    pub(super) level: Level,
    terms: Terms,
    on: bool,
    /// Why it turned on.
    rule: Rule,
    entering: Run,
    leaving: Run,
    /// What was last known.
    sign: Option<Sign>,
}

impl Rung {
    pub(super) fn new(level: Level, terms: Terms) -> Self {
        Self {
            level,
            terms,
            on: false,
            rule: Rule::Calm,
            entering: Run::default(),
            leaving: Run::default(),
            sign: None,
        }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    pub(super) const fn rule(&self) -> Rule {
        self.rule
    }

    pub(super) const fn sign(&self) -> Option<Sign> {
        self.sign
    }

    /// How long it must be calm before the rung turns off, and how long it has
    /// been already.
    pub(super) fn leaving(&self, stretch: u32) -> (Duration, Duration) {
        let lasted = self.leaving.lasted().unwrap_or_default();
        (self.terms.dwell * stretch, lasted)
    }

    /// Forgets half-gathered evidence: the thresholds have changed.
    pub(super) fn restart(&mut self) {
        self.entering = Run::default();
        self.leaving = Run::default();
    }

    /// Takes in what a sample says, and whether a higher rung is on (and by
    /// which rule). `stretch` multiplies the dwell.
    pub(super) fn observe(
        &mut self,
        at: Duration,
        sign: Option<Sign>,
        higher: Option<Rule>,
        stretch: u32,
    ) {
        if let Some(sign) = sign {
            self.sign = Some(sign);
            self.entering.observe(at, sign.enter.is_some());
            self.leaving.observe(at, sign.leave);
        }
        let enough = self.entering.samples >= self.terms.samples
            && self.entering.lasted() >= Some(self.terms.lasting);
        if let Some(rule) = sign.and_then(|s| s.enter).filter(|_| enough) {
            self.rule = rule;
            self.on = true;
        } else if let Some(rule) = higher {
            if !self.on {
                self.rule = rule;
                self.on = true;
            }
        } else if self.leaving.lasted() >= Some(self.terms.dwell * stretch) {
            self.on = false;
            self.rule = Rule::Calm;
        }
    }
}

/// The rungs of one resource, from the lowest level to the highest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ladder {
    pub(super) rungs: Vec<Rung>,
}

impl Ladder {
    pub(super) fn new(rungs: Vec<Rung>) -> Self {
        Self { rungs }
    }

    /// Takes in one sample: a sign for each rung, in their order.
    pub(super) fn observe(&mut self, at: Duration, signs: &[Option<Sign>], stretch: u32) {
        let mut higher = None;
        for (rung, sign) in self.rungs.iter_mut().zip(signs).rev() {
            rung.observe(at, *sign, higher, stretch);
            // A kill says nothing about the memory in use: it carries no other
            // rung, which then would have to leave by a value of its own.
            if rung.is_on() && higher.is_none() && rung.rule() != Rule::OutOfMemoryKill {
                higher = Some(rung.rule());
            }
        }
    }

    /// The highest rung that is on.
    pub(super) fn top(&self) -> Option<&Rung> {
        self.rungs.iter().rev().find(|rung| rung.is_on())
    }

    pub(super) fn restart(&mut self) {
        for rung in &mut self.rungs {
            rung.restart();
        }
    }
}
