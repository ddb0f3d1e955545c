//! What the end of a child means for the task that it ran: pure.
//!
//! Invariant: total; no fault of a child is more than the end of its task. A sentence names the limit and the place,
//! never what was read. What may be the machine's fault is tried again; what comes again is the input's.

use shared::model::ErrorCode;
use workflows::Bounds;

use crate::handler::HandlerError;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Why we killed it, if we did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Killed {
    /// The run was to stop and did not.
    Stopped,
    /// Its wall time was over.
    Wall,
    /// It sent something that is not of our language, or too much.
    Babbled,
}

/// Last words of the standard library that we know. Anything else it printed may hold payload and is forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastWords {
    #[default]
    None,
    /// An allocation of so many bytes failed.
    Allocation(u64),
    /// A stack overflowed.
    Overflow,
}

impl LastWords {
    /// Looks for the fixed sentences of the standard library.
    pub(super) fn find(text: &str) -> Self {
        let allocation = |line: &str| {
            let bytes = line.strip_prefix("memory allocation of ")?;
            bytes.strip_suffix(" bytes failed")?.parse().ok()
        };
        if let Some(bytes) = text.lines().find_map(allocation) {
            return Self::Allocation(bytes);
        }
        if text
            .lines()
            .any(|line| line.ends_with("has overflowed its stack"))
        {
            return Self::Overflow;
        }
        Self::None
    }
}

/// What is known of a child's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) exit: Exit,
    pub(super) killed: Option<Killed>,
    pub(super) words: LastWords,
    /// The kernel's counter of kills for want of memory rose during the run.
    pub(super) oom: bool,
}

/// What happened to the run before, in another child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing: this is the first.
    #[default]
    Nothing,
    /// The reader crashed.
    Crashed,
    /// Somebody killed it.
    Killed,
    /// The kernel killed it for want of memory.
    OutOfMemory,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The run failed.
    Fail(HandlerError),
    /// Again at once, in a fresh child.
    Again(Before),
    /// Again in a fresh child, with no other child beside it.
    AgainAlone,
}

/// Numbers of signals, the same on every Linux that has children here.
mod signal {
    pub(super) const ABRT: i32 = 6;
    pub(super) const BUS: i32 = 7;
    pub(super) const KILL: i32 = 9;
    pub(super) const SEGV: i32 = 11;
    pub(super) const XCPU: i32 = 24;
    pub(super) const XFSZ: i32 = 25;
}

/// What the death of a child that ran under these bounds means.
pub(super) fn judge(death: &Death, bounds: &Bounds, before: Before) -> Verdict {
    let limit = |text: String| Verdict::Fail(HandlerError::limit_exceeded(text));
    match (death.killed, death.exit, death.words) {
        (Some(Killed::Stopped), ..) => Verdict::Fail(HandlerError::stopped()),
        (Some(Killed::Wall), ..) => limit(format!(
            "the run took longer than {} s (wall_seconds)",
            bounds.wall_seconds
        )),
        (_, Exit::Signal(signal::XCPU), _) => limit(format!(
            "the run used more than {} s of processor time (cpu_seconds)",
            bounds.cpu_seconds
        )),
        (_, Exit::Signal(signal::XFSZ), _) => limit(format!(
            "the run wrote a file above {} bytes (output_bytes)",
            bounds.output_bytes
        )),
        (_, Exit::Signal(signal::ABRT), LastWords::Allocation(bytes)) => limit(format!(
            "the run needed {bytes} bytes more than its {} MiB of memory held (memory_bytes)",
            bounds.memory_bytes >> 20
        )),
        (_, Exit::Signal(signal::ABRT | signal::SEGV | signal::BUS), LastWords::Overflow) => {
            limit("the input is nested deeper than the reader's stack (nesting)".into())
        }
        (None, Exit::Signal(signal::KILL), _) if death.oom => out_of_memory(before),
        (None, Exit::Signal(signal::KILL), _) => killed(before),
        _ => crashed(death, before),
    }
}

fn out_of_memory(before: Before) -> Verdict {
    if before == Before::OutOfMemory {
        return Verdict::Fail(HandlerError::of(
            ErrorCode::OomSuspect,
            "the kernel ended the run for want of memory, and again when it ran alone; give the worker more memory or the run less input",
        ));
    }
    Verdict::AgainAlone
}

fn killed(before: Before) -> Verdict {
    match before {
        Before::Nothing => Verdict::Again(Before::Killed),
        _ => Verdict::Fail(HandlerError::internal(
            "somebody killed the run's child process, and the next one too",
        )),
    }
}

