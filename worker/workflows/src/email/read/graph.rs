//! From Graph's JSON to an envelope.

use super::super::contact::Address;
use super::super::limits;
use super::super::source::Failure;
use super::super::source::graph::{Body, Item, Recipient};
use super::envelope::{Envelope, collapsed};
use super::{Note, dates, html, ids};

pub(super) fn envelope(item: Item) -> Result<Envelope, Failure> {
    let mut envelope = Envelope::default();
    let headers = item.internet_message_headers.unwrap_or_default();
    // A header without its name or value says nothing.
    let headers: Vec<(String, String)> = headers
        .into_iter()
        .filter_map(|h| h.name.zip(h.value))
        .collect();
    let bytes: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    Failure::cap("header_bytes", bytes as u64, limits::MAX_HEADER_BYTES)?;
    for (name, value) in &headers {
        envelope.field(name, value);
    }
    if headers.is_empty() {
        envelope.conversation = item.conversation_id.filter(|c| !c.is_empty());
    }
    if let Some(id) = item.internet_message_id.as_deref().and_then(ids::one) {
        envelope.id = Some(id);
    }
    let author: Vec<Recipient> = item.from.or(item.sender).into_iter().collect();
    let (to, cc, reply_to) = (
        item.to_recipients.unwrap_or_default(),
        item.cc_recipients.unwrap_or_default(),
        item.reply_to.unwrap_or_default(),
    );
    let count = author.len() + to.len() + cc.len() + reply_to.len();
    Failure::cap("addresses", count as u64, limits::MAX_ADDRESSES)?;
    envelope.from = addresses(author, &mut envelope.notes);
    envelope.to = addresses(to, &mut envelope.notes);
    envelope.cc = addresses(cc, &mut envelope.notes);
    envelope.reply_to = addresses(reply_to, &mut envelope.notes);
    envelope.subject = collapsed(&item.subject.unwrap_or_default());
    if let Some(sent) = item.sent_date_time.as_deref().and_then(dates::read) {
        // Graph gives the instant; how the sender's clock was set stands only in the Date field.
        let same = envelope.date.filter(|d| d.at == sent.at);
        envelope.date = Some(same.unwrap_or(sent));
    }
    if let Some(received) = item.received_date_time.as_deref().and_then(dates::read) {
        envelope.received = Some(received.at);
    }
    envelope.signals.calendar |= item.meeting_message_type.is_some_and(|t| t != "none");
    let known = envelope.id.is_some()
        || !envelope.from.is_empty()
        || !envelope.to.is_empty()
        || envelope.date.is_some();
    if !known {
        return Err(Failure::new(
            "not_a_message",
            "the item has none of: internetMessageId, from, toRecipients, sentDateTime",
        ));
    }
    if let Some(body) = item.body.or(item.unique_body) {
        take_body(body, &mut envelope);
    }
    Ok(envelope)
}

fn take_body(body: Body, envelope: &mut Envelope) {
    let content = body.content.unwrap_or_default();
    let is_html = body
        .content_type
        .is_some_and(|t| t.eq_ignore_ascii_case("html"));
    envelope.body = if is_html {
        let (text, cut) = html::to_text(&content);
        if cut {
            envelope.notes.push(Note::TruncatedText);
        }
        text
    } else {
        content
    };
}

fn addresses(recipients: Vec<Recipient>, notes: &mut Vec<Note>) -> Vec<Address> {
    let mut found = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let written = recipient.email_address.and_then(|a| a.address);
        match written.as_deref().map(Address::new) {
            Some(Some(address)) => found.push(address),
            Some(None) => notes.push(Note::BadAddress),
            None => {}
        }
    }
    found
}
