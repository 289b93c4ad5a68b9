//! Virtual keys: made with a secret that is shown once, rotated with a grace, revoked for ever.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate_policy::identity::{Network, Scope};
use tollgate_policy::key::{self, Presented};
use tollgate_store::database::BoxFuture;
use tollgate_store::database::objects::{Change, Feature, Key, Kind, Objects, Secret, User};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::labels;
use super::members::check_patterns;
use super::problem::Problem;
use super::resource::{self, Resource, check_name, check_team, expected, found};
use super::roles::Permission;
use super::routes::{Answer, Route};
use super::{openapi, who};
use crate::control::now_ms;

/// How long a rotated secret keeps opening, when nothing is said.
const GRACE_S: u64 = 24 * 3_600;
/// The longest grace (GOVERNANCE section 2).
const GRACE_MAX_S: u64 = 7 * 24 * 3_600;
/// Members of the lists of a key.
const LIST_MAX: usize = 100;
/// What of a key is never shown.
const SECRET: &[&str] = &["secrets"];

/// A virtual key.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    name: String,
    team: String,
    /// Whose it is; none: a service key.
    user: Option<String>,
    /// Features that a caller may name; the first is meant when none is named.
    #[serde(default)]
    features: Vec<String>,
    /// Not valid before, in seconds since 1970.
    not_before_s: Option<u64>,
    /// Not valid from, in seconds since 1970.
    expires_s: Option<u64>,
    #[serde(default)]
    disabled: bool,
    /// Networks that may use it, such as `10.0.0.0/8`; empty: any.
    #[serde(default)]
    networks: Vec<String>,
    /// Narrows the team's routes.
    routes: Option<Vec<String>>,
    /// Narrows the team's models.
    models: Option<Vec<String>>,
    /// What it may do; none: the usual.
    scopes: Option<Vec<String>>,
    /// Requests at once.
    max_concurrency: Option<u32>,
    /// The highest priority, 0 to 9, that its calls have over those of others when the gateway cannot serve all.
    #[serde(default)]
    priority_max: u8,
    /// The lowest label of what is sent with it, such as `confidential` or `confidential; compartments=hr; regions=eu`; none: its team's.
    label: Option<String>,
    /// The highest label of what may be sent with it; none: any.
    max_label: Option<String>,
}

/// What is only read of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyState {
    /// The first of its secrets is the newest.
    live_secrets: Vec<LiveSecret>,
}

/// A secret that opens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveSecret {
    /// Until when, in seconds since 1970; none: as long as the key.
    valid_until_s: Option<u64>,
}

/// A rotation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// How long the secret before keeps opening, in seconds: a day when absent, a week at most, 0: not at all.
    grace_s: Option<u64>,
}

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    let (all, one) = ("/admin/v1/keys", "/admin/v1/keys/{id}");
    let mut routes = resource::routes::<Key>(
        (all, one),
        Permission::KeysRead,
        Permission::KeysWrite,
        ["list keys", "create key", "get key", "update key", "delete key"],
    );
    routes.retain(|route| route.method != Method::POST);
    routes.extend([
        Route::new(Method::POST, all, Permission::KeysWrite, "create key", |ask| Box::pin(create(ask)))
            .takes(openapi::shape::<KeyBody>)
            .answers(Answer::One(201, openapi::with_secret::<Key>))
            .creates(),
        Route::new(
            Method::POST,
            "/admin/v1/keys/{id}/rotate",
            Permission::KeysWrite,
            "rotate key",
            |ask| Box::pin(rotate(ask)),
        )
        .takes(openapi::shape::<Rotation>)
        .answers(Answer::One(200, openapi::with_secret::<Key>))
        .creates(),
        Route::new(
            Method::POST,
            "/admin/v1/keys/{id}/revoke",
            Permission::KeysWrite,
            "revoke key",
            |ask| Box::pin(revoke(ask)),
        )
        .answers(Answer::Empty),
    ]);
    routes
}

impl Resource for Key {
    type Object = Self;
    type Input = KeyBody;
    type Extra = KeyState;
    const WORD: &'static str = "key";
    const NAMED: bool = false;

    fn team(object: &Self) -> Option<&str> {
        Some(&object.team)
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, SECRET)
    }

    fn extra(object: &Self) -> KeyState {
        let shown = |secret: &Secret| LiveSecret {
            valid_until_s: secret.valid_until_s,
        };
        KeyState {
            live_secrets: object.secrets.iter().map(shown).collect(),
        }
    }

    fn check<'a>(ask: &'a Ask, input: KeyBody, before: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            check_name("name", &input.name)?;
            check_plain(&input)?;
            check_team(ask, &input.team).await?;
            if before.is_some_and(|before| before.team != input.team) {
                let detail = "a key's team cannot change, because what was spent is remembered by it; make a new key";
                return Err(Problem::conflict("team_is_fixed", detail));
            }
            check_user(ask, &input).await?;
            check_features(ask, &input).await?;
            let mut key: Self = resource::object(&input)?;
            labels::of_key(ask, before, &key)?;
            key.secrets = before.map_or_else(Vec::new, |before| before.secrets.clone());
            Ok(key)
        })
    }
}

