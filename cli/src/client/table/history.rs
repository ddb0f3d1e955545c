//! What a worker or the fleet looked like minute by minute: a line a figure.
//!
//! Invariant: a column of a spark is a span of time, the same in every line;
//! minutes without a figure stay blank. Of several minutes in one column the
//! worst shows.

use serde::Deserialize as _;
use serde_json::Value;
use shared::model::Stamp;

use super::{cell, columns, figure};

/// Columns of a spark: an hour is one a minute.
const WIDTH: usize = 60;
/// Microseconds of a minute: the distance of rows.
const MINUTE: i64 = 60_000_000;

/// A figure: its member, its scale (none: up to its greatest), and how it is
/// written.
struct Figure {
    name: &'static str,
    scale: Option<(f64, f64)>,
    write: fn(&Value) -> String,
    /// Less of it is worse.
    good: bool,
}

const FIGURES: [Figure; 9] = [
    Figure::share("memory"),
    Figure::share("cpu"),
    Figure::share("disk"),
    Figure {
        scale: Some((0.0, 4.0)),
        ..Figure::count("level")
    },
    Figure {
        scale: Some((0.0, 100.0)),
        good: true,
        ..Figure::count("health")
    },
    Figure::count("slots_used"),
    Figure {
        good: true,
        ..Figure::count("slots_limit")
    },
    Figure::count("in_flight"),
    Figure::count("pending"),
];

impl Figure {
    const fn share(name: &'static str) -> Self {
        Self {
            name,
            scale: Some((0.0, 1.0)),
            write: figure::percent,
            good: false,
        }
    }

    const fn count(name: &'static str) -> Self {
        Self {
            name,
            scale: None,
            write: cell,
            good: false,
        }
    }
}

/// The table.
pub(crate) fn table(answer: &Value) -> String {
    let rows: Vec<(Stamp, &Value)> = answer["history"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| {
            let at = Stamp::deserialize(&row["at"]).ok()?;
            Some((at, &row["figures"]))
        })
        .collect();
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else {
        return "nothing has been written yet; a row is written every minute".into();
    };
    let lines: Vec<_> = FIGURES
        .iter()
        .filter_map(|figure| line(figure, &rows, (*first, *last)))
        .collect();
    let table = columns(&["FIGURE", "LEAST", "MOST", "LATEST", ""], &lines);
    format!(
        "{} minutes, {} to {}; levels: 0 normal, 1 elevated, 2 high, 3 critical, 4 emergency\n\n{table}",
        rows.len(),
        figure::moment(&first.to_string().into()),
        figure::moment(&last.to_string().into()),
    )
}

fn line(figure: &Figure, rows: &[(Stamp, &Value)], span: (Stamp, Stamp)) -> Option<Vec<String>> {
    let known: Vec<(Stamp, f64)> = rows
        .iter()
        .filter_map(|(at, figures)| Some((*at, figures[figure.name].as_f64()?)))
        .collect();
    let values = || known.iter().map(|(_, value)| *value);
    let least = values().reduce(f64::min)?;
    let most = values().reduce(f64::max)?;
    let (_, latest) = known.last()?;
    let scale = figure.scale.unwrap_or((0.0, most));
    let write = |value: f64| (figure.write)(&number(value));
    Some(vec![
        figure.name.replace('_', " "),
        write(least),
        write(most),
        write(*latest),
        spark(
            &known,
            span,
            |now, then| {
                if figure.good {
                    now.min(then)
                } else {
                    now.max(then)
                }
            },
            scale,
        ),
    ])
}

/// A whole number as one, so that it is written without a fraction.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and far below 2^53")]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        (value as i64).into()
    } else {
        value.into()
    }
}

fn spark(
    known: &[(Stamp, f64)],
    (first, last): (Stamp, Stamp),
    worse: impl Fn(f64, f64) -> f64,
    scale: (f64, f64),
) -> String {
    let minutes = (last.micros() - first.micros()) / MINUTE + 1;
    let width = WIDTH.min(usize::try_from(minutes).unwrap_or(WIDTH));
    let mut cells: Vec<Option<f64>> = vec![None; width];
    for (at, value) in known {
        let minute = (at.micros() - first.micros()) / MINUTE;
        let place = minute * i64::try_from(width).unwrap_or(1) / minutes;
        let Some(cell) = usize::try_from(place).ok().and_then(|at| cells.get_mut(at)) else {
            continue;
        };
        *cell = Some(cell.map_or(*value, |held| worse(held, *value)));
    }
    let each = cells
        .iter()
        .map(|cell| cell.map_or(' ', |value| figure::spark(value, scale)));
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(minute: i64, figures: &Value) -> Value {
        let at = Stamp::from_micros(1_700_000_040_000_000 + minute * MINUTE);
        json!({"at": at.to_string(), "figures": figures})
    }

    #[test]
    fn a_column_is_a_minute_and_gaps_stay_blank() {
        let history = vec![
            row(0, &json!({"memory": 0.0, "level": 0})),
            row(1, &json!({"memory": 1.0, "level": 4})),
            row(3, &json!({"memory": 0.5, "level": 2})),
        ];
        let text = table(&json!({"history": history}));
        assert!(
            text.starts_with("3 minutes, 2023-11-14 22:14:00Z to 2023-11-14 22:17:00Z"),
            "{text}"
        );
        assert!(
            text.contains("memory  0 %    100 %  50 %    ▁█ ▅"),
            "{text}"
        );
        assert!(
            text.contains("level   0      4      2       ▁█ ▅"),
            "{text}"
        );
        assert!(!text.contains("disk"), "{text}");
    }

    #[test]
    fn of_many_minutes_the_worst_of_a_column_shows() {
        let figures = |minute| match minute {
            61 => json!({"memory": 1.0, "health": 0.0}),
            _ => json!({"memory": 0.0, "health": 100.0}),
        };
        let history: Vec<Value> = (0..120)
            .map(|minute| row(minute, &figures(minute)))
            .collect();
        let text = table(&json!({"history": history}));
        let spark = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        assert_eq!(spark("memory").chars().count(), WIDTH);
        assert_eq!(spark("memory").chars().position(|c| c == '█'), Some(30));
        assert_eq!(spark("health").chars().position(|c| c == '▁'), Some(30));
    }

    #[test]
    fn without_rows_it_says_so() {
        assert!(table(&json!({"history": []})).contains("nothing has been written yet"));
    }
}
