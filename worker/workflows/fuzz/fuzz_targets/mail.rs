//! Any bytes as mails: a result or a clean error, never a panic, never `internal`. The first byte chooses how they are
//! stored.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use zerogate_workflows::{Error, Run, find};

const KINDS: [&str; 4] = ["eml", "mbox", "maildir_zip", "graph_json"];

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, body)) = bytes.split_first() else {
        return;
    };
    let kind = find("email_analysis").expect("the type is in the catalogue");
    let input = json!({
        "as_of": "2026-01-01",
        "owner_addresses": ["me@example.org"],
        "source": {"kind": KINDS[usize::from(which) % 4], "data": {"content_base64": STANDARD.encode(body)}},
    });
    let result = (kind.run)(&input, &Run::unattended());
    assert!(!matches!(result, Err(Error::Internal(_))));
});
