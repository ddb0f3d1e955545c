//! What the work of a minute keeps in flight.
//!
//! Invariant: a row whose figures are not finite or negative counts for
//! nothing but its arrivals.

use std::collections::BTreeMap;

use super::{CPU_TARGET, MEMORY_TARGET, Minute, Room, Terms};

/// What a task of a type needs: means over all rows, by tasks that ended.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need {
    finished: f64,
    seconds: f64,
    core_seconds: f64,
    byte_seconds: f64,
}

pub(super) fn needs(series: &[Minute]) -> BTreeMap<&str, Need> {
    let mut needs: BTreeMap<&str, Need> = BTreeMap::new();
    for (name, row) in series.iter().flat_map(|minute| &minute.types) {
        let sound = [row.seconds, row.cores, row.bytes]
            .iter()
            .all(|figure| figure.is_finite() && *figure >= 0.0);
        if row.finished == 0 || !sound {
            continue;
        }
        let need = needs.entry(name).or_default();
        let finished = number(row.finished);
        need.finished += finished;
        need.seconds += finished * row.seconds;
        need.core_seconds += finished * row.seconds * row.cores;
        need.byte_seconds += finished * row.seconds * row.bytes;
    }
    for need in needs.values_mut() {
        need.seconds /= need.finished;
        need.core_seconds /= need.finished;
        need.byte_seconds /= need.finished;
    }
    needs
}

pub(super) fn unknown(series: &[Minute], needs: &BTreeMap<&str, Need>) -> Vec<String> {
    let mut names: Vec<String> = series
        .iter()
        .flat_map(|minute| &minute.types)
        .filter(|(name, row)| row.arrivals > 0 && !needs.contains_key(name.as_str()))
        .map(|(name, _)| name.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Tasks, cores and bytes in flight.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    tasks: f64,
    cores: f64,
    bytes: f64,
}

impl Load {
    fn add(&mut self, per_second: f64, need: &Need) {
        self.tasks += per_second * need.seconds;
        self.cores += per_second * need.core_seconds;
        self.bytes += per_second * need.byte_seconds;
    }

    pub(super) fn terms(self, room: &Room) -> Terms {
        // A worker without a figure cannot be judged by it.
        let share = |load: f64, of: f64| if of > 0.0 { load / of } else { 0.0 };
        Terms {
            cpu: share(self.cores, CPU_TARGET * room.cores),
            memory: share(self.bytes, MEMORY_TARGET * room.bytes),
            slots: share(self.tasks, room.slots),
        }
    }
}

/// What one minute's arrivals keep in flight.
pub(super) fn load(minute: &Minute, needs: &BTreeMap<&str, Need>) -> Load {
    let mut load = Load::default();
    for (name, row) in &minute.types {
        if let Some(need) = needs.get(name.as_str()) {
            load.add(number(row.arrivals) / 60.0, need);
        }
    }
    load
}

/// What one arrival per minute of the usual mix keeps in flight.
pub(super) fn mix(series: &[Minute], needs: &BTreeMap<&str, Need>) -> Load {
    let mut load = Load::default();
    let mut arrivals = 0.0;
    for (name, row) in series.iter().flat_map(|minute| &minute.types) {
        arrivals += number(row.arrivals);
        if let Some(need) = needs.get(name.as_str()) {
            load.add(number(row.arrivals) / 60.0, need);
        }
    }
    if arrivals == 0.0 {
        return Load::default();
    }
    Load {
        tasks: load.tasks / arrivals,
        cores: load.cores / arrivals,
        bytes: load.bytes / arrivals,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a minute are far below 2^52"
)]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}
