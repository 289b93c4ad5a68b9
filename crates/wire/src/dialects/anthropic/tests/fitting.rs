//! Requests for a provider: numbers, tools and forms fitted to what the model can do.

use serde_json::json;

use super::writing::{asks, says};
use super::*;
use crate::request::{Effort, OutputFormat, Reasoning, ReasoningMode, Role, ToolChoice};
use crate::target::{Quirks, Thinking};

/// The fields of the request that depend on the model, and the losses.
fn numbers(request: &Request, facts: ModelFacts) -> String {
    let (body, loss) = write(
        request,
        &Target {
            facts,
            ..Target::default()
        },
    );
    let shown = [
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "thinking",
        "output_config",
        "tool_choice",
    ];
    let fields = body
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| shown.contains(&name.as_str()) && (*name != "max_tokens" || body["max_tokens"] != 32_000));
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{} | {loss}", fields.join(" "))
}

#[test]
fn sampling_is_fitted_to_the_model() {
    let request = |temperature: Option<f64>, top_p: Option<f64>, top_k: Option<u64>| Request {
        temperature,
        top_p,
        top_k,
        ..asks(vec![says(Role::User, "x")])
    };
    let none = || ModelFacts {
        sampling: false,
        ..ModelFacts::default()
    };
    for (asked, facts, expected) in [
        (
            request(Some(0.5), None, Some(3)),
            ModelFacts::default(),
            "temperature=0.5 top_k=3 | ",
        ),
        (request(Some(1.7), None, None), ModelFacts::default(), "temperature=1 | temperature"),
        (
            request(Some(0.5), Some(0.9), None),
            ModelFacts::default(),
            "temperature=0.5 | top_p",
        ),
        (request(Some(0.5), Some(1.0), None), ModelFacts::default(), "temperature=0.5 | "),
        (request(Some(1.0), Some(0.9), None), ModelFacts::default(), "top_p=0.9 | "),
        (request(None, Some(0.9), None), ModelFacts::default(), "top_p=0.9 | "),
        (request(Some(0.5), Some(0.9), Some(3)), none(), " | temperature, top_p, top_k"),
        (request(Some(1.0), Some(1.0), None), none(), " | "),
    ] {
        assert_eq!(numbers(&asked, facts), expected);
    }
}

fn thinks(mode: ReasoningMode, effort: Option<Effort>) -> Request {
    Request {
        reasoning: Some(Reasoning { mode, effort }),
        ..asks(vec![says(Role::User, "x")])
    }
}

fn model(thinking: Thinking, efforts: &[&str], output_tokens_max: Option<u64>) -> ModelFacts {
    ModelFacts {
        thinking,
        efforts: efforts.iter().map(ToString::to_string).collect(),
        output_tokens_max,
        ..ModelFacts::default()
    }
}

