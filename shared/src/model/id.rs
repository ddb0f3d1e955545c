//! Typed identifiers: a task id is never mistaken for a worker id.
//!
//! Invariant: every id that exists is well formed; parsing is the only way in
//! from text. Randomness is passed in, so that tests are repeatable.

use std::{fmt, str::FromStr};

use rand::Rng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Stamp;

/// A text is not a well-formed id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: {rule}")]
pub struct BadId {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl BadId {
    pub(super) fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        let text = text.chars().take(64).collect();
        Self { what, text, rule }
    }
}

/// Names one task for ever: a UUID of version 7 (sorts by the millisecond of
/// its making) whose low byte of `rand_a` is the shard of the store that
/// holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(Uuid);

impl TaskId {
    /// Mints an id for `shard` from the present time and 66 random bits.
    pub fn mint(shard: u8, now: Stamp, rng: &mut impl Rng) -> Self {
        let millis = u128::from(now.millis().unsigned_abs()) & 0xffff_ffff_ffff;
        let random = u128::from(rng.next_u64());
        let nibble = u128::from(rng.next_u32() & 0xf);
        let bits = (millis << 80)
            | (0x7 << 76)
            | (nibble << 72)
            | (u128::from(shard) << 64)
            | (0b10 << 62)
            | (random & 0x3fff_ffff_ffff_ffff);
        Self(Uuid::from_u128(bits))
    }

    /// The millisecond of its making, by the clock of the coordinator that
    /// minted it: about the time of its acceptance.
    #[must_use]
    pub fn minted_at(self) -> Stamp {
        Stamp::from_millis(i64::try_from(self.0.as_u128() >> 80).unwrap_or(0))
    }

    /// The shard of the store that holds this task.
    #[must_use]
    pub fn shard(self) -> u8 {
        self.0.as_bytes()[7]
    }

    /// The id as 16 bytes, for compact storage.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id whose [`as_bytes`](Self::as_bytes) these are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TaskId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Uuid::parse_str(text).map(Self).map_err(|_| BadId {
            what: "task id",
            text: text.chars().take(64).collect(),
            rule: "it is a UUID such as 019aae8c-1f2b-7c00-8a3e-5f0f6b1c2d3e",
        })
    }
}

/// 128 random bits made by the one who asks, so that asking again after a
/// lost answer is recognised as the same question.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(u128);

impl Nonce {
    /// Draws a new nonce.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64()))
    }

    /// The nonce with exactly these bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits, for compact storage.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Nonce {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        u128::from_str_radix(text, 16).map(Self).map_err(|_| BadId {
            what: "nonce",
            text: text.chars().take(64).collect(),
            rule: "it is 32 hexadecimal digits",
        })
    }
}

impl TryFrom<String> for Nonce {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        nonce.to_string()
    }
}

/// Fences one attempt: only the holder of the token that claimed a task may
/// renew, finish or release that attempt. Made by the claimer, never by the
/// store, so that a store that forgot a claim cannot hand the same token out
/// twice.
pub type AttemptToken = Nonce;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $rule:literal, $first:expr, $rest:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                let first: fn(u8) -> bool = $first;
                let rest: fn(u8) -> bool = $rest;
                let bytes = text.as_bytes();
                let good = !bytes.is_empty()
                    && bytes.len() <= $max
                    && first(bytes[0])
                    && bytes[1..].iter().all(|&b| rest(b));
                if good {
                    Ok(Self(text.into()))
                } else {
                    Err(BadId { what: $what, text: text.chars().take(64).collect(), rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;

            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
    };
}

text_id!(
    /// Names a workflow type; it is part of queue names, so its alphabet is
    /// small.
    TypeName,
    "workflow type",
    64,
    "it is 1 to 64 of a-z, 0-9, `_`, `-` and `.`, beginning with a letter",
    |b| b.is_ascii_lowercase(),
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.')
);

text_id!(
    /// Names a tenant. All of one tenant's tasks live in one shard.
    TenantId,
    "tenant",
    64,
    "it is 1 to 64 of a-z, 0-9, `_` and `-`, beginning with a letter or digit",
    |b| b.is_ascii_lowercase() || b.is_ascii_digit(),
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-')
);

text_id!(
    /// Names one boot of one worker: it contains a per-boot epoch, so that a
    /// restarted worker is never taken for its former self.
    WorkerId,
    "worker id",
    128,
    "it is 1 to 128 of letters, digits, `_`, `-`, `.` and `:`",
    |b| b.is_ascii_alphanumeric(),
    |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':')
);

impl Default for TenantId {
    /// The tenant of an installation without authentication: `default`.
    fn default() -> Self {
        Self("default".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn a_task_id_is_a_version_7_uuid_that_carries_its_shard() {
        let mut rng = StdRng::seed_from_u64(1);
        let at = Stamp::from_millis(1_700_000_000_123);
        let id = TaskId::mint(42, at, &mut rng);
        assert_eq!((id.shard(), id.minted_at()), (42, at));
        assert_eq!(Uuid::from_bytes(*id.as_bytes()).get_version_num(), 7);
        assert_eq!(id.to_string().parse(), Ok(id));
        let later = TaskId::mint(0, Stamp::from_millis(1_700_000_000_124), &mut rng);
        assert!(id < later, "ids sort by the time of their making");
    }

    #[test]
    fn text_ids_refuse_what_a_queue_name_could_not_bear() {
        assert!("diagnostic.noop".parse::<TypeName>().is_ok());
        for bad in ["", "Upper", "a b", "9lives", "a/b", &"x".repeat(65)] {
            assert!(bad.parse::<TypeName>().is_err(), "{bad}");
        }
        assert!("worker-7f3a:host.example".parse::<WorkerId>().is_ok());
        assert!("{tag}".parse::<TenantId>().is_err());
    }

    #[test]
    fn a_nonce_survives_text() {
        let nonce = Nonce::from_bits(7);
        assert_eq!(nonce.to_string().len(), 32);
        assert_eq!(nonce.to_string().parse(), Ok(nonce));
    }
}
