//! Who calls, whichever credential said so: the stages behind this one ask a `Caller`, and never a key or a token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use tollgate_policy::identity::issuer::Subject;
use tollgate_policy::identity::{
    self, Allowed, Attribution, AttributionError, Features, KeyRefusal, Opened, Rights, Said, Scope, TAGS_MAX, Tags, Team, User, VirtualKey,
};
use tollgate_policy::labels::{Label, Labelled, Lowered};
use tollgate_policy::ledger::Party;
use tollgate_policy::switches;
use tollgate_store::directory::Directory;
use tollgate_wire::Operation;
use tollgate_wire::fault::{Fault, FaultKind};

use super::label::{self, Terms};

/// Who calls, and for whom and what.
#[derive(Debug)]
pub struct Caller {
    principal: Principal,
    attribution: Attribution,
    labelled: Labelled,
    deprecated_until: Option<u64>,
}

#[derive(Debug)]
enum Principal {
    Key(Arc<VirtualKey>),
    Token(Arc<Bearer>),
}

/// The holder of a token, with the team and the user as they are now.
#[derive(Debug)]
pub struct Bearer {
    team: Arc<Team>,
    user: Option<Arc<User>>,
    features: Features,
    tags: Tags,
    allowed: Allowed,
}

impl Bearer {
    /// Finds the team and the user that a token's claims name. A user who is not in the directory has the rights of the team.
    ///
    /// # Errors
    /// Unauthorized, when there is no such team, or when the user is another team's.
    pub fn link(subject: &Subject, directory: &Directory) -> Result<Self, Fault> {
        let Some(team) = directory.team(&subject.team) else {
            return Err(
                super::unauthorized("the token's team does not exist here; ask who runs this gateway")
                    .with_cause(format!("a token names the team \"{}\"", subject.team)),
            );
        };
        let user = subject.user.as_ref().map(|name| match directory.user(name) {
            Some(user) => Arc::clone(user),
            None => Arc::new(User {
                name: name.clone(),
                team: team.name.clone(),
                ..User::default()
            }),
        });
        if user.as_ref().is_some_and(|user| user.team != team.name) {
            return Err(super::unauthorized(
                "the token's user belongs to another team; ask who runs this gateway",
            ));
        }
        Ok(Self {
            team: Arc::clone(team),
            user,
            features: subject.features.clone(),
            tags: subject.tags.clone(),
            allowed: Allowed {
                scopes: subject.scopes,
                ..Allowed::default()
            },
        })
    }

    /// Of no team, without bounds: for questions that are asked as nobody in particular.
    #[must_use]
    pub fn nobody() -> Self {
        Self {
            team: Arc::default(),
            user: None,
            features: Features::default(),
            tags: Tags::default(),
            allowed: Allowed::default(),
        }
    }

    /// Whether its team, its user and the address are in order.
    ///
    /// # Errors
    /// The first reason that refuses it.
    pub fn verify(&self, from: IpAddr) -> Result<(), KeyRefusal> {
        identity::standing(&self.team, self.user.as_deref(), self.rights(), from)
    }

    fn rights(&self) -> Rights<'_> {
        Rights::new(&self.team, self.user.as_deref(), &self.allowed)
    }
}

impl Caller {
    /// The holder of a key that was opened.
    ///
    /// # Errors
    /// Forbidden or Malformed, for what the headers say beside it.
    pub fn of_key(key: Arc<VirtualKey>, opened: Opened, headers: &HeaderMap, features: &HashMap<String, Label>) -> Result<Self, Fault> {
        let attribution = attribution(headers, &key.features, key.rights(), &key.tags, key.user.is_some())?;
        let terms = Terms {
            floors: [&key.team.label, &key.label],
            highest: key.max_label.as_ref(),
            rights: key.rights(),
        };
        let labelled = label::of(&terms, features, attribution.feature.as_deref(), headers)?;
        Ok(Self {
            principal: Principal::Key(key),
            attribution,
            labelled,
            deprecated_until: opened.deprecated_until,
        })
    }

    /// The holder of a token that was verified.
    ///
    /// # Errors
    /// Forbidden or Malformed, for what the headers say beside it.
    pub fn of_token(bearer: Arc<Bearer>, headers: &HeaderMap, features: &HashMap<String, Label>) -> Result<Self, Fault> {
        let attribution = attribution(headers, &bearer.features, bearer.rights(), &bearer.tags, bearer.user.is_some())?;
        let terms = Terms {
            floors: [&bearer.team.label; 2],
            highest: None,
            rights: bearer.rights(),
        };
        let labelled = label::of(&terms, features, attribution.feature.as_deref(), headers)?;
        Ok(Self {
            principal: Principal::Token(bearer),
            attribution,
            labelled,
            deprecated_until: None,
        })
    }

    /// The team.
    #[must_use]
    pub fn team(&self) -> &Team {
        match &self.principal {
            Principal::Key(key) => &key.team,
            Principal::Token(bearer) => &bearer.team,
        }
    }

