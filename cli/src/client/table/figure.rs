//! Figures as people read them: bytes, shares, spans, moments, bars.
//!
//! Invariant: what is not there is a dash, never a zero.

use std::time::Duration;

use serde_json::Value;

use super::cell;

/// Full eighths of a cell of a bar or a spark.
const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Bytes in binary units.
pub(crate) fn bytes(value: &Value) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let Some(mut amount) = value.as_f64() else {
        return cell(&Value::Null);
    };
    let mut unit = 0;
    while amount.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && amount.abs() < 100.0);
    format!("{amount:.digits$} {}", UNITS[unit])
}

/// A share of 1 in percent.
pub(crate) fn percent(value: &Value) -> String {
    match value.as_f64() {
        Some(share) => format!("{:.0} %", share * 100.0),
        None => cell(&Value::Null),
    }
}

/// A plain number with no more digits than it needs.
pub(crate) fn plain(value: f64) -> String {
    if value.fract() == 0.0 {
        return format!("{value:.0}");
    }
    let digits = if value.abs() < 10.0 { 2 } else { 1 };
    format!("{value:.digits$}")
}

/// Milliseconds as the two largest units.
pub(crate) fn span(value: &Value) -> String {
    let Some(ms) = value.as_u64() else {
        return cell(&Value::Null);
    };
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A span that is known as such.
pub(crate) fn lasting(span: Duration) -> String {
    self::span(&u64::try_from(span.as_millis()).unwrap_or(u64::MAX).into())
}

/// A time without its fraction of a second.
pub(crate) fn moment(value: &Value) -> String {
    let text = cell(value);
    match text.split_once('.') {
        Some((whole, _)) => format!("{}Z", whole.replacen('T', " ", 1)),
        None => text,
    }
}

/// What is short of a resource, in the unit that the resource is measured in.
pub(crate) fn of(resource: &Value, value: &Value) -> String {
    match (resource.as_str(), value.as_f64()) {
        (Some("memory" | "too_large"), Some(_)) => bytes(value),
        (Some("heartbeat" | "stale"), Some(seconds)) => format!("{seconds:.1} s"),
        (_, Some(number)) => plain(number),
        (_, None) => cell(value),
    }
}

/// How much would be in use and how much may be; what is on or off has no
/// amounts.
pub(crate) fn amounts(shortage: &Value) -> [String; 2] {
    let resource = &shortage["resource"];
    if matches!(
        resource.as_str(),
        Some("feature" | "draining" | "gate" | "capacity")
    ) {
        return ["-", "-"].map(ToOwned::to_owned);
    }
    ["value", "limit"].map(|name| of(resource, &shortage[name]))
}

/// A share of 1 as a bar.
pub(crate) fn bar(share: &Value, width: usize) -> String {
    let Some(share) = share.as_f64() else {
        return " ".repeat(width);
    };
    let full = place(share, width);
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

/// A value between the least and the most as one character.
pub(crate) fn spark(value: f64, (least, most): (f64, f64)) -> char {
    let share = if most > least {
        (value - least) / (most - least)
    } else {
        0.0
    };
    EIGHTHS[place(share, EIGHTHS.len() - 1)]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to the cells of a line"
)]
fn place(share: f64, cells: usize) -> usize {
    let share = if share.is_nan() { 0.0 } else { share };
    (share.clamp(0.0, 1.0) * cells as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_have_the_unit_that_reads_best() {
        assert_eq!(bytes(&json!(512)), "512 B");
        assert_eq!(bytes(&json!(1536)), "1.5 KiB");
        assert_eq!(bytes(&json!(300 * 1024 * 1024)), "300 MiB");
        assert_eq!(bytes(&Value::Null), "-");
    }

    #[test]
    fn spans_and_moments() {
        assert_eq!(span(&json!(900)), "900 ms");
        assert_eq!(span(&json!(75_000)), "1 min 15 s");
        assert_eq!(span(&json!(7_500_000)), "2 h 5 min");
        assert_eq!(span(&Value::Null), "-");
        let at = json!("2026-11-23T03:01:02.120000Z");
        assert_eq!(moment(&at), "2026-11-23 03:01:02Z");
    }

    #[test]
    fn what_is_short_has_its_unit() {
        assert_eq!(of(&json!("memory"), &json!(1_048_576)), "1.0 MiB");
        assert_eq!(of(&json!("slots"), &json!(4)), "4");
        assert_eq!(of(&json!("cpu"), &json!(1.25)), "1.25");
        assert_eq!(of(&json!("stale"), &json!(3)), "3.0 s");
    }

    #[test]
    fn bars_and_sparks_stay_within_their_cells() {
        assert_eq!(bar(&json!(0.5), 4), "██░░");
        assert_eq!(bar(&json!(7.0), 4), "████");
        assert_eq!(bar(&Value::Null, 2), "  ");
        assert_eq!(spark(0.0, (0.0, 1.0)), '▁');
        assert_eq!(spark(1.0, (0.0, 1.0)), '█');
        assert_eq!(spark(5.0, (5.0, 5.0)), '▁');
        assert_eq!(spark(f64::NAN, (0.0, 1.0)), '▁');
    }
}
