//! The conformance suite of the store on SQLite, and what only a file can suffer: a kill in mid-write, a second
//! opener, a restart.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use shared::{
    clock::SystemClock,
    model::{Priority, TaskId, TaskState},
    store::{
        Error, Store,
        sqlite::{Options, SqliteStore},
        verbs::{ClaimTicket, Claimed, Finished, Mode, Submitted},
    },
};
use tempfile::TempDir;
use zerogate_tests::{
    conformance::store::{
        Backend,
        lab::{Ask, LONG, Lab, calm, failure, type_name},
    },
    nursery, store_suite,
};

/// Stores in folders of their own, which live as long as this does.
#[derive(Default)]
struct Sqlite(Mutex<Vec<TempDir>>);

#[async_trait]
impl Backend for Sqlite {
    async fn fresh(&self) -> Arc<dyn Store> {
        let folder = folder();
        let store = open(folder.path()).expect("open");
        self.0.lock().expect("no panic while pushing").push(folder);
        store
    }
}

store_suite!(Sqlite::default());

fn folder() -> TempDir {
    TempDir::with_prefix("zerogate-store-").expect("a folder")
}

fn open(folder: &Path) -> shared::store::Result<Arc<SqliteStore>> {
    SqliteStore::open(Options {
        data_dir: folder.to_owned(),
        clock: Arc::new(SystemClock),
    })
}

/// One process owns the folder; whoever comes second is told which folder it is.
#[tokio::test]
async fn a_second_opener_is_refused_by_name() {
    let folder = folder();
    let first = open(folder.path()).expect("open");
    let Err(Error::Unsuitable(text)) = open(folder.path()) else {
        panic!("two stores on one folder");
    };
    assert!(
        text.contains(&folder.path().display().to_string()),
        "{text}"
    );
    drop(first);
    open(folder.path()).expect("the first one is gone");
}

/// A file of a newer version, or of somebody else, is refused untouched.
#[tokio::test]
async fn a_foreign_or_newer_file_is_refused() {
    let folder = folder();
    drop(open(folder.path()).expect("open"));
    let file = folder.path().join("zerogate.sqlite");
    let good = std::fs::read(&file).expect("read");
    // Bytes 60 to 63 of the header are the user version, big endian.
    let mut newer = good.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(&file, &newer).expect("write");
    let Err(Error::Unsuitable(text)) = open(folder.path()) else {
        panic!("a newer schema was opened");
    };
    assert!(text.contains("newer version (schema 99"), "{text}");
    // Bytes 68 to 71 are the application's mark.
    let mut foreign = good;
    foreign[68..72].copy_from_slice(&[1, 2, 3, 4]);
    std::fs::write(&file, &foreign).expect("write");
    let Err(Error::Unsuitable(text)) = open(folder.path()) else {
        panic!("another program's file was opened");
    };
    assert!(text.contains("another program"), "{text}");
    std::fs::write(&file, b"not a database at all, but long enough to look").expect("write");
    assert!(matches!(open(folder.path()), Err(Error::Corrupt(_))));
}

/// A restart lapses every lease at once, innocently; keeps mode, counters, types and keys; and counts on.
#[tokio::test]
async fn a_restart_returns_what_was_under_way() {
    let folder = folder();
    let lab = Lab::on(open(folder.path()).expect("open"));
    let queued = lab.submit(Ask::of("t.a")).await;
    lab.dispatch(LONG).await;
    let taken = lab.submit(Ask::of("t.a")).await;
    lab.take(1).await;
    let running = lab.submit(Ask::of("t.a")).await;
    let run = lab.start(running).await;
    let called_off = lab.submit(Ask::of("t.a")).await;
    lab.start(called_off).await;
    lab.cancel(called_off).await;
    let scheduled = lab.submit(Ask::of("t.a")).await;
    let first = lab.start(scheduled).await;
    lab.fail(&first, failure("later"), LONG).await;
    let gone = lab.submit(Ask::of("t.a")).await;
    lab.run(gone).await;
    let forget = shared::store::verbs::Sweep {
        retention: std::time::Duration::ZERO,
        ..calm()
    };
    assert_eq!(lab.sweep(forget).await.reaped, 1);
    lab.mode(Mode::Paused).await;
    let counts = lab.counts().await.by_route;
    drop(lab);

    let lab = Lab::on(open(folder.path()).expect("open again"));
    for id in [queued, taken, running] {
        assert_eq!(lab.state(id).await, TaskState::Ready);
    }
    assert_eq!(lab.state(called_off).await, TaskState::Cancelled);
    assert_eq!(lab.state(scheduled).await, TaskState::Scheduled);
    assert_eq!(lab.complete(&run).await, Finished::Stale);
    let code = lab.view(running).await.attempts[0].code.clone();
    assert_eq!(code.as_deref(), Some("worker_lost"));
    assert_eq!(lab.store.mode().await.expect("mode").mode, Mode::Paused);
    let route = (type_name("t.a"), Priority::Medium);
    let (before, after) = (counts[&route], lab.counts().await.by_route[&route]);
    assert_eq!(after.completed, before.completed);
    assert_eq!(after.cancelled, before.cancelled + 1);
    assert_eq!(
        (after.pending, after.running),
        (before.pending + before.running - 1, 0)
    );
    lab.mode(Mode::Running).await;
    let fresh = lab.submit(Ask::of("t.a")).await;
    let page = lab.store.tasks(lab.everything()).await.expect("tasks");
    assert_eq!(page.items[0].id, fresh, "newer than all before the restart");
    let solo = lab.take(10).await.tasks.iter().any(|task| task.solo);
    assert!(!solo, "the end of the process is no task's fault");
    lab.run(running).await;
}

