//! What answers: an upstream model behind one or more doors (address, dialect, credential), with its health. Built by config; here
//! is no choice between deployments, and no vendor is named.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_policy::health::{Breaker, Gate, Override, Settings, View};
use tollgate_policy::hedge::After;
use tollgate_policy::vitals::{Vital, Vitals, Waiting};
use tollgate_wire::dialects::{Dialect, Operation};
use tollgate_wire::target::Target;

use crate::auth::Auth;
use crate::client::Origin;
use crate::credentials::{Credential, CredentialPool, Left, NoCredential};
use crate::providers::BillingOnCancel;
use crate::retries::RetryBudget;

/// A model at a provider.
pub struct Deployment {
    /// `provider/upstream-model`.
    pub name: String,
    /// The provider's name in config.
    pub provider: String,
    /// Where it can be reached, the preferred door first; never empty.
    doors: Vec<Door>,
    health: Health,
}

/// What is known of a deployment by calling it: kept over a change of config.
#[derive(Debug, Clone)]
pub struct Health {
    breaker: Arc<Mutex<Breaker>>,
    vitals: Arc<Vitals>,
}

impl Health {
    /// Of a deployment that nobody has called.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            breaker: Arc::default(),
            vitals: Arc::new(Vitals::new(now)),
        }
    }
}

/// One way to a deployment.
pub struct Door {
    /// The dialect spoken there.
    pub dialect: &'static dyn Dialect,
    /// The model's name there, facts and quirks.
    pub target: Target,
    /// What all models behind this door share.
    pub site: Arc<Site>,
    /// The whole path of each operation.
    paths: Vec<(Operation, PathAndQuery)>,
    /// What the site's credentials have left for this model.
    pub(crate) left: Left,
}

/// An address of a provider, with what it takes to be let in.
pub struct Site {
    /// Scheme, host and port.
    pub origin: Origin,
    /// The base URL's path, without a slash at its end.
    pub path: String,
    /// How the credential is shown.
    pub auth: Box<dyn Auth>,
    /// The credentials, bound to the origin; empty where none is needed.
    pub credentials: CredentialPool,
    /// The head that every request there begins with; a caller's own version of a header stands above it.
    pub headers: HeaderMap,
    /// It knows the header of beta features.
    pub betas: bool,
    /// What it bills when a call is broken off by us.
    pub bills_on_cancel: BillingOnCancel,
    /// What the provider may be asked again: of all its sites together.
    pub retries: Arc<RetryBudget>,
}

impl Site {
    /// The head that every request begins with, from the vendor's fixed headers.
    #[must_use]
    pub fn head(fixed: Vec<(HeaderName, HeaderValue)>) -> HeaderMap {
        let mut head = HeaderMap::with_capacity(fixed.len() + 8);
        head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        head.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))),
        );
        head.extend(fixed);
        head
    }
}

impl Door {
    /// A door to that site.
    ///
    /// # Errors
    /// When the site's path cannot be part of a URL.
    pub fn new(dialect: &'static dyn Dialect, target: Target, site: Arc<Site>) -> Result<Self, http::uri::InvalidUri> {
        let path = |op: &Operation| Ok((*op, PathAndQuery::try_from(format!("{}{}", site.path, dialect.endpoint(*op)))?));
        let paths = Operation::ALL.iter().map(path).collect::<Result<_, http::uri::InvalidUri>>()?;
        Ok(Self {
            left: Left::of(site.credentials.len()),
            dialect,
            target,
            site,
            paths,
        })
    }

    /// The credential to ask with now: of those that do not rest the one that has the most left.
    ///
    /// # Errors
    /// [`NoCredential`] when none is needed, or every one rests.
    pub fn credential(&self, now: Instant) -> Result<&Credential, NoCredential> {
        self.site.credentials.pick(&self.target.model, &self.left, now)
    }

    /// Whether another credential may be asked with after one has failed: a single one is never another.
    #[must_use]
    pub fn has_other_credential(&self, now: Instant) -> bool {
        let pool = &self.site.credentials;
        1 < pool.len() && pool.has_ready(&self.target.model, now)
    }

    /// The path of an operation.
    #[must_use]
    pub fn path(&self, op: Operation) -> Option<&PathAndQuery> {
        self.paths.iter().find(|(known, _)| *known == op).map(|(_, path)| path)
    }
}

impl Deployment {
    /// A deployment behind those doors. `None`: there is no door.
    #[must_use]
    pub fn new(provider: &str, model: &str, doors: Vec<Door>, health: Health) -> Option<Self> {
        (!doors.is_empty()).then(|| Self {
            name: format!("{provider}/{model}"),
            provider: provider.to_owned(),
            doors,
            health,
        })
    }

    /// The largest output that the model gives, where it is known.
    #[must_use]
    pub fn output_tokens_max(&self) -> Option<u64> {
        self.doors.first()?.target.facts.output_tokens_max
    }

    /// What is billed when a call is broken off by us.
    #[must_use]
    pub fn bills_on_cancel(&self) -> BillingOnCancel {
        self.doors.first().map(|door| door.site.bills_on_cancel).unwrap_or_default()
    }

