//! Threads by References: RFC 5256 section 3 after J. Zawinski's algorithm, with mails that are missing as phantoms.
//!
//! Invariant: messages come in their order ([`Message::order`]), so that no order of the source changes a thread; no
//! recursion, for a chain of answers may be as long as the corpus. A phantom keeps its children together, as RFC 5256
//! has it. Merging by subject is off unless asked for.

mod subject;

use std::collections::HashMap;

pub(super) use subject::base as base_subject;

use super::message::Message;
use crate::number::small;

/// Steps that looks for cycles may take in one corpus; an honest one needs a few for each mail.
const CYCLE_STEPS: u64 = 50_000_000;

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thread {
    /// Message-ID of the topmost mail, which may be missing from the corpus.
    pub(super) root: String,
    /// Places of its messages, in order.
    pub(super) messages: Vec<usize>,
    /// Mails on the longest chain of answers; 1 for a single mail.
    pub(super) depth: u32,
}

/// How the mails of a corpus hang together.
#[derive(Debug, Default)]
pub(super) struct Forest {
    /// Threads in the order of their first mails.
    pub(super) threads: Vec<Thread>,
    /// For each message the place of the nearest ancestor that is in the corpus.
    pub(super) parents: Vec<Option<usize>>,
    /// For each message the place of its thread.
    pub(super) thread_of: Vec<usize>,
}

#[derive(Default)]
struct Container {
    message: Option<usize>,
    parent: Option<u32>,
    children: u32,
}

struct Table<'a> {
    numbers: HashMap<&'a str, u32>,
    containers: Vec<Container>,
    ids: Vec<&'a str>,
    steps: u64,
}

impl<'a> Table<'a> {
    fn number(&mut self, id: &'a str) -> u32 {
        let next = small(self.containers.len());
        let number = *self.numbers.entry(id).or_insert(next);
        if number == next {
            self.containers.push(Container::default());
            self.ids.push(id);
        }
        number
    }

    fn at(&mut self, number: u32) -> &mut Container {
        &mut self.containers[number as usize]
    }

    /// Whether `child` is `parent` or above it. Nothing is below a container without children.
    fn closes_cycle(&mut self, parent: u32, child: u32) -> bool {
        if parent == child || self.containers[child as usize].children == 0 {
            return parent == child;
        }
        let mut above = Some(parent);
        while let Some(number) = above {
            self.steps += 1;
            if number == child || self.steps > CYCLE_STEPS {
                return true;
            }
            above = self.containers[number as usize].parent;
        }
        false
    }

    fn attach(&mut self, parent: u32, child: u32) {
        if self.closes_cycle(parent, child) {
            return;
        }
        self.detach(child);
        self.at(child).parent = Some(parent);
        self.at(parent).children += 1;
    }

    fn detach(&mut self, child: u32) {
        if let Some(parent) = self.at(child).parent.take() {
            self.at(parent).children -= 1;
        }
    }

    /// One mail: links its References to each other where nothing is known yet, and itself to the last, whatever was
    /// known.
    fn add(&mut self, place: usize, message: &'a Message) {
        let own = self.number(&message.id);
        self.at(own).message = Some(place);
        let chain = if message.references.is_empty() {
            &message.in_reply_to[..message.in_reply_to.len().min(1)]
        } else {
            &message.references
        };
        let mut last = None;
        for id in chain {
            let number = self.number(id);
            if let Some(parent) = last
                && self.at(number).parent.is_none()
            {
                self.attach(parent, number);
            }
            last = Some(number);
        }
        match last {
            Some(parent) if parent != own => {
                if !self.closes_cycle(parent, own) {
                    self.attach(parent, own);
                }
            }
            Some(_) => {}
            None => self.detach(own),
        }
    }

    /// The topmost container over each, found once for all.
    fn tops(&self) -> Vec<u32> {
        const UNKNOWN: u32 = u32::MAX;
        let mut tops = vec![UNKNOWN; self.containers.len()];
        let mut path = Vec::new();
        for start in 0..small(self.containers.len()) {
            let mut at = start;
            let top = loop {
                if tops[at as usize] != UNKNOWN {
                    break tops[at as usize];
                }
                path.push(at);
                match self.containers[at as usize].parent {
                    Some(parent) => at = parent,
                    None => break at,
                }
            };
            for number in path.drain(..) {
                tops[number as usize] = top;
            }
        }
        tops
    }

