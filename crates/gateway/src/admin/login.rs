//! Logging in and out, one's sessions and password. What an attempt answers, and how long it takes, is the same whatever is wrong with it.

use http::StatusCode;
use serde::{Deserialize, Serialize};
use tollgate_store::database::audit::Act;
use tollgate_store::database::objects::{Admin, Change, Kind, Objects, OneTimePassword, Role, Session, Stored};
use utoipa::ToSchema;

use super::ask::{Ask, Reply};
use super::passwords;
use super::problem::Problem;
use super::roles::Permission;
use super::routes::{Answer, Route};
use super::state::{ATTEMPTS_PER_ADDRESS, ATTEMPTS_PER_NAME, IDLE_MS, SESSION_MS};
use super::who::{COOKIE_NAME, FIRST_ADMIN, ONE_TIME, hex, secret, sha256};
use super::{admins, openapi};
use crate::control::now_ms;

/// Letters of a name that are written down when it logs in nowhere.
const NAME_CHARS_MAX: usize = 128;
/// Letters of a session's id.
const ID_CHARS: usize = 16;

/// A login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    name: String,
    password: String,
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// For `Authorization: Bearer`; also set as a cookie. Shown once.
    token: String,
    /// When the session ends, in milliseconds since 1970; an hour without use ends it too.
    expires_ms: i64,
    #[schema(value_type = admins::RoleName)]
    role: Role,
    team: Option<String>,
    /// The one-time password was used: set one with POST /admin/v1/password.
    password_unset: bool,
}

