//! The scripts, one per verb, and how they are put together.
//!
//! A script is: its flags; the life of a task, written out from
//! [`TaskState::on`] so that the table exists once; the shared pieces it needs;
//! its own text. The version travels with the binary: a server is asked by the
//! script's digest, so two versions in a rolling upgrade do not meet; two that lay
//! out the records differently keep apart by `lua/held.lua`.
//!
//! Invariant: a script checks everything before it writes, because Lua has no
//! rollback. All but `submit` and `append` may run when memory is full, so
//! that accepted work can finish.

use std::{fmt::Write as _, sync::LazyLock};

use redis::{Cmd, Script, ToRedisArgs};

use crate::model::{TaskEvent, TaskId, TaskState, To};

const CORE: &str = include_str!("lua/core.lua");
const INDEX: &str = include_str!("lua/index.lua");
const LIFE: &str = include_str!("lua/life.lua");
const FILES: &str = include_str!("lua/files.lua");
const STANDING: &str = include_str!("lua/standing.lua");
const HELD: &str = include_str!("lua/held.lua");
const VIEW: &str = include_str!("lua/view.lua");

/// What a script may do.
#[derive(Clone, Copy)]
enum Kind {
    /// Adds work or history: refused when memory is full.
    Grows,
    /// Moves work: runs when memory is full.
    Moves,
    /// Only reads.
    Reads,
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $kind:ident [$($piece:expr),*] $file:literal;)*) => {
        $($(#[$doc])*
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| assemble(Kind::$kind, &[CORE, $($piece,)* include_str!($file)]));)*

        #[cfg(test)]
        const ALL: &[(&str, &LazyLock<Script>)] = &[$(($file, &$name)),*];
    };
}

scripts! {
    SUBMIT = Grows [INDEX, LIFE, FILES, HELD] "lua/submit.lua";
    TAKE_READY = Moves [INDEX, LIFE] "lua/take_ready.lua";
    PUBLISHED = Moves [INDEX] "lua/published.lua";
    REQUEUE = Moves [INDEX, LIFE] "lua/requeue.lua";
    CLAIM = Moves [INDEX, LIFE] "lua/claim.lua";
    RENEW = Moves [INDEX] "lua/renew.lua";
    FINISH = Moves [INDEX, LIFE, FILES] "lua/finish.lua";
    RELEASE = Moves [INDEX, LIFE] "lua/release.lua";
    SET_ASIDE = Moves [INDEX, LIFE] "lua/set_aside.lua";
    CANCEL = Moves [INDEX, LIFE] "lua/cancel.lua";
    RETRY = Moves [INDEX, LIFE] "lua/retry.lua";
    SWEEP = Moves [INDEX, LIFE, STANDING] "lua/sweep.lua";
    SET_MODE = Moves [INDEX] "lua/set_mode.lua";
    ORDER = Moves [INDEX, STANDING] "lua/order.lua";
    KEEP = Moves [] "lua/keep.lua";
    APPEND = Grows [] "lua/append.lua";
    RAISE = Moves [INDEX] "lua/raise.lua";
    FIRST_OF = Moves [] "lua/first_of.lua";
    HEARTBEAT = Moves [INDEX] "lua/heartbeat.lua";
    FAREWELL = Moves [INDEX, STANDING] "lua/farewell.lua";
    ANNOUNCE = Moves [INDEX] "lua/announce.lua";
    PUT_FILE = Moves [] "lua/put_file.lua";
    BLOB_MARK = Moves [] "lua/blob_mark.lua";
    CONTACT_KEY = Moves [] "lua/contact_key.lua";
    LAYOUT = Reads [HELD] "lua/layout.lua";
    MODE = Reads [] "lua/mode.lua";
    KEPT = Reads [] "lua/kept.lua";
    SERIES = Reads [] "lua/series.lua";
    ALERTS = Reads [] "lua/alerts.lua";
    ORDERS = Reads [] "lua/orders.lua";
    FLEET = Reads [] "lua/fleet.lua";
    TASK = Reads [VIEW] "lua/task.lua";
    TASKS = Reads [VIEW] "lua/tasks.lua";
    COUNTS = Reads [] "lua/counts.lua";
    TOTALS = Reads [] "lua/totals.lua";
    LOOK_FILES = Reads [] "lua/look_files.lua";
    KEYS_HELD = Reads [] "lua/keys_held.lua";
    PAYLOADS = Reads [] "lua/payloads.lua";
}

fn assemble(kind: Kind, pieces: &[&str]) -> Script {
    let mut text = String::from(match kind {
        Kind::Grows => "#!lua\n",
        Kind::Moves => "#!lua flags=allow-oom\n",
        Kind::Reads => "#!lua flags=no-writes\n",
    });
    text.push_str(&life_table());
    for piece in pieces {
        text.push_str(piece);
    }
    Script::new(&text)
}

/// [`TaskState::on`] as Lua constants: one string per event, one character per
/// state. Strings cost nothing to make at every call; a table would.
fn life_table() -> String {
    let states: String = TaskState::ALL.iter().map(|state| state.letter()).collect();
    let mut text = format!("local STATES = '{states}'\n");
    for event in TaskEvent::ALL {
        let row: String = TaskState::ALL
            .iter()
            .map(|state| match state.on(&event) {
                To::State(next) => next.letter(),
                To::Stale => '.',
                To::Illegal => '!',
            })
            .collect();
        writeln!(text, "local {event:?} = '{row}'").expect("a string never refuses text");
    }
    text
}

/// One call of a script: its arguments, ready to be sent.
pub(super) struct Ask {
    pub(super) script: &'static Script,
    pub(super) command: Cmd,
}

impl Ask {
    /// A call of `script` on the keys under `base`.
    pub(super) fn new(script: &'static Script, base: &str) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(1).arg(base);
        Self { script, command }
    }

    /// Appends a task's id as scripts know it: its bytes.
    pub(super) fn id(&mut self, id: TaskId) -> &mut Self {
        self.arg(id.as_bytes().as_slice())
    }

    /// Appends an argument (or several).
    pub(super) fn arg(&mut self, value: impl ToRedisArgs) -> &mut Self {
        self.command.arg(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_table_says_what_the_model_says() {
        let table = life_table();
        assert!(table.starts_with("local STATES = 'WSRTQXCFK'\n"));
        assert!(table.contains("local Claimed = '..XXX....'\n"));
        assert!(table.contains("local Lapsed = '!!!!!R!!!'\n"));
        assert_eq!(table.lines().count(), 1 + TaskEvent::ALL.len());
    }

    #[test]
    fn every_script_is_a_text_of_its_own() {
        let mut hashes: Vec<_> = ALL.iter().map(|(_, script)| script.get_hash()).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), ALL.len());
    }
}
