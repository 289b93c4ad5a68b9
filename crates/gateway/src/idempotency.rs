//! `Idempotency-Key`: a call that is sent twice is answered once (GOVERNANCE section 4). Whole answers are kept for a day under the
//! credential and the key, and given again without a provider being asked; while the first call still runs, the second is a 409. Streams are
//! not kept. Kept in this process: a restart forgets them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderName;
use tollgate_wire::fault::{Fault, FaultKind, Retry};

use crate::identify::Caller;
use crate::ingress::Call;
use crate::ledger::lock;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key.
const KEY_CHARS_MAX: usize = 255;
/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// How many are kept at most, and how many bytes of them: the oldest give way.
const ANSWERS_MAX: usize = 10_000;
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// A larger answer is not kept.
const ONE_ANSWER_BYTES_MAX: usize = 1 << 20;

/// The calls that were sent with an idempotency key.
#[derive(Default)]
pub struct Replays(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    calls: HashMap<Arc<str>, Place>,
    /// Those with an answer, oldest first.
    order: VecDeque<(Instant, Arc<str>)>,
    answer_bytes: usize,
}

struct Place {
    print: Print,
    /// `None`: the call is still running.
    answer: Option<Bytes>,
}

/// What tells one request from another: its path's dialect, its length and a checksum of its body.
type Print = (&'static str, usize, u32);

/// The right to answer for a key. Dropped without an answer, it leaves the key to the next call.
pub struct Claim {
    replays: Arc<Replays>,
    name: Arc<str>,
}

/// What a call with a key is.
pub enum Claimed {
    /// The first of its key: its answer is to be kept.
    First(Box<Claim>),
    /// A repetition: this was the answer.
    Again(Bytes),
}

impl Replays {
    /// Looks at a call's key; `None`: it has none.
    ///
    /// # Errors
    /// Malformed, for a key that is none; Unprocessable, where the key was used for another request; Conflict, while that is running.
    pub fn claim(self: &Arc<Self>, caller: &Caller, call: &Call, now: Instant) -> Result<Option<Claimed>, Fault> {
        let Some(value) = call.headers.get(HEADER) else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| (1..=KEY_CHARS_MAX).contains(&key.len()));
        let key = key.ok_or_else(|| {
            let message = format!("Idempotency-Key takes 1 to {KEY_CHARS_MAX} printable ASCII characters");
            Fault::client(FaultKind::Malformed, message).with_code("invalid_idempotency_key")
        })?;
        let print = (call.dialect.name(), call.body.len(), crc32c::crc32c(&call.body));
        self.claim_named(name(caller, key).into(), print, now)
    }

    fn claim_named(self: &Arc<Self>, name: Arc<str>, print: Print, now: Instant) -> Result<Option<Claimed>, Fault> {
        let mut kept = lock(&self.0);
        kept.forget(now);
        let Some(place) = kept.calls.get(&name) else {
            kept.calls.insert(Arc::clone(&name), Place { print, answer: None });
            let replays = Arc::clone(self);
            return Ok(Some(Claimed::First(Box::new(Claim { replays, name }))));
        };
        if place.print != print {
            let message = "this Idempotency-Key was used for another request; use a new one for each request";
            return Err(Fault::client(FaultKind::Unprocessable, message).with_code("idempotency_key_reused"));
        }
        place.answer.clone().map(|bytes| Some(Claimed::Again(bytes))).ok_or_else(running)
    }
}

