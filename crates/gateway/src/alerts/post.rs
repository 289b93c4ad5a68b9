//! One attempt to deliver one message. A redirect is a failure like any other: where it leads was not configured.

use std::fmt;
use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode};
use jiff::Timestamp;
use tollgate_upstream::attempt::retry_after;
use tollgate_upstream::client::{Client, Timeouts};

use super::hook::Hook;
use super::letter::Letter;
use crate::clock::Now;

/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
/// What is kept of a reason, in characters.
const REASON_CHARS_MAX: usize = 300;

/// Why a receiver did not take a message, or is not known to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Why; holds nothing of the answer's body.
    pub reason: String,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Undelivered {}

impl Undelivered {
    fn new(reason: impl fmt::Display) -> Self {
        let reason = reason.to_string();
        Self {
            reason: reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect(),
            retry_after: None,
        }
    }
}

pub(super) async fn post(hook: &Hook, client: &Client, letter: &Letter, now: Now) -> Result<(), Undelivered> {
    let request = Request::post(&hook.path)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("tollgate/", env!("CARGO_PKG_VERSION")))
        .header("x-tollgate-delivery", &letter.id)
        .header("x-tollgate-signature", hook.signature(now.unix.as_secs(), &letter.body))
        .body(letter.body.clone())
        .map_err(Undelivered::new)?;
    let timeouts = Timeouts {
        connect: ATTEMPT_MAX,
        first_byte: ATTEMPT_MAX,
        idle: ATTEMPT_MAX,
        total: ATTEMPT_MAX,
        min_rate: None,
    };
    let answer = client
        .send(&hook.origin, request, &timeouts, now.instant + ATTEMPT_MAX)
        .await
        .map_err(Undelivered::new)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    // The number alone: the words behind it are the receiver's.
    let mut undelivered = Undelivered::new(format!("the receiver answered {}{}", status.as_u16(), advice(status)));
    let unix = Timestamp::UNIX_EPOCH.checked_add(now.unix).unwrap_or(Timestamp::UNIX_EPOCH);
    undelivered.retry_after = retry_after(answer.headers(), unix);
    Err(undelivered)
}

fn advice(status: StatusCode) -> &'static str {
    if status.is_redirection() {
        "; redirects are not followed: put the final address into alerts.webhook.url"
    } else {
        ""
    }
}
