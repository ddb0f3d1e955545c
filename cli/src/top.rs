//! `zerogate top`: workers, queues, features and alerts in the terminal.
//!
//! [`look`] asks the coordinator, on a thread of its own; [`view`] is what a
//! person has chosen to see; [`paint`] draws both. This file has the terminal.
//!
//! Invariant: the terminal is given back however this ends: by key, by signal,
//! by error or by panic. A coordinator that does not answer is shown, not fatal.
//!
//! Deliberately absent: any order without a question before it.

mod look;
mod paint;
mod view;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::TryRecvError,
    },
    time::Duration,
};

use anyhow::Context as _;
use ratatui::{
    DefaultTerminal, Terminal,
    backend::TestBackend,
    crossterm::event::{self, Event, KeyEventKind},
};

use crate::{
    arguments::{Output, resources::Top},
    client::{http::Api, table, usage},
    exit::{Failure, UNAVAILABLE},
    roles::signals,
};

use look::{News, Snapshot, Watcher};
use view::{Next, View};

/// How long one answer is waited for: a person would rather see that there is
/// none.
const PATIENCE: Duration = Duration::from_secs(5);
/// More often than this is a load test.
const MOST_OFTEN: Duration = Duration::from_millis(200);
/// How long keys are waited for before signals and answers are looked at: a
/// person does not notice it.
const BEAT: Duration = Duration::from_millis(50);
/// Columns of a printed look where there is no terminal to measure.
const COLUMNS: u16 = 120;

/// Runs the command.
pub(crate) fn run(command: &Top) -> anyhow::Result<ExitCode> {
    let api = Api::with_patience(&command.connection.url, PATIENCE)?;
    if command.once {
        return once(&api, command);
    }
    if command.connection.output == Output::Json {
        return Err(usage("-o json needs --once: a screen is for people").into());
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(usage("this is not a terminal; --once prints one look as plain text").into());
    }
    let ended = watch_signals()?;
    let every = command.every.max(MOST_OFTEN);
    let watcher = Watcher::start(api, &command.connection.url, every);
    // Also has panics give the terminal back before they speak.
    let mut terminal = ratatui::try_init().context("the terminal cannot be taken over")?;
    let outcome = screen(&mut terminal, &watcher, &ended);
    ratatui::restore();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Draws and listens until somebody or something ends it.
fn screen(
    terminal: &mut DefaultTerminal,
    watcher: &Watcher,
    ended: &AtomicBool,
) -> anyhow::Result<()> {
    let mut snapshot = Snapshot::default();
    let mut view = View::default();
    let mut stale = true;
    while !ended.load(Ordering::Relaxed) {
        stale |= hear(watcher, &mut snapshot, &mut view)?;
        if stale {
            terminal.draw(|frame| paint::all(frame, &snapshot, &view))?;
        }
        stale = event::poll(BEAT)?;
        if !stale {
            continue;
        }
        // Anything else, such as another size, is drawn anew and no more.
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        match view.on_key(key, &snapshot) {
            Next::Stay => {}
            Next::End => break,
            Next::Do(wish) => view.note = Some(watcher.ask(wish)),
        }
    }
    Ok(())
}

/// Takes what has come in; says whether anything has.
fn hear(watcher: &Watcher, snapshot: &mut Snapshot, view: &mut View) -> anyhow::Result<bool> {
    let mut heard = false;
    loop {
        match watcher.news() {
            Ok(News::Looked(latest)) => *snapshot = *latest,
            Ok(News::Done(sentence)) => view.note = Some(sentence),
            Err(TryRecvError::Empty) => return Ok(heard),
            Err(TryRecvError::Disconnected) => {
                anyhow::bail!("the part that asks the coordinator has ended; this is a bug")
            }
        }
        heard = true;
    }
}

/// Set by the first SIGTERM or SIGINT. (Ctrl-C is a key here: the terminal
/// does not turn it into a signal.)
fn watch_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let ended = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("signals cannot be watched")?;
    let flag = Arc::clone(&ended);
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            // Without the watch a signal would end the program as it always does.
            if runtime.block_on(signals::asked_to_end()).is_ok() {
                flag.store(true, Ordering::Relaxed);
            }
        })
        .context("signals cannot be watched")?;
    Ok(ended)
}

/// One look, printed.
fn once(api: &Api, command: &Top) -> anyhow::Result<ExitCode> {
    let mut snapshot = Snapshot::at(&command.connection.url);
    snapshot.look(api);
    match command.connection.output {
        Output::Json => table::line(&serde_json::to_string_pretty(&snapshot.document())?)?,
        Output::Table => table::line(&printed(&snapshot, width())?)?,
    }
    match snapshot.flaw() {
        None => Ok(ExitCode::SUCCESS),
        Some(flaw) => Err(Failure::new(UNAVAILABLE, flaw).into()),
    }
}

fn width() -> u16 {
    let measured = io::stdout()
        .is_terminal()
        .then(ratatui::crossterm::terminal::size);
    match measured {
        Some(Ok((columns, _))) if columns > 0 => columns,
        _ => COLUMNS,
    }
}

/// A look as plain text, as high as it needs to be.
fn printed(snapshot: &Snapshot, width: u16) -> anyhow::Result<String> {
    let view = View::unfocused();
    let height = paint::height(snapshot, width);
    let mut terminal = Terminal::new(TestBackend::new(width, height))?;
    terminal.draw(|frame| paint::all(frame, snapshot, &view))?;
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(usize::from(width)).map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned()
    });
    Ok(lines.collect::<Vec<_>>().join("\n").trim_end().to_owned())
}
