//! The people and programs who may use this API. Only an owner makes them, and the last owner stays.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_store::database::BoxFuture;
use tollgate_store::database::objects::{Admin, ApiToken, Change, Role};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::keys::with_secret;
use super::login::unhashed;
use super::members::NoMore;
use super::problem::Problem;
use super::resource::{self, Resource, check_name, check_team, found};
use super::roles::Permission;
use super::routes::{Answer, Route};
use super::{openapi, passwords, who};

/// What an admin may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleName {
    /// Everything.
    Owner,
    /// Keys, teams, kill switches.
    SecurityAdmin,
    /// Limits, budgets, spend, the ledger.
    BillingAdmin,
    /// Limits and kill switches.
    Operator,
    /// Reads; approves what others propose.
    Approver,
    /// Reads everything, changes nothing.
    Auditor,
    /// One team's keys, users and features.
    TeamAdmin,
    /// Reads, but not the ledger nor the audit log.
    Viewer,
}

/// A person who may use this API.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminBody {
    /// The name to log in with.
    name: String,
    role: RoleName,
    /// The team of a team admin.
    team: Option<String>,
    #[serde(default)]
    disabled: bool,
    /// At least 12 characters; written, never read.
    #[serde(skip_serializing)]
    password: Option<String>,
}

/// A program that may use this API.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    name: String,
    role: RoleName,
    /// The team of a team admin.
    team: Option<String>,
    /// Not valid from, in seconds since 1970.
    expires_s: Option<u64>,
}

/// What is only read of an admin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdminState {
    has_password: bool,
}

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    let mut admins = resource::routes::<Admin>(
        ("/admin/v1/admins", "/admin/v1/admins/{id}"),
        Permission::AdminsRead,
        Permission::AdminsWrite,
        ["list admins", "create admin", "get admin", "update admin", "delete admin"],
    );
    admins.retain(|route| route.method != Method::PATCH);
    let mut tokens = resource::routes::<ApiToken>(
        ("/admin/v1/tokens", "/admin/v1/tokens/{id}"),
        Permission::AdminsRead,
        Permission::AdminsWrite,
        ["list tokens", "create token", "get token", "update token", "delete token"],
    );
    tokens.retain(|route| matches!(route.method, Method::GET | Method::DELETE));
    admins.extend(tokens);
    admins.extend([
        Route::new(
            Method::PATCH,
            "/admin/v1/admins/{id}",
            Permission::AdminsWrite,
            "update admin",
            |ask| Box::pin(update(ask)),
        )
        .takes(openapi::part::<AdminBody>)
        .answers(Answer::One(200, openapi::kept::<Admin>)),
        Route::new(Method::POST, "/admin/v1/tokens", Permission::AdminsWrite, "create token", |ask| {
            Box::pin(create_token(ask))
        })
        .takes(openapi::shape::<TokenBody>)
        .answers(Answer::One(201, openapi::with_secret::<ApiToken>))
        .creates(),
    ]);
    admins
}

impl Resource for Admin {
    type Object = Self;
    type Input = AdminBody;
    type Extra = AdminState;
    const WORD: &'static str = "admin";

    fn team(_: &Self) -> Option<&str> {
        None
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, &["password_hash"])
    }

    fn extra(object: &Self) -> AdminState {
        AdminState {
            has_password: object.password_hash.is_some(),
        }
    }

    fn check<'a>(ask: &'a Ask, input: AdminBody, before: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            check_name("name", &input.name)?;
            check_role(ask, input.role, input.team.as_deref()).await?;
            let password_hash = match input.password {
                None => before.and_then(|before| before.password_hash.clone()),
                Some(password) => {
                    passwords::check(&password)?;
                    Some(passwords::hash(&ask.control, password).await.ok_or_else(unhashed)?)
                }
            };
            Ok(Self {
                name: input.name,
                role: role(input.role),
                team: input.team,
                password_hash,
                disabled: input.disabled,
            })
        })
    }

    fn may_go<'a>(ask: &'a Ask, object: &'a Self) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(another_owner(ask, &object.name))
    }
}

