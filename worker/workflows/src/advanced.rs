//! The expensive optional parts of the analyses (feature `advanced_analytics`): what an input wishes, and what the
//! decision means for a run.
//!
//! The decision is taken outside, once, and reaches a run as [`Run::advanced`]; every type that has such parts writes
//! it into its result as `advanced` and gives the reason for each part that it leaves out. Invariant: the same input
//! with the same decision gives the same bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Error, Run, find};

/// Why a part is null.
pub(crate) const SWITCHED_OFF: &str =
    "the feature advanced_analytics was switched off for this run";

/// What an input says under `advanced`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Advanced {
    #[default]
    Auto,
    Require,
}

impl Advanced {
    /// An error where the run is not to compute what the input requires: whoever runs it should have waited.
    pub(crate) fn permitted(self, run: &Run<'_>) -> Result<(), Error> {
        if self == Self::Require && !run.advanced {
            return Err(Error::Internal(
                "the input requires advanced analytics, which are switched off".into(),
            ));
        }
        Ok(())
    }
}

/// What an input wishes of the expensive optional parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Wait until they are switched on: a run without them fails.
    Require,
    /// Compute them if they are switched on, and say so if not.
    Auto,
    /// The type has none, or is unknown.
    NotApplicable,
}

/// What an input of a type wishes. Of an invalid input `Auto`: its run says what is wrong with it.
#[must_use]
pub fn wants_advanced(workflow_type: &str, input: &Value) -> Wish {
    match find(workflow_type) {
        // Such a type has a default for it.
        Some(kind) if (kind.defaults)()["advanced"].is_string() => match input["advanced"].as_str()
        {
            Some("require") => Wish::Require,
            _ => Wish::Auto,
        },
        _ => Wish::NotApplicable,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalogue;

    #[test]
    fn a_type_with_optional_parts_takes_the_decision_and_records_it() {
        for kind in catalogue() {
            let mut input = (kind.example)();
            let listed = (kind.input_schema)()["properties"]["advanced"].is_object();
            let wish = wants_advanced(kind.name, &input);
            assert_eq!(listed, wish != Wish::NotApplicable, "{}", kind.name);
            if !listed {
                continue;
            }
            assert_eq!(wish, Wish::Auto);
            let off = Run {
                advanced: false,
                ..Run::unattended()
            };
            for (run, advanced) in [(&Run::unattended(), true), (&off, false)] {
                let output = (kind.run)(&input, run).unwrap();
                assert_eq!(output["advanced"], advanced, "{}", kind.name);
                let says = output["null_reasons"].to_string().contains(SWITCHED_OFF);
                assert_eq!(says, !advanced, "{}", kind.name);
                assert_eq!(output, (kind.run)(&input, run).unwrap());
            }
            input["advanced"] = json!("require");
            assert_eq!(wants_advanced(kind.name, &input), Wish::Require);
            assert!(matches!((kind.run)(&input, &off), Err(Error::Internal(_))));
            input["advanced"] = json!("perhaps");
            assert_eq!(wants_advanced(kind.name, &input), Wish::Auto);
            assert!(matches!(
                (kind.run)(&input, &off),
                Err(Error::InvalidInput(_))
            ));
        }
        assert_eq!(wants_advanced("none such", &json!({})), Wish::NotApplicable);
    }
}
