//! What in a corpus is odd: by kind, with counts and places. A reader decides what it means.
//!
//! Deliberately absent: content. Places are numbers of mails in the source, people are keys.

use serde_json::{Value, json};

use super::Scene;
use super::contact::Person;
use super::read::Note;

/// Places or people listed with one kind; all are counted.
const MAX_EXAMPLES: usize = 20;

/// Every kind that occurs, in a fixed order.
pub(super) fn listed(scene: &Scene<'_>) -> Vec<Value> {
    let corpus = scene.corpus;
    let mut found: Vec<Value> = Note::ALL
        .iter()
        .filter_map(|(note, kind, detail)| {
            let n = corpus.notes.get(note)?;
            Some(json!({"kind": kind, "n": n, "detail": detail}))
        })
        .collect();
    let mut add = |kind: &str, n: u64, detail: &str, more: Value| {
        if n > 0 {
            let mut line = json!({"kind": kind, "n": n, "detail": detail});
            if let Value::Object(more) = more {
                line.as_object_mut()
                    .expect("it was made as an object")
                    .extend(more);
            }
            found.push(line);
        }
    };
    let places: Vec<Value> = corpus
        .suspicious
        .iter()
        .take(MAX_EXAMPLES)
        .map(|p| json!({"index": p.index, "offset": p.offset}))
        .collect();
    add(
        "suspicious_split",
        corpus.suspicious_total,
        "a line that begins with \"From \" has only some of the marks of a separator (date; empty line before, field after)",
        json!({"places": places}),
    );
    add(
        "name_leads_outside",
        corpus.escaping,
        "entries of the archive have names that lead outside of it; names are not used as paths",
        Value::Null,
    );
    add(
        "conversation_order",
        corpus.by_conversation,
        "mails without any header field are taken for answers to the one before in their conversation",
        Value::Null,
    );
    add(
        "answer_before_question",
        backwards(scene),
        "sent before the mail that it answers: a wrong clock",
        Value::Null,
    );
    let lookalikes: Vec<&Person> = scene
        .book
        .people()
        .iter()
        .filter(|p| p.domains.iter().any(|d| is_lookalike(d)))
        .collect();
    let keys: Vec<&str> = lookalikes
        .iter()
        .take(MAX_EXAMPLES)
        .map(|p| p.key.as_str())
        .collect();
    add(
        "lookalike_domain",
        lookalikes.len() as u64,
        "the domain mixes alphabets or reads like a Latin one",
        json!({"contacts": keys}),
    );
    found
}

fn backwards(scene: &Scene<'_>) -> u64 {
    let messages = &scene.corpus.messages;
    let instant = |place: usize| messages[place].sent.map(|s| s.at);
    let pairs = scene.forest.parents.iter().enumerate();
    pairs
        .filter_map(|(child, parent)| Some((instant(child)?, instant((*parent)?)?)))
        .filter(|(child, parent)| child < parent)
        .count() as u64
}

/// Letters of other alphabets that look Latin.
const LOOK_LATIN: &str = "аеорсухіјѕԁһԛԝꓦνοαικυρτ";

/// Whether a label of the domain mixes Latin with Cyrillic or Greek letters, or is made of letters that look Latin.
fn is_lookalike(domain: &str) -> bool {
    if !domain.contains("xn--") {
        return false;
    }
    let (unicode, _) = idna::domain_to_unicode(domain);
    unicode.split('.').any(|label| {
        let latin = label.chars().any(|c| c.is_ascii_alphabetic());
        let foreign: Vec<char> = label
            .chars()
            .filter(|c| matches!(c, '\u{370}'..='\u{52f}'))
            .collect();
        let all_look_latin = foreign.iter().all(|c| LOOK_LATIN.contains(*c));
        !foreign.is_empty() && (latin || all_look_latin)
    })
}

#[cfg(test)]
mod tests {
    use super::is_lookalike;

    #[test]
    fn lookalikes_are_told_from_honest_foreign_domains() {
        // apple and paypal with Cyrillic letters; all-Cyrillic "раура"; then a Russian, a German and a plain domain.
        for (domain, expected) in [
            ("\u{430}pple.example", true),
            ("p\u{430}yp\u{430}l.example", true),
            ("\u{440}\u{430}\u{443}\u{440}\u{430}.example", true),
            ("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example", false),
            ("b\u{fc}cher.example", false),
            ("example.org", false),
        ] {
            let ascii = idna::domain_to_ascii(domain).unwrap();
            assert_eq!(is_lookalike(&ascii), expected, "{domain}");
        }
    }
}
