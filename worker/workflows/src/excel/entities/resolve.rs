//! From rows to entities: profiles, pairs, model, links, sets.
//!
//! Rows that are equal in every column that is read form one profile; profiles are numbered by their content, so the
//! outcome does not depend on the order of rows. Invariant: entities are a partition of the rows.
//! Deliberately absent: what an output calls things (`output`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::blocks::{Blocks, RuleReport};
use super::cluster::{Link, Sets};
use super::compare;
use super::model::{Counts, Model, Pattern};
use super::normal::Value;
use super::settings::{Kind, Plan};
use crate::number::small;
use crate::{Error, Run};

/// From this probability on, profiles are joined. WORKFLOWS 6.3.
pub(super) const MERGE_AT: f64 = 0.95;
/// From this probability on, a person should look. WORKFLOWS 6.3.
pub(super) const REVIEW_AT: f64 = 0.5;
/// Values that are normalised: rows x columns that are read. Each may take some hundred bytes.
pub(in crate::excel) const MAX_VALUES: u64 = 2_000_000;
/// Pairs between two looks at the stop request.
const STRIDE: usize = 16_384;

/// Rows that are equal in every column.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) values: Vec<Value>,
    /// Numbers of its rows, ascending.
    pub(super) rows: Vec<u32>,
}

/// A compared pair that matters: joined, or to be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub(super) link: Link,
    pub(super) pattern: Pattern,
}

/// Why a pair was left to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// Alike, but with different identifiers, or joined to others with different ones.
    DifferentIds,
    /// The same identifier, but otherwise not alike enough.
    SameId,
    /// Between the review and the merge probability.
    Probability,
}

/// A pair of entities that a person should look at, by its strongest pair of profiles.
#[derive(Debug, Clone, Copy)]
pub(super) struct Review {
    pub(super) judged: Judged,
    pub(super) reason: Reason,
}

/// One entity.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Its profiles, ascending.
    pub(super) profiles: Vec<u32>,
    /// Its rows, ascending.
    pub(super) rows: Vec<u32>,
    /// The links that joined it, strongest first.
    pub(super) joins: Vec<Judged>,
}

/// What came of it all.
#[derive(Debug)]
pub(in crate::excel) struct Resolution {
    pub(super) plan: Plan,
    pub(super) profiles: Vec<Profile>,
    pub(super) model: Model,
    pub(super) reports: Vec<RuleReport>,
    /// Compared pairs of profiles.
    pub(super) pairs: u64,
    /// In order of their first rows.
    pub(super) groups: Vec<Group>,
    /// Of each profile the group it is in; of a profile that was taken apart, the first.
    pub(super) group_of: Vec<u32>,
    /// Strongest first.
    pub(super) reviews: Vec<Review>,
}

/// Finds the entities among rows. `rows` yields for each row the texts of [`Plan::labels`], in that order; a row that
/// has nothing in any compared field is left out.
pub(in crate::excel) fn resolve<'t>(
    plan: &Plan,
    rows: impl Iterator<Item = Vec<Cow<'t, str>>>,
    run: &Run<'_>,
) -> Result<Resolution, Error> {
    let mut profiles = profiles(plan, rows)?;
    run.check()?;
    let values: Vec<Vec<Value>> = profiles
        .iter_mut()
        .map(|p| std::mem::take(&mut p.values))
        .collect();
    let blocks = Blocks::new(plan, &values);
    run.check()?;
    let kinds: Vec<Kind> = plan.columns[..plan.fields].iter().map(|c| c.kind).collect();
    let mut counts = Counts::new();
    let mut pairs: Vec<(u32, u32, Pattern)> = Vec::new();
    for (a, b) in blocks.pairs() {
        if pairs.len().is_multiple_of(STRIDE) {
            run.check()?;
        }
        let pattern = pattern(&kinds, &values[a as usize], &values[b as usize]);
        *counts.entry(pattern).or_default() += 1.0;
        pairs.push((a, b, pattern));
    }
    // A profile with several rows is one agreeing pair: without them nobody would ever agree in full, with all of
    // them a single busy recipient would be the whole model.
    for (_, values) in profiles
        .iter()
        .zip(&values)
        .filter(|(p, _)| p.rows.len() > 1)
    {
        *counts.entry(pattern(&kinds, values, values)).or_default() += 1.0;
    }
    let model = Model::estimate(&kinds, &counts);
    for (profile, values) in profiles.iter_mut().zip(values) {
        profile.values = values;
    }
    let mut resolution = Resolution {
        plan: plan.clone(),
        reports: blocks.reports,
        pairs: pairs.len() as u64,
        group_of: vec![0; profiles.len()],
        profiles,
        model,
        groups: Vec::new(),
        reviews: Vec::new(),
    };
    resolution.decide(&kinds, &pairs);
    Ok(resolution)
}

