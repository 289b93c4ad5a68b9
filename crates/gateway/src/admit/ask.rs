//! Asking for a hold: on the caller's accounts and on those of the first deployment that has room, at the dearest attempt of the plan.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate_policy::accounts::{BudgetStanding, Demand, Headroom, Met, Part, Scoped};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::plan::Plan;
use tollgate_policy::rules::Facts;
use tollgate_policy::scopes::Subject;

use super::demand::{Care, Needs, demand, scoped};
use super::{Desk, Leave, Pass, queue};
use crate::books::{Entrance, Grant, NotReserved, Order, Stage};
use crate::clock::{self, Now};
use crate::config::snapshot::{Route, Target};
use crate::facts;
use crate::ingress::Call;
use crate::ledger::lock;
use crate::record::Draft;

/// How long after the route's time is over a hold is given up.
const HOLD_GRACE: Duration = Duration::from_secs(60);
/// An output is not clamped to fewer tokens than these.
const CLAMPED_MIN: u64 = 64;

/// One call's question.
pub(super) struct Ask<'a> {
    pub(super) desk: Desk<'a>,
    pub(super) call: &'a Call,
    pub(super) needs: Needs,
    tags: &'a [(&'a str, &'a str)],
    /// What the call met at the entrance, by the route that it entered for.
    met: (Arc<Route>, Met),
    /// Taken by the hold; there again after a refusal.
    entrance: Mutex<Option<Entrance>>,
    request_id: String,
    /// It is its turn: it need not stand behind those who wait.
    in_turn: AtomicBool,
}

/// What was held.
pub(super) struct Held {
    pub(super) leave: Leave,
    /// Boxed: it goes through many hands.
    pub(super) grant: Box<Grant>,
    /// The output that the request has to be limited to.
    pub(super) cap: Option<u64>,
    clamped: bool,
    demand: Demand,
    headroom: Headroom,
}

