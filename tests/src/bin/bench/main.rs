//! The benchmark (BENCH.md): Zero Gate and its peers on one RabbitMQ and one Redis, interleaved, medians.
//!
//! Reading order: [`options`] what is asked; [`stage`] the nodes, the peers and the collected figures of one run;
//! [`throughput`], [`latency`], [`dag`] the measurements; [`goals`] and [`report`] what they mean. [`gate`] is an
//! experiment of its own: gates against no gate, on real memory limits.
//! Invariant: only ratios within one run are judged, and a missed goal is printed, never an error.
//! Deliberately absent: stored baselines of earlier runs, because absolute figures drift from machine to machine.

mod options;

mod process;

mod nodes;

mod peers;

mod system;

mod stage;

mod http;

mod ours;

mod load;

mod throughput;

mod profile;

mod backlog;

mod slots;

mod latency;

mod api_load;

mod dag;

mod lapin_loop;

mod prototype;

mod board;

mod machine;

mod goals;

mod report;

mod gate;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use options::{Measure, Options, Own, Program};
use stage::Stage;
use system::System;

/// The experiment's workers are this program: what their runs take is counted as in the product.
#[global_allocator]
static ALLOCATOR: worker::account::Counting = worker::account::Counting;

fn main() -> ExitCode {
    let Program { own, options } = Program::parse();
    let done = match own {
        None => run(options).map(|()| ExitCode::SUCCESS),
        Some(Own::Gate(asked)) => gate::run(&asked).map(|()| ExitCode::SUCCESS),
        Some(Own::GateWorker(arguments)) => gate::member::run(arguments),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            report::note(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
    process::end_groups_on_signal();
    let mut stage = Stage::open(options)?;
    for measure in stage.options.measures() {
        interleave(&mut stage, measure)?;
        once(&mut stage, measure)?;
    }
    let report = report::Report::of(&stage)?;
    report.print()?;
    stage
        .options
        .json
        .as_deref()
        .map_or(Ok(()), |path| report.write(path))
}

/// Every system once a round, the order turned round each time, so that a drift of the machine hits all alike.
fn interleave(stage: &mut Stage, measure: Measure) -> Result<()> {
    for round in 0..stage.options.runs {
        let mut systems = stage.options.systems(measure);
        if round % 2 == 1 {
            systems.reverse();
        }
        for system in systems {
            report::note(&format!(
                "{measure:?} {}/{}: {}",
                round + 1,
                stage.options.runs,
                system.name()
            ));
            one(stage, measure, system)?;
        }
    }
    Ok(())
}

fn one(stage: &mut Stage, measure: Measure, system: System) -> Result<()> {
    stage.nodes.wipe()?;
    match measure {
        Measure::Throughput => throughput::measure(stage, system),
        Measure::Latency => latency::measure(stage, system),
        Measure::Dag => dag::measure(stage, system),
    }
}

/// What compares ours with itself needs no peer beside it and no interleaving.
fn once(stage: &mut Stage, measure: Measure) -> Result<()> {
    if !stage.options.systems(measure).contains(&System::Ours) {
        return Ok(());
    }
    match measure {
        Measure::Throughput => {
            backlog::measure(stage)?;
            slots::measure(stage)
        }
        Measure::Latency => api_load::measure(stage),
        Measure::Dag => Ok(()),
    }
}
