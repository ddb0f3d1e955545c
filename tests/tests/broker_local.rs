//! The broker of one process, held to the suite.

use std::sync::Arc;

use anyhow::Result;
use shared::broker::Broker;
use shared::broker::local::LocalBroker;
use zerogate_tests::conformance::broker::Fixture;

/// All clients are one broker: there is one process.
#[expect(clippy::unnecessary_wraps, reason = "the suite asks for a result")]
fn fixture() -> Result<Fixture> {
    let broker: Arc<dyn Broker> = LocalBroker::new();
    Ok(Fixture::new(move |_| Ok(broker.clone()), ()))
}

zerogate_tests::broker_suite!(fixture());
