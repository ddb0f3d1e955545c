//! Files: known by their content, alive while a task refers to them; and what the collector of blobs asks.

use shared::{
    model::{FileId, Json, Nonce, TaskState, TenantId},
    store::{
        files::{FilePut, FileRecord, NewFile, Payloads},
        large::Mark,
        verbs::{Finished, Outcome, RetryOutcome, Submitted, Sweep},
    },
};

use super::Backend;
use super::lab::{Ask, LONG, Lab, NONE, calm};

/// The id of one of some contents.
#[must_use]
pub const fn file_id(number: u8) -> FileId {
    FileId::of_sha256([number; 32])
}

impl Lab {
    /// An upload of a content, under a key of its own.
    #[must_use]
    pub fn new_file(&self, id: FileId) -> NewFile {
        NewFile {
            tenant: self.tenant.clone(),
            id,
            key: format!("{}/files/{}", self.tenant, self.nonce()),
            bytes: 7,
            content_type: "text/csv; charset=utf-8".into(),
            name: "früh|spät: 1.csv".into(),
            keep: LONG,
            replaces: None,
        }
    }

    async fn put(&self, file: &NewFile) -> FilePut {
        self.store.put_file(file.clone()).await.expect("put_file")
    }

    async fn record(&self, id: FileId) -> Option<FileRecord> {
        self.store.file(&self.tenant, id).await.expect("file")
    }

    async fn holds(&self, file: &NewFile) -> bool {
        let keys = [file.key.clone()];
        let held = self.store.keys_held(&self.tenant, &keys).await;
        held.expect("keys_held")[0]
    }
}

fn forgetful() -> Sweep {
    Sweep {
        retention: NONE,
        ..calm()
    }
}

fn record(file: &NewFile, uses: u64) -> FileRecord {
    FileRecord {
        id: file.id,
        key: file.key.clone(),
        bytes: file.bytes,
        content_type: file.content_type.clone(),
        name: file.name.clone(),
        uses,
    }
}

/// The same content again is the same file, whatever it is called now; of another tenant it is another file.
pub async fn a_file_is_known_by_its_content(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let first = lab.new_file(file_id(1));
    for _ in 0..2 {
        assert_eq!(lab.put(&first).await, FilePut::Stored, "asked again");
    }
    let renamed = NewFile {
        name: "other".into(),
        ..lab.new_file(file_id(1))
    };
    let known = FileRecord {
        name: "other".into(),
        ..record(&first, 0)
    };
    for _ in 0..2 {
        assert_eq!(lab.put(&renamed).await, FilePut::Known(known.clone()));
    }
    assert_eq!(lab.record(file_id(1)).await, Some(known));
    assert!(lab.holds(&first).await && !lab.holds(&renamed).await);

    let mut stranger = Lab::on(lab.store.clone());
    stranger.tenant = "stranger".parse::<TenantId>().expect("a tenant");
    assert_eq!(stranger.record(file_id(1)).await, None);
    assert!(!stranger.holds(&first).await);
    let theirs = NewFile {
        key: "stranger/files/1".into(),
        ..stranger.new_file(file_id(1))
    };
    assert_eq!(stranger.put(&theirs).await, FilePut::Stored);
    let asked = [file_id(2), file_id(1)];
    let found = lab.store.files(&stranger.tenant, &asked).await;
    assert_eq!(found.expect("files"), [None, Some(record(&theirs, 0))]);
}

/// A file whose blob is missing gets the blob of the next upload; only if the record still names the missing one.
pub async fn a_lost_blob_is_replaced(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let lost = lab.new_file(file_id(1));
    lab.put(&lost).await;
    let again = NewFile {
        replaces: Some(lost.key.clone()),
        ..lab.new_file(file_id(1))
    };
    assert_eq!(lab.put(&again).await, FilePut::Stored);
    assert!(lab.holds(&again).await && !lab.holds(&lost).await);
    let late = NewFile {
        replaces: Some(lost.key.clone()),
        ..lab.new_file(file_id(1))
    };
    assert_eq!(lab.put(&late).await, FilePut::Known(record(&again, 0)));
    assert_eq!(lab.put(&again).await, FilePut::Stored, "asked again");
}