/// What can be seen in the body alone.
fn check_plain(input: &KeyBody) -> Result<(), Problem> {
    check_patterns("routes", input.routes.as_deref())?;
    check_patterns("models", input.models.as_deref())?;
    let ill = |path, reason, remedy| Err(Problem::flaw(path, reason, remedy));
    if LIST_MAX < input.networks.len() || LIST_MAX < input.features.len() {
        return ill("networks", "or features has more than 100 members", "make more than one key");
    }
    if let Some(network) = input.networks.iter().find(|network| Network::parse(network).is_none()) {
        return ill(
            "networks",
            &format!("{network:?} is not a network"),
            "write it as 10.0.0.0/8 or 2001:db8::/32",
        );
    }
    let scopes = input.scopes.as_deref().unwrap_or_default();
    if let Some(scope) = scopes.iter().find(|scope| Scope::parse(scope).is_none()) {
        return ill(
            "scopes",
            &format!("{scope:?} is not known"),
            "see GOVERNANCE section 2 for the list, such as chat",
        );
    }
    if input.priority_max > 9 {
        return ill("priority_max", "is not a priority", "give a number from 0 to 9");
    }
    if input.max_concurrency == Some(0) {
        return ill(
            "max_concurrency",
            "is 0, so that the key could do nothing",
            "set disabled, or give a larger number",
        );
    }
    match (input.not_before_s, input.expires_s) {
        (Some(from), Some(until)) if until <= from => ill("expires_s", "is not later than not_before_s", "correct one of them"),
        _ => Ok(()),
    }
}

/// The user is there and of the key's team.
async fn check_user(ask: &Ask, input: &KeyBody) -> Result<(), Problem> {
    let Some(name) = &input.user else { return Ok(()) };
    let team = match ask.control.database.named(Kind::User, name).await? {
        Some(stored) => Some(stored.read::<User>()?.team),
        None => ask
            .control
            .configured(Kind::User)
            .iter()
            .find(|user| user["name"] == name.as_str())
            .map(|user| {
                let team = user["team"].as_str();
                team.unwrap_or_default().to_owned()
            }),
    };
    // One of another team is not there, for who sees one team.
    match team {
        Some(team) if team == input.team => Ok(()),
        _ => Err(Problem::flaw(
            "user",
            "is not a user of the team",
            "make it first, with POST /admin/v1/users",
        )),
    }
}

/// A feature that is known may be another team's.
async fn check_features(ask: &Ask, input: &KeyBody) -> Result<(), Problem> {
    for name in &input.features {
        check_name("features", name)?;
        if let Some(stored) = ask.control.database.named(Kind::Feature, name).await? {
            let feature: Feature = stored.read()?;
            if feature.team.is_some_and(|team| team != input.team) {
                return Err(Problem::flaw(
                    "features",
                    "names a feature of another team",
                    "choose one of the team's",
                ));
            }
        }
    }
    Ok(())
}

async fn create(ask: Ask) -> Result<Reply, Problem> {
    let mut key = resource::checked::<Key>(&ask, ask.body()?, None).await?;
    let text = key::make(rand::random(), rand::random());
    let Some(Presented::Ours { id, .. }) = Presented::parse(&text) else {
        return Err(unmade());
    };
    key.secrets = vec![digest(&ask, &text)];
    let change = Change::create(id, &key)?;
    ask.control.mutate(&[change], &ask.act("key.create".into())).await?;
    with_secret(resource::shown::<Key>(&ask, id, 201).await?, &text)
}

async fn rotate(ask: Ask) -> Result<Reply, Problem> {
    let rotation: Rotation = ask.body()?;
    let grace_s = rotation.grace_s.unwrap_or(GRACE_S);
    if GRACE_MAX_S < grace_s {
        return Err(Problem::flaw("grace_s", "is more than 604800 (7 days)", "give a smaller number"));
    }
    let (stored, mut key) = found::<Key>(&ask).await?;
    let version = expected(&ask, &stored)?;
    let text = key::renew(&stored.id, rand::random()).ok_or_else(unmade)?;
    let now_s = u64::try_from(now_ms() / 1_000).unwrap_or(0);
    // Two secrets at most: the one that was the older goes.
    let mut older = key.secrets.into_iter().next();
    if let Some(older) = &mut older {
        older.valid_until_s = Some(now_s.saturating_add(grace_s));
    }
    key.secrets = vec![digest(&ask, &text)];
    key.secrets.extend(older.filter(|_| 0 < grace_s));
    let change = Change::update(&stored.id, &key, Some(version))?;
    ask.control.mutate(&[change], &ask.act("key.rotate".into())).await?;
    with_secret(resource::shown::<Key>(&ask, &stored.id, 200).await?, &text)
}

async fn revoke(ask: Ask) -> Result<Reply, Problem> {
    let (stored, _) = found::<Key>(&ask).await?;
    let change = Change::Delete {
        kind: Kind::Key,
        version: Some(expected(&ask, &stored)?),
        id: stored.id,
    };
    ask.control.mutate(&[change], &ask.act("key.revoke".into())).await?;
    Ok(Reply::empty())
}

/// What is kept of a secret.
fn digest(ask: &Ask, text: &str) -> Secret {
    let made = ask.control.peppers.digest(text);
    Secret {
        digest: who::hex(made.digest.bytes()),
        pepper_version: made.version,
        valid_until_s: None,
    }
}

/// The one answer that has the secret in it.
pub(super) fn with_secret(mut reply: Reply, secret: &str) -> Result<Reply, Problem> {
    if let Some(body) = reply.body.as_mut().and_then(Value::as_object_mut) {
        body.insert("secret".into(), json!(secret));
    }
    Ok(reply)
}

fn unmade() -> Problem {
    Problem::new(
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "no key could be made; report it with the request id",
    )
}
