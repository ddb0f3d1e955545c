//! Reads the query of a request.
//!
//! Invariant: a parameter that nobody asked for is a problem, as an unknown
//! field of a body is.

use std::str::FromStr;

use axum::{
    extract::{Query as Pairs, Request},
    http::Uri,
    middleware::Next,
    response::{IntoResponse, Response},
};
use shared::{model::Stamp, store::query::Cursor};

use super::problem::{Code, Problem};
use crate::submit::Finding;

/// Surrounds the routes that know no parameter at all.
pub(crate) async fn none(request: Request, next: Next) -> Response {
    match Query::of(request.uri()).and_then(Query::finish) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// A query that is being taken apart.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    findings: Vec<Finding>,
}

impl Query {
    pub(crate) fn of(uri: &Uri) -> Result<Self, Problem> {
        let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::new(Code::BadRequest, "the query cannot be read"))?;
        Ok(Self {
            pairs: pairs.0,
            findings: Vec::new(),
        })
    }

    /// A parameter as text; empty counts as absent.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let mut found = None;
        let mut times = 0;
        self.pairs.retain_mut(|(key, value)| {
            let ours = key == name;
            if ours {
                found = Some(std::mem::take(value));
                times += 1;
            }
            !ours
        });
        if times > 1 {
            self.flaw(name, "is given more than once");
        }
        found.filter(|value| !value.is_empty())
    }

    /// A parameter as `T`.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.flaw(name, format!("must be {expected}"));
        }
        value
    }

    /// A point in time.
    pub(crate) fn time(&mut self, name: &str) -> Option<Stamp> {
        let text = self.text(name)?;
        let stamp = serde_json::from_value(text.into()).ok();
        if stamp.is_none() {
            self.flaw(
                name,
                "must be an RFC 3339 time such as 2026-11-23T03:01:02Z",
            );
        }
        stamp
    }

    /// A cursor.
    pub(crate) fn cursor(&mut self) -> Option<Cursor> {
        let text = self.text("cursor")?;
        let cursor = decode(&text);
        if cursor.is_none() {
            self.flaw(
                "cursor",
                "is not a cursor of this API; leave it out to begin",
            );
        }
        cursor
    }

    /// All parameters under a prefix, which is cut off.
    pub(crate) fn under(&mut self, prefix: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        self.pairs.retain_mut(|(key, value)| {
            let Some(rest) = key.strip_prefix(prefix) else {
                return true;
            };
            found.push((rest.to_owned(), std::mem::take(value)));
            false
        });
        found
    }

    /// Remembers a problem with a parameter.
    pub(crate) fn flaw(&mut self, name: &str, detail: impl Into<String>) {
        self.findings.push(Finding::new(format!("/{name}"), detail));
    }

    /// Every problem, or none.
    pub(crate) fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            self.flaw(&name, "is not a known parameter");
        }
        if self.findings.is_empty() {
            return Ok(());
        }
        Err(Problem::invalid(self.findings))
    }
}

/// Nobody should compute with a cursor.
const MASK: u64 = 0x5a65_726f_4761_7465;

/// Writes a cursor down.
pub(crate) fn encode(cursor: Cursor) -> String {
    format!("{:016x}", (cursor.0 ^ MASK).rotate_left(17))
}

fn decode(text: &str) -> Option<Cursor> {
    let bits = (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok())??;
    Some(Cursor(bits.rotate_right(17) ^ MASK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_and_others_are_refused() {
        for seq in [0, 1, 12_345, u64::MAX] {
            assert_eq!(decode(&encode(Cursor(seq))), Some(Cursor(seq)));
        }
        for bad in ["", "1", "zzzzzzzzzzzzzzzz", "+fffffffffffffff1"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_problem_of_a_query_is_reported() {
        let uri = "/x?limit=many&label.a=1&cursor=2&what=3&status=a&status=b"
            .parse()
            .unwrap();
        let mut query = Query::of(&uri).unwrap();
        assert_eq!(query.parsed::<u32>("limit", "a number"), None);
        assert_eq!(query.under("label."), [("a".into(), "1".into())]);
        assert_eq!(query.cursor(), None);
        assert_eq!(query.text("status"), Some("b".into()));
        assert_eq!(query.findings.len(), 3);
        assert!(query.finish().is_err());
    }
}