    /// The door for a caller of that dialect: its own, so that its bytes can stay as they are, else the preferred one.
    ///
    /// # Panics
    /// Never: there is always a door.
    #[must_use]
    pub fn door(&self, dialect: &dyn Dialect) -> &Door {
        let own = self.doors.iter().find(|door| tollgate_wire::dialects::same(door.dialect, dialect));
        #[expect(clippy::indexing_slicing, reason = "`new` refuses an empty list")]
        own.unwrap_or_else(|| &self.doors[0])
    }

    /// Asks the breaker to call.
    ///
    /// # Errors
    /// Why not, and for how long.
    pub fn ask(self: &Arc<Self>, now: Instant, terms: Terms) -> Result<Asked, NotNow> {
        let gate = self.breaker().ask(now);
        match gate {
            Gate::Open(wait) => return Err(NotNow { wait, limited: false }),
            Gate::Resting(wait) => return Err(NotNow { wait, limited: true }),
            Gate::Closed | Gate::Probe => {}
        }
        Ok(Asked {
            waiting: Some(self.health.vitals.begin(now)),
            deployment: Arc::clone(self),
            probes: gate == Gate::Probe,
            began: now,
            terms,
        })
    }

    /// Tries of the provider that were not made for want of a budget, since the config was read.
    #[must_use]
    pub fn retries_withheld(&self) -> u64 {
        self.doors.first().map_or(0, |door| door.site.retries.withheld())
    }

    /// Its breaker as it stands.
    #[must_use]
    pub fn view(&self, now: Instant) -> View {
        self.breaker().view(now)
    }

    /// Who runs the gateway holds the breaker open or closed, or lets it decide again.
    pub fn hold(&self, held: Override) {
        self.breaker().hold(held);
    }

    /// The provider has no room for us until then.
    pub fn rest(&self, until: Instant) {
        self.breaker().rest(until);
    }

    /// How long a call of that kind is waited for before another deployment is asked too. `None`: too little is known.
    #[must_use]
    pub fn hedge_wait(&self, after: After, streamed: bool) -> Option<Duration> {
        match after {
            After::Time(time) => Some(time),
            After::Percentile(_) => after.wait(&self.breaker(), streamed),
        }
    }

    /// Whether the breaker would let a call through now; changes nothing.
    #[must_use]
    pub fn would_admit(&self, now: Instant) -> bool {
        self.breaker().would_admit(now)
    }

    /// How quick and how busy it is.
    #[must_use]
    pub fn vitals(&self, now: Instant) -> Vital {
        self.health.vitals.at(now)
    }

    /// Its health, to be kept over a change of config.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Its state is plain numbers: valid whatever happened to who held it.
        self.health.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a call means for the breaker.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// When the breaker opens.
    pub settings: Settings,
    /// Its answer comes as a stream: it begins earlier than one that comes whole.
    pub streamed: bool,
}

/// Why a deployment may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotNow {
    /// For how long.
    pub wait: Duration,
    /// The provider said that it has no room for us; else its breaker is open.
    pub limited: bool,
}

/// A call that the breaker let through, from its beginning to the end of its answer. Dropped without a word, it leaves the probe to another
/// call, and says nothing about how quick the deployment is.
pub struct Asked {
    deployment: Arc<Deployment>,
    probes: bool,
    /// While there is no content.
    waiting: Option<Waiting>,
    began: Instant,
    terms: Terms,
}

impl Asked {
    /// What is called.
    #[must_use]
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// The first content of a stream, or the whole of another answer, is there. That closes an open breaker, unless it came too slowly.
    pub fn begun(&mut self, now: Instant) {
        if let Some(waiting) = self.waiting.take() {
            self.deployment.health.vitals.answered(waiting, now);
        }
        self.probes = false;
        let took = now.saturating_duration_since(self.began);
        let terms = &self.terms;
        self.deployment.breaker().began(now, &terms.settings, (took, terms.streamed));
    }

    /// It is given up, because another one began first: it would have taken longer than this.
    pub fn outrun(&mut self, now: Instant) {
        if let Some(waiting) = self.waiting.take() {
            self.deployment.health.vitals.answered(waiting, now);
        }
        let took = now.saturating_duration_since(self.began);
        self.deployment.breaker().time(took, self.terms.streamed);
    }

    /// The deployment is well, but has no room for the call: as good as a slow answer for whoever wants a quick one.
    pub fn limited(&mut self, now: Instant) {
        if let Some(waiting) = self.waiting.take() {
            self.deployment.health.vitals.failed(waiting, now);
        }
        self.answered();
    }

    /// It answered that the request is wrong: it lives.
    pub fn answered(&mut self) {
        self.probes = false;
        self.deployment.breaker().answered();
    }

    /// The call went well.
    pub fn went_well(&mut self, now: Instant) {
        self.probes = false;
        self.deployment.breaker().success(now);
    }

    /// The call failed in a way that speaks against the deployment.
    pub fn went_wrong(&mut self, now: Instant) {
        self.probes = false;
        match self.waiting.take() {
            Some(waiting) => self.deployment.health.vitals.failed(waiting, now),
            None => self.deployment.health.vitals.broken(now),
        }
        self.deployment.breaker().failure(now, &self.terms.settings);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let vitals = &self.deployment.health.vitals;
        if let Some(waiting) = self.waiting.take() {
            vitals.unknown(waiting);
        }
        vitals.ended();
        if self.probes {
            self.deployment.breaker().abandon();
        }
    }
}
