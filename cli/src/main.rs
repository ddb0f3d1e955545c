//! The program `zerogate`: the one composition root.
//!
//! Read in this order. [`arguments`] is what a person can type;
//! [`configuration`] joins flags, environment and file; [`roles`] builds the
//! long-running ones out of store, broker, coordinator and worker; [`client`]
//! holds the commands that talk to a running coordinator; [`demo`] is both in
//! one process.
//!
//! Deliberately absent: any decision about tasks. This crate connects and
//! prints.

mod arguments;
mod configuration;

mod roles;

mod client;
mod demo;
mod exit;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Command, Program};

fn main() -> ExitCode {
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
        Command::Client(command) => client::run(&command),
    }
}
