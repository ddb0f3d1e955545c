//! The verbs as the trait names them, each sent to the thread that performs it.
//!
//! Invariant: whatever changes something is performed by the writing thread.
//! Deliberately absent: what a verb does.

use async_trait::async_trait;

use crate::{
    model::{FileId, Nonce, TaskId, TaskView, TenantId, WorkerId},
    store::{
        Result, Store,
        files::{FilePut, FileRecord, NewFile, Payloads},
        query::{Counts, Page, TaskQuery, Totals, TypeInfo, WorkerView},
        signal::Signals,
        verbs::{
            AlertRecord, Aside, Beat, BeatReply, Cancel, CancelOutcome, Claim, ClaimReply, Finish,
            FinishReply, FirstOf, ModeAsked, ModeState, Note, Order, Orders, PublishedSlip,
            Release, Renew, Renewal, Requeue, Retry, RetryOutcome, SeriesQuery, SeriesRow,
            Submission, Submitted, Sweep, Swept, Take, Taken,
        },
    },
};

use super::{
    SqliteStore, alerts, control, dispatch, facts, files, fleet, notes, orders, query, report, run,
    signals, submit, upkeep,
};

#[async_trait]
impl Store for SqliteStore {
    async fn submit(&self, submission: Submission) -> Result<Submitted> {
        self.write(move |core| submit::submit(core, &submission))
            .await
    }

    async fn take_ready(&self, take: Take) -> Result<Taken> {
        self.write(move |core| dispatch::take_ready(core, &take))
            .await
    }

    async fn published(&self, slips: Vec<PublishedSlip>) -> Result<()> {
        self.write(move |core| dispatch::published(core, &slips))
            .await
    }

    async fn claim(&self, claim: Claim) -> Result<ClaimReply> {
        self.write(move |core| run::claim(core, &claim)).await
    }

    async fn renew(&self, renew: Renew) -> Result<Vec<Renewal>> {
        self.write(move |core| run::renew(core, renew)).await
    }

    async fn finish(&self, finish: Finish) -> Result<FinishReply> {
        self.write(move |core| report::finish(core, &finish)).await
    }

    async fn release(&self, release: Release) -> Result<Vec<bool>> {
        self.write(move |core| report::release(core, &release))
            .await
    }

    async fn cancel(&self, cancel: Cancel) -> Result<Vec<CancelOutcome>> {
        self.write(move |core| control::cancel(core, &cancel)).await
    }

    async fn retry(&self, retry: Retry) -> Result<Vec<RetryOutcome>> {
        self.write(move |core| control::retry(core, &retry)).await
    }

    async fn sweep(&self, sweep: Sweep) -> Result<Swept> {
        self.write(move |core| upkeep::sweep(core, &sweep)).await
    }

    async fn requeue(&self, requeue: Requeue) -> Result<u32> {
        self.write(move |core| dispatch::requeue(core, &requeue))
            .await
    }

    async fn set_mode(&self, asked: ModeAsked) -> Result<ModeState> {
        self.write(move |core| control::set_mode(core, asked)).await
    }

    async fn mode(&self) -> Result<ModeState> {
        self.read(facts::mode).await
    }

    async fn order(&self, order: Order) -> Result<Orders> {
        self.write(move |core| orders::give(core, order)).await
    }

    async fn orders(&self) -> Result<Orders> {
        let now = self.clock.now();
        Ok(self.read(facts::orders).await?.standing_at(now))
    }

    async fn set_aside(&self, asides: Vec<Aside>) -> Result<Vec<bool>> {
        self.write(move |core| run::set_aside(core, &asides)).await
    }

    async fn keep(&self, note: Note) -> Result<()> {
        self.write(move |core| notes::keep(core, &note)).await
    }

    async fn kept(&self, names: &[String]) -> Result<Vec<Option<String>>> {
        let (names, now) = (names.to_vec(), self.clock.now());
        self.read(move |db| notes::kept(db, &names, now)).await
    }

    async fn append(&self, rows: Vec<SeriesRow>) -> Result<()> {
        self.write(move |core| notes::append(core, &rows)).await
    }

    async fn series(&self, query: SeriesQuery) -> Result<Vec<SeriesRow>> {
        let now = self.clock.now();
        self.read(move |db| notes::series(db, &query, now)).await
    }

    async fn raise(&self, records: Vec<AlertRecord>) -> Result<()> {
        self.write(move |core| alerts::raise(core, &records)).await
    }

    async fn alerts(&self, limit: u32) -> Result<Vec<AlertRecord>> {
        let now = self.clock.now();
        self.read(move |db| alerts::latest(db, limit, now)).await
    }

    async fn first_of(&self, first: FirstOf) -> Result<Option<u64>> {
        self.write(move |core| alerts::first_of(core, &first)).await
    }

    async fn heartbeat(&self, beat: Beat) -> Result<BeatReply> {
        self.write(move |core| fleet::heartbeat(core, beat)).await
    }

    async fn farewell(&self, worker: &WorkerId) -> Result<()> {
        let worker = worker.clone();
        self.write(move |core| fleet::farewell(core, &worker)).await
    }

    async fn announce(&self, types: Vec<TypeInfo>) -> Result<()> {
        self.write(move |core| fleet::announce(core, &types)).await
    }

    async fn types(&self) -> Result<Vec<TypeInfo>> {
        let now = self.clock.now();
        self.read(move |db| fleet::types(db, now)).await
    }

    async fn workers(&self) -> Result<Vec<WorkerView>> {
        self.write(|core| Ok(fleet::workers(core))).await
    }

    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>> {
        let tenant = tenant.clone();
        self.read(move |db| query::task(db, &tenant, id)).await
    }

    async fn tasks(&self, query: TaskQuery) -> Result<Page> {
        self.read(move |db| query::tasks(db, &query)).await
    }

    async fn counts(&self, tenant: &TenantId) -> Result<Counts> {
        let tenant = tenant.clone();
        self.write(move |core| query::counts(core, &tenant)).await
    }

    async fn totals(&self) -> Result<Totals> {
        self.write(|core| query::totals(core)).await
    }

    async fn put_file(&self, file: NewFile) -> Result<FilePut> {
        self.write(move |core| files::put(core, file)).await
    }

    async fn files(&self, tenant: &TenantId, ids: &[FileId]) -> Result<Vec<Option<FileRecord>>> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.read(move |db| files::look(db, &tenant, &ids)).await
    }

    async fn keys_held(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<bool>> {
        let (tenant, keys) = (tenant.clone(), keys.to_vec());
        self.read(move |db| files::held(db, &tenant, &keys)).await
    }

    async fn payloads(&self, tenant: &TenantId, ids: &[TaskId]) -> Result<Vec<Option<Payloads>>> {
        let (tenant, ids) = (tenant.clone(), ids.to_vec());
        self.read(move |db| files::payloads(db, &tenant, &ids))
            .await
    }

    async fn blob_mark(&self, drawn: Nonce) -> Result<Nonce> {
        self.write(move |core| facts::blob_mark(&core.db, drawn))
            .await
    }

    async fn contact_key(&self, tenant: &TenantId, drawn: Nonce) -> Result<Nonce> {
        let tenant = tenant.clone();
        self.write(move |core| facts::contact_key(&core.db, &tenant, drawn))
            .await
    }

    async fn ping(&self) -> Result<()> {
        self.write(|_| Ok(())).await
    }

    async fn signals(&self) -> Result<Box<dyn Signals>> {
        Ok(Box::new(signals::Listener(self.signals.subscribe())))
    }
}
