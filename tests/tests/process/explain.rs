//! What is explained is what happens: the same model first, the same refusal; and asking changes nothing. What happened can be asked for
//! later, by whose it was.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tollgate_tests::gateway::Folder;
use tollgate_tests::rig::{ANTHROPIC_KEY, OPENAI_KEY, Plan};
use tollgate_tests::{Answer, Caller, Dialect, Rig};

/// Somebody else's key.
const OTHER_KEY: &str = "other-caller-key-01";

const ROUTES: &str = "  \
    dice: { strategy: weighted, targets: [{ model: openai/echo, weight: 60 }, { model: anthropic/echo, weight: 30 }, \
      { model: openai/lorem-1, weight: 10 }, { model: openai/lorem-2, weight: 0 }], fallbacks: [anthropic/lorem-1] }\n  \
    falls: { targets: [{ model: openai/status-503 }], fallbacks: [anthropic/echo], retry: { attempts: 2 } }\n  \
    priced: { targets: [{ model: cheap }] }\n  \
    ruled: { strategy: rules, rules: [{ when: 'task == \"triage\"', use: [openai/lorem-1] }, { use: [anthropic/echo, openai/echo] }] }\n";

const MODELS: &str = "  cheap: { provider: openai, upstream_model: echo, price: { input: 1, output: 2 } }\n  \
    dear: { provider: openai, upstream_model: lorem-3, price: { input: 1000, output: 100000 } }\n";

fn plan(head: &str) -> Plan {
    let mut plan = Plan {
        head: head.to_owned(),
        routes: ROUTES.into(),
        models: MODELS.into(),
        teams: "  others: { routes: [falls], models: [] }".into(),
        keys: "  - { name: other, team: others, secret: env:OTHER_KEY }".into(),
        ..Plan::default()
    };
    plan.settings.env.push(("OTHER_KEY".into(), OTHER_KEY.into()));
    plan
}