/// Every unknown file of every task is named, and nothing is stored.
pub async fn unknown_files_refuse_a_plan(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    lab.put(&lab.new_file(file_id(1))).await;
    let known = lab.task(Ask::of("t.a").reading(&[file_id(1)]));
    let one = lab.task(Ask::of("t.a").reading(&[file_id(1), file_id(2)]));
    let two = lab.task(Ask::of("t.a").reading(&[file_id(3), file_id(2)]));
    let plan = lab.plan(vec![known, one, two]);
    let wanted = vec![(1, file_id(2)), (2, file_id(3)), (2, file_id(2))];
    let answer = lab.store.submit(plan.clone()).await.expect("submit");
    assert_eq!(answer, Submitted::UnknownFiles(wanted));
    let page = lab.store.tasks(lab.everything()).await.expect("tasks");
    assert!(page.items.is_empty());
    assert_eq!(lab.record(file_id(1)).await.expect("it").uses, 0);

    let mut stranger = Lab::on(lab.store.clone());
    stranger.tenant = "stranger".parse().expect("a tenant");
    let task = stranger.task(Ask::of("t.a").reading(&[file_id(1)]));
    let answer = stranger.store.submit(stranger.plan(vec![task])).await;
    let wanted = Submitted::UnknownFiles(vec![(0, file_id(1))]);
    assert_eq!(answer.expect("submit"), wanted, "it is another tenant's");
    for file in [2, 3] {
        lab.put(&lab.new_file(file_id(file))).await;
    }
    let answer = lab.store.submit(plan).await.expect("submit");
    assert_eq!(answer, Submitted::Accepted);
    assert_eq!(lab.record(file_id(1)).await.expect("it").uses, 2);
}

/// Unused files expire; used ones live until the last task that refers to them is reaped, whatever became of it.
pub async fn a_file_lives_while_a_task_refers_to_it(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let brief = |number| NewFile {
        keep: NONE,
        ..lab.new_file(file_id(number))
    };
    let (used, unused) = (brief(1), brief(2));
    let kept = lab.new_file(file_id(3));
    for file in [&used, &unused, &kept] {
        lab.put(file).await;
    }
    let ask = Ask::of("t.a").reading(&[used.id]);
    let (first, second) = (lab.submit(ask.clone()).await, lab.submit(ask).await);
    assert_eq!(lab.record(used.id).await, Some(record(&used, 2)));
    assert_eq!(lab.sweep(calm()).await.files_expired, 1);
    assert_eq!(lab.record(unused.id).await, None);
    assert!(!lab.holds(&unused).await && lab.holds(&kept).await);
    lab.put(&used).await;
    assert_eq!(lab.sweep(calm()).await.files_expired, 0, "still used");

    lab.ruin(first).await;
    assert_eq!(
        lab.retry(first).await,
        RetryOutcome::Revived { attempt: 1 },
        "a retry needs the file again"
    );
    lab.run(first).await;
    let swept = lab.sweep(forgetful()).await;
    assert_eq!((swept.reaped, swept.files_expired), (1, 0));
    assert_eq!(lab.record(used.id).await, Some(record(&used, 1)));
    lab.cancel(second).await;
    let swept = lab.sweep(forgetful()).await;
    assert_eq!((swept.reaped, swept.files_expired), (1, 1));
    assert_eq!(lab.record(used.id).await, None);
    assert!(!lab.holds(&used).await);
    assert!(lab.record(kept.id).await.is_some());
}

