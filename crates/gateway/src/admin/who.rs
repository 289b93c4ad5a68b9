//! Who asks: a session, an `ak-` token of a program, or the token file of this machine. A credential is looked at before any table is; what
//! is kept of it is its SHA-256 alone (R-A9: it has 256 random bits). Roles are read at each use, so that a change counts at once.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, ORIGIN};
use sha2::{Digest as _, Sha256};
use tollgate_policy::key::Digest;
use tollgate_store::database::Error;
use tollgate_store::database::audit::Act;
use tollgate_store::database::objects::{Admin, ApiToken, Change, Kind, Objects, OneTimePassword, Role};

use super::passwords;
use super::problem::Problem;
use super::state::{SESSION_MS, held};
use crate::control::{Control, now_ms, write_private};

/// The cookie of the dashboard.
pub(crate) const COOKIE_NAME: &str = "tollgate_session";
/// The file with the local token, in the data folder.
pub(crate) const TOKEN_FILE: &str = "admin-token";
/// The admin that the one-time password is for.
pub(crate) const FIRST_ADMIN: &str = "admin";
/// The id of the one-time password.
pub(crate) const ONE_TIME: &str = "first";
/// Base64 letters of 32 bytes.
const SECRET_CHARS: usize = 43;
/// Letters of a token's public id.
const TOKEN_ID_CHARS: usize = 16;

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// The name for the audit log.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The only team that it sees and changes.
    pub(crate) team: Option<String>,
    /// How it proved who it is: the word of the audit log.
    pub(crate) auth: &'static str,
    /// The id of the admin, of a person.
    pub(crate) admin: Option<String>,
    /// The digest of the session's token.
    pub(crate) session: Option<String>,
}

impl Principal {
    /// Nobody: for what needs no login.
    pub(crate) fn nobody() -> Self {
        Self {
            name: String::new(),
            role: Role::Viewer,
            team: Some(String::new()),
            auth: "none",
            admin: None,
            session: None,
        }
    }

    /// Whether what belongs to a team may be seen and changed. The one rule between tenants.
    pub(crate) fn reaches(&self, team: Option<&str>) -> bool {
        match &self.team {
            None => true,
            Some(own) => team == Some(own),
        }
    }
}

/// What the process needs to show when it starts.
#[derive(Debug)]
pub struct Prepared {
    /// Shown once; good for the first login as `admin`, until a password is set.
    pub one_time_password: Option<String>,
    /// The file with the local token.
    pub token_file: PathBuf,
}

/// Makes the token file, and the one-time password as long as nobody has a password.
///
/// # Errors
/// What could not be read or written.
pub async fn prepare(control: &Arc<Control>) -> Result<Prepared, String> {
    let token = secret("al-");
    let token_file = control.data.join(TOKEN_FILE);
    write_private(&token_file, [&token, "\n"].concat().as_bytes())
        .map_err(|error| format!("{}: cannot be written: {error}", token_file.display()))?;
    *held(&control.state.local) = Some(Digest::from_bytes(sha256(token.as_bytes())));
    let one_time_password = first_password(control).await.map_err(|error| error.to_string())?;
    Ok(Prepared {
        one_time_password,
        token_file,
    })
}

/// A new one-time password at each start until the first password is set: only its hash is kept, so the older one cannot be shown again.
async fn first_password(control: &Arc<Control>) -> Result<Option<String>, Error> {
    let database = &control.database;
    let admin = database.named(Kind::Admin, FIRST_ADMIN).await?;
    let listing = tollgate_store::database::objects::Listing {
        limit: 2,
        ..Default::default()
    };
    let alone = database.list(Kind::Admin, &listing).await?.len() <= usize::from(admin.is_some());
    let unset = match &admin {
        Some(stored) => stored.read::<Admin>()?.password_hash.is_none(),
        None => true,
    };
    if !unset || !alone {
        return Ok(None);
    }
    let password = secret("");
    let Some(hash) = passwords::hash_random(&password) else {
        return Ok(None);
    };
    let first = OneTimePassword {
        password_hash: hash,
        expires_s: None,
    };
    let mut changes = Vec::new();
    if admin.is_none() {
        let admin = Admin {
            name: FIRST_ADMIN.into(),
            role: Role::Owner,
            team: None,
            password_hash: None,
            disabled: false,
        };
        changes.push(Change::create(&random_id(), &admin)?);
    }
    changes.push(match database.get(Kind::OneTimePassword, ONE_TIME).await? {
        Some(_) => Change::update(ONE_TIME, &first, None)?,
        None => Change::create(ONE_TIME, &first)?,
    });
    let act = Act {
        actor: "tollgate".into(),
        auth: "local".into(),
        action: "one_time_password.make".into(),
        outcome: "done".into(),
        ..Act::default()
    };
    database.mutate(&changes, &act, now_ms()).await?;
    Ok(Some(password))
}

