//! How blobs are named.
//!
//! ```text
//! <tenant>/files/<uuid>          one upload of a file
//! <tenant>/<task>/<sha256>       a large input or result of a task
//! _fleet/<nonce>                 the mark of the fleet that owns the store
//! ```
//!
//! An upload's name is its own, not its content's: the content's hash is known
//! only at its end, and a name that is never used again can be deleted without
//! a race against a new upload of the same bytes. A payload's name is its
//! hash: a late writer can never replace another's result.
//!
//! Invariant: the alphabets of tenants, tasks and hashes contain no `/`, and no
//! tenant begins with `_`.

use rand::Rng;
use uuid::Uuid;

use crate::model::{Nonce, Stamp, TaskId, TenantId};

const FILES: &str = "files";
const FLEET: &str = "_fleet";

/// The folder of the marks.
pub const MARKS: &str = FLEET;

/// A fresh key for one upload.
pub fn upload(tenant: &TenantId, now: Stamp, rng: &mut impl Rng) -> String {
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    let millis = now.millis().unsigned_abs();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    format!("{tenant}/{FILES}/{id}")
}

/// The key of a payload of a task.
#[must_use]
pub fn payload(tenant: &TenantId, task: TaskId, sha256: &str) -> String {
    format!("{tenant}/{task}/{sha256}")
}

/// The key of a fleet's mark.
#[must_use]
pub fn mark(mark: Nonce) -> String {
    format!("{FLEET}/{mark}")
}

/// Whose a blob is, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An upload of this tenant.
    File(TenantId),
    /// A payload: tenant, task, hash.
    Task(TenantId, TaskId, String),
}

/// Reads a key; `None` for those of others and for marks.
#[must_use]
pub fn owner(key: &str) -> Option<Owner> {
    let mut parts = key.split('/');
    let (tenant, middle, last) = (parts.next()?, parts.next()?, parts.next()?);
    let tenant = tenant.parse().ok()?;
    if parts.next().is_some() {
        return None;
    }
    if middle == FILES {
        return Uuid::parse_str(last).is_ok().then_some(Owner::File(tenant));
    }
    let hash = last.len() == 64 && last.bytes().all(|b| b.is_ascii_hexdigit());
    let task = middle.parse().ok().filter(|_| hash)?;
    Some(Owner::Task(tenant, task, last.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_their_owners() {
        let tenant = TenantId::default();
        let upload = upload(&tenant, Stamp::from_millis(7), &mut rand::rng());
        assert_eq!(owner(&upload), Some(Owner::File(tenant.clone())));
        let (task, hash) = (TaskId::from_bytes([9; 16]), "ab".repeat(32));
        let payload = payload(&tenant, task, &hash);
        assert_eq!(owner(&payload), Some(Owner::Task(tenant, task, hash)));
        let others = [mark(Nonce::from_bits(1)), "a/files/b".into(), "x".into()];
        for other in others {
            assert_eq!(owner(&other), None, "{other}");
        }
        assert_eq!(owner(&format!("{upload}/more")), None);
    }
}
