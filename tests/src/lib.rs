//! The harness: private RabbitMQ and Redis nodes, the real `zerogate` processes, faults and the oracle.
//!
//! Reading order: [`settings`] (the only place that looks at the environment), [`wait`] (bounded waiting, the only
//! place that sleeps), [`ports`], [`nursery`] and [`process`] (children that cannot outlive the test), [`rabbit`],
//! [`amqp`] and [`redis`] (the nodes), [`broker`] (who owns which virtual host), [`api`] (HTTP), [`fleet`] (all of it
//! together), [`command`] (the program as a person types it), [`workload`] and [`foreign`] (what it works on), [`oracle`] (what must hold for every submitted task) and [`scenario`] (one scenario, both deployments).
//!
//! The harness knows the program by its contract alone: command line, HTTP, signals, log lines, queue names. It never
//! calls into `shared`, `coordinator` or `worker`, so a test cannot agree with a bug.

pub mod settings;

pub mod wait;

pub mod ports;

pub mod nursery;

pub mod process;

pub mod rabbit;

pub mod amqp;

pub mod redis;

pub mod broker;

pub mod api;

pub mod fleet;

pub mod command;

pub mod foreign;

pub mod workload;

pub mod oracle;

pub mod scenario;

pub mod conformance;
