//! Results of other types as inputs of this one, each made by its own real run.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, Write};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{number, run, sponsor};
use crate::{Error, FileLink, Files, Run, Sink, Source, find, id_of, sha256_of};

fn handler(name: &str) -> fn(&Value, &Run<'_>) -> Result<Value, Error> {
    find(name).unwrap().run
}

/// Contents by id.
type Contents = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Files that stay in memory, so that one run can read what another made.
#[derive(Default)]
struct Shelf(Contents);

struct Pending {
    shelf: Contents,
    content: Cursor<Vec<u8>>,
}

impl Files for Shelf {
    fn open(&self, id: &str) -> Result<Box<dyn Source>, Error> {
        let content = self.0.lock().unwrap()[id].clone();
        Ok(Box::new(Cursor::new(content)))
    }

    fn create(&self, _: &str, _: &str) -> Result<Box<dyn Sink>, Error> {
        Ok(Box::new(Pending {
            shelf: self.0.clone(),
            content: Cursor::default(),
        }))
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.content.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Seek for Pending {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.content.seek(to)
    }
}

impl Sink for Pending {
    fn finish(self: Box<Self>) -> Result<FileLink, Error> {
        let content = self.content.into_inner();
        let sha256 = sha256_of(&content);
        let bytes = content.len() as u64;
        self.shelf.lock().unwrap().insert(id_of(&sha256), content);
        Ok(FileLink {
            file: id_of(&sha256),
            sha256,
            bytes,
            name: "f".into(),
            content_type: "x/y".into(),
        })
    }
}

/// A register of gifts with the defects that such sheets have.
fn register() -> Vec<u8> {
    let mut csv = String::from("Gift,Funder,Kind,Received,Amount,Currency\n");
    for (year, amount) in (2019..=2025).zip([
        "1,900", "1,000", "1,100", "1,200", "1,300", "1,400", "1,500",
    ]) {
        let line = [
            "H-",
            &year.to_string(),
            ",Harbour Trust,Foundation,",
            &year.to_string(),
            "-05-04,\"",
            amount,
            ".00\",GBP\n",
        ];
        csv += &line.concat();
    }
    csv += "M-1,Mill Street Bakery,Corporate,2024-02-11,250,GBP\n";
    csv += "M-2,Mill Street Bakery,Corporate,2027-02-11,250,GBP\n";
    csv += "M-3,Mill Street Bakery,Corporate,2025-02-11,250,JPY\n";
    csv += "M-1,Mill Street Bakery,Corporate,2025-03-11,250,GBP\n";
    csv += ",Mill Street Bakery,Corporate,2025-04-11,300,GBP\n";
    csv.into_bytes()
}

fn excel(run: &Run<'_>) -> Value {
    let input =
        json!({"workbook": {"content_base64": STANDARD.encode(register())}, "format": "csv"});
    handler("excel_processing")(&input, run).unwrap()
}

fn imports(rows: &Value) -> Value {
    let mut sponsors =
        json!({"into": "sponsors", "mapping": {"id": "Funder", "name": "Funder", "type": "Kind"}});
    let mut gifts = json!({"into": "gifts", "mapping": {"id": "Gift", "sponsor_id": "Funder", "date": "Received",
        "amount": "Amount", "currency": "Currency"}});
    for import in [&mut sponsors, &mut gifts] {
        for (name, value) in rows.as_object().unwrap() {
            import[name] = value.clone();
        }
    }
    // Sponsors are read first, wherever they stand.
    json!([gifts, sponsors])
}

#[test]
fn excel_records_become_sponsors_and_gifts() {
    let table = excel(&Run::unattended());
    let input = json!({"as_of": "2026-11-23", "currency": "GBP", "imports": imports(&json!({"records": table["records"]}))});
    let out = run(&input);
    assert_eq!(out["sponsors"].as_array().unwrap().len(), 2);
    let harbour = sponsor(&out, "Harbour Trust");
    assert_eq!(harbour["type"], "foundation");
    assert_eq!(harbour["rfm"]["frequency"], 7);
    assert_eq!(harbour["rfm"]["monetary"], "9400.00");
    let mill = sponsor(&out, "Mill Street Bakery");
    assert_eq!(mill["rfm"]["monetary"], "550.00");
    let gifts = &out["imports"][0];
    assert_eq!((&gifts["rows"], &gifts["used"]), (&json!(12), &json!(9)));
    let reasons: Vec<&str> = gifts["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "another entry has the same id",
            "currency has no rate in fx",
            "is after as_of"
        ]
    );
    assert_eq!(out["imports"][1]["merged"], 10);
}

#[test]
fn the_file_of_all_records_gives_the_same_as_the_records() {
    let shelf = Shelf::default();
    let files = Run {
        files: &shelf,
        ..Run::unattended()
    };
    let table = excel(&files);
    let link = &table["record_files"][0];
    let input =
        |rows: Value| json!({"as_of": "2026-11-23", "currency": "GBP", "imports": imports(&rows)});
    let inline = super::super::run(&input(json!({"records": table["records"]})), &files).unwrap();
    let by_file = input(json!({"file": {"file": link["file"]}}));
    assert_eq!(super::super::run(&by_file, &files).unwrap(), inline);
}

