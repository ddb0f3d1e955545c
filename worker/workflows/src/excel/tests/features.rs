//! What real workbooks contain besides tables.

use rust_xlsxwriter::{Format, Formula};
use serde_json::{Value, json};

use super::{SHEET, column, edited, made, run, run_with, values, with_cells};

fn warned(output: &Value, words: &str) -> bool {
    let warnings = output["warnings"].as_array().unwrap();
    warnings.iter().any(|w| w.as_str().unwrap().contains(words))
}

#[test]
fn titles_totals_blanks_and_repeated_headers_are_no_records() {
    let output = run(&made(|page| {
        page.write_string(0, 0, "Grants of the year").unwrap();
        for (at, label) in ["Name", "Town", "Amount"].iter().enumerate() {
            page.write_string(2, u16::try_from(at).unwrap(), *label)
                .unwrap();
            page.write_string(6, u16::try_from(at).unwrap(), *label)
                .unwrap();
        }
        for row in [3, 4, 7, 8] {
            page.write_string(row, 0, "Trust").unwrap();
            page.write_string(row, 1, "Leeds").unwrap();
            page.write_number(row, 2, f64::from(row)).unwrap();
        }
        page.write_string(5, 1, "   ").unwrap();
        page.write_string(9, 0, "Total").unwrap();
        page.write_number(9, 2, 22).unwrap();
    }));
    let sheet = &output["sheets"][0];
    assert_eq!(
        (&sheet["header_row"], &sheet["rows"]),
        (&json!(3), &json!(4))
    );
    assert_eq!(
        (&sheet["total_rows"], &sheet["repeated_header_rows"]),
        (&json!([10]), &json!([7]))
    );
    assert_eq!(
        (&sheet["preamble_rows"], &sheet["blank_rows"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(output["totals"][0]["sum"], 22.0);
    assert_eq!(output["totals"][0]["checks"][0]["matches"], true);
    assert_eq!(output["records"][2]["source"], "Sheet1!R8C1");
}

#[test]
fn labels_are_made_unique_and_headers_of_two_rows_are_flagged() {
    let output = run(&made(|page| {
        for (at, label) in [(0, "Grant"), (2, "Recipient")] {
            page.write_string(0, at, label).unwrap();
        }
        for (at, label) in [(0, "Id"), (1, "Name"), (2, "name "), (4, "Name_2")] {
            page.write_string(1, at, label).unwrap();
        }
        for row in 2..8 {
            for at in 0..5 {
                page.write_number(row, at, f64::from(row)).unwrap();
            }
        }
    }));
    let names: Vec<&str> = output["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Id", "Name", "name_3", "column_4", "Name_2"]);
    assert_eq!(output["sheets"][0]["header_row"], 2);
    assert_eq!(output["sheets"][0]["header_rows"], 2);
    assert!(warned(&output, "rows 1 to 2"));
    let codes = &output["validation"]["counts_by_code"];
    assert_eq!(
        (&codes["missing-label"], &codes["duplicate-label"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn the_header_row_can_be_said() {
    let bytes = made(|page| {
        for row in 0..5 {
            page.write_string(row, 0, format!("a{row}")).unwrap();
            page.write_string(row, 1, format!("b{row}")).unwrap();
        }
    });
    assert_eq!(run(&bytes)["sheets"][0]["header_row"], 1);
    let output = run_with(&bytes, json!({"header": 3})).unwrap();
    assert_eq!(values(&output, "a2"), [json!("a3"), json!("a4")]);
    assert!(
        run_with(&bytes, json!({"header": 9}))
            .unwrap_err()
            .to_string()
            .contains("/header")
    );
    assert!(run_with(&bytes, json!({"header": "third"})).is_err());
}

#[test]
fn dates_of_both_epochs_and_impossible_ones() {
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let clock = Format::new().set_num_format("hh:mm");
    let bytes = made(|page| {
        page.write_string(0, 0, "Day").unwrap();
        page.write_string(0, 1, "Time").unwrap();
        for (row, serial) in [(1, 1.0), (2, 59.0), (3, 60.0), (4, 61.0), (5, 43_831.5)] {
            page.write_number_with_format(row, 0, serial, &day).unwrap();
            page.write_number_with_format(row, 1, 0.5, &clock).unwrap();
        }
    });
    let output = run(&bytes);
    let days = json!([
        "1900-01-01",
        "1900-02-28",
        null,
        "1900-03-01",
        "2020-01-01T12:00:00"
    ]);
    assert_eq!(json!(values(&output, "Day")), days);
    assert_eq!(values(&output, "Time")[0], "12:00:00");
    assert_eq!(column(&output, "Time")["type"], "time");
    let exceptions = column(&output, "Day")["exceptions"]
        .as_array()
        .unwrap()
        .clone();
    assert!(exceptions.contains(&json!({"cell": "Sheet1!R4C1", "value_kind": "impossible_date"})));
    assert!(warned(&output, "29 February 1900"));

    let mac = edited(&bytes, "xl/workbook.xml", |xml| {
        xml.replacen("<workbookPr ", "<workbookPr date1904=\"1\" ", 1)
    });
    assert_eq!(values(&run(&mac), "Day")[3], "1904-03-02");
}

#[test]
fn text_dates_are_never_guessed() {
    let csv = |dates: &[&str]| {
        let rows = dates.iter().enumerate();
        let rows: Vec<String> = rows.map(|(i, d)| format!("{i},{d}\n")).collect();
        run(format!("Id,When\n{}", rows.concat()).as_bytes())
    };
    let open = csv(&["03/04/2020", "05/06/2020", "01/02/2020"]);
    let when = column(&open, "When");
    assert_eq!(
        (&when["ambiguous_dates"], &when["type"]),
        (&json!(true), &json!("string"))
    );
    assert_eq!(values(&open, "When")[0], "03/04/2020");
    let settled = csv(&["03/04/2020", "25/06/2020", "01/02/2020"]);
    assert_eq!(column(&settled, "When")["day_order"], "day_first");
    assert_eq!(values(&settled, "When")[0], "2020-04-03");
    let american = csv(&["03/04/2020", "06/25/2020", "01/02/2020"]);
    assert_eq!(values(&american, "When")[0], "2020-03-04");
    let mixed = csv(&["03/04/2020", "06/25/2020", "25/06/2020"]);
    assert_eq!(column(&mixed, "When")["ambiguous_dates"], true);
}

#[test]
fn types_follow_the_cells() {
    let bytes = made(|page| {
        let labels = [
            "int", "num", "mostly", "id", "mail", "web", "org", "code", "cat", "flag", "empty",
            "phone",
        ];
        for (at, label) in (0..).zip(labels) {
            page.write_string(0, at, label).unwrap();
        }
        for row in 1..=40 {
            let n = f64::from(row);
            page.write_number(row, 0, n).unwrap();
            page.write_number(row, 1, n / 7.0).unwrap();
            if row == 7 {
                page.write_string(row, 2, "n/a").unwrap();
            } else {
                page.write_number(row, 2, n).unwrap();
            }
            if row % 30 == 0 {
                page.write_string(row, 3, format!("{row:05}")).unwrap();
            } else {
                page.write_number(row, 3, n).unwrap();
            }
            page.write_string(row, 4, format!("p{row}@x.org")).unwrap();
            page.write_string(row, 5, format!("https://x.org/{row}"))
                .unwrap();
            page.write_string(row, 6, format!("GB-CHC-{row}")).unwrap();
            page.write_string(row, 7, "GBP").unwrap();
            page.write_string(row, 8, ["red", "green"][row as usize % 2])
                .unwrap();
            page.write_boolean(row, 9, row % 2 == 0).unwrap();
            page.write_string(row, 11, format!("+44 20 7946 {row:04}"))
                .unwrap();
        }
    });
    let output = run(&bytes);
    let kinds: Vec<&str> = output["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["type"].as_str().unwrap())
        .collect();
    let wanted = [
        "integer", "number", "integer", "string", "email", "url", "org_id", "currency", "string",
        "boolean", "empty", "phone",
    ];
    assert_eq!(kinds, wanted);
    assert_eq!(
        column(&output, "mostly")["exceptions"],
        json!([{"cell": "Sheet1!R8C3", "value_kind": "text"}])
    );
    assert_eq!(column(&output, "mostly")["support"], 0.975);
    assert_eq!(column(&output, "cat")["sub_type"], "categorical");
    assert_eq!(column(&output, "id")["native_types"]["text"], 1);
    for c in output["columns"].as_array().unwrap() {
        let errors = c["native_types"]["error"].as_u64().unwrap();
        let sum = c["supported"].as_u64().unwrap() + c["exceptions_total"].as_u64().unwrap();
        assert_eq!(sum, c["filled"].as_u64().unwrap() + errors, "{}", c["name"]);
    }
}

#[test]
fn formulas_merges_hidden_rows_rich_text_and_escapes() {
    let bytes = made(|page| {
        page.write_string(0, 0, "Text").unwrap();
        page.write_string(0, 1, "Sum").unwrap();
        let (bold, plain) = (Format::new().set_bold(), Format::default());
        page.write_rich_string(1, 0, &[(&bold, "rich "), (&plain, "text")])
            .unwrap();
        page.write_formula(1, 1, Formula::new("=1+1").set_result("2"))
            .unwrap();
        page.write_string(2, 0, "a_x000D_b").unwrap();
        page.write_formula(2, 1, Formula::new("=1/0").set_result("#DIV/0!"))
            .unwrap();
        page.write_string(3, 0, "  kept  ").unwrap();
        page.set_row_hidden(3).unwrap();
        page.merge_range(5, 0, 6, 1, "merged", &plain).unwrap();
    });
    let bytes = edited(&bytes, SHEET, |xml| {
        // A formula that was never calculated.
        xml.replacen(
            "</row><row r=\"6\"",
            "<c r=\"B4\"><f>NOW()</f></c></row><row r=\"6\"",
            1,
        )
    });
    let output = run(&bytes);
    let sheet = &output["sheets"][0];
    assert_eq!(
        values(&output, "Text")[..3],
        [json!("rich text"), json!("a_x000D_b"), json!("  kept  ")]
    );
    assert_eq!(values(&output, "Sum")[..2], [json!(2), Value::Null]);
    assert_eq!(
        (&sheet["merged"], &sheet["hidden_rows"]),
        (&json!(["A6:B7"]), &json!(1))
    );
    assert_eq!(
        (&sheet["formulas"], &sheet["uncalculated"]),
        (&json!(3), &json!(["Sheet1!R4C2"]))
    );
    assert!(warned(&output, "never calculated here"));
}

#[test]
fn escapes_of_the_file_are_undone_once() {
    let output = run(&with_cells(
        r#"<row r="1"><c r="A1" t="inlineStr"><is><t>Label</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>a_x0009_b</t></is></c></row>"#,
    ));
    assert_eq!(values(&output, "Label"), [json!("a\tb")]);
}

#[test]
fn columns_rows_and_sheets_in_any_order_give_the_same() {
    let table = |columns: &[usize], extra: bool| {
        made(|page| {
            for (at, &column) in (0..).zip(columns) {
                page.write_string(0, at, format!("L{column}")).unwrap();
                for row in 1..30 {
                    match column {
                        0 => page.write_string(row, at, format!("n{row}")).unwrap(),
                        1 => page.write_number(row, at, f64::from(row)).unwrap(),
                        _ => page.write_boolean(row, at, row % 3 == 0).unwrap(),
                    };
                }
                if extra {
                    page.write_blank(500, at, &Format::new().set_bold())
                        .unwrap();
                }
            }
        })
    };
    let summary = |bytes: &[u8]| {
        let output = run(bytes);
        let facts = ["L0", "L1", "L2"].map(|name| {
            let c = column(&output, name);
            json!([
                c["type"],
                c["support"],
                c["distinct"],
                c["native_types"],
                values(&output, name)
            ])
        });
        (
            facts,
            output["quality"].clone(),
            output["sheets"][0]["rows"].clone(),
        )
    };
    let first = summary(&table(&[0, 1, 2], false));
    assert_eq!(first, summary(&table(&[2, 0, 1], false)));
    assert_eq!(
        first,
        summary(&table(&[0, 1, 2], true)),
        "formatted empty rows below"
    );
    let two = |swapped: bool| {
        let mut book = rust_xlsxwriter::Workbook::new();
        let names = if swapped { ["B", "A"] } else { ["A", "B"] };
        for name in names {
            let page = book.add_worksheet().set_name(name).unwrap();
            page.write_string(0, 0, format!("Label {name}")).unwrap();
            page.write_number(1, 0, f64::from(u32::from(name == "A")))
                .unwrap();
        }
        let output = run(&book.save_to_buffer().unwrap());
        let mut columns = output["columns"].as_array().unwrap().clone();
        columns.sort_by_key(|c| c["name"].to_string());
        columns
    };
    assert_eq!(two(false), two(true));
}

#[test]
fn the_cleaned_workbook_is_inert_and_the_same_each_time() {
    let csv = "Name,Amount,When\n\"=HYPERLINK(\"\"http://x\"\")\",5,2020-01-02\n @x ,6,2020-01-03\n+1,7,2020-01-04\nplain,8,\nTotal,26,\n";
    let files = super::mutations::Kept::default();
    let make = || {
        let run = crate::Run {
            files: &files,
            ..crate::Run::unattended()
        };
        super::super::run(
            &super::input(csv.as_bytes(), &json!({"cleaned_workbook": true})),
            &run,
        )
        .unwrap()
    };
    let first = make();
    let second = make();
    assert_eq!(first, second, "byte-identical, file ids included");
    let kept = files.0.lock().unwrap();
    let (_, bytes) = kept
        .iter()
        .find(|(name, _)| name == "cleaned.xlsx")
        .unwrap();
    let members = super::members(bytes);
    let sheet = &members.iter().find(|(name, _)| name == SHEET).unwrap().1;
    assert!(!String::from_utf8_lossy(sheet).contains("<f>"));
    let styles = &members
        .iter()
        .find(|(name, _)| name == "xl/styles.xml")
        .unwrap()
        .1;
    assert!(String::from_utf8_lossy(styles).contains("quotePrefix"));
    let again = run(bytes);
    assert_eq!(
        values(&again, "Name"),
        [
            json!("=HYPERLINK(\"http://x\")"),
            json!("@x"),
            json!("+1"),
            json!("plain")
        ]
    );
    assert_eq!(values(&again, "When")[0], "2020-01-02");
    assert_eq!(column(&again, "Amount")["type"], "integer");
    let (_, lines) = kept
        .iter()
        .find(|(name, _)| name == "records-1.jsonl")
        .unwrap();
    let lines: Vec<Value> = lines
        .split(|b| *b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    assert_eq!(json!(lines), first["records"]);
}

#[test]
fn totals_are_kept_apart_by_currency() {
    let csv = "Name,Amount,Currency\na,0.1,GBP\nb,0.2,EUR\nc,0.2,GBP\nd,5,\n";
    let output = run(csv.as_bytes());
    let total = &output["totals"][0];
    assert_eq!(total["sum_exact"], "5.5");
    let wanted = json!({
        "EUR": {"sum": 0.2, "sum_exact": "0.2", "n": 1},
        "GBP": {"sum": 0.3, "sum_exact": "0.3", "n": 2},
        "other": {"sum": 5.0, "sum_exact": "5", "n": 1}
    });
    assert_eq!(total["by_currency"], wanted);
    let two = "Name,Amount,Currency,Paid in\na,1,GBP,EUR\nb,2,EUR,EUR\n";
    let output = run(two.as_bytes());
    assert!(output["totals"][0]["by_currency"].is_null());
    assert!(output["null_reasons"]["/totals/*/by_currency"].is_string());
}
