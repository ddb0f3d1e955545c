//! stub
use serde_json::Value;
use crate::{Error, Run};
pub(crate) fn input_schema() -> Value { serde_json::json!({"type":"object"}) }
pub(crate) fn defaults() -> Value { Value::Null }
pub(crate) fn example() -> Value { Value::Null }
pub(crate) fn run(_: &Value, _: &Run<'_>) -> Result<Value, Error> { Ok(Value::Null) }
pub(crate) fn summary(_: &Value) -> String { String::new() }
/// x
#[must_use]
pub fn sample_grant() -> Value { Value::Null }
