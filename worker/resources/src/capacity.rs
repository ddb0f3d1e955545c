//! How much there really is: the limits that bind, and how full they are.
//!
//! A limit of control groups counts when it is smaller than the machine; every
//! ancestor's counts as much as the own one. What is used is what the kernel
//! cannot take back: page cache is free once it is written, tmpfs never is.
//!
//! Invariant: a pure function of one sample. A level that could not be read
//! makes the capacity unknown; what was read of the others still binds, so that
//! blindness can only make a worker more careful. Deliberately absent: rates,
//! which take two samples (see [`crate::meter`]).

use serde::{Deserialize, Serialize};

use crate::{
    profile::Thresholds,
    sample::{MemoryGroup, RawSample},
};

const MIB: u64 = 1 << 20;

/// A limit from here on means "none": version 1 writes `max` as the largest
/// number of whole pages below 2^63.
const UNLIMITED: u64 = 1 << 62;

/// Room that is never handed out, as a share of the limit: enough for what the
/// process needs between two samples.
const HARD_SHARE: f64 = 0.02;

/// At least this much stays free: in a small container 2 % would be less than
/// one large allocation (kubelet keeps 100 MiB of a machine).
const HARD_LEAST: u64 = 32 * MIB;

/// More than this need not stay free, however large the machine.
const HARD_MOST: u64 = 1 << 30;

/// High is at least this far below critical, as a share of the limit: two
/// levels that coincide would leave no room to act in.
const HIGH_BELOW_CRITICAL: f64 = 0.05;

/// No quota is less than a hundredth of a core: the kernel refuses less than
/// 1 ms in a period of at most 1 s. Keeps divisions finite.
const LEAST_CORES: f64 = 0.001;

/// What sets a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// The machine.
    #[default]
    Host,
    /// A memory control group: 0 is the own one, 1 its parent, and so on.
    Group(u32),
}

/// What there is of memory and processors, and how much memory is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The effective memory limit in bytes; 0 where nothing at all could be
    /// read.
    pub limit: u64,
    /// What sets it.
    pub limited_by: Binding,
    /// Use of memory as a share of the limit that is fullest.
    pub memory: f64,
    /// Which limit is fullest.
    pub binding: Binding,
    /// `memory * limit`, in bytes.
    pub used: u64,
    /// Processors, fractional under a quota.
    pub cores: f64,
    /// Whether every level could be read.
    pub known: bool,
}

impl Capacity {
    /// The capacity that a sample shows.
    #[must_use]
    pub fn of(raw: &RawSample) -> Self {
        let total = raw.host.map(|host| host.total).filter(|total| *total > 0);
        let mut limit = total.map(|total| (total, Binding::Host));
        let mut fullest = raw.host.filter(|host| host.total > 0).map(|host| {
            let taken = host.total.saturating_sub(host.available);
            (share(taken, host.total), Binding::Host)
        });
        for (index, group) in (0..).zip(&raw.groups) {
            let Some(cap) = cap(group, total) else {
                continue;
            };
            let binding = Binding::Group(index);
            if limit.is_none_or(|(least, _)| cap < least) {
                limit = Some((cap, binding));
            }
            let usage = share(unreclaimable(group), cap);
            if fullest.is_none_or(|(most, _)| usage > most) {
                fullest = Some((usage, binding));
            }
        }
        let known = !raw.unreadable && limit.is_some();
        let (limit, limited_by) = limit.unwrap_or_default();
        // Nothing is known to be free.
        let (memory, binding) = fullest.unwrap_or((1.0, Binding::Host));
        Self {
            limit,
            limited_by,
            memory,
            binding,
            used: portion(memory, limit),
            cores: cores(raw),
            known,
        }
    }

    /// Bytes above which nothing is admitted, whatever its priority.
    #[must_use]
    pub fn hard(&self) -> u64 {
        let margin = portion(HARD_SHARE, self.limit).clamp(HARD_LEAST, HARD_MOST);
        self.limit.saturating_sub(margin)
    }

    /// Bytes at which memory is critical. Never above [`Self::hard`].
    #[must_use]
    pub fn critical_bytes(&self, thresholds: &Thresholds) -> u64 {
        portion(thresholds.memory_critical, self.limit).min(self.hard())
    }

    /// Bytes at which memory is high, some way below critical.
    #[must_use]
    pub fn high_bytes(&self, thresholds: &Thresholds) -> u64 {
        let below = self
            .critical_bytes(thresholds)
            .saturating_sub(portion(HIGH_BELOW_CRITICAL, self.limit));
        portion(thresholds.memory_high, self.limit).min(below)
    }
}

/// Memory of a group that the kernel cannot take back, in bytes.
///
/// Both lists of file pages are taken off (tmpfs is not on them), and what of
/// them is dirty or being written is put back: it is not free before it is
/// written. At least what is anonymous or in tmpfs, should the counters, which
/// are not read at one instant, contradict each other.
#[must_use]
pub fn unreclaimable(group: &MemoryGroup) -> u64 {
    group
        .current
        .saturating_add(group.file_dirty)
        .saturating_add(group.file_writeback)
        .saturating_sub(group.inactive_file)
        .saturating_sub(group.active_file)
        .saturating_sub(group.slab_reclaimable)
        .max(group.anon.saturating_add(group.shmem))
}

/// The limit of one group in bytes, if it has one that means anything.
fn cap(group: &MemoryGroup, total: Option<u64>) -> Option<u64> {
    [group.limit, group.high]
        .into_iter()
        .flatten()
        .filter(|limit| *limit < UNLIMITED && total.is_none_or(|total| *limit <= total))
        .min()
}

fn cores(raw: &RawSample) -> f64 {
    let affinity = (raw.cpu.affinity > 0).then_some(f64::from(raw.cpu.affinity));
    let quotas = raw.cpu.quotas.iter().copied();
    affinity
        .into_iter()
        .chain(quotas.filter(|quota| quota.is_finite() && *quota > 0.0))
        .min_by(f64::total_cmp)
        // Where the system tells nothing, one core is the careful assumption.
        .map_or(1.0, |cores| cores.max(LEAST_CORES))
}

/// `part / whole`; a limit of nothing is full.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 1.0;
    }
    float(part) / float(whole)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of a machine and counters are far below 2^53"
)]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// A share of a number of bytes; a negative share or none is nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and fractions of bytes mean nothing"
)]
pub(crate) fn portion(share: f64, whole: u64) -> u64 {
    (share * float(whole)) as u64
}

#[cfg(test)]
mod tests;
