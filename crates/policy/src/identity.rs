//! Who calls, and what they may: organisation ⊃ team ⊃ user, and the keys that open the data plane (GOVERNANCE sections 1 and 2).
//! Rights are those of key, user, team and organisation together, looked at when they are used, so that what is taken from a
//! team is taken from its keys as well.

mod attribution;
pub mod issuer;
mod network;
mod rights;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::key::{Digests, Versioned};
use crate::labels::Label;

pub use attribution::{Attribution, AttributionError, END_USER_BYTES_MAX, Said, TAG_NAME_BYTES_MAX, TAG_VALUE_BYTES_MAX, TAGS_MAX, Tags};
pub use network::Network;
pub use rights::{Allowed, FeatureRefused, Features, Rights, Scope, Scopes};

/// How long an older secret works after a rotation unless told otherwise, in seconds.
pub const GRACE_S_DEFAULT: u64 = 24 * 60 * 60;
/// The longest that an older secret may work, in seconds.
pub const GRACE_S_MAX: u64 = 7 * 24 * 60 * 60;

/// The whole: what no team may go beyond.
#[derive(Debug, Clone, Default)]
pub struct Organization {
    /// What it allows.
    pub allowed: Allowed,
}

/// A team: owns users and keys, and bounds what they may do.
#[derive(Debug, Clone, Default)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// What it belongs to.
    pub organization: Arc<Organization>,
    /// What it allows.
    pub allowed: Allowed,
    /// Switched off, with everything in it.
    pub disabled: bool,
    /// The lowest label of what its callers send.
    pub label: Label,
}

/// A person in a team.
#[derive(Debug, Clone, Default)]
pub struct User {
    /// Their name.
    pub name: String,
    /// The team that they belong to.
    pub team: String,
    /// What they may do.
    pub allowed: Allowed,
    /// Switched off, with all their keys and tokens.
    pub disabled: bool,
}

/// A key that opens the data plane for one team.
#[derive(Debug, Clone, Default)]
pub struct VirtualKey {
    /// The public id; for a key from a config file that is not of our form, its name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The team that it belongs to.
    pub team: Arc<Team>,
    /// The user that it belongs to; `None`: a service key.
    pub user: Option<Arc<User>>,
    /// The applications or use cases that it is for.
    pub features: Features,
    /// Tags of everything that is called with it; callers may add to them.
    pub tags: Tags,
    /// Its live secrets.
    pub secrets: Secrets,
    /// Not valid before, in seconds since 1970.
    pub not_before: Option<u64>,
    /// Not valid from, in seconds since 1970.
    pub expires_at: Option<u64>,
    /// Switched off.
    pub disabled: bool,
    /// What it may do; narrows user, team and organisation.
    pub allowed: Allowed,
    /// How many calls it may have at one time.
    pub max_concurrency: Option<u32>,
    /// The highest priority, 0 to 9, that its calls have over those of others when the process cannot serve all.
    pub priority_max: u8,
    /// The lowest label of what is sent with it.
    pub label: Label,
    /// The highest label of what may be sent with it; `None`: any.
    pub max_label: Option<Label>,
}

/// What is stored of one secret.
#[derive(Debug, Clone, Copy)]
pub struct Secret {
    /// Its digest, and the pepper that it was made with.
    pub digest: Versioned,
    /// When the grace of an older secret ends, in seconds since 1970; `None`: the newest secret.
    pub valid_until: Option<u64>,
}

/// A key's live secrets, newest first: one, or two during a rotation. Both open the same key, so that nothing is counted twice.
#[derive(Debug, Clone, Default)]
pub struct Secrets(SmallVec<[Secret; 2]>);

impl Secrets {
    /// One secret.
    #[must_use]
    pub fn new(digest: Versioned) -> Self {
        Self(SmallVec::from_iter([Secret { digest, valid_until: None }]))
    }

