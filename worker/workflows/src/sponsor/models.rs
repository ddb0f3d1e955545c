//! The fitted models as the result shows them: parameters, fit, and how well they predict.

use serde_json::{Map, Value, json};

use super::analysis::Analysis;
use super::book::Record;
use super::funding::{FEATURES, Scored};
use super::input::Period;
use super::model::bgbb::History;
use super::model::bgnbd::{self, Customer};
use super::model::shrinkage::Prior;
use crate::advanced::SWITCHED_OFF;
use crate::document::Document;
use crate::number::{correlation, float, maybe, ranks};
use crate::{Error, Run};

/// Fewer sponsors with a repeated gift are no sample to compare two models on.
const FEWEST_COMPARED: usize = 10;

/// `model`: the figures of BG/BB at the top, the others by name.
pub(super) fn describe(
    analysis: &Analysis<'_>,
    doc: &mut Document,
    run: &Run<'_>,
) -> Result<Value, Error> {
    let ladder = &analysis.ladder;
    let mut out = Map::new();
    let fit = ladder.bgbb.as_ref();
    let params = fit.map(|(fit, _)| {
        let p = fit.parameters;
        json!({"alpha": float(p.alpha), "beta": float(p.beta), "gamma": float(p.gamma), "delta": float(p.delta)})
    });
    out.insert("params".into(), params.into());
    out.insert(
        "loglik".into(),
        maybe(fit.map(|(fit, _)| fit.ln_likelihood)),
    );
    out.insert(
        "at_boundary".into(),
        fit.map(|(fit, _)| fit.at_boundary).into(),
    );
    out.insert("converged".into(), fit.map(|(fit, _)| fit.converged).into());
    out.insert("n_train".into(), fit.map(|(_, donors)| *donors).into());
    if fit.is_none() {
        for field in ["params", "loglik", "at_boundary", "converged", "n_train"] {
            doc.because(format!("/model/{field}"), ladder.why_not_bgbb.as_str());
        }
    }
    let scored = ladder.asks.as_ref();
    out.insert(
        "auc".into(),
        maybe(scored.ok().and_then(|s| s.judgement.auc)),
    );
    out.insert("asks".into(), scored.map_or(Value::Null, asks));
    if let Ok(scored) = scored {
        unjudged(scored, doc);
    }
    if let Err(why) = scored {
        doc.because("/model/auc", why.as_str());
        doc.because("/model/asks", why.as_str());
    }
    out.insert(
        "prior".into(),
        json!({"asks": prior(ladder.asked.prior), "periods": prior(ladder.gave.prior)}),
    );
    out.insert("gamma_gamma".into(), gamma_gamma(analysis, doc));
    let opinion = second_opinion(analysis, doc, run)?;
    out.insert("second_opinion".into(), opinion);
    Ok(Value::Object(out))
}

/// What could not be judged on the later asks.
fn unjudged(scored: &Scored, doc: &mut Document) {
    if scored.judgement.auc.is_none() {
        for pointer in ["/model/auc", "/model/asks/auc"] {
            doc.because(pointer, "all later asks ended the same way");
        }
    }
    if scored.judgement.calibration.is_none() {
        for field in ["calibration_slope", "calibration_intercept"] {
            let pointer = format!("/model/asks/{field}");
            doc.because(pointer, "the later asks have no finite calibration line");
        }
    }
}

/// What rung 0 believes of one kind of trials beforehand.
fn prior(prior: Prior) -> Value {
    json!({"a": float(prior.a), "b": float(prior.b),
        "method": if prior.learned { "moments over types of sponsors" } else { "Jeffreys" }})
}

fn asks(scored: &Scored) -> Value {
    let coefficients: Map<String, Value> = std::iter::once("intercept")
        .chain(FEATURES)
        .zip(&scored.model.coefficients)
        .map(|(name, c)| (name.to_owned(), float(*c)))
        .collect();
    let judgement = &scored.judgement;
    json!({
        "coefficients": coefficients,
        "n_train": scored.trained_on,
        "n_test": scored.judged_on,
        "base_rate": float(scored.base_rate),
        "auc": maybe(judgement.auc),
        "brier": float(judgement.brier),
        "brier_skill": float(judgement.brier_skill),
        "calibration_slope": maybe(judgement.calibration.map(|c| c.0)),
        "calibration_intercept": maybe(judgement.calibration.map(|c| c.1)),
        "method": "L2 logistic regression by IRLS on standardised features, penalty 1; fitted to the earlier 70 % of the asks, judged on the later ones",
    })
}

