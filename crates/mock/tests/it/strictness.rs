//! Wrong requests are refused as the vendors refuse them: status, body, words.

use serde_json::{Value, json};

use crate::support::{ANTHROPIC, OPENAI, ask_with, mock, post, send};

#[tokio::test]
async fn openai_refuses() {
    let mock = mock().await;
    let user = |content: Value| json!({ "role": "user", "content": content });
    let call = json!({ "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let tool = |schema: Value| json!([{ "type": "function", "function": { "name": "f", "strict": true, "parameters": schema } }]);
    let rows = [
        (json!({ "top_k": 3 }), "Unknown parameter: 'top_k'."),
        (json!({ "thinking": {} }), "Unknown parameter: 'thinking'."),
        (json!({ "messages": null }), "Missing required parameter: 'messages'."),
        (json!({ "messages": [] }), "Invalid 'messages': empty array"),
        (
            json!({ "messages": [{ "role": "robot", "content": "x" }] }),
            "Invalid value: 'robot'",
        ),
        (json!({ "messages": [user(json!(null))] }), "expected a string, got null"),
        (
            json!({ "messages": [user(json!([{ "type": "image", "source": {} }]))] }),
            "Invalid value: 'image'",
        ),
        (
            json!({ "messages": [user(json!([{ "type": "image_url", "image_url": { "url": "data:image/tiff;base64,AA" } }]))] }),
            "unsupported image",
        ),
        (
            json!({ "messages": [{ "role": "assistant", "tool_calls": [call] }, user(json!("x"))] }),
            "did not have response messages: call_1",
        ),
        (
            json!({ "messages": [user(json!("x")), { "role": "assistant", "tool_calls": [call] }] }),
            "did not have response messages: call_1",
        ),
        (
            json!({ "messages": [{ "role": "tool", "tool_call_id": "call_1", "content": "x" }] }),
            "must be a response to a preceeding message",
        ),
        (
            json!({ "messages": [{ "role": "assistant", "tool_calls": [{ "id": "a", "type": "function", "function": { "name": "f", "arguments": {} } }] }] }),
            "expected a string, but got an object instead",
        ),
        (json!({ "max_tokens": 0 }), "Expected a value >= 1"),
        (json!({ "max_tokens": 5, "max_completion_tokens": 5 }), "at the same time"),
        (json!({ "temperature": 3 }), "Expected a value <= 2"),
        (json!({ "n": 500 }), "Expected a value <= 128"),
        (json!({ "stop": ["a", "b", "c", "d", "e"] }), "maximum length 4"),
        (json!({ "stream": "yes" }), "expected a boolean, but got a string instead"),
        (
            json!({ "stream_options": { "include_usage": true } }),
            "only allowed when 'stream' is enabled",
        ),
        (json!({ "top_logprobs": 3 }), "'logprobs' must be set to true"),
        (json!({ "tools": [] }), "Invalid 'tools': empty array"),
        (json!({ "tool_choice": "required" }), "only allowed when 'tools' are specified"),
        (json!({ "parallel_tool_calls": true }), "only allowed when 'tools' are specified"),
        (
            json!({ "tools": [{ "type": "function", "function": { "name": "a b" } }] }),
            "does not match pattern",
        ),
        (
            json!({ "tools": tool(json!({ "type": "string" })) }),
            "schema must be a JSON Schema of 'type: \\\"object\\\"'",
        ),
        (
            json!({ "tools": tool(json!({ "type": "object", "properties": { "a": {} } })) }),
            "'additionalProperties' is required",
        ),
        (
            json!({ "tools": tool(json!({ "type": "object", "additionalProperties": false, "properties": { "a": {} } })) }),
            "Missing 'a'",
        ),
        (
            json!({ "response_format": { "type": "json_object" } }),
            "must contain the word 'json'",
        ),
        (
            json!({ "response_format": { "type": "json_schema" } }),
            "Missing required parameter: 'response_format.json_schema'",
        ),
    ];
    for (more, said) in rows {
        let got = ask_with(&mock, OPENAI, "echo", false, &more).await;
        assert!(got.status == 400 && got.text().contains(said), "{more}\n{}", got.text());
        assert_eq!(got.json()["error"]["type"], "invalid_request_error", "{more}");
    }
    assert_eq!(post(&mock, OPENAI, &json!({ "messages": [] })).await.unwrap().status, 400);
}

#[tokio::test]
async fn anthropic_refuses() {
    let mock = mock().await;
    let user = |content: Value| json!({ "role": "user", "content": content });
    let assistant = |content: Value| json!({ "role": "assistant", "content": content });
    let used = assistant(json!([{ "type": "tool_use", "id": "toolu_1", "name": "f", "input": {} }]));
    let result = json!({ "type": "tool_result", "tool_use_id": "toolu_1", "content": "ok" });
    let marked = |n: usize| vec![json!({ "type": "text", "text": "x", "cache_control": { "type": "ephemeral" } }); n];
    let rows = [
        (json!({ "max_tokens": null }), "max_tokens: Input should be a valid integer"),
        (
            json!({ "frequency_penalty": 1 }),
            "frequency_penalty: Extra inputs are not permitted",
        ),
        (json!({ "messages": null }), "messages: Field required"),
        (json!({ "messages": [] }), "at least one message is required"),
        (
            json!({ "messages": [{ "role": "system", "content": "x" }] }),
            "Unexpected role \\\"system\\\"",
        ),
        (
            json!({ "messages": [user(json!("x")), { "role": "tool", "content": "x" }] }),
            "Unexpected role \\\"tool\\\"",
        ),
        (
            json!({ "messages": [assistant(json!("x")), user(json!("x"))] }),
            "first message must use",
        ),
        (json!({ "messages": [user(json!(""))] }), "non-empty content"),
        (
            json!({ "messages": [user(json!([{ "type": "text", "text": "" }]))] }),
            "text content blocks must be non-empty",
        ),
        (
            json!({ "messages": [user(json!("x")), assistant(json!("y "))] }),
            "cannot end with trailing whitespace",
        ),
        (
            json!({ "messages": [user(json!("x")), used] }),
            "messages.1: `tool_use` ids were found without",
        ),
        (
            json!({ "messages": [user(json!("x")), used, user(json!("y"))] }),
            "immediately after: toolu_1",
        ),
        (
            json!({ "messages": [user(json!("x")), used, user(json!([{ "type": "text", "text": "y" }, result]))] }),
            "immediately after: toolu_1",
        ),
        (json!({ "messages": [user(json!([result]))] }), "unexpected `tool_use_id`"),
        (
            json!({ "messages": [user(json!([{ "type": "image_url", "image_url": {} }]))] }),
            "Input tag 'image_url'",
        ),
        (
            json!({ "messages": [user(json!([{ "type": "image", "source": { "type": "base64", "media_type": "image/tiff", "data": "" } }]))] }),
            "media_type: Input should be",
        ),
        (
            json!({ "messages": [user(json!("x")), assistant(json!([{ "type": "tool_use", "id": "a", "name": "f", "input": "{}" }]))] }),
            "Input should be a valid dictionary",
        ),
        (
            json!({ "messages": [user(json!("x")), assistant(json!([{ "type": "tool_use", "id": "a.b", "name": "f", "input": {} }]))] }),
            "String should match pattern",
        ),
        (
            json!({ "messages": [user(json!(marked(5)))] }),
            "A maximum of 4 blocks with cache_control",
        ),
        (json!({ "temperature": 1.5 }), "temperature: range: 0..1"),
        (json!({ "stop_sequences": [" "] }), "must contain non-whitespace"),
        (json!({ "tools": [{ "name": "f" }] }), "tools.0.custom.input_schema: Field required"),
        (
            json!({ "tools": [{ "name": "f", "input_schema": {} }] }),
            "input_schema.type: Field required",
        ),
        (
            json!({ "tool_choice": { "type": "any" } }),
            "only be specified while providing tools",
        ),
        (
            json!({ "thinking": { "type": "enabled", "budget_tokens": 2000 } }),
            "`max_tokens` must be greater",
        ),
        (
            json!({ "thinking": { "type": "enabled", "budget_tokens": 5 } }),
            "greater than or equal to 1024",
        ),
        (
            json!({ "output_config": { "format": { "type": "json_schema", "schema": { "properties": {} } } } }),
            "'additionalProperties' must be explicitly",
        ),
    ];
    for (more, said) in rows {
        let got = ask_with(&mock, ANTHROPIC, "echo", false, &more).await;
        assert!(got.status == 400 && got.text().contains(said), "{more}\n{}", got.text());
        let (body, id) = (got.json(), got.header("request-id").to_owned());
        assert_eq!(
            (&body["type"], &body["error"]["type"]),
            (&json!("error"), &json!("invalid_request_error"))
        );
        assert_eq!(body["request_id"], id);
    }
    let got = post(&mock, ANTHROPIC, &json!({ "model": "echo", "messages": [user(json!("x"))] }))
        .await
        .unwrap();
    assert!(got.text().contains("max_tokens: Field required"));
}

#[tokio::test]
async fn consecutive_turns_of_one_role_are_one() {
    let mock = mock().await;
    let used = |id: &str| json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": "f", "input": {} }] });
    let result = |id: &str| json!({ "role": "user", "content": [{ "type": "tool_result", "tool_use_id": id, "content": id }] });
    let user = |text: &str| json!({ "role": "user", "content": text });
    let more = json!({ "messages": [user("a"), user("b"), used("x"), used("y"), result("x"), result("y"), user("c")] });
    let got = ask_with(&mock, ANTHROPIC, "echo", false, &more).await;
    assert_eq!((got.status, got.said().as_str()), (200, "c"), "{}", got.text());
}

#[tokio::test]
async fn the_new_anthropic_version_is_stricter() {
    let mock = mock().await;
    let headers = [("authorization", "Bearer sk-ant"), ("anthropic-version", "2026-10-21")];
    let body = |more: Value| {
        let mut body = json!({ "model": "echo", "max_tokens": 9, "messages": [{ "role": "user", "content": "x" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let path = "/anthropic/v1/messages?beta=true";
    assert_eq!(send(&mock, "POST", path, &headers, body(json!({}))).await.unwrap().status, 200);
    for name in ["temperature", "top_p", "top_k"] {
        assert_eq!(
            send(&mock, "POST", path, &headers, body(json!({ name: 1 }))).await.unwrap().status,
            400,
            "{name}"
        );
    }
}

#[tokio::test]
async fn credentials_and_versions_are_required() {
    let mock = mock().await;
    let version = ("anthropic-version", "2023-06-01");
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);
    let rows: [Row<'_>; 10] = [
        (OPENAI, &[], 401, "You didn't provide an API key"),
        (OPENAI, &[("x-api-key", "k")], 401, "You didn't provide an API key"),
        (OPENAI, &[("authorization", "Basic k")], 401, "You didn't provide an API key"),
        (OPENAI, &[("authorization", "Bearer bad-key")], 401, "invalid_api_key"),
        (ANTHROPIC, &[version], 401, "x-api-key header is required"),
        (ANTHROPIC, &[version, ("x-api-key", "bad-key")], 401, "authentication_error"),
        (
            ANTHROPIC,
            &[version, ("authorization", "Bearer bad-key")],
            401,
            "authentication_error",
        ),
        (ANTHROPIC, &[("x-api-key", "k")], 400, "anthropic-version: header is required"),
        (
            ANTHROPIC,
            &[("x-api-key", "k"), ("anthropic-version", "1999-01-01")],
            400,
            "is not a valid version",
        ),
        (
            "/openai/v1/nonsense",
            &[("authorization", "Bearer k")],
            404,
            "Invalid URL (POST /openai/v1/nonsense)",
        ),
    ];
    for (path, headers, status, said) in rows {
        let got = send(&mock, "POST", path, headers, "{\"model\":\"echo\"}".to_owned()).await.unwrap();
        assert!(
            got.status == status && got.text().contains(said),
            "{path} {headers:?}\n{}",
            got.text()
        );
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_and_misspelt_wishes_are_refused() {
    let mock = mock().await;
    for body in ["", "{", "[]", "nonsense", "{\"model\":7}"] {
        let got = send(&mock, "POST", OPENAI, &[("authorization", "Bearer k")], body.to_owned())
            .await
            .unwrap();
        assert_eq!(
            (got.status, got.json()["error"]["type"].as_str().unwrap()),
            (400, "invalid_request_error"),
            "{body}"
        );
    }
    let got = ask_with(&mock, OPENAI, "echo+no-such-fault", false, &json!({})).await;
    assert_eq!(
        (got.status, got.json()["error"]["code"].as_str().unwrap()),
        (404, "model_not_found")
    );
}
