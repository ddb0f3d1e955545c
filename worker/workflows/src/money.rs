//! Amounts of money: exact decimals, never binary fractions.
//!
//! Invariant: an [`Amount`] is what the input says, unread; [`Amount::read`] makes it a decimal or says why not.

use std::str::FromStr;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde::Deserialize;
use serde_json::Value;

/// Greatest amount: far above any budget, far below where sums of a million of them lose a cent.
const MAX: i64 = 1_000_000_000_000_000;

/// An amount in an input: a decimal string or a JSON number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Amount {
    /// As a number; its shortest decimal form counts.
    Number(serde_json::Number),
    /// As a decimal string.
    Text(String),
}

impl Amount {
    /// The decimal, at least 0 and at most 10^15. The error says what to write, without the value.
    pub(crate) fn read(&self) -> Result<Decimal, String> {
        let text = match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        };
        let value = Decimal::from_str(&text)
            .or_else(|_| Decimal::from_scientific(&text))
            .map_err(|_| "must be an amount like \"1250.50\" or 1250.5".to_owned())?;
        if value.is_sign_negative() && !value.is_zero() {
            return Err("must not be negative".into());
        }
        if value > Decimal::from(MAX) {
            return Err(format!("must be at most {MAX}"));
        }
        Ok(value)
    }
}

impl schemars::JsonSchema for Amount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number"], "maxLength": 40, "minimum": 0})
    }
}

/// A decimal in the unit of money: two digits, halves to even, as a string.
pub(crate) fn text(value: Decimal) -> Value {
    Value::from(format!("{:.2}", cents(value)))
}

/// Rounded to two digits, halves to even.
pub(crate) fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven)
}

/// For models, which think in floats.
pub(crate) fn float(value: Decimal) -> f64 {
    value.to_f64().unwrap_or(f64::MAX)
}

/// What a model says, back as money: two digits.
pub(crate) fn from_float(value: f64) -> Decimal {
    Decimal::try_from(value.clamp(0.0, 1e15))
        .map(cents)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<String, String> {
        let amount: Amount = serde_json::from_value(value.clone()).unwrap();
        amount.read().map(|d| d.to_string())
    }

    #[test]
    fn numbers_and_strings_are_the_decimals_they_show() {
        assert_eq!(read(&json!(0.1)).unwrap(), "0.1");
        assert_eq!(read(&json!("0.10")).unwrap(), "0.10");
        assert_eq!(read(&json!(30000)).unwrap(), "30000");
        assert_eq!(read(&json!(1.5e3)).unwrap(), "1500.0");
        assert_eq!(text(Decimal::from_str("12.345").unwrap()), json!("12.34"));
    }

    #[test]
    fn what_is_no_amount_is_refused_without_being_quoted() {
        for bad in [
            json!("ten"),
            json!(""),
            json!(-1),
            json!("-0.01"),
            json!(1e16),
            json!(1e300),
            json!("1,5"),
        ] {
            let error = read(&bad).unwrap_err();
            assert!(!error.contains("ten"), "{error}");
        }
    }
}
