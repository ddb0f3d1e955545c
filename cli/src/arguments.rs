//! What a person can type.
//!
//! Invariant: no defaults of the roles here; they stand once, in
//! [`configuration`](crate::configuration).

pub(crate) mod resources;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::configuration::Settings;

const AFTER: &str = "\
Try it:      zerogate demo
One input:   zerogate run grant_timeline --example     the types: zerogate templates
At home:     zerogate dev           then  zerogate submit grant_timeline --input plan.json --wait
Production:  zerogate coordinator   and   zerogate worker   with ZEROGATE_AMQP_URL and ZEROGATE_REDIS_URL

Exit codes: 0 done, 1 a watched task failed or a replay decided otherwise, 2 wrong usage or configuration, 3 refused by the coordinator,
4 coordinator, broker or store unreachable, 75 a worker that wants to be restarted.";

/// A distributed worker fleet over a message broker: workers pull a task only when they have room for it.
#[derive(Debug, Parser)]
#[command(name = "zerogate", version, about, after_help = AFTER, max_term_width = 110)]
pub(crate) struct Program {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in this one process: no broker or database to install
    Dev(Settings),
    /// Run all five workflow types on shipped data, embedded; print what they found and write it as a page
    Demo(Demo),
    /// Run a coordinator on RabbitMQ and Redis: HTTP API, dispatch and upkeep
    Coordinator(Settings),
    /// Run a worker on RabbitMQ and Redis
    Worker(Settings),
    /// Run one workflow here, without a fleet, and print what it found
    Run(Run),
    /// List the workflow types: what each takes, its defaults and an example
    Templates(Templates),
    /// Decide a worker's decision log again: the same answers, or those of other thresholds
    Replay(resources::Replay),
    /// Watch workers, queues, features and alerts in the terminal
    Top(resources::Top),
    #[command(flatten)]
    Client(ClientCommand),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Stay up after the result, so that you can look around
    #[arg(long)]
    pub(crate) keep: bool,
    /// Where to write the page
    #[arg(long, value_name = "PATH", default_value = "zerogate-demo.html")]
    pub(crate) html: PathBuf,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// The commands that talk to a running coordinator.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Submit one task or many, from a file or standard input
    Submit(Submit),
    /// Show one task, or the whole system
    Status(Status),
    /// Follow tasks with progress bars until they end
    Watch(Watch),
    /// Cancel tasks
    Cancel(Cancel),
    /// Run failed or cancelled tasks again
    Retry(Retry),
    /// Show the queue in numbers
    Queue(Connection),
    /// Say why a task is not running now: the cause, and what each worker is short of
    Why(resources::Why),
    /// List the workers, show one or its history, drain one or let it resume
    Workers(resources::Workers),
    /// List the features, say why one is on or off, switch one by hand
    Features(resources::Features),
    /// Set the profile of the fleet or of one worker: thresholds, shares and pace
    Profile(resources::Profile),
    /// Show how many workers the work needs, and which resource says so
    Capacity(Connection),
    /// Show what holds the fleet back, and what to do about it
    Bottleneck(Connection),
    /// List the alerts, the newest first
    Alerts(resources::Alerts),
    /// Start nothing new; running work goes on, submissions are accepted
    Pause(Emergency),
    /// Start work again, after pause or stop
    Resume(Emergency),
    /// Start nothing new, refuse submissions, give running work back
    Stop(Emergency),
}

/// Where the coordinator is, and how to print what it says.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// The coordinator's address
    #[arg(
        long,
        env = "ZEROGATE_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL",
        global = true
    )]
    pub(crate) url: String,
    /// How to print the answer
    #[arg(long, short, value_enum, default_value_t = Output::Table, global = true)]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// For machines: the answer's JSON
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Submit {
    /// The workflow type; then --input holds its input. Without it, --input holds whole submissions:
    /// an object, an array, {"tasks": [...]}, or one a line
    pub(crate) workflow_type: Option<String>,
    #[command(flatten)]
    pub(crate) input: Given,
    /// critical, high, medium or low
    #[arg(long, requires = "workflow_type")]
    pub(crate) priority: Option<String>,
    /// A task that must finish first; may be repeated
    #[arg(long, value_name = "TASK", requires = "workflow_type")]
    pub(crate) depends_on: Vec<String>,
    /// A mark for lists and filters; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "workflow_type")]
    pub(crate) label: Vec<String>,
    /// A key under which repeating the request is harmless
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Take the good ones of many and report the rest, instead of all or nothing
    #[arg(long)]
    pub(crate) partial: bool,
    /// Only check; submit nothing
    #[arg(long, conflicts_with = "wait")]
    pub(crate) dry_run: bool,
    /// Follow the tasks until they end
    #[arg(long, short)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// The input of a workflow that is run or submitted: JSON, single members, files.
#[derive(Debug, Args)]
pub(crate) struct Given {
    /// The file to read; - is standard input [default: standard input, unless --file, --param or --example are given]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// A file for the input, at its usual place or at FIELD (such as workbook, or source.data); may be repeated
    #[arg(long, value_name = "[FIELD=]PATH", requires = "workflow_type")]
    pub(crate) file: Vec<String>,
    /// A member of the input, such as header=2 or source.kind=mbox; the value is JSON or a text; may be repeated
    #[arg(long, value_name = "FIELD=VALUE", requires = "workflow_type")]
    pub(crate) param: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The workflow type
    pub(crate) workflow_type: String,
    #[command(flatten)]
    pub(crate) input: Given,
    /// Run the type's own example
    #[arg(long, conflicts_with = "input")]
    pub(crate) example: bool,
    /// How to print the result
    #[arg(long, short, value_enum, default_value_t = Print::Summary)]
    pub(crate) output: Print,
    /// Where to write files that the run makes; without it they are only named
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Templates {
    /// Show this type; without it, list all
    pub(crate) workflow_type: Option<String>,
    /// Ask the coordinator at this address; without it, the types of this program
    #[arg(long, env = "ZEROGATE_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// How to print them
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Print {
    /// For people: a few sentences and a small table
    Summary,
    /// For machines: the whole result
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The task; without it, the system
    pub(crate) task: Option<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The tasks; without any, all of the queue until nothing is pending or running
    pub(crate) tasks: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// The tasks
    #[arg(required = true)]
    pub(crate) tasks: Vec<String>,
    /// Why, for the record
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    /// The tasks
    #[arg(required = true)]
    pub(crate) tasks: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Emergency {
    /// Why, for the record
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

impl ClientCommand {
    /// Where to go and how to print.
    pub(crate) fn connection(&self) -> &Connection {
        match self {
            Self::Submit(command) => &command.connection,
            Self::Status(command) => &command.connection,
            Self::Watch(command) => &command.connection,
            Self::Cancel(command) => &command.connection,
            Self::Retry(command) => &command.connection,
            Self::Why(command) => &command.connection,
            Self::Workers(command) => &command.connection,
            Self::Features(command) => &command.connection,
            Self::Profile(command) => &command.connection,
            Self::Alerts(command) => &command.connection,
            Self::Queue(connection) | Self::Capacity(connection) | Self::Bottleneck(connection) => {
                connection
            }
            Self::Pause(command) | Self::Resume(command) | Self::Stop(command) => {
                &command.connection
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Program::command().debug_assert();
    }
}
