//! What a config means: built objects, ready to be used, behind one atomic swap. An exchange sees one snapshot from start to end.
//! Strings end here: at request time one name is looked up. It checks nothing that `check.rs` has checked.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tollgate_policy::complexity::Weights;
use tollgate_policy::estimate::{Calibration, Outputs};
use tollgate_policy::key::Peppers;
use tollgate_policy::labels::{Clearance, Label};
use tollgate_policy::plan::{Candidate, DeploymentId};
use tollgate_policy::prices::Price;
use tollgate_policy::release::{Risk, Status};
use tollgate_policy::resorts::Resort;
use tollgate_policy::retry::Trigger;
use tollgate_policy::strategies::Strategy;
use tollgate_store::directory::Directory;
use tollgate_upstream::client::Timeouts;
use tollgate_upstream::deployment::Deployment;
use tollgate_wire::dialects::DIALECTS;

use super::labels::{self, Clearances};
use super::providers::{BuildError, Provider, Providers};
use super::resilience::Resilience;
use super::resorts::{self, OnLimit};
use super::routing::Ranks;
use super::spending::{self, Spending, Typed};
use super::stored::Stored;
use super::{Raw, World, callers, raw, release, resilience, routing, tiers};
use crate::identify::token::Issuers;
use crate::loops::OnLoop;
use crate::release::{Memory, Release};
use crate::shadow::Shadow;

/// Names of the form `provider/upstream-model` that were asked for and are kept built; then all are forgotten and built anew.
const DIRECT_NAMES_MAX: usize = 10_000;
/// The longest name of a model.
const NAME_BYTES_MAX: usize = 256;

/// One config, built.
pub struct Snapshot {
    /// The first 12 hex digits of its text's digest.
    pub revision: Arc<str>,
    /// The keys.
    pub directory: Directory,
    /// The identity providers whose tokens are believed.
    pub issuers: Arc<Issuers>,
    /// The lowest labels of what is sent for features.
    pub features: HashMap<String, Label>,
    /// The largest request body.
    pub body_bytes_max: usize,
    /// Limits and budgets.
    pub spending: Arc<Spending>,
    /// How long it is kept why requests went where they did; zero: not at all.
    pub decisions_kept: Duration,
    /// What routes remember over a change of the config.
    pub memory: Arc<Memory>,
    /// How far models are approved, by `provider/upstream-model`.
    statuses: Arc<HashMap<String, Status>>,
    /// Providers whose models may be called without a price; `None`: all.
    unpriced: Option<Arc<HashSet<String>>>,
    /// Discount and margin of providers that have one, in basis points.
    adjustments: Arc<HashMap<String, (u32, u32)>>,
    clearances: Arc<Clearances>,
    names: Arc<HashMap<String, Asked>>,
    providers: Arc<HashMap<String, Provider>>,
    direct: Arc<RwLock<HashMap<String, Arc<Route>>>>,
    /// What routes with tiers judge requests by.
    weights: Option<Arc<Weights>>,
}

/// What a name stands for.
#[derive(Clone)]
pub enum Asked {
    /// A route.
    Route(Arc<Route>),
    /// A model, ours or a provider's own.
    Model(Arc<Route>),
}

/// What may answer, and how it is chosen. A model that is asked for directly is a route with one target.
pub struct Route {
    /// Its name; of a model, the model's.
    pub name: String,
    /// It stands under `routes`.
    pub named: bool,
    /// The most sensitive data that it may carry; `None`: any.
    pub label: Option<Label>,
    /// How targets are ranked.
    pub strategy: Box<dyn Strategy>,
    /// The targets.
    pub candidates: Vec<Candidate>,
    /// What stands in for them, in order.
    pub fallbacks: Vec<DeploymentId>,
    /// What sends a call on.
    pub fallback_on: Vec<Trigger>,
    /// Tries in all.
    pub attempts_max: u32,
    /// The clocks of a call.
    pub timeouts: Timeouts,
    /// When breakers open, when the next model is asked too, what a call may cost.
    pub resilience: Resilience,
    /// What to do when something cannot be carried.
    pub on_loss: OnLoss,
    /// What a limit's refusal means here, where the limit does not say; `None`: a refusal.
    pub on_limit: Option<OnLimit>,
    /// What is done when every attempt has failed, in order.
    pub resorts: Vec<Resort>,
    /// How much depends on its answers.
    pub risk: Option<Risk>,
    /// Targets that are not for everybody; `None`: all are.
    pub release: Option<Release>,
    /// Models that get copies of its calls.
    pub shadows: Vec<Arc<Shadow>>,
    /// What happens to who asks the same again and again.
    pub on_loop: Option<OnLoop>,
    targets: Vec<Arc<Target>>,
}

