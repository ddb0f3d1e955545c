//! What `zerogate submit` reads and sends.

use std::{
    fs,
    io::{IsTerminal, Read},
    path::Path,
};

use serde_json::{Map, Value, json};

use crate::{arguments::Submit, exit::Failure};

use super::usage;

/// A request that is ready to be sent.
#[derive(Debug)]
pub(crate) struct Request {
    /// Path and query.
    pub(crate) path: String,
    /// The body.
    pub(crate) body: Value,
}

const ONE: &str = "/api/workflows/submit";
const MANY: &str = "/api/workflows/submit/bulk";

/// Reads the input and builds the request that the arguments describe.
pub(crate) fn read(submit: &Submit) -> Result<Request, Failure> {
    let dry_run = if submit.dry_run { "?dry_run=true" } else { "" };
    if let Some(workflow_type) = &submit.workflow_type {
        let body = one(submit, workflow_type)?;
        return Ok(Request {
            path: format!("{ONE}{dry_run}"),
            body,
        });
    }
    let name = name_of(&submit.input);
    let mut parsed = parse_many(&text_of(&submit.input)?, &name)?;
    if let [only] = &mut parsed[..]
        && only.get("tasks").is_none()
    {
        return Ok(Request {
            path: format!("{ONE}{dry_run}"),
            body: only.take(),
        });
    }
    let mut body = match &mut parsed[..] {
        [only] => only.take(),
        _ => json!({"tasks": parsed}),
    };
    if submit.partial {
        body["atomic"] = Value::Bool(false);
    }
    Ok(Request {
        path: format!("{MANY}{dry_run}"),
        body,
    })
}

/// The ids of the accepted tasks, in order.
pub(crate) fn accepted(answer: &Value) -> Vec<String> {
    let id = |value: &Value| {
        value
            .get("task_id")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    match answer.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().filter_map(id).collect(),
        None => id(answer).into_iter().collect(),
    }
}

/// How many of the tasks were rejected.
pub(crate) fn rejected(answer: &Value) -> u64 {
    answer.get("rejected").and_then(Value::as_u64).unwrap_or(0)
}

fn one(submit: &Submit, workflow_type: &str) -> Result<Value, Failure> {
    let name = name_of(&submit.input);
    let typed_at_a_terminal = name == "standard input" && std::io::stdin().is_terminal();
    let text = if typed_at_a_terminal {
        "{}".to_owned()
    } else {
        text_of(&submit.input)?
    };
    let input: Value = serde_json::from_str(if text.trim().is_empty() { "{}" } else { &text })
        .map_err(|error| usage(format!("{name} is not JSON: {error}")))?;
    let mut body = Map::new();
    body.insert("workflow_type".into(), workflow_type.into());
    body.insert("input".into(), input);
    if let Some(priority) = &submit.priority {
        body.insert("priority".into(), priority.as_str().into());
    }
    if !submit.depends_on.is_empty() {
        body.insert("depends_on".into(), json!(submit.depends_on));
    }
    if !submit.label.is_empty() {
        body.insert("labels".into(), Value::Object(labels(&submit.label)?));
    }
    Ok(Value::Object(body))
}

fn labels(given: &[String]) -> Result<Map<String, Value>, Failure> {
    let pair = |text: &String| {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| usage(format!("--label {text}: write KEY=VALUE")))?;
        Ok((key.to_owned(), Value::from(value)))
    };
    given.iter().map(pair).collect()
}

/// Submissions in any of the accepted forms: one document, an array, or one a
/// line.
fn parse_many(text: &str, name: &str) -> Result<Vec<Value>, Failure> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let parsed: Result<Vec<Value>, _> = documents.collect();
    let mut parsed = parsed.map_err(|error| usage(format!("{name} is not JSON: {error}")))?;
    if let [Value::Array(items)] = &mut parsed[..] {
        return Ok(vec![json!({"tasks": std::mem::take(items)})]);
    }
    if parsed.is_empty() {
        return Err(usage(format!(
            "{name} is empty; see `zerogate submit --help` for the forms"
        )));
    }
    Ok(parsed)
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" {
        "standard input".into()
    } else {
        path.display().to_string()
    }
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(path).map(|content| text = content)
    };
    read.map_err(|error| usage(format!("{}: {error}", name_of(path))))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_document_an_array_and_one_a_line_are_understood() {
        assert_eq!(
            parse_many("{\"workflow_type\":\"t\"}", "f").unwrap().len(),
            1
        );
        let array = parse_many("[{\"a\":1},{\"b\":2}]", "f").unwrap();
        assert_eq!(array[0]["tasks"].as_array().unwrap().len(), 2);
        assert_eq!(parse_many("{\"a\":1}\n{\"b\":2}\n", "f").unwrap().len(), 2);
        assert!(
            parse_many("  \n", "f")
                .unwrap_err()
                .message
                .contains("empty")
        );
        assert!(
            parse_many("{\"a\":", "f")
                .unwrap_err()
                .message
                .contains("line 1")
        );
    }
}
