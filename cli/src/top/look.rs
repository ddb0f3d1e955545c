//! What the coordinator answers, part by part, and the thread that asks.
//!
//! Invariant: a part that does not answer keeps what it said last, and says
//! since when; the others go on.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    time::Duration,
};

use serde_json::{Value, json};
use shared::{
    clock::{Clock, SystemClock},
    model::Stamp,
};

use crate::{
    client::http::{self, Api},
    exit::Failure,
};

/// Orders that wait while a look is under way: nobody types faster.
const ORDERS: usize = 4;
/// Looks and sentences that wait for the screen; one that does not keep up
/// needs no more of them.
const NEWS: usize = 2;
/// The reason that orders from here carry.
const REASON: &str = "asked from zerogate top";

/// One part of the picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// The latest answer; null before the first.
    pub(super) answer: Value,
    /// When that was.
    pub(super) at: Option<Stamp>,
    /// Why there is no newer one.
    pub(super) error: Option<String>,
}

impl Part {
    pub(super) fn take(&mut self, answer: Result<Value, Failure>, at: Stamp) {
        match answer {
            Ok(answer) => {
                *self = Self {
                    answer,
                    at: Some(at),
                    error: None,
                }
            }
            Err(failure) => self.error = Some(failure.message),
        }
    }

    /// A list of the answer.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        self.answer[name].as_array().map_or(&[], Vec::as_slice)
    }
}

/// The whole picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) url: String,
    pub(super) at: Option<Stamp>,
    pub(super) system: Part,
    pub(super) queue: Part,
    pub(super) workers: Part,
    pub(super) features: Part,
    pub(super) alerts: Part,
}

impl Snapshot {
    /// Nothing yet, from this address.
    pub(super) fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }

    /// Asks for every part.
    pub(super) fn look(&mut self, api: &Api) {
        let now = SystemClock.now();
        self.at = Some(now);
        self.system.take(api.get("/api/workflows/status"), now);
        let others = [
            (&mut self.queue, "/api/workflows/queue"),
            (&mut self.workers, "/api/workers"),
            (&mut self.features, "/api/features"),
            (&mut self.alerts, "/api/alerts?state=firing&limit=1000"),
        ];
        for (part, path) in others {
            // The system's status is answered even without store and broker:
            // where it is not, waiting for the others only freezes the picture.
            match &self.system.error {
                None => part.take(api.get(path), now),
                Some(error) => part.error = Some(error.clone()),
            }
        }
    }

    /// The first part that did not answer, in words.
    pub(super) fn flaw(&self) -> Option<String> {
        self.parts()
            .into_iter()
            .find_map(|(name, part)| Some(format!("{name}: {}", part.error.as_ref()?)))
    }

    /// All answers, for machines.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({"at": self.at, "errors": {}});
        for (name, part) in self.parts() {
            document[name] = part.answer.clone();
            if let Some(error) = &part.error {
                document["errors"][name] = error.as_str().into();
            }
        }
        document
    }

    fn parts(&self) -> [(&'static str, &Part); 5] {
        [
            ("system", &self.system),
            ("queue", &self.queue),
            ("workers", &self.workers),
            ("features", &self.features),
            ("alerts", &self.alerts),
        ]
    }
}

/// What somebody at the screen may order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Pause,
    Resume,
    Drain(String),
    Undrain(String),
}

impl Wish {
    /// The question before it is done.
    pub(super) fn question(&self) -> String {
        match self {
            Self::Pause => "pause the fleet, so that nothing new starts?".into(),
            Self::Resume => "resume the fleet?".into(),
            Self::Drain(id) => format!("drain {id}, so that it takes nothing new?"),
            Self::Undrain(id) => format!("let {id} take work again?"),
        }
    }

    /// Does it; the sentence says what came of it.
    fn perform(&self, api: &Api) -> String {
        let worker = |id: &str, action: &str| {
            http::worker(id).map(|id| format!("/api/workers/{id}/{action}"))
        };
        let path = match self {
            Self::Pause => Ok("/api/workflows/emergency/pause".to_owned()),
            Self::Resume => Ok("/api/workflows/emergency/resume".to_owned()),
            Self::Drain(id) => worker(id, "drain"),
            Self::Undrain(id) => worker(id, "resume"),
        };
        let answer = path.and_then(|path| api.post(&path, &json!({"reason": REASON})));
        match answer {
            Ok(answer) => self.said(&answer),
            Err(failure) => format!("not done: {failure}"),
        }
    }

    fn said(&self, answer: &Value) -> String {
        match self {
            Self::Pause | Self::Resume => crate::client::table::mode(answer),
            Self::Drain(_) | Self::Undrain(_) => crate::client::table::workers::order(answer),
        }
    }
}

/// What the thread tells.
#[derive(Debug)]
pub(super) enum News {
    Looked(Box<Snapshot>),
    Done(String),
}

/// The thread that asks.
#[derive(Debug)]
pub(super) struct Watcher {
    orders: SyncSender<Wish>,
    news: Receiver<News>,
}

impl Watcher {
    /// Begins to look, this often.
    pub(super) fn start(api: Api, url: &str, every: Duration) -> Self {
        let (orders, wishes) = sync_channel(ORDERS);
        let (tell, news) = sync_channel(NEWS);
        let snapshot = Snapshot::at(url);
        std::thread::spawn(move || watch(&api, snapshot, every, (&wishes, &tell)));
        Self { orders, news }
    }

    /// What has come in.
    pub(super) fn news(&self) -> Result<News, TryRecvError> {
        self.news.try_recv()
    }

    /// Orders something; the sentence says how that stands.
    pub(super) fn ask(&self, wish: Wish) -> String {
        match self.orders.try_send(wish) {
            Ok(()) => "asked for…".into(),
            Err(_) => "not done: earlier orders still wait for an answer".into(),
        }
    }
}

/// Looks, then waits for an order or the next look; ends with the screen.
fn watch(
    api: &Api,
    mut snapshot: Snapshot,
    every: Duration,
    (wishes, tell): (&Receiver<Wish>, &SyncSender<News>),
) {
    loop {
        snapshot.look(api);
        if tell.send(News::Looked(Box::new(snapshot.clone()))).is_err() {
            return;
        }
        match wishes.recv_timeout(every) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(wish) => {
                if tell.send(News::Done(wish.perform(api))).is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_fails_keeps_what_it_said_last() {
        let mut part = Part::default();
        let at = Stamp::from_micros(1);
        part.take(Ok(json!({"workers": [1]})), at);
        part.take(Err(Failure::new(4, "away")), Stamp::from_micros(2));
        assert_eq!(part.list("workers").len(), 1);
        assert_eq!((part.at, part.error.as_deref()), (Some(at), Some("away")));
        part.take(Ok(json!({})), Stamp::from_micros(3));
        assert_eq!(part.error, None);
    }

    #[test]
    fn nobody_there_is_said_in_every_part_without_waiting_for_each() {
        // Bound and dropped: nobody listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", port.local_addr().unwrap());
        drop(port);
        let mut snapshot = Snapshot::at(&url);
        snapshot.look(&Api::with_patience(&url, Duration::from_secs(5)).unwrap());
        let document = snapshot.document();
        let errors = document["errors"].as_object().unwrap();
        assert_eq!(errors.len(), 5, "{document:#}");
        assert!(
            snapshot.flaw().unwrap().contains("no answer from"),
            "{document:#}"
        );
    }
}
