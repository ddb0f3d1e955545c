//! What must hold on any data: the likelihood rises, joining is transitive, order does not matter, small sets agree with
//! brute force.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;

use super::super::cluster::{Link, Sets};
use super::super::compare;
use super::super::model::{Counts, Model, Pattern};
use super::super::normal::Value;
use super::super::resolve::MERGE_AT;
use super::super::settings::Kind;
use super::{plan, resolved};

const KINDS: [Kind; 4] = [Kind::Name, Kind::Id, Kind::Code, Kind::Date];

fn counts() -> impl Strategy<Value = Counts> {
    let level = |kind: Kind| prop::option::of(0..u8::try_from(kind.levels().len()).unwrap());
    let pattern = (
        level(KINDS[0]),
        level(KINDS[1]),
        level(KINDS[2]),
        level(KINDS[3]),
    );
    prop::collection::btree_map(
        pattern.prop_map(|(a, b, c, d)| Pattern::new([a, b, c, d].into_iter())),
        0.5..5_000.0_f64,
        0..40,
    )
}

fn row() -> impl Strategy<Value = Vec<String>> {
    let name = prop::sample::select(vec![
        "Alpha Trust",
        "Alpha",
        "ALPHA (Leeds)",
        "Alpha Arts",
        "Beta Ltd",
        "Beta & Co",
        "Beta and Company",
        "Gamma",
        "Gama",
        "Gamma aka Delta",
        "Delta",
        "",
    ]);
    let id = prop::sample::select(vec!["GB-1", "GB-2", "GB-3", "", "n/a"]);
    (name, id).prop_map(|(name, id)| vec![name.to_owned(), id.to_owned()])
}

