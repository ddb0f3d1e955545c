//! The planner against examples, and against random graphs.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;

use super::*;
use crate::model::Stamp;

fn drafts(list: &[(&str, &[&str])]) -> Vec<Draft> {
    let mut rng = StdRng::seed_from_u64(7);
    list.iter()
        .map(|(name, parents)| Draft {
            id: TaskId::mint(0, Stamp::from_millis(1), &mut rng),
            name: (!name.is_empty()).then(|| (*name).to_owned()),
            depends_on: parents.iter().map(ToString::to_string).collect(),
            input: json!({}),
            input_at: "/input",
            rejected: false,
        })
        .collect()
}

fn order(plan: &Plan) -> Vec<usize> {
    plan.tasks.iter().map(|task| task.index).collect()
}

fn flaws(plan: &Plan) -> Vec<(usize, &str, String)> {
    plan.flaws
        .iter()
        .map(|flaw| (flaw.index, flaw.pointer.as_str(), flaw.kind.to_string()))
        .collect()
}

#[test]
fn parents_come_first_and_otherwise_the_order_stands() {
    let plan = plan(drafts(&[
        ("c", &["b"]),
        ("x", &[]),
        ("b", &["a"]),
        ("a", &[]),
    ]))
    .unwrap();
    assert_eq!(order(&plan), [1, 3, 2, 0]);
    assert!(plan.flaws.is_empty());
    assert_eq!(plan.tasks[2].depends_on, [plan.tasks[1].id]);
}

#[test]
fn every_problem_is_reported_at_once() {
    let list = drafts(&[
        ("a", &["a"]),
        ("a", &[]),
        ("b", &["nobody", "a"]),
        ("c", &["d"]),
        ("d", &["c"]),
        ("", &[]),
    ]);
    let plan = plan(list).unwrap();
    assert_eq!(order(&plan), [5]);
    let found = flaws(&plan);
    let expect = [
        (0, "/depends_on/0", "a task cannot depend on itself"),
        (
            1,
            "/ref",
            "this ref is used before, by the task at 0; refs are unique in a request",
        ),
        (
            2,
            "/depends_on/0",
            "`nobody` is neither a ref of this request nor a task id",
        ),
        (
            3,
            "/depends_on/0",
            "the dependencies form a cycle: c -> d -> c",
        ),
        (
            4,
            "/depends_on/0",
            "the dependencies form a cycle: c -> d -> c",
        ),
    ];
    let expect: Vec<_> = expect.map(|(i, p, t)| (i, p, t.to_owned())).into();
    assert_eq!(found, expect);
}

#[test]
fn a_dependent_of_a_rejected_draft_is_rejected_and_the_rest_goes_on() {
    let mut list = drafts(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &[])]);
    list[0].rejected = true;
    let plan = plan(list).unwrap();
    assert_eq!(order(&plan), [3]);
    let kinds: Vec<_> = plan
        .flaws
        .iter()
        .map(|f| (f.index, f.kind.clone()))
        .collect();
    assert_eq!(
        kinds,
        [
            (1, FlawKind::ParentRejected(0)),
            (2, FlawKind::ParentRejected(1))
        ]
    );
    assert!(plan.flaws.iter().all(|flaw| flaw.kind.is_consequence()));
}

#[test]
fn references_become_ids_and_parents() {
    let mut list = drafts(&[("graph", &[]), ("", &[])]);
    let earlier = TaskId::from_bytes([7; 16]);
    list[1].depends_on = vec![earlier.to_string(), "graph".into(), earlier.to_string()];
    list[1].input = json!({
        "x": [{"$result": "graph", "pointer": "/paths"}],
        "y": {"$result": earlier.to_string()},
    });
    let graph = list[0].id;
    let plan = plan(list).unwrap();
    let task = &plan.tasks[1];
    assert_eq!(task.depends_on, [earlier, graph]);
    assert_eq!(task.reads, [graph, earlier]);
    assert_eq!(
        task.input,
        json!({
            "x": [{"$result": graph.to_string(), "pointer": "/paths"}],
            "y": {"$result": earlier.to_string()},
        })
    );
}

#[test]
fn flaws_of_the_input_point_into_the_input() {
    let mut list = drafts(&[("a", &[]), ("b", &[])]);
    list[0].input = json!({"p": {"$result": "zz"}, "q": {"$result": 1}, "r": {"$result": "a"}});
    list[0].input_at = "/parameters";
    list[1].input = json!([{"$result": "a"}]);
    let plan = plan(list).unwrap();
    let pointers: Vec<_> = plan.flaws.iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/parameters/p/$result",
            "/parameters/r/$result",
            "/parameters/q",
            "/input/0/$result"
        ]
    );
}

#[test]
fn a_chain_may_have_a_thousand_levels_and_no_more() {
    let names: Vec<String> = (0..=MAX_DEPTH + 1).map(|i| i.to_string()).collect();
    let mut list = drafts(&vec![("", &[] as &[&str]); names.len()]);
    for (index, draft) in list.iter_mut().enumerate() {
        draft.name = Some(names[index].clone());
        if index > 0 {
            draft.depends_on = vec![names[index - 1].clone()];
        }
    }
    let plan = plan(list).unwrap();
    assert_eq!(plan.tasks.len(), MAX_DEPTH);
    assert_eq!(plan.flaws[0].kind, FlawKind::TooDeep);
    assert!(plan.flaws[1].kind.is_consequence());
}

