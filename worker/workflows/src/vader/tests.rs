//! vaderSentiment 3.3.2 as the oracle: every rated line of its distribution, and seeded sentences that press on the
//! quirks. The results were made by `tests/oracle/make_vader.py`.

use std::io::{Cursor, Read};

use super::{Scores, polarity_scores};
use crate::number::correlation;

/// A line of the oracle.
struct Line {
    human: Option<f64>,
    scores: Scores,
    text: String,
}

fn lines(set: &str) -> Vec<Line> {
    let archive = include_bytes!("../../tests/oracle/vader.zip");
    let mut archive = zip::ZipArchive::new(Cursor::new(&archive[..])).unwrap();
    let mut content = String::new();
    archive
        .by_name(&format!("{set}.tsv"))
        .unwrap()
        .read_to_string(&mut content)
        .unwrap();
    content.split_terminator('\n').map(line).collect()
}

fn line(line: &str) -> Line {
    let fields: Vec<&str> = line.split('\t').collect();
    assert_eq!(fields.len(), 6);
    let number = |i: usize| fields[i].parse::<f64>().unwrap();
    Line {
        human: fields[0].parse().ok(),
        scores: Scores {
            neg: number(1),
            neu: number(2),
            pos: number(3),
            compound: number(4),
        },
        text: serde_json::from_str(fields[5]).unwrap(),
    }
}

/// All lines of a set that differ, none expected; the mean compound; Pearson's r with the human mean.
fn compare(set: &str, rows: usize) -> (f64, f64) {
    let lines = lines(set);
    assert_eq!(lines.len(), rows, "{set}");
    let wrong: Vec<String> = lines
        .iter()
        .filter(|l| polarity_scores(&l.text) != l.scores)
        .map(|l| {
            format!(
                "{:?}\n  {:?}\n  {:?}",
                l.text,
                l.scores,
                polarity_scores(&l.text)
            )
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{set}: {} of {rows} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(5)].join("\n")
    );
    let ours: Vec<f64> = lines
        .iter()
        .map(|l| polarity_scores(&l.text).compound)
        .collect();
    let human: Vec<f64> = lines.iter().filter_map(|l| l.human).collect();
    let mean = ours.iter().sum::<f64>() / rows as f64;
    let r = if human.len() == rows {
        correlation(&ours, &human).unwrap()
    } else {
        f64::NAN
    };
    (mean, r)
}

#[test]
fn all_rated_lines_score_as_in_python() {
    // Rows, mean compound and correlation with the human mean, from the package itself.
    for (set, rows, mean, r) in [
        ("tweets", 4_200, 0.245_663, 0.872_2),
        ("nytEditorialSnippets", 5_190, 0.038_956, 0.502_9),
        ("movieReviewSnippets", 10_605, 0.172_856, 0.427_4),
        ("amazonReviewSnippets", 3_708, 0.186_237, 0.589_6),
    ] {
        let (our_mean, our_r) = compare(set, rows);
        assert!((our_mean - mean).abs() < 1e-6, "{set}: {our_mean}");
        assert!((our_r - r).abs() < 1e-4, "{set}: {our_r}");
    }
}

#[test]
fn sentences_that_press_on_the_quirks_score_as_in_python() {
    compare("synthetic", 8_000);
}

#[test]
fn rounding_is_that_of_python() {
    // round(0.0625, 3), round(0.1875, 3), round(0.00005, 4), round(2.675, 2), round(-0.43215, 4) of Python 3.11
    for (x, digits, expected) in [
        (0.0625, 3, 0.062),
        (0.1875, 3, 0.188),
        (0.000_05, 4, 0.000_1),
        (2.675, 2, 2.67),
        (-0.432_15, 4, -0.432_1),
    ] {
        let rounded = super::rounded(x, digits);
        assert!((rounded - expected).abs() < 1e-15, "{x}: {rounded}");
    }
}

#[test]
fn a_text_without_words_has_no_tone() {
    for text in ["", " \n\u{1c}\u{3000}"] {
        let scores = polarity_scores(text);
        let sum = scores.neg + scores.neu + scores.pos + scores.compound.abs();
        assert!(sum.abs() < 1e-12, "{scores:?}");
    }
}

#[test]
fn capitals_are_those_of_python() {
    // str.isupper of Python 3.11
    for (word, expected) in [
        ("GOOD", true),
        ("GO-2", true),
        ("GOoD", false),
        ("123", false),
        ("\u{1c5}ABC", false),
        ("\u{1f88}B", false),
        ("\u{2160}X", true),
        ("\u{aa}BC", false),
        ("\u{4e2d}A", true),
    ] {
        assert_eq!(super::text::tokens(word)[0].upper, expected, "{word}");
    }
}