/// A deployment, and what it costs.
pub struct Target {
    /// What answers.
    pub deployment: Arc<Deployment>,
    /// What it costs; `None`: nobody knows.
    pub price: Option<Arc<Price>>,
    /// It may be called although nobody knows what it costs.
    pub allow_unpriced: bool,
    /// What may be sent there.
    pub clearance: Clearance,
    /// How far the model is approved; `None`: nobody said.
    pub status: Option<Status>,
    /// How many bytes of text make a token there.
    pub calibration: Arc<Mutex<Calibration>>,
    /// How long answers are: on a route of its own.
    pub outputs: Outputs,
}

/// What to do when a target's dialect cannot carry something that the caller sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLoss {
    /// Say so.
    Warn,
    /// Refuse.
    Reject,
    /// Prefer another target.
    Avoid,
}

/// Why a name stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// No route, model or provider of that name.
    Name(String),
    /// It cannot be the name of a model.
    Ill,
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "no route, model or provider is called \"{name}\"; ask for a route, or for provider/model"
            ),
            Self::Ill => write!(
                f,
                "a model's name has up to {NAME_BYTES_MAX} of the characters A-Z a-z 0-9 . _ : @ / ~ + -"
            ),
        }
    }
}

impl Route {
    /// One of the route's deployments.
    #[must_use]
    pub fn deployment(&self, id: DeploymentId) -> Option<&Arc<Deployment>> {
        self.target(id).map(|target| &target.deployment)
    }

    /// One of the route's deployments, with its price.
    #[must_use]
    pub fn target(&self, id: DeploymentId) -> Option<&Arc<Target>> {
        self.targets.get(usize::try_from(id.0).ok()?)
    }

    /// All of its deployments: the targets, then the fallbacks.
    #[must_use]
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.targets
    }

    /// One of its models is not approved for everything.
    #[must_use]
    pub fn has_unapproved(&self) -> bool {
        let approved = |target: &Arc<Target>| target.status.is_none_or(|status| status == Status::Approved);
        !self.targets.iter().all(approved)
    }

    /// A route of one model, in the name of another route and for calls that nobody waits for: tried once.
    pub(super) fn aside(name: &str, target: Arc<Target>, timeouts: Timeouts) -> Self {
        Self {
            named: true,
            attempts_max: 1,
            ..Self::direct(name, target, timeouts)
        }
    }

    /// Some of its models cost something.
    #[must_use]
    pub fn is_priced(&self) -> bool {
        self.targets.iter().any(|target| target.price.is_some())
    }

    fn direct(name: &str, target: Arc<Target>, timeouts: Timeouts) -> Self {
        Self {
            name: name.to_owned(),
            named: false,
            label: None,
            strategy: routing::pinned(),
            candidates: vec![Candidate {
                deployment: DeploymentId(0),
                weight: 1,
            }],
            fallbacks: Vec::new(),
            fallback_on: Vec::new(),
            attempts_max: raw::Retry::default().attempts.into(),
            timeouts,
            resilience: Resilience::default(),
            on_loss: OnLoss::Warn,
            on_limit: None,
            resorts: Vec::new(),
            risk: None,
            release: None,
            shadows: Vec::new(),
            on_loop: None,
            targets: vec![target],
        }
    }
}

