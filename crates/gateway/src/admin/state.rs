//! What the admin plane keeps in memory, all of it bounded: when a session was last used, who failed to log in how often, answers to be
//! given again. A restart forgets it; sessions then count as used at the restart, and a repeated `Idempotency-Key` makes a second object.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::Semaphore;
use tollgate_policy::key::Digest;

/// A session that is not used for so long is over.
pub(crate) const IDLE_MS: i64 = 3_600_000;
/// A session is over after so long in any case.
pub(crate) const SESSION_MS: i64 = 12 * 3_600_000;
/// How long attempts to log in are counted.
const ATTEMPTS_MS: i64 = 300_000;
/// Attempts for one name.
pub(crate) const ATTEMPTS_PER_NAME: u32 = 10;
/// Attempts from one address.
pub(crate) const ATTEMPTS_PER_ADDRESS: u32 = 30;
/// Searches in one second (R-A8).
const SEARCHES_PER_SECOND: u32 = 10;
/// How long an answer is given again.
const REPLAY_MS: i64 = 24 * 3_600_000;
/// Bytes of all answers that are kept.
const REPLAY_BYTES_MAX: usize = 16 << 20;
/// Passwords that are hashed at one time.
const HASHING_MAX: usize = 2;
/// Entries of each table.
const ENTRIES_MAX: usize = 4_096;

/// Sessions, attempts, answers.
pub(crate) struct State {
    started_ms: i64,
    /// The digest of the local token.
    pub(crate) local: Mutex<Option<Digest>>,
    seen: Mutex<HashMap<String, i64>>,
    attempts: Mutex<HashMap<String, (i64, u32)>>,
    replays: Mutex<HashMap<[u8; 32], Replay>>,
    /// Each password that is hashed takes 19 MiB.
    pub(crate) hashing: Semaphore,
}

/// The answer to a creation, by the digest of who asked where with which `Idempotency-Key`.
#[derive(Debug, Clone)]
pub(crate) struct Replay {
    /// The digest of the body that was sent.
    pub(crate) body: [u8; 32],
    /// None: it is being worked on.
    pub(crate) answer: Option<(StatusCode, Option<String>, Bytes)>,
    at_ms: i64,
}

/// What is known of an `Idempotency-Key`.
pub(crate) enum Known {
    /// Nothing: do it, and tell [`State::finish`].
    New,
    /// It came with another body.
    Differs,
    /// It is being worked on.
    Busy,
    /// It was done, with this answer.
    Done(StatusCode, Option<String>, Bytes),
}

impl State {
    pub(crate) fn new(started_ms: i64) -> Self {
        Self {
            started_ms,
            local: Mutex::default(),
            seen: Mutex::default(),
            attempts: Mutex::default(),
            replays: Mutex::default(),
            hashing: Semaphore::new(HASHING_MAX),
        }
    }

    /// A session is used: false when it was idle for too long.
    pub(crate) fn touch(&self, digest: &str, created_ms: i64, now_ms: i64) -> bool {
        let mut seen = held(&self.seen);
        let last = seen.get(digest).copied().unwrap_or(self.started_ms.max(created_ms));
        if IDLE_MS < now_ms.saturating_sub(last) {
            return false;
        }
        make_room(&mut seen, |at| *at, now_ms, IDLE_MS);
        seen.insert(digest.to_owned(), now_ms);
        true
    }

    /// When a session was last used.
    pub(crate) fn seen(&self, digest: &str, created_ms: i64) -> i64 {
        held(&self.seen).get(digest).copied().unwrap_or(self.started_ms.max(created_ms))
    }

    /// Counts an attempt to log in. The seconds to wait, when there were too many.
    pub(crate) fn attempt(&self, who: &str, attempts_max: u32, now_ms: i64) -> Result<(), u64> {
        self.count(who, attempts_max, ATTEMPTS_MS, now_ms)
    }

    /// The one who logged in is not a guesser: the count of that name begins anew.
    pub(crate) fn forget(&self, who: &str) {
        held(&self.attempts).remove(who);
    }

    /// Counts a search.
    pub(crate) fn search(&self, now_ms: i64) -> Result<(), u64> {
        self.count("search", SEARCHES_PER_SECOND, 1_000, now_ms)
    }

