//! Which handlers a worker has.
//!
//! Invariant: one handler per type; the last one registered stands, so that a
//! team can replace a built-in type by its own.

use std::{collections::BTreeMap, fmt, sync::Arc};

use shared::{
    model::{Route, TypeName},
    store::query::TypeInfo,
};

use crate::{builtin, diagnostic, handler::Handler};

/// The handlers of a worker, by type.
#[derive(Clone, Default)]
pub struct Registry {
    entries: BTreeMap<TypeName, Entry>,
}

/// One type and its handler.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) info: TypeInfo,
    pub(crate) handler: Arc<dyn Handler>,
}

impl Registry {
    /// No handler at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The workflow types that come with the program.
    #[must_use]
    pub fn with_builtin() -> Self {
        builtin::handlers().fold(Self::new(), Self::with)
    }

    /// Adds the diagnostic types, for smoke, load and fault tests.
    #[must_use]
    pub fn with_diagnostics(self) -> Self {
        diagnostic::handlers()
            .fold(self, Self::with)
            .with(builtin::probe())
    }

    /// Adds a handler; one of the same type is replaced.
    #[must_use]
    pub fn with(mut self, handler: impl Handler) -> Self {
        let info = handler.describe();
        let handler: Arc<dyn Handler> = Arc::new(handler);
        self.entries
            .insert(info.name.clone(), Entry { info, handler });
        self
    }

    /// The types, by name.
    #[must_use]
    pub fn types(&self) -> Vec<TypeInfo> {
        self.entries.values().map(|e| e.info.clone()).collect()
    }

    pub(crate) fn names(&self) -> Vec<TypeName> {
        self.entries.keys().cloned().collect()
    }

    pub(crate) fn entry(&self, name: &TypeName) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Every route this worker can serve, sorted: by priority, then by type.
    pub(crate) fn routes(&self) -> Vec<Route> {
        let mut routes: Vec<_> = self.entries.keys().flat_map(Route::all_of).collect();
        routes.sort();
        routes
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}
