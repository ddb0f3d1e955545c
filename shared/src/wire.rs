//! The message between coordinator and worker: a slip.
//!
//! MessagePack, as a map with short keys, under a leading version byte. A slip
//! names tasks; it never carries a payload. Readers accept unknown members, so
//! that an older worker can read a newer coordinator's slips of the same
//! version; another version is refused by [`Slip::decode`].
//!
//! Invariant: this is the only place that knows the encoding. Golden bytes are
//! committed in the tests below.

use serde::{Deserialize, Serialize};

use crate::model::{Route, TaskId, TenantId};

/// The version this build writes.
pub const VERSION: u8 = 1;

/// What travels through the broker: 1..n tickets of one tenant and route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slip {
    /// Whose tasks.
    #[serde(rename = "o")]
    pub tenant: TenantId,
    /// Where the slip travels.
    #[serde(rename = "r")]
    pub route: Route,
    /// The tasks, in the order in which they run. Never empty.
    #[serde(rename = "t")]
    pub tickets: Vec<Ticket>,
}

/// One task on a slip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Which task.
    #[serde(rename = "i", with = "compact_id")]
    pub task: TaskId,
    /// The attempt that claiming it starts.
    #[serde(rename = "a")]
    pub attempt: u32,
    /// log2 of the input's length in bytes, rounded up.
    #[serde(rename = "s", default)]
    pub size_bucket: u8,
    /// Expected run time in microseconds, if it is known.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub estimate_us: Option<u64>,
    /// Follows the task into every log line; absent where it is the task's id.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// W3C trace context of the submission.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Ticket {
    /// The size bucket of an input of this many bytes.
    #[must_use]
    pub fn bucket_of(bytes: u64) -> u8 {
        u8::try_from(u64::BITS - bytes.saturating_sub(1).leading_zeros()).unwrap_or(64)
    }

    /// The task's correlation id.
    #[must_use]
    pub fn correlation(&self) -> String {
        self.correlation_id
            .clone()
            .unwrap_or_else(|| self.task.to_string())
    }
}

/// A message is not a slip of this version.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version.
    #[error("slip of version {0}, this program reads version {VERSION}: upgrade the workers first")]
    Version(u8),
    /// Not a slip at all.
    #[error("not a slip: {0}")]
    Malformed(String),
}

impl Slip {
    /// The bytes of the message.
    ///
    /// # Panics
    /// Never: a slip is plain data, and a vector takes any bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let mut writer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
        self.serialize(&mut writer)
            .expect("a slip is plain data and a vector never refuses bytes");
        bytes
    }

    /// Reads the bytes of a message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let malformed = |detail: &str| DecodeError::Malformed(detail.to_owned());
        let (&version, body) = bytes
            .split_first()
            .ok_or_else(|| malformed("it is empty"))?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let slip: Self = rmp_serde::from_slice(body).map_err(|e| malformed(&e.to_string()))?;
        if slip.tickets.is_empty() {
            return Err(malformed("it names no task"));
        }
        Ok(slip)
    }
}

/// A task id as 16 bytes instead of 36 characters.
mod compact_id {
    use serde::{Deserializer, Serializer, de};

    use crate::model::TaskId;

    pub(super) fn serialize<S: Serializer>(id: &TaskId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(id.as_bytes())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<TaskId, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = TaskId;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the 16 bytes of a task id")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<TaskId, E> {
                let array = bytes
                    .try_into()
                    .map_err(|_| E::invalid_length(bytes.len(), &self))?;
                Ok(TaskId::from_bytes(array))
            }
        }
        d.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Priority;
    use proptest::prelude::*;

    fn slip() -> Slip {
        Slip {
            tenant: TenantId::default(),
            route: Route::new("diagnostic.noop".parse().unwrap(), Priority::High),
            tickets: vec![Ticket {
                task: TaskId::from_bytes(*b"0123456789abcdef"),
                attempt: 1,
                size_bucket: 2,
                estimate_us: Some(300),
                correlation_id: Some("c-1".into()),
                traceparent: None,
            }],
        }
    }

    /// What version 1 looks like on the wire, for ever.
    const GOLDEN: &[u8] = b"\x01\x83\xa1o\xa7default\xa1r\x82\xa8priority\xa4high\xadworkflow_type\xafdiagnostic.noop\
        \xa1t\x91\x85\xa1i\xc4\x100123456789abcdef\xa1a\x01\xa1s\x02\xa1e\xcd\x01\x2c\xa1c\xa3c-1";

    #[test]
    fn the_golden_bytes_are_written_and_read() {
        assert_eq!(slip().encode(), GOLDEN);
        assert_eq!(Slip::decode(GOLDEN).unwrap(), slip());
    }

    #[test]
    fn a_reader_of_this_version_accepts_members_it_does_not_know() {
        #[derive(Serialize)]
        struct Newer {
            o: &'static str,
            r: Route,
            t: Vec<NewerTicket>,
            z: &'static str,
        }
        #[derive(Serialize)]
        struct NewerTicket {
            #[serde(with = "compact_id")]
            i: TaskId,
            a: u32,
            y: u32,
        }
        let newer = Newer {
            o: "default",
            r: slip().route,
            t: vec![NewerTicket {
                i: slip().tickets[0].task,
                a: 4,
                y: 9,
            }],
            z: "new",
        };
        let mut bytes = vec![VERSION];
        bytes.extend(rmp_serde::to_vec_named(&newer).unwrap());
        assert_eq!(Slip::decode(&bytes).unwrap().tickets[0].attempt, 4);
    }

    #[test]
    fn another_version_and_an_empty_slip_are_refused() {
        let mut bytes = slip().encode();
        bytes[0] = 9;
        assert!(matches!(Slip::decode(&bytes), Err(DecodeError::Version(9))));
        let empty = Slip {
            tickets: Vec::new(),
            ..slip()
        };
        assert!(matches!(
            Slip::decode(&empty.encode()),
            Err(DecodeError::Malformed(_))
        ));
    }

    #[test]
    fn size_buckets_are_ceilings_of_log2() {
        let buckets: Vec<_> = [0, 1, 2, 3, 4, 5, 1024, 1025].map(Ticket::bucket_of).into();
        assert_eq!(buckets, [0, 0, 1, 2, 2, 3, 10, 11]);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Slip::decode(&bytes));
        }
    }
}
