//! Step 2, the structure of a submission: from drafts that name each other to
//! tasks in an order in which parents stand before their dependents.
//!
//! Invariant: pure. [`plan`] either proves that a task can be stored (its
//! parents are known or plausible, no cycle, within every limit) or says why
//! not, and it says everything at once. What only the store can know (whether
//! an earlier task exists) is left to the store.
//!
//! Deliberately absent: what a task asks for. Schemas, retry policies and
//! labels are checked by the coordinator, which marks a draft as rejected.

mod names;
mod order;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{TaskId, reference};

/// The most tasks of one plan: ten times what the contract promises, and still
/// one transaction of a second or two.
pub const MAX_TASKS: usize = 100_000;
/// The most parents of one task: a dependent's settling costs one step each.
pub const MAX_PARENTS: usize = 1_000;
/// The most parents of all tasks of one plan together: bounds the time and the
/// memory of the planning itself.
pub const MAX_DEPENDENCIES: usize = 1_000_000;
/// The most levels of a plan; deeper ones are loops written out.
pub const MAX_DEPTH: usize = 1_000;
/// The most characters of a `ref`.
pub const MAX_REF: usize = 128;

/// One task as the planner sees it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The id that it will have.
    pub id: TaskId,
    /// Its `ref`, by which others of the same plan name it.
    pub name: Option<String>,
    /// Names of its parents: refs of the same plan, or ids of earlier tasks.
    pub depends_on: Vec<String>,
    /// Its input, in which `$result` objects name further parents.
    pub input: Value,
    /// Where the input stands in the draft's document, such as `/input`.
    pub input_at: &'static str,
    /// Something else is wrong with it: it is not planned, and neither is
    /// what depends on it.
    pub rejected: bool,
}

/// Where a draft names one of its parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// At this place of `depends_on`.
    Listed(usize),
    /// In the input; the JSON pointer within the draft's document.
    Read(String),
}

impl Mention {
    /// The mention as a JSON pointer within the draft's document.
    #[must_use]
    pub fn pointer(&self) -> String {
        match self {
            Self::Listed(place) => format!("/depends_on/{place}"),
            Self::Read(pointer) => pointer.clone(),
        }
    }
}

/// A task that can be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Its place among the drafts.
    pub index: usize,
    /// Its id.
    pub id: TaskId,
    /// Its parents, without repeats: those listed, then those only read.
    pub depends_on: Vec<TaskId>,
    /// Where each of `depends_on` was named first.
    pub mentions: Vec<Mention>,
    /// The parents whose results the input reads, in order of reading.
    pub reads: Vec<TaskId>,
    /// The input, with references by task id.
    pub input: Value,
}

/// What is wrong with one draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The draft's place.
    pub index: usize,
    /// JSON pointer within the draft's document.
    pub pointer: String,
    /// What.
    pub kind: FlawKind,
}

/// The ways in which a draft cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlawKind {
    /// Its `ref` is empty or too long.
    #[error("a ref has 1 to {MAX_REF} characters")]
    BadRef,
    /// An earlier draft has the same `ref`.
    #[error("this ref is used before, by the task at {first}; refs are unique in a request")]
    DuplicateRef {
        /// The place of the first one.
        first: usize,
    },
    /// A parent is neither a `ref` nor a task id.
    #[error("`{0}` is neither a ref of this request nor a task id")]
    UnknownParent(String),
    /// It names itself.
    #[error("a task cannot depend on itself")]
    SelfDependency,
    /// It is part of a cycle.
    #[error("the dependencies form a cycle: {0}")]
    Cycle(String),
    /// It stands too many levels below the first.
    #[error("the dependencies are more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// It has too many parents.
    #[error("the task has {0} parents, at most {MAX_PARENTS} are possible")]
    TooManyParents(usize),
    /// Something in the input is almost a reference.
    #[error("{0}")]
    MalformedReference(String),
    /// A parent of the same plan was rejected: a consequence, not a cause.
    #[error("it depends on the task at {0}, which is rejected")]
    ParentRejected(usize),
}

impl FlawKind {
    /// Whether the draft is sound in itself and suffers for a parent.
    #[must_use]
    pub const fn is_consequence(&self) -> bool {
        matches!(self, Self::ParentRejected(_))
    }
}

/// A request is too large to be planned at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// Too many tasks.
    #[error("the request holds {0} tasks, at most {MAX_TASKS} are possible: send several requests")]
    Tasks(usize),
    /// Too many dependencies.
    #[error(
        "the request names more than {MAX_DEPENDENCIES} dependencies: let tasks depend on a joining task instead"
    )]
    Dependencies,
}

