//! The last step of every upload: its record.
//!
//! Invariant: whoever stops in between leaves at most a blob too many, which is
//! collected.

use tracing::debug;

use super::{Blobs, Trouble};
use crate::store::{
    Store,
    files::{FilePut, NewFile},
};

/// Records a file whose bytes were uploaded. Bytes that the tenant had already
/// are given up, unless those that it had were lost.
pub async fn record(
    store: &dyn Store,
    blobs: &dyn Blobs,
    mut file: NewFile,
) -> Result<(), Trouble> {
    let FilePut::Known(known) = store.put_file(file.clone()).await? else {
        return Ok(());
    };
    if blobs.get(&known.key).await?.is_none() {
        file.replaces = Some(known.key);
        if store.put_file(file.clone()).await? == FilePut::Stored {
            return Ok(());
        }
    }
    if let Err(error) = blobs.delete(&file.key).await {
        debug!(%error, "a second copy of a file stays until it is collected");
    }
    Ok(())
}
