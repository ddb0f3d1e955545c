//! The systems under comparison: their names, what each can be measured for, how much work it gets and how durable it is.
//!
//! Invariant: everything that makes a comparison fair or unfair stands here or in the peers' own settings files.

use clap::ValueEnum;
use serde::Serialize;

use crate::options::Measure;

/// One row of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// Coordinator and worker processes on RabbitMQ and Redis, classic queues, bundles on.
    Ours,
    /// The same with one ticket a slip.
    OursSingle,
    /// The same as `ours` on quorum queues.
    OursQuorum,
    /// `zerogate dev`: one process, SQLite with synchronous=FULL.
    OursEmbedded,
    /// Celery, classic queue, prefork 2, acknowledged late, results in Redis.
    Celery,
    /// The same on a quorum queue with publisher confirms.
    CeleryQuorum,
    /// Dramatiq, results in Redis.
    Dramatiq,
    /// BullMQ on Redis alone.
    Bullmq,
    /// Not a task system: publish, confirm, consume, acknowledge, one message a task.
    Lapin,
    /// Not a task system: the bare loop of our design (store scripts and broker), one ticket a slip, 16 at once.
    Prototype,
}

impl System {
    /// The name in the report and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursSingle => "ours-single",
            Self::OursQuorum => "ours-quorum",
            Self::OursEmbedded => "ours-embedded",
            Self::Celery => "celery",
            Self::CeleryQuorum => "celery-quorum",
            Self::Dramatiq => "dramatiq",
            Self::Bullmq => "bullmq",
            Self::Lapin => "lapin",
            Self::Prototype => "prototype",
        }
    }

    /// What an accepted and a finished task survives, and with which settings.
    pub(crate) fn settings(self) -> &'static str {
        match self {
            Self::Ours => {
                "classic queues, confirms, mandatory; Redis AOF; bundles on; HTTP submission"
            }
            Self::OursSingle => {
                "classic queues, confirms, mandatory; Redis AOF; one ticket a slip; HTTP submission"
            }
            Self::OursQuorum => {
                "quorum queues, confirms, mandatory; Redis AOF; bundles on; HTTP submission"
            }
            Self::OursEmbedded => "SQLite WAL, synchronous=FULL, group commit; HTTP submission",
            Self::Celery => {
                "classic durable queue, persistent, no confirms, acks late, prefork 2, prefetch 32 a process, results in Redis AOF"
            }
            Self::CeleryQuorum => {
                "quorum queue, confirms, acks late, prefork 2, prefetch 32 a process, results in Redis AOF"
            }
            Self::Dramatiq => {
                "classic durable queue, persistent, no confirms, 2 processes x 2 threads, results in Redis AOF"
            }
            Self::Bullmq => "Redis AOF, no broker, 1 process, concurrency 100, addBulk, jobs kept",
            Self::Lapin => {
                "classic durable queue, persistent, confirms, acks; no store, no results"
            }
            Self::Prototype => {
                "classic durable queue, persistent, confirms; Redis AOF scripts; no HTTP"
            }
        }
    }

    /// Whether this measurement exists for this system.
    pub(crate) fn takes(self, measure: Measure) -> bool {
        match measure {
            Measure::Throughput => true,
            Measure::Latency => matches!(
                self,
                Self::Ours | Self::OursEmbedded | Self::Celery | Self::Dramatiq | Self::Bullmq
            ),
            Measure::Dag => matches!(
                self,
                Self::Ours | Self::OursEmbedded | Self::Celery | Self::Bullmq
            ),
        }
    }

    /// The tasks of a throughput run: a share of ours, so that every run takes a few seconds.
    pub(crate) fn tasks(self, of_ours: u32) -> u32 {
        match self {
            Self::Ours | Self::OursQuorum | Self::Lapin => of_ours,
            Self::Bullmq => of_ours / 4 * 3,
            Self::OursSingle | Self::OursEmbedded | Self::Prototype => of_ours / 2,
            Self::Dramatiq => of_ours / 5,
            Self::Celery => of_ours / 10,
            Self::CeleryQuorum => of_ours / 20,
        }
    }

    /// One of the four ways to run ours.
    pub(crate) fn is_ours(self) -> bool {
        matches!(
            self,
            Self::Ours | Self::OursSingle | Self::OursQuorum | Self::OursEmbedded
        )
    }
}
