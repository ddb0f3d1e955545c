//! The operations of a random life, and how they are drawn.

use proptest::{prelude::*, sample::Index};

/// Files of a random life.
pub(super) const FILES: u8 = 3;

/// One task of a random submission.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) parents: Vec<Index>,
    pub(super) kind: bool,
    pub(super) priority: u8,
    pub(super) runs_anyway: bool,
    pub(super) attempts: u32,
    pub(super) when: u8,
    /// Refers to this file, perhaps unknown, and to the one after it.
    pub(super) file: Option<u8>,
}

/// One random operation. Tasks and runs are picked among those that exist.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Submit(Vec<Draft>, Option<(u8, bool)>),
    Take {
        limit: u32,
        window: u32,
        now: bool,
        again: bool,
    },
    Publish {
        picks: Vec<Index>,
        wrong: bool,
        now: bool,
    },
    Claim {
        picks: Vec<Index>,
        wrong: bool,
        reuse: Option<Index>,
        now: bool,
    },
    Renew {
        pick: Index,
        progress: bool,
        now: bool,
    },
    Finish {
        pick: Index,
        how: u8,
        twice: bool,
        file: Option<u8>,
    },
    PutFile {
        file: u8,
        now: bool,
        twice: bool,
        replaces: bool,
    },
    SetAside {
        picks: Vec<Index>,
        wrong: bool,
        now: bool,
    },
    Release(Index),
    Cancel(Vec<Index>),
    Retry(Vec<Index>),
    Sweep {
        forget: bool,
        cap: u32,
    },
    Requeue {
        kind: bool,
        priority: u8,
        now: Option<bool>,
    },
    Mode(u8),
}

fn draft() -> impl Strategy<Value = Draft> {
    (
        prop::collection::vec(any::<Index>(), 0..3),
        any::<bool>(),
        0..4_u8,
        any::<bool>(),
        1..4_u32,
        0..10_u8,
        prop::option::weighted(0.15, 0..FILES),
    )
        .prop_map(
            |(parents, kind, priority, runs_anyway, attempts, when, file)| Draft {
                parents,
                kind,
                priority,
                runs_anyway,
                attempts,
                when,
                file,
            },
        )
}

fn picks() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 1..4)
}

/// Any operation, the ordinary ones more often.
pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![14 => before_the_run(), 8 => the_run(), 10 => around_it()]
}

fn before_the_run() -> impl Strategy<Value = Op> {
    let seldom = prop::bool::weighted(0.15);
    let key = prop::option::weighted(0.3, (0..3_u8, any::<bool>()));
    prop_oneof![
        4 => (prop::collection::vec(draft(), 1..4), key)
            .prop_map(|(drafts, key)| Op::Submit(drafts, key)),
        3 => (0..6_u32, 1..6_u32, seldom, seldom)
            .prop_map(|(limit, window, now, again)| Op::Take { limit, window, now, again }),
        3 => (picks(), seldom, any::<bool>())
            .prop_map(|(picks, wrong, now)| Op::Publish { picks, wrong, now }),
        6 => (picks(), seldom, prop::option::weighted(0.1, any::<Index>()), seldom)
            .prop_map(|(picks, wrong, reuse, now)| Op::Claim { picks, wrong, reuse, now }),
        2 => (picks(), seldom, any::<bool>())
            .prop_map(|(picks, wrong, now)| Op::SetAside { picks, wrong, now }),
    ]
}

fn the_run() -> impl Strategy<Value = Op> {
    let seldom = prop::bool::weighted(0.15);
    prop_oneof![
        1 => (any::<Index>(), any::<bool>(), seldom)
            .prop_map(|(pick, progress, now)| Op::Renew { pick, progress, now }),
        6 => (any::<Index>(), 0..8_u8, seldom, prop::option::weighted(0.3, 0..FILES))
            .prop_map(|(pick, how, twice, file)| Op::Finish { pick, how, twice, file }),
        1 => any::<Index>().prop_map(Op::Release),
    ]
}

fn around_it() -> impl Strategy<Value = Op> {
    let seldom = prop::bool::weighted(0.2);
    prop_oneof![
        4 => (0..FILES, any::<bool>(), seldom, seldom)
            .prop_map(|(file, now, twice, replaces)| Op::PutFile { file, now, twice, replaces }),
        2 => picks().prop_map(Op::Cancel),
        2 => picks().prop_map(Op::Retry),
        4 => (prop::bool::weighted(0.2), 1..3_u32)
            .prop_map(|(forget, cap)| Op::Sweep { forget, cap }),
        1 => (any::<bool>(), 0..4_u8, prop::option::of(any::<bool>()))
            .prop_map(|(kind, priority, now)| Op::Requeue { kind, priority, now }),
        1 => (0..6_u8).prop_map(Op::Mode),
    ]
}
