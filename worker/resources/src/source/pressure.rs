//! Pressure stall information (PSI) of one resource.

use std::{path::Path, path::PathBuf, time::Duration};

use super::{
    file::{Buffer, Watched},
    place::Root,
};
use crate::sample::Pressure;

/// A file of pressure.
#[derive(Debug)]
pub(super) struct PressureFile(Watched);

impl PressureFile {
    /// The own group's file; the machine's where the group has none or keeps no
    /// account (reading then fails); `None` where the kernel does not count.
    pub(super) fn open(
        root: &Root,
        groups: &[PathBuf],
        resource: &str,
        buffer: &mut Buffer,
    ) -> Option<Self> {
        let own = groups
            .first()
            .map(|folder| folder.join(format!("{resource}.pressure")));
        let machine = root.join(format!("/proc/pressure/{resource}"));
        own.into_iter()
            .chain([machine])
            .filter_map(|path| Watched::open(path).ok().map(Self))
            .find(|file| file.read(buffer).is_some())
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn read(&self, buffer: &mut Buffer) -> Option<Pressure> {
        parse(self.0.read(buffer).ok()?)
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same of `full`,
/// which old kernels leave out for processors. Averages are percentages,
/// totals microseconds.
fn parse(text: &str) -> Option<Pressure> {
    let mut pressure = Pressure::default();
    let mut seen = false;
    for line in text.lines() {
        let mut words = line.split(' ');
        let some = match words.next()? {
            "some" => true,
            "full" => false,
            _ => continue,
        };
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let average = || value.parse::<f64>().ok().map(|percent| percent / 100.0);
            match (some, key) {
                (true, "avg10") => pressure.some_avg10 = average()?,
                (true, "avg60") => pressure.some_avg60 = average()?,
                (false, "avg10") => pressure.full_avg10 = average()?,
                (true, "total") => (pressure.some_total, seen) = (micros(value)?, true),
                (false, "total") => pressure.full_total = micros(value)?,
                _ => {}
            }
        }
    }
    seen.then_some(pressure)
}

fn micros(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_micros)
}
