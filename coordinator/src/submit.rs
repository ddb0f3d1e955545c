//! Step 2: from documents to a submission that the store takes whole.
//!
//! Read in this order: [`fields`] takes a JSON object apart and remembers
//! everything that is wrong with it, [`draft`] reads one task, [`schema`]
//! checks its input, `shared::model::plan` orders the tasks, and this file
//! puts the findings and the plan together.
//!
//! Invariant: pure. Nothing here asks the store or the clock; every problem of
//! a request is found in one pass.

mod draft;
mod fields;
mod fingerprint;
mod schema;

pub(crate) use draft::Labels;
pub(crate) use fields::{Fields, Finding};
pub(crate) use fingerprint::{fingerprint, hex};
pub(crate) use schema::Schema;

use std::collections::BTreeSet;

use serde_json::Value;
use shared::{
    model::{
        FileId, Json, Stamp, TaskId, TaskSpec, TenantId, file,
        plan::{self, FlawKind, Plan, Planned, TooLarge},
    },
    store::verbs::NewTask,
};

use crate::catalogue::Catalogue;
use draft::{Draft, Wish};

/// What the request around the tasks decides.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) tenant: TenantId,
    /// For the ids.
    pub(crate) now: Stamp,
    /// The client's own request id: the correlation id of tasks that name none.
    pub(crate) correlation_id: Option<String>,
    pub(crate) traceparent: Option<String>,
    /// Whether tasks may carry a `ref`.
    pub(crate) refs: bool,
}

/// One document, judged.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its `ref`.
    pub(crate) name: Option<String>,
    /// The id that it has or would have had.
    pub(crate) id: TaskId,
    /// Everything wrong with it, by pointers within its document.
    pub(crate) findings: Vec<Finding>,
    /// The files its input refers to, with the places.
    files: Vec<(String, FileId)>,
    /// Whether all of the findings are consequences of another item's.
    pub(crate) only_consequences: bool,
    wish: Option<Wish>,
}

/// A request, judged.
#[derive(Debug)]
pub(crate) struct Judged {
    /// One per document, in order.
    pub(crate) items: Vec<Item>,
    plan: Plan,
}

/// Whether some document names a type that is not in the catalogue.
pub(crate) fn names_unknown_type(documents: &[Value], catalogue: &Catalogue) -> bool {
    documents.iter().any(|document| {
        let name = document
            .get("workflow_type")
            .or_else(|| document.get("template"));
        name.and_then(Value::as_str)
            .is_some_and(|name| catalogue.find(name).is_none())
    })
}

/// Judges the documents of one request.
pub(crate) fn judge(
    documents: Vec<Value>,
    catalogue: &Catalogue,
    around: &Around,
) -> Result<Judged, TooLarge> {
    if documents.len() > plan::MAX_TASKS {
        return Err(TooLarge::Tasks(documents.len()));
    }
    let mut rng = rand::rng();
    let mut items = Vec::with_capacity(documents.len());
    let mut drafts = Vec::with_capacity(documents.len());
    for document in documents {
        let id = TaskId::mint(shard_of(&around.tenant), around.now, &mut rng);
        let draft = Draft::read(document, catalogue, around.refs);
        let mut files = file::references(&draft.input);
        for (at, _) in &mut files {
            at.insert_str(0, draft.input_at);
        }
        drafts.push(plan::Draft {
            id,
            name: draft.name.clone(),
            depends_on: draft.depends_on,
            input: draft.input,
            input_at: draft.input_at,
            rejected: !draft.findings.is_empty(),
        });
        items.push(Item {
            name: draft.name,
            id,
            findings: draft.findings,
            files,
            only_consequences: false,
            wish: draft.wish,
        });
    }
    let plan = plan::plan(drafts)?;
    for flaw in &plan.flaws {
        items[flaw.index].find(flaw.pointer.clone(), &flaw.kind);
    }
    Ok(Judged { items, plan })
}

impl Item {
    fn find(&mut self, pointer: String, kind: &FlawKind) {
        // The place of a parent that is not a name is taken by an empty one.
        let told = |finding: &Finding| finding.pointer == pointer;
        let placeholder = matches!(kind, FlawKind::UnknownParent(name) if name.is_empty());
        if placeholder && self.findings.iter().any(told) {
            return;
        }
        self.only_consequences = kind.is_consequence() && self.findings.is_empty();
        self.findings.push(Finding {
            pointer,
            detail: kind.to_string(),
        });
    }

