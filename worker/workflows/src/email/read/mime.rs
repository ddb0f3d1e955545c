//! From the bytes of a mail to an envelope, by mail-parser behind [`super::scan`].
//!
//! Only the fields we need are parsed; fields read by name alike in both forms go through [`Envelope::field`].

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{
    Header, HeaderName, HeaderValue, Message as Parsed, MessageParser, MimeHeaders, PartType,
};

use super::super::contact::Address;
use super::super::limits;
use super::super::source::Failure;
use super::envelope::{Envelope, collapsed};
use super::{Note, html, scan};

/// A parser of addresses, subject and MIME fields alone.
pub(super) fn parser() -> MessageParser {
    MessageParser::new()
        .with_mime_headers()
        .header_text(HeaderName::Subject)
        .header_address(HeaderName::From)
        .header_address(HeaderName::Sender)
        .header_address(HeaderName::ReplyTo)
        .header_address(HeaderName::To)
        .header_address(HeaderName::Cc)
        .default_header_ignore()
}

pub(super) fn envelope(parser: &MessageParser, bytes: &[u8]) -> Result<Envelope, Failure> {
    Failure::cap(
        "message_bytes",
        bytes.len() as u64,
        limits::MAX_MESSAGE_BYTES,
    )?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = scan::scan(bytes)?;
    // The parser promises not to panic; a mail that proves it wrong is one failure, not the end of the run.
    let parsed = catch_unwind(AssertUnwindSafe(|| parser.parse(bytes.as_ref())))
        .map_err(|_| Failure::new("parser", "the parser gave up on it"))?
        .ok_or_else(|| Failure::new("not_a_message", "no header field is found"))?;
    let mut envelope = Envelope::default();
    header(&parsed, &bytes, &mut envelope)?;
    structure(&parsed, &mut envelope);
    if envelope.seal.is_none() {
        envelope.body = body(&parsed, &mut envelope.notes);
    }
    Ok(envelope)
}

fn header(parsed: &Parsed<'_>, bytes: &[u8], envelope: &mut Envelope) -> Result<(), Failure> {
    let mut known = false;
    let mut count = 0;
    let mut sender = Vec::new();
    for field in parsed.headers() {
        let notes = &mut envelope.notes;
        match &field.name {
            HeaderName::Subject => {
                known = true;
                if let HeaderValue::Text(text) = &field.value
                    && envelope.subject.is_empty()
                {
                    envelope.subject = collapsed(text);
                }
            }
            HeaderName::From if envelope.from.is_empty() => {
                addresses(field, &mut envelope.from, &mut count, notes);
            }
            HeaderName::Sender => addresses(field, &mut sender, &mut count, notes),
            HeaderName::To => addresses(field, &mut envelope.to, &mut count, notes),
            HeaderName::Cc => addresses(field, &mut envelope.cc, &mut count, notes),
            HeaderName::ReplyTo => addresses(field, &mut envelope.reply_to, &mut count, notes),
            name => {
                let value = bytes
                    .get(field.offset_start as usize..field.offset_end as usize)
                    .map_or(Cow::Borrowed(""), String::from_utf8_lossy);
                envelope.field(name.as_str(), &value);
                // Any registered name will do; free text with a colon has none.
                known |= !matches!(name, HeaderName::Other(_));
            }
        }
        Failure::cap("addresses", count, limits::MAX_ADDRESSES)?;
    }
    if envelope.from.is_empty() {
        envelope.from = sender;
    }
    if known || count > 0 {
        return Ok(());
    }
    Err(Failure::new(
        "not_a_message",
        "no registered header field is found",
    ))
}

fn addresses(field: &Header<'_>, into: &mut Vec<Address>, count: &mut u64, notes: &mut Vec<Note>) {
    let HeaderValue::Address(list) = &field.value else {
        return;
    };
    for written in list.iter() {
        *count += 1;
        let found = written
            .address
            .as_deref()
            .or(written.name.as_deref())
            .and_then(Address::new);
        match found {
            Some(address) => into.push(address),
            None => notes.push(Note::BadAddress),
        }
    }
}

/// What the types of parts tell: seals and invitations.
fn structure(parsed: &Parsed<'_>, envelope: &mut Envelope) {
    for part in &parsed.parts[1..] {
        let Some(kind) = part.content_type() else {
            continue;
        };
        let name = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default());
        // A calendar file that somebody attached is no invitation; an invitation names its method.
        let attached =
            name.eq_ignore_ascii_case("text/calendar") && kind.attribute("method").is_none();
        // A report may be forwarded inside another mail: only the type of the whole mail counts.
        if !attached && !name.eq_ignore_ascii_case("multipart/report") {
            envelope.content_type(&name);
        }
    }
}

/// The text that a reader would see: plain parts as they are, HTML where there is no plain form.
fn body(parsed: &Parsed<'_>, notes: &mut Vec<Note>) -> String {
    let mut whole = String::new();
    for part in parsed
        .text_body
        .iter()
        .filter_map(|id| parsed.parts.get(*id as usize))
    {
        let text = match &part.body {
            PartType::Text(text) => Cow::Borrowed(text.as_ref()),
            PartType::Html(markup) => {
                let (text, cut) = html::to_text(markup);
                if cut {
                    notes.push(Note::TruncatedText);
                }
                Cow::Owned(text)
            }
            _ => continue,
        };
        if !whole.is_empty() && !whole.ends_with('\n') {
            whole.push('\n');
        }
        whole.push_str(&text);
        if whole.len() > limits::MAX_BODY_BYTES {
            break;
        }
    }
    whole
}

/// The first plain text of a mail, quotes included: for the comparison with another parser.
#[cfg(test)]
pub(super) fn first_plain(parser: &MessageParser, bytes: &[u8]) -> Option<String> {
    let bytes = scan::scan(bytes).ok()?;
    let parsed = parser.parse(bytes.as_ref())?;
    let mut parts = parsed
        .text_body
        .iter()
        .filter_map(|id| parsed.parts.get(*id as usize));
    parts.find_map(|part| match &part.body {
        PartType::Text(text) => Some(text.to_string()),
        _ => None,
    })
}
