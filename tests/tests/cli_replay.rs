//! `zerogate replay`: a decision log is decided again, with the recorded thresholds and with others.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use resources::estimate::Declared;
use resources::governor::{Governor, Kind, Setup, Tick};
use resources::history::Retention;
use resources::profile::Profile;
use resources::record::{Answer, Event, Header, Line, VERSION, settled};
use resources::sample::{HostMemory, RawSample};
use shared::model::{Category, Priority, ProfileName};
use zerogate_tests::command::{Ended, zerogate};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::wait::{self, Look, SOON};

const DIFFERENT: i32 = 1;
const USAGE: i32 = 2;

const GIB: u64 = 1 << 30;

fn header() -> Header {
    let kind = |name: &str, category| Kind {
        name: name.to_owned(),
        category,
        declared: Declared::default(),
    };
    Header {
        decision_log: VERSION,
        program: "test".into(),
        begun: "2026-11-23T03:01:02.000000Z".into(),
        setup: settled(Setup {
            worker: "w1".into(),
            kinds: vec![
                kind("essential", Category::Essential),
                kind("experimental", Category::Experimental),
            ],
            profile: Profile::preset(ProfileName::Balanced),
            concurrency: 4,
            seed: 1,
            retention: Retention::default(),
        }),
    }
}

/// Two minutes on a machine of 4 GiB whose memory fills to 86 % and empties again, with a question a second.
fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for second in 1..=120_u64 {
        let at = Duration::from_secs(second);
        let percent = 40 + 46 * second.min(120 - second) / 60;
        let sample = RawSample {
            at,
            host: Some(HostMemory {
                total: 4 * GIB,
                available: 4 * GIB * (100 - percent) / 100,
            }),
            ..RawSample::default()
        };
        events.push(Event::Tick(Box::new(Tick {
            at,
            sample: Some(sample),
            ..Tick::default()
        })));
        events.push(Event::Ask {
            at,
            kind: u16::from(second % 2 == 0),
            priority: Priority::Medium,
        });
    }
    events
}

/// Writes the log that a worker would have written.
fn record(path: &Path) -> Result<()> {
    let header = header();
    let mut governor = Governor::new(header.setup.clone()).context("a governor")?;
    let mut text = serde_json::to_string(&header)? + "\n";
    let mut line = |governor: &mut Governor, event: Event| -> Result<Answer> {
        let event = settled(event);
        let answer = governor.on(&event);
        let line = Line {
            event: &event,
            answer: &answer,
        };
        writeln!(text, "{}", serde_json::to_string(&line)?)?;
        Ok(answer)
    };
    for event in events() {
        if let Answer::Granted(booking) = line(&mut governor, event)? {
            let end = Event::GiveBack {
                booking,
                spent: None,
            };
            let _noted: Answer = line(&mut governor, end)?;
        }
    }
    std::fs::write(path, text).context("write the log")
}

fn replay(log: &Path, words: &[&str]) -> Result<Ended> {
    let log = log.to_str().context("a plain path")?;
    zerogate(None, &[&["replay", log], words].concat(), "")
}

#[test]
fn the_recorded_thresholds_give_the_recorded_answers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("decisions.jsonl");
    record(&log)?;
    let text = replay(&log, &[])?.expect(0)?.stdout;
    ensure!(text.contains("are the same, bit for bit"), "{text}");
    let figures = replay(&log, &["-o", "json"])?.expect(0)?.json()?;
    ensure!(
        figures["different"] == 0 && figures["recorded"] == figures["figures"],
        "{figures:#}"
    );
    ensure!(figures["recorded"]["asked"] == 120, "{figures:#}");
    ensure!(
        figures["recorded"]["seconds_at"]["high"].as_f64() > Some(5.0),
        "{figures:#}"
    );
    ensure!(
        figures["recorded"]["switched_off"].as_u64() > Some(0),
        "{figures:#}"
    );
    Ok(())
}

