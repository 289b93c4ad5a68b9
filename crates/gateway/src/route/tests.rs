//! Plans of whole configs, without a socket; and what a plan costs, by hand:
//! `TOLLGATE_FIGURES=1 cargo test --release -p tollgate-gateway --lib route::tests -- --nocapture`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests, which tell what they measure")]

use std::collections::HashMap;

use std::fmt::Write;
use std::sync::Arc;
use tollgate_policy::labels::Label;

use http::{HeaderMap, HeaderName};
use tollgate_policy::accounts::Accounts;
use tollgate_policy::identity::issuer::Subject;
use tollgate_policy::identity::{Features, Tags};
use tollgate_policy::key::{Pepper, Peppers};
use tollgate_policy::plan::{Dice, Plan};
use tollgate_policy::switches::Switches;
use tollgate_upstream::providers::Catalog;
use tollgate_wire::dialects::{self, Operation};

use crate::admit::{self, Desk};
use crate::books::Books;
use crate::clock;
use crate::config::reload::{State, Surroundings};
use crate::config::snapshot::Snapshot;
use crate::config::stored::Stored;
use crate::identify::{Bearer, Caller};
use crate::ingress::Call;
use crate::switchboard::Switchboard;

/// A gateway that has only a config.
struct World {
    config: Snapshot,
    books: Arc<Books>,
    switches: Switchboard,
    caller: Caller,
}

