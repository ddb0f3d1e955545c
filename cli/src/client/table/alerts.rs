//! Alerts for people.
//!
//! Invariant: shows what the answer says, in its order; judges nothing.

use serde_json::Value;

use super::{cell, columns, figure};

/// The alerts, in the answer's order.
pub(crate) fn list(answer: &Value) -> String {
    let rows: Vec<_> = answer["alerts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|alert| {
            vec![
                cell(&alert["level"]),
                cell(&alert["state"]),
                figure::moment(&alert["since"]),
                cell(&alert["count"]),
                cell(&alert["worker_id"]),
                cell(&alert["message"]),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no such alerts".into();
    }
    let headings = ["LEVEL", "STATE", "SINCE", "COUNT", "WORKER", "MESSAGE"];
    columns(&headings, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn alerts_are_listed_or_said_to_be_none() {
        assert_eq!(list(&json!({"alerts": []})), "no such alerts");
        let text = list(
            &json!({"alerts": [{"level": "high", "state": "firing", "message": "memory 93 %",
            "since": "2026-11-23T03:01:02.000000Z", "count": 2, "worker_id": "w1"}]}),
        );
        assert!(
            text.contains("high   firing  2026-11-23 03:01:02Z  2      w1      memory 93 %"),
            "{text}"
        );
    }
}