fn gamma_gamma(analysis: &Analysis<'_>, doc: &mut Document) -> Value {
    match &analysis.amounts.model {
        Ok((fit, donors)) => {
            let p = fit.parameters;
            json!({"p": float(p.p), "q": float(p.q), "v": float(p.v), "loglik": float(fit.ln_likelihood),
                "at_boundary": fit.at_boundary, "converged": fit.converged, "n_train": donors})
        }
        Err(why) => {
            doc.because("/model/gamma_gamma", why.as_str());
            Value::Null
        }
    }
}

/// How BG/NBD, which sees days instead of periods, orders the sponsors by their chance of still being active.
fn second_opinion(
    analysis: &Analysis<'_>,
    doc: &mut Document,
    run: &Run<'_>,
) -> Result<Value, Error> {
    let opinion = match (&analysis.ladder.bgbb, analysis.drawn) {
        (None, _) => Err("there is no BG/BB to compare with"),
        (Some(_), false) => Err(SWITCHED_OFF),
        (Some((fit, _)), true) => compared(analysis, |h| fit.parameters.alive(h), run)?,
    };
    if opinion
        .as_ref()
        .is_ok_and(|o| o["rank_correlation"].is_null())
    {
        doc.because(
            "/model/second_opinion/rank_correlation",
            format!("fewer than {FEWEST_COMPARED} sponsors gave on a second day, or their chances do not vary"),
        );
    }
    Ok(opinion.unwrap_or_else(|why| {
        doc.because("/model/second_opinion", why);
        Value::Null
    }))
}

fn compared(
    analysis: &Analysis<'_>,
    alive: impl Fn(History) -> f64,
    run: &Run<'_>,
) -> Result<Result<Value, &'static str>, Error> {
    let period = analysis.input.params.period;
    let as_of = analysis.input.as_of.0;
    let donors: Vec<(History, Customer)> = analysis
        .book
        .records
        .iter()
        .enumerate()
        .filter_map(|(i, record)| {
            Some((
                analysis.ladder.history(i)?,
                customer(record, period, as_of)?,
            ))
        })
        .collect();
    let customers: Vec<Customer> = donors.iter().map(|d| d.1).collect();
    let Some(fitted) = bgnbd::fit(&customers, run)? else {
        return Ok(Err("BG/NBD did not converge inside its bounds"));
    };
    // BG/NBD lets nobody leave before a second gift.
    let again: Vec<_> = donors.iter().filter(|(_, c)| c.x > 0).collect();
    let column = |of: &dyn Fn(&(History, Customer)) -> f64| -> Vec<f64> {
        ranks(&again.iter().map(|d| of(d)).collect::<Vec<_>>())
    };
    let agreement = (again.len() >= FEWEST_COMPARED)
        .then(|| correlation(&column(&|d| alive(d.0)), &column(&|d| fitted.alive(d.1))))
        .flatten();
    Ok(Ok(json!({
        "method": "BG/NBD on days with gifts; Spearman's rank correlation of both chances of being active",
        "params": {"r": float(fitted.r), "alpha": float(fitted.alpha), "a": float(fitted.a), "b": float(fitted.b)},
        "n_train": customers.len(),
        "n": again.len(),
        "rank_correlation": maybe(agreement),
    })))
}

/// Days with gifts after the first, in periods of mean length.
fn customer(record: &Record<'_>, period: Period, as_of: jiff::civil::Date) -> Option<Customer> {
    let mut days: Vec<_> = record.gifts.iter().map(|g| g.date).collect();
    days.dedup();
    let (first, last) = (*days.first()?, *days.last()?);
    let since = |day: jiff::civil::Date| f64::from((day - first).get_days()) / period.mean_days();
    Some(Customer {
        x: super::book::count(&days) - 1,
        t_x: since(last),
        t: since(as_of),
    })
}