/// A workbook published through 360Giving, beside the project.
fn grants(name: &str) -> Value {
    let path = format!(
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../shared/data/grants/{}.xlsx"
        ),
        name
    );
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).map(|mut f| f.read_to_end(&mut bytes));
    file.unwrap_or_else(|e| panic!("the real workbooks lie beside the project, as {path}: {e}"))
        .unwrap();
    let input = json!({"workbook": {"content_base64": STANDARD.encode(bytes)}, "limits": {"records": 1_000}});
    handler("excel_processing")(&input, &Run::unattended()).unwrap()
}

#[test]
fn a_real_register_of_grants_feeds_gifts_and_edges() {
    let table = grants("a001p00000zgyHZAAY");
    let rows = json!(table["records"]);
    // The recipients stand for sponsors here: they are many, the funder is one.
    let input = json!({"as_of": "2026-11-23", "currency": "GBP", "imports": [
        {"into": "sponsors", "records": rows, "mapping": {"id": "Recipient Org:Identifier", "name": "Recipient Org:Name"}},
        {"into": "gifts", "records": rows, "mapping": {"id": "Identifier", "sponsor_id": "Recipient Org:Identifier",
            "date": "Award Date", "amount": "Amount Awarded", "currency": "Currency"}}]});
    let out = run(&input);
    let sum: f64 = out["sponsors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            s["rfm"]["monetary"]
                .as_str()
                .unwrap()
                .parse::<f64>()
                .unwrap()
        })
        .sum();
    assert_eq!(out["imports"][1]["used"], 783, "{}", out["imports"][1]);
    assert!((sum - 12_785_625.0).abs() < 1e-6, "{sum}");
    assert_eq!(out["sponsors"][0]["funding"]["rung"], "bgbb");

    let edges = json!([{"into": "edges", "records": rows, "constants": {"kind": "funded", "strength": 0.5},
        "mapping": {"a": "Funding Org:Name", "b": "Recipient Org:Identifier", "last_contact": "Award Date"}}]);
    let map =
        handler("relationship_mapping")(&json!({"imports": edges}), &Run::unattended()).unwrap();
    assert_eq!(map["imports"][0]["used"], 783);
    let recipients = out["sponsors"].as_array().unwrap().len();
    assert_eq!(map["network"]["n"], recipients + 1);
    assert_eq!(
        map["network"]["m"], recipients,
        "grants to one recipient are one tie"
    );
}

#[test]
fn mails_become_interactions_of_the_same_strength() {
    let mails = handler("email_analysis")(
        &(find("email_analysis").unwrap().example)(),
        &Run::unattended(),
    )
    .unwrap();
    let interactions = mails["interactions"].as_array().unwrap();
    assert_eq!(interactions.len(), 3);
    let input = json!({"as_of": "2026-11-23", "currency": "GBP", "sponsors": [{"id": "s1"}],
        "interactions": interactions});
    let out = run(&input);
    // E-mail analysis computed the same strength from the same mails.
    let update = &mails["updates"][0];
    assert_eq!(update["sponsor_id"], "s1");
    let relationship = &sponsor(&out, "s1")["relationship"];
    super::close(&relationship["score"], number(&update["after"]));
    for (name, component) in update["evidence"]["after"]["components"]
        .as_object()
        .unwrap()
    {
        let own = &relationship["components"][name]["value"];
        match component["value"].as_f64() {
            Some(value) => super::close(own, value),
            None => assert_eq!(*own, Value::Null, "{name}"),
        }
    }
    assert!(number(&relationship["components"]["responsiveness"]["value"]) > 0.4);
}

#[test]
fn influence_comes_from_a_relationship_mapping() {
    let map = handler("relationship_mapping")(
        &(find("relationship_mapping").unwrap().example)(),
        &Run::unattended(),
    )
    .unwrap();
    let input = json!({"as_of": "2026-11-23", "currency": "GBP",
        "sponsors": [{"id": "s1", "person_ids": ["o1"]}, {"id": "p4"}, {"id": "s3"}], "influence": map["nodes"]});
    let out = run(&input);
    assert!(
        number(&sponsor(&out, "s1")["influence"]["score"])
            > number(&sponsor(&out, "p4")["influence"]["score"])
    );
    assert_eq!(sponsor(&out, "s3")["influence"], Value::Null);
    assert_eq!(out["evidence"]["influence"]["n"], 5);
}

#[test]
fn an_import_without_a_usable_row_is_refused() {
    let input = json!({"as_of": "2026-11-23", "currency": "GBP", "sponsors": [{"id": "s1"}], "imports": [
        {"into": "gifts", "records": [{"S": "nobody", "D": "2024-01-01", "A": 1}],
            "mapping": {"sponsor_id": "S", "date": "D", "amount": "A"}}]});
    assert_eq!(super::refused(&input), ["/imports/0"]);
}

#[test]
fn sponsors_are_found_by_name_and_rows_named_by_their_place() {
    let input = json!({"as_of": "2026-11-23", "currency": "GBP", "sponsors": [{"id": "s1", "name": "Harbour Trust"}],
        "imports": [{"into": "gifts", "records": [{"S": " harbour trust ", "D": "2026-11-20", "A": "1,000.50"}],
            "mapping": {"sponsor_id": "S", "date": "D", "amount": "A"}}]});
    let out = run(&input);
    assert_eq!(sponsor(&out, "s1")["rfm"]["monetary"], "1000.50");
    assert_eq!(
        sponsor(&out, "s1")["recommendations"][0]["evidence"],
        json!(["row 1"])
    );
}
