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

use serde_json::Value;
use shared::{
    model::{
        Json, Stamp, TaskId, TaskSpec, TenantId,
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
        self.only_consequences = kind.is_consequence() && self.findings.is_empty();
        self.findings.push(Finding {
            pointer,
            detail: kind.to_string(),
        });
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
                let wish = self.items[planned.index].wish.as_ref()?;
                Some(new_task(planned, wish, around))
            })
            .collect()
    }

    /// The parents of earlier requests, each with the item that names it.
    pub(crate) fn earlier_parents(&self) -> Vec<(usize, TaskId)> {
        let own: std::collections::HashSet<TaskId> =
            self.items.iter().map(|item| item.id).collect();
        let mut parents = Vec::new();
        for (place, task) in self.plan.tasks.iter().enumerate() {
            let earlier = task.depends_on.iter().filter(|id| !own.contains(id));
            parents.extend(earlier.map(|id| (place, *id)));
        }
        parents
    }

    /// Rejects what the store refuses: pairs of a place among
    /// [`tasks`](Self::tasks) and a parent that does not exist.
    pub(crate) fn refuse_unknown(&mut self, unknown: &[(usize, TaskId)]) {
        let mut refused = std::collections::HashSet::new();
        for (place, parent) in unknown {
            let Some(task) = self.plan.tasks.get(*place) else {
                continue;
            };
            let mention = task
                .depends_on
                .iter()
                .position(|id| id == parent)
                .map_or_else(|| "/depends_on".into(), |at| task.mentions[at].pointer());
            refused.insert(task.index);
            self.items[task.index].findings.push(Finding {
                pointer: mention,
                detail: format!("there is no task {parent}"),
            });
        }
        let suffering = self
            .plan
            .drop_with_dependents(|index| refused.contains(&index));
        for (index, mention, parent) in suffering {
            self.items[index].find(mention.pointer(), &FlawKind::ParentRejected(parent));
        }
    }
}

fn new_task(planned: &Planned, wish: &Wish, around: &Around) -> NewTask {
    let correlation_id = wish
        .correlation_id
        .clone()
        .or_else(|| around.correlation_id.clone())
        .unwrap_or_else(|| planned.id.to_string());
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
    }
}

/// The shard in which a tenant lives whole. One shard is all there is until
/// several are proved; the ids and the key names carry it already.
const fn shard_of(_tenant: &TenantId) -> u8 {
    0
}
