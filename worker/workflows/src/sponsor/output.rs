//! Lays an analysis out as JSON: per sponsor, then models, evidence, conventions and limits.
//!
//! Invariant: an unknown figure is null with its reason, never 0.

use serde_json::{Map, Value, json};

use super::advice::RULES;
use super::amount::Expected;
use super::analysis::{Analysis, Finding};
use super::book::Record;
use super::funding::Funding;
use super::influence::Standing;
use super::rfm::{FEWEST, Rfm};
use super::{gaps, limits, models};
use crate::advanced::SWITCHED_OFF;
use crate::document::Document;
use crate::money;
use crate::number::{float, maybe};
use crate::{Error, Run};

/// Version of the rules behind the numbers of this page.
const METHOD_VERSION: u32 = 1;

/// Fills the whole result.
pub(super) fn fill(
    analysis: &Analysis<'_>,
    doc: &mut Document,
    run: &Run<'_>,
) -> Result<(), Error> {
    let input = analysis.input;
    let sponsors: Vec<Value> = analysis
        .sponsors()
        .map(|(record, finding)| sponsor(record, finding, analysis))
        .collect();
    explain(&sponsors, analysis, doc);
    doc.set("sponsors", sponsors);
    doc.set("as_of", json!(input.as_of));
    doc.set("currency", input.currency.as_str());
    doc.set("params", json!(input.params));
    doc.set("seed", input.seed);
    let model = models::describe(analysis, doc, run)?;
    doc.set("model", model);
    doc.set("data_gaps", gaps::listed(analysis));
    doc.set("cannot_tell", gaps::cannot_tell(analysis));
    doc.set("evidence", evidence(analysis));
    doc.set("rules", rules());
    doc.set("conventions", conventions());
    doc.set("limits", limits::listed());
    Ok(())
}

fn sponsor(record: &Record<'_>, finding: &Finding, analysis: &Analysis<'_>) -> Value {
    let amount = finding.amount.as_ref();
    let advice = finding.advice.iter().map(
        |a| json!({"rule": a.rule, "priority": a.priority, "text": a.text, "evidence": a.evidence}),
    );
    json!({
        "id": record.sponsor.id,
        "name": record.sponsor.name,
        "type": record.sponsor.kind,
        "rfm": rfm(&finding.rfm),
        "relationship": relationship(finding, analysis),
        "funding": funding(&finding.funding),
        "amount": amount.map_or_else(|why| json!({"mean": null, "p10": null, "p90": null, "reason": why}), expected),
        "potential": amount.map_or(Value::Null, |a| money::text(a.potential)),
        "potential_interval": amount.ok().and_then(|a| a.potential_p10_p90).map_or(Value::Null, |(low, high)| {
            json!({"p10": money::text(low), "p90": money::text(high)})
        }),
        "influence": finding.standing.map_or(Value::Null, influence),
        "recommendations": advice.collect::<Vec<_>>(),
    })
}

fn rfm(rfm: &Rfm) -> Value {
    let quintile = |i: usize| rfm.quintiles.map(|q| q[i]);
    json!({
        "recency_days": rfm.recency_days,
        "frequency": rfm.frequency,
        "monetary": money::text(rfm.monetary),
        "r": quintile(0),
        "f": quintile(1),
        "m": quintile(2),
    })
}

fn relationship(finding: &Finding, analysis: &Analysis<'_>) -> Value {
    let mut out = finding.now.describe();
    let input = analysis.input;
    if !input.ties.is_empty() && super::bonds::ours(input).is_empty() {
        out["components"]["structural"]["reason"] =
            "params.us is empty and no tie has the id us: nobody in the ties is known to be one of us".into();
    }
    let before = finding
        .then
        .as_ref()
        .and_then(|(day, then)| Some((day, then, finding.now.score? - then.score?)));
    out["trend_90d"] = maybe(before.map(|b| b.2));
    if let Some((day, then, _)) = before {
        out["trend_evidence"] = json!({"since": day.to_string(), "score": maybe(then.score),
            "coverage": float(then.coverage)});
    }
    out
}

fn funding(funding: &Funding) -> Value {
    json!({
        "p": float(funding.p),
        "ci90": funding.interval90.map(|(low, high)| [float(low), float(high)]),
        "rung": funding.rung.name(),
        "why": funding.why,
        "horizon": funding.horizon,
        "n_train": funding.trained_on,
        "num": funding.own.successes,
        "den": funding.own.trials,
        "p_alive": maybe(funding.alive),
        "expected_gifts": maybe(funding.expected_gifts),
        "base_rate": maybe(funding.base_rate),
        "method": funding.rung.method(),
        "method_version": METHOD_VERSION,
    })
}

fn expected(expected: &Expected) -> Value {
    let mut out = json!({
        "mean": money::text(expected.mean),
        "p10": null,
        "p90": null,
        "capped": expected.capped,
        "method": expected.method,
        "method_version": METHOD_VERSION,
    });
    if let Some((low, high)) = expected.p10_p90 {
        out["p10"] = money::text(low);
        out["p90"] = money::text(high);
    }
    out
}