/// What can be stored, and what is wrong with the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The sound tasks, parents before dependents, otherwise in the order of
    /// the drafts.
    pub tasks: Vec<Planned>,
    /// Every problem of the others, by index.
    pub flaws: Vec<Flaw>,
}

/// Plans a request. A draft is planned unless it is rejected, has a flaw, or
/// depends on a draft that is not planned.
pub fn plan(drafts: Vec<Draft>) -> Result<Plan, TooLarge> {
    if drafts.len() > MAX_TASKS {
        return Err(TooLarge::Tasks(drafts.len()));
    }
    let names = names::Names::of(&drafts);
    let mut flaws = names.flaws(&drafts);
    let links = names.resolve(&drafts, &mut flaws)?;
    let shape = order::Shape::of(&links);
    shape.name_cycles(&drafts, &links, &mut flaws);
    let sound = shape.settle(&drafts, &links, &mut flaws);
    flaws.sort_by_key(|flaw| flaw.index);
    Ok(Plan {
        tasks: write(drafts, &names, links, &sound),
        flaws,
    })
}

impl Plan {
    /// Drops the planned tasks for which `refused` says so, and everything
    /// that depends on them; returns the indices of the latter with the index
    /// of the parent that each suffers for.
    pub fn drop_with_dependents(
        &mut self,
        refused: impl Fn(usize) -> bool,
    ) -> Vec<(usize, Mention, usize)> {
        let mut gone: std::collections::HashMap<TaskId, usize> = std::collections::HashMap::new();
        let mut consequences = Vec::new();
        self.tasks.retain(|task| {
            let culprit = task
                .depends_on
                .iter()
                .zip(&task.mentions)
                .find_map(|(parent, mention)| gone.get(parent).map(|index| (*index, mention)));
            if refused(task.index) {
                gone.insert(task.id, task.index);
                return false;
            }
            if let Some((parent, mention)) = culprit {
                consequences.push((task.index, mention.clone(), parent));
                gone.insert(task.id, task.index);
                return false;
            }
            true
        });
        consequences
    }
}

/// A parent as a draft names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Parent {
    /// The draft at this place.
    Sibling(usize),
    /// A task of an earlier request.
    Earlier(TaskId),
}

/// What one draft depends on.
#[derive(Debug, Default)]
struct Links {
    parents: Vec<(Parent, Mention)>,
    reads: Vec<Parent>,
}

impl Links {
    fn siblings(&self) -> impl Iterator<Item = (usize, &Mention)> {
        self.parents
            .iter()
            .filter_map(|(parent, mention)| match parent {
                Parent::Sibling(index) => Some((*index, mention)),
                Parent::Earlier(_) => None,
            })
    }
}

/// Writes the sound drafts down as tasks, with ids in place of names.
fn write(
    drafts: Vec<Draft>,
    names: &names::Names,
    links: Vec<Links>,
    sound: &[usize],
) -> Vec<Planned> {
    let ids: Vec<TaskId> = drafts.iter().map(|draft| draft.id).collect();
    let id_of = |parent: Parent| match parent {
        Parent::Sibling(index) => ids[index],
        Parent::Earlier(id) => id,
    };
    let mut rest: Vec<_> = drafts.into_iter().zip(links).map(Some).collect();
    let written = sound.iter().filter_map(|&index| {
        let (draft, links) = rest[index].take()?;
        let mut input = draft.input;
        if !links.reads.is_empty() {
            reference::replace(&mut input, &mut |found| {
                names.find(&found.task).map_or(Err(()), |parent| {
                    Ok(reference_to(id_of(parent), &found.pointer))
                })
            });
        }
        let (parents, mentions): (Vec<_>, Vec<_>) = links.parents.into_iter().unzip();
        Some(Planned {
            index,
            id: draft.id,
            depends_on: parents.into_iter().map(id_of).collect(),
            mentions,
            reads: links.reads.into_iter().map(id_of).collect(),
            input,
        })
    });
    written.collect()
}

fn reference_to(task: TaskId, pointer: &str) -> Value {
    let mut object = serde_json::Map::new();
    object.insert(reference::KEY.into(), Value::String(task.to_string()));
    if !pointer.is_empty() {
        object.insert("pointer".into(), Value::String(pointer.to_owned()));
    }
    Value::Object(object)
}
