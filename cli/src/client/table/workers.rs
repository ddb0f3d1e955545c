//! Workers for people: all of them, one of them, and what was ordered.
//!
//! Invariant: what a worker does not tell shows as a dash.

use serde_json::Value;

use super::{cell, columns, figure};

/// All workers.
pub(crate) fn list(answer: &Value) -> String {
    let rows: Vec<_> = answer["workers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(row)
        .collect();
    if rows.is_empty() {
        return "no worker has been heard of".into();
    }
    let headings = [
        "WORKER",
        "STATE",
        "PROFILE",
        "LEVEL",
        "SLOTS",
        "MEMORY",
        "CPU",
        "HEALTH",
        "LAST HEARD OF",
    ];
    columns(&headings, &rows)
}

fn row(worker: &Value) -> Vec<String> {
    vec![
        cell(&worker["worker_id"]),
        cell(&worker["state"]),
        cell(&worker["profile"]),
        cell(&worker["level"]),
        slots(worker),
        figure::percent(&worker["memory"]["utilisation"]),
        figure::percent(&worker["cpu"]["utilisation"]),
        score(worker),
        figure::moment(&worker["last_heartbeat_at"]),
    ]
}

/// Used of the limit that holds now, and the configured cap where it is another.
pub(crate) fn slots(worker: &Value) -> String {
    let slots = &worker["slots"];
    let (limit, cap) = (cell(&slots["limit"]), cell(&slots["cap"]));
    let within = format!("{}/{limit}", cell(&slots["used"]));
    if cap == limit || cap == "-" {
        within
    } else {
        format!("{within} of {cap}")
    }
}

/// The health score, rounded down as its bands are; a dash as long as the
/// worker cannot measure itself.
pub(crate) fn score(worker: &Value) -> String {
    let health = &worker["health"];
    let known = health["status"] != "unknown";
    let score = health["score"].as_f64().filter(|_| known);
    score.map_or_else(|| "-".into(), |score| format!("{:.0}", score.floor()))
}

/// One worker.
pub(crate) fn one(worker: &Value) -> String {
    let mut lines: Vec<[String; 2]> = Vec::new();
    let mut fact = |name: &str, value: String| lines.push([name.to_owned(), value]);
    for name in ["worker_id", "host", "version"] {
        fact(name, cell(&worker[name]));
    }
    fact("started", figure::moment(&worker["started_at"]));
    fact("heard of", figure::moment(&worker["last_heartbeat_at"]));
    fact("state", cell(&worker["state"]));
    fact("gate", cell(&worker["gate"]));
    fact("profile", cell(&worker["profile"]));
    fact("level", level(worker));
    let health = cell(&worker["health"]["status"]);
    fact("health", format!("{} ({health})", score(worker)));
    fact("slots", slots(worker));
    fact("memory", memory(&worker["memory"]));
    fact("cpu", cpu(&worker["cpu"]));
    fact("disk", disk(&worker["disk"]));
    fact("forecast", forecast(&worker["forecast"]));
    let running = worker["running"].as_array().map_or(0, Vec::len);
    fact("running", running.to_string());
    fact("types", words(&worker["types"]));
    let widest = lines.iter().map(|[name, _]| name.len()).max().unwrap_or(0);
    let lines = lines
        .iter()
        .map(|[name, value]| format!("{name:<widest$}  {value}"));
    let mut blocks = vec![lines.collect::<Vec<_>>().join("\n")];
    blocks.extend(off(worker));
    blocks.extend(short(worker));
    blocks.join("\n\n")
}

fn level(worker: &Value) -> String {
    let since = figure::span(&worker["level_for_ms"]);
    match worker["level"].as_str() {
        Some(level) if since != "-" => format!("{level} for {since}"),
        _ => cell(&worker["level"]),
    }
}

fn memory(memory: &Value) -> String {
    format!(
        "{} of {} ({}); high from {}, critical from {}, never above {}; {} reserved; the process has {}",
        figure::bytes(&memory["used_bytes"]),
        figure::bytes(&memory["limit_bytes"]),
        figure::percent(&memory["utilisation"]),
        figure::bytes(&memory["high_bytes"]),
        figure::bytes(&memory["critical_bytes"]),
        figure::bytes(&memory["hard_bytes"]),
        figure::bytes(&memory["reserved_bytes"]),
        figure::bytes(&memory["process_bytes"]),
    )
}

fn cpu(cpu: &Value) -> String {
    let number = |name: &str| {
        let value = cpu[name].as_f64();
        value.map_or_else(|| "-".into(), figure::plain)
    };
    format!(
        "{} of {} cores; throttled {}; the process uses {}",
        figure::percent(&cpu["utilisation"]),
        number("cores"),
        figure::percent(&cpu["throttled"]),
        number("process_cores"),
    )
}

fn disk(disk: &Value) -> String {
    if disk.is_null() {
        return "-".into();
    }
    let used = figure::percent(&disk["utilisation"]);
    let (free, total) = (&disk["free"], &disk["total"]);
    format!(
        "{used}; {} of {} free",
        figure::bytes(free),
        figure::bytes(total)
    )
}

fn forecast(forecast: &Value) -> String {
    match forecast["in_s"].as_f64() {
        Some(seconds) => format!(
            "{} {} in {seconds:.0} s, by {}",
            cell(&forecast["resource"]),
            cell(&forecast["level"]),
            cell(&forecast["by"]),
        ),
        None => "-".into(),
    }
}

/// Texts in a row.
pub(crate) fn words(list: &Value) -> String {
    let words: Vec<String> = list.as_array().into_iter().flatten().map(cell).collect();
    words.join(", ")
}

fn off(worker: &Value) -> Option<String> {
    let features = worker["features"].as_array()?;
    let off = features
        .iter()
        .filter(|feature| feature["enabled"] == false);
    let rows: Vec<_> = off
        .map(|feature| vec![cell(&feature["name"]), cell(&feature["reason"])])
        .collect();
    (!rows.is_empty()).then(|| columns(&["SWITCHED OFF", "WHY"], &rows))
}

/// Routes that would not be admitted; priorities that are short of the same
/// thing share a line.
fn short(worker: &Value) -> Option<String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for shortage in worker["shortages"].as_array()? {
        let [value, limit] = figure::amounts(shortage);
        let row = vec![
            cell(&shortage["workflow_type"]),
            cell(&shortage["priority"]),
            cell(&shortage["resource"]),
            value,
            limit,
            cell(&shortage["detail"]),
        ];
        match rows.last_mut() {
            Some(last) if last[0] == row[0] && last[2..] == row[2..] => {
                last[1] = format!("{}, {}", last[1], row[1]);
            }
            _ => rows.push(row),
        }
    }
    let headings = [
        "WOULD NOT START",
        "PRIORITY",
        "SHORT OF",
        "VALUE",
        "LIMIT",
        "DETAIL",
    ];
    (!rows.is_empty()).then(|| columns(&headings, &rows))
}

