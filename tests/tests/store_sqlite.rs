//! The conformance suite of the store on SQLite.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use shared::{
    clock::SystemClock,
    store::{
        Store,
        sqlite::{Options, SqliteStore},
    },
};
use tempfile::TempDir;
use zerogate_tests::{conformance::store::Backend, store_suite};

/// Stores in folders of their own, which live as long as this does.
#[derive(Default)]
struct Sqlite(Mutex<Vec<TempDir>>);

#[async_trait]
impl Backend for Sqlite {
    async fn fresh(&self) -> Arc<dyn Store> {
        let folder = TempDir::with_prefix("zerogate-store-").expect("a folder");
        let options = Options {
            data_dir: folder.path().to_owned(),
            clock: Arc::new(SystemClock),
        };
        let store = SqliteStore::open(options).expect("open");
        self.0.lock().expect("no panic while pushing").push(folder);
        store
    }
}

store_suite!(Sqlite::default());