impl World {
    fn new(routes: &str) -> Self {
        let text = format!(
            "spending: {{ allow_unpriced: true }}
providers: {{ lab: {{ base_url: \"http://127.0.0.1:9/v1\", dialect: openai_chat, auth: none }} }}
models:
  dear: {{ provider: lab, upstream_model: m8, price: {{ input: 10, output: 100 }} }}
  cheap: {{ provider: lab, upstream_model: m9, price: {{ input: 1, output: 10 }} }}
routes:
{routes}
teams: {{ all: {{ routes: [\"*\"], models: [\"*\"] }} }}
"
        );
        let surroundings = Surroundings {
            catalog: Box::leak(Box::new(Catalog::built_in().unwrap())),
            peppers: Peppers::new(Pepper::new(&[0; 32])),
            mock: None,
            folder: "/".into(),
            first_key: None,
        };
        let checked = surroundings.check(&text);
        let raw = checked.raw.unwrap_or_else(|| unreachable!("{:?}", checked.problems));
        let stored = Stored::default();
        let state = State {
            stored: &stored,
            before: None,
            version: 1,
        };
        let config = surroundings.build(&raw, &text, state).unwrap();
        let subject = Subject {
            team: "all".to_owned(),
            user: None,
            features: Features::default(),
            scopes: None,
            tags: Tags::default(),
        };
        let bearer = Bearer::link(&subject, &config.directory).unwrap();
        Self {
            caller: Caller::of_token(Arc::new(bearer), &HeaderMap::new(), &HashMap::new()).unwrap(),
            books: Books::new(Accounts::new(), None, false),
            switches: Switchboard::new(Switches::default()),
            config,
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            config: &self.config,
            books: &self.books,
            switches: &self.switches,
            caller: &self.caller,
            now: clock::now(),
        }
    }

    fn plan(&self, call: &Call) -> Plan {
        let pass = admit::look(self.desk(), call).unwrap();
        super::plan(self.desk(), pass.pass(), call, &mut Dice::new(7))
            .map_err(|none| none.fault)
            .unwrap()
    }
}

fn call(body: &str, headers: &[(&str, &str)]) -> Call {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
    let dialect = dialects::by_name("openai_chat").unwrap();
    Call::of(
        dialect,
        Operation::Chat,
        headers.collect(),
        body.to_owned().into(),
        Label::default(),
    )
    .unwrap()
}

#[test]
fn a_rule_asks_what_its_first_model_would_cost() {
    let world = World::new(
        "  by-price:
    strategy: rules
    rules:
      - { name: affordable, when: price_micro_usd <= 2000, use: [dear, cheap] }
      - { when: price_micro_usd <= 2000, use: [cheap] }
      - { use: [lab/m0] }",
    );
    // 100 USD per million output tokens: 10 tokens are 1000 millionths, 100 are 10000.
    let rows = [
        (10, "rule 1 \"affordable\": price_micro_usd <= 2000", 2),
        (100, "rule 2: price_micro_usd <= 2000", 1),
        (4000, "rule 3: always", 1),
    ];
    for (max_tokens, reason, attempts) in rows {
        let body = format!(r#"{{"model":"by-price","max_tokens":{max_tokens},"messages":[]}}"#);
        let plan = world.plan(&call(&body, &[]));
        assert_eq!((plan.reason(), plan.attempts().len()), (reason, attempts), "{max_tokens}");
    }
}

#[test]
fn a_fallback_that_a_rule_uses_is_tried_once() {
    let world = World::new("  twice: { strategy: rules, rules: [{ use: [lab/a, lab/b] }], fallbacks: [lab/b, lab/c] }");
    let plan = world.plan(&call(r#"{"model":"twice","messages":[]}"#, &[]));
    assert_eq!(plan.attempts().len(), 3);
}

/// The figure: a plan with 10 candidates and 20 rules takes 15 µs at most.
#[test]
fn figures_of_a_plan() {
    let calls: u32 = if std::env::var_os("TOLLGATE_FIGURES").is_some() {
        20_000
    } else {
        100
    };
    let mut rules = String::new();
    for number in 0..19 {
        let when = match number % 5 {
            0 => format!("label >= \"confidential\" && team == \"team-{number}\""),
            1 => format!("task == \"task-{number}\" || input_tokens < {number}"),
            2 => format!("caller.tags.tier == \"tier-{number}\" || metadata.kind == \"k{number}\""),
            3 => format!("has_images && priority > 3 && feature.startsWith(\"f{number}\")"),
            _ => format!("user.matches(\"^u{number}-[0-9]+$\") || wants_json && hour < 0 + {number} && stream"),
        };
        let _ = writeln!(
            rules,
            "      - {{ when: '{when}', use: [lab/m{}, lab/m{}] }}",
            number % 10,
            (number + 1) % 10
        );
    }
    let targets: Vec<String> = (0..10).map(|number| format!("{{ model: lab/m{number} }}")).collect();
    let targets = targets.join(", ");
    let world = World::new(&format!(
        "  rules:\n    strategy: rules\n    rules:\n{rules}      - {{ use: [lab/m3, lab/m4] }}
  weighted: {{ strategy: weighted, targets: [{targets}] }}
  sticky: {{ strategy: weighted, sticky: prefix, targets: [{targets}] }}
  fastest: {{ strategy: fastest, targets: [{targets}] }}
  least_busy: {{ strategy: least_busy, targets: [{targets}] }}
  cheapest: {{ strategy: cheapest, targets: [{targets}, {{ model: dear }}] }}"
    ));
    let prompt = "a prompt of some length, about the weather. ".repeat(46);
    for route in ["rules", "weighted", "sticky", "fastest", "least_busy", "cheapest"] {
        let body = format!(r#"{{"model":"{route}","messages":[{{"role":"user","content":"{prompt}"}}],"metadata":{{"kind":"other"}}}}"#);
        let calls_made: Vec<Call> = (0..calls).map(|_| call(&body, &[("x-tollgate-task", "chat")])).collect();
        let desk = world.desk();
        let pass = admit::look(desk, &calls_made[0]).unwrap();
        let mut dice = Dice::new(1);
        let begun = clock::instant();
        for call in &calls_made {
            let plan = super::plan(desk, pass.pass(), call, &mut dice).map_err(|none| none.fault).unwrap();
            assert!(!plan.attempts().is_empty());
        }
        let took = clock::instant().saturating_duration_since(begun);
        println!(
            "{route}: {} ns a plan, with a body of {} bytes",
            (took / calls).as_nanos(),
            body.len()
        );
    }
}