fn influence(standing: Standing) -> Value {
    json!({"score": float(standing.score), "measures": standing.measures, "broker": standing.broker})
}

/// Says once for all sponsors why a figure may be null.
fn explain(sponsors: &[Value], analysis: &Analysis<'_>, doc: &mut Document) {
    let no_interval = if analysis.drawn {
        "null where no Gamma-Gamma model holds, or the probability has no interval"
    } else {
        SWITCHED_OFF
    };
    let no_influence = analysis
        .influence
        .absent
        .unwrap_or("null where neither the sponsor nor its people are in the network");
    let quintiles =
        format!("null for sponsors that never gave, and with fewer than {FEWEST} that did");
    for (pointer, reason) in [
        ("/name", "not given"),
        ("/type", "not given"),
        ("/rfm/recency_days", "the sponsor never gave"),
        ("/rfm/r", quintiles.as_str()),
        ("/rfm/f", quintiles.as_str()),
        ("/rfm/m", quintiles.as_str()),
        (
            "/relationship/score",
            "see relationship.reason of the sponsor",
        ),
        (
            "/relationship/trend_90d",
            "a score is unknown now or 90 days before",
        ),
        (
            "/funding/ci90",
            "a parameter lies at its bound, see funding.why",
        ),
        (
            "/funding/p_alive",
            "null without BG/BB, and for sponsors that never gave",
        ),
        (
            "/funding/expected_gifts",
            "null without BG/BB, and for sponsors that never gave",
        ),
        (
            "/funding/base_rate",
            "nobody has completed a period since a first gift",
        ),
        ("/amount/mean", "see amount.reason of the sponsor"),
        ("/amount/p10", no_interval),
        ("/amount/p90", no_interval),
        ("/potential", "see amount.reason of the sponsor"),
        ("/potential_interval", no_interval),
        ("/influence", no_influence),
    ] {
        let missing = |s: &Value| s.pointer(pointer).is_some_and(Value::is_null);
        if sponsors.iter().any(missing) {
            doc.because(format!("/sponsors/*{pointer}"), reason);
        }
    }
    for name in crate::strength::COMPONENTS {
        let missing = |s: &Value| s["relationship"]["components"][name]["value"].is_null();
        if sponsors.iter().any(missing) {
            doc.because(
                format!("/sponsors/*/relationship/components/{name}/value"),
                "see reason beside it",
            );
        }
    }
}

fn evidence(analysis: &Analysis<'_>) -> Value {
    let of = |n: usize, method: &str| json!({"n": n, "method": method, "method_version": METHOD_VERSION});
    let input = analysis.input;
    let records = &analysis.book.records;
    let donors = records.iter().filter(|r| !r.gifts.is_empty()).count();
    let mut out = Map::new();
    let quintiles =
        "quintiles 1 + floor(5 (average rank - 1) / n) among sponsors that gave; 5 is best";
    out.insert("rfm".into(), of(donors, quintiles));
    out.insert(
        "relationship".into(),
        of(input.interactions.len(), crate::strength::METHOD),
    );
    let asked = records.iter().map(|r| r.asks.len()).sum();
    out.insert(
        "funding".into(),
        of(
            donors,
            "ladder: logistic regression of asks, BG/BB, shrunk rate; see funding.rung",
        ),
    );
    out.insert("asks".into(), of(asked, "decided asks only"));
    let amount =
        "Gamma-Gamma, else the sponsor's own mean; p10 and p90 of seeded draws of the next gift";
    out.insert("amount".into(), of(input.gifts.len(), amount));
    out.insert("potential".into(), of(donors, "funding.p x amount.mean"));
    let nodes = analysis.influence.nodes();
    let mut influence = of(
        nodes,
        "mean percentile rank of strength sum, betweenness, PageRank, 1 - constraint",
    );
    influence["source"] = analysis.influence.source.into();
    out.insert("influence".into(), influence);
    Value::Object(out)
}

fn rules() -> Value {
    let listed: Vec<Value> = RULES
        .iter()
        .map(|(rule, when)| json!({"rule": rule, "when": when}))
        .collect();
    listed.into()
}

/// How the numbers are to be read.
fn conventions() -> Value {
    json!({
        "as_of": "the last second of the day in UTC",
        "periods": "calendar years, quarters or months; the first gift's opens a history and is not counted, the present one is not complete before its last day",
        "giving": "gifts in the present period and the two before it; several gifts of one day count one by one here and in rfm.frequency, once in a history",
        "money": "decimal, two digits, halves to even, converted by the given fx rates whatever the day",
        "recommendations": "by priority, 1 first",
        "funding": "p is the chance of at least one gift, or of an award of the next ask, as funding.horizon says",
    })
}