/// What a snapshot is built from beside the config's text.
pub struct Parts<'a> {
    /// Where deployments come from.
    pub providers: Providers,
    /// What digests of keys are made with.
    pub peppers: &'a Peppers,
    /// What the database keeps.
    pub stored: &'a Stored,
    /// The identity providers of the snapshot before: the keys that they fetched are taken over.
    pub issuers: Option<&'a Issuers>,
    /// What routes remember from before; `None`: nothing.
    pub memory: Option<Arc<Memory>>,
    /// Grows with each build.
    pub version: u64,
}

impl Snapshot {
    /// Builds a checked config. `revision` names it; health is taken over from the snapshot before.
    ///
    /// # Errors
    /// When a secret or an address turns out to be unusable after all.
    pub fn build(raw: &Raw, revision: String, world: &World<'_>, parts: &Parts<'_>) -> Result<Self, BuildError> {
        let providers = &parts.providers;
        let built: HashMap<String, Provider> = raw
            .providers
            .iter()
            .map(|(name, provider)| Ok((name.clone(), providers.build(name, provider, world)?)))
            .collect::<Result<_, BuildError>>()?;
        let mut snapshot = Self {
            revision: revision.into(),
            directory: callers::directory(raw, parts.stored, world, parts.peppers.clone())?,
            issuers: Arc::new(issuers(raw, parts)?),
            spending: Arc::new(Spending::build(raw, &typed(raw, parts.stored), parts.version)?),
            decisions_kept: raw.ledger.decisions.get(),
            unpriced: unpriced(raw),
            adjustments: Arc::new(adjustments(raw)),
            clearances: Arc::new(Clearances::of(raw)),
            features: labels::features(raw, &parts.stored.feature_labels),
            body_bytes_max: usize::try_from(raw.server.max_body.bytes()).unwrap_or(usize::MAX),
            memory: parts.memory.clone().unwrap_or_default(),
            statuses: Arc::new(release::statuses(raw).into_iter().collect()),
            names: Arc::default(),
            providers: Arc::new(built),
            direct: Arc::default(),
            weights: tiers::weights(raw, world)?,
        };
        snapshot.add_models(raw)?;
        snapshot.add_routes(raw)?;
        Ok(snapshot)
    }

    /// The same config with another state of the database: only who may call and what may be spent is built anew.
    ///
    /// # Errors
    /// When a secret or a condition turns out to be unusable after all.
    pub fn with_stored(&self, raw: &Raw, world: &World<'_>, parts: &Parts<'_>) -> Result<Self, BuildError> {
        Ok(Self {
            revision: Arc::clone(&self.revision),
            directory: callers::directory(raw, parts.stored, world, parts.peppers.clone())?,
            issuers: Arc::clone(&self.issuers),
            spending: Arc::new(Spending::build(raw, &typed(raw, parts.stored), parts.version)?),
            body_bytes_max: self.body_bytes_max,
            decisions_kept: self.decisions_kept,
            unpriced: self.unpriced.clone(),
            adjustments: Arc::clone(&self.adjustments),
            clearances: Arc::clone(&self.clearances),
            features: labels::features(raw, &parts.stored.feature_labels),
            memory: Arc::clone(&self.memory),
            statuses: Arc::clone(&self.statuses),
            names: Arc::clone(&self.names),
            providers: Arc::clone(&self.providers),
            direct: Arc::clone(&self.direct),
            weights: self.weights.clone(),
        })
    }

    /// What a caller's model name stands for: a route, a model of ours, or `provider/upstream-model`.
    ///
    /// # Errors
    /// When it stands for nothing.
    pub fn find(&self, name: &str) -> Result<Asked, Unknown> {
        if let Some(asked) = self.names.get(name) {
            return Ok(asked.clone());
        }
        let direct = || self.direct.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = direct().get(name) {
            return Ok(Asked::Model(Arc::clone(route)));
        }
        if !is_model_name(name) {
            return Err(Unknown::Ill);
        }
        let route = self.direct_route(name)?;
        let mut direct = self.direct.write().unwrap_or_else(PoisonError::into_inner);
        if direct.len() >= DIRECT_NAMES_MAX {
            // Names are made up by callers: one of them must not take their place from the others.
            direct.clear();
            self.providers.values().for_each(Provider::forget_unused);
        }
        Ok(Asked::Model(Arc::clone(direct.entry(name.to_owned()).or_insert(route))))
    }

