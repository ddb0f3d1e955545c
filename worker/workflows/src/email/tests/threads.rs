//! The 37 conformance cases of the crate mail-threading 0.1.3 (`tests/oracle/threads.json`), and long chains.

use std::collections::HashSet;

use serde_json::Value;

use super::super::message::{Class, Message, NewText, Sent};
use super::super::read::ids;
use super::super::thread::{base_subject, forest};

fn message(id: &str, references: Vec<String>, second: i64) -> Message {
    Message {
        id: id.to_owned(),
        sent: Some(Sent {
            at: jiff::Timestamp::from_second(second).unwrap(),
            offset: None,
        }),
        from: vec![],
        to: vec![],
        cc: vec![],
        reply_to: vec![],
        references,
        in_reply_to: vec![],
        subject: String::new(),
        class: Class::Human,
        seal: None,
        new_text: NewText::default(),
    }
}

/// A case's messages with the ids by which its expectation names them. As in the corpus, ids are unique: a mail
/// without one, or with one that came before, has its own.
fn messages(case: &Value) -> Vec<(String, Message)> {
    let mut seen = HashSet::new();
    let mut list = Vec::new();
    for raw in case["input"].as_array().unwrap() {
        let caller = raw["id"].as_str().unwrap().to_owned();
        let id = raw["message_id"]
            .as_str()
            .and_then(ids::one)
            .filter(|id| seen.insert(id.clone()))
            .unwrap_or_else(|| format!("synthetic:{caller}"));
        let references = raw["references"].as_array().unwrap();
        let references = references
            .iter()
            .flat_map(|r| ids::all(r.as_str().unwrap()))
            .collect();
        let at: jiff::Timestamp = raw["date"].as_str().unwrap().parse().unwrap();
        let mut m = message(&id, references, at.as_second());
        m.in_reply_to = raw["in_reply_to"].as_str().map_or(vec![], ids::all);
        m.subject = raw["subject"].as_str().unwrap().to_owned();
        list.push((caller, m));
    }
    list.sort_by(|(_, a), (_, b)| a.order(b));
    list
}

#[test]
fn conformance_cases() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/oracle/threads.json")).unwrap();
    assert_eq!(cases.len(), 37);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (callers, list): (Vec<String>, Vec<Message>) = messages(case).into_iter().unzip();
        let options = &case["options"];
        if let Some(prefixes) = options["subject_prefixes"].as_array() {
            // Marks of the caller's own are no option of an analysis; the subject rule itself takes them.
            let extra: Vec<&str> = prefixes.iter().map(|p| p.as_str().unwrap()).collect();
            let bases: HashSet<String> = list
                .iter()
                .map(|m| base_subject(&m.subject, &extra))
                .collect();
            assert_eq!(
                bases.len(),
                case["expected"]["threads"].as_array().unwrap().len(),
                "{name}"
            );
            continue;
        }
        let forest = forest(&list, options["subject_merge"] != false);
        let keep_phantoms = options["prune_phantoms"] == false;
        let found: Vec<(String, Vec<&str>)> = forest
            .threads
            .iter()
            .map(|t| {
                let root = t
                    .messages
                    .iter()
                    .find(|m| forest.parents[**m].is_none())
                    .unwrap();
                let top = list.iter().any(|m| m.id == t.root);
                let root = if keep_phantoms && !top {
                    t.root.clone()
                } else {
                    callers[*root].clone()
                };
                (
                    root,
                    t.messages.iter().map(|m| callers[*m].as_str()).collect(),
                )
            })
            .collect();
        let expected: Vec<(String, Vec<&str>)> = case["expected"]["threads"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| {
                let list = t["messages"].as_array().unwrap();
                (
                    t["root"].as_str().unwrap().to_owned(),
                    list.iter().map(|m| m.as_str().unwrap()).collect(),
                )
            })
            .collect();
        let sorted = |mut threads: Vec<(String, Vec<String>)>| {
            for (_, members) in &mut threads {
                members.sort();
            }
            threads.sort();
            threads
        };
        let owned = |threads: &[(String, Vec<&str>)]| {
            threads
                .iter()
                .map(|(r, m)| (r.clone(), m.iter().map(|s| (*s).to_owned()).collect()))
                .collect::<Vec<(String, Vec<String>)>>()
        };
        assert_eq!(sorted(owned(&found)), sorted(owned(&expected)), "{name}");
    }
}

#[test]
fn depth_counts_the_mails_of_the_longest_chain() {
    let list = [
        message("a", vec![], 0),
        message("b", vec!["a".into()], 1),
        message("c", vec!["a".into(), "missing".into()], 2),
        message("d", vec!["missing".into()], 3),
        message("e", vec![], 4),
    ];
    let forest = forest(&list, false);
    let shape: Vec<(&str, usize, u32)> = forest
        .threads
        .iter()
        .map(|t| (t.root.as_str(), t.messages.len(), t.depth))
        .collect();
    assert_eq!(shape, [("a", 4, 2), ("e", 1, 1)]);
    assert_eq!(forest.parents, [None, Some(0), Some(0), Some(0), None]);
    assert_eq!(forest.thread_of, [0, 0, 0, 0, 1]);
}

#[test]
fn a_chain_as_long_as_the_corpus_takes_no_stack_and_linear_time() {
    const N: usize = 200_000;
    // Dates against the chain, so that every link finds a child that has children already.
    let list: Vec<Message> = (0..N)
        .map(|i| {
            message(
                &format!("m{i}"),
                vec![format!("m{}", i + 1)],
                i64::try_from(i).unwrap(),
            )
        })
        .collect();
    let forest = forest(&list, false);
    assert_eq!(forest.threads.len(), 1);
    assert_eq!(forest.threads[0].depth as usize, N);
}