impl Resource for ApiToken {
    type Object = Self;
    type Input = TokenBody;
    type Extra = NoMore;
    const WORD: &'static str = "token";

    fn team(_: &Self) -> Option<&str> {
        None
    }

    fn input(object: &Self) -> Result<Value, Problem> {
        resource::members(object, &["digest"])
    }

    fn extra(_: &Self) -> NoMore {
        NoMore {}
    }

    fn check<'a>(ask: &'a Ask, input: TokenBody, _: Option<&'a Self>) -> BoxFuture<'a, Result<Self, Problem>> {
        Box::pin(async move {
            check_name("name", &input.name)?;
            check_role(ask, input.role, input.team.as_deref()).await?;
            Ok(Self {
                name: input.name,
                role: role(input.role),
                team: input.team,
                digest: String::new(),
                expires_s: input.expires_s,
            })
        })
    }
}

/// Another role, team or password ends all sessions of the admin.
async fn update(ask: Ask) -> Result<Reply, Problem> {
    let (stored, before) = found::<Admin>(&ask).await?;
    let version = resource::expected(&ask, &stored)?;
    let after = resource::merged::<Admin>(&ask, &before).await?;
    if after.role != Role::Owner || after.disabled {
        another_owner(&ask, &before.name).await?;
    }
    let changes = [
        Change::update(&stored.id, &after, Some(version))?,
        Change::EndSessionsOf { admin: stored.id.clone() },
    ];
    ask.control.mutate(&changes, &ask.act("admin.update".into())).await?;
    resource::shown::<Admin>(&ask, &stored.id, 200).await
}

async fn create_token(ask: Ask) -> Result<Reply, Problem> {
    let mut token = ApiToken::check(&ask, ask.body()?, None).await?;
    let id = who::random_id();
    let text = who::secret(&["ak-", &id, "_"].concat());
    token.digest = who::hex(&who::sha256(text.as_bytes()));
    ask.control
        .mutate(&[Change::create(&id, &token)?], &ask.act("token.create".into()))
        .await?;
    with_secret(resource::shown::<ApiToken>(&ask, &id, 201).await?, &text)
}

/// The last owner who can log in stays one: nobody else could make another.
async fn another_owner(ask: &Ask, name: &str) -> Result<(), Problem> {
    let is_owner = |admin: &Admin| admin.role == Role::Owner && !admin.disabled;
    let this = resource::any::<Admin>(ask, |_, admin| admin.name == name && is_owner(admin)).await?;
    let other = resource::any::<Admin>(ask, |_, admin| admin.name != name && is_owner(admin)).await?;
    match (this, other) {
        (Some(_), None) => Err(Problem::conflict("last_owner", "that is the last owner; make another one first")),
        _ => Ok(()),
    }
}

/// A team admin has a team, which is there; nobody else has one.
async fn check_role(ask: &Ask, role: RoleName, team: Option<&str>) -> Result<(), Problem> {
    match (role, team) {
        (RoleName::TeamAdmin, Some(team)) => check_team(ask, team).await,
        (RoleName::TeamAdmin, None) => Err(Problem::flaw("team", "is missing", "say which team the team admin is of")),
        (_, Some(_)) => Err(Problem::flaw(
            "team",
            "is for team admins alone",
            "leave it out, or choose the role team_admin",
        )),
        (_, None) => Ok(()),
    }
}

fn role(name: RoleName) -> Role {
    match name {
        RoleName::Owner => Role::Owner,
        RoleName::SecurityAdmin => Role::SecurityAdmin,
        RoleName::BillingAdmin => Role::BillingAdmin,
        RoleName::Operator => Role::Operator,
        RoleName::Approver => Role::Approver,
        RoleName::Auditor => Role::Auditor,
        RoleName::TeamAdmin => Role::TeamAdmin,
        RoleName::Viewer => Role::Viewer,
    }
}
