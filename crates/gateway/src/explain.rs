//! What would become of a request, without a call: the stages of the walk in their order, each with the same code, and nothing counted, held
//! or sent. And what became of one: `past`, from what `keep` wrote down.

mod asked;
mod candidates;
pub mod document;
mod door;
pub mod keep;
mod past;

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_policy::accounts::{self, Measure, RuleAt};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::plan::Dice;
use tollgate_policy::resorts::Resort;
use tollgate_policy::rules::{self, Facts, Shown};
use tollgate_policy::scopes::Dimension;
use tollgate_wire::fault::Fault;

use crate::admit::{self, Desk, Look, Outlook, Pass};
use crate::clock::{self, Now};
use crate::config::snapshot::{Route, Snapshot};
use crate::config::spending::Spending;
use crate::facts;
use crate::identify::Caller;
use crate::ingress::Call;
use crate::route;

pub use asked::{As, Asked, Question, smallest};
pub(crate) use asked::{seed_of, with_model};
use candidates::{Fall, Planned};
pub use document::Explanation;
use document::{Holds, Kind, Order, Outcome, Standing, Verdict, Who};
pub use door::{answer, is_asked};
pub use past::read;

/// Who reads an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Who calls: what others have spent is not told.
    Caller,
    /// Who runs the gateway.
    Admin,
}

/// What would become of a call. With a seed its dice fall as they do for the request with that id.
#[must_use]
pub fn forecast(desk: Desk<'_>, call: &Call, seed: Option<u64>, reader: Reader) -> Explanation {
    let mut explanation = Explanation {
        kind: Kind::Forecast,
        at_ms: clock::millis(desk.now),
        config: desk.config.revision.to_string(),
        dialect: call.dialect.name().to_owned(),
        operation: call.operation.name().to_owned(),
        asked: call.envelope.model.clone(),
        caller: who(desk.caller),
        ..Explanation::default()
    };
    let admitted = admit::switched(&desk.switches.load(), &desk.caller.subject()).and_then(|()| admit::look(desk, call));
    match admitted {
        Ok(look) => of_look(desk, (look, call), seed, (reader, &mut explanation)),
        Err(fault) => explanation.verdict = refused(&fault),
    }
    explanation
}

/// Of a caller who is not let in at all.
fn not_let_in(fault: &Fault, config: &Snapshot, now: Now) -> Explanation {
    Explanation {
        kind: Kind::Forecast,
        at_ms: clock::millis(now),
        config: config.revision.to_string(),
        verdict: refused(fault),
        ..Explanation::default()
    }
}

fn of_look(desk: Desk<'_>, (look, call): (Look, &Call), seed: Option<u64>, (reader, into): (Reader, &mut Explanation)) {
    let route = std::sync::Arc::clone(look.pass().route());
    into.route = route.named.then(|| route.name.clone());
    into.facts = known(&facts::of(desk, &route, call));
    into.last_resorts = route.resorts.iter().map(resort).collect();
    let (fall, shares) = fall(desk, (look.pass(), call), seed);
    into.shares = shares;
    into.order.by_dice = fall.by_dice;
    let planned = Planned { desk, call, route: &route };
    let plan = match fall.plan {
        Ok(plan) => plan,
        Err(none) => {
            into.candidates = planned.none(&none);
            into.verdict = refused(&none.fault);
            return;
        }
    };
    into.order = Order {
        reason: plan.reason().to_owned(),
        passed_over: plan.passed_over().map(str::to_owned),
        by_dice: fall.by_dice,
    };
    match admit::outlook(desk, look, plan.clone(), call) {
        Ok(outlook) => {
            into.order.passed_over = outlook.plan.passed_over().map(str::to_owned);
            into.candidates = planned.of(&plan, &outlook);
            look_at(&outlook, &desk.config.spending, (reader, into));
        }
        Err(fault) => {
            into.candidates = planned.refused(&plan, &fault);
            into.verdict = refused(&fault);
        }
    }
}

