//! The text of a virtual key (GOVERNANCE section 2): `sk-tg_<id:12>_<secret:43><crc32:6>`, base62 throughout. Prefix and checksum
//! let scanners and the gateway refuse junk without asking a store; the checksum is no security. Randomness is an argument.

use std::cmp::{Ordering, Reverse};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use smallvec::SmallVec;
use subtle::ConstantTimeEq;

const PREFIX: &str = "sk-tg_";
const ID_CHARS: usize = 12;
const SECRET_CHARS: usize = 43;
const CHECKSUM_CHARS: usize = 6;
/// The longest credential that is looked at, in bytes.
pub const CREDENTIAL_BYTES_MAX: usize = 512;
/// The shortest credential from a config file, in bytes.
pub const CREDENTIAL_BYTES_MIN: usize = 8;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A credential as presented, well-formed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'a> {
    /// A key of our own form.
    Ours {
        /// The public id: 12 base62 characters.
        id: &'a str,
        /// The whole text.
        text: &'a str,
    },
    /// Any other string, such as a key kept over a migration.
    Other(&'a str),
}

impl<'a> Presented<'a> {
    /// Reads a credential. `None`: malformed; no store needs to be asked.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if !(CREDENTIAL_BYTES_MIN..=CREDENTIAL_BYTES_MAX).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return Some(Self::Other(text));
        };
        let (id, tail) = rest.split_once('_')?;
        let shaped = id.len() == ID_CHARS
            && tail.len() == SECRET_CHARS + CHECKSUM_CHARS
            && id.bytes().chain(tail.bytes()).all(|b| b.is_ascii_alphanumeric());
        let (signed, checksum) = text.split_at_checked(text.len().saturating_sub(CHECKSUM_CHARS))?;
        (shaped && checksum_of(signed) == checksum.as_bytes()).then_some(Self::Ours { id, text })
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        match self {
            Self::Ours { text, .. } | Self::Other(text) => text,
        }
    }
}

/// Makes the text of a new key from 9 random bytes for the id and 32 for the secret.
#[must_use]
pub fn make(id: [u8; 9], secret: [u8; 32]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS);
    text.push_str(PREFIX);
    push_base62(&mut text, &id, ID_CHARS);
    finish(text, &secret)
}

/// Makes the text of another secret for an id that is in use: a rotation. `None`: no key of ours can have that id.
#[must_use]
pub fn renew(id: &str, secret: [u8; 32]) -> Option<String> {
    let shaped = id.len() == ID_CHARS && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    shaped.then(|| finish(format!("{PREFIX}{id}"), &secret))
}

/// What a store keeps of a secret.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl Digest {
    /// A digest as it was stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes, for storing and indexing.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Equality in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The secret that all digests depend on; kept outside the database.
#[derive(Clone)]
pub struct Pepper(Hmac<Sha256>);

impl Pepper {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(bytes).unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(b"tollgate key v1\0");
        Self(mac)
    }

    /// HMAC-SHA-256 over the whole credential, under a domain tag.
    #[must_use]
    pub fn digest(&self, credential: &str) -> Digest {
        let mut mac = self.0.clone();
        mac.update(credential.as_bytes());
        Digest(mac.finalize().into_bytes().into())
    }
}

/// One version of the pepper. Versions count from 1; a digest is only comparable under its own.
pub type PepperVersion = u32;

/// All peppers in use, newest first. A new one is for new secrets; the older ones stay until no stored digest needs them.
#[derive(Clone)]
pub struct Peppers {
    newest: (PepperVersion, Pepper),
    older: Vec<(PepperVersion, Pepper)>,
}

impl Peppers {
    /// One pepper, version 1.
    #[must_use]
    pub fn new(pepper: Pepper) -> Self {
        Self {
            newest: (1, pepper),
            older: Vec::new(),
        }
    }

    /// Adds a version. The highest one is for new secrets.
    #[must_use]
    pub fn with(mut self, version: PepperVersion, pepper: Pepper) -> Self {
        self.older.retain(|(older, _)| *older != version);
        match version.cmp(&self.newest.0) {
            Ordering::Less => self.older.push((version, pepper)),
            Ordering::Equal => self.newest = (version, pepper),
            Ordering::Greater => self.older.push(std::mem::replace(&mut self.newest, (version, pepper))),
        }
        self.older.sort_by_key(|(version, _)| Reverse(*version));
        self
    }

    /// What is stored of a new secret.
    #[must_use]
    pub fn digest(&self, credential: &str) -> Versioned {
        Versioned {
            version: self.newest.0,
            digest: self.newest.1.digest(credential),
        }
    }

    /// The credential's digest under every version: as much work for an unknown credential as for a known one.
    #[must_use]
    pub fn digests(&self, credential: &str) -> Digests {
        let older = self.older.iter().map(|(version, pepper)| Versioned {
            version: *version,
            digest: pepper.digest(credential),
        });
        Digests(std::iter::once(self.digest(credential)).chain(older).collect())
    }
}

/// A digest and the pepper that it was made with.
#[derive(Debug, Clone, Copy)]
pub struct Versioned {
    /// Which pepper.
    pub version: PepperVersion,
    /// The digest.
    pub digest: Digest,
}