    /// With an older secret beside it, until its grace ends. There is at most one: it replaces another.
    #[must_use]
    pub fn with_older(mut self, digest: Versioned, valid_until: u64) -> Self {
        self.0.truncate(1);
        self.0.push(Secret {
            digest,
            valid_until: Some(valid_until),
        });
        self
    }

    /// After a rotation: the newest secret becomes the older one for `grace_s` (at most [`GRACE_S_MAX`]; 0: it ends at once), and
    /// the one that was older before ends now.
    #[must_use]
    pub fn rotated(&self, digest: Versioned, now_s: u64, grace_s: u64) -> Self {
        let fresh = Self::new(digest);
        match self.0.first() {
            Some(newest) if 0 < grace_s => fresh.with_older(newest.digest, now_s.saturating_add(grace_s.min(GRACE_S_MAX))),
            _ => fresh,
        }
    }

    /// Newest first.
    pub fn iter(&self) -> std::slice::Iter<'_, Secret> {
        self.0.iter()
    }

    /// The one that was presented. All are compared, so that time does not tell which.
    fn find(&self, presented: &Digests) -> Option<&Secret> {
        self.iter().fold(None, |found, secret| {
            let right = presented.contain(&secret.digest);
            found.or(right.then_some(secret))
        })
    }
}

/// Why a key with the right secret is refused all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// The secret is not the key's.
    WrongSecret,
    /// The secret was the key's before a rotation, and its grace is over.
    Rotated,
    /// Switched off.
    Disabled,
    /// Its user is switched off.
    UserDisabled,
    /// Its team is switched off.
    TeamDisabled,
    /// Not valid yet.
    NotYet,
    /// Not valid any more.
    Expired,
    /// Not from this address.
    Address,
}

/// How a key was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The older secret was used: when it ends, in seconds since 1970.
    pub deprecated_until: Option<u64>,
}

impl VirtualKey {
    /// Whether a presented secret opens this key now, from this address. The secret is compared first, in constant time, so
    /// that only its owner learns why else it is refused.
    ///
    /// # Errors
    /// The first reason that refuses it.
    pub fn verify(&self, presented: &Digests, now_s: u64, from: IpAddr) -> Result<Opened, KeyRefusal> {
        let secret = self.secrets.find(presented).ok_or(KeyRefusal::WrongSecret)?;
        if secret.valid_until.is_some_and(|end| end <= now_s) {
            return Err(KeyRefusal::Rotated);
        }
        self.valid(now_s, from)?;
        Ok(Opened {
            deprecated_until: secret.valid_until,
        })
    }

    /// Whether it opens anything now from this address, whoever has its secret.
    ///
    /// # Errors
    /// The first reason that refuses it; the address is looked at last.
    pub fn valid(&self, now_s: u64, from: IpAddr) -> Result<(), KeyRefusal> {
        if self.disabled {
            return Err(KeyRefusal::Disabled);
        }
        if self.not_before.is_some_and(|start| now_s < start) {
            return Err(KeyRefusal::NotYet);
        }
        if self.expires_at.is_some_and(|end| end <= now_s) {
            return Err(KeyRefusal::Expired);
        }
        standing(&self.team, self.user.as_deref(), self.rights(), from)
    }

    /// What it may do.
    #[must_use]
    pub fn rights(&self) -> Rights<'_> {
        Rights::new(&self.team, self.user.as_deref(), &self.allowed)
    }
}

/// What key and token have in common: the team, the user and the address must be in order.
///
/// # Errors
/// The first reason that refuses it.
pub fn standing(team: &Team, user: Option<&User>, rights: Rights<'_>, from: IpAddr) -> Result<(), KeyRefusal> {
    if user.is_some_and(|user| user.disabled) {
        return Err(KeyRefusal::UserDisabled);
    }
    if team.disabled {
        return Err(KeyRefusal::TeamDisabled);
    }
    if !rights.may_come_from(from) {
        return Err(KeyRefusal::Address);
    }
    Ok(())
}
