//! Whose key, and for which origin: provider credentials that cannot leave for anywhere else.
//!
//! A credential is bound to one scheme, host and port when the config is read, and gives its header out only against
//! that origin (R-B1). It prints nothing of itself (R-H1). Where the text came from (environment, file, vault) is the
//! config's business; how a vendor wants to see it is `auth`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::client::Origin;

mod left;

pub use left::Left;
pub(crate) use left::read as read_left;
use left::{Reading, WHOLE};

/// A text that is never printed: no `Display`, no `Serialize`, and a `Debug` that tells only that it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a text. Nothing outside of this crate gets it back.
    pub fn new(text: impl Into<Box<str>>) -> Secret {
        Secret(text.into())
    }

    /// Whether there is no text at all: an empty environment variable.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A provider's key, bound to the origin it was configured for.
pub struct Credential {
    name: Box<str>,
    origin: Origin,
    plain: HeaderValue,
    bearer: HeaderValue,
}

/// Why a text cannot be a credential. Names the credential, never its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// There is no text; holds the credential's name.
    Empty(Box<str>),
    /// The text holds white space at an end, a line break or another character that no header may carry; holds the
    /// credential's name.
    Unsendable(Box<str>),
}

/// A credential was asked for on behalf of an origin that it is not bound to. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongOrigin {
    /// The credential's name.
    pub credential: Box<str>,
    /// The origin it is bound to.
    pub bound: Origin,
    /// The origin that it was asked for.
    pub asked: Origin,
}

impl Credential {
    /// Binds a secret to an origin. `name` is what logs call it: the reference in the config, such as
    /// `env:OPENAI_API_KEY`.
    ///
    /// # Errors
    /// [`CredentialError`] when the text is empty or cannot be sent in a header.
    pub fn new(name: &str, secret: &Secret, origin: Origin) -> Result<Credential, CredentialError> {
        let text = secret.expose();
        if text.is_empty() {
            return Err(CredentialError::Empty(name.into()));
        }
        let header = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| CredentialError::Unsendable(name.into()))?;
            value.set_sensitive(true);
            Ok(value)
        };
        if text.trim() != text || !text.is_ascii() {
            return Err(CredentialError::Unsendable(name.into()));
        }
        Ok(Credential {
            plain: header(text)?,
            bearer: header(&format!("Bearer {text}"))?,
            name: name.into(),
            origin,
        })
    }

    /// What logs call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The origin it is bound to.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The key alone, as a sensitive header value, for requests to `to`.
    ///
    /// # Errors
    /// [`WrongOrigin`] when `to` is another scheme, host or port than the credential is bound to.
    pub fn plain_for(&self, to: &Origin) -> Result<HeaderValue, WrongOrigin> {
        self.check(to).map(|()| self.plain.clone())
    }

    /// `Bearer KEY`, as a sensitive header value, for requests to `to`.
    ///
    /// # Errors
    /// As [`Credential::plain_for`].
    pub fn bearer_for(&self, to: &Origin) -> Result<HeaderValue, WrongOrigin> {
        self.check(to).map(|()| self.bearer.clone())
    }

    /// A text of the provider's without this key, should it quote it.
    pub fn masked(&self, text: &str) -> String {
        let key = self.plain.to_str().unwrap_or_default();
        if key.is_empty() {
            text.to_owned()
        } else {
            text.replace(key, "***")
        }
    }

    fn check(&self, to: &Origin) -> Result<(), WrongOrigin> {
        if self.origin.is_same_place(to) {
            return Ok(());
        }
        Err(WrongOrigin {
            credential: self.name.clone(),
            bound: self.origin.clone(),
            asked: to.clone(),
        })
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({} for {})", self.name, self.origin)
    }
}

/// The credentials of one provider: the one is asked with that has the most left, as far as the provider tells; those that have as much take
/// turns, and one that the provider throttled or refused sits out.
#[derive(Debug)]
pub struct CredentialPool {
    places: Box<[Place]>,
    next: AtomicUsize,
    epoch: Instant,
}

/// Models that one credential remembers as limited.
const LIMITED_MODELS_MAX: usize = 64;

/// How far a rest reaches: vendors limit most things per model, so that one busy model must not silence the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// Everything that the credential may call: its account is empty, or it is not valid.
    Account,
    /// This model of the provider's alone.
    Model(&'a str),
}

/// Times are milliseconds from the pool's epoch.
#[derive(Debug)]
struct Place {
    credential: Credential,
    /// Until then it is not used at all.
    rests_until_ms: AtomicU64,
    /// Until then `limited` has something to say: while nothing is limited, nobody waits for its lock.
    limited_until_ms: AtomicU64,
    /// Until when which models are not asked for with it.
    limited: Mutex<BTreeMap<Box<str>, u64>>,
}

impl Place {
    fn rests_until_ms(&self, model: &str, now_ms: u64) -> u64 {
        let whole = self.rests_until_ms.load(Ordering::Relaxed);
        if self.limited_until_ms.load(Ordering::Relaxed) <= now_ms {
            return whole;
        }
        whole.max(self.limited().get(model).copied().unwrap_or(0))
    }