impl Versioned {
    /// Equality in constant time. Versions are no secrets.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        (self.version == other.version) & self.digest.matches(&other.digest)
    }
}

/// A presented credential under every pepper, newest first.
#[derive(Debug, Clone)]
pub struct Digests(SmallVec<[Versioned; 2]>);

impl Digests {
    /// Each version's digest.
    pub fn iter(&self) -> std::slice::Iter<'_, Versioned> {
        self.0.iter()
    }

    /// Whether one of them is the stored one; all are compared, so that time does not tell which.
    #[must_use]
    pub fn contain(&self, stored: &Versioned) -> bool {
        self.iter().fold(false, |found, own| own.matches(stored) | found)
    }
}

/// The secret and the checksum after prefix and id.
fn finish(mut text: String, secret: &[u8; 32]) -> String {
    text.push('_');
    push_base62(&mut text, secret, SECRET_CHARS);
    let checksum = checksum_of(&text);
    text.extend(checksum.iter().map(|byte| char::from(*byte)));
    text
}

fn checksum_of(signed: &str) -> [u8; CHECKSUM_CHARS] {
    let mut rest = crc32fast::hash(signed.as_bytes());
    let mut out = [b'0'; CHECKSUM_CHARS];
    for slot in out.iter_mut().rev() {
        *slot = digit(rest % 62);
        rest /= 62;
    }
    out
}

/// Long division of a big-endian number by 62, to exactly `chars` digits.
fn push_base62(text: &mut String, bytes: &[u8], chars: usize) {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; chars];
    for slot in digits.iter_mut().rev() {
        let mut remainder: u32 = 0;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            // value / 62 < 256, because remainder < 62.
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            remainder = value % 62;
        }
        *slot = digit(remainder);
    }
    text.extend(digits.iter().map(|byte| char::from(*byte)));
}

fn digit(value: u32) -> u8 {
    usize::try_from(value).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key() -> String {
        make([7; 9], [9; 32])
    }

    #[test]
    fn a_made_key_reads_back() {
        let text = key();
        assert_eq!(text.len(), 6 + 12 + 1 + 43 + 6);
        let Some(Presented::Ours { id, .. }) = Presented::parse(&text) else {
            unreachable!("{text}")
        };
        assert_eq!(id.len(), 12);
        let highest = make([0xff; 9], [0xff; 32]);
        assert!(Presented::parse(&highest).is_some(), "{highest}");
        assert_ne!(make([0; 9], [0; 32]), make([0; 9], [1; 32]));
    }

    #[test]
    fn every_changed_character_is_refused_offline() {
        let text = key();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(!matches!(Presented::parse(&changed), Some(Presented::Ours { .. })), "{changed}");
        }
    }

    #[test]
    fn junk_is_malformed_and_foreign_keys_are_not() {
        for junk in [
            "",
            "short",
            "sk-tg_",
            "sk-tg_abc_def",
            "with space in it",
            "ümlaut-key-123",
            &"x".repeat(513),
        ] {
            assert!(Presented::parse(junk).is_none(), "{junk}");
        }
        assert!(matches!(Presented::parse("sk-litellm-1234"), Some(Presented::Other(_))));
    }

    #[test]
    fn digests_depend_on_pepper_and_on_every_byte() {
        let (one, two) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]));
        assert!(one.digest("secret-key").matches(&one.digest("secret-key")));
        assert!(!one.digest("secret-key").matches(&two.digest("secret-key")));
        let long = "p".repeat(200);
        assert!(!one.digest(&format!("{long}a")).matches(&one.digest(&format!("{long}b"))));
    }

    #[test]
    fn a_renewed_key_keeps_its_id_and_nothing_else() {
        let first = key();
        let id = &first[6..18];
        let second = renew(id, [10; 32]).unwrap();
        let Some(Presented::Ours { id: again, .. }) = Presented::parse(&second) else {
            unreachable!("{second}")
        };
        assert_eq!((again, second.len()), (id, first.len()));
        assert_ne!(first[19..], second[19..]);
        for wrong in ["", "short", "with-a-dash1", "thirteenchars", "ümlautümlau"] {
            assert_eq!(renew(wrong, [1; 32]), None, "{wrong}");
        }
    }

    #[test]
    fn new_secrets_take_the_newest_pepper_and_older_digests_still_match() {
        let (one, two, three) = (Pepper::new(&[1; 32]), Pepper::new(&[2; 32]), Pepper::new(&[3; 32]));
        let before = Peppers::new(one);
        let old = before.digest("secret-key");
        // In whichever order they are read.
        for peppers in [
            before.clone().with(2, two.clone()).with(3, three.clone()),
            before.with(3, three).with(2, two),
        ] {
            let versions: Vec<u32> = peppers.digests("secret-key").iter().map(|one| one.version).collect();
            assert_eq!(versions, [3, 2, 1]);
            assert_eq!(peppers.digest("x").version, 3);
            assert!(peppers.digests("secret-key").contain(&old));
            assert!(!peppers.digests("secret-kez").contain(&old));
            let mislabelled = Versioned { version: 2, ..old };
            assert!(
                !peppers.digests("secret-key").contain(&mislabelled),
                "a digest counts under its own pepper only"
            );
        }
    }
}
