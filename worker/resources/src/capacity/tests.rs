//! The capacity rule on the situations that broke other systems.

use proptest::prelude::*;
use shared::model::ProfileName;

use super::*;
use crate::{
    profile::Profile,
    sample::{CpuReading, HostMemory},
};

const GIB: u64 = 1 << 30;

fn host(total: u64, available: u64) -> RawSample {
    RawSample {
        host: Some(HostMemory { total, available }),
        cpu: CpuReading {
            affinity: 4,
            ..CpuReading::default()
        },
        ..RawSample::default()
    }
}

/// A machine of 16 GiB, half of it free, with these groups.
fn grouped(groups: Vec<MemoryGroup>) -> RawSample {
    RawSample {
        groups,
        ..host(16 * GIB, 8 * GIB)
    }
}

fn thresholds() -> Thresholds {
    Profile::preset(ProfileName::Balanced).thresholds
}

#[track_caller]
fn assert_near(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-9, "{left} is not {right}");
}

#[test]
fn the_machine_is_the_limit_without_groups() {
    let capacity = Capacity::of(&host(16 * GIB, 12 * GIB));
    assert_eq!(capacity.limit, 16 * GIB);
    assert_eq!(capacity.limited_by, Binding::Host);
    assert_near(capacity.memory, 0.25);
    assert_eq!(capacity.used, 4 * GIB);
    assert_near(capacity.cores, 4.0);
    assert!(capacity.known);
}

#[test]
fn page_cache_is_free_however_full_the_group_looks() {
    // Current 99 %, anonymous 30 %: a monitor of `memory.current` freezes.
    let capacity = Capacity::of(&grouped(vec![MemoryGroup {
        limit: Some(GIB),
        current: GIB / 100 * 99,
        anon: GIB / 100 * 30,
        active_file: GIB / 100 * 40,
        inactive_file: GIB / 100 * 29,
        ..MemoryGroup::default()
    }]));
    // The neighbours on the machine take half of it, which is more.
    assert_near(capacity.memory, 0.5);
    assert_eq!(capacity.binding, Binding::Host);
    assert_eq!(capacity.limited_by, Binding::Group(0));
    assert!(capacity.used < capacity.high_bytes(&thresholds()));
}

#[test]
fn tmpfs_is_not_free() {
    // Anonymous 20 %, tmpfs 75 %: a monitor of anonymous memory admits.
    let capacity = Capacity::of(&grouped(vec![MemoryGroup {
        limit: Some(GIB),
        current: GIB / 100 * 96,
        anon: GIB / 100 * 20,
        shmem: GIB / 100 * 75,
        inactive_file: GIB / 100,
        ..MemoryGroup::default()
    }]));
    assert!((0.94..0.96).contains(&capacity.memory), "{capacity:?}");
    assert!(capacity.used >= capacity.critical_bytes(&thresholds()));
}

#[test]
fn dirty_cache_is_not_free_until_it_is_written() {
    let mut group = MemoryGroup {
        limit: Some(GIB),
        current: GIB / 100 * 90,
        anon: GIB / 100 * 20,
        inactive_file: GIB / 100 * 70,
        file_dirty: GIB / 100 * 50,
        file_writeback: GIB / 100 * 20,
        ..MemoryGroup::default()
    };
    let full = Capacity::of(&grouped(vec![group])).memory;
    assert!((0.89..0.91).contains(&full), "{full}");
    (group.file_dirty, group.file_writeback) = (0, 0);
    assert_eq!(unreclaimable(&group), GIB / 100 * 20);
}

#[test]
fn reclaimable_slab_is_free_and_kernel_memory_is_not() {
    let group = MemoryGroup {
        current: 1000,
        anon: 300,
        active_file: 100,
        slab_reclaimable: 250,
        ..MemoryGroup::default()
    };
    assert_eq!(unreclaimable(&group), 650);
}

#[test]
fn counters_that_contradict_each_other_do_not_wrap() {
    let group = MemoryGroup {
        current: 100,
        anon: 90,
        shmem: 20,
        active_file: 500,
        ..MemoryGroup::default()
    };
    assert_eq!(unreclaimable(&group), 110);
}

#[test]
fn an_unlimited_version_1_group_leaves_the_machine() {
    for limit in [
        9_223_372_036_854_771_712,
        u64::MAX,
        1 << 62,
        16 * GIB + 4096,
    ] {
        let capacity = Capacity::of(&grouped(vec![MemoryGroup {
            limit: Some(limit),
            current: 15 * GIB,
            anon: 15 * GIB,
            ..MemoryGroup::default()
        }]));
        assert_eq!(capacity.limit, 16 * GIB);
        assert_near(capacity.memory, 0.5);
        assert!(capacity.known);
    }
}

#[test]
fn without_the_machine_a_version_1_unlimited_is_still_none() {
    let mut raw = grouped(vec![MemoryGroup {
        limit: Some(9_223_372_036_854_771_712),
        ..MemoryGroup::default()
    }]);
    raw.host = None;
    let capacity = Capacity::of(&raw);
    assert_eq!(capacity.limit, 0);
    assert!(!capacity.known);
    assert_near(capacity.memory, 1.0);
}

#[test]
fn the_ancestor_wins_where_it_is_tighter() {
    let leaf = MemoryGroup {
        limit: Some(4 * GIB),
        current: GIB / 2,
        anon: GIB / 2,
        ..MemoryGroup::default()
    };
    // A sibling fills the common parent.
    let parent = MemoryGroup {
        limit: Some(2 * GIB),
        current: 2 * GIB - GIB / 4,
        anon: 2 * GIB - GIB / 4,
        ..MemoryGroup::default()
    };
    let capacity = Capacity::of(&grouped(vec![leaf, parent]));
    assert_eq!(capacity.limit, 2 * GIB);
    assert_eq!(capacity.limited_by, Binding::Group(1));
    assert_eq!(capacity.binding, Binding::Group(1));
    assert_near(capacity.memory, 0.875);
}

