//! The public keys of one identity provider: fetched through the door, kept, and fetched again when they are old or when a token
//! names one that is not among them. One fetch at a time, none sooner than half a minute after the last one, and keys that are
//! known stay in use while their provider cannot be reached.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use serde::Deserialize;
use tollgate_upstream::client::{Client, HttpVersion, Origin, Scheme, Timeouts, collect};

/// Keys older than this are fetched again.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Keys that could not be fetched again for this long are believed no more.
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The pause between two fetches.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause after a fetch that failed while there are no keys at all, or whose caller left.
const SHORT_PAUSE: Duration = Duration::from_secs(2);
/// How long one fetch may take.
const FETCH_MAX: Duration = Duration::from_secs(5);
/// The largest key set, in bytes.
const SET_BYTES_MAX: usize = 256 << 10;
/// The most keys of a set.
const KEYS_MAX: usize = 64;

/// One provider's keys.
pub struct KeySet {
    url: String,
    origin: Origin,
    path: String,
    state: Mutex<State>,
    /// Held while a fetch runs.
    flight: tokio::sync::Mutex<()>,
    fetches: AtomicU64,
    failures: AtomicU64,
}

#[derive(Default)]
struct State {
    keys: Vec<Arc<PublicKey>>,
    fetched_at: Option<Instant>,
    /// No fetch before.
    next_at: Option<Instant>,
}

/// A key that signatures are checked with.
pub struct PublicKey {
    id: Option<String>,
    /// The algorithm that it is for, where the set says so.
    algorithm: Option<String>,
    /// To check with.
    pub key: DecodingKey,
}

/// Why an address is not one for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError(String);

impl std::fmt::Display for AddressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AddressError {}

impl KeySet {
    /// The keys at that address; fetched when they are first asked for.
    ///
    /// # Errors
    /// When it is no URL, or not `https` (plain `http` is for this machine alone).
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let parsed = url::Url::parse(url).map_err(|error| AddressError(format!("\"{url}\" is not a URL: {error}")))?;
        let origin =
            Origin::from_url(&parsed, HttpVersion::Auto).map_err(|error| AddressError(format!("\"{url}\" cannot be reached: {error}")))?;
        let is_here = match parsed.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if origin.scheme() == Scheme::Http && !is_here {
            let reason = "keys are fetched over https: whoever can change them on their way can make tokens";
            return Err(AddressError(format!("\"{url}\": {reason}")));
        }
        let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self {
            url: url.to_owned(),
            origin,
            path: format!("{}{query}", parsed.path()),
            state: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
            fetches: AtomicU64::new(0),
            failures: AtomicU64::new(0),
        })
    }

    /// Where the keys are.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often keys were asked for, and how often in vain.
    #[must_use]
    pub fn fetches(&self) -> (u64, u64) {
        (self.fetches.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// The key that a token names; of a token that names none the only key there is. `None`: there is none, also not after
    /// fetching, if a fetch is due.
    pub async fn find(&self, id: Option<&str>, algorithm: &str, client: &Client, now: Instant) -> Option<Arc<PublicKey>> {
        let known = self.state().find(id, algorithm, now);
        if known.is_some() && self.state().is_fresh(now) {
            return known;
        }
        let flight = match (&known, self.flight.try_lock()) {
            (_, Ok(flight)) => flight,
            // Who has a key does not wait for another one's fetch.
            (Some(_), Err(_)) => return known,
            (None, Err(_)) => self.flight.lock().await,
        };
        // Somebody else's may have brought it.
        if self.state().may_fetch(now) {
            self.fetch(client, now).await;
        }
        drop(flight);
        self.state().find(id, algorithm, now)
    }

    async fn fetch(&self, client: &Client, now: Instant) {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        // Stands if the caller leaves in the middle of it.
        self.state().next_at = Some(now + SHORT_PAUSE);
        let keys = self.read(client, now).await;
        let mut state = self.state();
        match keys {
            Some(keys) => {
                state.keys = keys;
                state.fetched_at = Some(now);
                state.next_at = Some(now + PAUSE);
            }
            None => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                state.next_at = Some(now + if state.keys.is_empty() { SHORT_PAUSE } else { PAUSE });
            }
        }
    }

    async fn read(&self, client: &Client, now: Instant) -> Option<Vec<Arc<PublicKey>>> {
        let timeouts = Timeouts {
            connect: FETCH_MAX,
            first_byte: FETCH_MAX,
            idle: FETCH_MAX,
            total: FETCH_MAX,
            min_rate: None,
        };
        let request = Request::get(&self.path)
            .header("accept", "application/json")
            .body(Bytes::new())
            .ok()?;
        let answer = client.send(&self.origin, request, &timeouts, now + FETCH_MAX).await.ok()?;
        if answer.status() != 200 {
            return None;
        }
        let body = collect(answer.into_body(), SET_BYTES_MAX).await.ok()?;
        keys_of(&body)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, id: Option<&str>, algorithm: &str, now: Instant) -> Option<Arc<PublicKey>> {
        let age = now.saturating_duration_since(self.fetched_at?);
        if STALE_MAX <= age {
            return None;
        }
        let fits = |key: &&Arc<PublicKey>| key.algorithm.as_deref().is_none_or(|own| own == algorithm);
        match id {
            Some(id) => self.keys.iter().filter(fits).find(|key| key.id.as_deref() == Some(id)).cloned(),
            None => {
                let mut fitting = self.keys.iter().filter(fits);
                let only = fitting.next().cloned();
                only.filter(|_| fitting.next().is_none())
            }
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.fetched_at.is_some_and(|at| now.saturating_duration_since(at) < FRESH)
    }

    fn may_fetch(&self, now: Instant) -> bool {
        self.next_at.is_none_or(|next| next <= now)
    }
}

/// The keys of a set that signatures can be checked with. Others are left out: sets hold keys for encryption, too, and kinds that
/// we do not know. A shared secret is no public key, whatever a set says.
fn keys_of(body: &[u8]) -> Option<Vec<Arc<PublicKey>>> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body).ok()?;
    let keys = set.keys.into_iter().take(KEYS_MAX).filter_map(|key| {
        let algorithm = key.get("alg").and_then(|alg| alg.as_str()).map(str::to_owned);
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let is_public = !matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
        let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        (is_public && signs).then_some(())?;
        Some(Arc::new(PublicKey {
            key: DecodingKey::from_jwk(&jwk).ok()?,
            id: jwk.common.key_id,
            algorithm,
        }))
    });
    let keys: Vec<_> = keys.collect();
    // A set without a single key is somebody's error page.
    (!keys.is_empty()).then_some(keys)
}
