//! Merges concurrent calls of one verb into one call of the store.
//!
//! While one call is in flight, those that arrive wait and travel together in
//! the next; when none is, a call leaves at once. So nothing waits for company,
//! and the batches grow exactly as the store becomes the bottleneck.
//!
//! Invariant: answers come back in the order of the questions, each to its own
//! caller. A store that is away fails every caller of the batch; one question
//! that the store refuses fails no other caller than its own.

use std::{future::Future, sync::Arc};

use shared::{lifecycle::Tasks, store};
use tokio::sync::{mpsc, oneshot};

/// Callers that may wait at once. Every flow has at most a few calls under
/// way, so this is never reached; it bounds a bug.
const WAITING_MAX: usize = 1024;
/// Items that travel together: a script of this many runs for a few
/// milliseconds, which is as long as the store should be held.
const ITEMS_MAX: usize = 512;
/// Bytes that travel together, unless a single item is larger: one caller's
/// large result must not delay everybody's for long.
const BYTES_MAX: usize = 4 << 20;

/// Why a batch has no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// Asking again may help.
    pub(crate) transient: bool,
    message: Arc<str>,
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self {
            transient: error.is_transient(),
            message: error.to_string().into(),
        }
    }
}

impl Failure {
    fn ended() -> Self {
        Self {
            transient: false,
            message: "the worker is ending".into(),
        }
    }
}

/// One verb, batched. Cheap to call from many flows at once.
#[derive(Debug)]
pub(crate) struct Batcher<Q, A> {
    waiting: mpsc::Sender<Job<Q, A>>,
}

#[derive(Debug)]
struct Job<Q, A> {
    items: Vec<Q>,
    bytes: usize,
    reply: oneshot::Sender<Result<Vec<A>, Failure>>,
}

impl<Q: Clone + Send + Sync + 'static, A: Send + 'static> Batcher<Q, A> {
    /// Starts the loop that makes the calls. It ends with the batcher.
    pub(crate) fn start<F>(
        tasks: &Tasks,
        name: &'static str,
        call: impl Fn(Vec<Q>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Vec<A>, Failure>> + Send + 'static,
    {
        let (waiting, jobs) = mpsc::channel(WAITING_MAX);
        tasks.spawn(name, pump(jobs, call));
        Self { waiting }
    }

    /// Asks about these items, of this many bytes in all.
    pub(crate) async fn call(&self, items: Vec<Q>, bytes: usize) -> Result<Vec<A>, Failure> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            items,
            bytes,
            reply,
        };
        if self.waiting.send(job).await.is_err() {
            return Err(Failure::ended());
        }
        answer.await.unwrap_or_else(|_| Err(Failure::ended()))
    }
}

async fn pump<Q, A, F>(mut jobs: mpsc::Receiver<Job<Q, A>>, call: impl Fn(Vec<Q>) -> F)
where
    Q: Clone,
    F: Future<Output = Result<Vec<A>, Failure>>,
{
    let mut carried = None;
    loop {
        let first = match carried.take() {
            Some(job) => job,
            None => match jobs.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        let (batch, next) = gather(first, &mut jobs);
        carried = next;
        answer(batch, &call).await;
    }
}

type Jobs<Q, A> = Vec<Job<Q, A>>;

/// What waits now, up to the limits, and the job that no longer fitted.
fn gather<Q, A>(
    first: Job<Q, A>,
    jobs: &mut mpsc::Receiver<Job<Q, A>>,
) -> (Jobs<Q, A>, Option<Job<Q, A>>) {
    let (mut items, mut bytes) = (first.items.len(), first.bytes);
    let mut batch = vec![first];
    while let Ok(job) = jobs.try_recv() {
        items += job.items.len();
        bytes += job.bytes;
        if items > ITEMS_MAX || bytes > BYTES_MAX {
            return (batch, Some(job));
        }
        batch.push(job);
    }
    (batch, None)
}

async fn answer<Q, A, F>(batch: Jobs<Q, A>, call: &impl Fn(Vec<Q>) -> F)
where
    Q: Clone,
    F: Future<Output = Result<Vec<A>, Failure>>,
{
    let batch = match <[Job<Q, A>; 1]>::try_from(batch) {
        Ok([alone]) => {
            // A caller that was dropped meanwhile has no use for its answers.
            alone.reply.send(ask(alone.items, call).await).ok();
            return;
        }
        Err(batch) => batch,
    };
    let items = batch.iter().flat_map(|job| job.items.iter().cloned());
    match ask(items.collect(), call).await {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for job in batch {
                let own = answers.by_ref().take(job.items.len()).collect();
                job.reply.send(Ok(own)).ok();
            }
        }
        Err(failure) if failure.transient => {
            for job in batch {
                job.reply.send(Err(failure.clone())).ok();
            }
        }
        // Something in it cannot be served, now or later: only whoever asked
        // for that is to hear it. Every verb may be asked again.
        Err(_) => {
            for job in batch {
                job.reply.send(ask(job.items, call).await).ok();
            }
        }
    }
}