#[test]
fn the_fullest_group_need_not_be_the_smallest() {
    let small = MemoryGroup {
        limit: Some(GIB),
        anon: GIB / 4,
        ..MemoryGroup::default()
    };
    let large = MemoryGroup {
        limit: Some(4 * GIB),
        anon: 3 * GIB,
        ..MemoryGroup::default()
    };
    let capacity = Capacity::of(&grouped(vec![small, large]));
    assert_eq!(capacity.limited_by, Binding::Group(0));
    assert_eq!(capacity.binding, Binding::Group(1));
    assert_eq!(capacity.used, 3 * GIB / 4);
}

#[test]
fn a_soft_limit_below_the_hard_one_counts() {
    let capacity = Capacity::of(&grouped(vec![MemoryGroup {
        limit: Some(2 * GIB),
        high: Some(GIB),
        anon: GIB / 2,
        ..MemoryGroup::default()
    }]));
    assert_eq!(capacity.limit, GIB);
}

#[test]
fn a_limit_that_is_halved_is_seen_at_once() {
    let mut raw = grouped(vec![MemoryGroup {
        limit: Some(GIB),
        anon: GIB / 5 * 3,
        ..MemoryGroup::default()
    }]);
    assert!((0.59..0.61).contains(&Capacity::of(&raw).memory));
    raw.groups[0].limit = Some(GIB / 2);
    let capacity = Capacity::of(&raw);
    assert_eq!(capacity.limit, GIB / 2);
    assert!(capacity.memory > 1.19);
    assert!(capacity.used > capacity.hard());
}

#[test]
fn an_unreadable_level_keeps_what_is_known_of_the_others() {
    let mut raw = grouped(vec![MemoryGroup {
        limit: Some(GIB),
        ..MemoryGroup::default()
    }]);
    raw.unreadable = true;
    let capacity = Capacity::of(&raw);
    assert!(!capacity.known);
    assert_eq!(capacity.limit, GIB);
    raw.groups.clear();
    assert_eq!(Capacity::of(&raw).limit, 16 * GIB);
}

#[test]
fn a_limit_of_nothing_is_full() {
    let capacity = Capacity::of(&grouped(vec![MemoryGroup {
        limit: Some(0),
        ..MemoryGroup::default()
    }]));
    assert_near(capacity.memory, 1.0);
    assert_eq!((capacity.limit, capacity.hard()), (0, 0));
}

#[test]
fn quotas_make_cores_fractional() {
    let mut raw = host(GIB, GIB);
    raw.cpu.quotas = vec![2.5, 0.5, f64::NAN, 0.0, -1.0];
    assert_near(Capacity::of(&raw).cores, 0.5);
    raw.cpu.quotas = vec![64.0];
    assert_near(Capacity::of(&raw).cores, 4.0);
    raw.cpu.quotas.clear();
    raw.cpu.affinity = 0;
    assert_near(Capacity::of(&raw).cores, 1.0);
}

#[test]
fn the_margin_is_two_percent_between_its_bounds() {
    let hard = |limit| {
        let capacity = Capacity {
            limit,
            ..Capacity::default()
        };
        limit - capacity.hard()
    };
    assert_eq!(hard(512 * MIB), 32 * MIB);
    assert_eq!(hard(10 * GIB), portion(0.02, 10 * GIB));
    assert_eq!(hard(256 * GIB), GIB);
    assert_eq!(hard(16 * MIB), 16 * MIB);
}

#[test]
fn thresholds_in_bytes_keep_their_distance() {
    // 98 % of 512 MiB leaves 10 MiB: the absolute margin dominates.
    let capacity = Capacity {
        limit: 512 * MIB,
        ..Capacity::default()
    };
    let development = Profile::preset(ProfileName::Development).thresholds;
    assert_eq!(capacity.critical_bytes(&development), 480 * MIB);
    assert_eq!(
        capacity.high_bytes(&development),
        480 * MIB - portion(0.05, 512 * MIB)
    );
    let large = Capacity {
        limit: 16 * GIB,
        ..capacity
    };
    assert_eq!(large.critical_bytes(&thresholds()), portion(0.92, 16 * GIB));
    assert_eq!(large.high_bytes(&thresholds()), portion(0.80, 16 * GIB));
}

proptest! {
    /// More anonymous memory never looks like less use; levels stay ordered.
    #[test]
    fn more_use_never_looks_like_less(
        limit in 0_u64..1 << 40,
        anon in 0_u64..1 << 40,
        more in 0_u64..1 << 30,
        cache in 0_u64..1 << 40,
    ) {
        let sample = |anon: u64| grouped(vec![MemoryGroup {
            limit: Some(limit),
            current: anon + cache,
            anon,
            inactive_file: cache,
            ..MemoryGroup::default()
        }]);
        let (before, after) = (Capacity::of(&sample(anon)), Capacity::of(&sample(anon + more)));
        prop_assert!(after.memory >= before.memory);
        prop_assert!(after.limit <= 16 * GIB);
        let thresholds = thresholds();
        prop_assert!(after.high_bytes(&thresholds) <= after.critical_bytes(&thresholds));
        prop_assert!(after.critical_bytes(&thresholds) <= after.hard());
        prop_assert!(after.hard() <= after.limit);
    }
}