    /// The route of that name, if there is one.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<Arc<Route>> {
        match self.names.get(name) {
            Some(Asked::Route(route)) => Some(Arc::clone(route)),
            _ => None,
        }
    }

    /// Whether the config itself names it: a route, or a model of ours.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The deployments that were asked for so far.
    #[must_use]
    pub fn deployments(&self) -> Vec<Arc<Deployment>> {
        self.providers.values().flat_map(Provider::deployments).collect()
    }

    /// What is known of the providers' models by calling them, to be taken over by the next snapshot.
    #[must_use]
    pub fn healths(&self) -> super::providers::Healths {
        self.providers.values().flat_map(Provider::healths).collect()
    }

    fn target(&self, deployment: Arc<Deployment>, model: &str, own: Option<&raw::Price>, allow_unpriced: bool) -> Target {
        Target {
            price: spending::price(
                own,
                &deployment.provider,
                model,
                self.adjustments.get(&deployment.provider).copied().unwrap_or_default(),
            ),
            allow_unpriced: allow_unpriced
                || self
                    .unpriced
                    .as_ref()
                    .is_none_or(|providers| providers.contains(&deployment.provider)),
            clearance: self.clearances.get(&deployment.provider, model),
            calibration: Arc::default(),
            outputs: Outputs::default(),
            status: self.statuses.get(&deployment.name).copied(),
            deployment,
        }
    }

    fn direct_route(&self, name: &str) -> Result<Arc<Route>, Unknown> {
        let unknown = || Unknown::Name(name.to_owned());
        let (provider, model) = name.split_once('/').ok_or_else(unknown)?;
        let provider = self.providers.get(provider).ok_or_else(unknown)?;
        let deployment = provider.deployment(model).ok_or_else(unknown)?;
        let target = self.target(deployment, model, None, false);
        Ok(Arc::new(Route::direct(
            name,
            Arc::new(target),
            resilience::timeouts(&raw::Timeouts::default()),
        )))
    }

    fn add_models(&mut self, raw: &Raw) -> Result<(), BuildError> {
        for (name, model) in &raw.models {
            let upstream = model.upstream_model.as_deref().unwrap_or(name);
            let provider = self.providers.get(&model.provider);
            let deployment = provider
                .and_then(|provider| provider.deployment(upstream))
                .ok_or_else(|| BuildError::missing("model", name))?;
            let target = self.target(deployment, upstream, model.price.as_ref(), model.allow_unpriced);
            let route = Route::direct(name, Arc::new(target), resilience::timeouts(&raw::Timeouts::default()));
            Arc::make_mut(&mut self.names).insert(name.clone(), Asked::Model(Arc::new(route)));
        }
        Ok(())
    }

    fn add_routes(&mut self, raw: &Raw) -> Result<(), BuildError> {
        for (name, route) in &raw.routes {
            let built = self.build_route(name, route)?;
            Arc::make_mut(&mut self.names).insert(name.clone(), Asked::Route(Arc::new(built)));
        }
        Ok(())
    }

    fn build_route(&self, name: &str, raw: &raw::Route) -> Result<Route, BuildError> {
        let mut ranks = Ranks::default();
        let mut number = |model: &str| -> Result<DeploymentId, BuildError> {
            let (Asked::Route(found) | Asked::Model(found)) = self.find(model).map_err(|_| BuildError::missing("target", model))?;
            let target = found.targets.first().ok_or_else(|| BuildError::missing("target", model))?;
            Ok(ranks.number(target))
        };
        let (candidates, tiers) = match (&raw.tiers, &self.weights) {
            (Some(tiers), Some(weights)) => {
                let (candidates, tiers) = tiers::numbered(tiers, weights, &mut number)?;
                (candidates, Some(tiers))
            }
            _ => (routing::candidates(raw, &mut number)?, None),
        };
        let rules = routing::rules(raw, &mut number)?;
        let fallbacks = raw.fallbacks.iter().map(|model| number(model)).collect::<Result<Vec<_>, _>>()?;
        let staged = raw
            .targets
            .iter()
            .map(|target| number(&target.model))
            .collect::<Result<Vec<_>, _>>()?;
        let Ranks { targets } = ranks;
        let released = release::release((name, raw), (&staged, &targets), &self.memory)?;
        Ok(Route {
            name: name.to_owned(),
            named: true,
            label: raw.label.as_ref().map(labels::label),
            strategy: routing::strategy(raw, (rules, tiers), &targets),
            candidates,
            fallbacks,
            fallback_on: raw.fallback_on.iter().map(|on| resilience::trigger(*on)).collect(),
            attempts_max: raw.retry.attempts.into(),
            timeouts: resilience::timeouts(&raw.timeouts),
            resilience: Resilience::of(raw),
            on_loss: match raw.on_loss {
                raw::OnLoss::Warn => OnLoss::Warn,
                raw::OnLoss::Reject => OnLoss::Reject,
                raw::OnLoss::Avoid => OnLoss::Avoid,
            },
            on_limit: raw.on_limit.as_ref().and_then(resorts::on_limit),
            resorts: resorts::build(raw.last_resort.as_ref()),
            risk: raw.risk.map(release::risk),
            release: released,
            shadows: release::shadows(self, name, raw)?,
            on_loop: release::on_loop(name, raw, &self.memory),
            targets,
        })
    }
}

