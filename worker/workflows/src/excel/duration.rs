//! Durations of ISO 8601, as ods writes times: `PT17H30M00S`.

/// Milliseconds; `None` for what is no duration of days, hours, minutes and seconds, or beyond a century.
pub(crate) fn millis(text: &str) -> Option<i64> {
    const CENTURY: f64 = 36_525.0 * 86_400_000.0;
    let (sign, text) = match text.trim().strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.trim()),
    };
    let mut rest = text.strip_prefix('P')?;
    let mut units: &[(char, f64)] = &[('D', 86_400_000.0)];
    let mut total = 0.0;
    let mut parts = 0;
    while !rest.is_empty() {
        if let Some(clock) = rest.strip_prefix('T').filter(|_| units.len() == 1) {
            units = &[('H', 3_600_000.0), ('M', 60_000.0), ('S', 1_000.0)];
            rest = clock;
            continue;
        }
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let unit = rest[end..].chars().next()?;
        let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
        total += rest[..end].parse::<f64>().ok()? * scale;
        parts += 1;
        rest = &rest[end + unit.len_utf8()..];
    }
    if parts == 0 || total > CENTURY {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below a century in milliseconds"
    )]
    let millis = (sign * total).round() as i64;
    Some(millis)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn durations_read() {
        assert_eq!(millis("PT17H30M00S"), Some(63_000_000));
        assert_eq!(millis("P1DT0.5S"), Some(86_400_500));
        assert_eq!(millis("-PT1M"), Some(-60_000));
        for bad in [
            "",
            "P",
            "PT",
            "17:30",
            "PT1X",
            "P1H",
            "PT9999999999H",
            "PT1é",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }
}