    fn count(&self, who: &str, max: u32, window_ms: i64, now_ms: i64) -> Result<(), u64> {
        let mut attempts = held(&self.attempts);
        make_room(&mut attempts, |(at, _)| *at, now_ms, ATTEMPTS_MS);
        let (began, count) = attempts.entry(who.to_owned()).or_insert((now_ms, 0));
        if window_ms <= now_ms.saturating_sub(*began) {
            (*began, *count) = (now_ms, 0);
        }
        if max <= *count {
            let left_ms = window_ms.saturating_sub(now_ms.saturating_sub(*began));
            return Err(u64::try_from(left_ms.max(0)).unwrap_or(0).div_ceil(1_000));
        }
        *count += 1;
        Ok(())
    }

    /// Asks about an `Idempotency-Key`, and takes it when it is new.
    pub(crate) fn begin(&self, key: [u8; 32], body: [u8; 32], now_ms: i64) -> Known {
        let mut replays = held(&self.replays);
        make_room(&mut replays, |replay| replay.at_ms, now_ms, REPLAY_MS);
        match replays.get(&key).filter(|replay| now_ms.saturating_sub(replay.at_ms) < REPLAY_MS) {
            Some(replay) if replay.body != body => Known::Differs,
            Some(Replay { answer: None, .. }) => Known::Busy,
            Some(Replay {
                answer: Some((status, etag, body)),
                ..
            }) => Known::Done(*status, etag.clone(), body.clone()),
            None => {
                let fresh = Replay {
                    body,
                    answer: None,
                    at_ms: now_ms,
                };
                replays.insert(key, fresh);
                Known::New
            }
        }
    }

    /// What came of it; none: nothing was made, it may be tried again.
    pub(crate) fn finish(&self, key: [u8; 32], answer: Option<(StatusCode, Option<String>, Bytes)>) {
        let mut replays = held(&self.replays);
        match answer {
            None => {
                replays.remove(&key);
            }
            Some(answer) => {
                if let Some(replay) = replays.get_mut(&key) {
                    replay.answer = Some(answer);
                }
                shed(&mut replays, key);
            }
        }
    }
}

/// A lock whose holder panicked left whole entries behind.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops the oldest answers while all together are too large; never the one that was just made.
fn shed(replays: &mut HashMap<[u8; 32], Replay>, newest: [u8; 32]) {
    let size = |replay: &Replay| replay.answer.as_ref().map_or(0, |(_, _, body)| body.len());
    let mut bytes: usize = replays.values().map(size).sum();
    while REPLAY_BYTES_MAX < bytes {
        let others = replays.iter().filter(|(key, replay)| **key != newest && replay.answer.is_some());
        let Some(oldest) = others.min_by_key(|(_, replay)| replay.at_ms).map(|(key, _)| *key) else {
            return;
        };
        bytes -= replays.remove(&oldest).as_ref().map_or(0, size);
    }
}

/// Drops what is too old when a table is full, and then the oldest.
fn make_room<K: Clone + Eq + std::hash::Hash, V>(table: &mut HashMap<K, V>, at: impl Fn(&V) -> i64, now_ms: i64, age_ms: i64) {
    if table.len() < ENTRIES_MAX {
        return;
    }
    table.retain(|_, entry| now_ms.saturating_sub(at(entry)) < age_ms);
    if ENTRIES_MAX <= table.len()
        && let Some(oldest) = table.iter().min_by_key(|(_, entry)| at(entry)).map(|(key, _)| key.clone())
    {
        table.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_kept_has_a_bound() {
        let state = State::new(0);
        for n in 0..10_000_i64 {
            state.touch(&n.to_string(), n, n);
            let _ = state.attempt(&n.to_string(), 1, n);
        }
        assert_eq!((held(&state.seen).len(), held(&state.attempts).len()), (ENTRIES_MAX, ENTRIES_MAX));
        let large = Bytes::from(vec![b'x'; 1 << 20]);
        for n in 0..40_u8 {
            assert!(matches!(state.begin([n; 32], [0; 32], i64::from(n)), Known::New));
            state.finish([n; 32], Some((StatusCode::CREATED, None, large.clone())));
        }
        assert_eq!(held(&state.replays).len(), REPLAY_BYTES_MAX / large.len());
        assert!(matches!(state.begin([39; 32], [0; 32], 40), Known::Done(..)));
        assert!(matches!(state.begin([39; 32], [1; 32], 40), Known::Differs));
        assert!(matches!(state.begin([39; 32], [0; 32], 40 + REPLAY_MS), Known::New));
        assert!(matches!(state.begin([39; 32], [0; 32], 41 + REPLAY_MS), Known::Busy));
    }
}
