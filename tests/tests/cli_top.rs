//! `zerogate top` at a terminal: a pseudo-terminal of the kernel, as any terminal program gives it one.
//!
//! The screen is written cell by cell where it changes, so the tests look for texts after a resize, which draws all.

use std::fs::File;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use zerogate_tests::fleet::{Fleet, Options};
use zerogate_tests::wait::{self, Look};
use zerogate_tests::{nursery, ports, settings};

const SOON: Duration = Duration::from_secs(30);
/// Leaves the alternate screen: the terminal shows again what stood there before.
const LEFT: &str = "\u{1b}[?1049l";

/// The program at its terminal.
struct Screen {
    child: Child,
    keys: File,
    /// The program's side of the terminal, to see its modes.
    inner: OwnedFd,
    before: Termios,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Screen {
    fn open(url: &str) -> Result<Self> {
        let outer = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&outer)?;
        unlockpt(&outer)?;
        let name = ptsname(&outer, Vec::new())?;
        let inner = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
        tcsetwinsize(&outer, size(40, 130))?;
        let before = tcgetattr(&inner)?;
        // A session of its own: else the terminal of whoever runs the tests would be measured.
        let mut command = nursery::command("setsid");
        command.arg("--ctty").arg(settings::program()?);
        command.args(["top", "--every", "300ms", "--url", url]);
        command
            .env_clear()
            .env("PATH", settings::search_path())
            .env("TERM", "xterm");
        command
            .stdin(inner.try_clone()?)
            .stdout(inner.try_clone()?)
            .stderr(inner.try_clone()?);
        let child = nursery::spawn(command)?;
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, kept) = (File::from(outer.try_clone()?), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                kept.lock()
                    .expect("nobody panics while holding it")
                    .extend_from_slice(&piece[..length]);
            }
        });
        Ok(Self {
            child,
            keys: File::from(outer),
            inner,
            before,
            shown,
        })
    }

    fn text(&self, from: usize) -> String {
        let shown = self.shown.lock().expect("nobody panics while holding it");
        String::from_utf8_lossy(&shown[from.min(shown.len())..]).into_owned()
    }

    fn length(&self) -> usize {
        self.shown
            .lock()
            .expect("nobody panics while holding it")
            .len()
    }

    /// Waits until this was written after that place.
    fn shows(&self, text: &str, from: usize) -> Result<()> {
        wait::until(&format!("`{text}` on the screen"), SOON, || {
            let shown = self.text(from);
            Ok(Look::when(shown.contains(text), shown))
        })
    }

    /// Another size; the place from which everything is drawn anew.
    fn resize(&self, rows: u16, columns: u16) -> Result<usize> {
        let from = self.length();
        tcsetwinsize(&self.keys, size(rows, columns))?;
        Ok(from)
    }

    fn press(&mut self, keys: &str) -> Result<()> {
        self.keys.write_all(keys.as_bytes()).context("press a key")
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).context("send a signal")
    }

    /// Waits for the end, which must leave the terminal as it was.
    fn ends_well(mut self) -> Result<()> {
        let status = wait::until("the program to end", SOON, || {
            let status = self.child.try_wait()?;
            Ok(Look::from_option(status, self.text(0)))
        })?;
        ensure!(status.success(), "{status}: {}", self.text(0));
        self.shows(LEFT, 0)?;
        let after = tcgetattr(&self.inner)?;
        ensure!(after.local_modes == self.before.local_modes, "{after:?}");
        ensure!(after.input_modes == self.before.input_modes, "{after:?}");
        ensure!(after.output_modes == self.before.output_modes, "{after:?}");
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Ended already, unless the test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

#[test]
fn nobody_there_is_shown_through_every_size_and_a_signal_ends_it() -> Result<()> {
    let screen = Screen::open(&format!("http://127.0.0.1:{}", ports::free()?))?;
    screen.shows("no answer from", 0)?;
    let modes = tcgetattr(&screen.inner)?;
    ensure!(modes.local_modes != screen.before.local_modes, "{modes:?}");
    for (rows, columns) in [(1, 1), (3, 9), (12, 50)] {
        let from = screen.resize(rows, columns)?;
        wait::until("another picture", SOON, || {
            Ok(Look::when(screen.length() > from, "nothing drawn"))
        })?;
    }
    let from = screen.resize(40, 150)?;
    screen.shows("no answer from", from)?;
    screen.signal(Signal::TERM)?;
    screen.ends_well()
}

#[test]
fn a_fleet_is_shown_and_paused_after_a_question() -> Result<()> {
    Fleet::run(Options::embedded(), |fleet| {
        let api = fleet.api();
        let id = wait::until("a worker", SOON, || {
            let workers = api.workers()?;
            let id = workers.first().and_then(|it| it["worker_id"].as_str());
            Ok(Look::from_option(id.map(ToOwned::to_owned), "none yet"))
        })?;
        let mut screen = Screen::open(api.url())?;
        screen.shows("advanced_analytics", 0)?;
        let from = screen.resize(45, 140)?;
        screen.shows(&id, from)?;
        let mode = || -> Result<String> {
            let system = api.get("/api/workflows/status")?.expect(200)?;
            Ok(system.body["mode"].as_str().unwrap_or_default().to_owned())
        };
        let from = screen.length();
        screen.press("p")?;
        screen.shows("(y/n)", from)?;
        ensure!(mode()? == "running", "paused before the answer");
        screen.press("y")?;
        wait::until("the fleet to be paused", SOON, || {
            Ok(Look::when(mode()? == "paused", "it is not"))
        })?;
        screen.shows("paused", from)?;
        screen.press("q")?;
        screen.ends_well()
    })
}