/// What drain and resume changed.
pub(crate) fn order(answer: &Value) -> String {
    let now = match (answer["draining"] == true, answer["changed"] == true) {
        (true, true) => "drains now",
        (true, false) => "was draining already",
        (false, true) => "takes work again",
        (false, false) => "was not draining",
    };
    format!("{} {now}", cell(&answer["worker_id"]))
}

/// A profile as it stands after an order.
pub(crate) fn profile(answer: &Value) -> String {
    let whose = match answer["worker_id"].as_str() {
        Some(worker) => worker.to_owned(),
        None => "the fleet".to_owned(),
    };
    let profile = match answer["profile"].as_str() {
        Some(profile) => format!("the profile {profile}"),
        None => "the configured profile".to_owned(),
    };
    if answer["changed"] == true {
        format!("{whose} goes by {profile} now")
    } else {
        format!("{whose} went by {profile} already")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_worker_that_tells_nothing_shows_dashes() {
        let text = list(&json!({"workers": [{"worker_id": "w1", "state": "ready"}]}));
        let row = text.lines().nth(1).unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            cells,
            ["w1", "ready", "-", "-", "-/-", "-", "-", "-", "-"],
            "{text}"
        );
        assert!(one(&json!({})).contains("forecast   -"));
    }

    #[test]
    fn the_cap_is_shown_where_the_limit_is_another() {
        let slots = |limit: u32| json!({"slots": {"used": 1, "limit": limit, "cap": 10}});
        assert_eq!(super::slots(&slots(10)), "1/10");
        assert_eq!(super::slots(&slots(3)), "1/3 of 10");
    }

    #[test]
    fn one_worker_says_what_is_off_and_what_is_short() {
        let text = one(&json!({
            "level": "high", "level_for_ms": 65_000,
            "forecast": {"resource": "memory", "level": "critical", "in_s": 41.7, "by": "regression"},
            "features": [{"name": "a", "enabled": true, "reason": "on"}, {"name": "b", "enabled": false, "reason": "off: x"}],
            "shortages": [
                {"workflow_type": "a", "priority": "medium", "resource": "memory", "value": 2_097_152, "limit": 1_048_576, "detail": "d"},
                {"workflow_type": "a", "priority": "low", "resource": "memory", "value": 2_097_152, "limit": 1_048_576, "detail": "d"},
                {"workflow_type": "b", "priority": "low", "resource": "feature", "value": 1, "limit": 0, "detail": "off"}]}));
        assert!(text.contains("high for 1 min 5 s"), "{text}");
        assert!(
            text.contains("memory critical in 42 s, by regression"),
            "{text}"
        );
        assert!(text.contains("b             off: x"), "{text}");
        assert!(
            text.contains("a                medium, low  memory    2.0 MiB  1.0 MiB  d"),
            "{text}"
        );
        assert!(
            text.contains("low          feature   -        -        off"),
            "{text}"
        );
    }

    #[test]
    fn orders_say_what_is_so_now() {
        assert_eq!(
            order(&json!({"worker_id": "w", "draining": true, "changed": true})),
            "w drains now"
        );
        assert_eq!(
            profile(&json!({"profile": null, "changed": true})),
            "the fleet goes by the configured profile now"
        );
    }
}
