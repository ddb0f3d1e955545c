//! What is missing in the data, for whom and what follows; and what no data of this kind can tell.

use serde_json::{Value, json};

use super::analysis::{Analysis, Finding};
use super::book::Record;
use super::funding::Rung;

/// Ids listed for each gap; all are counted.
const IDS: usize = 20;

type Missing = fn(&Record<'_>, &Finding) -> bool;

/// Gaps that a sponsor can have: name, who has it, what follows.
const GAPS: [(&str, Missing, &str); 8] = [
    (
        "no_gifts",
        |r, _| r.gifts.is_empty(),
        "no recency or frequency; amounts are those of an average sponsor",
    ),
    (
        "no_interactions",
        |r, _| r.contacts.is_empty(),
        "relationship strength rests on gifts and ties alone",
    ),
    (
        "no_text",
        |r, _| {
            !r.contacts.is_empty() && r.contacts.iter().all(|c| c.interaction.sentiment.is_none())
        },
        "tone is unknown; e-mail analysis gives it",
    ),
    (
        "no_capacity",
        |r, _| r.annual_giving.is_none() && r.min_award.is_none() && r.max_award.is_none(),
        "amounts are not bounded by what the sponsor can give",
    ),
    (
        "no_type",
        |r, _| r.sponsor.kind.is_none(),
        "the sponsor shares a segment with all others of unknown type",
    ),
    (
        "not_in_network",
        |_, f| f.standing.is_none(),
        "influence is unknown",
    ),
    (
        "no_decided_asks",
        |r, _| r.asks.iter().all(|a| a.success().is_none()),
        "the sponsor's own answers to asks are unknown",
    ),
    (
        "short_history",
        |_, f| f.funding.rung != Rung::Logistic && f.funding.own.trials < 3,
        "the probability rests mostly on other sponsors",
    ),
];

/// `data_gaps`.
pub(super) fn listed(analysis: &Analysis<'_>) -> Value {
    let mut gaps: Vec<Value> = GAPS
        .iter()
        .filter_map(|(gap, missing, consequence)| {
            let ids: Vec<&str> = analysis
                .sponsors()
                .filter(|(record, finding)| missing(record, finding))
                .map(|(record, _)| record.sponsor.id.as_str())
                .collect();
            (!ids.is_empty()).then(|| {
                json!({"gap": gap, "sponsors": ids.len(), "ids": &ids[..ids.len().min(IDS)],
                    "consequence": consequence})
            })
        })
        .collect();
    let unknown = analysis.book.unknown_replies;
    if unknown > 0 {
        gaps.push(json!({"gap": "unknown_replies", "interactions": unknown,
            "consequence": "answers to interactions that are not in the input count as contacts only"}));
    }
    gaps.into()
}

/// What a reader must not take from the numbers.
pub(super) fn cannot_tell(analysis: &Analysis<'_>) -> Vec<&'static str> {
    let mut all = vec![
        "whether a relationship causes gifts: strength is a policy's summary of contacts, its weights are not estimated",
        "anything that was not recorded: contacts by people who keep no notes, gifts to others, decisions under way",
        "a change of the sponsor's strategy, staff or means: every probability takes the coming periods to be like the past",
    ];
    let of = |rung: Rung| analysis.findings.iter().any(|f| f.funding.rung == rung);
    if of(Rung::BgBb) {
        all.push("seasons, campaigns or growth: BG/BB takes each period to be like the others until a sponsor stops for good");
    }
    if of(Rung::BetaBinomial) {
        all.push(
            "when a sponsor stops: a shrunk rate gives old and recent successes the same weight",
        );
    }
    if of(Rung::Logistic) {
        all.push("the influence that a person had on the day of an old ask: ties have no dates, so today's is used");
    }
    if !analysis.input.fx.is_empty() {
        all.push(
            "what a gift was worth on its day: one rate for each currency is used for all days",
        );
    }
    if analysis.influence.absent.is_some() {
        all.push("who could introduce you: that needs ties");
    }
    all
}