fn crashed(death: &Death, before: Before) -> Verdict {
    if before == Before::Nothing || before == Before::Killed {
        return Verdict::Again(Before::Crashed);
    }
    let how = match (death.killed, death.exit) {
        (Some(_), _) => "a broken answer".to_owned(),
        (_, Exit::Signal(number)) => format!("signal {number}"),
        (_, Exit::Code(code)) => format!("exit code {code}"),
    };
    Verdict::Fail(HandlerError::invalid_input(
        "",
        format!(
            "makes its reader crash ({how}, twice, each time in a fresh process); the file is damaged or hostile"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use super::{
        Before::{Crashed, Nothing, OutOfMemory},
        Exit::{Code, Signal},
        Killed::{Babbled, Stopped, Wall},
        LastWords::{Allocation, None, Overflow},
    };

    const NOBODY: Option<super::Killed> = Option::None;

    const BOUNDS: Bounds = Bounds {
        memory_bytes: 64 << 20,
        cpu_seconds: 3,
        wall_seconds: 9,
        output_bytes: 77,
    };

    fn code(verdict: Verdict) -> String {
        match verdict {
            Verdict::Fail(error) => format!("{error}"),
            Verdict::Again(before) => format!("again after {before:?}"),
            Verdict::AgainAlone => "again alone".to_owned(),
        }
    }

    type Row = (
        Exit,
        Option<super::Killed>,
        LastWords,
        bool,
        Before,
        &'static str,
    );

    /// Exit, killed by us, last words, whether the kernel ran out of memory, what was before; the verdict's beginning.
    #[rustfmt::skip]
    const ROWS: &[Row] = &[
        (Signal(9), Some(Stopped), None, true, Nothing, "internal: the run stopped"),
        (Code(0), Some(Stopped), None, false, Crashed, "internal: the run stopped"),
        (Signal(9), Some(Wall), None, true, Nothing, "limit_exceeded: the run took longer than 9 s (wall"),
        (Signal(24), NOBODY, None, false, Nothing, "limit_exceeded: the run used more than 3 s of processor"),
        (Signal(24), NOBODY, None, false, Crashed, "limit_exceeded: the run used more than 3 s of processor"),
        (Signal(25), NOBODY, None, false, Nothing, "limit_exceeded: the run wrote a file above 77 bytes"),
        (Signal(6), NOBODY, Allocation(4096), false, Nothing, "limit_exceeded: the run needed 4096 bytes more than its 64 MiB"),
        (Signal(6), NOBODY, Overflow, false, Nothing, "limit_exceeded: the input is nested deeper"),
        (Signal(11), NOBODY, Overflow, false, Nothing, "limit_exceeded: the input is nested deeper"),
        (Signal(9), NOBODY, None, true, Nothing, "again alone"),
        (Signal(9), NOBODY, None, true, Crashed, "again alone"),
        (Signal(9), NOBODY, None, true, OutOfMemory, "oom_suspect: the kernel ended"),
        (Signal(9), NOBODY, None, false, Nothing, "again after Killed"),
        (Signal(9), NOBODY, None, false, Before::Killed, "internal: somebody killed"),
        (Signal(9), NOBODY, None, false, OutOfMemory, "internal: somebody killed"),
        (Signal(6), NOBODY, None, false, Nothing, "again after Crashed"),
        (Signal(11), NOBODY, None, true, Before::Killed, "again after Crashed"),
        (Signal(11), NOBODY, None, false, Crashed, "invalid_input: the input: makes its reader crash (signal 11"),
        (Signal(6), NOBODY, None, false, OutOfMemory, "invalid_input: the input: makes its reader crash (signal 6"),
        (Code(3), NOBODY, None, false, Nothing, "again after Crashed"),
        (Code(0), NOBODY, Overflow, false, Crashed, "invalid_input: the input: makes its reader crash (exit code 0"),
        (Signal(9), Some(Babbled), None, true, Nothing, "again after Crashed"),
        (Signal(9), Some(Babbled), None, true, Crashed, "invalid_input: the input: makes its reader crash (a broken"),
    ];

    #[test]
    fn every_way_to_die_has_its_verdict() {
        for (exit, killed, words, oom, before, expected) in ROWS {
            let death = Death {
                exit: *exit,
                killed: *killed,
                words: *words,
                oom: *oom,
            };
            let got = code(judge(&death, &BOUNDS, *before));
            assert!(
                got.starts_with(expected),
                "{death:?} after {before:?}: {got}"
            );
        }
    }

    #[test]
    fn nothing_is_tried_for_ever() {
        let exits = [
            Code(0),
            Code(70),
            Signal(6),
            Signal(9),
            Signal(11),
            Signal(15),
        ];
        let all = exits
            .into_iter()
            .flat_map(|exit| [(exit, false), (exit, true)]);
        for ends in all
            .clone()
            .flat_map(|first| all.clone().map(move |next| [first, next]))
        {
            let mut before = Before::Nothing;
            let ended = (0..4).any(|turn| {
                let (exit, oom) = ends[turn % 2];
                let death = Death {
                    exit,
                    killed: NOBODY,
                    words: None,
                    oom,
                };
                match judge(&death, &BOUNDS, before) {
                    Verdict::Fail(_) => true,
                    Verdict::Again(next) => {
                        before = next;
                        false
                    }
                    Verdict::AgainAlone => {
                        before = Before::OutOfMemory;
                        false
                    }
                }
            });
            assert!(ended, "{ends:?}");
        }
    }

    #[test]
    fn only_the_fixed_sentences_are_recognised() {
        let overflow = "\nthread 'run' (12) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n";
        assert_eq!(LastWords::find(overflow), Overflow);
        assert_eq!(
            LastWords::find("memory allocation of 77 bytes failed\n"),
            Allocation(77)
        );
        assert_eq!(
            LastWords::find("some memory allocation of x bytes failed"),
            None
        );
    }
}