/// A plan's needs, with the accounts that it meets.
pub(super) struct Weighed<'s> {
    pub(super) now: Now,
    /// Those of the call, and those of its first deployment.
    pub(super) parts: &'s [&'s Scoped<'s>],
    pub(super) demand: Demand,
    /// The output, where it was lowered to what is left of a budget.
    pub(super) clamped: Option<u64>,
    /// The output that the request has to be limited to.
    pub(super) cap: Option<u64>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(desk: Desk<'a>, call: &'a Call, tags: &'a [(&'a str, &'a str)], pass: Pass, request_id: String) -> Self {
        let Pass { route, entrance, met } = pass;
        Self {
            desk,
            call,
            needs: Needs::of(desk, call),
            tags,
            met: (route, met),
            entrance: Mutex::new(entrance),
            request_id,
            in_turn: AtomicBool::new(false),
        }
    }

    /// From here on it is first in its queue.
    pub(super) fn in_turn(&self) {
        self.in_turn.store(true, Ordering::Relaxed);
    }

    /// Holds what a plan may cost; on the accounts of its first deployment, or of the next that has room.
    pub(super) fn hold(&self, route: &Arc<Route>, plan: &Plan) -> Result<Held, NotReserved> {
        self.with_room((route, plan), |rest| self.hold_for(route, rest))
    }

    /// Takes the plan, or what is left of it behind a deployment that has no room of its own.
    pub(super) fn with_room<T>(
        &self,
        (route, plan): (&Route, &Plan),
        take: impl Fn(&Plan) -> Result<T, NotReserved>,
    ) -> Result<T, NotReserved> {
        let mut rest = plan.clone();
        loop {
            let refused = match take(&rest) {
                Err(NotReserved::Denied(denied)) => denied,
                taken => return taken,
            };
            let rules = &self.desk.config.spending.rules;
            let of_attempt = rules.per(refused.rule).iter().any(tollgate_policy::scopes::Dimension::of_attempt);
            let first = rest.attempts().first().copied();
            let next = if of_attempt {
                rest.only("over_limit", |id| Some(id) != first)
            } else {
                rules.budget(refused.rule).and_then(|_| self.cheaper(route, rest))
            };
            rest = match next {
                Some(next) => next,
                None => return Err(NotReserved::Denied(refused)),
            };
        }
    }

    /// What a plan may need at its dearest, and which accounts it meets at its first deployment.
    pub(super) fn weighed<T>(
        &self,
        (route, plan): (&Arc<Route>, &Plan),
        with: impl FnOnce(&Target, Weighed<'_>) -> Result<T, NotReserved>,
    ) -> Result<T, NotReserved> {
        let desk = self.desk;
        let Some(first) = plan.attempts().first().and_then(|id| route.target(*id)) else {
            return Err(NotReserved::Nothing);
        };
        let subject = self.subject(route, first);
        let spending = &desk.config.spending;
        let whole = self.own(&subject, (route, first));
        let attempt = scoped(desk, &subject, Part::Attempt, || self.facts(route, first));
        let parts = [&whole, &attempt];
        if !self.in_turn.load(Ordering::Relaxed)
            && let Some(denied) = queue::behind(desk, (route, Stage::Hold), &parts)
        {
            return Err(NotReserved::Denied(denied));
        }
        let governed = !whole.is_empty() || !attempt.is_empty();
        // A fallback may be counted where the first deployment is not.
        let others = plan.attempts().len() > 1 && spending.rules.has_attempt_rules();
        let by_size = whole.counts_size() || attempt.counts_size();
        // Not when the call arrived: it may have waited since.
        let now = clock::now();
        let (strict, affordable) = if by_size {
            desk.books.tightness(now, &parts)
        } else {
            (false, None)
        };
        let (output, unsaid) = self.needs.output(first);
        let mut targets = plan.attempts().iter().filter_map(|id| route.target(*id));
        let care = match strict {
            true => Care::Strict,
            false if by_size || targets.any(|target| target.price.is_some()) => Care::Calibrated,
            false => Care::Rough,
        };
        let dearest = |output: u64| self.dearest(route, plan, output, care);
        let clamped = affordable.and_then(|most| clamp(output, most, dearest));
        let weighed = Weighed {
            now,
            parts: &parts,
            demand: dearest(clamped.unwrap_or(output)),
            clamped,
            cap: clamped.or(((governed || others) && unsaid).then_some(output)),
        };
        with(first, weighed)
    }

    fn hold_for(&self, route: &Arc<Route>, plan: &Plan) -> Result<Held, NotReserved> {
        let desk = self.desk;
        self.weighed((route, plan), |first, weighed| {
            let Weighed { now, parts, demand, .. } = weighed;
            let Some(entrance) = lock(&self.entrance).take() else {
                return Err(NotReserved::Nothing);
            };
            let order = Order {
                request: self.request_id.clone(),
                party: desk.caller.party(&route.name),
                model: first.deployment.name.clone(),
                demand,
                tier: self.needs.tier,
                text_bytes: self.needs.text_bytes(),
                spending: Arc::clone(&desk.config.spending),
                expires_ms: u64::try_from((now.unix + route.timeouts.total + HOLD_GRACE).as_millis()).unwrap_or(u64::MAX),
            };
            let grant = match desk.books.reserve(now, entrance, parts, order) {
                Ok(grant) => Box::new(grant),
                Err(refused) => {
                    let (entrance, why) = *refused;
                    *lock(&self.entrance) = Some(entrance);
                    return Err(why);
                }
            };
            Ok(Held {
                leave: Leave {
                    route: Arc::clone(route),
                    plan: plan.clone(),
                },
                grant,
                cap: weighed.cap,
                clamped: weighed.clamped.is_some(),
                demand,
                headroom: if parts.iter().all(|part| part.is_empty()) {
                    Headroom::default()
                } else {
                    desk.books.headroom(now, parts)
                },
            })
        })
    }

    /// How the budgets stand that a call of that deployment meets.
    pub(super) fn budgets(&self, route: &Route, target: &Target) -> Vec<BudgetStanding> {
        let subject = self.subject(route, target);
        let whole = scoped(self.desk, &subject, Part::Call, || self.facts(route, target));
        let attempt = scoped(self.desk, &subject, Part::Attempt, || self.facts(route, target));
        self.desk.books.budgets(self.desk.now, &[&whole, &attempt])
    }

    /// The accounts of the call itself: those that it met at the entrance, unless another route is asked for.
    fn own<'s>(&'s self, subject: &'s Subject<'s>, (route, first): (&'s Arc<Route>, &'s Target)) -> Scoped<'s> {
        match &self.met {
            (entered, met) if Arc::ptr_eq(entered, route) => self.desk.config.spending.rules.again(subject, met),
            _ => scoped(self.desk, subject, Part::Call, || self.facts(route, first)),
        }
    }

    fn subject<'s>(&'s self, route: &'s Route, target: &'s Target) -> Subject<'s> {
        Subject {
            model: Some(&target.deployment.name),
            provider: Some(&target.deployment.provider),
            ..super::subject(self.desk.caller, route, self.tags)
        }
    }

    fn facts<'s>(&'s self, route: &'s Route, target: &'s Target) -> Facts<'s> {
        Facts {
            model: &target.deployment.name,
            provider: &target.deployment.provider,
            ..facts::of(self.desk, route, self.call)
        }
    }

    /// The most of everything that any attempt of the plan may need.
    fn dearest(&self, route: &Route, plan: &Plan, output: u64, care: Care) -> Demand {
        let targets = plan.attempts().iter().filter_map(|id| route.target(*id));
        let demands = targets.map(|target| demand(target, &self.needs.estimate(target, output, care)));
        demands.fold(Demand::default(), |most, one| Demand {
            input_tokens: most.input_tokens.max(one.input_tokens),
            output_tokens: most.output_tokens.max(one.output_tokens),
            money: most.money.max(one.money),
        })
    }
}

