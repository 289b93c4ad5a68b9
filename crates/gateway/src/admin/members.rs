//! Teams, their users, and features.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_store::database::BoxFuture;
use tollgate_store::database::objects::{Feature, Key, Team, User};
use utoipa::ToSchema;

use super::ask::Ask;
use super::labels;
use super::problem::Problem;
use super::resource::{self, Resource, check_name, check_team};
use super::roles::Permission;
use super::routes::Route;

/// Patterns of a list.
const PATTERNS_MAX: usize = 100;
/// Letters of a pattern.
const PATTERN_CHARS_MAX: usize = 256;

/// A team: owns keys and users, and bounds what they may call.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeamBody {
    name: String,
    /// Patterns of routes that it may call, such as `support-*`; none: all.
    routes: Option<Vec<String>>,
    /// Patterns of models that it may call, such as `openai/*`; none: as config says.
    models: Option<Vec<String>>,
    /// The lowest label of what its callers send, such as `internal`; none: `public`.
    label: Option<String>,
    #[serde(default)]
    description: String,
}

/// A person who owns keys.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBody {
    name: String,
    team: String,
    email: Option<String>,
    /// Switched off, with all keys.
    #[serde(default)]
    disabled: bool,
}

/// An application or use case.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeatureBody {
    name: String,
    /// The team that it belongs to; none: any.
    team: Option<String>,
    /// The lowest label of what is sent for it, such as `confidential`; none: `public`.
    label: Option<String>,
    #[serde(default)]
    description: String,
}

/// Nothing more is shown than what was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoMore {}

pub(super) fn routes() -> Vec<Route> {
    let mut routes = resource::routes::<Team>(
        ("/admin/v1/teams", "/admin/v1/teams/{id}"),
        Permission::TeamsRead,
        Permission::TeamsWrite,
        ["list teams", "create team", "get team", "update team", "delete team"],
    );
    routes.extend(resource::routes::<User>(
        ("/admin/v1/users", "/admin/v1/users/{id}"),
        Permission::TeamsRead,
        Permission::MembersWrite,
        ["list users", "create user", "get user", "update user", "delete user"],
    ));
    routes.extend(resource::routes::<Feature>(
        ("/admin/v1/features", "/admin/v1/features/{id}"),
        Permission::TeamsRead,
        Permission::MembersWrite,
        ["list features", "create feature", "get feature", "update feature", "delete feature"],
    ));
    routes
}

impl Resource for Team {
    type Object = Self;
    type Input = TeamBody;
    type Extra = NoMore;
    const WORD: &'static str = "team";

    fn team(object: &Self) -> Option<&str> {
        Some(&object.name)
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, &[])
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(_: &'a Ask, input: TeamBody, _: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            check_name("name", &input.name)?;
            check_patterns("routes", input.routes.as_deref())?;
            check_patterns("models", input.models.as_deref())?;
            labels::read("label", input.label.as_deref())?;
            resource::object(&input)
        })
    }

    fn may_go<'a>(ask: &'a Ask, object: &'a Self) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            let key = resource::any::<Key>(ask, |_, key| key.team == object.name).await?;
            let user = resource::any::<User>(ask, |_, user| user.team == object.name).await?;
            match (key, user) {
                (None, None) => Ok(()),
                _ => Err(in_use("the team has keys or users; revoke and delete them first")),
            }
        })
    }
}

impl Resource for User {
    type Object = Self;
    type Input = UserBody;
    type Extra = NoMore;
    const WORD: &'static str = "user";

    fn team(object: &Self) -> Option<&str> {
        Some(&object.team)
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, &[])
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(ask: &'a Ask, input: UserBody, before: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            check_name("name", &input.name)?;
            check_team(ask, &input.team).await?;
            if before.is_some_and(|before| before.team != input.team) {
                // Keys of the user would be another team's.
                in_use_unless(
                    resource::any::<Key>(ask, |_, key| key.user.as_deref() == Some(&input.name))
                        .await?
                        .is_none(),
                )?;
            }
            resource::object(&input)
        })
    }

    fn may_go<'a>(ask: &'a Ask, object: &'a Self) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            let key = resource::any::<Key>(ask, |_, key| key.user.as_deref() == Some(&object.name)).await?;
            in_use_unless(key.is_none())
        })
    }
}

impl Resource for Feature {
    type Object = Self;
    type Input = FeatureBody;
    type Extra = NoMore;
    const WORD: &'static str = "feature";

    fn team(object: &Self) -> Option<&str> {
        object.team.as_deref()
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, &[])
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(ask: &'a Ask, input: FeatureBody, before: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            check_name("name", &input.name)?;
            if let Some(team) = &input.team {
                check_team(ask, team).await?;
            }
            labels::floor(ask, before.and_then(|feature| feature.label.as_deref()), input.label.as_deref())?;
            resource::object(&input)
        })
    }

    fn may_go<'a>(ask: &'a Ask, object: &'a Self) -> BoxFuture<'a, Result<(), Problem>> {
        // Its label would go with it.
        Box::pin(async move { labels::floor(ask, object.label.as_deref(), None) })
    }
}

fn in_use(detail: &str) -> Problem {
    Problem::conflict("in_use", detail)
}

fn in_use_unless(free: bool) -> Result<(), Problem> {
    free.then_some(()).ok_or_else(|| in_use("the user has keys; revoke them first"))
}

/// Patterns of routes or models.
pub(super) fn check_patterns(path: &str, patterns: Option<&[String]>) -> Result<(), Problem> {
    let patterns = patterns.unwrap_or_default();
    if PATTERNS_MAX < patterns.len() {
        return Err(Problem::flaw(path, "has more than 100 patterns", "use wildcards, as in openai/*"));
    }
    let plain =
        |pattern: &String| !pattern.is_empty() && pattern.chars().count() <= PATTERN_CHARS_MAX && !pattern.chars().any(char::is_control);
    match patterns.iter().all(plain) {
        true => Ok(()),
        false => Err(Problem::flaw(
            path,
            "has a pattern that is empty, too long, or not plain text",
            "correct it",
        )),
    }
}