/// The levels of a pair in the compared fields.
fn pattern(kinds: &[Kind], a: &[Value], b: &[Value]) -> Pattern {
    Pattern::new(
        kinds
            .iter()
            .zip(a.iter().zip(b))
            .map(|(&kind, (x, y))| compare::level(kind, x, y)),
    )
}

/// The distinct rows in order of their content.
fn profiles<'t>(
    plan: &Plan,
    rows: impl Iterator<Item = Vec<Cow<'t, str>>>,
) -> Result<Vec<Profile>, Error> {
    let mut distinct: BTreeMap<Vec<Value>, Vec<u32>> = BTreeMap::new();
    for (number, row) in rows.enumerate() {
        let values = (number + 1) as u64 * plan.columns.len() as u64;
        Error::cap("entity_values", values, MAX_VALUES, "/entities")?;
        let values: Vec<Value> = plan
            .columns
            .iter()
            .zip(&row)
            .map(|(column, text)| Value::new(column.kind, text))
            .collect();
        if values[..plan.fields].iter().any(|v| !v.is_empty()) {
            distinct.entry(values).or_default().push(small(number));
        }
    }
    let profiles = distinct.into_iter();
    Ok(profiles
        .map(|(values, rows)| Profile { values, rows })
        .collect())
}

impl Resolution {
    /// Joins, collects what to review, and lays the groups out.
    fn decide(&mut self, kinds: &[Kind], pairs: &[(u32, u32, Pattern)]) {
        let id_fields: Vec<usize> = (0..kinds.len())
            .filter(|&field| kinds[field] == Kind::Id)
            .collect();
        let mut judged = self.judge(&id_fields, pairs);
        judged.sort_by(|x, y| x.link.order(&y.link));
        let mut sets = Sets::new(self.ids(&id_fields));
        let (mut joins, mut rest) = (Vec::new(), Vec::new());
        for one in judged {
            let Link { a, b, p } = one.link;
            if p >= MERGE_AT && sets.join(a, b) {
                joins.push(one);
            } else {
                rest.push(one);
            }
        }
        self.review(&id_fields, &mut sets, rest);
        self.lay_out(&mut sets, joins);
    }

    /// The pairs that a person or the merge should see. Different identifiers lower the probability of a pair, but it
    /// is the conflict rule that keeps them apart; so such a pair is shown when it is alike without them.
    fn judge(&self, id_fields: &[usize], pairs: &[(u32, u32, Pattern)]) -> Vec<Judged> {
        let mut known: BTreeMap<Pattern, Option<f64>> = BTreeMap::new();
        let mut judged = Vec::new();
        for &(a, b, pattern) in pairs {
            let shown = *known.entry(pattern).or_insert_with(|| {
                let p = self.model.probability(pattern);
                let same_id = id_fields.iter().any(|&f| pattern.level(f) == Some(0));
                let alike = self.model.probability(pattern.without(id_fields)) >= REVIEW_AT;
                (p >= REVIEW_AT || same_id || (alike && differ(id_fields, pattern))).then_some(p)
            });
            if let Some(p) = shown {
                judged.push(Judged {
                    link: Link { a, b, p },
                    pattern,
                });
            }
        }
        judged
    }

