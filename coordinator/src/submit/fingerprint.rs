//! Recognises a request that is sent again under the same key.
//!
//! Invariant: bodies that are equal as JSON values have equal fingerprints,
//! whatever their spacing, the order of their members, or the way in which a
//! whole number is written.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The fingerprint of a request: SHA-256 over its path, its query and its
/// documents.
pub(crate) fn fingerprint(path: &str, query: &str, documents: &[&Value]) -> String {
    let mut hash = Sha256::new();
    for part in [path, query] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    for document in documents {
        feed(&mut hash, document);
    }
    hex(&hash.finalize())
}

/// The digest of some bytes, as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a string cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

fn feed(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hash.update(b"n"),
        Value::Bool(flag) => hash.update(if *flag { b"t" } else { b"f" }),
        Value::Number(number) => {
            hash.update(b"#");
            hash.update(canonical(number).as_bytes());
            hash.update([0]);
        }
        Value::String(text) => feed_text(hash, text),
        Value::Array(items) => {
            hash.update(b"[");
            for item in items {
                feed(hash, item);
            }
            hash.update(b"]");
        }
        Value::Object(members) => {
            hash.update(b"{");
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort_unstable();
            for key in keys {
                feed_text(hash, key);
                feed(hash, &members[key]);
            }
            hash.update(b"}");
        }
    }
}

fn feed_text(hash: &mut Sha256, text: &str) {
    hash.update(b"\"");
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

/// `1`, `1.0` and `1e0` are one number.
fn canonical(number: &serde_json::Number) -> String {
    /// Below this every whole double is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
            format!("{float:.0}")
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        fingerprint("/p", "", &[&serde_json::from_str(text).unwrap()])
    }

    #[test]
    fn equal_values_have_equal_fingerprints() {
        assert_eq!(
            of(r#"{"a":1,"b":[true,null]}"#),
            of(r#"{ "b": [true, null], "a": 1.0 }"#)
        );
    }

    #[test]
    fn different_requests_differ() {
        let all = [
            of(r#"{"a":1}"#),
            of(r#"{"a":2}"#),
            of(r#"{"a":"1"}"#),
            of(r#"[["a"],[]]"#),
            of(r#"[["a",[]]]"#),
            fingerprint("/q", "", &[&serde_json::json!({"a": 1})]),
            fingerprint("/p", "atomic=false", &[&serde_json::json!({"a": 1})]),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
