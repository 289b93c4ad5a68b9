//! The complexity router: tiers where they are looked at and only there, and weights that can be read.

use tollgate_policy::complexity::Weights;

use super::super::document::Path;
use super::super::raw::{Route, Strategy, Tiers};
use super::super::units::shown;
use super::Context;

pub(super) fn check(context: &mut Context<'_>) {
    let Some(file) = &context.raw.router.weights else { return };
    let path = Path::of("router").key("weights");
    match file.text(context.world) {
        Err(complaint) => context.complaint(&path, complaint),
        Ok(text) => {
            if let Err(error) = Weights::parse(&text) {
                context.error(
                    &path,
                    format!("{} holds no weights: {error}", file.0.display()),
                    "write it with tollgate router train --out",
                );
            }
        }
    }
}

/// Checks a route's tiers. True: its models stand there, and it needs no targets.
pub(super) fn tiers(context: &mut Context<'_>, path: &Path, route: &Route) -> bool {
    if let Some(tiers) = &route.tiers {
        models(context, &path.key("tiers"), tiers);
    }
    let (key, strategy) = (path.key("tiers"), route.strategy == Strategy::Complexity);
    if context.was_pruned(path, "strategy") || context.was_pruned(path, "tiers") {
        return true;
    }
    match (&route.tiers, strategy) {
        (None, true) => context.error(
            path,
            "complexity chooses between tiers, and here are none",
            "add tiers: { simple: [openai/gpt-4o-mini], complex: [openai/gpt-4o] }",
        ),
        (Some(_), false) => context.error(
            &key,
            "tiers are looked at by strategy: complexity alone",
            "set strategy: complexity, or remove them",
        ),
        _ => {}
    }
    if strategy && !route.targets.is_empty() {
        context.error(
            &path.key("targets"),
            "complexity takes its models from tiers",
            "move the models there, and remove targets",
        );
    }
    strategy || route.tiers.is_some()
}

fn models(context: &mut Context<'_>, path: &Path, tiers: &Tiers) {
    for (tier, models) in tiers.all() {
        let list = path.key(tier);
        for (index, model) in models.iter().enumerate() {
            let path = list.index(index);
            context.model(&path, model);
            if models.iter().take(index).any(|before| before == model) {
                context.error(&path, format!("\"{}\" is in the tier twice", shown(model)), "remove one of the two");
            }
        }
    }
}
