//! Who may call, from what was typed in the file and what the database keeps: the directory of keys, and the identity providers.

use std::collections::HashMap;
use std::sync::Arc;

use tollgate_policy::identity::issuer::{self, ClaimRule, Take};
use tollgate_policy::identity::{Allowed, Features, Network, Scope, Scopes, Tags, Team, User, VirtualKey};
use tollgate_policy::key::Peppers;
use tollgate_policy::patterns::Patterns;
use tollgate_store::directory::{Directory, Entries, PlainKey};

use super::providers::BuildError;
use super::stored::{self, Stored};
use super::{Raw, World, labels, raw};

/// The directory of all keys, teams and users. What the file names stands above what the database does.
///
/// # Errors
/// When a secret cannot be read, or a name of the file stands for nothing after all.
pub(super) fn directory(raw: &Raw, stored: &Stored, world: &World<'_>, peppers: Peppers) -> Result<Directory, BuildError> {
    let mut teams: HashMap<&str, Arc<Team>> = HashMap::new();
    for (name, team) in &raw.teams {
        teams.insert(name, Arc::new(built_team(name, team)?));
    }
    for team in &stored.teams {
        teams.entry(&team.name).or_insert_with(|| Arc::new(stored::team(team)));
    }
    let mut users: HashMap<&str, Arc<User>> = HashMap::new();
    for (name, user) in &raw.users {
        users.insert(name, Arc::new(built_user(name, user)));
    }
    for user in &stored.users {
        users.entry(&user.name).or_insert_with(|| Arc::new(stored::user(user)));
    }
    let user_of = |name: Option<&String>, team: &str| {
        name.map(|name| match users.get(name.as_str()) {
            Some(user) => Arc::clone(user),
            None => Arc::new(User {
                name: name.clone(),
                team: team.to_owned(),
                ..User::default()
            }),
        })
    };
    let plain = raw.keys.iter().map(|key| {
        let secret = key
            .secret
            .resolve(world)
            .map_err(|complaint| BuildError::new(format!("keys.{}: {complaint}", key.name)))?;
        let team = teams.get(key.team.as_str()).ok_or_else(|| BuildError::missing("team", &key.team))?;
        Ok(PlainKey {
            key: virtual_key(key, raw.teams.get(&key.team), (team, user_of(key.user.as_ref(), &key.team)))?,
            secret: secret.expose().to_owned(),
            older: None,
        })
    });
    let kept = stored.keys.iter().filter_map(|(id, key)| {
        let team = Arc::clone(teams.get(key.team.as_str())?);
        let user = user_of(key.user.as_ref(), &key.team);
        // A name of the file stands above one of the database: it may be another team's user now, and is not spent for.
        if user.as_ref().is_some_and(|user| user.team != key.team) {
            return None;
        }
        stored::key(id, key, team, user)
    });
    let entries = Entries {
        plain: plain.collect::<Result<_, BuildError>>()?,
        stored: kept.collect(),
        users: users.into_values().collect(),
        teams: teams.into_values().collect(),
    };
    Ok(Directory::build(peppers, entries))
}

fn built_team(name: &str, team: &raw::Team) -> Result<Team, BuildError> {
    Ok(Team {
        name: name.to_owned(),
        allowed: Allowed {
            routes: Some(Patterns::new(team.routes.clone())),
            models: Some(Patterns::new(team.models.clone())),
            features: team.features.clone().map(Patterns::new),
            ..Allowed::default()
        },
        disabled: team.disabled,
        label: team.label.as_ref().map(labels::label).unwrap_or_default(),
        ..Team::default()
    })
}

fn built_user(name: &str, user: &raw::User) -> User {
    User {
        name: name.to_owned(),
        team: user.team.clone(),
        disabled: user.disabled,
        ..User::default()
    }
}

