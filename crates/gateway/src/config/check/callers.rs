//! Users and identity providers: teams that exist, and tokens that can be told to belong to one.

use super::super::document::Path;
use super::super::raw::{Database, Issuer};
use super::super::suggest::{did_you_mean, listed};
use super::super::units::shown;
use super::Context;

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    for (name, user) in &raw.users {
        let path = Path::of("users").key(name);
        user_name(context, &path, name);
        context.team(&path.key("team"), &user.team);
    }
    for (name, entry) in &raw.issuers {
        let path = Path::of("issuers").key(name);
        context.own_name(&path, name);
        issuer(context, &path, entry);
        let same = raw.issuers.iter().take_while(|(other, _)| *other != name);
        if same.clone().any(|(_, other)| other.issuer == entry.issuer) {
            context.error(
                &path.key("issuer"),
                "the issuer stands here twice",
                "put its audiences into one entry",
            );
        }
    }
    database(context);
}

impl Context<'_> {
    /// Checks a reference to a team.
    pub(super) fn team(&mut self, path: &Path, team: &str) {
        if self.names.teams.contains(team) {
            return;
        }
        let known = || self.names.teams.iter().map(String::as_str);
        let remedy = match did_you_mean(team, known()) {
            Some(near) => near,
            None if known().next().is_none() => "add it under teams".to_owned(),
            None => format!("add it under teams; known: {}", listed(known())),
        };
        self.error(path, format!("no team \"{}\"", shown(team)), remedy);
    }
}

/// A user's name comes from elsewhere, such as an address: it is only bounded.
fn user_name(context: &mut Context<'_>, path: &Path, name: &str) {
    const NAME_CHARS_MAX: usize = 256;
    if name.trim().is_empty() || name.chars().any(char::is_control) || NAME_CHARS_MAX < name.chars().count() {
        let remedy = format!("write 1 to {NAME_CHARS_MAX} characters on one line");
        context.error_at_key(path, "this cannot be a name", remedy);
    }
}

fn issuer(context: &mut Context<'_>, path: &Path, issuer: &Issuer) {
    if let Some(team) = &issuer.team {
        context.team(&path.key("team"), team);
    } else if issuer.claims.team.is_none() && context.document.is_whole(path) {
        let remedy = "add claims: { team: NAME }, or team for all of its tokens";
        context.error(path, "nothing says which team a token belongs to", remedy);
    }
    let claims = [
        ("team", issuer.claims.team.as_deref()),
        ("user", Some(issuer.claims.user.as_str())),
        ("features", issuer.claims.features.as_deref()),
    ];
    for (key, claim) in claims {
        if claim.is_some_and(|claim| claim.trim().is_empty()) {
            context.error(&path.key("claims").key(key), "the claim has no name", "write for example sub");
        }
    }
    for (index, audience) in issuer.audiences.iter().enumerate() {
        if audience.trim().is_empty() {
            let path = path.key("audiences").index(index);
            context.error(&path, "an empty audience would take everybody's tokens", "name the audience");
        }
    }
    let named = url::Url::parse(&issuer.issuer);
    if !named.is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host()) {
        context.error(
            &path.key("issuer"),
            "this is not an address",
            "write it as it stands in its tokens: https://login.example.com",
        );
    }
    if issuer.jwks_url.is_unencrypted() {
        let reason = "whoever is on the way could sign tokens of his own";
        context.error(&path.key("jwks_url"), reason, "use https");
    }
}

/// A database's address that stands elsewhere is read, so that a bad one is told before anything starts.
fn database(context: &mut Context<'_>) {
    let Database::Reference(reference) = &context.raw.database else {
        return;
    };
    let address = reference.resolve(context.world);
    if let Err(complaint) = address.and_then(|address| Database::address(address.expose()).map(drop)) {
        context.complaint(&Path::of("database"), complaint);
    }
}