    /// Numbers for the identifiers of each profile, 0 for none.
    fn ids(&self, id_fields: &[usize]) -> Vec<Vec<u32>> {
        let mut numbers: Vec<BTreeMap<&str, u32>> = vec![BTreeMap::new(); id_fields.len()];
        let mut all = Vec::with_capacity(self.profiles.len());
        for profile in &self.profiles {
            let mut ids = Vec::with_capacity(id_fields.len());
            for (seen, &field) in numbers.iter_mut().zip(id_fields) {
                let id = profile.values[field].main();
                let next = small(seen.len()) + 1;
                ids.push(if id.is_empty() {
                    0
                } else {
                    *seen.entry(id).or_insert(next)
                });
            }
            all.push(ids);
        }
        all
    }

    /// Keeps of the pairs that were not joined the strongest between any two sets.
    fn review(&mut self, id_fields: &[usize], sets: &mut Sets, rest: Vec<Judged>) {
        let mut between: BTreeMap<(u32, u32), Review> = BTreeMap::new();
        for judged in rest {
            let (x, y) = (sets.root(judged.link.a), sets.root(judged.link.b));
            if x == y {
                continue;
            }
            let reason = if sets.conflict(x, y) {
                Reason::DifferentIds
            } else if id_fields
                .iter()
                .any(|&f| judged.pattern.level(f) == Some(0))
            {
                Reason::SameId
            } else {
                Reason::Probability
            };
            // The pairs come strongest first.
            between
                .entry((x.min(y), x.max(y)))
                .or_insert(Review { judged, reason });
        }
        self.reviews = between.into_values().collect();
        self.reviews
            .sort_by(|x, y| x.judged.link.order(&y.judged.link));
    }

    fn lay_out(&mut self, sets: &mut Sets, joins: Vec<Judged>) {
        let mut by_root: BTreeMap<u32, Group> = BTreeMap::new();
        for (i, profile) in self.profiles.iter().enumerate() {
            let group = by_root.entry(sets.root(small(i))).or_default();
            group.profiles.push(small(i));
            group.rows.extend(&profile.rows);
        }
        for join in joins {
            by_root
                .entry(sets.root(join.link.a))
                .or_default()
                .joins
                .push(join);
        }
        let mut groups = Vec::new();
        for mut group in by_root.into_values() {
            group.rows.sort_unstable();
            if self.is_too_weak(&group) {
                let apart = |&row: &u32| Group {
                    profiles: group.profiles.clone(),
                    rows: vec![row],
                    joins: vec![],
                };
                groups.extend(group.rows.iter().map(apart));
            } else {
                groups.push(group);
            }
        }
        groups.sort_by_key(|group| group.rows.first().copied());
        for (number, group) in groups.iter().enumerate().rev() {
            for &profile in &group.profiles {
                self.group_of[profile as usize] = small(number);
            }
        }
        self.groups = groups;
    }

    /// Whether equal rows say too little to be one entity: two rows with nothing but a common first name.
    fn is_too_weak(&self, group: &Group) -> bool {
        let [profile] = group.profiles[..] else {
            return false;
        };
        let values = &self.profiles[profile as usize].values;
        let fields = &self.plan.columns[..self.plan.fields];
        let named = fields.iter().zip(values).any(|(column, value)| {
            matches!(column.kind, Kind::Name | Kind::Id) && !value.is_empty()
        });
        let kinds: Vec<Kind> = fields.iter().map(|c| c.kind).collect();
        !named
            && group.rows.len() > 1
            && self.model.probability(pattern(&kinds, values, values)) < MERGE_AT
    }

    /// The rows of each entity, by their place in what [`resolve`] was given.
    #[cfg(test)]
    pub(super) fn partition(&self) -> Vec<Vec<u32>> {
        self.groups.iter().map(|g| g.rows.clone()).collect()
    }
}

/// Whether a pair has two different identifiers.
fn differ(id_fields: &[usize], pattern: Pattern) -> bool {
    id_fields
        .iter()
        .any(|&f| pattern.level(f).is_some_and(|level| level > 0))
}
