//! Receives webhooks on a loopback port, and answers as it is told.
//!
//! Invariant: every request is kept as it came, in order, before it is
//! answered.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use worker::alerts::webhook::Webhook;

use crate::stand::{Stand, until};

/// 24 bytes in the form of the specification.
pub(crate) const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    headers: BTreeMap<String, String>,
    pub(crate) text: String,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The resource and the kind that it tells of.
    pub(crate) fn about(&self) -> String {
        let body = self.body();
        let (_, about) = body["key"].as_str().unwrap().split_once('/').unwrap();
        about.to_owned()
    }

    /// Whether whoever sent it knows the secret and sent exactly this.
    pub(crate) fn is_signed(&self) -> bool {
        let secret = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap());
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret.unwrap()).unwrap();
        let at = self.header("webhook-timestamp");
        mac.update(format!("{}.{at}.{}", self.id(), self.text).as_bytes());
        let told = self.header("webhook-signature").strip_prefix("v1,");
        let told = told.and_then(|told| STANDARD.decode(told).ok());
        told.is_some_and(|told| mac.verify_slice(&told).is_ok())
    }
}

pub(crate) struct Receiver {
    address: SocketAddr,
    kept: Arc<Kept>,
}

struct Kept {
    posts: Mutex<Vec<Post>>,
    status: AtomicU16,
    /// So many requests get this status, the rest 204.
    left: AtomicUsize,
    location: String,
}

impl Receiver {
    /// Answers 204 to everything.
    pub(crate) async fn kind(stand: &Stand) -> Self {
        Self::start(stand, (204, usize::MAX), "").await
    }

    /// Answers the first `times` requests with this status, and with this
    /// place to go to.
    pub(crate) async fn start(
        stand: &Stand,
        (status, times): (u16, usize),
        location: &str,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Arc::new(Kept {
            posts: Mutex::default(),
            status: AtomicU16::new(status),
            left: AtomicUsize::new(times),
            location: location.to_owned(),
        });
        let keeper = Arc::clone(&kept);
        let app = Router::new().fallback(move |headers: HeaderMap, text: String| {
            let answer = keeper.take(&headers, text);
            async move { answer }
        });
        stand.tasks.spawn_until_stop("receiver", async move {
            axum::serve(listener, app).await.unwrap();
        });
        Self { address, kept }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// A webhook that leads here although this is no public address.
    pub(crate) fn webhook(&self) -> Webhook {
        Webhook::new(&self.url(), SECRET, true).unwrap()
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.kept.posts.lock().unwrap().clone()
    }

    /// Those that tell of this.
    pub(crate) fn about(&self, about: &str) -> Vec<Post> {
        let mut posts = self.posts();
        posts.retain(|post| post.about() == about);
        posts
    }

    /// Waits for so many that tell of this.
    pub(crate) async fn heard(&self, about: &str, times: usize) -> Vec<Post> {
        let heard = until(async || self.about(about).len() >= times).await;
        assert!(heard, "{about} was not told: {:?}", self.posts());
        self.about(about)
    }
}

impl Kept {
    fn take(&self, headers: &HeaderMap, text: String) -> Response {
        let named = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        let headers = headers.iter().map(named).collect();
        self.posts.lock().unwrap().push(Post { headers, text });
        let fails = self
            .left
            .try_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if fails.is_err() {
            return StatusCode::NO_CONTENT.into_response();
        }
        let status = StatusCode::from_u16(self.status.load(Ordering::SeqCst)).unwrap();
        (status, [("location", self.location.clone())]).into_response()
    }
}
