//! What the admin API keeps in the database beside the config file: teams, users, keys, limits, budgets and their increases, read as one state.
//! What the file names stands above what the database does.

use std::net::IpAddr;
use std::sync::Arc;

use tollgate_policy::budgets::Increase;
use tollgate_policy::identity::{Allowed, Features, Network, Scope, Scopes, Secret, Secrets, Team, User, VirtualKey};
use tollgate_policy::key::{Digest, Versioned};
use tollgate_policy::labels::Label;
use tollgate_policy::money::NanoUsd;
use tollgate_policy::patterns::Patterns;
use tollgate_store::database::objects::{self, Kind, Listing, Object, Objects};
use tollgate_store::database::{Database, Error};

use super::spending::Typed;

/// Objects read at one time.
const PAGE: u32 = 1_000;

/// One state of the database's objects.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Teams.
    pub teams: Vec<objects::Team>,
    /// Users.
    pub users: Vec<objects::User>,
    /// Keys, with their ids.
    pub keys: Vec<(String, objects::Key)>,
    /// The lowest labels of what is sent for features, by their names.
    pub feature_labels: Vec<(String, Label)>,
    /// Limits and budgets.
    pub typed: Typed,
    /// Objects that could not be read, each with its reason: they do not count.
    pub ill: Vec<String>,
    /// The database's revision.
    pub revision: i64,
}

impl Stored {
    /// Reads all of it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(database: &Database) -> Result<Self, Error> {
        let mut stored = Self {
            revision: database.revision().await?,
            ..Self::default()
        };
        stored.teams = all(database).await?.into_iter().map(|(_, team)| team).collect();
        stored.users = all(database).await?.into_iter().map(|(_, user)| user).collect();
        stored.keys = all(database).await?;
        let features = all::<objects::Feature>(database).await?.into_iter();
        stored.feature_labels = features
            .filter_map(|(_, feature)| Some((feature.name, floor(Some(feature.label.as_deref()?)))))
            .collect();
        for (_, limit) in all::<objects::Limit>(database).await? {
            match serde_json::from_value(limit.rule) {
                Ok(rule) => stored.typed.limits.push(rule),
                Err(error) => stored.ill.push(format!("limit \"{}\": {error}", limit.name)),
            }
        }
        for (_, budget) in all::<objects::Budget>(database).await? {
            match serde_json::from_value(budget.rule) {
                Ok(rule) => stored.typed.budgets.push(rule),
                Err(error) => stored.ill.push(format!("budget \"{}\": {error}", budget.name)),
            }
        }
        for (_, increase) in all::<objects::Increase>(database).await? {
            let grant = Increase {
                amount: NanoUsd(increase.amount),
                from: increase.from_s,
                until: increase.until_s,
                scope: increase.scope.into_iter().collect(),
            };
            stored.typed.increases.push((increase.budget, grant));
        }
        Ok(stored)
    }
}

async fn all<T: Object>(database: &Database) -> Result<Vec<(String, T)>, Error> {
    let kind: Kind = T::KIND;
    let mut listing = Listing {
        limit: PAGE,
        ..Listing::default()
    };
    let mut found = Vec::new();
    loop {
        let page = database.list(kind, &listing).await?;
        for object in &page {
            found.push((object.id.clone(), object.read::<T>()?));
        }
        let Some(last) = page.last().filter(|_| page.len() == PAGE as usize) else {
            return Ok(found);
        };
        listing.after = Some(last.id.clone());
    }
}

/// A team as callers meet it.
#[must_use]
pub fn team(team: &objects::Team) -> Team {
    Team {
        name: team.name.clone(),
        allowed: Allowed {
            routes: team.routes.as_deref().map(patterns),
            models: team.models.as_deref().map(patterns),
            ..Allowed::default()
        },
        label: floor(team.label.as_deref()),
        ..Team::default()
    }
}

/// A floor that cannot be read lets nothing go anywhere, rather than everything.
fn floor(text: Option<&str>) -> Label {
    text.map_or_else(Label::default, |text| Label::parse(text).unwrap_or_else(|_| Label::unreadable()))
}

/// A user as callers meet them.
#[must_use]
pub fn user(user: &objects::User) -> User {
    User {
        name: user.name.clone(),
        team: user.team.clone(),
        disabled: user.disabled,
        ..User::default()
    }
}

/// A key as callers meet it; `None`: it has no secret that can be read.
#[must_use]
pub fn key(id: &str, key: &objects::Key, team: Arc<Team>, user: Option<Arc<User>>) -> Option<VirtualKey> {
    let mut secrets = key.secrets.iter().filter_map(secret);
    let newest = secrets.next()?;
    let mut kept = Secrets::new(newest.digest);
    if let Some(older) = secrets.next() {
        kept = kept.with_older(older.digest, older.valid_until.unwrap_or(u64::MAX));
    }
    let scopes = key
        .scopes
        .as_ref()
        .map(|names| names.iter().filter_map(|name| Scope::parse(name)).collect::<Scopes>());
    Some(VirtualKey {
        id: id.to_owned(),
        name: key.name.clone(),
        team,
        user,
        features: Features::new(&key.features),
        secrets: kept,
        not_before: key.not_before_s,
        expires_at: key.expires_s,
        disabled: key.disabled,
        allowed: Allowed {
            routes: key.routes.as_deref().map(patterns),
            models: key.models.as_deref().map(patterns),
            networks: networks(&key.networks),
            scopes,
            ..Allowed::default()
        },
        max_concurrency: key.max_concurrency,
        priority_max: key.priority_max,
        label: floor(key.label.as_deref()),
        // One that cannot be read lets only what is public go.
        max_label: key.max_label.as_deref().map(|text| Label::parse(text).unwrap_or_default()),
        ..VirtualKey::default()
    })
}

/// A list of networks that cannot be read allows nobody, rather than everybody.
fn networks(texts: &[String]) -> Vec<Network> {
    let nobody = || Network::parse(&IpAddr::from([0_u8; 16]).to_string());
    texts.iter().filter_map(|text| Network::parse(text).or_else(nobody)).collect()
}

fn patterns(names: &[String]) -> Patterns {
    Patterns::new(names.to_vec())
}

fn secret(stored: &objects::Secret) -> Option<Secret> {
    let bytes = (0..stored.digest.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(stored.digest.get(at..at + 2)?, 16).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    Some(Secret {
        digest: Versioned {
            version: stored.pepper_version,
            digest: Digest::from_bytes(bytes.try_into().ok()?),
        },
        valid_until: stored.valid_until_s,
    })
}
