//! JSON values as bytes between a worker and its children, and the frames that carry them.
//!
//! A frame is its payload's length (four bytes, little endian) and the payload: a small header and a body, each a
//! value. Not JSON text, because numbers must come out with the very bits that went in. Invariant: reading never
//! panics and never recurses deeper than [`DEPTH_MAX`], whatever the other side wrote.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

/// JSON parsers stop at 128; a result may be a few levels around an input.
const DEPTH_MAX: usize = 512;
/// Bytes of a frame's length.
pub(super) const LENGTH: usize = 4;
/// More than any input the API takes and any result a run may have; a longer frame is a broken child.
pub(super) const FRAME_MAX: usize = 1 << 30;

/// The other side does not speak our language.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message between worker and child is malformed")]
pub(super) struct Malformed;

/// A frame with this header and body; [`Malformed`] if it would be too long.
pub(super) fn frame(header: &impl Serialize, body: &Value) -> Result<Vec<u8>, Malformed> {
    let header = serde_json::to_value(header).map_err(|_| Malformed)?;
    let mut out = vec![0; LENGTH];
    encode(&header, &mut out);
    encode(body, &mut out);
    let length = out.len() - LENGTH;
    if length > FRAME_MAX {
        return Err(Malformed);
    }
    let length = u32::try_from(length).map_err(|_| Malformed)?;
    out[..LENGTH].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}

/// Header and body of a frame's payload.
pub(super) fn open<H: DeserializeOwned>(payload: &[u8]) -> Result<(H, Value), Malformed> {
    let mut rest = payload;
    let header = decode(&mut rest, 0)?;
    let body = decode(&mut rest, 0)?;
    if !rest.is_empty() {
        return Err(Malformed);
    }
    Ok((serde_json::from_value(header).map_err(|_| Malformed)?, body))
}

/// The length that a frame begins with.
pub(super) fn length(prefix: [u8; LENGTH]) -> Result<usize, Malformed> {
    let length = usize::try_from(u32::from_le_bytes(prefix)).map_err(|_| Malformed)?;
    if length > FRAME_MAX {
        return Err(Malformed);
    }
    Ok(length)
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(true) => out.push(b't'),
        Value::Bool(false) => out.push(b'f'),
        Value::Number(number) => encode_number(number, out),
        Value::String(text) => {
            out.push(b's');
            encode_text(text, out);
        }
        Value::Array(items) => {
            out.push(b'[');
            encode_length(items.len(), out);
            for item in items {
                encode(item, out);
            }
        }
        Value::Object(members) => {
            out.push(b'{');
            encode_length(members.len(), out);
            for (key, value) in members {
                encode_text(key, out);
                encode(value, out);
            }
        }
    }
}

fn encode_number(number: &Number, out: &mut Vec<u8>) {
    if let Some(whole) = number.as_u64() {
        out.push(b'u');
        out.extend(whole.to_le_bytes());
    } else if let Some(whole) = number.as_i64() {
        out.push(b'i');
        out.extend(whole.to_le_bytes());
    } else {
        out.push(b'd');
        out.extend(number.as_f64().unwrap_or(f64::NAN).to_le_bytes());
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_length(text.len(), out);
    out.extend(text.as_bytes());
}

fn encode_length(length: usize, out: &mut Vec<u8>) {
    out.extend((length as u64).to_le_bytes());
}

fn decode(rest: &mut &[u8], depth: usize) -> Result<Value, Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed);
    }
    let [tag] = take(rest)?;
    Ok(match tag {
        b'n' => Value::Null,
        b't' => Value::Bool(true),
        b'f' => Value::Bool(false),
        b'u' => u64::from_le_bytes(take(rest)?).into(),
        b'i' => i64::from_le_bytes(take(rest)?).into(),
        b'd' => {
            let number = f64::from_le_bytes(take(rest)?);
            Value::Number(Number::from_f64(number).ok_or(Malformed)?)
        }
        b's' => Value::String(decode_text(rest)?),
        b'[' => {
            let count = decode_length(rest)?;
            // A hostile count must not reserve anything: each item takes at least a byte.
            let mut items = Vec::with_capacity(count.min(rest.len()));
            for _ in 0..count {
                items.push(decode(rest, depth + 1)?);
            }
            Value::Array(items)
        }
        b'{' => {
            let mut members = Map::new();
            for _ in 0..decode_length(rest)? {
                let key = decode_text(rest)?;
                members.insert(key, decode(rest, depth + 1)?);
            }
            Value::Object(members)
        }
        _ => return Err(Malformed),
    })
}

fn decode_text(rest: &mut &[u8]) -> Result<String, Malformed> {
    let length = decode_length(rest)?;
    let (text, after) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = after;
    String::from_utf8(text.to_vec()).map_err(|_| Malformed)
}

fn decode_length(rest: &mut &[u8]) -> Result<usize, Malformed> {
    usize::try_from(u64::from_le_bytes(take(rest)?)).map_err(|_| Malformed)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (taken, after) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = after;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn there_and_back(body: &Value) -> Value {
        let frame = frame(&json!({"h": 1}), body).unwrap();
        let (prefix, payload) = frame.split_first_chunk().unwrap();
        assert_eq!(length(*prefix).unwrap(), payload.len());
        let (header, body) = open::<Value>(payload).unwrap();
        assert_eq!(header, json!({"h": 1}));
        body
    }

    #[test]
    fn every_value_comes_out_as_it_went_in_to_the_last_bit() {
        let body = json!({
            "": null, "text": "zażółć \u{0} \n", "list": [true, false, [], {}],
            "whole": [0, u64::MAX, i64::MIN, -1], "tiny": 1.234_567_890_123_456_7e-301, "third": 1.0 / 3.0, "zero": -0.0
        });
        let back = there_and_back(&body);
        assert_eq!(back.to_string(), body.to_string());
        let mut bits = 0x0123_4567_89ab_cdef_u64;
        for _ in 0..10_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if let Some(number) = Number::from_f64(f64::from_bits(bits)) {
                let back = there_and_back(&Value::Number(number));
                assert_eq!(back.as_f64().unwrap().to_bits(), bits);
            }
        }
    }

    #[test]
    fn whatever_is_cut_or_changed_is_refused_or_read_but_never_panics() {
        let whole = frame(&json!({"a": [1, "x", {"b": 2.5}]}), &json!(["y"])).unwrap();
        let payload = &whole[LENGTH..];
        for end in 0..payload.len() {
            assert_eq!(
                open::<Value>(&payload[..end]),
                Err(Malformed),
                "cut at {end}"
            );
        }
        for at in 0..payload.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = payload.to_vec();
                changed[at] ^= flip;
                open::<Value>(&changed).ok();
            }
        }
        let mut deep = b"[\x01\0\0\0\0\0\0\0".repeat(100_000);
        deep.push(b'n');
        assert_eq!(open::<Value>(&deep), Err(Malformed));
        assert_eq!(length([0xff; 4]), Err(Malformed));
    }
}
