//! From names to parents: who depends on whom.
//!
//! Invariant: a `ref` of the same request wins over a task id; a parent that
//! is named twice counts once, at its first mention.

use std::collections::{HashMap, HashSet};

use super::{
    Draft, Flaw, FlawKind, Links, MAX_DEPENDENCIES, MAX_PARENTS, MAX_REF, Mention, Parent, TooLarge,
};
use crate::model::reference;

/// The refs of one request.
pub(super) struct Names(HashMap<String, usize>);

impl Names {
    /// The first draft of each ref.
    pub(super) fn of(drafts: &[Draft]) -> Self {
        let mut first = HashMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            if let Some(name) = &draft.name {
                first.entry(name.clone()).or_insert(index);
            }
        }
        Self(first)
    }

    /// Refs that are not refs, or not unique.
    pub(super) fn flaws(&self, drafts: &[Draft]) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (index, draft) in drafts.iter().enumerate() {
            let Some(name) = &draft.name else { continue };
            let first = self.0.get(name).copied().unwrap_or(index);
            let kind = if !(1..=MAX_REF).contains(&name.chars().count()) {
                FlawKind::BadRef
            } else if first != index {
                FlawKind::DuplicateRef { first }
            } else {
                continue;
            };
            flaws.push(Flaw {
                index,
                pointer: "/ref".into(),
                kind,
            });
        }
        flaws
    }

    /// The task that a name means.
    pub(super) fn find(&self, name: &str) -> Option<Parent> {
        let sibling = self.0.get(name).map(|index| Parent::Sibling(*index));
        sibling.or_else(|| name.parse().ok().map(Parent::Earlier))
    }

    /// The parents of every draft.
    pub(super) fn resolve(
        &self,
        drafts: &[Draft],
        flaws: &mut Vec<Flaw>,
    ) -> Result<Vec<Links>, TooLarge> {
        let mut total = 0;
        let mut all = Vec::with_capacity(drafts.len());
        for (index, draft) in drafts.iter().enumerate() {
            let links = self.links_of(index, draft, flaws);
            total += links.parents.len();
            if total > MAX_DEPENDENCIES {
                return Err(TooLarge::Dependencies);
            }
            all.push(links);
        }
        Ok(all)
    }

    fn links_of(&self, index: usize, draft: &Draft, flaws: &mut Vec<Flaw>) -> Links {
        let mut links = Links::default();
        let mut seen = HashSet::new();
        let mut flaw = |pointer, kind| {
            flaws.push(Flaw {
                index,
                pointer,
                kind,
            });
        };
        for (place, name) in draft.depends_on.iter().enumerate() {
            match self.parent(index, name) {
                Ok(parent) if seen.insert(parent) => {
                    links.parents.push((parent, Mention::Listed(place)));
                }
                Ok(_) => {}
                Err(kind) => flaw(Mention::Listed(place).pointer(), kind),
            }
        }
        let (references, malformed) = reference::find(&draft.input);
        let mut read = HashSet::new();
        for found in references {
            let pointer = format!("{}{}/$result", draft.input_at, found.at);
            match self.parent(index, &found.task) {
                Ok(parent) => {
                    if read.insert(parent) {
                        links.reads.push(parent);
                    }
                    if seen.insert(parent) {
                        links.parents.push((parent, Mention::Read(pointer)));
                    }
                }
                Err(kind) => flaw(pointer, kind),
            }
        }
        for bad in malformed {
            flaw(
                format!("{}{}", draft.input_at, bad.at),
                FlawKind::MalformedReference(bad.detail),
            );
        }
        if links.parents.len() > MAX_PARENTS {
            flaw(
                "/depends_on".into(),
                FlawKind::TooManyParents(links.parents.len()),
            );
        }
        links
    }

    fn parent(&self, index: usize, name: &str) -> Result<Parent, FlawKind> {
        match self.find(name) {
            Some(Parent::Sibling(sibling)) if sibling == index => Err(FlawKind::SelfDependency),
            Some(parent) => Ok(parent),
            None => Err(FlawKind::UnknownParent(shortened(name))),
        }
    }
}

/// A name as it may stand in a message: it came from outside.
fn shortened(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(MAX_REF)
        .collect()
}
