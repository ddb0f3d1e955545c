//! Bounded waiting for a condition. The only place of the harness that sleeps: between two looks, never instead of one.

use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};

/// How long one look is from the next: short against everything waited for, long enough to leave the cores alone.
pub const POLL: Duration = Duration::from_millis(25);

/// Long enough for anything that a healthy fleet does, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_mins(1);

/// A look at the world: the awaited value, or a word on why it is not there yet.
pub enum Look<T> {
    /// The condition holds.
    Done(T),
    /// It does not hold yet; the text ends up in the error when time runs out.
    NotYet(String),
}

impl<T> Look<T> {
    /// `Done` when there is a value, else `NotYet` with the reason.
    pub fn from_option(value: Option<T>, reason: impl Into<String>) -> Self {
        value.map_or_else(|| Self::NotYet(reason.into()), Self::Done)
    }
}

impl Look<()> {
    /// `Done` when the condition holds, else `NotYet` with the reason.
    pub fn when(holds: bool, reason: impl Into<String>) -> Self {
        Self::from_option(holds.then_some(()), reason)
    }
}

/// Looks until the condition holds; an error of a look counts as "not yet". Fails after `within` with the last reason.
pub fn until<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<Look<T>>,
) -> Result<T> {
    until_strict(what, within, || {
        Ok(look().unwrap_or_else(|error| Look::NotYet(format!("{error:#}"))))
    })
}

/// Like [`until`], but an error of a look ends the waiting at once.
pub fn until_strict<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<Look<T>>,
) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        let found = look().with_context(|| format!("while waiting for {what}"))?;
        let reason = match found {
            Look::Done(value) => return Ok(value),
            Look::NotYet(reason) => reason,
        };
        if Instant::now() >= end {
            return Err(Error::msg(reason).context(format!("waited {within:?} for {what}")));
        }
        pause(POLL);
    }
}

/// Checks that the condition never comes true during `throughout`: for what must *not* happen.
pub fn never(
    what: &str,
    throughout: Duration,
    mut look: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let end = Instant::now() + throughout;
    while Instant::now() < end {
        if look()? {
            bail!("happened although it must not: {what}");
        }
        pause(POLL);
    }
    Ok(())
}

/// Lets a fault last: the length of an outage is part of the scenario, not a wait for a condition.
pub fn outage(length: Duration) {
    pause(length);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the harness is synchronous: no executor thread is blocked, and this is its one sleep"
)]
fn pause(length: Duration) {
    std::thread::sleep(length);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reason_survives_the_deadline() {
        let mut looks = 0;
        let error = until::<()>("a miracle", Duration::from_millis(60), || {
            looks += 1;
            Ok(Look::NotYet(format!("look {looks}")))
        })
        .unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("a miracle") && text.contains("look"),
            "{text}"
        );
        assert!(looks >= 2);
    }

    #[test]
    fn a_strict_wait_ends_at_the_first_error() {
        let started = Instant::now();
        let error =
            until_strict::<()>("nothing", Duration::from_secs(30), || bail!("broken")).unwrap_err();
        assert!(format!("{error:#}").contains("broken"));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn never_notices_what_happens() {
        assert!(never("it", Duration::from_millis(40), || Ok(false)).is_ok());
        assert!(never("it", Duration::from_millis(40), || Ok(true)).is_err());
    }
}
