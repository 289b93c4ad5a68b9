//! A route's tiers, built: numbers for their models, and the weights that requests are judged by.

use std::sync::Arc;

use tollgate_policy::complexity::Weights;
use tollgate_policy::plan::{Candidate, DeploymentId};
use tollgate_policy::strategies::complexity::Tiers;

use super::providers::BuildError;
use super::{Raw, World, raw};

/// The weights that requests are judged by; `None`: no route asks.
///
/// # Errors
/// When the file is gone, or is not one of weights any more.
pub(super) fn weights(raw: &Raw, world: &World<'_>) -> Result<Option<Arc<Weights>>, BuildError> {
    if raw.routes.values().all(|route| route.tiers.is_none()) {
        return Ok(None);
    }
    let failed = |why: String| BuildError::new(format!("router.weights: {why}"));
    let weights = match &raw.router.weights {
        None => Weights::built_in().map_err(|error| failed(error.to_string()))?,
        Some(file) => {
            let text = file.text(world).map_err(|complaint| failed(complaint.to_string()))?;
            Arc::new(Weights::parse(&text).map_err(|error| failed(error.to_string()))?)
        }
    };
    Ok(Some(weights))
}

/// The candidates of a route with tiers, each model once, and which tier each is in.
pub(super) fn numbered(
    tiers: &raw::Tiers,
    weights: &Arc<Weights>,
    mut number: impl FnMut(&str) -> Result<DeploymentId, BuildError>,
) -> Result<(Vec<Candidate>, Tiers), BuildError> {
    let mut known: Vec<(&str, DeploymentId)> = Vec::new();
    let mut models: [Vec<DeploymentId>; 3] = Default::default();
    for ((_, names), models) in tiers.all().into_iter().zip(&mut models) {
        for name in names {
            let known_as = known.iter().find(|(known, _)| known == name).map(|(_, id)| *id);
            let id = match known_as {
                Some(id) => id,
                None => number(name)?,
            };
            known.push((name, id));
            models.push(id);
        }
    }
    let mut candidates: Vec<Candidate> = Vec::new();
    for (_, deployment) in known {
        if candidates.iter().all(|one| one.deployment != deployment) {
            candidates.push(Candidate { deployment, weight: 1 });
        }
    }
    let weights = Arc::clone(weights);
    Ok((candidates, Tiers { models, weights }))
}
