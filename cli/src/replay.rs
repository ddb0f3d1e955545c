//! `zerogate replay`: decides a worker's log again, offline.
//!
//! Invariant: with the recorded thresholds any other answer than the recorded
//! one is a failure (exit code 1); with other thresholds both are shown side
//! by side, and nothing fails.

use std::{collections::BTreeSet, fs::File, io::BufReader, process::ExitCode};

use resources::{
    profile::Overrides,
    record::{Figures, Replayed, WhatIf, replay},
};
use serde_json::{Map, Value};

use crate::{
    arguments::{Output, resources::Replay},
    client::{
        table::{self, columns, figure},
        usage,
    },
    exit::{Failure, TASK_FAILED},
};

/// Differences that are shown to people; the rest is counted.
const SHOWN: usize = 5;
/// Characters of a recorded and of a replayed answer that are shown, from
/// where they part.
const EXCERPT: usize = 100;

/// Runs the command.
pub(crate) fn run(command: &Replay) -> anyhow::Result<ExitCode> {
    let what_if = WhatIf {
        profile: command.profile,
        figures: figures(&command.set)?,
    };
    let place = command.log.display();
    let log = File::open(&command.log).map_err(|error| usage(format!("{place}: {error}")))?;
    let replayed = replay(BufReader::new(log), &what_if)
        .map_err(|error| usage(format!("{place}: {error}")))?;
    match command.output {
        Output::Json => table::line(&serde_json::to_string_pretty(&replayed)?)?,
        Output::Table => table::line(&text(&replayed))?,
    }
    let failed = replayed.different > 0 && !replayed.other_thresholds;
    Ok(if failed {
        ExitCode::from(TASK_FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The figures of `--set`.
fn figures(given: &[String]) -> Result<Overrides, Failure> {
    let mut members = Map::new();
    for pair in given {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            usage(format!(
                "--set `{pair}` has no `=`; write it such as memory_high=85"
            ))
        })?;
        let value: Value = serde_json::from_str(value.trim())
            .map_err(|_| usage(format!("--set {name}: `{value}` is not a number")))?;
        if members.insert(name.trim().to_owned(), value).is_some() {
            return Err(usage(format!("--set {name} is there twice")));
        }
    }
    serde_json::from_value(Value::Object(members)).map_err(|error| usage(format!("--set: {error}")))
}

/// What came of it, for people.
fn text(replayed: &Replayed) -> String {
    let events = replayed.events;
    let lasted = figure::lasting(replayed.lasted);
    let head = match (replayed.different, replayed.other_thresholds) {
        (0, false) => format!("all {events} answers are the same, bit for bit ({lasted})"),
        (0, true) => format!("the other thresholds change none of {events} answers ({lasted})"),
        (different, false) => {
            format!("{different} of {events} answers are NOT those that were recorded ({lasted})")
        }
        (different, true) => {
            format!("with the other thresholds {different} of {events} answers differ ({lasted})")
        }
    };
    let mut blocks = vec![head, side_by_side(replayed)];
    if replayed.different > 0 && !replayed.other_thresholds {
        blocks.push(differences(replayed));
    }
    blocks.join("\n\n")
}

fn side_by_side(replayed: &Replayed) -> String {
    let (then, now) = (rows(&replayed.recorded), rows(&replayed.figures));
    let names: BTreeSet<(usize, &str)> = then
        .iter()
        .chain(&now)
        .map(|(place, name, _)| (*place, name.as_str()))
        .collect();
    let alone = replayed.different == 0;
    let rows: Vec<_> = names
        .into_iter()
        .map(|(place, name)| {
            let value = |rows: &[(usize, String, String)]| {
                let found = rows
                    .iter()
                    .find(|row| (row.0, row.1.as_str()) == (place, name));
                found.map_or_else(|| "0".to_owned(), |row| row.2.clone())
            };
            let mut row = vec![name.to_owned(), value(&then)];
            if !alone {
                row.push(value(&now));
            }
            row
        })
        .collect();
    let tried = if replayed.other_thresholds {
        "TRIED"
    } else {
        "REPLAYED"
    };
    let headings = ["FIGURE", "RECORDED", tried];
    columns(&headings[..if alone { 2 } else { 3 }], &rows)
}

/// The figures with their names, and their places in the table.
fn rows(figures: &Figures) -> Vec<(usize, String, String)> {
    let mut rows = Vec::new();
    let mut row = |place, name: String, value: String| rows.push((place, name, value));
    row(0, "looks".into(), figures.ticks.to_string());
    row(1, "asked".into(), figures.asked.to_string());
    row(2, "granted".into(), figures.granted.to_string());
    for (resource, count) in &figures.blocked {
        row(3, format!("blocked by {resource}"), count.to_string());
    }
    row(4, "did not fit in hand".into(), figures.misfits.to_string());
    for (level, seconds) in &figures.seconds_at {
        let place = 5 + rank(level);
        row(
            place,
            format!("seconds at {level}"),
            format!("{seconds:.1}"),
        );
    }
    row(
        10,
        "changes of level".into(),
        figures.level_changes.to_string(),
    );
    row(
        11,
        "features switched off".into(),
        figures.switched_off.to_string(),
    );
    for (level, count) in &figures.notes {
        row(12, format!("messages of level {level}"), count.to_string());
    }
    let least = figures.least_slots;
    let least = least.map_or_else(|| "-".into(), |slots| slots.to_string());
    row(13, "least slots".into(), least);
    rows
}

fn rank(level: &str) -> usize {
    let mut levels = shared::model::Level::ALL.iter();
    levels
        .position(|known| known.as_str() == level)
        .unwrap_or(0)
}

fn differences(replayed: &Replayed) -> String {
    let listed = replayed.differences.iter().take(SHOWN).map(|difference| {
        let (then, now) = (&difference.recorded, &difference.replayed);
        let same = then.chars().zip(now.chars()).take_while(|(a, b)| a == b);
        // A little of what is the same, to see where it is.
        let from = same.count().saturating_sub(EXCERPT / 4);
        let excerpt = |text: &str| {
            let rest: String = text.chars().skip(from).collect();
            table::short(&rest, EXCERPT)
        };
        format!(
            "line {}, from character {from}\n  recorded  {}\n  replayed  {}",
            difference.line,
            excerpt(then),
            excerpt(now),
        )
    });
    let mut listed: Vec<String> = listed.collect();
    let more = replayed.different.saturating_sub(listed.len());
    if more > 0 {
        listed.push(format!("and {more} more (-o json shows further ones)"));
    }
    listed.join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use resources::record::Difference;

    use super::*;

    fn replayed(different: usize, other_thresholds: bool) -> Replayed {
        let figures = |asked, level: &str| Figures {
            asked,
            seconds_at: [(level.to_owned(), 2.5)].into(),
            ..Figures::default()
        };
        Replayed {
            events: 3,
            lasted: Duration::from_secs(61),
            recorded: figures(9, "high"),
            figures: figures(9, "normal"),
            other_thresholds,
            different,
            differences: vec![Difference {
                line: 4,
                recorded: r#"{"granted":1}"#.into(),
                replayed: r#"{"granted":2}"#.into(),
            }],
        }
    }

    #[test]
    fn the_same_answers_are_said_to_be_the_same() {
        let text = text(&replayed(0, false));
        assert!(text.starts_with("all 3 answers are the same, bit for bit (1 min 1 s)"));
        assert!(
            !text.contains("REPLAYED") && !text.contains("line 4"),
            "{text}"
        );
    }

    #[test]
    fn other_answers_are_shown_where_they_part() {
        let text = text(&replayed(7, false));
        assert!(text.contains("7 of 3 answers are NOT"), "{text}");
        assert!(
            text.contains("line 4, from character 0\n  recorded  {\"granted\":1}\n"),
            "{text}"
        );
        assert!(text.contains("and 6 more"), "{text}");
    }

    #[test]
    fn other_thresholds_stand_side_by_side() {
        let text = text(&replayed(1, true));
        let line = |name: &str| {
            let found = text.lines().find(|line| line.starts_with(name));
            found.map(|line| line.split_whitespace().rev().take(2).collect::<Vec<_>>())
        };
        assert_eq!(line("seconds at normal"), Some(vec!["2.5", "0"]), "{text}");
        assert_eq!(line("seconds at high"), Some(vec!["0", "2.5"]), "{text}");
        assert_eq!(line("FIGURE"), Some(vec!["TRIED", "RECORDED"]), "{text}");
        assert!(!text.contains("line 4"), "{text}");
    }

    #[test]
    fn figures_are_read_and_nonsense_is_refused() {
        let set = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|&pair| pair.to_owned()).collect();
            figures(&given)
        };
        let read = set(&["memory_high=85", "prediction_acts=false"]).unwrap();
        assert_eq!(
            (read.memory_high, read.prediction_acts),
            (Some(85.0), Some(false))
        );
        for wrong in [
            &["memory_high"][..],
            &["memory_high=lots"],
            &["no_such_figure=1"],
            &["memory_high=80", "memory_high=85"],
            &["memory_high=NaN"],
        ] {
            assert!(set(wrong).is_err(), "{wrong:?}");
        }
    }
}
