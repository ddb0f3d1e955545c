//! What `zerogate submit` reads and sends.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    arguments::Submit,
    exit::Failure,
    input::{self, name_of, text_of},
};

use super::{http::Api, usage};

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

/// Reads the input, uploads its files and builds the request that the arguments describe.
pub(crate) fn read(submit: &Submit, api: &Api) -> Result<Request, Failure> {
    let dry_run = if submit.dry_run { "?dry_run=true" } else { "" };
    if let Some(workflow_type) = &submit.workflow_type {
        let body = one(submit, workflow_type, api)?;
        return Ok(Request {
            path: format!("{ONE}{dry_run}"),
            body,
        });
    }
    let path = submit.input.input.as_deref().unwrap_or(Path::new("-"));
    let mut parsed = parse_many(&text_of(path)?, &name_of(path))?;
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

fn one(submit: &Submit, workflow_type: &str, api: &Api) -> Result<Value, Failure> {
    let drafted = input::read(&submit.input, workflow_type, None)?;
    let mut input = drafted.value;
    for (place, path) in drafted.files {
        let stored = api.upload(&path)?;
        let id = stored["file_id"].as_str().unwrap_or_default();
        input::put(&mut input, &place, json!({"file": id}))?;
    }
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