    fn limit(&self, model: &str, until_ms: u64, now_ms: u64) {
        let mut limited = self.limited();
        if limited.len() >= LIMITED_MODELS_MAX && !limited.contains_key(model) {
            limited.retain(|_, until| now_ms < *until);
        }
        if limited.len() >= LIMITED_MODELS_MAX && !limited.contains_key(model) {
            // That many at once are the account's limit, whatever it is called.
            self.rests_until_ms.fetch_max(until_ms, Ordering::Relaxed);
            return;
        }
        let until = limited.entry(model.into()).or_insert(until_ms);
        *until = until_ms.max(*until);
        self.limited_until_ms.fetch_max(until_ms, Ordering::Relaxed);
    }

    fn limited(&self) -> MutexGuard<'_, BTreeMap<Box<str>, u64>> {
        // A map of numbers: valid whatever happened to who held it.
        self.limited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a pool has no credential to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCredential {
    /// The pool holds none.
    Empty,
    /// All are resting; the first is back at this moment.
    Resting(Instant),
}

impl CredentialPool {
    /// A pool whose clock starts at `now`.
    pub fn new(credentials: Vec<Credential>, now: Instant) -> CredentialPool {
        let places = credentials
            .into_iter()
            .map(|credential| Place {
                credential,
                rests_until_ms: AtomicU64::new(0),
                limited_until_ms: AtomicU64::new(0),
                limited: Mutex::default(),
            })
            .collect();
        CredentialPool {
            places,
            next: AtomicUsize::new(0),
            epoch: now,
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// There is none: none is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether one of them does not rest for that model.
    #[must_use]
    pub fn has_ready(&self, model: &str, now: Instant) -> bool {
        let now_ms = self.ms(now);
        self.places.iter().any(|place| place.rests_until_ms(model, now_ms) <= now_ms)
    }

    /// An answer's head told what a credential has left for a model. A credential of another pool is ignored.
    pub(crate) fn note(&self, credential: &Credential, left: &Left, reading: Reading, now: Instant) {
        let own = |place: &Place| std::ptr::eq(&raw const place.credential, credential);
        if let Some(at) = self.places.iter().position(own) {
            left.note(at, reading, self.ms(now));
        }
    }

    /// Of the credentials that do not rest for that model the one with the most left; of several the next in turn.
    ///
    /// # Errors
    /// [`NoCredential`] when there is none, or every one rests.
    pub fn pick(&self, model: &str, left: &Left, now: Instant) -> Result<&Credential, NoCredential> {
        let now_ms = self.ms(now);
        let turn = if self.places.len() < 2 {
            0
        } else {
            self.next.fetch_add(1, Ordering::Relaxed) % self.places.len()
        };
        let (mut soonest_ms, mut best) = (u64::MAX, None);
        for (at, place) in self.places.iter().enumerate().cycle().skip(turn).take(self.places.len()) {
            let rests_until_ms = place.rests_until_ms(model, now_ms);
            if now_ms < rests_until_ms {
                soonest_ms = soonest_ms.min(rests_until_ms);
                continue;
            }
            let share = left.share(at, now_ms);
            if share == WHOLE {
                return Ok(&place.credential);
            }
            if best.is_none_or(|(most, _)| most < share) {
                best = Some((share, &place.credential));
            }
        }
        if let Some((_, credential)) = best {
            return Ok(credential);
        }
        if self.places.is_empty() {
            return Err(NoCredential::Empty);
        }
        Err(NoCredential::Resting(self.epoch + Duration::from_millis(soonest_ms)))
    }

    /// Leaves a credential out until `until`: the provider said that it has nothing left, or that it is not valid.
    /// Never shortens a rest. A credential of another pool is ignored.
    pub fn rest(&self, credential: &Credential, reach: Reach<'_>, until: Instant, now: Instant) {
        let own = |place: &&Place| std::ptr::eq(&raw const place.credential, credential);
        let Some(place) = self.places.iter().find(own) else { return };
        let until_ms = self.ms(until);
        match reach {
            Reach::Account => {
                place.rests_until_ms.fetch_max(until_ms, Ordering::Relaxed);
            }
            Reach::Model(model) => place.limit(model, until_ms, self.ms(now)),
        }
    }

    /// All credentials, in the config's order.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.places.iter().map(|place| &place.credential)
    }

    fn ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CredentialError::Empty(name) => write!(f, "credential {name} is empty; set it or take it out"),
            CredentialError::Unsendable(name) => {
                write!(
                    f,
                    "credential {name} holds a character that no header may carry; check it for line breaks and spaces"
                )
            }
        }
    }
}

impl std::error::Error for CredentialError {}

impl fmt::Display for WrongOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WrongOrigin { credential, bound, asked } = self;
        write!(
            f,
            "credential {credential} is bound to {bound} and is not sent to {asked}; configure one for that origin"
        )
    }
}

impl std::error::Error for WrongOrigin {}

impl fmt::Display for NoCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoCredential::Empty => f.write_str("the provider has no credential; add one under its credentials"),
            NoCredential::Resting(_) => f.write_str("every credential of the provider is resting; add one or wait"),
        }
    }
}

impl std::error::Error for NoCredential {}

#[cfg(test)]
mod tests;