async fn ask<Q, A, F>(items: Vec<Q>, call: &impl Fn(Vec<Q>) -> F) -> Result<Vec<A>, Failure>
where
    F: Future<Output = Result<Vec<A>, Failure>>,
{
    let asked = items.len();
    let answers = call(items).await?;
    if answers.len() == asked {
        return Ok(answers);
    }
    let message = format!(
        "the store gave {} answers to {asked} questions",
        answers.len()
    );
    Err(Failure {
        transient: false,
        message: message.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::sync::Semaphore;

    type Seen = Arc<Mutex<Vec<usize>>>;

    /// A batcher that doubles numbers, writes down the sizes of its batches,
    /// and makes each call only when a turn is free.
    fn doubling(tasks: &Tasks, turns: &Arc<Semaphore>) -> (Arc<Batcher<u32, u32>>, Seen) {
        let seen = Seen::default();
        let (log, turns) = (Arc::clone(&seen), Arc::clone(turns));
        let batcher = Batcher::start(tasks, "test", move |items: Vec<u32>| {
            log.lock().unwrap().push(items.len());
            let turns = Arc::clone(&turns);
            async move {
                turns.acquire().await.unwrap().forget();
                if items.contains(&13) {
                    return Err(Failure::ended());
                }
                Ok(items.into_iter().map(|n| n * 2).collect())
            }
        });
        (Arc::new(batcher), seen)
    }

    #[tokio::test]
    async fn calls_merge_while_one_is_in_flight_and_each_gets_its_own_answers() {
        let (tasks, turns) = (Tasks::new(), Arc::new(Semaphore::new(0)));
        let (batcher, seen) = doubling(&tasks, &turns);
        let calls =
            futures_util::future::join_all([vec![1], vec![2, 3], vec![], vec![4]].map(|items| {
                let batcher = Arc::clone(&batcher);
                async move { batcher.call(items, 0).await.unwrap() }
            }));
        let release = async {
            while seen.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            turns.add_permits(10);
        };
        let (answers, ()) = tokio::join!(calls, release);
        assert_eq!(answers, [vec![2], vec![4, 6], vec![], vec![8]]);
        let sizes = seen.lock().unwrap().clone();
        assert_eq!(sizes.iter().sum::<usize>(), 4);
        assert!(
            sizes.len() <= 2,
            "the later ones travelled together: {sizes:?}"
        );
    }

    #[tokio::test]
    async fn a_failure_reaches_the_caller_and_the_next_call_works() {
        let (tasks, turns) = (Tasks::new(), Arc::new(Semaphore::new(10)));
        let (batcher, _) = doubling(&tasks, &turns);
        assert!(batcher.call(vec![13], 0).await.is_err());
        assert_eq!(batcher.call(vec![5], 0).await.unwrap(), [10]);
    }

    #[tokio::test]
    async fn a_refused_question_fails_no_other_caller() {
        let (tasks, turns) = (Tasks::new(), Arc::new(Semaphore::new(10)));
        let (batcher, seen) = doubling(&tasks, &turns);
        let calls = [vec![1], vec![2], vec![13], vec![4, 5]].map(|items| batcher.call(items, 0));
        let answers = futures_util::future::join_all(calls).await;
        let [first, second, refused, last] = &answers[..] else {
            panic!("four answers: {answers:?}")
        };
        assert!(refused.is_err());
        assert_eq!(first.as_ref().unwrap(), &[2]);
        assert_eq!(second.as_ref().unwrap(), &[4]);
        assert_eq!(last.as_ref().unwrap(), &[8, 10]);
        assert!(
            seen.lock().unwrap().iter().any(|size| *size > 1),
            "they travelled together first"
        );
    }

    #[tokio::test]
    async fn a_batch_stays_within_its_bytes() {
        let (tasks, turns) = (Tasks::new(), Arc::new(Semaphore::new(10)));
        let (batcher, seen) = doubling(&tasks, &turns);
        let big = BYTES_MAX / 2 + 1;
        let (a, b, c) = tokio::join!(
            batcher.call(vec![1], big),
            batcher.call(vec![2], big),
            batcher.call(vec![3], big)
        );
        assert!(a.is_ok() && b.is_ok() && c.is_ok());
        assert_eq!(*seen.lock().unwrap(), [1, 1, 1]);
    }
}
