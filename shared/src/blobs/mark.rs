//! Whether two roles see the same blob store.
//!
//! The fleet draws one mark and keeps it in the store; the role whose draw was
//! taken writes it into its blob store as well. A role that does not find it
//! there looks at another place than the others, such as a folder of another
//! machine.
//!
//! Invariant: the mark is never written twice, so that it says where the first
//! blobs lie. A blob store with marks of two fleets is collected by neither:
//! each would take the other's blobs for orphans.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tracing::{debug, warn};

use super::{Blobs, Result, Trouble, key};
use crate::{model::Nonce, store::Store};

/// What a role sees of its fleet's blob store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The fleet's own, and nobody else's.
    Ours,
    /// Another place than the one the fleet began with.
    Elsewhere,
    /// The fleet's, and another fleet's, too.
    Shared,
}

/// Looks for the mark of this fleet.
pub async fn look(blobs: &dyn Blobs, mark: Nonce) -> Result<Sight> {
    let wanted = key::mark(mark);
    let (mut ours, mut others) = (false, false);
    let mut marks = blobs.list(key::MARKS);
    while let Some(listed) = marks.next().await {
        if listed?.key == wanted {
            ours = true;
        } else {
            others = true;
        }
    }
    Ok(match (ours, others) {
        (true, false) => Sight::Ours,
        (true, true) => Sight::Shared,
        (false, _) => Sight::Elsewhere,
    })
}

/// Looks, and marks the blob store if this is the fleet's first look anywhere.
/// A process draws once, so that a mark whose writing failed is written later.
pub async fn sight(
    store: &dyn Store,
    blobs: &dyn Blobs,
    drawn: Nonce,
) -> std::result::Result<Sight, Trouble> {
    // First, so that a blob store that is away leaves no mark unwritten.
    blobs.get(&key::mark(drawn)).await?;
    let mark = store.blob_mark(drawn).await?;
    if mark == drawn {
        blobs.put(&key::mark(mark), Bytes::new()).await?;
    }
    Ok(look(blobs, mark).await?)
}

/// Between two looks; the role that writes the mark needs less.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks before it is said that the mark is missing.
const LOOKS: u32 = 10;

/// Says what is wrong with the blob store and what to set, if anything is. For
/// the start of a role, beside its work: asks until store and blob store
/// answer.
pub async fn check(store: &dyn Store, blobs: &dyn Blobs, drawn: Nonce) {
    let mut looks = 0;
    loop {
        match sight(store, blobs, drawn).await {
            Ok(Sight::Ours) => return debug!("the blob store is the fleet's"),
            Ok(Sight::Shared) => {
                return warn!(
                    "the blob store holds the mark of another fleet as well; nothing in it is collected; \
                     give each fleet a blob-url (a folder or a prefix) of its own, or remove the mark of a fleet that is gone"
                );
            }
            Ok(Sight::Elsewhere) if looks >= LOOKS => {
                return warn!(
                    "this role sees another blob store than the fleet: files and large payloads will not be found; \
                     set the same --blob-url (ZEROGATE_BLOB_URL) everywhere, a folder that all machines mount or s3://bucket/prefix"
                );
            }
            Ok(Sight::Elsewhere) => looks += 1,
            Err(error) => {
                // Once is enough: the verbs that need it say so themselves.
                if looks == 0 {
                    warn!(%error, "the blob store cannot be checked yet");
                }
                looks += 1;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        blobs::objects::Objects,
        clock::SystemClock,
        store::sqlite::{Options, SqliteStore},
    };

    #[tokio::test]
    async fn the_first_role_marks_and_the_others_look() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(Options {
            data_dir: dir.path().to_owned(),
            clock: Arc::new(SystemClock),
        })
        .unwrap();
        let [fleet, elsewhere] =
            ["one", "two"].map(|name| Objects::in_folder(&dir.path().join(name)).unwrap());
        let draw = Nonce::from_bits;
        let look = async |blobs: &Objects, drawn| sight(&*store, blobs, drawn).await.unwrap();
        assert_eq!(look(&fleet, draw(1)).await, Sight::Ours);
        assert_eq!(look(&fleet, draw(2)).await, Sight::Ours);
        assert_eq!(look(&elsewhere, draw(3)).await, Sight::Elsewhere);
        fleet.put(&key::mark(draw(9)), Bytes::new()).await.unwrap();
        assert_eq!(look(&fleet, draw(2)).await, Sight::Shared);
        fleet.delete(&key::mark(draw(9))).await.unwrap();
        fleet.delete(&key::mark(draw(1))).await.unwrap();
        assert_eq!(look(&fleet, draw(2)).await, Sight::Elsewhere);
        assert_eq!(look(&fleet, draw(1)).await, Sight::Ours, "written again");
    }
}
