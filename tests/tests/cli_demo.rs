//! What the program shows without a fleet: the demo with its page, templates, and the example of every type.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use tempfile::TempDir;
use zerogate_tests::command::{Ended, zerogate};

const TYPES: [&str; 5] = [
    "email_analysis",
    "excel_processing",
    "grant_timeline",
    "relationship_mapping",
    "sponsor_analysis",
];

/// The demo, its page written to this place.
fn demo(page: &Path) -> Result<(Ended, String)> {
    let path = page.to_str().context("a plain path")?;
    let ended = zerogate(None, &["demo", "--html", path], "")?.expect(0)?;
    let html = std::fs::read_to_string(page).context("read the page")?;
    Ok((ended, html))
}

#[test]
fn the_demo_completes_all_five_types_and_writes_the_same_page_each_time() -> Result<()> {
    let folder = TempDir::new()?;
    let (ended, html) = demo(&folder.path().join("a.html"))?;
    let completed: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.ends_with("  completed"))
        .collect();
    for kind in TYPES {
        let of = |line: &&&str| line.contains(&format!("  {kind}  "));
        ensure!(
            completed.iter().any(|line| of(&line)),
            "{kind} did not complete:\n{}",
            ended.stderr
        );
    }
    ensure!(completed.len() == 7, "{}", ended.stderr);
    for heading in [
        "THANK",
        "RENEW",
        "WIN BACK",
        "through",
        "HOW LIKELY",
        "THE GRANT",
        "CANNOT TELL",
        "INVENTED",
        "a.html",
    ] {
        ensure!(
            ended.stdout.contains(heading),
            "{heading} is missing:\n{}",
            ended.stdout
        );
    }
    let (_, again) = demo(&folder.path().join("b.html"))?;
    ensure!(html == again, "two runs wrote two pages");
    well_formed(&html)?;
    self_contained(&html)?;
    ensure!(html.matches("<svg ").count() == 4, "a chart is missing");
    ensure!(
        html.len() < 200_000,
        "{} bytes are no small page",
        html.len()
    );
    Ok(())
}

/// Every element is closed, and no attribute stands twice.
fn well_formed(html: &str) -> Result<()> {
    let mut reader = Reader::from_str(html);
    let mut depth = 0_i32;
    loop {
        match reader.read_event()? {
            Event::Start(tag) => {
                depth += 1;
                attributes(&tag)?;
            }
            Event::Empty(tag) => attributes(&tag)?,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    ensure!(depth == 0, "{depth} elements are not closed");
    Ok(())
}

fn attributes(tag: &BytesStart<'_>) -> Result<()> {
    for attribute in tag.attributes() {
        let name = attribute.context("an attribute that cannot be read")?.key;
        let name: &str = name.as_ref();
        // What fetches, leads elsewhere or runs.
        let forbidden = ["src", "href", "xlink:href", "action", "data", "poster"];
        ensure!(
            !forbidden.contains(&name) && !name.starts_with("on"),
            "the page has {name}"
        );
    }
    Ok(())
}

fn self_contained(html: &str) -> Result<()> {
    let small = html.to_lowercase();
    for word in [
        "http://",
        "https://",
        "<script",
        "<link",
        "<img",
        "<iframe",
        "<object",
        "url(",
        "@import",
        "javascript:",
    ] {
        ensure!(!small.contains(word), "the page holds {word}");
    }
    Ok(())
}

#[test]
fn templates_list_every_type_and_every_example_runs() -> Result<()> {
    let listed = zerogate(None, &["templates"], "")?.expect(0)?.stdout;
    let templates = zerogate(None, &["templates", "-o", "json"], "")?
        .expect(0)?
        .json()?;
    let templates = templates.as_array().context("a list")?;
    let names: BTreeSet<&str> = templates.iter().filter_map(|t| t["id"].as_str()).collect();
    ensure!(names == BTreeSet::from(TYPES), "{names:?}");
    for template in templates {
        let name = template["id"].as_str().context("an id")?;
        ensure!(listed.contains(name), "{listed}");
        for member in ["input_schema", "defaults", "example"] {
            ensure!(template[member].is_object(), "{name} has no {member}");
        }
        let details = zerogate(None, &["templates", name], "")?.expect(0)?.stdout;
        ensure!(
            details.contains("FIELD") && details.contains("Example"),
            "{details}"
        );
        let words = zerogate(None, &["run", name, "--example"], "")?
            .expect(0)?
            .stdout;
        ensure!(
            words.split_whitespace().count() > 20,
            "{name} says too little:\n{words}"
        );
        let result = zerogate(None, &["run", name, "--example", "-o", "json"], "")?
            .expect(0)?
            .json()?;
        ensure!(result["limits"].is_object(), "{name}: {result:#}");
        // The template's own example is the one that ran.
        let given = template["example"].to_string();
        let same = zerogate(None, &["run", name, "-o", "json"], &given)?
            .expect(0)?
            .json()?;
        ensure!(
            same == result,
            "{name}: another result for the same example"
        );
    }
    zerogate(None, &["templates", "no_such_type"], "")?.expect(2)?;
    Ok(())
}