/// What the file and the database say together; of two rules with one name the file's counts.
fn typed(raw: &Raw, stored: &Stored) -> Typed {
    let named = |name: &str| raw.limits.iter().any(|limit| limit.name == name) || raw.budgets.iter().any(|budget| budget.name == name);
    let limits = stored.typed.limits.iter().filter(|limit| !named(&limit.name));
    let budgets = stored.typed.budgets.iter().filter(|budget| !named(&budget.name));
    Typed {
        limits: raw.limits.iter().chain(limits).cloned().collect(),
        budgets: raw.budgets.iter().chain(budgets).cloned().collect(),
        increases: stored.typed.increases.clone(),
    }
}

fn issuers(raw: &Raw, parts: &Parts<'_>) -> Result<Issuers, BuildError> {
    Issuers::build(callers::issuers(raw), parts.issuers).map_err(|error| BuildError::new(format!("issuers: {error}")))
}

fn adjustments(raw: &Raw) -> HashMap<String, (u32, u32)> {
    let share = |share: &Option<raw::Share>| share.map_or(0, raw::Share::per_ten_thousand);
    let all = raw
        .providers
        .iter()
        .map(|(name, provider)| (name.clone(), (share(&provider.discount), share(&provider.margin))));
    all.filter(|(_, both)| *both != (0, 0)).collect()
}

fn unpriced(raw: &Raw) -> Option<Arc<HashSet<String>>> {
    let lenient = raw.providers.iter().filter(|(_, provider)| provider.allow_unpriced);
    (!raw.spending.allow_unpriced).then(|| Arc::new(lenient.map(|(name, _)| name.clone()).collect()))
}

/// A model's name goes into records, headers and, for some vendors, paths (FAULTS R-B6).
fn is_model_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/~+-".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(legal) && !name.contains("..")
}

/// The dialect of that config value.
#[must_use]
pub fn dialect_of(raw: raw::Dialect) -> Option<&'static dyn tollgate_wire::Dialect> {
    let name = match raw {
        raw::Dialect::OpenaiChat => "openai_chat",
        raw::Dialect::Anthropic => "anthropic",
    };
    DIALECTS.iter().copied().find(|dialect| dialect.name() == name)
}
