//! Any bytes as a workbook: a result or a clean error, never a panic, never `internal`.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use zerogate_workflows::{Error, Run, find};

fuzz_target!(|bytes: &[u8]| {
    let kind = find("excel_processing").expect("the type is in the catalogue");
    let input = json!({
        "workbook": {"content_base64": STANDARD.encode(bytes)},
        "record_file": false,
        "as_of": "2026-01-01",
    });
    let result = (kind.run)(&input, &Run::unattended());
    assert!(!matches!(result, Err(Error::Internal(_))));
});