async fn explain(caller: &Caller, path: &str, body: &Value) -> Value {
    let answer = caller.post(path, body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.json()
}

/// The model that would be tried first.
fn first(explanation: &Value) -> &str {
    let candidates = explanation["candidates"].as_array().unwrap();
    let first = candidates.iter().find(|candidate| candidate["place"] == 1);
    first.map_or("", |first| first["model"].as_str().unwrap())
}

/// An admin who has the data folder.
fn admin(rig: &Rig, data: &Path) -> Caller {
    let token = std::fs::read_to_string(data.join("admin-token")).unwrap();
    Caller::new(rig.gateway.admin, token.trim())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_explained_is_what_happens() {
    let rig = plan("").start().await;
    let mut seen = BTreeSet::new();
    for number in 0..60 {
        let dialect = Dialect::ALL[number % 2];
        let body = dialect.ask("dice", "Say something.", false);
        let answer = rig.caller.post(dialect.path(), &body).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let path = format!("/v1/explain?request_id={}&dialect={}", answer.id(), dialect.name());
        let explanation = explain(&rig.caller, &path, &body).await;
        assert_eq!(first(&explanation), answer.header("x-tollgate-model"), "{explanation:#}");
        assert_eq!(
            (&explanation["order"]["by_dice"], &explanation["dialect"]),
            (&json!(true), &json!(dialect.name()))
        );
        seen.insert(first(&explanation).to_owned());
    }
    assert_eq!(seen.len(), 3, "dice fell on all of them: {seen:?}");

    // Without an id the shares are told, and the most frequent one is shown.
    let explanation = explain(&rig.caller, "/v1/explain", &Dialect::OpenAi.ask("dice", "x", false)).await;
    let shares = json!([
        { "model": "openai/echo", "percent": 60.0 }, { "model": "anthropic/echo", "percent": 30.0 }, { "model": "openai/lorem-1", "percent": 10.0 },
    ]);
    assert_eq!((&explanation["shares"], first(&explanation)), (&shares, "openai/echo"));
    let left_out: Vec<&Value> = explanation["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|candidate| candidate["place"].is_null())
        .collect();
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert_eq!(
        (&left_out[0]["model"], &left_out[0]["why"]),
        (&json!("openai/lorem-2"), &json!("weight 0: it is given no calls"))
    );
    // The rule that decides is named.
    let body = Dialect::OpenAi.ask("ruled", "x", false);
    for (task, model) in [("triage", "openai/lorem-1"), ("else", "anthropic/echo")] {
        let caller = rig.caller.clone().with("x-tollgate-task", task);
        let explanation = explain(&caller, "/v1/explain", &body).await;
        let answer = caller.post("/v1/chat/completions", &body).await;
        assert_eq!(
            (first(&explanation), answer.header("x-tollgate-model")),
            (model, model),
            "{explanation:#}"
        );
        assert_eq!(
            (&explanation["facts"]["task"], &explanation["order"]["by_dice"]),
            (&json!(task), &json!(false))
        );
        let reason = explanation["order"]["reason"].as_str().unwrap();
        assert!(reason.contains("rule"), "{reason}");
        assert_eq!(reason.contains("triage"), task == "triage", "{reason}");
    }
    // What the breaker rests is passed over, here as there.
    for _ in 0..6 {
        rig.caller.ask(Dialect::OpenAi, "falls", false).await;
    }
    let body = Dialect::OpenAi.ask("falls", "x", false);
    let explanation = explain(&rig.caller, "/v1/explain", &body).await;
    assert_eq!(
        (first(&explanation), &explanation["order"]["passed_over"]),
        ("anthropic/echo", &json!("unavailable"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_charges_nothing_and_sends_nothing() {
    let rules = "spending: { allow_unpriced: true }\nlimits:\n  - { name: few, per: [team], requests: 3/hour, concurrent: 2, tokens: 100k/hour }\n\
                 budgets:\n  - { name: day, per: [team], amount: 1 USD, window: day }\n  - { name: all, amount: 100 USD, window: month }\n";
    let data = Folder::new();
    let mut plan = plan(rules);
    plan.settings.data = Some(data.path().to_owned());
    let rig = plan.start().await;
    let body = Dialect::OpenAi.ask("priced", "Say something.", false);
    let before = explain(&rig.caller, "/v1/explain", &body).await;
    assert_eq!(before["verdict"], json!({ "outcome": "sent" }));
    let few = |unit: &str, left: &str| json!({ "name": "few", "unit": unit, "scope": "team=all", "limit": left, "left": left });
    let limits = before["limits"].as_array().unwrap();
    let known: Vec<Value> = limits
        .iter()
        .map(|limit| few(limit["unit"].as_str().unwrap(), limit["left"].as_str().unwrap()))
        .collect();
    assert_eq!(&known, limits);
    let left: Vec<(&Value, &Value)> = limits.iter().map(|limit| (&limit["unit"], &limit["left"])).collect();
    assert_eq!(
        left,
        [
            (&json!("requests"), &json!("3")),
            (&json!("concurrent"), &json!("2")),
            (&json!("tokens"), &json!("100000"))
        ]
    );
    // What the whole organisation spends is not told to one of its keys.
    let budgets = &before["budgets"];
    assert_eq!((&budgets[0]["name"], &budgets[0]["left"]), (&json!("day"), &json!("1.00")));
    assert_eq!((&budgets[1]["name"], &budgets[1]["left"]), (&json!("all"), &Value::Null));
    let mut same = before.clone();
    for _ in 0..50 {
        same = explain(&rig.caller, "/v1/explain", &body).await;
    }
    same["at_ms"] = before["at_ms"].clone();
    assert_eq!(same, before);
    assert_eq!(
        (rig.bill("echo").len(), rig.gateway.metric("tollgate_open_holds", "").await),
        (0, 0.0)
    );

    // The limit lets all its calls pass, and what is said of the next is what it is told.
    for _ in 0..3 {
        assert_eq!(rig.caller.post("/v1/chat/completions", &body).await.status, 200);
    }
    for (model, tokens) in [("priced", 10), ("dear", 100)] {
        let mut body = Dialect::OpenAi.ask(model, "x", false);
        body["max_tokens"] = json!(tokens);
        agrees(&rig, &body, 429, "rate_limit_exceeded").await;
    }
    let spent = explain(&rig.caller, "/v1/explain", &body).await;
    assert_eq!(
        (&spent["limits"][0]["left"], &spent["budgets"][1]["left"]),
        (&json!("0"), &Value::Null)
    );
    assert_ne!(spent["budgets"][0]["left"], before["budgets"][0]["left"]);
    let as_admin = json!({ "request": body, "as": { "key": "tester" } });
    let told = admin(&rig, data.path()).post("/admin/v1/explain", &as_admin).await.json();
    assert_eq!((&told["limits"], &told["verdict"]), (&spent["limits"], &spent["verdict"]));
    assert!(told["budgets"][1]["left"].as_str().unwrap().starts_with("99.99"), "{told:#}");
    assert_eq!(rig.bill("echo").len(), 3);
}

/// What is explained, and what then happens.
async fn agrees(rig: &Rig, body: &Value, status: u16, code: &str) {
    let explanation = explain(&rig.caller, "/v1/explain", body).await;
    let answer = rig.caller.post("/v1/chat/completions", body).await;
    let error = &answer.json()["error"];
    assert_eq!((answer.status, &error["code"]), (status, &json!(code)), "{error}");
    let verdict = &explanation["verdict"];
    assert_eq!(
        (&verdict["outcome"], &verdict["code"]),
        (&json!("refused"), &error["code"]),
        "{verdict}"
    );
    assert_eq!(verdict["message"], error["message"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_foreseen_in_the_words_that_they_come_in() {
    let rules = "budgets: [{ name: day, per: [team], amount: 1 USD, window: day }]\n";
    let rig = plan(rules).start().await;
    let ask = |model: &str, tokens: u64| {
        let mut body = Dialect::OpenAi.ask(model, "x", false);
        body["max_tokens"] = json!(tokens);
        body
    };
    agrees(&rig, &ask("dear", 100_000), 402, "request_exceeds_budget").await;
    agrees(&rig, &ask("nothing", 1), 404, "model_not_found").await;
    let rig = Rig {
        caller: Caller::new(rig.gateway.address, OTHER_KEY),
        ..rig
    };
    agrees(&rig, &ask("dice", 1), 403, "model_not_allowed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_told_as_it_was_to_whom_it_belongs() {
    let data = Folder::new();
    let mut plan = plan("");
    plan.settings.data = Some(data.path().to_owned());
    let rig = plan.start().await;
    let other = Caller::new(rig.gateway.address, OTHER_KEY);
    let answer = rig
        .caller
        .clone()
        .with("x-tollgate-task", "triage")
        .ask(Dialect::Anthropic, "falls", false)
        .await;
    let refused = rig.caller.ask(Dialect::OpenAi, "nothing", false).await;
    let foreign = other.ask(Dialect::OpenAi, "falls", true).await;
    let admin_now = admin(&rig, data.path());
    // At once, and after a restart.
    told(&rig.caller, &admin_now, (&answer, &refused, &foreign)).await;
    drop(rig);
    let rig = plan.start().await;
    told(&rig.caller, &admin(&rig, data.path()), (&answer, &refused, &foreign)).await;
}

async fn told(caller: &Caller, admin: &Caller, (answer, refused, foreign): (&Answer, &Answer, &Answer)) {
    let past = |id: &str| format!("/v1/explain?request_id={id}");
    let explanation = caller.send("GET", &past(answer.id()), "").await;
    assert_eq!(explanation.status, 200, "{:?}", explanation.body);
    let told = explanation.json();
    let place = |at: usize, place: u32, model: &str, role: &str, tried: &str| {
        let candidate = &told["candidates"][at];
        assert_eq!(
            (&candidate["place"], &candidate["model"]),
            (&json!(place), &json!(model)),
            "{told:#}"
        );
        assert_eq!(candidate["role"], role, "{told:#}");
        assert!(candidate["why"].as_str().unwrap().ends_with(&format!("tried: {tried}")), "{told:#}");
    };
    place(0, 1, "openai/status-503", "target", "overloaded");
    place(1, 2, "anthropic/echo", "fallback", "ok");
    assert_eq!(
        (&told["kind"], &told["route"], &told["facts"]["task"], &told["config"]),
        (
            &json!("record"),
            &json!("falls"),
            &json!("triage"),
            &json!(answer.header("x-tollgate-config"))
        )
    );
    let record = &told["record"];
    assert_eq!(record["fallback"], "from=openai/status-503; reason=overloaded");
    assert_eq!(
        (&record["attempts"].as_array().unwrap().len(), &record["outcome"]),
        (&2, &json!("completed"))
    );
    assert_eq!(
        (&record["provider_request_id"], &record["config"]),
        (&Value::Null, &Value::Null),
        "for callers"
    );
    let told = caller.send("GET", &past(refused.id()), "").await.json();
    assert_eq!(told["verdict"], json!({ "outcome": "refused", "code": "model_not_found" }));

    let nobody = ["req_000000000000000000000000cdef", "x", "%27%20OR%201=1", foreign.id()];
    for id in nobody {
        let answer = caller.send("GET", &past(id), "").await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (404, &json!("request_not_found")),
            "{id}"
        );
    }
    for id in [answer.id(), foreign.id()] {
        let answer = admin.send("GET", &format!("/admin/v1/records/{id}/explain"), "").await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert_eq!(
            (&answer.json()["request_id"], answer.json()["record"]["config"].is_string()),
            (&json!(id), true)
        );
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            !text.contains("Say something") && !text.contains(OPENAI_KEY) && !text.contains(ANTHROPIC_KEY),
            "{text}"
        );
    }
    let answer = admin.send("GET", "/admin/v1/records/req_0/explain", "").await;
    assert_eq!((answer.status, &answer.json()["code"]), (404, &json!("not_found")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_explained_says_what_is_wrong() {
    let data = Folder::new();
    let mut plan = plan("");
    plan.settings.data = Some(data.path().to_owned());
    let rig = plan.start().await;
    let fine = json!({ "model": "dice", "messages": [{ "role": "user", "content": "x" }] });
    let ill = json!({ "model": "dice", "messages": [{ "role": "nobody", "content": 7 }] });
    let rows: [(&str, &str, String, u16, &str); 8] = [
        ("POST", "/v1/explain", ill.to_string(), 400, "messages[0]"),
        ("POST", "/v1/explain", "{".into(), 400, ""),
        ("POST", "/v1/explain", json!({ "messages": [] }).to_string(), 400, "model"),
        ("POST", "/v1/explain?dialect=latin", fine.to_string(), 400, "dialect"),
        ("POST", "/v1/explain?request_id=12", fine.to_string(), 400, "request_id"),
        ("POST", "/v1/explain?colour=red", fine.to_string(), 400, "query"),
        ("GET", "/v1/explain", String::new(), 400, "request_id"),
        ("PUT", "/v1/explain", fine.to_string(), 405, ""),
    ];
    for (method, path, body, status, param) in rows {
        let answer = rig.caller.send(method, path, body).await;
        let error = &answer.json()["error"];
        assert_eq!(answer.status, status, "{method} {path}: {error}");
        assert!(
            error["param"].as_str().unwrap_or_default().starts_with(param),
            "{method} {path}: {error}"
        );
        assert!(!answer.id().is_empty());
    }
    let nobody = Caller::new(rig.gateway.address, "nobodys-key-000001");
    assert_eq!(nobody.post("/v1/explain", &fine).await.status, 401);
    // What it looks like is what it is taken for.
    let said = json!({ "model": "dice", "max_tokens": 5, "system": "Be short.", "messages": [{ "role": "user", "content": "x" }] });
    assert_eq!(explain(&rig.caller, "/v1/explain", &said).await["dialect"], "anthropic");
    assert_eq!(explain(&rig.caller, "/v1/explain", &fine).await["dialect"], "openai_chat");

    let admin = admin(&rig, data.path());
    let rows = [
        (json!({ "request": ill }), 400, "request.messages[0]"),
        (json!({}), 400, "request"),
        (json!({ "request": fine, "as": { "key": "nobody" } }), 404, "as.key"),
        (json!({ "request": fine, "as": { "team": "nobody" } }), 404, "as.team"),
        (json!({ "request": fine, "as": { "user": "u" } }), 400, "as.team"),
        (
            json!({ "request": fine, "headers": { "x-tollgate-timeout-ms": "soon" } }),
            400,
            "headers.x-tollgate-timeout-ms",
        ),
        (json!({ "request": fine, "request_id": "x" }), 400, "request_id"),
    ];
    for (body, status, path) in rows {
        let answer = admin.post("/admin/v1/explain", &body).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            answer.status == status && detail.starts_with(path),
            "{body}: {} {detail}",
            answer.status
        );
    }
    // As nobody in particular everything may be asked for; a team's rights are a team's.
    let asked = async |caller: Value| {
        admin
            .post("/admin/v1/explain", &json!({ "request": fine, "as": caller }))
            .await
            .json()
    };
    assert_eq!(asked(json!({})).await["verdict"]["outcome"], "sent");
    assert_eq!(asked(json!({ "team": "others" })).await["verdict"]["code"], "model_not_allowed");
    assert_eq!(
        asked(json!({ "key": "other" })).await["caller"],
        json!({ "team": "others", "key": "other" })
    );
}
