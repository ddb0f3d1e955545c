//! The observations of the step that is not over yet.
//!
//! Invariant: holds at most [`MOST`] observations. When they are full, every
//! other one is dropped and from then on only every other one is kept: an even
//! sample of the step at any rate, and the same for the same input. Least, mean
//! and largest are of all observations.

use super::{FIGURES, row::Summary};

/// Ten minutes of one observation a second.
const MOST: usize = 600;

#[derive(Clone, Debug)]
pub(super) struct Gather {
    slot: u32,
    seen: u32,
    /// One of so many observations is kept, a power of two.
    stride: u32,
    kept: Vec<[f32; FIGURES]>,
    all: [Tally; FIGURES],
}

#[derive(Clone, Copy, Debug)]
struct Tally {
    count: u32,
    sum: f64,
    min: f32,
    max: f32,
}

impl Tally {
    const EMPTY: Self = Self {
        count: 0,
        sum: 0.0,
        min: f32::INFINITY,
        max: f32::NEG_INFINITY,
    };
}

impl Gather {
    pub(super) fn new() -> Self {
        Self {
            slot: 0,
            seen: 0,
            stride: 1,
            kept: Vec::with_capacity(MOST),
            all: [Tally::EMPTY; FIGURES],
        }
    }

    /// Takes in an observation. Gives the summary of the step before when this
    /// one begins another.
    pub(super) fn add(
        &mut self,
        slot: u32,
        values: &[f32; FIGURES],
    ) -> Option<(u32, [Summary; FIGURES])> {
        let done = if slot > self.slot {
            let done = self.so_far();
            self.begin(slot);
            done
        } else {
            None
        };
        if self.seen.is_multiple_of(self.stride) {
            if self.kept.len() == MOST {
                self.thin();
            }
            // After thinning, this one may be between two that are kept.
            if self.seen.is_multiple_of(self.stride) {
                self.kept.push(*values);
            }
        }
        self.seen = self.seen.saturating_add(1);
        for (tally, value) in self.all.iter_mut().zip(values) {
            if !value.is_nan() {
                tally.count += 1;
                tally.sum += f64::from(*value);
                tally.min = tally.min.min(*value);
                tally.max = tally.max.max(*value);
            }
        }
        done
    }

    /// The summary of the step so far, if it has any observation.
    pub(super) fn so_far(&self) -> Option<(u32, [Summary; FIGURES])> {
        if self.seen == 0 {
            return None;
        }
        let mut figures = [Summary::NONE; FIGURES];
        for (index, figure) in figures.iter_mut().enumerate() {
            *figure = self.summary(index);
        }
        Some((self.slot, figures))
    }

    pub(super) fn bytes(&self) -> usize {
        self.kept.capacity() * size_of::<[f32; FIGURES]>()
    }

    fn begin(&mut self, slot: u32) {
        self.slot = slot;
        self.seen = 0;
        self.stride = 1;
        self.kept.clear();
        self.all = [Tally::EMPTY; FIGURES];
    }

    fn thin(&mut self) {
        let mut index = 0_u32;
        self.kept.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.stride = self.stride.saturating_mul(2);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision is what rows keep"
    )]
    fn summary(&self, index: usize) -> Summary {
        let tally = &self.all[index];
        if tally.count == 0 {
            return Summary::NONE;
        }
        Summary {
            min: tally.min,
            mean: (tally.sum / f64::from(tally.count)) as f32,
            max: tally.max,
            p95: self.p95(index).unwrap_or(tally.max),
        }
    }

    /// The nearest rank over what was kept.
    fn p95(&self, index: usize) -> Option<f32> {
        let mut values: Vec<f32> = self
            .kept
            .iter()
            .map(|row| row[index])
            .filter(|value| !value.is_nan())
            .collect();
        let rank = (values.len() * 95).div_ceil(100).checked_sub(1)?;
        let (_, value, _) = values.select_nth_unstable_by(rank, f32::total_cmp);
        Some(*value)
    }
}
