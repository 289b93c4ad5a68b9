//! Labels and clearances as the config means them: what was typed, with what is taken where nothing was.

use std::collections::HashMap;

use tollgate_policy::labels::{Bounds, Clearance, Label, Level, Names};

use super::raw::{self, LabelName};

/// What each deployment is cleared for. A clearance is a fact about a model at a provider, by whichever name it is asked for: what an entry
/// under `models` says holds for `provider/upstream-model`, too.
#[derive(Debug, Default)]
pub struct Clearances {
    providers: HashMap<String, Clearance>,
    deployments: HashMap<String, Clearance>,
}

impl Clearances {
    /// Of all providers and models of a config.
    #[must_use]
    pub fn of(raw: &raw::Raw) -> Self {
        let mut all = Self::default();
        for (name, provider) in &raw.providers {
            if let Some(typed) = &provider.clearance {
                all.providers.insert(name.clone(), built(typed, &Clearance::default()));
            }
        }
        for (name, model) in &raw.models {
            if let Some(typed) = &model.clearance {
                let own = built(typed, &all.provider(&model.provider));
                all.deployments.insert(deployment(name, model), own);
            }
        }
        all
    }

    /// Of a model at a provider.
    #[must_use]
    pub fn get(&self, provider: &str, upstream_model: &str) -> Clearance {
        // Most configs declare nothing for single models: no name is put together for them.
        let own = if self.deployments.is_empty() {
            None
        } else {
            self.deployments.get(&format!("{provider}/{upstream_model}"))
        };
        own.cloned().unwrap_or_else(|| self.provider(provider))
    }

    fn provider(&self, name: &str) -> Clearance {
        self.providers.get(name).cloned().unwrap_or_default()
    }
}

/// `provider/upstream-model` of a model of ours.
#[must_use]
pub fn deployment(name: &str, model: &raw::Model) -> String {
    format!("{}/{}", model.provider, model.upstream_model.as_deref().unwrap_or(name))
}

/// A label.
#[must_use]
pub fn label(typed: &raw::Label) -> Label {
    let map = match typed {
        raw::Label::Word(word) => return Label::new(level(*word), Bounds::default()),
        raw::Label::Map(map) => map,
    };
    Label::new(
        level(map.level),
        Bounds {
            compartments: Names::new(&map.compartments),
            regions: map.regions.as_ref().map(names),
            processors: map.processors.as_ref().map(names),
        },
    )
}

/// A clearance whose parts, where they are not named, are those of `usual`.
fn built(typed: &raw::Clearance, usual: &Clearance) -> Clearance {
    let unsaid = usual.bounds().cloned().unwrap_or_default();
    let map = match typed {
        raw::Clearance::Word(word) => return Clearance::new(level(*word), unsaid),
        raw::Clearance::Map(map) => map,
    };
    Clearance::new(
        map.level.map_or(usual.level(), level),
        Bounds {
            compartments: map.compartments.as_ref().map_or(unsaid.compartments, names),
            regions: map.regions.as_ref().map(names).or(unsaid.regions),
            processors: map.processors.as_ref().map(names).or(unsaid.processors),
        },
    )
}

fn names(typed: &Vec<LabelName>) -> Names {
    Names::new(typed)
}

fn level(typed: raw::Level) -> Level {
    match typed {
        raw::Level::Public => Level::Public,
        raw::Level::Internal => Level::Internal,
        raw::Level::Confidential => Level::Confidential,
        raw::Level::Restricted => Level::Restricted,
    }
}

/// The lowest labels of what is sent for a feature, by its name: what the file and the database require counts together.
#[must_use]
pub fn features(raw: &raw::Raw, stored: &[(String, Label)]) -> HashMap<String, Label> {
    let typed = raw.features.iter().map(|(name, feature)| (name.clone(), label(&feature.label)));
    let mut floors: HashMap<String, Label> = typed.collect();
    for (name, label) in stored {
        let floor = floors.entry(name.clone()).or_default();
        *floor = floor.join(label);
    }
    floors
}
