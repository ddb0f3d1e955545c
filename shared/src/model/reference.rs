//! `{"$result": "<task>", "pointer": "/json/pointer"}`: a dependent's input
//! reads its parent's result.
//!
//! Invariant: a reference is an object with `$result`, optionally `pointer`,
//! and nothing else; everything that looks almost like one is a problem, not
//! data.

use serde_json::Value;

/// The key that makes an object a reference.
pub const KEY: &str = "$result";

/// One reference, at its place in the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// JSON pointer of the reference itself, from the input's root.
    pub at: String,
    /// The name of the task it reads: a `ref` or a task id.
    pub task: String,
    /// JSON pointer into that task's result; empty for the whole.
    pub pointer: String,
}

/// Something that is almost a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// JSON pointer of the object, from the input's root.
    pub at: String,
    /// What is wrong and what to write instead.
    pub detail: String,
}

/// Finds every reference in an input, in document order.
#[must_use]
pub fn find(input: &Value) -> (Vec<Reference>, Vec<Malformed>) {
    let (mut found, mut bad) = (Vec::new(), Vec::new());
    walk(
        input,
        &mut String::new(),
        &mut |at, object| match read(at, object) {
            Ok(reference) => found.push(reference),
            Err(malformed) => bad.push(malformed),
        },
    );
    (found, bad)
}

/// Replaces every reference by what `resolve` gives for it. All failures are
/// collected.
pub fn replace<E>(
    value: &mut Value,
    resolve: &mut impl FnMut(&Reference) -> Result<Value, E>,
) -> Vec<E> {
    let mut errors = Vec::new();
    replace_at(value, &mut String::new(), resolve, &mut errors);
    errors
}

/// Escapes one step of a JSON pointer (RFC 6901).
#[must_use]
pub fn escape(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

type Object = serde_json::Map<String, Value>;

fn read(at: &str, object: &Object) -> Result<Reference, Malformed> {
    let malformed = |detail: &str| Malformed {
        at: at.to_owned(),
        detail: detail.to_owned(),
    };
    let task = object
        .get(KEY)
        .and_then(Value::as_str)
        .ok_or_else(|| malformed("`$result` must be the ref or id of a task, as a string"))?;
    let pointer = match object.get("pointer") {
        None => "",
        Some(Value::String(text)) if is_pointer(text) => text,
        Some(_) => {
            return Err(malformed(
                "`pointer` must be a JSON pointer such as /paths/0, or empty; in it ~0 stands for `~` and ~1 for `/`",
            ));
        }
    };
    if object.keys().any(|key| key != KEY && key != "pointer") {
        return Err(malformed(
            "a `$result` object holds `$result` and `pointer` only",
        ));
    }
    Ok(Reference {
        at: at.to_owned(),
        task: task.to_owned(),
        pointer: pointer.to_owned(),
    })
}

/// RFC 6901: empty, or steps after slashes, in which every `~` begins `~0` or
/// `~1`.
fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1);
    (text.is_empty() || text.starts_with('/'))
        && escapes.into_iter().all(|rest| rest.starts_with(['0', '1']))
}

fn walk(value: &Value, at: &mut String, visit: &mut impl FnMut(&str, &Object)) {
    match value {
        Value::Object(object) if object.contains_key(KEY) => visit(at, object),
        Value::Object(object) => {
            for (key, child) in object {
                step(at, &escape(key), |at| walk(child, at, visit));
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                step(at, &index.to_string(), |at| walk(child, at, visit));
            }
        }
        _ => {}
    }
}

fn replace_at<E>(
    value: &mut Value,
    at: &mut String,
    resolve: &mut impl FnMut(&Reference) -> Result<Value, E>,
    errors: &mut Vec<E>,
) {
    match value {
        Value::Object(object) if object.contains_key(KEY) => {
            if let Ok(reference) = read(at, object) {
                match resolve(&reference) {
                    Ok(replacement) => *value = replacement,
                    Err(error) => errors.push(error),
                }
            }
        }
        Value::Object(object) => {
            for (key, child) in object.iter_mut() {
                step(at, &escape(key), |at| {
                    replace_at(child, at, resolve, errors);
                });
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                step(at, &index.to_string(), |at| {
                    replace_at(child, at, resolve, errors);
                });
            }
        }
        _ => {}
    }
}

fn step(at: &mut String, name: &str, inside: impl FnOnce(&mut String)) {
    let length = at.len();
    at.push('/');
    at.push_str(name);
    inside(at);
    at.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_at_their_place() {
        let input =
            json!({"a/b": [1, {"$result": "graph", "pointer": "/paths"}], "c": {"$result": "x"}});
        let (found, bad) = find(&input);
        assert!(bad.is_empty());
        assert_eq!(found[0].at, "/a~1b/1");
        assert_eq!(
            (found[0].task.as_str(), found[0].pointer.as_str()),
            ("graph", "/paths")
        );
        assert_eq!(
            (found[1].task.as_str(), found[1].pointer.as_str()),
            ("x", "")
        );
    }

    #[test]
    fn what_is_almost_a_reference_is_a_problem() {
        for bad in [
            json!({"$result": 7}),
            json!({"$result": "a", "pointer": "no-slash"}),
            json!({"$result": "a", "extra": 1}),
            json!({"$result": "a", "pointer": "/~2"}),
            json!({"$result": "a", "pointer": "/a~"}),
            json!({"$result": "a", "pointer": "/a~/b"}),
        ] {
            assert_eq!(find(&json!({"x": bad})).1[0].at, "/x");
        }
    }

    #[test]
    fn both_escapes_are_good() {
        let good = json!({"$result": "a", "pointer": "/~0~1/~01/"});
        assert_eq!(find(&json!({"x": good})).0[0].pointer, "/~0~1/~01/");
    }

    #[test]
    fn replacing_keeps_everything_else() {
        let mut input = json!({"keep": [1, 2], "take": {"$result": "p", "pointer": "/n"}});
        let errors = replace(&mut input, &mut |r| {
            Ok::<_, ()>(json!({"from": r.task, "at": r.pointer}))
        });
        assert!(errors.is_empty());
        assert_eq!(
            input,
            json!({"keep": [1, 2], "take": {"from": "p", "at": "/n"}})
        );
    }
}
