//! What strategies see of a call: each answer is worked out when a strategy asks for it, and once.

use std::cell::OnceCell;
use std::sync::Arc;

use tollgate_policy::affinity::Sticky;
use tollgate_policy::complexity::{Ask, Features, Verdict, Weights};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::plan::DeploymentId;
use tollgate_policy::rules::{Costly, Facts, Pairs};
use tollgate_policy::strategies::Sight;
use tollgate_policy::vitals::Vital;
use tollgate_wire::outline;

use crate::admit::{self, Desk, Needs};
use crate::config::snapshot::Route;
use crate::facts;
use crate::ingress::Call;

/// One call and the route that it takes.
pub(super) struct View<'a> {
    desk: Desk<'a>,
    route: &'a Route,
    call: &'a Call,
    needs: OnceCell<Needs>,
    budget_used_percent: OnceCell<u64>,
    verdict: OnceCell<Arc<Verdict>>,
}

impl<'a> View<'a> {
    pub(super) fn new(desk: Desk<'a>, route: &'a Route, call: &'a Call) -> Self {
        Self {
            desk,
            route,
            call,
            needs: OnceCell::new(),
            budget_used_percent: OnceCell::new(),
            verdict: OnceCell::new(),
        }
    }

    /// How hard the request was found to be; `None`: nobody asked.
    pub(super) fn verdict(&self) -> Option<Arc<Verdict>> {
        self.verdict.get().cloned()
    }
}

impl Sight for View<'_> {
    fn facts(&self) -> Facts<'_> {
        Facts {
            costly: self.into(),
            ..facts::of(self.desk, self.route, self.call)
        }
    }

    fn vital(&self, of: DeploymentId) -> Vital {
        let deployment = self.route.deployment(of);
        deployment.map_or_else(Vital::default, |deployment| deployment.vitals(self.desk.now.instant))
    }

    fn expected_cost(&self, of: DeploymentId) -> Option<NanoUsd> {
        let needs = self.needs.get_or_init(|| Needs::of(self.desk, self.call));
        needs.expected_cost(self.route.target(of)?)
    }

    fn affinity(&self, by: Sticky) -> Option<u64> {
        facts::affinity(by, self.desk.caller, self.call)
    }

    fn complexity(&self, weights: &Weights, three: bool) -> Arc<Verdict> {
        let verdict = self.verdict.get_or_init(|| {
            let outline = outline::of(&self.call.body, &self.call.envelope.fields);
            let task = self.call.headers.get("x-tollgate-task").and_then(|value| value.to_str().ok());
            Arc::new(weights.judge(Features::of(&ask(&outline, task.unwrap_or_default())), three))
        });
        Arc::clone(verdict)
    }
}

impl Costly for View<'_> {
    fn has_images(&self) -> bool {
        self.call.has_images()
    }

    fn wants_json(&self) -> bool {
        self.call.wants_json()
    }

    fn metadata(&self) -> Pairs<'_> {
        self.call.metadata()
    }

    fn budget_used_percent(&self) -> u64 {
        *self
            .budget_used_percent
            .get_or_init(|| admit::budget_used_percent(self.desk, self.route, self.call))
    }

    fn price_micro_usd(&self, of: DeploymentId) -> u64 {
        let nanos = self.expected_cost(of).unwrap_or_default().0;
        u64::try_from(nanos).unwrap_or(0).div_ceil(1_000)
    }
}

/// What the router looks at of a request.
#[must_use]
pub fn ask<'a>(outline: &'a outline::Outline, task: &'a str) -> Ask<'a> {
    Ask {
        head: &outline.head,
        tail: &outline.tail,
        text_bytes: outline.text_bytes,
        turns: outline.turns,
        system_bytes: outline.system_bytes,
        images: outline.images,
        tool_results: outline.tool_results,
        tools: outline.tools,
        json: outline.json,
        reasoning: outline.reasoning,
        max_tokens: outline.max_tokens,
        task,
    }
}
