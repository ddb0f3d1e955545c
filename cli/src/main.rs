//! The program `zerogate`: the one composition root.
//!
//! Read in this order. [`arguments`] is what a person can type;
//! [`configuration`] joins flags, environment and file; [`roles`] builds the
//! long-running ones out of store, broker, coordinator and worker; [`client`]
//! holds the commands that talk to a running coordinator; [`local`] runs one
//! input without any of them; [`templates`] says what inputs look like; [`replay`] decides a worker's log again;
//! [`top`] watches a fleet in the terminal; [`demo`] is roles and client in one process.
//!
//! Deliberately absent: any decision about tasks. This crate connects and
//! prints.

mod arguments;
mod configuration;

mod roles;

mod input;

mod client;
mod local;
mod replay;
mod templates;
mod top;

mod demo;
mod exit;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Command, Program};

/// So that the gate learns what runs in this process need.
#[global_allocator]
static ALLOCATOR: worker::account::Counting = worker::account::Counting;

fn main() -> ExitCode {
    // `zerogate zerogate-isolated`, hidden: a child process of a worker, for runs that parse foreign bytes.
    worker::isolation::serve_if_asked();
    let program = Program::parse();
    match run(program) {
        Ok(code) => code,
        Err(error) => exit::report(&error),
    }
}

fn run(program: Program) -> anyhow::Result<ExitCode> {
    match program.command {
        Command::Dev(settings) => roles::dev::run(&settings.resolve()?),
        Command::Demo(demo) => demo::run(demo),
        Command::Coordinator(settings) => roles::coordinator::run(&settings.resolve()?),
        Command::Worker(settings) => roles::worker::run(&settings.resolve()?),
        Command::Run(run) => local::run(&run),
        Command::Templates(command) => templates::run(&command),
        Command::Replay(command) => replay::run(&command),
        Command::Top(command) => top::run(&command),
        Command::Client(command) => client::run(&command),
    }
}
