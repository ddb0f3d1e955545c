//! Parts of a computation on threads that end with it.
//!
//! Invariant: results come in the order of the parts, so that whoever combines them in that order gets the same on any
//! number of threads. Deliberately absent: a pool; a part must be worth the start of a thread (some 20 microseconds).

use std::thread;

/// The work's result for each part: the first on the calling thread, each other on one of its own.
pub(crate) fn each<P: Send + Clone, R: Send>(
    parts: impl IntoIterator<Item = P>,
    work: impl Fn(P) -> R + Sync,
) -> Vec<R> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        return Vec::new();
    };
    thread::scope(|scope| {
        let work = &work;
        let start = |part: P| {
            let given = part.clone();
            let started = thread::Builder::new().spawn_scoped(scope, move || work(given));
            (part, started.ok())
        };
        let others: Vec<_> = parts.map(start).collect();
        let mut results = vec![work(first)];
        for (part, other) in others {
            results.push(match other.map(thread::ScopedJoinHandle::join) {
                Some(Ok(result)) => result,
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                // A refused thread leaves its part to this one.
                None => work(part),
            });
        }
        results
    })
}