/// What a call of a deployment costs: its input alone, and with all the output that it may give. `None`: nobody knows.
#[must_use]
pub fn range(desk: Desk<'_>, call: &Call, target: &Target) -> Option<(NanoUsd, NanoUsd)> {
    let price = target.price.as_ref()?;
    let needs = Needs::of(desk, call);
    let (output, _) = needs.output(target);
    let cost = |output| price.ceiling(&needs.estimate(target, output, Care::Calibrated));
    Some((cost(0), cost(output)))
}

impl Held {
    /// What the record and the answer's head say of it.
    pub(super) fn tell(&self, draft: &mut Draft) {
        let record = draft.record_mut();
        record.headroom = self.headroom;
        record.held = Some(self.demand);
        record.clamped = self.cap.filter(|_| self.clamped);
    }
}

/// One more attempt of a call that is under way.
pub(super) struct Again<'a> {
    desk: Desk<'a>,
    call: &'a Call,
    subject: Subject<'a>,
    route: &'a Route,
    target: &'a Target,
}

/// One more attempt, at that deployment.
pub(super) fn next<'a>(
    desk: Desk<'a>,
    (route, target): (&'a Route, &'a Target),
    call: &'a Call,
    tags: &'a [(&'a str, &'a str)],
) -> Again<'a> {
    Again {
        desk,
        call,
        subject: Subject {
            model: Some(&target.deployment.name),
            provider: Some(&target.deployment.provider),
            ..super::subject(desk.caller, route, tags)
        },
        route,
        target,
    }
}

impl Again<'_> {
    /// Holds what it may need beside what is held for the attempt under way.
    pub(super) fn hold(&self, request: String) -> Result<Grant, NotReserved> {
        let desk = self.desk;
        let whole = scoped(desk, &self.subject, Part::Call, || self.facts());
        let attempt = scoped(desk, &self.subject, Part::Attempt, || self.facts());
        let now = clock::now();
        let needs = Needs::of(desk, self.call);
        let (output, _) = needs.output(self.target);
        let parts = [&whole, &attempt];
        let by_size = whole.counts_size() || attempt.counts_size();
        let strict = by_size && desk.books.tightness(now, &parts).0;
        let care = if strict { Care::Strict } else { Care::Calibrated };
        let order = Order {
            request,
            party: desk.caller.party(&self.route.name),
            model: self.target.deployment.name.clone(),
            demand: demand(self.target, &needs.estimate(self.target, output, care)),
            tier: needs.tier,
            text_bytes: needs.text_bytes(),
            spending: Arc::clone(&desk.config.spending),
            expires_ms: u64::try_from((now.unix + self.route.timeouts.total + HOLD_GRACE).as_millis()).unwrap_or(u64::MAX),
        };
        let held = desk.books.reserve(now, desk.books.enter_again(), &parts, order);
        held.map(|grant| grant.behind(1)).map_err(|refused| refused.1)
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            model: &self.target.deployment.name,
            provider: &self.target.deployment.provider,
            ..facts::of(self.desk, self.route, self.call)
        }
    }

    /// The accounts that it meets, and what it may need.
    pub(super) fn with_scoped<T>(&self, with: impl FnOnce(&Scoped<'_>, Demand) -> T) -> T {
        let scoped = scoped(self.desk, &self.subject, Part::Attempt, || self.facts());
        let needs = Needs::of(self.desk, self.call);
        let (output, _) = needs.output(self.target);
        let strict = scoped.counts_size() && self.desk.books.tightness(clock::now(), &[&scoped]).0;
        let care = if strict { Care::Strict } else { Care::Calibrated };
        with(&scoped, demand(self.target, &needs.estimate(self.target, output, care)))
    }
}

/// The largest output, below `output`, that costs no more than `most`; `None`: the whole does, or not even the smallest.
fn clamp(output: u64, most: NanoUsd, demand: impl Fn(u64) -> Demand) -> Option<u64> {
    let fits = |output| demand(output).money <= most;
    if fits(output) || !fits(CLAMPED_MIN) {
        return None;
    }
    let (mut low, mut high) = (CLAMPED_MIN, output);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if fits(middle) { low = middle } else { high = middle }
    }
    Some(low)
}
