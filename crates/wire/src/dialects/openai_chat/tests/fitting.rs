//! Top-level fields of a request, made to fit what the model and the vendor take.

use serde_json::Value;

use super::super::OpenAiChat;
use super::writing::write;
use crate::dialects::{Dialect, Operation};
use crate::target::{ModelFacts, Quirks, StreamUsage, Target, Thinking};

/// Top-level fields: the caller's, the facts and quirks, what is written beside model and messages, what is lost.
#[test]
fn fields_that_the_model_and_the_vendor_take() {
    let efforts = |names: &[&str]| ModelFacts {
        thinking: Thinking::Adaptive,
        efforts: names.iter().map(|name| (*name).to_owned()).collect(),
        ..ModelFacts::default()
    };
    let plain = ModelFacts::default;
    let none = Quirks::default;
    let rows: Vec<(&str, ModelFacts, Quirks, &str, &str)> = vec![
        (
            r#""temperature":1.5,"top_p":0.5,"stop":"x","top_k":3"#,
            plain(),
            none(),
            r#"{"temperature":1.5,"top_p":0.5,"stop":["x"]}"#,
            "top_k",
        ),
        (
            r#""temperature":1.5,"top_p":0.5,"stop":["x"]"#,
            ModelFacts {
                sampling: false,
                stop: false,
                ..plain()
            },
            none(),
            "{}",
            "temperature, top_p, stop",
        ),
        (
            r#""temperature":1.5,"stop":[],"n":1"#,
            plain(),
            Quirks {
                temperature_max: Some(1.0),
                ..none()
            },
            r#"{"temperature":1,"n":1}"#,
            "temperature",
        ),
        (
            r#""temperature":0.5"#,
            plain(),
            Quirks {
                temperature_max: Some(1.0),
                ..none()
            },
            r#"{"temperature":0.5}"#,
            "",
        ),
        (
            r#""max_tokens":5,"user":"u","seed":1,"stream":true"#,
            plain(),
            Quirks {
                drop: vec!["user".to_owned(), "seed".to_owned(), "n".to_owned()],
                rename: vec![("max_completion_tokens".to_owned(), "max_tokens".to_owned())],
                stream_usage: StreamUsage::Always,
                ..none()
            },
            r#"{"max_tokens":5,"stream":true}"#,
            "user, seed",
        ),
        (
            r#""stream":true,"stream_options":{"include_obfuscation":false}"#,
            plain(),
            none(),
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            "",
        ),
        (
            r#""stream":true"#,
            plain(),
            Quirks {
                drop: vec!["stream_options".to_owned()],
                ..none()
            },
            r#"{"stream":true}"#,
            "",
        ),
        // Reasoning.
        (
            r#""reasoning_effort":"high""#,
            plain(),
            none(),
            r#"{"reasoning_effort":"high"}"#,
            "",
        ),
        (
            r#""reasoning_effort":"max""#,
            efforts(&["none", "low", "high"]),
            none(),
            r#"{"reasoning_effort":"high"}"#,
            "reasoning.effort",
        ),
        (
            r#""reasoning_effort":"minimal""#,
            efforts(&["low", "high"]),
            none(),
            r#"{"reasoning_effort":"low"}"#,
            "reasoning.effort",
        ),
        (r#""reasoning_effort":"low""#, efforts(&[]), none(), "{}", "reasoning.effort"),
        (
            r#""reasoning_effort":"none""#,
            efforts(&["none", "low"]),
            none(),
            r#"{"reasoning_effort":"none"}"#,
            "",
        ),
        (
            r#""reasoning_effort":"none""#,
            efforts(&["high", "minimal"]),
            none(),
            r#"{"reasoning_effort":"minimal"}"#,
            "reasoning.off",
        ),
        (
            r#""reasoning_effort":"none""#,
            ModelFacts {
                thinking: Thinking::None,
                ..plain()
            },
            none(),
            "{}",
            "",
        ),
        (
            r#""reasoning_effort":"low""#,
            ModelFacts {
                thinking: Thinking::None,
                ..plain()
            },
            none(),
            "{}",
            "reasoning",
        ),
        (
            r#""reasoning":{"max_tokens":2000}"#,
            plain(),
            none(),
            r#"{"reasoning_effort":"low"}"#,
            "reasoning.budget",
        ),
        (
            r#""thinking":{"type":"enabled","budget_tokens":8192}"#,
            plain(),
            none(),
            r#"{"reasoning_effort":"high"}"#,
            "reasoning.budget",
        ),
        (r#""thinking":{"type":"enabled"}"#, plain(), none(), "{}", ""),
        (
            r#""reasoning":{"effort":"low","exclude":true}"#,
            plain(),
            none(),
            r#"{"reasoning":{"effort":"low","exclude":true}}"#,
            "",
        ),
        (
            r#""reasoning_effort":"ultra""#,
            plain(),
            none(),
            r#"{"reasoning_effort":"ultra"}"#,
            "",
        ),
        // The form of the answer.
        (
            r#""response_format":{"type":"json_object"}"#,
            plain(),
            none(),
            r#"{"response_format":{"type":"json_object"}}"#,
            "",
        ),
        (r#""response_format":{"type":"text"}"#, plain(), none(), "{}", ""),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"}}}"#,
            plain(),
            none(),
            r#"{"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"}}}}"#,
            "",
        ),
        (
            r#""response_format":{"type":"grammar","grammar":"x"}"#,
            plain(),
            none(),
            r#"{"response_format":{"type":"grammar","grammar":"x"}}"#,
            "",
        ),
        // Tools; what goes only with tools goes only with tools.
        (r#""tool_choice":"auto","parallel_tool_calls":true"#, plain(), none(), "{}", ""),
        (
            r#""functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}"#,
            plain(),
            none(),
            r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":{"type":"function","function":{"name":"f"}}}"#,
            "",
        ),
        (
            r#""tools":[{"function":{"name":"f"},"cache_control":{"type":"ephemeral"}}],"tool_choice":"any""#,
            ModelFacts {
                forced_tool_choice: false,
                ..plain()
            },
            none(),
            r#"{"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto"}"#,
            "cache_control, tool_choice",
        ),
        (
            r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","x":1}"#,
            plain(),
            none(),
            r#"{"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"allowed_tools","x":1}}"#,
            "",
        ),
        (r#""service_tier":"standard_only""#, plain(), none(), "{}", "service_tier"),
    ];
    for (fields, facts, quirks, expected, lost) in rows {
        let body = format!(r#"{{"model":"a","messages":[],{fields}}}"#);
        let request = OpenAiChat.read_request(Operation::Chat, body.as_bytes()).unwrap();
        let (written, loss) = write(
            &request,
            &Target {
                model: "b".to_owned(),
                facts,
                quirks,
            },
        );
        let mut expected: Value = serde_json::from_str(expected).unwrap();
        expected["model"] = "b".into();
        expected["messages"] = Value::Array(Vec::new());
        assert_eq!(written, expected, "{fields}");
        assert_eq!(loss, lost, "{fields}");
    }
}
