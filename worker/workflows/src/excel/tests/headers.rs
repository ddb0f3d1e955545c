//! Which row names the columns, in tables as small and as odd as people send them.

use serde_json::{Value, json};

use super::{column, made, run, values};

/// Row of the header, and number of records.
fn found(csv: &str) -> (Value, Value) {
    let output = run(csv.as_bytes());
    let sheet = &output["sheets"][0];
    (sheet["header_row"].clone(), sheet["rows"].clone())
}

#[test]
fn what_stands_at_the_end_of_a_small_table_takes_no_record() {
    for (csv, header, records) in [
        ("name,amount\nA,n/a\nB,5\n", 1, 2),
        (
            "name,amount,status\nAcme,n/a,open\nBeta,tbc,open\nCorp,5,closed\n",
            1,
            3,
        ),
        (
            "Organisation,City,Contact\nAcme,Oslo,Anna\nBeta,Rome,Bob\nCorp,Paris,Carl\nTotal,3,3\n",
            1,
            3,
        ),
        ("Field,Value\nName,Acme\nCity,Oslo\nAmount,500\n", 1, 3),
        (
            "Grants report 2024\n\nName,City\nAnna,Oslo\nBob,Rome\nCarl,Paris\nTotal,3\n",
            3,
            3,
        ),
        (
            "Organisation,City,Start,End,Amount\nAcme,Oslo,tbc,tbc,tbc\nBeta,Rome,tbc,tbc,tbc\nCorp,Paris,2024-01-01,2024-02-01,5\n",
            1,
            3,
        ),
        (
            "Organisation,City,Contact,Country\nAcme,Oslo,Anna,NO\nBeta,Rome,Bob,IT\nTotal,3,,\n",
            1,
            2,
        ),
        ("amount\n\"1,250.50\"\n£300\n1e3\n", 1, 3),
        ("name\nAcme\nBeta\n", 1, 2),
        (
            "Name,Contact,Contact\nAcme,Anna,Bob\nBeta,Carl,Dora\n",
            1,
            2,
        ),
        (
            "Grant,Grant,Recipient,Recipient\nId,Title,Name,City\nx,y,Acme,Oslo\nz,w,Beta,Rome\n",
            2,
            2,
        ),
        ("Name,,Town\nAcme,5,Oslo\nBeta,6,Rome\n", 1, 2),
        (
            "Code,When\nx,tbc\ny,tbc\nz,2024-01-01\nw,2024-02-01\nTotal,2\n",
            1,
            4,
        ),
    ] {
        assert_eq!(found(csv), (json!(header), json!(records)), "{csv}");
    }
}

#[test]
fn a_note_far_to_the_right_does_not_make_the_title_the_header() {
    let output = run(&made(|page| {
        page.write_string(0, 0, "Grants of the year").unwrap();
        page.write_string(4, 30, "checked").unwrap();
        for (at, label) in (0..).zip(["Name", "Town", "Amount"]) {
            page.write_string(2, at, label).unwrap();
        }
        for row in 3..9 {
            page.write_string(row, 0, "Trust").unwrap();
            page.write_string(row, 1, "Leeds").unwrap();
            page.write_number(row, 2, f64::from(row)).unwrap();
        }
    }));
    assert_eq!(output["sheets"][0]["header_row"], 3);
    let warnings = output["warnings"].as_array().unwrap();
    let said = |w: &Value| w.as_str().unwrap().contains("1 rows above the header");
    assert!(warnings.iter().any(said), "{warnings:?}");
}

#[test]
fn years_and_days_name_columns_above_other_numbers() {
    for csv in [
        "2019,2020,2021\n1,2,3\n4,5,6\n",
        "Name,2019,2020,2021\nA,1,2,3\nB,4,5,6\n",
        "Name,2024-01-01,2024-02-01,2024-03-01\nA,1,2,3\nB,4,5,6\n",
    ] {
        assert_eq!(found(csv), (json!(1), json!(2)), "{csv}");
    }
    let output = run(&made(|page| {
        page.write_string(0, 0, "Name").unwrap();
        for row in [1, 2, 4] {
            page.write_string(row, 0, format!("n{row}")).unwrap();
        }
        for (at, year) in (1..).zip([2019.0, 2020.0, 2021.0]) {
            page.write_number(0, at, year).unwrap();
            for row in [1, 2, 4] {
                page.write_number(row, at, 7.0).unwrap();
            }
        }
    }));
    assert_eq!(column(&output, "2020")["type"], "integer");
    assert_eq!(values(&output, "2021"), [json!(7), json!(7), json!(7)]);
    // Records of years are no labels.
    let (header, records) = found("Name,From,To\nA,2019,2020\nB,2018,2021\n");
    assert_eq!((header, records), (json!(1), json!(2)));
    assert_eq!(found("2019,2020\n2018,2021\n2017,2019\n").0, json!(null));
}

#[test]
fn amounts_with_marks_and_separators_are_numbers_where_the_column_agrees() {
    let sum = |csv: &str| run(csv.as_bytes())["totals"][0]["sum_exact"].clone();
    assert_eq!(sum("amount\n\"1,250.50\"\n£300\n1e3\n"), "2550.5");
    assert_eq!(sum("a;b\n1,5;2\n2,5;3\n"), "4");
    assert_eq!(sum("a;b\n1.250;2\n12,5;3\n"), "1262.5");
    assert_eq!(sum("Name;Sum\nA;€ 1.250,50\nB;€ 300\n"), "1550.5");
    assert_eq!(sum("Name,Sum\nA,£5\nB,£6\nTotal,£11\n"), "11");
    let output = run(b"Name,Sum\nA,\"$1,000\"\nB,5\nTotal,\"$1,005\"\n");
    assert_eq!(output["totals"][0]["checks"][0]["matches"], true);
    assert_eq!(column(&output, "Sum")["number_notation"], "decimal_point");
    assert_eq!(values(&output, "Sum"), [json!(1_000), json!(5)]);
    // Two readings, or two currencies: text.
    let open = run(b"Name;Sum\nA;1,250\nB;3,000\n");
    assert_eq!(column(&open, "Sum")["type"], "string");
    let warned = open["warnings"].to_string();
    assert!(
        warned.contains("column B could have a decimal comma"),
        "{warned}"
    );
    for mixed in [
        "Name,Sum\nA,£5\nB,$6\n",
        "Name;Sum\nA;1.250,50\nB;1,250.50\n",
        "Id;Sum\nA;007\nB;1,5\n",
    ] {
        assert_eq!(
            column(&run(mixed.as_bytes()), "Sum")["type"],
            "string",
            "{mixed}"
        );
    }
    // A typed file says itself what is a number.
    let typed = run(&made(|page| {
        for (row, text) in (0..).zip(["Sum", "£300", "£400"]) {
            page.write_string(row, 0, text).unwrap();
        }
    }));
    assert_eq!(column(&typed, "Sum")["type"], "string");
}