/// Who one is.
#[derive(Serialize, ToSchema)]
struct Me {
    name: String,
    #[schema(value_type = admins::RoleName)]
    role: Role,
    team: Option<String>,
    /// How one proved it: `password`, `one_time_password`, `token` or `local`.
    auth: String,
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The one in use; at the first time the one-time password.
    current: String,
    /// At least 12 characters.
    new: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
struct SessionLine {
    id: String,
    /// The admin's id.
    admin: String,
    created_ms: i64,
    expires_ms: i64,
    /// When it was last used; since the gateway's start.
    used_ms: i64,
    /// It is the one that asks.
    current: bool,
}

pub(super) fn routes() -> Vec<Route> {
    use http::Method;
    let mut routes = vec![
        Route::new(Method::GET, "/admin/v1/openapi.json", Permission::Public, "get openapi", |_| {
            Box::pin(async { Reply::ok(openapi::document()) })
        }),
        Route::new(Method::POST, "/admin/v1/login", Permission::Public, "log in", |ask| {
            Box::pin(login(ask))
        })
        .takes(openapi::shape::<Login>)
        .answers(Answer::One(200, openapi::shape::<LoggedIn>)),
        Route::new(Method::POST, "/admin/v1/logout", Permission::Own, "log out", |ask| {
            Box::pin(logout(ask))
        })
        .answers(Answer::Empty),
        Route::new(Method::GET, "/admin/v1/me", Permission::Own, "get me", |ask| Box::pin(me(ask)))
            .answers(Answer::One(200, openapi::shape::<Me>)),
        Route::new(Method::POST, "/admin/v1/password", Permission::Own, "set password", |ask| {
            Box::pin(password(ask))
        })
        .takes(openapi::shape::<NewPassword>)
        .answers(Answer::One(200, openapi::shape::<LoggedIn>)),
        Route::new(Method::GET, "/admin/v1/sessions", Permission::Own, "list sessions", |ask| {
            Box::pin(sessions(ask))
        })
        .answers(Answer::Page(openapi::shape::<SessionLine>)),
        Route::new(
            Method::DELETE,
            "/admin/v1/sessions/{id}",
            Permission::Own,
            "delete session",
            |ask| Box::pin(end(ask)),
        )
        .answers(Answer::Empty),
    ];
    routes.extend(admins::routes());
    routes
}

async fn login(ask: Ask) -> Result<Reply, Problem> {
    let Login { name, password } = ask.body()?;
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    let (by_name, by_address) = (["name ", &name].concat(), format!("address {}", ask.address));
    let counted = ask
        .control
        .state
        .attempt(&by_address, ATTEMPTS_PER_ADDRESS, now_ms())
        .and_then(|()| ask.control.state.attempt(&by_name, ATTEMPTS_PER_NAME, now_ms()));
    counted.map_err(|wait| {
        Problem::too_many(
            wait,
            "too many attempts to log in; wait, or use the admin-token file on the machine itself",
        )
    })?;
    let known = known(&ask, &name).await?;
    let hash = known.as_ref().map(|known| known.hash.clone());
    if !passwords::verify(&ask.control, password, hash).await {
        refused(&ask, &name, "login").await?;
        return Err(Problem::unauthorized());
    }
    let known = known.ok_or_else(Problem::unauthorized)?;
    ask.control.state.forget(&by_name);
    let admin = (known.stored.id.as_str(), &known.admin);
    begin(&ask, admin, Vec::new(), known.one_time).await
}

/// An admin who can log in with a password.
struct Known {
    stored: Stored,
    admin: Admin,
    hash: String,
    one_time: bool,
}

async fn known(ask: &Ask, name: &str) -> Result<Option<Known>, Problem> {
    let database = &ask.control.database;
    let Some(stored) = database.named(Kind::Admin, name).await? else {
        return Ok(None);
    };
    let admin: Admin = stored.read()?;
    if admin.disabled {
        return Ok(None);
    }
    if let Some(hash) = admin.password_hash.clone() {
        return Ok(Some(Known {
            stored,
            admin,
            hash,
            one_time: false,
        }));
    }
    let first = database
        .get(Kind::OneTimePassword, ONE_TIME)
        .await?
        .filter(|first| first.deleted_ms.is_none());
    let Some(first) = first.filter(|_| name == FIRST_ADMIN) else {
        return Ok(None);
    };
    let hash = first.read::<OneTimePassword>()?.password_hash;
    Ok(Some(Known {
        stored,
        admin,
        hash,
        one_time: true,
    }))
}

/// Begins a session, with other changes in the same transaction.
async fn begin(ask: &Ask, admin: (&str, &Admin), mut changes: Vec<Change>, one_time: bool) -> Result<Reply, Problem> {
    let (id, admin) = admin;
    let (token, now_ms) = (secret("ts-"), now_ms());
    let session = Session {
        digest: hex(&sha256(token.as_bytes())),
        admin: id.to_owned(),
        created_ms: now_ms,
        expires_ms: now_ms + SESSION_MS,
    };
    let action = if changes.is_empty() { "login" } else { "password" };
    changes.push(Change::StartSession(session.clone()));
    let act = Act {
        actor: admin.name.clone(),
        auth: if one_time { "one_time_password" } else { "password" }.into(),
        ..ask.act(action.into())
    };
    ask.control.database.mutate(&changes, &act, now_ms).await?;
    let seconds = SESSION_MS / 1_000;
    let cookie = format!("{COOKIE_NAME}={token}; Path=/admin; HttpOnly; SameSite=Strict; Max-Age={seconds}");
    let mut reply = Reply::ok(LoggedIn {
        token,
        expires_ms: session.expires_ms,
        role: admin.role,
        team: admin.team.clone(),
        password_unset: one_time,
    })?;
    reply.cookie = Some(cookie);
    Ok(reply)
}

/// A refused attempt is in the audit log; attempts are few enough.
async fn refused(ask: &Ask, name: &str, action: &str) -> Result<(), Problem> {
    let act = Act {
        actor: name.to_owned(),
        auth: "password".into(),
        target: ["admin/", name].concat(),
        outcome: "refused".into(),
        ..ask.act(action.to_owned())
    };
    ask.control.database.mutate(&[], &act, now_ms()).await?;
    Ok(())
}

async fn logout(ask: Ask) -> Result<Reply, Problem> {
    if let Some(digest) = ask.who.session.clone() {
        let act = ask.act("logout".into());
        ask.control
            .database
            .mutate(&[Change::EndSession { digest }], &act, now_ms())
            .await?;
    }
    let mut reply = Reply::empty();
    reply.cookie = Some(format!("{COOKIE_NAME}=; Path=/admin; HttpOnly; SameSite=Strict; Max-Age=0"));
    Ok(reply)
}

async fn me(ask: Ask) -> Result<Reply, Problem> {
    Reply::ok(Me {
        name: ask.who.name,
        role: ask.who.role,
        team: ask.who.team,
        auth: ask.who.auth.to_owned(),
    })
}

/// A new password: all sessions end, the one-time password is used up, and a new session begins.
async fn password(ask: Ask) -> Result<Reply, Problem> {
    let NewPassword { current, new } = ask.body()?;
    if ask.who.admin.is_none() {
        return Err(Problem::conflict("no_password", "a token has no password; log in as a person"));
    }
    passwords::check(&new)?;
    let by_name = ["name ", &ask.who.name].concat();
    let wait = |wait| Problem::too_many(wait, "too many attempts; wait");
    ask.control.state.attempt(&by_name, ATTEMPTS_PER_NAME, now_ms()).map_err(wait)?;
    let known = known(&ask, &ask.who.name).await?.ok_or_else(Problem::unauthorized)?;
    if !passwords::verify(&ask.control, current, Some(known.hash.clone())).await {
        refused(&ask, &ask.who.name, "password").await?;
        return Err(Problem::flaw("current", "is not the password in use", "correct it"));
    }
    ask.control.state.forget(&by_name);
    let hash = passwords::hash(&ask.control, new).await.ok_or_else(unhashed)?;
    let admin = Admin {
        password_hash: Some(hash),
        ..known.admin
    };
    let mut changes = vec![
        Change::update(&known.stored.id, &admin, Some(known.stored.version))?,
        Change::EndSessionsOf {
            admin: known.stored.id.clone(),
        },
    ];
    if known.one_time {
        changes.push(Change::Delete {
            kind: Kind::OneTimePassword,
            id: ONE_TIME.into(),
            version: None,
        });
    }
    begin(&ask, (&known.stored.id, &admin), changes, false).await
}

pub(super) fn unhashed() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the password could not be hashed; report it with the request id",
    )
}

