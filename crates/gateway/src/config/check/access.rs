//! Teams and callers' keys: every key has a team, a name and a secret of its own, and what it may call exists.

use std::collections::{BTreeMap, HashMap, HashSet};

use tollgate_policy::key::Presented;

use super::super::document::Path;
use super::super::raw::Key;
use super::super::units::{Secret, is_tag, shown};
use super::Context;

/// A caller's secret is refused below this length, in characters.
const SECRET_CHARS_MIN: usize = 8;
/// A caller's secret is weaker than those that we make below this length, in characters.
const SECRET_CHARS_STRONG: usize = 32;

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    for (name, team) in &raw.teams {
        let path = Path::of("teams").key(name);
        context.own_name(&path, name);
        context.route_patterns(&path.key("routes"), &team.routes);
        context.model_patterns(&path.key("models"), &team.models);
        tags(context, &path.key("tags"), &team.tags);
        if team.routes.is_empty() && team.models.is_empty() && context.document.is_whole(&path) {
            context.warning(
                &path,
                "the team may call nothing",
                "list its routes and models, as in models: [openai/*]",
            );
        }
    }
    let mut seen = HashSet::new();
    let mut secrets = HashMap::new();
    let mut ids = HashMap::new();
    for (index, key) in raw.keys.iter().enumerate() {
        let path = Path::of("keys").index(index);
        names(context, &path, key, &mut seen);
        secret(context, &path.key("secret"), key, (&mut secrets, &mut ids));
        attribution(context, &path, key);
        times(context, &path, key);
        context.route_patterns(&path.key("routes"), key.routes.as_deref().unwrap_or_default());
        context.model_patterns(&path.key("models"), key.models.as_deref().unwrap_or_default());
    }
}

fn names<'a>(context: &mut Context<'_>, path: &Path, key: &'a Key, seen: &mut HashSet<&'a str>) {
    const NAME_CHARS_MAX: usize = 128;
    let name = key.name.trim();
    if name.is_empty() || name.chars().any(char::is_control) || NAME_CHARS_MAX < name.chars().count() {
        context.error(
            &path.key("name"),
            "this cannot be a name",
            format!("write 1 to {NAME_CHARS_MAX} characters on one line"),
        );
    }
    if !seen.insert(&key.name) {
        context.error(
            &path.key("name"),
            format!("a key \"{}\" stands above", shown(&key.name)),
            "give each key a name of its own",
        );
    }
    context.team(&path.key("team"), &key.team);
}

/// What a key says of whom its calls are counted to: it agrees with what stands elsewhere.
fn attribution(context: &mut Context<'_>, path: &Path, key: &Key) {
    let raw = context.raw;
    if let Some((name, user)) = key.user.as_ref().and_then(|name| raw.users.get_key_value(name))
        && user.team != key.team
    {
        context.error(
            &path.key("user"),
            format!("the user \"{}\" is of the team \"{}\"", shown(name), shown(&user.team)),
            "give the key that team, or another user",
        );
    }
    let named = key.feature.iter().map(|feature| (path.key("feature"), feature));
    let chosen = key.features.iter().flatten().enumerate();
    let chosen = chosen.map(|(index, feature)| (path.key("features").index(index), feature));
    let of_team = raw.teams.get(&key.team).and_then(|team| team.features.as_ref());
    for (path, feature) in named.chain(chosen) {
        if of_team.is_some_and(|of_team| !of_team.contains(feature)) {
            let reason = format!("the team \"{}\" has no feature \"{}\"", shown(&key.team), shown(feature));
            context.error(&path, reason, "add it to the team's features");
        }
    }
    if let (Some(feature), Some(features)) = (&key.feature, &key.features)
        && !features.contains(feature)
    {
        let reason = format!("\"{}\" is not among the key's features", shown(feature));
        context.error(&path.key("feature"), reason, "add it to features");
    }
    tags(context, &path.key("tags"), &key.tags);
}

fn tags(context: &mut Context<'_>, path: &Path, tags: &BTreeMap<String, String>) {
    for name in tags.keys().filter(|name| !is_tag(name)) {
        let remedy = "use up to 64 of the characters a-z 0-9 _ . -";
        context.error_at_key(&path.key(name), "this cannot be the name of a tag", remedy);
    }
}

/// Keys by their secrets, and those of our own form by their ids.
type Seen<'s, 'a> = (&'s mut HashMap<Secret, &'a Key>, &'s mut HashMap<String, &'a Key>);

fn secret<'a>(context: &mut Context<'_>, path: &Path, key: &'a Key, (secrets, ids): Seen<'_, 'a>) {
    let secret = match key.secret.resolve(context.world) {
        Ok(secret) => secret,
        Err(complaint) => return context.complaint(path, complaint),
    };
    let chars = secret.expose().len();
    let make = "use 32 or more random characters, for example from: openssl rand -hex 24";
    if chars < SECRET_CHARS_MIN {
        context.error(
            path,
            format!("the secret at {} is shorter than {SECRET_CHARS_MIN} characters", key.secret),
            make,
        );
    } else if chars < SECRET_CHARS_STRONG {
        context.warning(
            path,
            format!("the secret at {} is shorter than {SECRET_CHARS_STRONG} characters", key.secret),
            make,
        );
    }
    if Presented::parse(secret.expose()).is_none() && SECRET_CHARS_MIN <= chars {
        context.error(
            path,
            format!(
                "the secret at {} would never open: it is too long, or begins like a key of ours without being one",
                key.secret
            ),
            "use another one",
        );
    }
    let id = match Presented::parse(secret.expose()) {
        Some(Presented::Ours { id, .. }) => Some(id.to_owned()),
        _ => None,
    };
    if let Some(first) = secrets.get(&secret) {
        context.error(
            path,
            format!("the key \"{}\" has the same secret", shown(&first.name)),
            "give each key a secret of its own",
        );
    } else if let Some((first, id)) = id.as_ref().and_then(|id| Some((ids.get(id)?, id))) {
        context.error(
            path,
            format!("the key \"{}\" has the same id, {id}", shown(&first.name)),
            "only one of the two would open; make a new key for one of them",
        );
    }
    if let Some(id) = id {
        ids.entry(id).or_insert(key);
    }
    secrets.entry(secret).or_insert(key);
}

fn times(context: &mut Context<'_>, path: &Path, key: &Key) {
    let Some(expires) = key.expires else { return };
    if key.not_before.is_some_and(|not_before| expires <= not_before) {
        context.error(
            &path.key("expires"),
            "the key expires before it begins",
            "put expires after not_before",
        );
    } else if expires.get() <= context.world.now {
        context.warning(
            &path.key("expires"),
            format!("the key expired on {expires}"),
            "remove it, or give it more time",
        );
    }
}
