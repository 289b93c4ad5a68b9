//! Lists of routes and models that a team or a key may call, in which `*` stands for any run of characters.

use tollgate_policy::patterns::covers;

use super::super::document::Path;
use super::super::suggest::{did_you_mean, listed};
use super::super::units::shown;
use super::Context;

impl Context<'_> {
    /// Checks a list of routes.
    pub(super) fn route_patterns(&mut self, path: &Path, patterns: &[String]) {
        for (index, pattern) in patterns.iter().enumerate() {
            let path = path.index(index);
            self.repeated(&path, patterns, index);
            let known = self.names.routes.iter().any(|route| covers(pattern, route));
            if known || pattern == "*" {
                continue;
            }
            let quoted = shown(pattern);
            if pattern.contains('*') {
                self.warning(
                    &path,
                    format!("\"{quoted}\" matches no route"),
                    "mend the pattern, or add the route",
                );
                continue;
            }
            let names = || self.names.routes.iter().map(String::as_str);
            let is_model = pattern.contains('/') || self.names.models.contains(pattern);
            let remedy = match did_you_mean(pattern, names()) {
                Some(near) => near,
                None if is_model => "models stand in the list models".to_owned(),
                None if names().next().is_none() => "add it under routes".to_owned(),
                None => format!("add it under routes; known: {}", listed(names())),
            };
            self.error(&path, format!("no route \"{quoted}\""), remedy);
        }
    }

    /// Checks a list of models.
    pub(super) fn model_patterns(&mut self, path: &Path, patterns: &[String]) {
        for (index, pattern) in patterns.iter().enumerate() {
            let path = path.index(index);
            self.repeated(&path, patterns, index);
            if !pattern.contains('*') {
                self.model(&path, pattern);
                continue;
            }
            let of_models = self.names.models.iter().any(|name| covers(pattern, name));
            let provider = pattern.split_once('/').map_or(pattern.as_str(), |(provider, _)| provider);
            let of_provider = pattern.contains('/') && self.names.providers.iter().any(|name| covers(provider, name));
            if pattern == "*" || of_models || of_provider {
                continue;
            }
            if pattern.contains('/') && !provider.contains('*') {
                let complaint = self.no_provider(provider);
                self.complaint(&path, complaint);
            } else {
                self.warning(
                    &path,
                    format!("\"{}\" matches no model", shown(pattern)),
                    "mend the pattern, or add the model",
                );
            }
        }
    }

    fn repeated(&mut self, path: &Path, patterns: &[String], index: usize) {
        let before = patterns.iter().take(index);
        if let Some(again) = patterns.get(index).filter(|pattern| before.clone().any(|other| other == *pattern)) {
            self.error(path, format!("\"{}\" is in the list twice", shown(again)), "remove one of the two");
        }
    }
}