/// The files that a committed run made live as long as its task; a report that is repeated counts once.
pub async fn a_result_keeps_the_files_that_its_run_made(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let file = |number| NewFile {
        keep: NONE,
        ..lab.new_file(file_id(number))
    };
    let (input, made) = (file(1), file(2));
    lab.put(&input).await;
    let task = lab.submit(Ask::of("t.a").reading(&[input.id])).await;
    let run = lab.start(task).await;
    lab.put(&made).await;
    let done = Outcome::Completed(Json::from_text("1".into()));
    // The input's own file may come out again; one that is gone is passed over.
    let files = [made.id, input.id, file_id(9)];
    for _ in 0..2 {
        let answer = lab.finish_with(&run, done.clone(), &files).await;
        assert_eq!(answer, Finished::Committed(TaskState::Completed));
    }
    assert_eq!(lab.record(made.id).await, Some(record(&made, 1)));
    assert_eq!(lab.record(input.id).await, Some(record(&input, 1)));
    assert_eq!(lab.record(file_id(9)).await, None);
    assert_eq!(lab.sweep(calm()).await.files_expired, 0);
    let swept = lab.sweep(forgetful()).await;
    assert_eq!((swept.reaped, swept.files_expired), (1, 2));
}

/// A run whose lease is gone, and one that failed, leave no references behind.
pub async fn a_late_report_keeps_no_file(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let made = NewFile {
        keep: NONE,
        ..lab.new_file(file_id(1))
    };
    let task = lab.submit(Ask::of("t.a")).await;
    let run = lab.start(task).await;
    lab.put(&made).await;
    lab.release(&run).await;
    let done = Outcome::Completed(Json::from_text("1".into()));
    let answer = lab.finish_with(&run, done, &[made.id]).await;
    assert_eq!(answer, Finished::Stale);
    assert_eq!(lab.record(made.id).await, Some(record(&made, 0)));
    assert_eq!(lab.sweep(calm()).await.files_expired, 1);
}

/// The collector hears what stands for large texts, of living tasks of this tenant.
pub async fn the_blobs_of_a_task_are_told(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let mark = |digit: &str| {
        let sha256 = digit.repeat(64);
        Mark {
            bytes: 70_000,
            sha256,
        }
        .text()
    };
    let mut large = Ask::of("t.a");
    large.input = mark("a");
    let (large, small) = (lab.submit(large).await, lab.submit(Ask::of("t.a")).await);
    let gone = lab.id();
    let payloads = async || {
        let ids = [large, small, gone];
        let found = lab.store.payloads(&lab.tenant, &ids).await;
        found.expect("payloads")
    };
    let waiting = Payloads {
        input: Some(mark("a")),
        ..Payloads::default()
    };
    let open = vec![Some(waiting.clone()), Some(Payloads::default()), None];
    assert_eq!(payloads().await, open);
    let runs = [lab.start(large).await, lab.start(small).await];
    assert_eq!(payloads().await, open, "a running task is not final");
    lab.finish(&runs[0], Outcome::Completed(mark("b"))).await;
    lab.complete(&runs[1]).await;
    let ended = Payloads {
        is_final: true,
        result: Some(mark("b")),
        ..waiting
    };
    let plain = Payloads {
        is_final: true,
        ..Payloads::default()
    };
    assert_eq!(payloads().await, [Some(ended), Some(plain), None]);
    let stranger = "stranger".parse().expect("a tenant");
    let theirs = lab.store.payloads(&stranger, &[large]).await;
    assert_eq!(theirs.expect("payloads"), [None]);
}

/// The first mark that was drawn is everybody's.
pub async fn the_first_mark_stands(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for drawn in [7, 8, 7] {
        let mark = lab.store.blob_mark(Nonce::from_bits(drawn)).await;
        assert_eq!(mark.expect("blob_mark"), Nonce::from_bits(7));
    }
}

/// Every tenant has a key of its own, and keeps the first one.
pub async fn a_tenant_keeps_its_key_of_contacts(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    for (tenant, drawn, expected) in [("a", 7, 7), ("b", 8, 8), ("a", 9, 7), ("b", 7, 8)] {
        let tenant = tenant.parse().expect("a name of a tenant");
        let key = lab
            .store
            .contact_key(&tenant, Nonce::from_bits(drawn))
            .await;
        assert_eq!(key.expect("contact_key"), Nonce::from_bits(expected));
    }
}
