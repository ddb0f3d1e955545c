//! How often something was so lately: `k` of the last `m` ticks.

/// The last ticks, one bit each, the newest lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks(u16);

impl Ticks {
    pub(super) fn push(&mut self, fires: bool) {
        self.0 = (self.0 << 1) | u16::from(fires);
    }

    /// At least `k` of the last `m` ticks (at most 16).
    pub(super) const fn has(self, k: u32, m: u32) -> bool {
        let mask = (1_u32 << m) - 1;
        (self.0 as u32 & mask).count_ones() >= k
    }
}
