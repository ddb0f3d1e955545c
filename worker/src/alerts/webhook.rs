//! Sends signed messages to one address, in the manner of the Standard
//! Webhooks specification (`webhook-id`, `webhook-timestamp`,
//! `webhook-signature`).
//!
//! A receiver checks that `webhook-signature` holds `v1,` and the base64 of
//! HMAC-SHA256 under the shared secret over `<id>.<timestamp>.<body>`, that
//! the timestamp (Unix seconds) is of the last minutes, and that it has not
//! seen the id before: a message may come twice.
//!
//! Invariant: waits at most two seconds in all for one try, follows no
//! redirect, and reaches public addresses only, unless told otherwise.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use ureq::{Agent, unversioned::transport::DefaultConnector};

use super::address::Guarded;

/// A receiver that takes longer than this is taken for one that did not hear.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where messages go.
#[derive(Clone)]
pub struct Webhook {
    url: String,
    secret: Vec<u8>,
    agent: Agent,
}

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Not an address.
    #[error("a webhook's address must begin with https:// (or http://)")]
    Address,
    /// Too easy to guess.
    #[error("a webhook's secret must have at least 16 bytes (24 after `whsec_`, in base64)")]
    Secret,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Trying again may help.
    #[error("the receiver answered {0}")]
    Status(u16),
    /// Trying again may help.
    #[error("{0}")]
    Unheard(Box<ureq::Error>),
}

impl Refusal {
    /// Whether another try may help: the receiver is busy or away.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Status(code) => matches!(code, 408 | 425 | 429 | 500..),
            Self::Unheard(_) => true,
        }
    }
}

impl Webhook {
    /// A webhook at this address. The secret is text, or `whsec_` and base64;
    /// `private_too` lets it reach addresses that are not public.
    pub fn new(url: &str, secret: &str, private_too: bool) -> Result<Self, Unusable> {
        /// 128 bits: less can be guessed.
        const SECRET_MIN: usize = 16;
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(Unusable::Address);
        }
        let secret = match secret.strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| Unusable::Secret)?,
            None => secret.as_bytes().to_vec(),
        };
        if secret.len() < SECRET_MIN {
            return Err(Unusable::Secret);
        }
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .build();
        let resolver = Guarded { private_too };
        Ok(Self {
            url: url.to_owned(),
            secret,
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
        })
    }

    /// Sends one message; blocks. `at` is in Unix seconds.
    pub(super) fn send(&self, id: &str, at: i64, body: &str) -> Result<(), Refusal> {
        let answer = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("idempotency-key", id)
            .header("webhook-id", id)
            .header("webhook-timestamp", at.to_string())
            .header("webhook-signature", self.signature(id, at, body))
            .send(body)
            .map_err(|error| Refusal::Unheard(Box::new(error)))?;
        match answer.status().as_u16() {
            200..300 => Ok(()),
            code => Err(Refusal::Status(code)),
        }
    }

    fn signature(&self, id: &str, at: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret)
            .expect("HMAC takes a key of any length (RFC 2104)");
        mac.update(format!("{id}.{at}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for Webhook {
    /// Without the secret, and without the address, which may hold one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the Standard Webhooks reference libraries.
        let webhook = Webhook::new(
            "https://example.org/hook",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            false,
        )
        .unwrap();
        assert_eq!(
            webhook.signature(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn weak_secrets_and_other_schemes_are_refused() {
        let new = |url, secret| Webhook::new(url, secret, true);
        assert!(matches!(
            new("ftp://x/", "0123456789abcdef"),
            Err(Unusable::Address)
        ));
        assert!(matches!(new("https://x/", "short"), Err(Unusable::Secret)));
        let told = format!("{:?}", new("https://x/?key=k", "0123456789abcdef").unwrap());
        assert!(!told.contains("key") && !told.contains("0123"), "{told}");
    }
}
