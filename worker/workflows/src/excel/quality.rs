//! How good the data is: six dimensions as shares with numerator and denominator, their mean, a grade.
//!
//! Dimensions: DAMA UK, "The six primary dimensions for data quality assessment" (2013); each measure as in ISO/IEC 25024.
//! Accuracy needs a reference and is not measured. Invariant: a dimension that cannot be computed is null with its
//! reason, and takes no part in the mean.

use serde_json::{Value, json};

use super::validation::{Report, Tally};
use crate::document::Document;
use crate::number::float;

/// Weights of the mean: completeness, validity, uniqueness, consistency, timeliness. WORKFLOWS 6.3.
const WEIGHTS: [(&str, f64); 5] = [
    ("completeness", 0.30),
    ("validity", 0.30),
    ("uniqueness", 0.15),
    ("consistency", 0.15),
    ("timeliness", 0.10),
];
/// Least overall score of each grade; below the last it is E.
const GRADES: [(&str, f64); 4] = [("A", 0.95), ("B", 0.85), ("C", 0.70), ("D", 0.50)];

/// Writes `quality`.
pub(super) fn fill(report: &Report, doc: &mut Document) {
    let mut quality = json!({"accuracy": null});
    doc.because(
        "/quality/accuracy",
        "not measured: it needs a source of reference",
    );
    let (mut sum, mut weights) = (0.0, 0.0);
    for ((name, weight), share) in WEIGHTS.into_iter().zip(dimensions(report)) {
        match share {
            Ok(tally) if tally.den > 0 => {
                sum += weight * ratio(tally);
                weights += weight;
                quality[name] = share_of(tally);
            }
            Ok(_) => none(&mut quality, name, "there is nothing to count", doc),
            Err(reason) => none(&mut quality, name, reason, doc),
        }
    }
    if report.fill.den > 0 {
        quality["fill"] = share_of(report.fill);
    } else {
        none(&mut quality, "fill", "there is nothing to count", doc);
    }
    if weights > 0.0 {
        let overall = sum / weights;
        quality["overall"] =
            json!({"value": float(overall), "num": float(sum), "den": float(weights)});
        quality["grade"] = grade(overall).into();
    } else {
        none(
            &mut quality,
            "overall",
            "no dimension could be computed",
            doc,
        );
        none(&mut quality, "grade", "no dimension could be computed", doc);
    }
    quality["method"] = json!({
        "completeness": "filled required cells / (rows x required fields)",
        "validity": "filled cells that pass type and constraints / filled cells; cells with an error value count as failing",
        "uniqueness": "distinct complete primary keys / rows",
        "consistency": "(row, rule) pairs that hold / applicable pairs",
        "timeliness": "rows changed within the declared age / rows",
        "fill": "filled cells / cells of all fields; no part of overall",
        "overall": "weighted mean of the dimensions that are not null: num is the weighted sum, den the sum of weights",
        "weights": WEIGHTS.iter().map(|&(n, w)| (n.to_owned(), float(w))).collect::<serde_json::Map<_, _>>(),
        "grades": GRADES.iter().map(|&(n, w)| (n.to_owned(), float(w))).collect::<serde_json::Map<_, _>>(),
        "method_version": 1,
    });
    doc.set("quality", quality);
}

fn none(quality: &mut Value, name: &str, reason: &str, doc: &mut Document) {
    quality[name] = Value::Null;
    doc.because(format!("/quality/{name}"), reason);
}

/// The dimensions in the order of [`WEIGHTS`].
fn dimensions(report: &Report) -> [Result<Tally, &'static str>; 5] {
    let completeness = match report.required {
        tally if tally.den > 0 => Ok(tally),
        _ if report.rows == 0 => Err("there are no rows"),
        _ => Err("no field is required"),
    };
    let consistency = report.consistency().ok_or(if report.has_rules() {
        "no rule applies to any row"
    } else {
        "the schema has no rules"
    });
    [
        completeness,
        Ok(report.valid),
        report.keys.ok_or("the schema has no primary key"),
        consistency,
        report
            .timely
            .unwrap_or(Err("the schema declares no column of last changes")),
    ]
}

fn ratio(tally: Tally) -> f64 {
    tally.num as f64 / tally.den as f64
}

fn share_of(tally: Tally) -> Value {
    json!({"value": float(ratio(tally)), "num": tally.num, "den": tally.den})
}

fn grade(overall: f64) -> &'static str {
    GRADES
        .iter()
        .find(|(_, least)| overall >= *least)
        .map_or("E", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(report: &Report) -> Value {
        let mut doc = Document::default();
        fill(report, &mut doc);
        doc.finish()
    }

    #[test]
    fn the_mean_is_over_what_is_there() {
        let report = Report {
            rows: 10,
            required: Tally { num: 19, den: 20 },
            valid: Tally { num: 8, den: 10 },
            keys: Some(Tally { num: 9, den: 10 }),
            ..Report::default()
        };
        let out = filled(&report);
        let overall = (0.30 * 0.95 + 0.30 * 0.8 + 0.15 * 0.9) / 0.75;
        assert_eq!(out["quality"]["overall"]["value"], float(overall));
        assert_eq!(out["quality"]["grade"], "B");
        assert_eq!(
            out["quality"]["completeness"],
            json!({"value": 0.95, "num": 19, "den": 20})
        );
        for null in ["accuracy", "consistency", "timeliness"] {
            assert!(out["quality"][null].is_null());
            assert!(
                out["null_reasons"][format!("/quality/{null}")].is_string(),
                "{null}"
            );
        }
    }

    #[test]
    fn nothing_gives_null_with_reasons() {
        let out = filled(&Report::default());
        for (name, value) in out["quality"].as_object().unwrap() {
            assert!(name == "method" || value.is_null(), "{name}");
            assert!(
                name == "method" || out["null_reasons"][format!("/quality/{name}")].is_string(),
                "{name}"
            );
        }
    }

    #[test]
    fn grades_begin_at_their_bounds() {
        for (overall, expected) in [
            (1.0, "A"),
            (0.95, "A"),
            (0.949, "B"),
            (0.7, "C"),
            (0.5, "D"),
            (0.0, "E"),
        ] {
            assert_eq!(grade(overall), expected);
        }
    }
}