fn virtual_key(
    key: &raw::Key,
    typed_team: Option<&raw::Team>,
    (team, user): (&Arc<Team>, Option<Arc<User>>),
) -> Result<VirtualKey, BuildError> {
    let patterns = |names: &Vec<String>| Patterns::new(names.clone());
    let seconds = |moment: &raw::Moment| u64::try_from(moment.get().as_second()).unwrap_or(0);
    let features = key.feature.iter().chain(key.features.iter().flatten());
    let scopes = key
        .scopes
        .as_ref()
        .map(|scopes| scopes.iter().map(|scope| self::scope(*scope)).collect::<Scopes>());
    Ok(VirtualKey {
        id: key.name.clone(),
        name: key.name.clone(),
        team: Arc::clone(team),
        user,
        features: Features::new(features),
        tags: tags(key, typed_team)?,
        not_before: key.not_before.as_ref().map(seconds),
        expires_at: key.expires.as_ref().map(seconds),
        disabled: key.disabled,
        max_concurrency: key.concurrent,
        priority_max: key.priority_max,
        label: key.label.as_ref().map(labels::label).unwrap_or_default(),
        max_label: key.max_label.as_ref().map(labels::label),
        allowed: Allowed {
            routes: key.routes.as_ref().map(patterns),
            models: key.models.as_ref().map(patterns),
            networks: key
                .allow_ips
                .iter()
                .flatten()
                .filter_map(|range| Network::parse(&range.to_string()))
                .collect(),
            scopes,
            ..Allowed::default()
        },
        ..VirtualKey::default()
    })
}

/// The key's own tags stand above its team's.
fn tags(key: &raw::Key, team: Option<&raw::Team>) -> Result<Tags, BuildError> {
    let of_team = team
        .iter()
        .flat_map(|team| &team.tags)
        .filter(|(name, _)| !key.tags.contains_key(*name));
    let pairs = of_team.chain(&key.tags).map(|(name, value)| (name.as_str(), value.as_str()));
    Tags::new(pairs).map_err(|error| BuildError::new(format!("keys.{}.tags: {error:?}", key.name)))
}

fn scope(raw: raw::Scope) -> Scope {
    match raw {
        raw::Scope::Chat => Scope::Chat,
        raw::Scope::Embeddings => Scope::Embeddings,
        raw::Scope::Images => Scope::Images,
        raw::Scope::Audio => Scope::Audio,
        raw::Scope::Realtime => Scope::Realtime,
        raw::Scope::Batch => Scope::Batch,
        raw::Scope::ModelsRead => Scope::ModelsRead,
        raw::Scope::UsageSelf => Scope::UsageSelf,
        raw::Scope::Feedback => Scope::Feedback,
        raw::Scope::LabelRaise => Scope::LabelRaise,
        raw::Scope::LabelDeclassify => Scope::LabelDeclassify,
    }
}

/// The identity providers whose tokens are believed.
pub(super) fn issuers(raw: &Raw) -> Vec<issuer::Issuer> {
    let built = raw.issuers.iter().map(|(name, issuer)| {
        let claims = &issuer.claims;
        let rule = |team: Take| ClaimRule {
            team,
            user: Some(Take::Claim(claims.user.clone())),
            features: claims.features.iter().cloned().map(Take::Claim).collect(),
            ..ClaimRule::default()
        };
        let named = claims.team.iter().cloned().map(Take::Claim);
        let usual = issuer.team.iter().cloned().map(Take::Constant);
        issuer::Issuer {
            name: name.clone(),
            issuer: issuer.issuer.clone(),
            audiences: issuer.audiences.clone(),
            jwks_url: issuer.jwks_url.to_string(),
            algorithms: issuer::Algorithm::ALL.iter().map(|(algorithm, _)| *algorithm).collect(),
            rules: named.chain(usual).map(rule).collect(),
            leeway_s: issuer::LEEWAY_S_DEFAULT,
            max_age_s: None,
        }
    });
    built.collect()
}
