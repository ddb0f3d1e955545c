//! Makes the gate that the options choose.
//!
//! Invariant: the governor knows exactly the types of the registry, by name in
//! order.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use resources::{
    estimate::Declared,
    governor::{Kind, Setup},
};
use shared::{
    model::{Stamp, WorkerId},
    store::query::TypeInfo,
};

use crate::{
    gate::{Choice, DecisionLog, Error, FixedGate, Gate, ResourceGate},
    options::Options,
    registry::Registry,
};

/// What a task of class `light` takes, by its author's word: small enough to
/// start many at once, and corrected by the first few that end.
const LIGHT_BYTES: u64 = 8 << 20;
/// What a task of class `cpu` takes until it is learned.
const CPU_BYTES: u64 = 32 << 20;

/// The gate, and the same again if it asks the governor.
pub(super) fn gate(
    options: &Options,
    registry: &Registry,
    id: &WorkerId,
    now: Stamp,
) -> Result<(Arc<dyn Gate>, Option<ResourceGate>), Error> {
    let enforces = match &options.gate {
        Choice::Off => return Ok((Arc::new(FixedGate::new(options.concurrency)), None)),
        Choice::Own(gate) => return Ok((Arc::clone(gate), None)),
        Choice::Shadow => false,
        Choice::Enforce => true,
    };
    let setup = setup(options, registry, id);
    let log = options.decision_log.as_deref().map(|path| {
        DecisionLog::create(path, &setup, now.to_string())
            .map_err(|error| Error::Log(path.to_owned(), error))
    });
    let gate = ResourceGate::new(setup, enforces, log.transpose()?)?;
    Ok((Arc::new(gate.clone()), Some(gate)))
}

fn setup(options: &Options, registry: &Registry, id: &WorkerId) -> Setup {
    Setup {
        worker: id.to_string(),
        kinds: registry.types().iter().map(kind).collect(),
        profile: options.profile,
        concurrency: options.concurrency.max(1),
        seed: seed(id),
        retention: options.history,
    }
}

fn kind(info: &TypeInfo) -> Kind {
    let declared = match info.resource_class.as_str() {
        "light" => Declared {
            bytes: Some(LIGHT_BYTES),
            cores: None,
        },
        "cpu" => Declared {
            bytes: Some(CPU_BYTES),
            cores: Some(1.0),
        },
        _ => Declared::default(),
    };
    Kind {
        name: info.name.to_string(),
        category: info.feature_category.parse().unwrap_or_default(),
        declared,
    }
}

fn seed(id: &WorkerId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.as_str().hash(&mut hasher);
    hasher.finish()
}