/// What a real worker decided on a real machine, whatever that was.
#[test]
fn the_log_of_a_running_program_is_decided_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("decisions.jsonl");
    let place = log.to_str().context("a plain path")?;
    let options = Options::embedded().gated().flag("--decision-log", place);
    Fleet::run(options, |fleet| {
        let url = fleet.api().url().to_owned();
        let noops = "{\"workflow_type\":\"diagnostic.noop\",\"input\":{}}\n".repeat(20);
        zerogate(Some(&url), &["submit", "--wait"], &noops)?.expect(0)?;
        let order = ["profile", "set", "performance", "--reason", "a test"];
        zerogate(Some(&url), &order, "")?.expect(0)?;
        wait::until("the worker to go by its new profile", SOON, || {
            let workers = fleet.api().workers()?;
            let found = workers[0]["profile"] == "performance";
            Ok(Look::when(found, workers[0].to_string()))
        })?;
        zerogate(Some(&url), &["submit", "--wait"], &noops)?.expect(0)?;
        let program = &mut fleet.coordinators[0].process;
        program.terminate()?;
        program.wait_exit(SOON)?;
        Ok(())
    })?;
    let figures = replay(&log, &["-o", "json"])?.expect(0)?.json()?;
    ensure!(figures["different"] == 0, "{figures:#}");
    ensure!(
        figures["recorded"]["granted"].as_u64() > Some(0),
        "{figures:#}"
    );
    ensure!(
        figures["recorded"]["ticks"].as_u64() > Some(1),
        "{figures:#}"
    );
    Ok(())
}

#[test]
fn an_answer_that_was_changed_is_found() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("decisions.jsonl");
    record(&log)?;
    let text = std::fs::read_to_string(&log)?;
    // In the answer of the first tick, which is the second line.
    let changed = text.replacen(
        r#""ticked":{"level":"normal""#,
        r#""ticked":{"level":"high""#,
        1,
    );
    ensure!(changed != text, "nothing to change in\n{text}");
    std::fs::write(&log, changed)?;
    let text = replay(&log, &[])?.expect(DIFFERENT)?.stdout;
    ensure!(text.contains("are NOT those that were recorded"), "{text}");
    ensure!(text.contains("line 2, from character"), "{text}");
    ensure!(text.contains(r#""level":"high""#), "{text}");
    let figures = replay(&log, &["-o", "json"])?.expect(DIFFERENT)?.json()?;
    ensure!(figures["different"] == 1, "{figures:#}");
    Ok(())
}

#[test]
fn other_thresholds_stand_beside_the_recorded_ones() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("decisions.jsonl");
    record(&log)?;
    let words = ["--set", "memory_high=89", "--set", "memory_critical=97"];
    let text = replay(&log, &words)?.expect(0)?.stdout;
    ensure!(
        text.contains("RECORDED") && text.contains("TRIED"),
        "{text}"
    );
    let figures = replay(&log, &[&words[..], &["-o", "json"]].concat())?
        .expect(0)?
        .json()?;
    let high = |of: &str| figures[of]["seconds_at"]["high"].as_f64().unwrap_or(0.0);
    ensure!(
        high("recorded") > 5.0 && high("figures") == 0.0,
        "{figures:#}"
    );
    let profile = replay(&log, &["--profile", "emergency", "-o", "json"])?
        .expect(0)?
        .json()?;
    let granted = |of: &str| profile[of]["granted"].as_u64();
    ensure!(granted("figures") < granted("recorded"), "{profile:#}");
    Ok(())
}

#[test]
fn what_is_no_log_and_what_is_no_figure_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("decisions.jsonl");
    replay(&log, &[])?.expect(USAGE)?;
    std::fs::write(&log, "this is no log\n")?;
    replay(&log, &[])?.expect(USAGE)?;
    record(&log)?;
    for wrong in [
        "memory_high",
        "memory_high=10",
        "memory_high=NaN",
        "no_such=1",
    ] {
        let said = replay(&log, &["--set", wrong])?.expect(USAGE)?.stderr;
        ensure!(
            said.contains("memory_high") || said.contains("no_such"),
            "{said}"
        );
    }
    replay(&log, &["--profile", "reckless"])?.expect(USAGE)?;
    Ok(())
}
