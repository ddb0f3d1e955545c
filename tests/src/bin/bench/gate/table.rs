//! All runs as a table: medians by arm, paired differences against A and A', and where ours stands.
//!
//! Invariant: every measure is printed for every arm, whoever it flatters; runs on void seeds are named and left out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Result;

use super::lines::{self, ALL_PHASES, SHIFTED, STEADY};
use super::mix::Class;
use super::plan::{Arm, Part};
use super::record::Record;
use super::resample::of_median;
use crate::board::median;
use crate::report::figure;

/// How a figure is read off a run.
type Reading = Box<dyn Fn(&Record) -> Option<f64>>;

/// One figure of a run.
struct Measure {
    name: String,
    of: Reading,
    /// Whether its differences are shown.
    is_compared: bool,
}

/// The report.
pub(crate) fn of(records: &[Record], scale: f64) -> Result<String> {
    let void = lines::void_seeds(records);
    let valid: Vec<Record> = records
        .iter()
        .filter(|record| record.key.part != Part::Mixed || !void.contains(&record.key.seed))
        .cloned()
        .collect();
    let mut text = String::new();
    head(&mut text, &valid, &void, scale)?;
    let measures = measures(&valid);
    medians(&mut text, &valid, &measures)?;
    for base in [Arm::None, Arm::Best] {
        differences(&mut text, &valid, &measures, base)?;
    }
    standing(&mut text, &valid)?;
    Ok(text)
}

fn head(text: &mut String, records: &[Record], void: &BTreeSet<u64>, scale: f64) -> Result<()> {
    writeln!(
        text,
        "gate against no gate: 4 workers x 384 MiB, open-loop arrivals, 1.5 x / 0.5 x / 1.5 x of the fleet's memory; scale {scale}"
    )?;
    if let (Some(first), Some(last)) = (
        records.iter().map(|record| &record.date).min(),
        records.iter().map(|record| &record.date).max(),
    ) {
        writeln!(text, "runs from {first} to {last}")?;
    }
    for arm in Arm::ALL {
        let runs: Vec<&Record> = lines::of(records, arm).collect();
        let slots = runs.first().map_or(0, |record| record.key.slots);
        let build = runs.first().map_or("", |record| record.build.as_str());
        writeln!(
            text,
            "{:<22} {} runs, {slots} slots, {build}",
            arm.title(),
            runs.len()
        )?;
    }
    if !void.is_empty() {
        writeln!(
            text,
            "void, because nothing was killed without a gate: seeds {void:?}"
        )?;
    }
    if scale < 1.0 {
        writeln!(text, "a run this short shows that it works, and no more")?;
    }
    Ok(())
}

fn measure(
    name: impl Into<String>,
    is_compared: bool,
    of: impl Fn(&Record) -> Option<f64> + 'static,
) -> Measure {
    Measure {
        name: name.into(),
        of: Box::new(of),
        is_compared,
    }
}

fn measures(records: &[Record]) -> Vec<Measure> {
    let mut all = harm();
    all.extend(yield_());
    for class in Class::ALL {
        let name = class.type_name().trim_start_matches("bench.");
        all.push(measure(format!("{name} p50 ms"), false, move |record| {
            record.latency_ms.get(&class).map(|latency| latency.p50)
        }));
        all.push(measure(format!("{name} p99 ms"), true, move |record| {
            record.latency_ms.get(&class).map(|latency| latency.p99)
        }));
    }
    let unloaded = lines::unloaded_p99(records);
    all.push(measure("critical p99 / unloaded", true, move |record| {
        Some(lines::critical_p99(record)? / unloaded?)
    }));
    all.push(measure("mean memory in use %", true, |record| {
        Some(record.seen.utilisation * 100.0)
    }));
    all.push(measure("peak memory of a worker %", false, |record| {
        Some(record.seen.peak * 100.0)
    }));
    all.push(measure("closed with free memory %", false, |record| {
        Some(record.seen.closed_with_free_memory * 100.0)
    }));
    all.push(measure("gate transitions/min", false, |record| {
        record.seen.transitions_per_minute
    }));
    all.push(measure("latest submission ms", false, |record| {
        Some(record.latest_ms)
    }));
    all
}

/// What went wrong.
fn harm() -> Vec<Measure> {
    vec![
        measure("kernel OOM kills", true, |record| {
            Some(f64::from(record.kills()))
        }),
        measure("workers killed", false, |record| {
            Some(f64::from(record.workers_killed))
        }),
        measure("workers that left", false, |record| {
            Some(f64::from(record.workers_left))
        }),
        measure("tasks lost", false, |record| Some(f64::from(record.lost))),
        measure("tasks failed", false, |record| {
            Some(f64::from(record.failed.values().sum::<u32>()))
        }),
        measure("tasks begun again", true, |record| {
            Some(f64::from(record.begun_again))
        }),
        measure("tasks done again", false, |record| {
            Some(f64::from(record.done_again))
        }),
    ]
}