    /// For each message its nearest ancestor in the corpus, and the number of corpus mails down to it.
    fn lineage(&self, count: usize) -> (Vec<Option<usize>>, Vec<u32>) {
        // Per container: mails of the corpus from the top down to and including it, and the last of them.
        let mut known: Vec<Option<(u32, Option<usize>)>> = vec![None; self.containers.len()];
        let (mut parents, mut depths) = (vec![None; count], vec![0; count]);
        let mut path = Vec::new();
        for start in 0..self.containers.len() {
            let mut above = Some(start);
            let mut state = loop {
                let Some(at) = above else { break (0, None) };
                if let Some(state) = known[at] {
                    break state;
                }
                path.push(at);
                above = self.containers[at].parent.map(|p| p as usize);
            };
            while let Some(at) = path.pop() {
                if let Some(place) = self.containers[at].message {
                    parents[place] = state.1;
                    state = (state.0 + 1, Some(place));
                    depths[place] = state.0;
                }
                known[at] = Some(state);
            }
        }
        (parents, depths)
    }
}

/// Threads the messages of a corpus, which are in their order and have unique ids.
pub(super) fn forest(messages: &[Message], subject_merge: bool) -> Forest {
    let mut table = Table {
        numbers: HashMap::with_capacity(messages.len() * 2),
        containers: Vec::with_capacity(messages.len()),
        ids: Vec::with_capacity(messages.len()),
        steps: 0,
    };
    for (place, message) in messages.iter().enumerate() {
        table.add(place, message);
    }
    let tops = table.tops();
    let (parents, depths) = table.lineage(messages.len());
    let mut threads: Vec<Thread> = Vec::new();
    let mut thread_at: HashMap<u32, usize> = HashMap::new();
    // In order of the messages, so threads come in the order of their first ones.
    for (place, message) in messages.iter().enumerate() {
        let top = tops[table.numbers[message.id.as_str()] as usize];
        let number = *thread_at.entry(top).or_insert_with(|| {
            threads.push(Thread {
                root: table.ids[top as usize].to_owned(),
                messages: Vec::new(),
                depth: 0,
            });
            threads.len() - 1
        });
        let thread = &mut threads[number];
        thread.messages.push(place);
        thread.depth = thread.depth.max(depths[place]);
    }
    if subject_merge {
        threads = merge_by_subject(threads, messages);
    }
    let mut thread_of = vec![0; messages.len()];
    for (number, thread) in threads.iter().enumerate() {
        for place in &thread.messages {
            thread_of[*place] = number;
        }
    }
    Forest {
        threads,
        parents,
        thread_of,
    }
}

/// Threads without any reference join the first thread of the same base subject, one with references by preference.
fn merge_by_subject(threads: Vec<Thread>, messages: &[Message]) -> Vec<Thread> {
    let linked = |thread: &Thread| {
        thread
            .messages
            .iter()
            .any(|m| !messages[*m].references.is_empty() || !messages[*m].in_reply_to.is_empty())
    };
    let (first, second): (Vec<Thread>, Vec<Thread>) = threads.into_iter().partition(linked);
    let linked_count = first.len();
    let mut merged: Vec<Thread> = Vec::new();
    let mut by_subject: HashMap<String, usize> = HashMap::new();
    for (number, thread) in first.into_iter().chain(second).enumerate() {
        let subject = base_subject(&messages[thread.messages[0]].subject, &[]);
        let target = by_subject
            .get(&subject)
            .copied()
            .filter(|_| !subject.is_empty());
        match target {
            Some(target) if number >= linked_count => {
                merged[target].messages.extend(thread.messages);
                merged[target].depth = merged[target].depth.max(thread.depth);
            }
            _ => {
                by_subject.entry(subject).or_insert(merged.len());
                merged.push(thread);
            }
        }
    }
    for thread in &mut merged {
        thread.messages.sort_unstable();
    }
    merged.sort_by_key(|thread| thread.messages[0]);
    merged
}
