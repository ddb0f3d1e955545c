//! Notes and rows of figures: what the fleet learned.

use std::time::Duration;

use shared::{
    model::{Json, Stamp},
    store::{
        Error,
        verbs::{Note, SeriesQuery, SeriesRow},
    },
};

use super::{
    Backend,
    lab::{LONG, Lab, NONE, now},
};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

async fn keep(lab: &Lab, name: &str, text: &str, lasts: Duration) {
    let note = Note {
        name: name.into(),
        text: text.into(),
        lasts,
    };
    lab.store.keep(note).await.expect("keep");
}

async fn kept(lab: &Lab, names: &[&str]) -> Vec<Option<String>> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    lab.store.kept(&names).await.expect("kept")
}

/// The last text under a name is found by it until its time is over.
pub async fn a_note_is_kept_until_its_time_is_over(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    keep(&lab, "a", "one", LONG).await;
    keep(&lab, "b:ü |", "{\"x\":\n1}", Duration::MAX).await;
    keep(&lab, "a", "two", LONG).await;
    keep(&lab, "empty", "", LONG).await;
    let found = kept(&lab, &["b:ü |", "a", "none", "a", "empty"]).await;
    let found: Vec<_> = found.iter().map(Option::as_deref).collect();
    let expected = [
        Some("{\"x\":\n1}"),
        Some("two"),
        None,
        Some("two"),
        Some(""),
    ];
    assert_eq!(found, expected);
    assert_eq!(kept(&lab, &[]).await, []);
    keep(&lab, "a", "three", NONE).await;
    assert_eq!(kept(&lab, &["a"]).await, [None], "over at once");
    keep(&lab, "a", "four", Duration::from_millis(50)).await;
    lab.sweep_until("the note to be over", async |lab| {
        kept(lab, &["a"]).await == [None]
    })
    .await;
}

/// What is too long is refused, and what was kept before stays.
pub async fn notes_and_figures_have_bounds(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let largest = "x".repeat(Note::LONGEST);
    keep(&lab, "a", &largest, LONG).await;
    for (name, text) in [
        ("a", "x".repeat(Note::LONGEST + 1)),
        ("", String::new()),
        (&"n".repeat(257), String::new()),
    ] {
        let note = Note {
            name: name.into(),
            text,
            lasts: LONG,
        };
        let refused = lab.store.keep(note).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    assert_eq!(kept(&lab, &["a"]).await, [Some(largest)]);

    let good = row("fleet", now(), &"x".repeat(SeriesRow::LONGEST));
    append(&lab, vec![good.clone()]).await;
    for bad in [
        row("fleet", now(), &"x".repeat(SeriesRow::LONGEST + 1)),
        row("", now(), "{}"),
    ] {
        let both = vec![row("fleet", good.at.after(MINUTE), "{}"), bad];
        let refused = lab.store.append(both).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    assert_eq!(all(&lab, "fleet").await, [good], "all or nothing");
}

fn row(scope: &str, at: Stamp, figures: &str) -> SeriesRow {
    SeriesRow {
        scope: scope.into(),
        at,
        figures: Json::from_text(figures.into()),
    }
}

fn ago(wait: Duration) -> Stamp {
    let wait = i64::try_from(wait.as_micros()).expect("not long");
    Stamp::from_micros(now().micros() - wait)
}

async fn append(lab: &Lab, rows: Vec<SeriesRow>) {
    lab.store.append(rows).await.expect("append");
}

async fn between(lab: &Lab, scope: &str, (from, to): (Stamp, Stamp), limit: u32) -> Vec<SeriesRow> {
    let query = SeriesQuery {
        scope: scope.into(),
        from,
        to,
        limit,
    };
    lab.store.series(query).await.expect("series")
}

async fn all(lab: &Lab, scope: &str) -> Vec<SeriesRow> {
    between(lab, scope, (Stamp::default(), Stamp::MAX), 1000).await
}

/// Rows come back in order of time, each minute once, and only those that were asked for.
pub async fn rows_stand_in_order_of_time(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let start = ago(LONG);
    let minute = |n: u32| start.after(MINUTE * n);
    let rows: Vec<_> = (0..5)
        .map(|n| row("fleet", minute(n), &format!("{{\"n|\":{n}}}")))
        .collect();
    let mut mixed = rows.clone();
    mixed.swap(0, 3);
    mixed.push(row("host:a", minute(1), "1"));
    append(&lab, mixed).await;
    assert_eq!(all(&lab, "fleet").await, rows);
    assert_eq!(all(&lab, "host:a").await.len(), 1);
    assert_eq!(all(&lab, "host:b").await, []);

    // The same row again, another one of the same minute, and two with the same text.
    append(&lab, vec![rows[1].clone(), row("fleet", minute(2), "{}")]).await;
    append(&lab, vec![row("fleet", minute(4), "{}")]).await;
    let found = all(&lab, "fleet").await;
    let texts: Vec<_> = found.iter().map(|row| row.figures.as_str()).collect();
    assert_eq!(
        texts,
        ["{\"n|\":0}", "{\"n|\":1}", "{}", "{\"n|\":3}", "{}"]
    );

    let ends = (minute(1), minute(3));
    assert_eq!(between(&lab, "fleet", ends, 1000).await, found[1..=3]);
    assert_eq!(between(&lab, "fleet", ends, 2).await, found[1..=2]);
    assert_eq!(between(&lab, "fleet", (minute(3), minute(1)), 9).await, []);
    append(&lab, Vec::new()).await;
}

/// Rows are kept for eight days, all rows of a worker for one day after its last; what lies far ahead is passed over.
pub async fn rows_end_with_their_time(backend: &dyn Backend) {
    let lab = Lab::new(backend).await;
    let young = row("fleet", ago(SeriesRow::KEPT).after(LONG), "1");
    let old = row("fleet", ago(SeriesRow::KEPT + MINUTE), "2");
    let ahead = row("fleet", now().after(SeriesRow::AHEAD + LONG), "3");
    append(&lab, vec![old, ahead, young.clone()]).await;
    assert_eq!(all(&lab, "fleet").await, [young]);

    let silent = row("worker:w1", ago(DAY + MINUTE), "1");
    append(&lab, vec![silent.clone()]).await;
    assert_eq!(all(&lab, "worker:w1").await, []);
    let host = row("host:w1", silent.at, "1");
    append(&lab, vec![host.clone()]).await;
    assert_eq!(all(&lab, "host:w1").await, [host]);

    let before = row("worker:w2", ago(DAY * 2), "1");
    let last = row("worker:w2", ago(DAY).after(LONG), "2");
    append(&lab, vec![before.clone(), last.clone()]).await;
    assert_eq!(all(&lab, "worker:w2").await, [before, last]);

    // So short a time that rows end while the test runs: the last row of a worker that is silent for a day, and the
    // oldest of a host.
    let ending = row("worker:w3", ago(DAY).after(Duration::from_millis(400)), "1");
    let oldest = ago(SeriesRow::KEPT).after(Duration::from_millis(400));
    let (oldest, latest) = (row("host:w3", oldest, "1"), row("host:w3", now(), "2"));
    append(&lab, vec![ending, oldest, latest.clone()]).await;
    lab.sweep_until("the rows to end", async |lab| {
        all(lab, "worker:w3").await.is_empty()
    })
    .await;
    lab.sweep_until("the oldest row to end", async |lab| {
        all(lab, "host:w3").await == std::slice::from_ref(&latest)
    })
    .await;
}