/// What was done.
fn yield_() -> Vec<Measure> {
    let work = |phases: &'static [&'static str]| {
        move |record: &Record| {
            let own = record
                .phases
                .iter()
                .filter(|phase| phases.contains(&phase.name.as_str()));
            let (work, seconds) = own.fold((0.0, 0.0), |(work, seconds), phase| {
                (work + phase.work * phase.seconds, seconds + phase.seconds)
            });
            Some(work / seconds)
        }
    };
    vec![
        measure("goodput, steady mix /s", true, |record| {
            Some(record.goodput(&STEADY))
        }),
        measure("goodput, shifting mix /s", true, |record| {
            Some(record.goodput(&SHIFTED))
        }),
        measure("goodput, all phases /s", true, |record| {
            Some(record.goodput(&ALL_PHASES))
        }),
        measure("goodput until the end /s", true, |record| {
            Some(record.whole_per_s)
        }),
        measure("until the last task s", true, |record| Some(record.whole_s)),
        measure("memory work, steady MiB s/s", true, work(&STEADY)),
        measure("memory work, shifting MiB s/s", true, work(&SHIFTED)),
    ]
}

fn medians(text: &mut String, records: &[Record], measures: &[Measure]) -> Result<()> {
    write!(text, "\n{:<32}", "median of the runs")?;
    for arm in Arm::ALL {
        write!(text, " {:>19}", arm.title())?;
    }
    writeln!(text)?;
    for measure in measures {
        write!(text, "{:<32}", measure.name)?;
        for arm in Arm::ALL {
            let values: Vec<f64> = lines::of(records, arm)
                .filter_map(|record| (measure.of)(record))
                .collect();
            let shown = if values.is_empty() {
                "-".to_owned()
            } else {
                figure(median(&values))
            };
            write!(text, " {shown:>19}")?;
        }
        writeln!(text)?;
    }
    Ok(())
}

fn differences(
    text: &mut String,
    records: &[Record],
    measures: &[Measure],
    base: Arm,
) -> Result<()> {
    writeln!(
        text,
        "\npaired differences to {}: median [95 % interval]",
        base.title()
    )?;
    for measure in measures.iter().filter(|measure| measure.is_compared) {
        let mut row = String::new();
        for arm in Arm::ALL.into_iter().filter(|&arm| arm != base) {
            let pairs: Vec<f64> = lines::of(records, arm)
                .filter_map(|record| {
                    let other = lines::paired(records, base, record.key.seed)?;
                    Some((measure.of)(record)? - (measure.of)(other)?)
                })
                .collect();
            if let Some(interval) = of_median(&pairs) {
                let letter = arm.title().split(' ').next().unwrap_or_default();
                let (low, high) = (figure(interval.low), figure(interval.high));
                write!(
                    row,
                    "  {letter}: {} [{low}, {high}]",
                    figure(interval.median)
                )?;
            }
        }
        if !row.is_empty() {
            writeln!(text, "{:<32}{row}", measure.name)?;
        }
    }
    Ok(())
}

fn standing(text: &mut String, records: &[Record]) -> Result<()> {
    writeln!(
        text,
        "\n{:<46} {:>10} {:>10}  standing",
        "line for D", "value", "limit"
    )?;
    for line in lines::judge(records) {
        let standing = match line.passed() {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "not measured",
        };
        let sign = if line.at_least { ">=" } else { "<=" };
        let value = line.value.map_or_else(|| "-".to_owned(), figure);
        let limit = format!("{sign} {}", figure(line.limit));
        writeln!(
            text,
            "{:<46} {value:>10} {limit:>10}  {standing}",
            line.what
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::record::tests::record;

    #[test]
    fn void_seeds_are_named_and_left_out_of_every_arm() {
        let mut killed = record(Arm::None, 1, 60);
        killed.oom_kills[0] = 5;
        let records = [
            killed,
            record(Arm::None, 2, 6000),
            record(Arm::Best, 1, 120),
            record(Arm::Best, 2, 12000),
        ];
        let text = of(&records, 1.0).unwrap();
        assert!(text.contains("seeds {2}"), "{text}");
        let row = text
            .lines()
            .find(|line| line.starts_with("goodput, steady mix"));
        let row = row.unwrap();
        assert!(row.contains(" 1.00 ") && row.contains(" 2.00 "), "{row}");
    }

    #[test]
    fn an_empty_folder_makes_a_table_of_dashes() {
        let text = of(&[], 1.0).unwrap();
        assert!(text.contains("not measured") && !text.contains("passed"));
    }
}