    /// The user; `None`: a service.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        let user = match &self.principal {
            Principal::Key(key) => &key.user,
            Principal::Token(bearer) => &bearer.user,
        };
        user.as_ref().map(|user| user.name.as_str())
    }

    /// The key's id; `None`: a token said who calls.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        match &self.principal {
            Principal::Key(key) => Some(&key.id),
            Principal::Token(_) => None,
        }
    }

    /// The feature that the call is for.
    #[must_use]
    pub fn feature(&self) -> Option<&str> {
        self.attribution.feature.as_deref()
    }

    /// Whom a service says that it calls for. Attribution only: it proves nothing.
    #[must_use]
    pub fn end_user(&self) -> Option<&str> {
        self.attribution.end_user.as_deref()
    }

    /// The tags of the credential, and those that the caller added.
    #[must_use]
    pub fn tags(&self) -> &Tags {
        &self.attribution.tags
    }

    /// What it may do.
    #[must_use]
    pub fn rights(&self) -> Rights<'_> {
        match &self.principal {
            Principal::Key(key) => key.rights(),
            Principal::Token(bearer) => bearer.rights(),
        }
    }

    /// How many calls the key may have at one time.
    #[must_use]
    pub fn max_concurrency(&self) -> Option<u32> {
        match &self.principal {
            Principal::Key(key) => key.max_concurrency,
            Principal::Token(_) => None,
        }
    }

    /// The highest priority that its calls have over those of others.
    #[must_use]
    pub fn priority_max(&self) -> u8 {
        match &self.principal {
            Principal::Key(key) => key.priority_max,
            Principal::Token(_) => 0,
        }
    }

    /// The label of what is sent, as far as credential, feature and headers say. The call's own is [`crate::ingress::Call::label`].
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.labelled.label
    }

    /// The label is lower than what team, key and feature require: what that was, and why.
    #[must_use]
    pub fn lowered(&self) -> Option<&Lowered> {
        self.labelled.lowered.as_ref()
    }

    /// The older of a key's two secrets was used: when it ends, in seconds since 1970.
    #[must_use]
    pub fn deprecated_until(&self) -> Option<u64> {
        self.deprecated_until
    }

    /// What the credential is called towards its holder: `the key "support-backend"`.
    #[must_use]
    pub fn credential_name(&self) -> String {
        match &self.principal {
            Principal::Key(key) => format!("the key \"{}\"", key.name),
            Principal::Token(bearer) => format!("this token of the team \"{}\"", bearer.team.name),
        }
    }

    /// Whether its credential is good for that kind of call.
    #[must_use]
    pub fn may(&self, operation: Operation) -> bool {
        self.rights().has(scope_of(operation))
    }

    /// Who spends, for the ledger.
    #[must_use]
    pub fn party(&self, route: &str) -> Party {
        Party {
            team: self.team().name.clone(),
            user: self.user().map(str::to_owned),
            key: self.key_id().map(str::to_owned),
            feature: self.feature().map(str::to_owned),
            route: route.to_owned(),
        }
    }

    /// What kill switches are asked about, as far as it is known now.
    #[must_use]
    pub fn subject(&self) -> switches::Subject<'_> {
        switches::Subject {
            team: Some(&self.team().name),
            user: self.user(),
            key: self.key_id(),
            feature: self.feature(),
            ..switches::Subject::default()
        }
    }
}

/// The scope that a kind of call needs.
fn scope_of(operation: Operation) -> Scope {
    match operation {
        Operation::Chat => Scope::Chat,
    }
}

fn attribution(headers: &HeaderMap, features: &Features, rights: Rights<'_>, bound: &Tags, user_bound: bool) -> Result<Attribution, Fault> {
    let said = Said {
        feature: text(headers, "x-tollgate-feature")?,
        user: text(headers, "x-tollgate-user")?,
        tags: text(headers, "x-tollgate-tags")?,
    };
    Attribution::of(&said, features, rights, bound, user_bound).map_err(|error| refused(error, said))
}

/// The value of a header that is sent once.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, Fault> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(malformed(format!("the header {name} is not UTF-8 text"))),
        },
        // Two would be a question of which one counts.
        (Some(_), Some(_)) => Err(malformed(format!("the header {name} was sent more than once; send it once"))),
    }
}

fn refused(error: AttributionError, said: Said<'_>) -> Fault {
    match error {
        AttributionError::Feature => {
            let message = match said.feature {
                Some(_) => {
                    "this credential is not for the feature in x-tollgate-feature; leave the header out, or ask who runs this gateway"
                }
                None => "none of this credential's features is allowed any more; ask who runs this gateway",
            };
            Fault::client(FaultKind::Forbidden, message).with_code("feature_not_allowed")
        }
        AttributionError::TagIsBound => {
            let message = "a tag in x-tollgate-tags has a value already; a tag is given once, and those of the key stay as they are";
            Fault::client(FaultKind::Forbidden, message).with_code("tag_not_allowed")
        }
        AttributionError::EndUser => malformed(format!(
            "x-tollgate-user has up to {} bytes of text without control characters",
            identity::END_USER_BYTES_MAX
        )),
        AttributionError::Tag => malformed(format!(
            "a tag in x-tollgate-tags is name or name=value, of the characters A-Z a-z 0-9 . _ : @ / + -, with up to {} and {} bytes",
            identity::TAG_NAME_BYTES_MAX,
            identity::TAG_VALUE_BYTES_MAX
        )),
        AttributionError::TooManyTags => malformed(format!("a call has up to {TAGS_MAX} tags, those of its key included")),
    }
}

fn malformed(message: String) -> Fault {
    Fault::client(FaultKind::Malformed, message).with_code("invalid_attribution")
}