/// Who asks, and whether by cookie.
pub(crate) async fn authenticate(control: &Control, headers: &HeaderMap) -> Result<(Principal, bool), Problem> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (token, by_cookie) = match (given.next(), given.next()) {
        (Some(header), None) => (bearer(header.to_str().unwrap_or_default()), false),
        (None, _) => (cookie(headers), true),
        // Two credentials: nobody knows which one a proxy in front looked at.
        (Some(_), Some(_)) => (None, false),
    };
    let token = token.ok_or_else(Problem::unauthorized)?;
    let digest = sha256(token.as_bytes());
    let principal = match token.split_at_checked(3) {
        Some(("al-", rest)) if is_secret(rest) => local(control, digest),
        Some(("ts-", rest)) if is_secret(rest) => session(control, &hex(&digest)).await?,
        Some(("ak-", rest)) if !by_cookie => program(control, rest, digest).await?,
        _ => None,
    };
    let principal = principal.filter(|principal| principal.role != Role::TeamAdmin || principal.team.is_some());
    principal.map(|principal| (principal, by_cookie)).ok_or_else(Problem::unauthorized)
}

fn local(control: &Control, digest: [u8; 32]) -> Option<Principal> {
    let known = *held(&control.state.local);
    let same = known?.matches(&Digest::from_bytes(digest));
    same.then(|| Principal {
        name: "local".into(),
        role: Role::Owner,
        team: None,
        auth: "local",
        admin: None,
        session: None,
    })
}

async fn session(control: &Control, digest: &str) -> Result<Option<Principal>, Problem> {
    let now_ms = now_ms();
    let Some(session) = control.database.session(digest, now_ms).await? else {
        return Ok(None);
    };
    if SESSION_MS < now_ms.saturating_sub(session.created_ms) || !control.state.touch(digest, session.created_ms, now_ms) {
        return Ok(None);
    }
    let stored = control.database.get(Kind::Admin, &session.admin).await?;
    let Some(stored) = stored.filter(|stored| stored.deleted_ms.is_none()) else {
        return Ok(None);
    };
    let admin: Admin = stored.read()?;
    let auth = if admin.password_hash.is_some() {
        "password"
    } else {
        "one_time_password"
    };
    Ok((!admin.disabled).then(|| Principal {
        name: admin.name,
        role: admin.role,
        team: team_of(admin.role, admin.team),
        auth,
        admin: Some(stored.id),
        session: Some(digest.to_owned()),
    }))
}

async fn program(control: &Control, rest: &str, digest: [u8; 32]) -> Result<Option<Principal>, Problem> {
    let shaped = rest
        .split_once('_')
        .filter(|(id, tail)| id.len() == TOKEN_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_secret(tail));
    let Some((id, _)) = shaped else { return Ok(None) };
    let Some(stored) = control
        .database
        .get(Kind::ApiToken, id)
        .await?
        .filter(|stored| stored.deleted_ms.is_none())
    else {
        return Ok(None);
    };
    let token: ApiToken = stored.read()?;
    let now_s = u64::try_from(now_ms() / 1_000).unwrap_or(u64::MAX);
    let same = unhex(&token.digest).is_some_and(|known| Digest::from_bytes(known).matches(&Digest::from_bytes(digest)));
    let good = same && token.expires_s.is_none_or(|until| now_s < until);
    Ok(good.then(|| Principal {
        name: token.name,
        role: token.role,
        team: team_of(token.role, token.team),
        auth: "token",
        admin: None,
        session: None,
    }))
}

/// A team admin is bound to its team; who has another role is not, whatever its object says.
fn team_of(role: Role, team: Option<String>) -> Option<String> {
    team.filter(|_| role == Role::TeamAdmin)
}

/// Whether a change that came with a cookie was asked for by our own pages: a browser says so itself.
pub(crate) fn same_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let same = match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => {
            let origin = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
            origin.is_some_and(|(_, authority)| text(HOST.as_str()) == Some(authority))
        }
    };
    same.then_some(())
        .ok_or_else(|| Problem::forbidden("a change with a cookie must come from the dashboard's own origin; use Authorization: Bearer"))
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// A new secret of 256 random bits.
pub(crate) fn secret(prefix: &str) -> String {
    let bytes: [u8; 32] = rand::random();
    [prefix, &URL_SAFE_NO_PAD.encode(bytes)].concat()
}

fn is_secret(text: &str) -> bool {
    text.len() == SECRET_CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A new id for an object.
pub(crate) fn random_id() -> String {
    hex(&rand::random::<[u8; TOKEN_ID_CHARS / 2]>())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let bytes = digits.chunks_exact(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}