#[test]
fn reasoning_is_asked_for_as_the_model_understands_it() {
    use Effort as E;
    use ReasoningMode as M;
    let budget = |tokens: u64| format!(r#"thinking={{"type":"enabled","budget_tokens":{tokens}}}"#);
    let adaptive = r#"thinking={"type":"adaptive"}"#;
    for (asked, facts, expected) in [
        (
            thinks(M::Unsaid, Some(E::Minimal)),
            model(Thinking::Budget, &[], None),
            format!("max_tokens=33024 {} | ", budget(1024)),
        ),
        (
            thinks(M::Unsaid, Some(E::XHigh)),
            model(Thinking::Budget, &[], Some(64_000)),
            format!("max_tokens=64000 {} | ", budget(32_768)),
        ),
        (
            thinks(M::Adaptive, None),
            model(Thinking::Budget, &[], Some(64_000)),
            format!("max_tokens=64000 {} | thinking.type", budget(10_000)),
        ),
        (
            thinks(M::Off, None),
            model(Thinking::Budget, &[], None),
            r#"thinking={"type":"disabled"} | "#.to_owned(),
        ),
        (
            thinks(M::Unsaid, Some(E::Minimal)),
            model(Thinking::Adaptive, &["low", "high"], None),
            format!(r#"{adaptive} output_config={{"effort":"low"}} | "#),
        ),
        (
            thinks(M::Unsaid, Some(E::Medium)),
            model(Thinking::Adaptive, &["low", "high"], None),
            format!(r#"{adaptive} output_config={{"effort":"low"}} | "#),
        ),
        (
            thinks(M::Unsaid, Some(E::XHigh)),
            model(Thinking::Adaptive, &["low", "high", "max"], None),
            format!(r#"{adaptive} output_config={{"effort":"max"}} | "#),
        ),
        (
            thinks(M::Unsaid, Some(E::High)),
            model(Thinking::Adaptive, &[], None),
            format!("{adaptive} | reasoning_effort"),
        ),
        (
            thinks(M::Budget(9000), None),
            model(Thinking::Adaptive, &["low", "medium"], None),
            format!(r#"{adaptive} output_config={{"effort":"medium"}} | thinking.budget_tokens"#),
        ),
        (
            thinks(M::Unsaid, Some(E::High)),
            model(Thinking::None, &[], None),
            " | reasoning".to_owned(),
        ),
        (thinks(M::Off, None), model(Thinking::None, &[], None), " | ".to_owned()),
        (
            thinks(M::Unsaid, Some(E::Minimal)),
            model(Thinking::Unknown, &[], None),
            format!(r#"{adaptive} output_config={{"effort":"low"}} | "#),
        ),
        (
            thinks(M::Budget(500), None),
            model(Thinking::Unknown, &[], None),
            format!("max_tokens=33024 {} | ", budget(1024)),
        ),
    ] {
        assert_eq!(numbers(&asked, facts), expected, "{:?}", asked.reasoning);
    }
}

#[test]
fn a_budget_fits_below_the_limit_and_rules_the_rest() {
    let with = |max_tokens: u64, more: fn(&mut Request)| {
        let mut request = thinks(ReasoningMode::Budget(5000), None);
        request.max_tokens = Some(max_tokens);
        more(&mut request);
        numbers(&request, model(Thinking::Budget, &[], None))
    };
    let thinking = |tokens: u64| format!(r#"thinking={{"type":"enabled","budget_tokens":{tokens}}}"#);
    assert_eq!(with(6000, |_| {}), format!("max_tokens=6000 {} | ", thinking(5000)));
    assert_eq!(with(4000, |_| {}), format!("max_tokens=4000 {} | ", thinking(2000)));
    assert_eq!(with(1100, |_| {}), format!("max_tokens=1100 {} | ", thinking(1024)));
    assert_eq!(with(1024, |_| {}), "max_tokens=1024 | reasoning");
    assert_eq!(
        with(6000, |r| (r.temperature, r.top_k, r.top_p) = (Some(0.3), Some(4), Some(0.5))),
        format!("max_tokens=6000 {} | temperature, top_p, top_k", thinking(5000))
    );
}

#[test]
fn a_tool_is_forced_only_where_that_is_allowed() {
    let with = |choice: Option<ToolChoice>, parallel: Option<bool>, forced: bool, budget: bool| {
        let mut request = asks(vec![says(Role::User, "x")]);
        if budget {
            request = thinks(ReasoningMode::Budget(2000), None);
        }
        request.tools = vec![function("a"), function("b")];
        (request.tool_choice, request.parallel_tool_calls) = (choice, parallel);
        let (body, loss) = write(
            &request,
            &Target {
                facts: ModelFacts {
                    forced_tool_choice: forced,
                    ..ModelFacts::default()
                },
                ..Target::default()
            },
        );
        let names: Vec<&str> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        format!("{} {} {loss}", names.join("+"), body["tool_choice"])
    };
    let named = || Some(ToolChoice::Named("b".to_owned()));
    for (seen, expected) in [
        (with(None, None, true, false), "a+b null "),
        (
            with(None, Some(false), true, false),
            r#"a+b {"type":"auto","disable_parallel_tool_use":true} "#,
        ),
        (with(Some(ToolChoice::None), Some(false), true, false), r#"a+b {"type":"none"} "#),
        (with(Some(ToolChoice::Required), None, true, false), r#"a+b {"type":"any"} "#),
        (with(named(), None, true, false), r#"a+b {"type":"tool","name":"b"} "#),
        (with(named(), None, false, false), r#"b {"type":"auto"} tool_choice"#),
        (
            with(named(), Some(false), true, true),
            r#"b {"type":"auto","disable_parallel_tool_use":true} tool_choice"#,
        ),
        (
            with(Some(ToolChoice::Required), None, false, false),
            r#"a+b {"type":"auto"} tool_choice"#,
        ),
    ] {
        assert_eq!(seen, expected);
    }
}

#[test]
fn the_form_of_the_answer_is_bound_or_asked_for() {
    let schema = |description: Option<&str>| OutputFormat::Schema {
        name: Some("ships".to_owned()),
        description: description.map(ToOwned::to_owned),
        schema: crate::json::raw(r#"{"type":"object"}"#).unwrap(),
        strict: Some(true),
    };
    let with = |output: OutputFormat, json_schema: bool| {
        let request = Request {
            output,
            ..asks(vec![says(Role::System, "s"), says(Role::User, "x")])
        };
        let (body, loss) = write(
            &request,
            &Target {
                facts: ModelFacts {
                    json_schema,
                    ..ModelFacts::default()
                },
                ..Target::default()
            },
        );
        format!("{} {} {loss}", body["output_config"], body["system"])
    };
    assert_eq!(
        with(schema(None), true),
        r#"{"format":{"type":"json_schema","schema":{"type":"object"}}} "s" "#
    );
    assert_eq!(
        with(schema(Some("d")), true),
        r#"{"format":{"type":"json_schema","schema":{"type":"object"}}} "s" response_format.description"#
    );
    assert!(with(schema(None), false).contains(r#"JSON Schema: {\"type\":\"object\"}"#));
    assert!(with(schema(None), false).ends_with("response_format"));
    let mut request = asks(vec![says(Role::User, "a Json list, please")]);
    request.output = OutputFormat::Json;
    let (body, loss) = write(&request, &Target::default());
    assert_eq!((body.get("system"), loss.as_str()), (None, "response_format"));
    assert_eq!(
        with(OutputFormat::Json, true),
        r#"null [{"type":"text","text":"s"},{"type":"text","text":"Answer with one JSON object and nothing else."}] response_format"#
    );
}

#[test]
fn limits_stops_and_quirks() {
    let mut request = asks(vec![says(Role::User, "x")]);
    request.stop = vec!["END".to_owned(), " ".to_owned()];
    let (body, loss) = write(
        &request,
        &Target {
            model: "theirs".to_owned(),
            ..Target::default()
        },
    );
    assert_eq!(
        (&body["model"], &body["max_tokens"], &body["stop_sequences"], loss.as_str()),
        (&json!("theirs"), &json!(32_000), &json!(["END"]), "stop")
    );
    request.stop = vec!["END".to_owned()];
    request.max_tokens = Some(100_000);
    let target = Target {
        facts: ModelFacts {
            output_tokens_max: Some(8192),
            stop: false,
            ..ModelFacts::default()
        },
        quirks: Quirks {
            drop: vec!["metadata".to_owned()],
            rename: vec![("max_tokens".to_owned(), "max_output".to_owned())],
            ..Quirks::default()
        },
        ..Target::default()
    };
    request.user = Some("u".to_owned());
    let (body, loss) = write(&request, &target);
    assert_eq!(
        (&body["max_output"], body.get("metadata"), body.get("stop_sequences"), loss.as_str()),
        (&json!(8192), None, None, "stop, metadata")
    );
}
