//! Recorded samples, played again in their order and with their own times.
//!
//! Two forms. JSON lines: one [`RawSample`] a line, as a monitor recorded them.
//! And a table of comma-separated values for traces that people write (see
//! [`TraceSource::csv`]).
//!
//! Invariant: a recording is read whole and checked before its first sample is
//! given out: unknown columns, bad numbers and times that go back are refused
//! with their line.

mod table;

use std::{collections::VecDeque, time::Duration};

use super::{Description, Error, Kind, SampleSource};
use crate::sample::RawSample;

/// Plays a recording.
#[derive(Clone, Debug)]
pub struct TraceSource {
    samples: VecDeque<RawSample>,
}

impl TraceSource {
    /// Plays these samples.
    #[must_use]
    pub fn new(samples: impl IntoIterator<Item = RawSample>) -> Self {
        Self {
            samples: samples.into_iter().collect(),
        }
    }

    /// Plays JSON lines; empty lines are skipped.
    pub fn json_lines(text: &str) -> Result<Self, Error> {
        let mut samples = VecDeque::new();
        for (line, text) in lines(text) {
            let sample = serde_json::from_str(text).map_err(|error| Error::Trace {
                line,
                why: error.to_string(),
            })?;
            in_order(&samples, &sample, line)?;
            samples.push_back(sample);
        }
        Ok(Self { samples })
    }

    /// Plays a table: a line of column names, then a line for each sample.
    /// Empty lines and those that begin with `#` are skipped.
    ///
    /// `at` (seconds) must be there; every other column may be, and an empty
    /// field means that the figure could not be read at that moment:
    ///
    /// - `host_total`, `host_available`: the machine's memory in bytes (1 TiB,
    ///   all of it available, without the columns);
    /// - `limit`, `high`, `current`, `anon`, `shmem`, `active_file`,
    ///   `inactive_file`, `file_dirty`, `file_writeback`, `slab_reclaimable`:
    ///   one memory control group in bytes (empty: no limit, or 0);
    /// - `memory`: short for a group of 1 GiB, this share of it anonymous;
    /// - `cores`, `quota`: processors, and a quota in cores;
    /// - `cpu`, `host_cpu`: share of `cores` (or of `quota`) used by the group,
    ///   share of `cores` used by the machine, since the line before;
    /// - `throttled`: share of quota periods held back since the line before;
    /// - `memory_some`, `memory_full`, `io_full`: shares of time stalled since
    ///   the line before;
    /// - `lateness_ms`, `oom_kills` (a counter), `disk` (share of 100 GiB in
    ///   use), `unreadable` (1 or 0).
    pub fn csv(text: &str) -> Result<Self, Error> {
        let mut lines = lines(text).filter(|(_, text)| !text.starts_with('#'));
        let Some((line, header)) = lines.next() else {
            return Ok(Self::new([]));
        };
        let mut table = table::Table::new(line, header)?;
        let mut samples = VecDeque::new();
        for (line, text) in lines {
            let sample = table.sample(line, text)?;
            in_order(&samples, &sample, line)?;
            samples.push_back(sample);
        }
        Ok(Self { samples })
    }

    /// When the next sample was taken: what a virtual clock should be set to.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.samples.front().map(|sample| sample.at)
    }
}

impl SampleSource for TraceSource {
    /// The next sample with the time at which it was recorded, whatever the
    /// time is now.
    fn sample(&mut self, _: Duration) -> Result<RawSample, Error> {
        self.samples.pop_front().ok_or(Error::Ended)
    }