/// Tasks of one family in the kill test: a parent, its child, its grandchild.
const FAMILY: usize = 3;

/// A process that writes is killed in mid-write, again and again: what it was answered is there, and nothing is half
/// there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_sigkill() {
    let folder = folder();
    let mut stored: BTreeSet<TaskId> = BTreeSet::new();
    let mut finished: BTreeSet<TaskId> = BTreeSet::new();
    for round in 0..8_usize {
        let answers = killed_after(folder.path(), 10 + 37 * round);
        for (what, id) in answers {
            match what.as_str() {
                "stored" => stored.insert(id),
                _ => finished.insert(id),
            };
        }
        let lab = Lab::on(open(folder.path()).expect("open after the kill"));
        for id in &stored {
            lab.view(*id).await;
        }
        for id in &finished {
            let view = lab.view(*id).await;
            assert_eq!(view.state, TaskState::Completed, "round {round}");
            assert!(view.result.is_some());
        }
        nothing_is_half_there(&lab, round).await;
    }
    assert!(stored.len() > 100 && !finished.is_empty());
}

/// Families are whole, dependents agree with their parents, and the figures with the tasks.
async fn nothing_is_half_there(lab: &Lab, round: usize) {
    let mut query = lab.everything();
    let mut tasks = BTreeMap::new();
    loop {
        let page = lab.store.tasks(query.clone()).await.expect("tasks");
        tasks.extend(page.items.into_iter().map(|task| (task.id, task)));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(tasks.len() % FAMILY, 0, "round {round}: half a submission");
    let mut states: BTreeMap<TaskState, u64> = BTreeMap::new();
    for task in tasks.values() {
        *states.entry(task.state).or_default() += 1;
        let waits = task.state == TaskState::Waiting;
        let parent = task.spec.depends_on.first().map(|id| tasks[id].state);
        let blocked = parent.is_some_and(|state| !state.is_final());
        assert_eq!(
            waits, blocked,
            "round {round}: {} under {parent:?}",
            task.id
        );
        let settled = [TaskState::Waiting, TaskState::Ready, TaskState::Completed];
        assert!(settled.contains(&task.state), "round {round}: {task:?}");
    }
    let tally = lab.counts().await.by_route[&(type_name("t.a"), Priority::Medium)];
    let of = |state| states.get(&state).copied().unwrap_or(0);
    assert_eq!(tally.completed, of(TaskState::Completed), "round {round}");
    assert_eq!(
        tally.pending,
        of(TaskState::Waiting) + of(TaskState::Ready),
        "round {round}"
    );
}

/// Runs the writer below in a process of its own and kills it once it was answered so many times.
fn killed_after(folder: &Path, answers: usize) -> Vec<(String, TaskId)> {
    let program = std::env::current_exe().expect("this program");
    let mut command = nursery::command(program);
    command
        .args(["--exact", "writes_until_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = nursery::spawn(command).expect("the writer");
    let mut stdin = child.stdin.take().expect("its input");
    writeln!(stdin, "{}", folder.display()).expect("tell it the folder");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut heard = Vec::new();
    let mut killed = false;
    for line in lines {
        let line = line.expect("its words");
        let mut words = line
            .split(' ')
            .skip_while(|word| *word != "answered")
            .skip(1);
        if let (Some(what), Some(id)) = (words.next(), words.next()) {
            heard.push((what.to_owned(), id.parse().expect("an id")));
        }
        if heard.len() >= answers && !killed {
            child.kill().expect("kill it");
            killed = true;
        }
    }
    child.wait().expect("its end");
    assert!(killed, "it ended by itself after {} answers", heard.len());
    heard
}

/// The child process of the test above; alone it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child process of `what_was_answered_survives_sigkill`"]
async fn writes_until_killed() {
    let mut folder = String::new();
    io::stdin().lock().read_line(&mut folder).expect("a folder");
    if folder.trim().is_empty() {
        return;
    }
    let lab = Arc::new(Lab::on(open(Path::new(folder.trim())).expect("open")));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let lab = Arc::clone(&lab);
        writers.spawn(async move {
            loop {
                write_once(&lab).await;
            }
        });
    }
    writers.join_all().await;
}

/// One family is stored; what can run is run. Every answer is told before the next question.
async fn write_once(lab: &Lab) {
    let mut tasks = Vec::new();
    for place in 0..FAMILY {
        let parents: Vec<_> = tasks
            .iter()
            .skip(place.saturating_sub(1))
            .map(|task: &shared::store::verbs::NewTask| task.id)
            .collect();
        tasks.push(lab.task(Ask::of("t.a").after(&parents)));
    }
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let answer = lab.store.submit(lab.plan(tasks)).await.expect("submit");
    assert_eq!(answer, Submitted::Accepted);
    for id in &ids {
        tell("stored", *id);
    }
    for task in lab.take(3).await.tasks {
        lab.publish(&[(task.id, task.attempt)], LONG).await;
        let ticket = ClaimTicket {
            task: task.id,
            attempt: task.attempt,
            token: lab.nonce(),
        };
        let claimed = lab
            .claim(ticket.task, ticket.attempt, ticket.token, LONG)
            .await;
        if let Claimed::Granted(_) = claimed {
            let run = shared::store::verbs::RunRef {
                task: ticket.task,
                token: ticket.token,
            };
            if lab.complete(&run).await == Finished::Committed(TaskState::Completed) {
                tell("finished", task.id);
            }
        }
    }
}

fn tell(what: &str, id: TaskId) {
    let mut out = io::stdout().lock();
    writeln!(out, "\nanswered {what} {id}").expect("the test listens");
    out.flush().expect("the test listens");
}
