//! An output in words, for a programme officer.

use std::fmt::Write;

use serde_json::Value;

const FINE: &str = "writing to a string cannot fail";
const SHEETS_SHOWN: usize = 10;
const WARNINGS_SHOWN: usize = 5;

/// A few sentences, the sheets, and what is wrong most often.
pub(crate) fn text(output: &Value) -> String {
    let sheets = list(&output["sheets"]);
    let rows: u64 = sheets.iter().filter_map(|s| s["rows"].as_u64()).sum();
    let mut text = format!(
        "The workbook ({}) has {} with {rows} records in {} columns.",
        output["format"].as_str().unwrap_or("unknown format"),
        counted(sheets.len(), "sheet"),
        output["columns_total"],
    );
    quality(output, &mut text);
    entities(output, &mut text);
    write!(
        text,
        "\n\n{:<32} {:>8} {:>8}  {:<8} range\n",
        "sheet", "records", "columns", "header"
    )
    .expect(FINE);
    for sheet in sheets.iter().take(SHEETS_SHOWN) {
        let name: String = sheet["name"]
            .as_str()
            .unwrap_or_default()
            .chars()
            .take(32)
            .collect();
        let header = sheet["header_row"]
            .as_u64()
            .map_or("none".to_owned(), |row| format!("row {row}"));
        let range = sheet["used_range"].as_str().unwrap_or("empty");
        // A JSON value ignores the width of its column, text keeps it.
        let [records, columns] = ["rows", "columns"].map(|name| sheet[name].to_string());
        writeln!(
            text,
            "{name:<32} {records:>8} {columns:>8}  {header:<8} {range}"
        )
        .expect(FINE);
    }
    more(sheets.len(), SHEETS_SHOWN, "sheets", &mut text);
    errors(output, &mut text);
    let warnings = list(&output["warnings"]);
    for warning in warnings
        .iter()
        .take(WARNINGS_SHOWN)
        .filter_map(Value::as_str)
    {
        writeln!(text, "Note: {warning}.").expect(FINE);
    }
    more(warnings.len(), WARNINGS_SHOWN, "notes", &mut text);
    text
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn more(all: usize, shown: usize, what: &str, text: &mut String) {
    if all > shown {
        writeln!(text, "... and {} more {what}.", all - shown).expect(FINE);
    }
}

fn quality(output: &Value, text: &mut String) {
    let quality = &output["quality"];
    let share = |name: &str| quality[name]["value"].as_f64().map(|x| 100.0 * x);
    if let Some(overall) = share("overall") {
        let grade = quality["grade"]
            .as_str()
            .or(quality["grade"]["value"].as_str())
            .unwrap_or("none");
        write!(text, " Its data quality is {overall:.1} % (grade {grade})").expect(FINE);
        let parts: Vec<String> = [
            "completeness",
            "validity",
            "uniqueness",
            "consistency",
            "timeliness",
        ]
        .iter()
        .filter_map(|name| share(name).map(|x| format!("{name} {x:.1} %")))
        .collect();
        write!(text, ": {}.", parts.join(", ")).expect(FINE);
    }
}

fn entities(output: &Value, text: &mut String) {
    let found = list(&output["entities"]);
    if !found.is_empty() {
        let several = found.iter().filter(|e| list(&e["names"]).len() > 1).count();
        write!(
            text,
            " It speaks of {}, {several} of them under more than one name.",
            counted(found.len(), "entity").replace("entitys", "entities")
        )
        .expect(FINE);
    }
}

fn errors(output: &Value, text: &mut String) {
    let counts = output["validation"]["counts_by_code"].as_object();
    let mut counts: Vec<(u64, &String)> = counts
        .into_iter()
        .flatten()
        .filter_map(|(code, n)| Some((n.as_u64()?, code)))
        .collect();
    counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    if counts.is_empty() {
        text.push_str("\nNothing is wrong with the cells that were checked.\n");
        return;
    }
    writeln!(text, "\n{:<32} {:>8}", "found wrong", "times").expect(FINE);
    for (n, code) in counts {
        writeln!(text, "{code:<32} {n:>8}").expect(FINE);
    }
}
