//! Providers as config and catalog together describe them: addresses with their credentials, and the deployments behind them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tollgate_upstream::auth;
use tollgate_upstream::client::{HttpVersion, Origin};
use tollgate_upstream::credentials::{Credential, CredentialPool, Secret};
use tollgate_upstream::deployment::{Deployment, Door, Health, Site};
use tollgate_upstream::providers::{Auth, BillingOnCancel, Catalog, Endpoint, Quirks, Row};
use tollgate_upstream::retries::RetryBudget;
use tollgate_wire::dialects::{self, Dialect};
use tollgate_wire::target::Target;
use url::Url;

use super::snapshot::dialect_of;
use super::{MOCK, World, facts, raw};

/// What is known of deployments by calling them, by name.
pub type Healths = HashMap<String, Health>;

/// What providers are built from, beside their entry.
pub struct Providers {
    /// The built-in catalog.
    pub catalog: &'static Catalog,
    /// Where the simulated providers listen.
    pub mock: Option<SocketAddr>,
    /// What was known under the config before.
    pub healths: Healths,
}

/// A config that turns out to be unusable while it is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildError(String);

impl BuildError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    pub(super) fn missing(what: &str, name: &str) -> Self {
        Self(format!("{what} \"{name}\" does not exist"))
    }
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// A provider: its doors, and the deployments that were asked for so far.
pub struct Provider {
    name: String,
    doors: Vec<SiteIn>,
    catalog: &'static Catalog,
    deployments: Mutex<HashMap<String, Arc<Deployment>>>,
    healths: Healths,
}

/// A site and the dialect spoken there.
struct SiteIn {
    dialect: &'static dyn Dialect,
    quirks: Quirks,
    site: Arc<Site>,
}

impl Provider {
    /// The deployment of one of its models; the same one whenever it is asked for.
    #[must_use]
    pub fn deployment(&self, model: &str) -> Option<Arc<Deployment>> {
        let mut deployments = self.deployments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = deployments.get(model) {
            return Some(Arc::clone(known));
        }
        let doors = self.doors.iter().map(|door| {
            let target = Target {
                model: model.to_owned(),
                facts: facts::of_model(self.catalog, &self.name, model),
                quirks: facts::quirks(&door.quirks),
            };
            Door::new(door.dialect, target, Arc::clone(&door.site)).ok()
        });
        let health = self.healths.get(&format!("{}/{model}", self.name)).cloned();
        let health = health.unwrap_or_else(|| Health::new(crate::clock::instant()));
        let deployment = Arc::new(Deployment::new(&self.name, model, doors.collect::<Option<_>>()?, health)?);
        deployments.insert(model.to_owned(), Arc::clone(&deployment));
        Some(deployment)
    }

    /// Forgets deployments that no route holds.
    pub(super) fn forget_unused(&self) {
        let mut deployments = self.deployments.lock().unwrap_or_else(PoisonError::into_inner);
        deployments.retain(|_, deployment| Arc::strong_count(deployment) > 1);
    }

    /// The deployments that were asked for so far.
    pub(super) fn deployments(&self) -> Vec<Arc<Deployment>> {
        let deployments = self.deployments.lock().unwrap_or_else(PoisonError::into_inner);
        deployments.values().cloned().collect()
    }

    /// What is known of its deployments.
    pub(super) fn healths(&self) -> Vec<(String, Health)> {
        let deployments = self.deployments.lock().unwrap_or_else(PoisonError::into_inner);
        deployments
            .values()
            .map(|deployment| (deployment.name.clone(), deployment.health()))
            .collect()
    }
}

impl Providers {
    /// Builds one provider.
    ///
    /// # Errors
    /// When it has no usable address, or a credential cannot be sent.
    pub fn build(&self, name: &str, entry: &raw::Provider, world: &World<'_>) -> Result<Provider, BuildError> {
        let places = self.places(name, entry)?;
        let retries = Arc::default();
        let doors = places
            .into_iter()
            .map(|place| place.open(name, entry, world, &retries))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Provider {
            name: name.to_owned(),
            doors,
            catalog: self.catalog,
            deployments: Mutex::default(),
            healths: self.healths.clone(),
        })
    }

    /// Where a provider is, in every dialect that it speaks.
    fn places(&self, name: &str, entry: &raw::Provider) -> Result<Vec<Place>, BuildError> {
        if name == MOCK && entry.base_url.is_none() {
            return self.mock_places();
        }
        let row = self.catalog.row(name);
        let named = entry.dialect.and_then(dialect_of);
        let Some(base_url) = &entry.base_url else {
            let row = row.ok_or_else(|| {
                BuildError::new(format!(
                    "providers.{name}: give base_url and dialect, as the catalog has no such vendor"
                ))
            })?;
            return catalog_places(name, row, named);
        };
        // An address of one's own speaks one dialect: the one that is named, else the vendor's preferred one.
        let known = row.and_then(|row| match named {
            Some(dialect) => row.endpoint(dialect.name()),
            None => row.endpoints.first(),
        });
        let dialect = named.or_else(|| known.and_then(|endpoint| dialects::by_name(&endpoint.dialect)));
        let dialect = dialect.ok_or_else(|| BuildError::new(format!("providers.{name}: give its dialect")))?;
        let endpoint = known.or_else(|| self.origin_of(dialect));
        let local = row.is_none_or(|row| row.local);
        Ok(vec![Place::new(dialect, base_url.get().clone(), endpoint, local)])
    }

    /// The endpoint of the vendor whose own format a dialect is: what any other endpoint of that dialect is taken to be like.
    fn origin_of(&self, dialect: &dyn Dialect) -> Option<&Endpoint> {
        let vendor = dialect.name().split('_').next().unwrap_or_default();
        self.catalog.row(vendor)?.endpoint(dialect.name())
    }

    fn mock_places(&self) -> Result<Vec<Place>, BuildError> {
        let address = self
            .mock
            .ok_or_else(|| BuildError::new("the simulated provider is started with the process only; restart to add it"))?;
        let paths = [("openai_chat", "/openai/v1"), ("anthropic", "/anthropic")];
        let places = paths.into_iter().map(|(dialect, path)| {
            let dialect = dialects::by_name(dialect).ok_or_else(|| BuildError::missing("dialect", dialect))?;
            let url = Url::parse(&format!("http://{address}{path}")).map_err(|error| BuildError::new(error.to_string()))?;
            let endpoint = self.origin_of(dialect);
            Ok(Place {
                credential: Some(Secret::new("simulated")),
                ..Place::new(dialect, url, endpoint, true)
            })
        });
        places.collect()
    }
}

