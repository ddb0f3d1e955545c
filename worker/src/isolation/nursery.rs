//! The thread that starts all children.
//!
//! The kernel's parent-death signal follows the thread that started a child, not its process, and the threads of runs
//! end with their runs. Invariant: this one ends with the pool, after its children.

use std::{
    io,
    process::{Child, Command},
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

/// Starts processes. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct Nursery(SyncSender<Wish>);

struct Wish {
    command: Command,
    answer: SyncSender<io::Result<Child>>,
}

impl Nursery {
    pub(super) fn new() -> io::Result<Self> {
        // Each wish is waited for, so that no more wait here than there are runs.
        let (send, wishes) = sync_channel::<Wish>(0);
        thread::Builder::new()
            .name("zg-nursery".into())
            .spawn(move || {
                for mut wish in wishes {
                    // Whoever asked has gone if this is not heard; the child's pipes close with it.
                    wish.answer.send(wish.command.spawn()).ok();
                }
            })?;
        Ok(Self(send))
    }

    pub(super) fn start(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts children is gone");
        let (answer, child) = sync_channel(1);
        self.0.send(Wish { command, answer }).map_err(|_| gone())?;
        child.recv().map_err(|_| gone())?
    }
}
