//! Who wrote to whom: the human mails with a date, reduced to what judging them needs.
//!
//! Invariant: mails are in the order of the messages they come from; an answer names the very mail that it answers, not
//! one further up. Deliberately absent: texts, addresses, other classes of mail.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::contact::{Book, PersonId};
use super::message::{Class, Message};

/// Who wrote a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Author {
    /// The owner of the mailbox.
    Owner,
    /// Someone else.
    Contact(PersonId),
}

/// One mail.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mail<'a> {
    /// Its Message-ID.
    pub(super) id: &'a str,
    /// When it was sent.
    pub(super) at: Timestamp,
    /// Offset of the author's clock in seconds east of UTC.
    pub(super) offset: Option<i32>,
    pub(super) author: Author,
    /// Contacts that it was addressed to, ascending, without the author.
    pub(super) to: Vec<PersonId>,
    /// Contacts that got a copy only, ascending, without the author.
    pub(super) cc: Vec<PersonId>,
    /// The owner is one of those it was addressed to, not of those who got a copy.
    pub(super) to_owner: bool,
    /// Place of the mail that it answers, among these mails.
    pub(super) answers: Option<usize>,
    /// It answers nothing, known or not.
    pub(super) opens: bool,
    /// Mails on the longest chain of its thread.
    pub(super) thread_depth: u32,
    /// Tone of its text in [-1, 1]; `None` where it was not scored.
    pub(super) tone: Option<f64>,
}

impl Mail<'_> {
    /// All contacts that it went to.
    pub(super) fn recipients(&self) -> impl Iterator<Item = PersonId> {
        self.to.iter().chain(&self.cc).copied()
    }
}

/// What other steps know about each message, by its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The nearest ancestor in the corpus.
    pub(super) parents: &'a [Option<usize>],
    /// Depth of the thread.
    pub(super) depths: &'a [u32],
    /// Tone of the text.
    pub(super) tones: &'a [Option<f64>],
}

/// The human mails with a date and an author.
pub(super) fn of<'a>(messages: &'a [Message], book: &Book, known: Known<'_>) -> Vec<Mail<'a>> {
    let mut places: HashMap<usize, usize> = HashMap::new();
    let mut mails = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        if let Some(mail) = mail(message, book, place, known) {
            places.insert(place, mails.len());
            mails.push((place, mail));
        }
    }
    mails
        .into_iter()
        .map(|(place, mut mail)| {
            mail.answers = known.parents[place]
                .filter(|&parent| names(&messages[place], &messages[parent].id))
                .and_then(|parent| places.get(&parent).copied());
            mail
        })
        .collect()
}

/// Whether a mail says that it answers this id, rather than one below it.
fn names(message: &Message, id: &str) -> bool {
    message.in_reply_to.iter().any(|i| i == id)
        || message.references.last().is_some_and(|i| i == id)
}

fn mail<'a>(message: &'a Message, book: &Book, place: usize, known: Known<'_>) -> Option<Mail<'a>> {
    let sent = message.sent.filter(|_| message.class == Class::Human)?;
    let author = author(message, book)?;
    let to: BTreeSet<PersonId> = message.to.iter().filter_map(|a| book.number(a)).collect();
    let cc: BTreeSet<PersonId> = message.cc.iter().filter_map(|a| book.number(a)).collect();
    let others = |id: &&PersonId| !book.person(**id).owner && author != Author::Contact(**id);
    Some(Mail {
        id: &message.id,
        at: sent.at,
        offset: sent.offset,
        author,
        to: to.iter().filter(others).copied().collect(),
        cc: cc.difference(&to).filter(others).copied().collect(),
        to_owner: to.iter().any(|id| book.person(*id).owner),
        answers: None,
        opens: message.references.is_empty() && message.in_reply_to.is_empty(),
        thread_depth: known.depths[place],
        tone: known.tones[place],
    })
}

/// The owner if among the authors, else the first of them.
fn author(message: &Message, book: &Book) -> Option<Author> {
    let mut authors = message
        .from
        .iter()
        .filter_map(|a| book.number(a))
        .peekable();
    let first = *authors.peek()?;
    Some(if authors.any(|id| book.person(id).owner) {
        Author::Owner
    } else {
        Author::Contact(first)
    })
}
