//! Where the time goes: processor time a task of each part (coordinator, worker, RabbitMQ, Redis, our own client).
//!
//! Invariant: differences of two looks around a measured run, so start-up and warm-up do not count. Deliberately
//! absent: a breakdown inside a process; that is a profiler's work, and this says where to point it.

use anyhow::Result;

use crate::nodes::Nodes;
use crate::ours::Fleet;
use crate::process;

/// Processor seconds of each part so far.
pub(crate) struct Look {
    parts: Vec<(&'static str, f64)>,
}

impl Look {
    /// Looks at all parts of a fleet on the nodes.
    pub(crate) fn at(fleet: &Fleet, nodes: &Nodes) -> Result<Self> {
        let (rabbit, redis) = nodes.cpu_seconds()?;
        let (coordinator, worker) = fleet.cpu_seconds()?;
        let mut parts = vec![("cpu_us_per_task_coordinator", coordinator)];
        if let Some(worker) = worker {
            parts.extend([
                ("cpu_us_per_task_worker", worker),
                ("cpu_us_per_task_rabbitmq", rabbit),
                ("cpu_us_per_task_redis", redis),
            ]);
        }
        parts.push(("cpu_us_per_task_client", process::own_cpu_seconds()?));
        Ok(Self { parts })
    }

    /// Microseconds a task of each part between an earlier look and this one.
    pub(crate) fn since(&self, earlier: &Self, tasks: f64) -> Vec<(&'static str, f64)> {
        let pairs = self.parts.iter().zip(&earlier.parts);
        pairs
            .map(|((part, now), (_, then))| (*part, (now - then) / tasks * 1e6))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_difference_counts() {
        let look = |seconds| Look {
            parts: vec![("part", seconds)],
        };
        let cost = look(3.0).since(&look(1.0), 1_000.0);
        assert_eq!(cost.len(), 1);
        assert!((cost[0].1 - 2_000.0).abs() < 1e-9);
    }
}