/// What is held, how the accounts stand, and whether it would be sent.
fn look_at(outlook: &Outlook, spending: &Spending, (reader, into): (Reader, &mut Explanation)) {
    into.downgraded.clone_from(&outlook.downgraded);
    into.holds = Some(Holds {
        input_tokens: outlook.demand.input_tokens,
        output_tokens: outlook.demand.output_tokens,
        usd: outlook.demand.money.to_string(),
        max_tokens: outlook.cap,
    });
    let (limits, budgets) = outlook.met.iter().partition(|(rule, _)| matches!(rule, RuleAt::Limit(_)));
    let standings = |met: Vec<&(RuleAt, accounts::Standing)>| met.into_iter().map(|met| standing(met, spending, reader)).collect();
    into.limits = standings(limits);
    into.budgets = standings(budgets);
    into.verdict = match &outlook.refusal {
        None => Verdict::default(),
        Some((fault, None)) => refused(fault),
        Some((fault, Some(wait))) => Verdict {
            outcome: Outcome::Waits,
            waits_s: Some(wait.as_secs()),
            ..refused(fault)
        },
    };
}

/// One fall of the dice: as they are seeded; or, where they are not and have a say, the most frequent one, with the shares of all.
fn fall(desk: Desk<'_>, (pass, call): (&Pass, &Call), seed: Option<u64>) -> (Fall, Vec<document::Share>) {
    let once = |mut dice: Dice| {
        let before = dice.clone();
        let plan = route::plan(desk, pass, call, &mut dice);
        Fall {
            plan,
            by_dice: dice != before,
        }
    };
    let first = once(Dice::new(seed.unwrap_or_default()));
    if seed.is_some() || !first.by_dice {
        return (first, Vec::new());
    }
    candidates::shares(pass.route(), once)
}

fn standing((rule, standing): &(RuleAt, accounts::Standing), spending: &Spending, reader: Reader) -> Standing {
    let money = standing.measure == Measure::Money;
    let shown = |amount: i64| if money { NanoUsd(amount).to_string() } else { amount.to_string() };
    let per = spending.rules.per(*rule);
    let open = reader == Reader::Admin || per.iter().any(is_of_caller);
    let left = standing
        .limit
        .saturating_sub(standing.posted)
        .saturating_sub(standing.pending)
        .max(0);
    // A budget that bounds single calls alone has no amount of its own.
    let bounded = spending.rules.budget(*rule).and_then(|budget| budget.per_request);
    let (limit, left) = bounded.map_or((standing.limit, left), |most| (most.0, most.0));
    let scope = standing.scope.iter().map(|(name, value)| [name.as_str(), "=", value].concat());
    Standing {
        name: spending.rules.name(*rule).to_owned(),
        unit: if money { "usd" } else { standing.measure.name() }.to_owned(),
        scope: scope.collect::<Vec<_>>().join(","),
        when: spending.condition(*rule).filter(|_| reader == Reader::Admin).map(str::to_owned),
        limit: open.then(|| shown(limit)),
        left: open.then(|| shown(left)),
        resets_at_ms: standing.resets_at_ms.filter(|_| open),
    }
}

/// What is counted by it concerns the caller and those next to it.
fn is_of_caller(dimension: &Dimension) -> bool {
    use Dimension as D;
    matches!(dimension, D::Team | D::User | D::Key)
}

fn refused(fault: &Fault) -> Verdict {
    let code = fault.code.as_deref().unwrap_or_else(|| fault.kind.code(fault.origin));
    Verdict {
        outcome: Outcome::Refused,
        code: Some(code.to_owned()),
        message: Some(fault.message.clone()),
        waits_s: None,
    }
}

fn who(caller: &Caller) -> Who {
    Who {
        team: caller.team().name.clone(),
        user: caller.user().map(str::to_owned),
        key: caller.key_id().map(str::to_owned),
        feature: caller.feature().map(str::to_owned),
    }
}

/// All that conditions see and that says something.
fn known(facts: &Facts<'_>) -> BTreeMap<String, Value> {
    let known = rules::shown(facts).map(|(name, shown)| {
        let value = match shown {
            Shown::Text(text) => text.into(),
            Shown::Int(number) => number.into(),
            Shown::Flag(flag) => flag.into(),
            Shown::Pairs(pairs) => pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect(),
        };
        (name.to_owned(), value)
    });
    known.collect()
}

fn resort(resort: &Resort) -> String {
    match resort {
        Resort::Reduce(tokens) => format!("the same once more, for at most {tokens} tokens"),
        Resort::Queue(longest) => format!("a wait of up to {} s for one to recover", longest.as_secs()),
        Resort::Route(name) => format!("the route {name}"),
        Resort::Review(longest) => format!("a person's review, within {} min", longest.as_secs() / 60),
        Resort::Message(_) => "a fixed message".to_owned(),
    }
}

/// The name of the route, where one was asked for.
fn named(route: &Route) -> Option<String> {
    route.named.then(|| route.name.clone())
}
