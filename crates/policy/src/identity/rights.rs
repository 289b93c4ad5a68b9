//! What a caller may do: layers (organisation, team, user, key or token) that can each only narrow.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Network, Team, User};
use crate::patterns::Patterns;

/// What one layer allows. Empty: it does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    /// Routes that may be called; `None`: does not narrow.
    pub routes: Option<Patterns>,
    /// Models that may be called without a route; `None`: does not narrow.
    pub models: Option<Patterns>,
    /// Features that may be called for; `None`: does not narrow.
    pub features: Option<Patterns>,
    /// Addresses that may call; empty: does not narrow.
    pub networks: Vec<Network>,
    /// Kinds of calls; `None`: does not narrow. A key or token without any has [`Scopes::DEFAULT`].
    pub scopes: Option<Scopes>,
}

/// A kind of call that a credential may be good for. There is none that administers anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Chat, messages, responses, completions.
    Chat,
    /// Embeddings and reranking.
    Embeddings,
    /// Images.
    Images,
    /// Speech and transcription.
    Audio,
    /// Realtime sessions.
    Realtime,
    /// Batches.
    Batch,
    /// The list of models.
    ModelsRead,
    /// One's own usage.
    UsageSelf,
    /// Feedback on answers.
    Feedback,
    /// To raise the label of what is sent.
    LabelRaise,
    /// To lower it.
    LabelDeclassify,
    /// To go around the cache.
    CacheBypass,
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u16);

/// Which applications or use cases a credential is for: none, one that it is bound to, or several from which the caller chooses.
/// The first is meant when the caller chooses none, so that nothing escapes what is counted by feature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features(Vec<Arc<str>>);

/// The feature cannot be had with this credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureRefused;

/// The layers of one caller.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    layers: [Option<&'a Allowed>; 3],
    own: &'a Allowed,
}

impl Scope {
    /// All of them, with their names.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Chat, "chat"),
        (Self::Embeddings, "embeddings"),
        (Self::Images, "images"),
        (Self::Audio, "audio"),
        (Self::Realtime, "realtime"),
        (Self::Batch, "batch"),
        (Self::ModelsRead, "models:read"),
        (Self::UsageSelf, "usage:self"),
        (Self::Feedback, "feedback"),
        (Self::LabelRaise, "label:raise"),
        (Self::LabelDeclassify, "label:declassify"),
        (Self::CacheBypass, "cache:bypass"),
    ];

    /// The scope of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| *own == name).map(|(scope, _)| *scope)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(scope, _)| *scope == self).map_or("", |(_, name)| name)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Scopes {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything but what goes around a protection: lowering a label and going around the cache must be given.
    pub const DEFAULT: Self = Self((1 << Scope::ALL.len()) - 1 - Scope::LabelDeclassify.bit() - Scope::CacheBypass.bit());

    /// With one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Scope::ALL
            .iter()
            .filter(move |(scope, _)| self.contains(*scope))
            .map(|(_, name)| *name)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl Features {
    /// In the order of the config; repetitions are dropped.
    #[must_use]
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut features: Vec<Arc<str>> = Vec::new();
        for name in names {
            if !features.iter().any(|known| **known == *name.as_ref()) {
                features.push(Arc::from(name.as_ref()));
            }
        }
        Self(features)
    }

    /// Their names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// The feature that a call is for: the one that the caller chose, or the first that its rights leave.
    ///
    /// # Errors
    /// When the chosen one is not among them or not allowed by every layer, or when none of them is allowed.
    pub fn choose(&self, chosen: Option<&str>, rights: Rights<'_>) -> Result<Option<Arc<str>>, FeatureRefused> {
        if self.0.is_empty() && chosen.is_none() {
            return Ok(None);
        }
        let fits = |name: &&Arc<str>| chosen.is_none_or(|chosen| ***name == *chosen) && rights.may_use_feature(name);
        self.0.iter().find(fits).cloned().map(Some).ok_or(FeatureRefused)
    }
}

impl<'a> Rights<'a> {
    /// The rights of a key or token of that team and user.
    #[must_use]
    pub fn new(team: &'a Team, user: Option<&'a User>, own: &'a Allowed) -> Self {
        Self {
            layers: [
                Some(&team.organization.allowed),
                Some(&team.allowed),
                user.map(|user| &user.allowed),
            ],
            own,
        }
    }

    /// May it call that route?
    #[must_use]
    pub fn may_call_route(&self, route: &str) -> bool {
        self.all(|layer| allows(layer.routes.as_ref(), route))
    }

    /// May it call that model without a route?
    #[must_use]
    pub fn may_call_model(&self, model: &str) -> bool {
        self.all(|layer| allows(layer.models.as_ref(), model))
    }

    /// May it call for that feature?
    #[must_use]
    pub fn may_use_feature(&self, feature: &str) -> bool {
        self.all(|layer| allows(layer.features.as_ref(), feature))
    }

    /// May it make that kind of call?
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        let own = self.own.scopes.unwrap_or(Scopes::DEFAULT).contains(scope);
        own && self.all(|layer| layer.scopes.is_none_or(|scopes| scopes.contains(scope)))
    }

    /// May it call from that address?
    #[must_use]
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        self.all(|layer| layer.networks.is_empty() || layer.networks.iter().any(|network| network.contains(address)))
    }

    fn all(&self, layer_allows: impl Fn(&Allowed) -> bool) -> bool {
        layer_allows(self.own) && self.layers.iter().flatten().all(|layer| layer_allows(layer))
    }
}

fn allows(patterns: Option<&Patterns>, name: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.allow(name))
}