    fn describe(&self) -> Description {
        Description {
            kind: Kind::Trace,
            memory: Vec::new(),
            cpu: Vec::new(),
            pressure: None,
            hidden: false,
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.lines().map(str::trim))
        .filter(|(_, text)| !text.is_empty())
}

fn in_order(before: &VecDeque<RawSample>, sample: &RawSample, line: usize) -> Result<(), Error> {
    match before.back() {
        Some(last) if sample.at < last.at => Err(Error::Trace {
            line,
            why: format!(
                "its time, {:?}, is before that of the sample above, {:?}; sort the lines",
                sample.at, last.at
            ),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{meter::Meter, sample::Measured};

    fn play(mut source: TraceSource) -> Vec<Measured> {
        let mut meter = Meter::new();
        std::iter::from_fn(|| source.sample(Duration::ZERO).ok())
            .map(|raw| meter.measure(&raw))
            .collect()
    }

    #[track_caller]
    fn assert_near(value: Option<f64>, expected: f64) {
        let value = value.unwrap();
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn json_lines_come_back_as_they_were() {
        let table = "at,memory,cpu,oom_kills\n0,0.5,0,0\n1.5,0.7,0.3,2\n";
        let mut source = TraceSource::csv(table).unwrap();
        let mut recorded = String::new();
        let mut samples = Vec::new();
        while let Ok(sample) = source.sample(Duration::ZERO) {
            recorded += &serde_json::to_string(&sample).unwrap();
            recorded += "\n\n";
            samples.push(sample);
        }
        let mut again = TraceSource::json_lines(&recorded).unwrap();
        assert_eq!(again.next_at(), Some(Duration::ZERO));
        for sample in samples {
            assert_eq!(again.sample(Duration::MAX).unwrap(), sample);
        }
        assert!(matches!(again.sample(Duration::ZERO), Err(Error::Ended)));
    }

    #[test]
    fn shares_of_a_table_are_what_the_meter_measures() {
        let table = "# a comment\n\
            at,cores,memory,cpu,host_cpu,memory_some,memory_full,io_full,disk,lateness_ms\n\
            0,4,0.5,0,0,0,0,0,0.25,1\n\
            2,4,0.75,0.5,0.625,0.125,0.0625,0.5,0.5,60\n";
        let measured = play(TraceSource::csv(table).unwrap())[1];
        assert!((measured.memory - 0.75).abs() < 1e-6);
        assert_near(measured.cpu, 0.625);
        assert_near(measured.memory_some, 0.125);
        assert_near(measured.memory_full, 0.0625);
        assert_near(measured.io_full, 0.5);
        assert_near(measured.disk, 0.5);
        assert_eq!(measured.lateness_p99, Some(Duration::from_millis(60)));
        assert!(measured.known);
    }

    #[test]
    fn a_throttled_group_of_a_table_is_busy_on_an_idle_machine() {
        let table = "at,cores,quota,cpu,host_cpu,throttled\n0,4,0.5,0,0,0\n5,4,0.5,1,0.1,0.6\n";
        let measured = play(TraceSource::csv(table).unwrap())[1];
        assert_near(measured.cpu, 1.0);
        assert_near(measured.throttled, 0.6);
        assert!((measured.cores - 0.5).abs() < 1e-9);
    }

    #[test]
    fn an_empty_field_is_a_figure_that_could_not_be_read() {
        let table = "at,memory,cpu,disk,unreadable\n0,0.5,0.5,0.5,0\n1,0.5,,,1\n2,0.5,0.5,0.5,0\n";
        let measured = play(TraceSource::csv(table).unwrap());
        assert_eq!((measured[1].cpu, measured[1].disk), (None, None));
        assert!(!measured[1].known && measured[2].known);
    }

    #[test]
    fn nonsense_is_refused_with_its_line() {
        for (table, line, about) in [
            ("at,memroy\n", 1, "memroy"),
            ("memory\n", 1, "at"),
            ("at,cpu,cpu\n", 1, "cpu"),
            ("at,memory\n0,0.5\n\n1,x\n", 4, "memory"),
            ("at,memory\n0,0.5,3\n", 2, "2 columns"),
            ("at,memory\n0,nan\n", 2, "memory"),
            ("at,memory\n-1,0.5\n", 2, "at"),
            ("at\n2\n1\n", 3, "before"),
            ("at,memory,anon\n", 1, "memory"),
        ] {
            let error = TraceSource::csv(table).unwrap_err();
            let Error::Trace { line: found, why } = &error else {
                panic!("{error}");
            };
            assert_eq!(*found, line, "{error}");
            assert!(why.contains(about), "{error}");
        }
        let error = TraceSource::json_lines("{}\n{\"at\":3}\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 "), "{error}");
    }
}
