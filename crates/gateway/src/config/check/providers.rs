//! The providers: each has an address, a dialect and credentials that can be read, from the file or from the catalog.

use std::collections::HashSet;

use super::super::MOCK;
use super::super::document::Path;
use super::super::raw::{Provider, Route};
use super::super::suggest::nearest;
use super::super::units::Auth;
use super::Context;

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    let providers = Path::of("providers");
    if context.names.providers.is_empty() && !context.was_pruned(&Path::default(), "providers") {
        context.warning(
            &providers,
            "there are no providers, so that no call can be answered",
            "add one, such as openai: { credentials: [env:OPENAI_API_KEY] }",
        );
    }
    for (name, provider) in &raw.providers {
        let path = providers.key(name);
        context.own_name(&path, name);
        address(context, &path, name, provider);
        credentials(context, &path, name, provider);
        // What uses it may be among what was pruned.
        if context.untouched && !is_used(context, name) {
            context.warning(
                &path,
                "nothing uses this provider",
                format!("name it in a route, a model or a team, as in {name}/*, or remove it"),
            );
        }
    }
}

/// An endpoint that the catalog does not know says where it is and what it speaks.
fn address(context: &mut Context<'_>, path: &Path, name: &str, provider: &Provider) {
    let whole = context.document.is_whole(path);
    if !context.in_catalog(name) && whole && (provider.base_url.is_none() || provider.dialect.is_none()) {
        let missing = match (&provider.base_url, provider.dialect) {
            (None, None) => "base_url and dialect",
            (None, Some(_)) => "base_url",
            _ => "dialect",
        };
        let known = context.world.vendors.iter().map(|vendor| vendor.name).chain([MOCK]);
        let remedy = match nearest(name, known) {
            Some(near) => format!("did you mean \"{near}\"? otherwise add {missing}"),
            None => format!("add {missing}, as in base_url: http://10.0.0.5:8000/v1 and dialect: openai_chat"),
        };
        context.error_at_key(path, format!("\"{name}\" is not in the catalog and has no {missing}"), remedy);
    }
    if let Some(url) = &provider.base_url
        && url.is_unencrypted()
        && !provider.credentials.is_empty()
    {
        context.warning(
            &path.key("base_url"),
            "credentials would cross the network unencrypted",
            "use https",
        );
    }
}

fn credentials(context: &mut Context<'_>, path: &Path, name: &str, provider: &Provider) {
    let list = path.key("credentials");
    let whole = context.document.is_whole(path) && context.document.is_whole(&list);
    let vendor = context.world.vendors.iter().find(|vendor| vendor.name == name);
    let needed = match (&provider.auth, vendor) {
        (Some(auth), _) => *auth != Auth::None,
        (None, Some(vendor)) => vendor.key_env.is_some(),
        (None, None) => name != MOCK && provider.base_url.is_some(),
    };
    if provider.credentials.is_empty() && needed && whole {
        let example = vendor.and_then(|vendor| vendor.key_env).unwrap_or("NAME");
        let keyless = if vendor.is_none() { ", or auth: none" } else { "" };
        context.error_at_key(
            path,
            "there are no credentials",
            format!("add credentials: [env:{example}]{keyless}"),
        );
    }
    if !provider.credentials.is_empty() && provider.auth == Some(Auth::None) {
        context.error(
            &list,
            "auth is none, so that no credential is ever sent",
            "remove the credentials, or auth: none",
        );
    }
    let mut seen = HashSet::new();
    for (index, reference) in provider.credentials.iter().enumerate() {
        let path = list.index(index);
        if !seen.insert(reference) {
            context.error(&path, format!("{reference} is in the pool twice"), "remove one of the two");
        } else if let Err(complaint) = reference.resolve(context.world) {
            context.complaint(&path, complaint);
        }
    }
}

/// Whether a model, a route, a team or a key names the provider.
fn is_used(context: &Context<'_>, name: &str) -> bool {
    let raw = context.raw;
    let is_of = |reference: &String| {
        reference == "*"
            || reference
                .split_once('/')
                .is_some_and(|(provider, _)| tollgate_policy::patterns::covers(provider, name))
    };
    let routes = raw.routes.values();
    let lists = raw
        .teams
        .values()
        .map(|team| &team.models)
        .chain(raw.keys.iter().filter_map(|key| key.models.as_ref()));
    raw.models.values().any(|model| model.provider == name) || routes.flat_map(Route::models).any(is_of) || lists.flatten().any(is_of)
}
