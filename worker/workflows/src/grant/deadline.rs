//! The deadline as a date, a time and an instant. Its own time zone decides its date; the zone table is built in.

use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde_json::{Value, json};

use super::input::CloseDate;

pub(super) fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// The deadline for the output. A time that the clocks skip or repeat is read as RFC 5545 says.
pub(super) fn describe(close: &CloseDate) -> Value {
    let instant = zone(&close.tz)
        .zip(close.time.parse::<Time>().ok())
        .and_then(|(zone, time)| {
            let zoned = zone.to_zoned(close.date.0.to_datetime(time)).ok()?;
            Some(zoned.timestamp().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        });
    json!({"date": close.date, "time": close.time, "tz": close.tz, "instant": instant})
}
