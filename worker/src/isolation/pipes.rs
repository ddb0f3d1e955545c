//! The pipes between a worker and one child, as the worker holds them.
//!
//! Invariant: never waits longer than it was told; whatever the child does with its ends. Standard error keeps its
//! last few lines, for the sentences that `verdict` knows.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use super::{
    codec::{self, Malformed},
    message::Say,
};

/// The last words fit; what a library prints before them is forgotten.
const TAIL_BYTES: usize = 4096;

/// What an inbox may hold on to between answers.
const RESTING_BYTES: usize = 1 << 16;

/// The worker's ends.
#[derive(Debug)]
pub(super) struct Pipes {
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    /// Bytes that are not yet a frame.
    inbox: Vec<u8>,
    tail: Vec<u8>,
}

/// What one look at the pipes found.
pub(super) enum Seen {
    Open,
    Closed,
}

impl Pipes {
    /// Takes the pipes of a child that was started with them.
    pub(super) fn of(child: &mut Child) -> io::Result<Self> {
        let lost = || io::Error::other("a child has no pipes");
        let pipes = Self {
            stdin: child.stdin.take().ok_or_else(lost)?,
            stdout: child.stdout.take().ok_or_else(lost)?,
            stderr: child.stderr.take().ok_or_else(lost)?,
            inbox: Vec::new(),
            tail: Vec::new(),
        };
        rustix::io::ioctl_fionbio(&pipes.stdin, true)?;
        rustix::io::ioctl_fionbio(&pipes.stdout, true)?;
        rustix::io::ioctl_fionbio(&pipes.stderr, true)?;
        Ok(pipes)
    }

    /// The next whole frame.
    pub(super) fn next_frame(&mut self) -> Result<Option<(Say, Value)>, Malformed> {
        let Some((prefix, rest)) = self.inbox.split_first_chunk() else {
            return Ok(None);
        };
        let Some(payload) = rest.get(..codec::length(*prefix)?) else {
            return Ok(None);
        };
        let frame = codec::open(payload)?;
        let whole = codec::LENGTH + payload.len();
        self.inbox.drain(..whole);
        // A child waits for its next order with what it needs, not with what its longest answer took.
        self.inbox.shrink_to(RESTING_BYTES);
        Ok(Some(frame))
    }

    /// Bytes of a frame that is not whole yet.
    pub(super) fn pending(&self) -> usize {
        self.inbox.len()
    }

    /// What it printed on standard error does not concern the next run.
    pub(super) fn forget_errors(&mut self) {
        self.drain_errors();
        self.tail.clear();
    }

    /// The end of what it printed on standard error. For recognising fixed sentences alone: it may hold payload.
    pub(super) fn last_errors(&mut self) -> String {
        self.drain_errors();
        String::from_utf8_lossy(&self.tail).into_owned()
    }

    /// Waits until a pipe is ready, at most so long, and moves what is there.
    pub(super) fn look(
        &mut self,
        outbox: &mut VecDeque<u8>,
        at_most: Duration,
    ) -> io::Result<Seen> {
        let ready = {
            let mut fds = vec![
                PollFd::new(&self.stdout, PollFlags::IN),
                PollFd::new(&self.stderr, PollFlags::IN),
            ];
            if !outbox.is_empty() {
                fds.push(PollFd::new(&self.stdin, PollFlags::OUT));
            }
            match poll(&mut fds, Some(&span(at_most))) {
                Err(rustix::io::Errno::INTR) => return Ok(Seen::Open),
                polled => polled?,
            };
            let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
            [ready(0), ready(1), ready(2)]
        };
        if ready[2] && write_some(&mut self.stdin, outbox).is_err() {
            // It has closed its end: what it had to say is still in the other pipe.
            outbox.clear();
        }
        if ready[1] {
            self.drain_errors();
        }
        if ready[0] {
            return read_all(&mut self.stdout, &mut self.inbox);
        }
        Ok(Seen::Open)
    }

    /// Reads what is on standard error and keeps its end.
    fn drain_errors(&mut self) {
        let closed = read_all(&mut self.stderr, &mut self.tail);
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        drop(closed);
    }
}

/// A duration as the system takes it.
pub(super) fn span(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or_default()
}

fn write_some(pipe: &mut ChildStdin, outbox: &mut VecDeque<u8>) -> io::Result<()> {
    match pipe.write(outbox.as_slices().0) {
        Ok(written) => {
            outbox.drain(..written);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads what is there now, at most a mebibyte, so that a flood is looked at piece by piece.
fn read_all(pipe: &mut impl Read, into: &mut Vec<u8>) -> io::Result<Seen> {
    const AT_ONCE: usize = 1 << 20;
    let mut chunk = [0; 1 << 14];
    let mut taken = 0;
    while taken < AT_ONCE {
        match pipe.read(&mut chunk) {
            Ok(0) => return Ok(Seen::Closed),
            Ok(read) => {
                into.extend_from_slice(&chunk[..read]);
                taken += read;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Seen::Open)
}
