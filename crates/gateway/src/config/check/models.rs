//! The models of ours, and what a reference to a model may be: a name of ours, or `provider/upstream-model`.

use super::super::document::Path;
use super::super::raw::Route;
use super::super::suggest::{did_you_mean, listed, nearest};
use super::super::units::{Complaint, shown};
use super::Context;

pub(super) fn check(context: &mut Context<'_>) {
    let raw = context.raw;
    for (name, model) in &raw.models {
        let path = Path::of("models").key(name);
        context.own_name(&path, name);
        if !context.names.providers.contains(&model.provider) {
            let complaint = context.no_provider(&model.provider);
            context.complaint(&path.key("provider"), complaint);
        }
    }
}

impl Context<'_> {
    /// Checks a reference to one model.
    pub(super) fn model(&mut self, path: &Path, reference: &str) {
        if let Some(complaint) = self.model_complaint(reference) {
            self.complaint(path, complaint);
        }
    }

    /// What is wrong with a reference to one model, if anything.
    pub(super) fn model_complaint(&self, reference: &str) -> Option<Complaint> {
        let complain = |reason: String, remedy: String| {
            Some(Complaint {
                reason,
                remedy: Some(remedy),
            })
        };
        if self.names.models.contains(reference) {
            return None;
        }
        let quoted = shown(reference);
        if reference.contains('*') {
            return complain(format!("\"{quoted}\" is a pattern, not a model"), "name one model".to_owned());
        }
        match reference.split_once('/') {
            Some((provider, model)) if self.names.providers.contains(provider) => match model {
                "" => complain(
                    format!("\"{quoted}\" names a provider and no model"),
                    format!("write {provider}/ and the model's name"),
                ),
                _ => None,
            },
            Some((provider, model)) => {
                let mut complaint = self.no_provider(provider);
                if let Some(near) = nearest(provider, self.names.providers.iter().map(String::as_str)) {
                    complaint.remedy = Some(format!("did you mean \"{near}/{}\"?", shown(model)));
                }
                Some(complaint)
            }
            None if self.names.routes.contains(reference) => complain(
                format!("\"{quoted}\" is a route, not a model"),
                "name the models themselves".to_owned(),
            ),
            None => complain(format!("no model \"{quoted}\""), self.model_remedy(reference)),
        }
    }

    fn model_remedy(&self, reference: &str) -> String {
        let raw = self.raw;
        let elsewhere = raw.routes.values().flat_map(Route::models).map(String::as_str);
        if let Some(near) = did_you_mean(reference, self.names.models.iter().map(String::as_str)) {
            return near;
        }
        // The same upstream name, or nearly, written whole in another place.
        let upstream = elsewhere.filter_map(|other| other.split_once('/').map(|(_, model)| (model, other)));
        let near = nearest(reference, upstream.clone().map(|(model, _)| model));
        if let Some((_, whole)) = upstream.clone().find(|(model, _)| Some(*model) == near) {
            return format!("did you mean \"{whole}\"?");
        }
        let provider = self.names.providers.first().map_or("provider", String::as_str);
        format!("add it under models, or write {provider}/{}", shown(reference))
    }

    pub(super) fn no_provider(&self, name: &str) -> Complaint {
        let known = || self.names.providers.iter().map(String::as_str);
        let remedy = if self.in_catalog(name) {
            format!("add {name} under providers")
        } else if let Some(near) = did_you_mean(name, known()) {
            near
        } else if known().next().is_none() {
            "add it under providers".to_owned()
        } else {
            format!("add it under providers; known: {}", listed(known()))
        };
        Complaint {
            reason: format!("no provider \"{}\"", shown(name)),
            remedy: Some(remedy),
        }
    }
}
