//! Files of the reference: who refers to them, and when they expire.

use std::{collections::BTreeSet, time::Duration};

use shared::{
    model::{FileId, TaskId},
    store::{
        files::{FilePut, FileRecord, NewFile},
        verbs::Submission,
    },
};

use super::{NEVER, Reference, Tick};

#[derive(Clone, Debug)]
pub(super) struct File {
    key: String,
    bytes: u64,
    content_type: String,
    name: String,
    keep: Duration,
    uses: BTreeSet<TaskId>,
    expires: Tick,
}

impl Reference {
    /// The verb `put_file`.
    pub fn put_file(&mut self, new: &NewFile) -> FilePut {
        self.now += 1;
        let expires = self.after(new.keep);
        let known = self.files.get(&new.id);
        let (key, uses) = match known {
            Some(known) if new.replaces.as_ref() != Some(&known.key) => {
                (known.key.clone(), known.uses.clone())
            }
            Some(known) => (new.key.clone(), known.uses.clone()),
            None => (new.key.clone(), BTreeSet::new()),
        };
        let file = File {
            key,
            bytes: new.bytes,
            content_type: new.content_type.clone(),
            name: new.name.clone(),
            keep: new.keep,
            expires: if uses.is_empty() { expires } else { NEVER },
            uses,
        };
        self.files.insert(new.id, file);
        match self.file(new.id) {
            Some(known) if known.key != new.key => FilePut::Known(known),
            _ => FilePut::Stored,
        }
    }

    /// The verb `file`.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<FileRecord> {
        self.files.get(&id).map(|file| FileRecord {
            id,
            key: file.key.clone(),
            bytes: file.bytes,
            content_type: file.content_type.clone(),
            name: file.name.clone(),
            uses: file.uses.len() as u64,
        })
    }

    pub(super) fn unknown_files(&self, submission: &Submission) -> Vec<(usize, FileId)> {
        let tasks = submission.tasks.iter().enumerate();
        tasks
            .flat_map(|(place, task)| task.files.iter().map(move |file| (place, *file)))
            .filter(|(_, file)| !self.files.contains_key(file))
            .collect()
    }

    pub(super) fn refer(&mut self, task: TaskId, files: &[FileId]) {
        for id in files {
            if let Some(file) = self.files.get_mut(id) {
                file.uses.insert(task);
                file.expires = NEVER;
            }
        }
    }

    pub(super) fn unrefer(&mut self, task: TaskId) {
        let now = self.now;
        for file in self.files.values_mut() {
            if file.uses.remove(&task) && file.uses.is_empty() {
                file.expires = if file.keep.is_zero() { now } else { NEVER };
            }
        }
    }

    pub(super) fn expire_files(&mut self) -> u32 {
        let before = self.files.len();
        let now = self.now;
        self.files.retain(|_, file| file.expires > now);
        u32::try_from(before - self.files.len()).expect("few")
    }
}
