//! The workflow types that may be submitted, with their schemas compiled.
//!
//! Invariant: a schema is compiled once, however often its type is announced;
//! a built-in type is never replaced by an announced one of the same name.

use std::{collections::BTreeMap, sync::Arc};

use shared::{
    model::{Category, TypeName},
    schema::Schema,
    store::query::TypeInfo,
};

/// Names under this prefix are the diagnostic types.
const DIAGNOSTIC: &str = "diagnostic.";

/// One type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) info: TypeInfo,
    pub(crate) schema: Arc<Schema>,
    /// When it gives way to others.
    pub(crate) category: Category,
}

/// All types, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalogue(BTreeMap<String, Arc<Kind>>);

impl Catalogue {
    /// The type with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Kind>> {
        self.0.get(name)
    }

    /// Every type, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Kind> {
        self.0.values().map(Arc::as_ref)
    }

    /// The names of every type.
    pub(crate) fn names(&self) -> impl Iterator<Item = &TypeName> {
        self.0.values().map(|kind| &kind.info.name)
    }

    /// The catalogue of these types. Schemas that `self` has compiled are kept;
    /// diagnostic types enter only if `diagnostics`.
    pub(crate) fn with(
        &self,
        built_in: &[TypeInfo],
        announced: Vec<TypeInfo>,
        diagnostics: bool,
    ) -> Self {
        let mut kinds = BTreeMap::new();
        for info in built_in.iter().cloned().chain(announced) {
            let name = info.name.as_str().to_owned();
            if name.starts_with(DIAGNOSTIC) && !diagnostics {
                continue;
            }
            kinds
                .entry(name)
                .or_insert_with_key(|name| self.kind(name, info));
        }
        Self(kinds)
    }

    fn kind(&self, name: &str, info: TypeInfo) -> Arc<Kind> {
        let known = self.0.get(name);
        if let Some(same) = known.filter(|kind| kind.info == info) {
            return Arc::clone(same);
        }
        let schema = known
            .filter(|kind| kind.info.input_schema == info.input_schema)
            .map_or_else(
                || Arc::new(Schema::compile(&info.name, &info.input_schema)),
                |kind| Arc::clone(&kind.schema),
            );
        let category = Category::of_type(&info.name, &info.feature_category);
        Arc::new(Kind {
            info,
            schema,
            category,
        })
    }
}
