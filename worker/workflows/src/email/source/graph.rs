//! Mails as Microsoft Graph lists them (`/messages`): an array, or an object whose `value` is one.
//!
//! Each element is read alone, so that a bad one does not spoil the others. `uniqueBody` is read only where `body` is
//! missing: the same mail must give the same result in every form, and no other form has it. Deliberately absent:
//! `Debug`, which would print what people wrote.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::limits;
use super::{Failure, Found, Place, Taker, unreadable};
use crate::{Error, Run};

/// A mail, as far as we read it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in super::super) struct Item {
    pub(in super::super) internet_message_id: Option<String>,
    pub(in super::super) conversation_id: Option<String>,
    pub(in super::super) subject: Option<String>,
    pub(in super::super) from: Option<Recipient>,
    pub(in super::super) sender: Option<Recipient>,
    pub(in super::super) to_recipients: Option<Vec<Recipient>>,
    pub(in super::super) cc_recipients: Option<Vec<Recipient>>,
    pub(in super::super) reply_to: Option<Vec<Recipient>>,
    pub(in super::super) sent_date_time: Option<String>,
    pub(in super::super) received_date_time: Option<String>,
    pub(in super::super) body: Option<Body>,
    pub(in super::super) unique_body: Option<Body>,
    pub(in super::super) is_draft: Option<bool>,
    pub(in super::super) meeting_message_type: Option<String>,
    pub(in super::super) internet_message_headers: Option<Vec<Field>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in super::super) struct Recipient {
    pub(in super::super) email_address: Option<EmailAddress>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct EmailAddress {
    pub(in super::super) address: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in super::super) struct Body {
    pub(in super::super) content_type: Option<String>,
    pub(in super::super) content: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Field {
    pub(in super::super) name: Option<String>,
    pub(in super::super) value: Option<String>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

/// Every mail of a document.
pub(super) fn read(bytes: &[u8], run: &Run<'_>, take: &mut Taker<'_>) -> Result<(), Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let listed = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[');
    let items: Vec<&RawValue> = if listed {
        serde_json::from_slice(bytes).map_err(|e| malformed(&e))?
    } else {
        serde_json::from_slice::<Page<'_>>(bytes)
            .map_err(|e| malformed(&e))?
            .value
    };
    if items.is_empty() {
        return Err(unreadable("has no mails: the list is empty"));
    }
    Error::cap(
        "max_messages",
        items.len() as u64,
        limits::MAX_MESSAGES,
        super::DATA,
    )?;
    for (index, raw) in items.into_iter().enumerate() {
        if index % 256 == 0 {
            run.check()?;
        }
        let place = Place {
            index: index as u64,
            offset: None,
        };
        take(place, item(raw.get()))?;
    }
    Ok(())
}

fn item(text: &str) -> Found<'static> {
    if let Err(failure) = Failure::cap(
        "message_bytes",
        text.len() as u64,
        limits::MAX_MESSAGE_BYTES,
    ) {
        return Found::Failed(failure);
    }
    match serde_json::from_str::<Item>(text) {
        Ok(item) if item.is_draft == Some(true) => Found::Draft,
        Ok(item) => Found::Graph(Box::new(item)),
        // serde's message would quote the value.
        Err(e) => Found::Failed(Failure::new(
            "graph_item",
            format!(
                "a field has another type than Graph gives it, at line {}, column {} of the item",
                e.line(),
                e.column()
            ),
        )),
    }
}

fn malformed(error: &serde_json::Error) -> Error {
    unreadable(format!(
        "is not a JSON array of messages, nor an object whose \"value\" is one: line {}, column {}",
        error.line(),
        error.column()
    ))
}