/// Sets of rows without the order of anything, each row known by its tag.
fn canonical(groups: Vec<Vec<u32>>, tags: &[usize]) -> BTreeSet<BTreeSet<usize>> {
    groups
        .into_iter()
        .map(|g| g.into_iter().map(|row| tags[row as usize]).collect())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_posterior_never_falls(counts in counts()) {
        let model = Model::estimate(&KINDS, &counts);
        for pair in model.trace.windows(2) {
            prop_assert!(pair[1] >= pair[0] - 1e-9 * pair[0].abs().max(1.0), "{:?}", model.trace);
        }
        prop_assert!(model.lambda > 0.0 && model.lambda < 1.0);
        for (at, field) in model.fields.iter().enumerate() {
            let weights: Vec<f64> = (0..field.m.len()).map(|level| model.weight(at, level)).collect();
            prop_assert!(weights.windows(2).all(|w| w[0] >= w[1] - 1e-9), "{:?}", weights);
            for shares in [&field.m, &field.u] {
                prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares.iter().all(|&x| x > 0.0));
            }
        }
    }

    #[test]
    fn joined_sets_are_the_components(n in 2_u32..30, links in prop::collection::vec((0_u32..30, 0_u32..30), 0..40)) {
        let links: Vec<(u32, u32)> = links.into_iter().map(|(a, b)| (a % n, b % n)).collect();
        let mut sets = Sets::new(vec![vec![]; n as usize]);
        for &(a, b) in &links {
            sets.join(a, b);
        }
        // Brute force: spread the smallest label until nothing changes.
        let mut label: Vec<u32> = (0..n).collect();
        for _ in 0..n {
            for &(a, b) in &links {
                let least = label[a as usize].min(label[b as usize]);
                label[a as usize] = least;
                label[b as usize] = least;
            }
        }
        for a in 0..n {
            for b in 0..n {
                prop_assert_eq!(sets.root(a) == sets.root(b), label[a as usize] == label[b as usize]);
            }
        }
    }

    #[test]
    fn no_set_has_two_ids(ids in prop::collection::vec(0_u32..4, 2..20), links in prop::collection::vec((0_usize..20, 0_usize..20), 0..60)) {
        let n = ids.len();
        let mut sets = Sets::new(ids.iter().map(|&id| vec![id]).collect());
        for (a, b) in links {
            sets.join(u32::try_from(a % n).unwrap(), u32::try_from(b % n).unwrap());
        }
        let mut of: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (i, &id) in ids.iter().enumerate().filter(|(_, id)| **id != 0) {
            of.entry(sets.root(u32::try_from(i).unwrap())).or_default().insert(id);
        }
        prop_assert!(of.values().all(|ids| ids.len() == 1));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in prop::collection::vec(row(), 1..40), seed in any::<u64>()) {
        let plan = plan(&json!({"name": "n", "id": "i"}));
        let tags: Vec<usize> = (0..rows.len()).collect();
        let straight = canonical(resolved(&plan, &rows).partition(), &tags);
        let mut shuffled = tags.clone();
        shuffled.sort_by_key(|&i| (i as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
        let moved: Vec<Vec<String>> = shuffled.iter().map(|&i| rows[i].clone()).collect();
        let again = canonical(resolved(&plan, &moved).partition(), &shuffled);
        prop_assert_eq!(straight, again);
    }

    /// All pairs instead of blocks, and merging by hand: the same partition where a block holds everything.
    #[test]
    fn small_sets_agree_with_brute_force(rows in prop::collection::vec(row(), 1..16)) {
        let plan = plan(&json!({"name": "n", "id": "i", "blocks": ["all"]}));
        let rows: Vec<Vec<String>> = rows.into_iter().map(|mut r| { r.push("x".into()); r }).collect();
        let resolution = resolved(&plan, &rows);
        let values: Vec<[Value; 2]> = rows.iter().map(|r| [Value::new(Kind::Name, &r[0]), Value::new(Kind::Id, &r[1])]).collect();
        let kept: Vec<usize> = (0..rows.len()).filter(|&i| values[i].iter().any(|v| !v.is_empty())).collect();
        let mut links = Vec::new();
        for (at, &i) in kept.iter().enumerate() {
            for &j in &kept[at + 1..] {
                let levels = [Kind::Name, Kind::Id].into_iter().zip(values[i].iter().zip(&values[j]));
                let pattern = Pattern::new(levels.map(|(kind, (a, b))| compare::level(kind, a, b)));
                let p = if values[i] == values[j] { 1.0 } else { resolution.model.probability(pattern) };
                if p >= MERGE_AT {
                    // Ties in the order of content, as the numbers of profiles have it.
                    let (low, high) = if values[i] <= values[j] { (i, j) } else { (j, i) };
                    links.push((p, values[low].clone(), values[high].clone(), i, j));
                }
            }
        }
        links.sort_by(|x, y| y.0.total_cmp(&x.0).then_with(|| (&x.1, &x.2).cmp(&(&y.1, &y.2))));
        let mut group: Vec<usize> = (0..rows.len()).collect();
        for (_, _, _, i, j) in links {
            let members = |g: usize| kept.iter().copied().filter(|&k| group[k] == g).collect::<Vec<_>>();
            let both: Vec<usize> = members(group[i]).into_iter().chain(members(group[j])).collect();
            let ids: BTreeSet<&str> = both.iter().map(|&k| values[k][1].main()).filter(|id| !id.is_empty()).collect();
            if ids.len() <= 1 {
                let target = group[i];
                for k in both {
 group[k] = target;
}
            }
        }
        let mut expected: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for &k in &kept {
 expected.entry(group[k]).or_default().insert(k);
}
        let tags: Vec<usize> = (0..rows.len()).collect();
        prop_assert_eq!(canonical(resolution.partition(), &tags), expected.into_values().collect());
    }
}

#[test]
fn links_of_equal_strength_are_ordered_by_content() {
    let link = |a, b, p| Link { a, b, p };
    let mut links = vec![link(2, 3, 0.96), link(0, 1, 0.96), link(4, 5, 0.99)];
    links.sort_by(Link::order);
    assert_eq!(
        links,
        [link(4, 5, 0.99), link(0, 1, 0.96), link(2, 3, 0.96)]
    );
}

#[test]
fn a_block_above_the_cap_is_skipped_and_reported() {
    let plan = plan(&json!({"fields": [{"column": "c", "kind": "code"}], "blocks": ["all"]}));
    let rows: Vec<Vec<String>> = (0..250)
        .map(|i| vec![format!("X{i}"), "same".into()])
        .collect();
    let resolution = resolved(&plan, &rows);
    assert_eq!(resolution.pairs, 0);
    assert_eq!(
        (
            resolution.reports[0].skipped_large,
            resolution.reports[0].largest
        ),
        (1, 250)
    );
    assert_eq!(resolution.groups.len(), 250);
}

#[test]
fn spellings_of_one_name_are_one_entity_without_identifiers() {
    let plan = plan(&json!({"name": "n"}));
    let rows = [
        "Acme Ltd",
        "ACME LIMITED",
        "Acme",
        "Zenith Foundation",
        "The Zenith Foundation (Leeds)",
        "Acorn",
        "",
    ];
    let rows: Vec<Vec<String>> = rows.iter().map(|r| vec![(*r).to_owned()]).collect();
    assert_eq!(
        resolved(&plan, &rows).partition(),
        [vec![0, 1, 2], vec![3, 4], vec![5]]
    );
}

#[test]
fn a_common_first_name_alone_joins_nobody() {
    let plan = plan(
        &json!({"fields": [{"column": "first", "kind": "person"}, {"column": "born", "kind": "date"}]}),
    );
    let rows: Vec<Vec<String>> = (0..40)
        .map(|i| {
            vec![
                ["john", "mary"][i % 2].to_owned(),
                if i < 2 {
                    String::new()
                } else {
                    format!("19{:02}-01-1{}", 10 + i, i % 10)
                },
            ]
        })
        .chain([vec!["john".to_owned(), String::new()]])
        .collect();
    let resolution = resolved(&plan, &rows);
    assert!(
        resolution.partition().iter().all(|group| group.len() == 1),
        "{:?}",
        resolution.partition()
    );
}

#[test]
fn too_many_values_are_refused() {
    use std::borrow::Cow;
    let plan = plan(&json!({"name": "n"}));
    let rows = (0..2_000_001).map(|_| vec![Cow::Borrowed("")]);
    let refused = super::resolve(&plan, rows, &crate::Run::unattended());
    assert!(
        matches!(refused, Err(crate::Error::LimitExceeded { limit, .. }) if limit == "entity_values")
    );
}