fn bills_on_cancel(entry: &raw::Provider, known: Option<&Endpoint>) -> BillingOnCancel {
    match entry.billing_on_cancel {
        Some(raw::BillingOnCancel::Full) => BillingOnCancel::Full,
        Some(raw::BillingOnCancel::Partial) => BillingOnCancel::Partial,
        Some(raw::BillingOnCancel::None) => BillingOnCancel::None,
        None => known.and_then(|endpoint| endpoint.quirks.billing_on_cancel).unwrap_or_default(),
    }
}

fn catalog_places(name: &str, row: &Row, named: Option<&'static dyn Dialect>) -> Result<Vec<Place>, BuildError> {
    let mut places = Vec::new();
    for endpoint in &row.endpoints {
        let Some(dialect) = dialects::by_name(&endpoint.dialect) else {
            continue;
        };
        if named.is_some_and(|named| !dialects::same(named, dialect)) {
            continue;
        }
        let Some(base_url) = &endpoint.base_url else {
            let form = endpoint.template.as_deref().unwrap_or_default();
            return Err(BuildError::new(format!("providers.{name}: give base_url; it has the form {form}")));
        };
        let url = Url::parse(base_url).map_err(|error| BuildError::new(format!("providers.{name}: {error}")))?;
        places.push(Place::new(dialect, url, Some(endpoint), row.local));
    }
    if places.is_empty() {
        return Err(BuildError::new(format!(
            "providers.{name}: it speaks no dialect that was asked for"
        )));
    }
    Ok(places)
}

/// An address before its credentials.
struct Place {
    dialect: &'static dyn Dialect,
    base_url: Url,
    endpoint: Option<Endpoint>,
    /// A server of one's own: it is sent a key only when one is given.
    local: bool,
    /// A credential that is not in the config.
    credential: Option<Secret>,
}

impl Place {
    fn new(dialect: &'static dyn Dialect, base_url: Url, endpoint: Option<&Endpoint>, local: bool) -> Self {
        Self {
            dialect,
            base_url,
            endpoint: endpoint.cloned(),
            local,
            credential: None,
        }
    }

    fn open(self, name: &str, entry: &raw::Provider, world: &World<'_>, retries: &Arc<RetryBudget>) -> Result<SiteIn, BuildError> {
        let wrong = |error: &dyn std::fmt::Display| BuildError::new(format!("providers.{name}: {error}"));
        let origin = Origin::from_url(&self.base_url, HttpVersion::default()).map_err(|error| wrong(&error))?;
        let mut credentials = Vec::new();
        for reference in &entry.credentials {
            let secret = reference.resolve(world).map_err(|error| wrong(&error))?;
            let shown = reference.to_string();
            credentials.push(Credential::new(&shown, &Secret::new(secret.expose()), origin.clone()).map_err(|error| wrong(&error))?);
        }
        if let Some(secret) = &self.credential {
            credentials.push(Credential::new("built-in", secret, origin.clone()).map_err(|error| wrong(&error))?);
        }
        let auth = self.auth(entry, credentials.is_empty());
        let mut headers = Vec::new();
        for (header, value) in self.endpoint.iter().flat_map(|endpoint| &endpoint.headers) {
            let header = header.parse().map_err(|_| wrong(&format!("{header} is no header name")))?;
            headers.push((header, value.parse().map_err(|_| wrong(&format!("{value} is no header value")))?));
        }
        let site = Site {
            origin,
            path: self.base_url.path().trim_end_matches('/').to_owned(),
            auth: auth::of(&auth).map_err(|error| wrong(&error))?,
            credentials: CredentialPool::new(credentials, crate::clock::instant()),
            headers: Site::head(headers),
            betas: self.endpoint.as_ref().is_some_and(|endpoint| endpoint.quirks.betas),
            bills_on_cancel: bills_on_cancel(entry, self.endpoint.as_ref()),
            retries: Arc::clone(retries),
        };
        let quirks = self.endpoint.map(|endpoint| endpoint.quirks).unwrap_or_default();
        Ok(SiteIn {
            dialect: self.dialect,
            quirks,
            site: Arc::new(site),
        })
    }

    /// How the credential is shown: as config says, else the catalog, else as the dialect's own vendor wants it.
    fn auth(&self, entry: &raw::Provider, keyless: bool) -> Auth {
        match &entry.auth {
            Some(raw::Auth::Bearer) => return Auth::Bearer,
            Some(raw::Auth::Header(name)) => return Auth::Header(name.clone()),
            Some(raw::Auth::None) => return Auth::None,
            None => {}
        }
        if keyless && self.local {
            return Auth::None;
        }
        self.endpoint.as_ref().map(|endpoint| endpoint.auth.clone()).unwrap_or_default()
    }
}