    /// What follows it everywhere, if it is sound.
    pub(crate) fn correlation_id(&self, around: &Around) -> Option<String> {
        let wish = self.wish.as_ref()?;
        Some(correlation(wish, self.id, around))
    }

    /// Whether it cannot be stored.
    pub(crate) fn is_rejected(&self) -> bool {
        !self.findings.is_empty()
    }
}

impl Judged {
    /// The tasks that can be stored, parents first.
    pub(crate) fn tasks(&self, around: &Around) -> Vec<NewTask> {
        let tasks = self.plan.tasks.iter();
        tasks
            .filter_map(|planned| {
                let item = &self.items[planned.index];
                let files: BTreeSet<FileId> = item.files.iter().map(|(_, id)| *id).collect();
                let mut task = new_task(planned, item.wish.as_ref()?, around);
                task.files = files.into_iter().collect();
                Some(task)
            })
            .collect()
    }

    /// The tasks of earlier requests that any item names, without repeats.
    pub(crate) fn earlier_tasks(&self) -> BTreeSet<TaskId> {
        self.plan.earlier.iter().map(|earlier| earlier.id).collect()
    }

    /// Rejects every item that names a task which does not exist, and what
    /// depends on it.
    pub(crate) fn refuse_missing(&mut self, missing: &BTreeSet<TaskId>) {
        let mut refused = BTreeSet::new();
        let earlier = std::mem::take(&mut self.plan.earlier);
        let (gone, rest): (Vec<_>, Vec<_>) = earlier
            .into_iter()
            .partition(|earlier| missing.contains(&earlier.id));
        self.plan.earlier = rest;
        for earlier in gone {
            refused.insert(earlier.index);
            self.items[earlier.index].findings.push(Finding::new(
                earlier.mention.pointer(),
                format!("there is no task {}", earlier.id),
            ));
        }
        self.refuse(&refused);
    }

    /// The files that any item refers to, without repeats.
    pub(crate) fn files(&self) -> BTreeSet<FileId> {
        let files = self.items.iter().flat_map(|item| &item.files);
        files.map(|(_, id)| *id).collect()
    }

    /// Rejects every item that refers to a file which does not exist, and what
    /// depends on it.
    pub(crate) fn refuse_missing_files(&mut self, missing: &BTreeSet<FileId>) {
        let mut refused = BTreeSet::new();
        for (index, item) in self.items.iter_mut().enumerate() {
            for (at, id) in item.files.iter().filter(|(_, id)| missing.contains(id)) {
                refused.insert(index);
                let detail = format!(
                    "there is no file {id}; upload it with POST /api/files (unused files expire)"
                );
                item.findings.push(Finding::new(at.clone(), detail));
            }
        }
        self.refuse(&refused);
    }

    /// Takes refused items and what depends on them out of the plan.
    fn refuse(&mut self, refused: &BTreeSet<usize>) {
        let suffering = self
            .plan
            .drop_with_dependents(|index| refused.contains(&index));
        for (index, mention, parent) in suffering {
            self.items[index].find(mention.pointer(), &FlawKind::ParentRejected(parent));
        }
    }
}

fn new_task(planned: &Planned, wish: &Wish, around: &Around) -> NewTask {
    let correlation_id = correlation(wish, planned.id, around);
    NewTask {
        id: planned.id,
        spec: TaskSpec {
            tenant: around.tenant.clone(),
            workflow_type: wish.workflow_type.clone(),
            priority: wish.priority,
            depends_on: planned.depends_on.clone(),
            reads: planned.reads.clone(),
            on_dependency_failure: wish.on_dependency_failure,
            retry: wish.retry.clone(),
            timeout_ms: wish.timeout_ms,
            run_at: wish.run_at,
            expires_at: wish.expires_at,
            correlation_id,
            labels: wish.labels.clone(),
            traceparent: around.traceparent.clone(),
        },
        input: Json::from_value(&planned.input),
        files: Vec::new(),
    }
}

/// What follows the task everywhere: what it asks for, else the client's
/// request id, else its own id.
fn correlation(wish: &Wish, id: TaskId, around: &Around) -> String {
    let given = wish
        .correlation_id
        .as_ref()
        .or(around.correlation_id.as_ref());
    given.cloned().unwrap_or_else(|| id.to_string())
}

/// The shard in which a tenant lives whole. One shard is all there is until
/// several are proved; the ids and the key names carry it already.
const fn shard_of(_tenant: &TenantId) -> u8 {
    0
}