impl Claim {
    /// Keeps the answer.
    pub fn keep(self, answer: &Bytes, now: Instant) {
        if answer.len() > ONE_ANSWER_BYTES_MAX {
            return;
        }
        let mut kept = lock(&self.replays.0);
        if let Some(place) = kept.calls.get_mut(&self.name) {
            place.answer = Some(answer.clone());
            kept.order.push_back((now, Arc::clone(&self.name)));
            kept.answer_bytes += answer.len();
            kept.forget(now);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut kept = lock(&self.replays.0);
        if kept.calls.get(&self.name).is_some_and(|place| place.answer.is_none()) {
            kept.calls.remove(&self.name);
        }
    }
}

impl Kept {
    /// Drops what is too old, and the oldest of what is too much.
    fn forget(&mut self, now: Instant) {
        while let Some((since, name)) = self.order.front() {
            let old = now.saturating_duration_since(*since) >= KEPT_FOR;
            if !old && self.order.len() <= ANSWERS_MAX && self.answer_bytes <= ANSWER_BYTES_MAX {
                break;
            }
            if let Some(answer) = self.calls.remove(name).and_then(|place| place.answer) {
                self.answer_bytes -= answer.len();
            }
            self.order.pop_front();
        }
    }
}

/// The key within its credential: two callers who use one key do not meet. A token's holder is its team and user.
fn name(caller: &Caller, key: &str) -> String {
    match caller.key_id() {
        Some(id) => format!("key\0{id}\0{key}"),
        None => format!("user\0{}\0{}\0{key}", caller.team().name, caller.user().unwrap_or_default()),
    }
}

fn running() -> Fault {
    let message = "a request with this Idempotency-Key is still running; wait for its answer";
    let mut fault = Fault::client(FaultKind::Conflict, message).with_code("idempotency_key_in_use");
    fault.retry = Retry::Same;
    fault.retry_after = Some(Duration::from_secs(1));
    fault
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::clock;

    const PRINT: Print = ("openai_chat", 5, 7);

    fn first(replays: &Arc<Replays>, name: &str, now: Instant) -> Box<Claim> {
        match replays.claim_named(name.into(), PRINT, now).unwrap() {
            Some(Claimed::First(claim)) => claim,
            _ => panic!("{name} was there before"),
        }
    }

    fn kind(replays: &Arc<Replays>, name: &str, print: Print, now: Instant) -> FaultKind {
        replays.claim_named(name.into(), print, now).err().unwrap().kind
    }

    #[test]
    fn a_key_is_one_calls_until_it_is_answered_or_given_up() {
        let (replays, now) = (Arc::new(Replays::default()), clock::instant());
        let claim = first(&replays, "a", now);
        assert_eq!(kind(&replays, "a", PRINT, now), FaultKind::Conflict);
        assert_eq!(kind(&replays, "a", ("openai_chat", 5, 8), now), FaultKind::Unprocessable);
        drop(claim);
        first(&replays, "a", now).keep(&Bytes::from_static(b"{}"), now);
        let again = replays.claim_named("a".into(), PRINT, now).unwrap();
        assert!(matches!(again, Some(Claimed::Again(bytes)) if bytes == "{}"));
        drop(first(&replays, "b", now));
    }

    #[test]
    fn answers_are_forgotten_after_a_day_and_when_they_are_too_much() {
        let (replays, now) = (Arc::new(Replays::default()), clock::instant());
        let megabyte = Bytes::from(vec![b' '; ONE_ANSWER_BYTES_MAX]);
        for number in 0..40 {
            first(&replays, &format!("big{number}"), now).keep(&megabyte, now);
        }
        assert!(lock(&replays.0).answer_bytes <= ANSWER_BYTES_MAX);
        drop(first(&replays, "big0", now));
        assert!(matches!(
            replays.claim_named("big39".into(), PRINT, now).unwrap(),
            Some(Claimed::Again(_))
        ));
        let tomorrow = now + KEPT_FOR;
        drop(first(&replays, "big39", tomorrow));
        let kept = lock(&replays.0);
        assert_eq!((kept.calls.len(), kept.order.len(), kept.answer_bytes), (0, 0, 0));
    }

    #[test]
    fn an_answer_that_is_too_large_is_not_kept() {
        let (replays, now) = (Arc::new(Replays::default()), clock::instant());
        let large = Bytes::from(vec![b' '; ONE_ANSWER_BYTES_MAX + 1]);
        first(&replays, "a", now).keep(&large, now);
        drop(first(&replays, "a", now));
    }
}