#[test]
fn limits_are_checked() {
    let mut list = drafts(&[("a", &[])]);
    list[0].depends_on = (0..=MAX_PARENTS)
        .map(|i| TaskId::from_bytes((i as u128).to_be_bytes()).to_string())
        .collect();
    let plan = plan(list).unwrap();
    assert_eq!(
        plan.flaws[0].kind,
        FlawKind::TooManyParents(MAX_PARENTS + 1)
    );
    let many = vec![drafts(&[("", &[])]).remove(0); MAX_TASKS + 1];
    assert_eq!(super::plan(many), Err(TooLarge::Tasks(MAX_TASKS + 1)));
}

#[test]
fn a_long_cycle_costs_no_stack_and_a_short_message() {
    let count = 50_000;
    let mut list = drafts(&vec![("", &[] as &[&str]); count]);
    for (index, draft) in list.iter_mut().enumerate() {
        draft.name = Some(format!("t{index}"));
        draft.depends_on = vec![format!("t{}", (index + 1) % count)];
    }
    let plan = plan(list).unwrap();
    assert_eq!(plan.flaws.len(), count);
    let text = plan.flaws[0].kind.to_string();
    assert!(text.ends_with("-> ... (49980 more) -> t0"), "{text}");
}

#[test]
fn what_the_store_refuses_takes_its_dependents_along() {
    let mut plan = plan(drafts(&[
        ("a", &[]),
        ("b", &["a"]),
        ("c", &["b"]),
        ("d", &[]),
    ]))
    .unwrap();
    let consequences = plan.drop_with_dependents(|index| index == 0);
    assert_eq!(order(&plan), [3]);
    assert_eq!(
        consequences,
        [(1, Mention::Listed(0), 0), (2, Mention::Listed(0), 1)]
    );
}

/// Edges from higher to lower numbers, the numbers then shuffled.
fn random_dag() -> impl Strategy<Value = Vec<(usize, Vec<usize>)>> {
    (2usize..40).prop_flat_map(|n| {
        let edges = proptest::collection::vec((0..n, 0..n), 0..3 * n);
        let labels = Just((0..n).collect::<Vec<_>>()).prop_shuffle();
        (edges, labels).prop_map(move |(edges, labels)| {
            let mut parents = vec![Vec::new(); n];
            for (a, b) in edges.into_iter().filter(|(a, b)| a != b) {
                parents[a.max(b)].push(labels[a.min(b)]);
            }
            let mut list: Vec<_> = labels.into_iter().zip(parents).collect();
            list.sort_by_key(|(label, _)| *label);
            list
        })
    })
}

fn named(list: &[(usize, Vec<usize>)]) -> Vec<Draft> {
    let mut made = drafts(&vec![("", &[] as &[&str]); list.len()]);
    for (draft, (label, parents)) in made.iter_mut().zip(list) {
        draft.name = Some(format!("n{label}"));
        draft.depends_on = parents.iter().map(|p| format!("n{p}")).collect();
    }
    made
}

proptest! {
    #[test]
    fn random_dags_are_accepted_in_topological_order(list in random_dag()) {
        let plan = plan(named(&list)).unwrap();
        prop_assert!(plan.flaws.is_empty());
        prop_assert_eq!(plan.tasks.len(), list.len());
        let mut seen = HashSet::new();
        for task in &plan.tasks {
            prop_assert!(task.depends_on.iter().all(|parent| seen.contains(parent)));
            seen.insert(task.id);
        }
    }

    #[test]
    fn random_cyclic_graphs_are_refused_with_a_real_cycle(
        list in random_dag(), back in proptest::collection::vec((0usize..40, 0usize..40), 1..4),
    ) {
        let mut list = list;
        let n = list.len();
        // A ring of at least two, on top of whatever was drawn.
        for (a, b) in back {
            let (a, b) = (a % n, b % n);
            if a != b {
                list[a].1.push(b);
                list[b].1.push(a);
            }
        }
        list[0].1.push(1);
        list[1].1.push(0);
        let plan = plan(named(&list)).unwrap();
        let depends: HashMap<String, &Vec<usize>> =
            list.iter().map(|(label, parents)| (format!("n{label}"), parents)).collect();
        let mut cycles = 0;
        for flaw in &plan.flaws {
            let FlawKind::Cycle(text) = &flaw.kind else { continue };
            if text.contains("...") { continue }
            cycles += 1;
            let path: Vec<&str> = text.split(" -> ").collect();
            prop_assert!(path.len() >= 3 && path[0] == path[path.len() - 1]);
            for pair in path.windows(2) {
                let next: usize = pair[1][1..].parse().unwrap();
                prop_assert!(depends[pair[0]].contains(&next), "{} in {}", pair[1], text);
            }
        }
        prop_assert!(cycles > 0);
        let accepted: HashSet<_> = plan.tasks.iter().map(|task| task.id).collect();
        for task in &plan.tasks {
            prop_assert!(task.depends_on.iter().all(|parent| accepted.contains(parent)));
        }
    }
}
