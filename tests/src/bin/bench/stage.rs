//! What one run of the bench stands on: the options, the nodes, the installed peers, the logs and the figures so far.
//!
//! Invariant: opening a stage finds every missing part (program, peers, nodes) before anything is measured.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::board::Board;
use crate::machine::Machine;
use crate::nodes::Nodes;
use crate::options::Options;
use crate::ours::{self, Fleet};
use crate::peers::{Peer, Running, Toolbox};
use crate::report;
use crate::system::System;

/// The parts of one run; dropped, the nodes and all logs are gone.
pub(crate) struct Stage {
    /// What is asked.
    pub(crate) options: Options,
    /// The machine, as it was before the first measurement.
    pub(crate) machine: Machine,
    /// The private RabbitMQ and Redis.
    pub(crate) nodes: Nodes,
    /// The figures so far.
    pub(crate) board: Board,
    /// The installed peers.
    pub(crate) toolbox: Toolbox,
    dir: TempDir,
}

impl Stage {
    /// Checks for our program, installs the peers that are needed, starts the nodes.
    pub(crate) fn open(options: Options) -> Result<Self> {
        let machine = Machine::here()?;
        if options.needs(System::is_ours) {
            ours::program(&options)?;
        }
        let peers_dir = match &options.peers_dir {
            Some(dir) => std::path::absolute(dir)?,
            None => ours::build_output()?.join("bench-peers"),
        };
        let toolbox = Toolbox::at(peers_dir);
        for peer in Peer::ALL {
            if options.needs(|system| Peer::of(system) == Some(peer)) {
                report::note(&format!("preparing {peer:?}"));
                toolbox.install(peer).with_context(|| format!("{peer:?}"))?;
            }
        }
        let dir = tempfile::tempdir()?;
        let nodes = Nodes::start()?;
        Ok(Self {
            options,
            machine,
            nodes,
            board: Board::default(),
            toolbox,
            dir,
        })
    }

    /// Zero Gate in one of its variants, on whatever the nodes hold.
    pub(crate) fn fleet(&self, system: System) -> Result<Fleet> {
        Fleet::start(system, &self.options, &self.nodes, self.logs())
            .with_context(|| format!("start {}", system.name()))
    }

    /// A peer's worker.
    pub(crate) fn peer(&self, system: System) -> Result<Running> {
        self.toolbox
            .start(system, &self.nodes, self.logs())
            .with_context(|| format!("start {}", system.name()))
    }

    fn logs(&self) -> &Path {
        self.dir.path()
    }
}
