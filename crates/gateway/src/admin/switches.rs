//! Kill switches. On at once: when the answer arrives, nothing passes any more. They work while the database does not: then the gateway keeps
//! them in its own file, and the answer says so.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_policy::switches as policy;
use tollgate_store::database::BoxFuture;
use tollgate_store::database::objects::{Change, Switch, SwitchMode, SwitchScope};

use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::members::NoMore;
use super::problem::Problem;
use super::resource::{self, Resource};
use super::roles::Permission;
use super::routes::Route;
use super::{openapi, who};
use crate::control::now_ms;

/// What is blocked.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Blocked {
    Everything,
    Team,
    User,
    Key,
    Feature,
    Route,
    Model,
    Provider,
}

/// How hard.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// New requests alone.
    BlockNew,
    /// Those under way too.
    AbortInflight,
}

/// A kill switch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchBody {
    scope: Blocked,
    /// Which one: a name, or a key's id; empty for everything.
    #[serde(default)]
    value: String,
    mode: How,
    /// Why: whoever finds it on will want to know.
    reason: String,
}

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    let (all, one) = ("/admin/v1/switches", "/admin/v1/switches/{id}");
    let mut routes = resource::routes::<Switch>(
        (all, one),
        Permission::SwitchesRead,
        Permission::SwitchesWrite,
        ["list switches", "create switch", "get switch", "update switch", "delete switch"],
    );
    // A switch is on or gone; another reason is another switch.
    routes.retain(|route| matches!(route.method, Method::GET | Method::DELETE));
    routes.push(
        Route::new(Method::POST, all, Permission::SwitchesWrite, "create switch", |ask| {
            Box::pin(create(ask))
        })
        .takes(openapi::shape::<SwitchBody>)
        .answers(super::routes::Answer::One(201, openapi::kept::<Switch>))
        .creates(),
    );
    routes
}

impl Resource for Switch {
    type Object = Self;
    type Input = SwitchBody;
    type Extra = NoMore;
    const WORD: &'static str = "switch";

    fn team(_: &Self) -> Option<&str> {
        None
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, &[])
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(_: &'a Ask, input: SwitchBody, _: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            let everything = matches!(input.scope, Blocked::Everything);
            if everything != input.value.is_empty() {
                let remedy = "say which one, or scope everything without a value";
                return Err(Problem::flaw("value", "does not fit the scope", remedy));
            }
            if input.reason.trim().is_empty() {
                return Err(Problem::flaw(
                    "reason",
                    "is empty",
                    "say why; whoever finds it on will want to know",
                ));
            }
            resource::object(&input)
        })
    }
}

async fn create(ask: Ask) -> Result<Reply, Problem> {
    let switch = Switch::check(&ask, ask.body()?, None).await?;
    let mut act = ask.act("switch.on".into());
    act.reason.clone_from(&switch.reason);
    let done = on(&ask, &switch, &act).await;
    match done {
        Ok(id) => resource::shown::<Switch>(&ask, &id, 201).await,
        Err(problem) if problem.code == "database_unavailable" => alone(&ask, &switch).await,
        Err(problem) => Err(problem),
    }
}

/// In the database, with its audit record.
async fn on(ask: &Ask, switch: &Switch, act: &tollgate_store::database::audit::Act) -> Result<String, Problem> {
    let same = |other: &Switch| (other.scope, &other.value) == (switch.scope, &switch.value);
    let is_on = resource::any::<Switch>(ask, |_, other| same(other)).await?;
    if let Some(stored) = is_on {
        let detail = format!("that switch is on already, as {}; delete it first to change it", stored.id);
        return Err(Problem::conflict("taken", detail));
    }
    let id = who::random_id();
    ask.control.mutate(&[Change::create(&id, switch)?], act).await?;
    Ok(id)
}

/// Without the database: in memory and in the local file.
async fn alone(ask: &Ask, switch: &Switch) -> Result<Reply, Problem> {
    let local = local(ask, switch);
    let done = ask.control.live.emergency(&local, true).await;
    done.map_err(|reason| Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", reason))?;
    let mut view = resource::members(switch, &[])?;
    if let Some(members) = view.as_object_mut() {
        members.insert("id".into(), "local".into());
        members.insert("source".into(), "local".into());
        for name in ["version", "created_ms", "updated_ms", "deleted_ms"] {
            members.insert(name.into(), Value::Null);
        }
    }
    Reply::with(http::StatusCode::CREATED, view)
}

fn local(ask: &Ask, switch: &Switch) -> policy::Switch {
    policy::Switch {
        scope: scope(switch.scope),
        value: switch.value.clone(),
        mode: match switch.mode {
            SwitchMode::BlockNew => policy::Mode::BlockNew,
            SwitchMode::AbortInflight => policy::Mode::AbortInflight,
        },
        reason: switch.reason.clone(),
        actor: ask.who.name.clone(),
        at: u64::try_from(now_ms() / 1_000).unwrap_or(0),
    }
}

/// The same scope in the words of the request path.
#[must_use]
pub fn scope(scope: SwitchScope) -> policy::Scope {
    match scope {
        SwitchScope::Everything => policy::Scope::All,
        SwitchScope::Team => policy::Scope::Team,
        SwitchScope::User => policy::Scope::User,
        SwitchScope::Key => policy::Scope::Key,
        SwitchScope::Feature => policy::Scope::Feature,
        SwitchScope::Route => policy::Scope::Route,
        SwitchScope::Model => policy::Scope::Model,
        SwitchScope::Provider => policy::Scope::Provider,
    }
}