/// One's own sessions; an owner sees all.
async fn sessions(ask: Ask) -> Result<Reply, Problem> {
    let lines = seen(&ask).await?.into_iter().map(|session| {
        let line = SessionLine {
            id: id_of(&session),
            used_ms: ask.control.state.seen(&session.digest, session.created_ms),
            current: ask.who.session.as_deref() == Some(&session.digest),
            admin: session.admin,
            created_ms: session.created_ms,
            expires_ms: session.expires_ms,
        };
        serde_json::to_value(line).unwrap_or_default()
    });
    Reply::page(lines.collect(), None)
}

async fn end(ask: Ask) -> Result<Reply, Problem> {
    let session = seen(&ask).await?.into_iter().find(|session| id_of(session) == ask.id());
    let session = session.ok_or_else(|| Problem::not_found("session"))?;
    let change = Change::EndSession { digest: session.digest };
    ask.control
        .database
        .mutate(&[change], &ask.act("session.end".into()), now_ms())
        .await?;
    Ok(Reply::empty())
}

async fn seen(ask: &Ask) -> Result<Vec<Session>, Problem> {
    let now_ms = now_ms();
    let mut all = ask.control.database.sessions(now_ms).await?;
    let owner = ask.who.role == Role::Owner;
    all.retain(|session| owner || ask.who.admin.as_ref() == Some(&session.admin));
    all.retain(|session| now_ms - ask.control.state.seen(&session.digest, session.created_ms) <= IDLE_MS);
    Ok(all)
}

/// A session's name: it says nothing of the digest that opens it.
fn id_of(session: &Session) -> String {
    let digest = sha256(["session ", &session.digest].concat().as_bytes());
    hex(&digest).chars().take(ID_CHARS).collect()
}
