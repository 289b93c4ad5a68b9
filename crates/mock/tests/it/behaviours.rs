//! Every behaviour × dialect × stream says what its row promises, in the vendor's shapes.

use serde_json::{Value, json};

use crate::support::{ANTHROPIC, BOTH, Got, OPENAI, ask, ask_with, get, mock, post, question, send_h2};

fn finish_of(got: &Got) -> String {
    let mut found = String::new();
    let values = if got.header("content-type").starts_with("text/event-stream") {
        got.events()
    } else {
        vec![got.json()]
    };
    for value in values {
        for path in ["/choices/0/finish_reason", "/stop_reason", "/delta/stop_reason"] {
            if let Some(reason) = value.pointer(path).and_then(Value::as_str) {
                found = reason.to_owned();
            }
        }
    }
    found
}

/// Input, cached, output, as stated last.
fn usage_of(got: &Got) -> [i64; 3] {
    let values = if got.header("content-type").starts_with("text/event-stream") {
        got.events()
    } else {
        vec![got.json()]
    };
    let usage = values
        .iter()
        .rev()
        .map(|value| &value["usage"])
        .find(|usage| usage.is_object())
        .unwrap();
    let number = |path: &str| usage.pointer(path).and_then(Value::as_i64);
    match number("/prompt_tokens") {
        Some(input) => [
            input,
            number("/prompt_tokens_details/cached_tokens").unwrap(),
            number("/completion_tokens").unwrap(),
        ],
        None => {
            let cached = number("/cache_read_input_tokens").unwrap();
            [number("/input_tokens").unwrap() + cached, cached, number("/output_tokens").unwrap()]
        }
    }
}

#[tokio::test]
async fn words_and_finish() {
    let mock = mock().await;
    let rows = [
        ("echo", "Say hello to the world, please", "stop", "end_turn"),
        ("gpt-4o", "I am the simulated model gpt-4o. You said: Say hello", "stop", "end_turn"),
        ("lorem-3", "lorem ipsum dolor.", "stop", "end_turn"),
        (
            "json",
            "{\"answer\":\"Say hello to the world, please\",\"ok\":true}",
            "stop",
            "end_turn",
        ),
        ("reasoner", "is 42.", "stop", "end_turn"),
        ("reasoner-redacted", "in secret", "stop", "end_turn"),
        ("content-filter", "lorem ipsum", "content_filter", "refusal"),
        ("refuser", "", "stop", "refusal"),
        ("empty", "", "stop", "end_turn"),
        ("unicode", "👩‍👩‍👧‍👦 🇺🇳, e\u{301}, \u{2028} \"quoted\" \\back\\", "stop", "end_turn"),
        ("vision", "I see nothing but text.", "stop", "end_turn"),
        ("usage-123-45", "Charged as asked.", "stop", "end_turn"),
        ("bench-1024", "lorem ipsum", "stop", "end_turn"),
        ("stream-5-1ms", "lorem ipsum dolor sit amet.", "stop", "end_turn"),
        ("tool-caller", "I have no tool to call.", "stop", "end_turn"),
        ("tool-caller-2", "I have no tool to call.", "stop", "end_turn"),
    ];
    for (model, said, openai, anthropic) in rows {
        for path in BOTH {
            for stream in [false, true] {
                let got = ask(&mock, path, model, stream).await;
                let finish = if path == OPENAI { openai } else { anthropic };
                assert_eq!((got.status, got.broken), (200, false), "{model} {path} {stream}: {}", got.text());
                assert!(got.said().contains(said), "{model} {path} {stream}: {}", got.said());
                assert_eq!(finish_of(&got), finish, "{model} {path} {stream}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_says_what_the_whole_says() {
    let mock = mock().await;
    for model in ["echo", "lorem-40", "unicode", "reasoner", "json", "usage-7-8-3"] {
        for path in BOTH {
            let (whole, stream) = (ask(&mock, path, model, false).await, ask(&mock, path, model, true).await);
            assert_eq!(whole.said(), stream.said(), "{model} {path}");
            assert_eq!(usage_of(&whole), usage_of(&stream), "{model} {path}");
        }
    }
}

#[tokio::test]
async fn streams_have_the_vendors_events() {
    let mock = mock().await;
    let got = ask(&mock, OPENAI, "lorem-2", true).await;
    let events = got.events();
    assert_eq!(
        events[0]["choices"][0]["delta"],
        json!({ "role": "assistant", "content": "", "refusal": null })
    );
    assert_eq!(events[1]["choices"][0]["delta"], json!({ "content": "lorem" }));
    assert_eq!(events[3]["choices"][0]["delta"], json!({}));
    assert_eq!(events[3]["usage"], Value::Null);
    assert_eq!(events[4]["choices"], json!([]));
    assert_eq!(events[4]["usage"]["completion_tokens"], 2);
    assert!(got.text().ends_with("data: [DONE]\n\n"));
    assert!(
        events
            .iter()
            .all(|event| event["object"] == "chat.completion.chunk" && event["id"] == events[0]["id"])
    );

    let got = ask(&mock, ANTHROPIC, "lorem-2", true).await;
    let names: Vec<_> = got
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .map(str::to_owned)
        .collect();
    let expected =
        "message_start content_block_start ping content_block_delta content_block_delta content_block_stop message_delta message_stop";
    assert_eq!(names.join(" "), expected);
    assert!(got.events().iter().zip(&names).all(|(event, name)| event["type"] == **name));
}

#[tokio::test]
async fn usage_is_withheld_from_a_stream_that_did_not_ask() {
    let mock = mock().await;
    let got = ask_with(&mock, OPENAI, "echo", true, &json!({ "stream_options": null })).await;
    assert!(!got.text().contains("usage"), "{}", got.text());
}

#[tokio::test]
async fn usage_is_exact_when_asked() {
    let mock = mock().await;
    for path in BOTH {
        for stream in [false, true] {
            assert_eq!(usage_of(&ask(&mock, path, "usage-123-45", stream).await), [123, 0, 45]);
            assert_eq!(usage_of(&ask(&mock, path, "usage-1000-45-900", stream).await), [1000, 900, 45]);
        }
    }
}

#[tokio::test]
async fn limits_are_obeyed() {
    let mock = mock().await;
    for stream in [false, true] {
        let got = ask_with(&mock, OPENAI, "lorem-50", stream, &json!({ "max_tokens": 5 })).await;
        assert_eq!((finish_of(&got).as_str(), usage_of(&got)[2]), ("length", 5));
        let got = ask_with(&mock, ANTHROPIC, "lorem-50", stream, &json!({ "max_tokens": 5 })).await;
        assert_eq!((finish_of(&got).as_str(), usage_of(&got)[2]), ("max_tokens", 5));
        let got = ask_with(&mock, OPENAI, "lorem-50", stream, &json!({ "stop": ["amet", " dolor"] })).await;
        assert_eq!((got.said().as_str(), finish_of(&got).as_str()), ("lorem ipsum", "stop"));
        let got = ask_with(&mock, ANTHROPIC, "lorem-50", stream, &json!({ "stop_sequences": [" dolor"] })).await;
        assert_eq!((got.said().as_str(), finish_of(&got).as_str()), ("lorem ipsum", "stop_sequence"));
        assert!(got.text().contains("\"stop_sequence\":\" dolor\""));
    }
}

#[tokio::test]
async fn n_gives_choices() {
    let mock = mock().await;
    let got = ask_with(&mock, OPENAI, "lorem-2", false, &json!({ "n": 3 })).await;
    assert_eq!((got.json()["choices"].as_array().unwrap().len(), usage_of(&got)[2]), (3, 6));
    let got = ask_with(&mock, OPENAI, "lorem-2", true, &json!({ "n": 2 })).await;
    let of = |index: u64| got.events().iter().filter(|event| event["choices"][0]["index"] == index).count();
    assert_eq!((of(0), of(1)), (4, 4));
}

#[tokio::test]
async fn logprobs_are_there_when_asked() {
    let mock = mock().await;
    let more = json!({ "logprobs": true, "top_logprobs": 2 });
    let whole = ask_with(&mock, OPENAI, "lorem-2", false, &more).await.json();
    let entries = whole["choices"][0]["logprobs"]["content"].as_array().unwrap().clone();
    assert_eq!(
        (
            entries.len(),
            entries[1]["token"].as_str().unwrap(),
            entries[1]["top_logprobs"].as_array().unwrap().len()
        ),
        (2, " ipsum.", 2)
    );
    assert_eq!(entries[0]["bytes"], json!(b"lorem"));
    let streamed = ask_with(&mock, OPENAI, "lorem-2", true, &more).await.events();
    assert_eq!(streamed[2]["choices"][0]["logprobs"]["content"][0], entries[1]);
}

fn weather(path: &str, name: &str) -> Value {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" }, "days": { "type": "integer", "minimum": 2 } } });
    match path {
        OPENAI => json!({ "type": "function", "function": { "name": name, "parameters": schema } }),
        _ => json!({ "name": name, "input_schema": schema }),
    }
}

/// The calls of an answer: id, name, arguments.
fn calls_of(got: &Got) -> Vec<(String, String, Value)> {
    if !got.header("content-type").starts_with("text/event-stream") {
        let whole = got.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        if let Some(calls) = whole.pointer("/choices/0/message/tool_calls").and_then(Value::as_array) {
            let parse = |call: &Value| serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
            return calls
                .iter()
                .map(|call| (text(&call["id"]), text(&call["function"]["name"]), parse(call)))
                .collect();
        }
        let blocks = whole["content"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|block| block["type"] == "tool_use");
        return blocks
            .map(|block| (text(&block["id"]), text(&block["name"]), block["input"].clone()))
            .collect();
    }
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for event in got.events() {
        let call = event.pointer("/choices/0/delta/tool_calls/0").cloned().unwrap_or_default();
        let block = &event["content_block"];
        if let Some(id) = call["id"].as_str() {
            calls.push((id.into(), call["function"]["name"].as_str().unwrap().into(), String::new()));
        } else if block["type"] == "tool_use" {
            calls.push((
                block["id"].as_str().unwrap().into(),
                block["name"].as_str().unwrap().into(),
                String::new(),
            ));
        }
        let piece = call["function"]["arguments"]
            .as_str()
            .or_else(|| event.pointer("/delta/partial_json")?.as_str());
        if let (Some(piece), Some(last)) = (piece, calls.last_mut()) {
            last.2.push_str(piece);
        }
    }
    calls
        .into_iter()
        .map(|(id, name, text)| (id, name, serde_json::from_str(&text).unwrap()))
        .collect()
}

#[tokio::test]
async fn tools_are_called_and_their_results_quoted() {
    let mock = mock().await;
    for path in BOTH {
        for stream in [false, true] {
            let tools = json!({ "tools": [weather(path, "weather"), weather(path, "forecast")] });
            let got = ask_with(&mock, path, "tool-caller", stream, &tools).await;
            let calls = calls_of(&got);
            assert_eq!(calls.len(), 1, "{path} {stream}: {}", got.text());
            assert_eq!(
                (calls[0].1.as_str(), &calls[0].2),
                ("weather", &json!({ "city": "sample city", "days": 2 }))
            );
            assert_eq!(finish_of(&got), if path == OPENAI { "tool_calls" } else { "tool_use" });
            let both = calls_of(&ask_with(&mock, path, "tool-caller-2", stream, &tools).await);
            assert_eq!(both.iter().map(|call| call.1.as_str()).collect::<Vec<_>>(), ["weather", "forecast"]);
            assert_ne!(both[0].0, both[1].0);
        }
    }
}

#[tokio::test]
async fn a_loop_of_tool_calls_ends_in_text() {
    let mock = mock().await;
    for stream in [false, true] {
        let tools = json!({ "tools": [weather(OPENAI, "weather")] });
        let mut body = question(OPENAI, "tool-caller", stream, &tools);
        let (id, name, arguments) = calls_of(&post(&mock, OPENAI, &body).await.unwrap()).remove(0);
        let call = json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments.to_string() } });
        let turns = body["messages"].as_array_mut().unwrap();
        turns.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
        turns.push(json!({ "role": "tool", "tool_call_id": id, "content": "rain" }));
        let got = post(&mock, OPENAI, &body).await.unwrap();
        assert_eq!(got.said(), "The tools answered. result: rain");

        let tools = json!({ "tools": [weather(ANTHROPIC, "weather")] });
        let mut body = question(ANTHROPIC, "tool-caller", stream, &tools);
        let (id, name, input) = calls_of(&post(&mock, ANTHROPIC, &body).await.unwrap()).remove(0);
        let turns = body["messages"].as_array_mut().unwrap();
        turns.push(json!({ "role": "assistant", "content": [{ "type": "tool_use", "id": id, "name": name, "input": input }] }));
        let result = json!({ "type": "tool_result", "tool_use_id": id, "is_error": true, "content": [{ "type": "text", "text": "snow" }] });
        turns.push(json!({ "role": "user", "content": [result] }));
        let got = post(&mock, ANTHROPIC, &body).await.unwrap();
        assert_eq!(got.said(), "The tools answered. failed: snow");
    }
}

#[tokio::test]
async fn tool_choice_decides() {
    let mock = mock().await;
    let tools = [weather(OPENAI, "a"), weather(OPENAI, "b")];
    let rows = [
        (json!("none"), "tool-caller", 0, "stop"),
        (json!("required"), "gpt-4o", 1, "tool_calls"),
        (json!({ "type": "function", "function": { "name": "b" } }), "gpt-4o", 1, "stop"),
        (json!("auto"), "gpt-4o", 0, "stop"),
    ];
    for (choice, model, calls, finish) in rows {
        let got = ask_with(&mock, OPENAI, model, false, &json!({ "tools": tools, "tool_choice": choice })).await;
        assert_eq!((calls_of_or_none(&got), finish_of(&got).as_str()), (calls, finish), "{choice}");
    }
    let more = json!({ "tools": tools, "parallel_tool_calls": false });
    assert_eq!(calls_of(&ask_with(&mock, OPENAI, "tool-caller-2", false, &more).await).len(), 1);
    let tools = [weather(ANTHROPIC, "a"), weather(ANTHROPIC, "b")];
    let more = json!({ "tools": tools, "tool_choice": { "type": "any", "disable_parallel_tool_use": true } });
    assert_eq!(calls_of(&ask_with(&mock, ANTHROPIC, "tool-caller-2", false, &more).await).len(), 1);
    let more = json!({ "tools": tools, "tool_choice": { "type": "tool", "name": "b" } });
    assert_eq!(calls_of(&ask_with(&mock, ANTHROPIC, "claude-x", true, &more).await)[0].1, "b");
}

fn calls_of_or_none(got: &Got) -> usize {
    got.json()
        .pointer("/choices/0/message/tool_calls")
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}

#[tokio::test]
async fn structured_output_follows_the_schema() {
    let mock = mock().await;
    let schema = json!({ "type": "object", "additionalProperties": false, "required": ["name", "age"],
        "properties": { "name": { "type": "string" }, "age": { "type": "integer" } } });
    let openai =
        json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "person", "strict": true, "schema": schema } } });
    let anthropic = json!({ "output_config": { "format": { "type": "json_schema", "schema": schema } } });
    for (path, more) in [(OPENAI, openai), (ANTHROPIC, anthropic)] {
        for (model, stream) in [("json", false), ("json", true), ("gpt-4o", true)] {
            let said = ask_with(&mock, path, model, stream, &more).await.said();
            assert_eq!(
                serde_json::from_str::<Value>(&said).unwrap(),
                json!({ "name": "sample name", "age": 42 }),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn reasoning_comes_first_and_can_be_replayed() {
    let mock = mock().await;
    let whole = ask(&mock, OPENAI, "reasoner", false).await.json();
    assert!(
        whole["choices"][0]["message"]["reasoning_content"]
            .as_str()
            .unwrap()
            .contains("step by step")
    );
    assert!(0 < whole["usage"]["completion_tokens_details"]["reasoning_tokens"].as_i64().unwrap());
    let events = ask(&mock, OPENAI, "reasoner", true).await.events();
    assert!(events[1]["choices"][0]["delta"]["reasoning_content"].is_string());

    let whole = ask(&mock, ANTHROPIC, "reasoner", false).await.json();
    let streamed = ask(&mock, ANTHROPIC, "reasoner", true).await.events();
    let signature = streamed.iter().find_map(|event| event["delta"]["signature"].as_str()).unwrap();
    assert_eq!(whole["content"][0]["signature"], signature);
    let redacted = ask(&mock, ANTHROPIC, "reasoner-redacted", false).await.json();
    let replay = |content: &Value| {
        json!({ "messages": [
            { "role": "user", "content": "q" }, { "role": "assistant", "content": content }, { "role": "user", "content": "again" } ] })
    };
    for content in [&whole["content"], &redacted["content"]] {
        assert_eq!(ask_with(&mock, ANTHROPIC, "echo", false, &replay(content)).await.said(), "again");
    }
    let mut broken = whole["content"].clone();
    broken[0]["thinking"] = json!("changed on the way");
    let got = ask_with(&mock, ANTHROPIC, "echo", false, &replay(&broken)).await;
    assert_eq!((got.status, got.text().contains("Invalid `signature`")), (400, true));
}

#[tokio::test]
async fn refusals_have_their_own_place() {
    let mock = mock().await;
    let whole = ask(&mock, OPENAI, "refuser", false).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], Value::Null);
    assert!(whole["choices"][0]["message"]["refusal"].as_str().unwrap().starts_with("I'm sorry"));
    let whole = ask(&mock, ANTHROPIC, "refuser", false).await.json();
    assert_eq!((&whole["content"], &whole["stop_details"]["type"]), (&json!([]), &json!("refusal")));
}

#[tokio::test]
async fn media_are_named_with_type_and_size() {
    let mock = mock().await;
    let openai = json!({ "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "what is this?" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } },
        { "type": "image_url", "image_url": { "url": "https://example.com/cat.jpg" } },
        { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0x" } } ] }] });
    let anthropic = json!({ "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "what is this?" },
        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } },
        { "type": "image", "source": { "type": "url", "url": "https://example.com/cat.jpg" } },
        { "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "JVBERi0x" } } ] }] });
    let expected = "I see 2 image(s), 1 document(s) and 0 audio clip(s). image: image/png, 8 bytes. image: https://example.com/cat.jpg . document: application/pdf, 6 bytes.";
    assert_eq!(ask_with(&mock, OPENAI, "vision", false, &openai).await.said(), expected);
    assert_eq!(ask_with(&mock, ANTHROPIC, "vision", false, &anthropic).await.said(), expected);
}

#[tokio::test]
async fn bench_answers_have_about_the_size() {
    let mock = mock().await;
    for path in BOTH {
        for bytes in [1024, 65_536] {
            let got = ask_with(&mock, path, &format!("bench-{bytes}"), false, &json!({ "max_tokens": 100_000 })).await;
            let difference = got.body.len().abs_diff(bytes);
            assert!(difference < 128, "{path} {bytes}: {}", got.body.len());
            assert_eq!(got.header("content-length"), got.body.len().to_string());
        }
    }
}

#[tokio::test]
async fn vendors_headers_are_there() {
    let mock = mock().await;
    let got = ask(&mock, OPENAI, "echo", false).await;
    assert!(got.header("x-request-id").starts_with("req_") && !got.header("x-ratelimit-remaining-tokens").is_empty());
    let got = ask(&mock, ANTHROPIC, "echo", true).await;
    assert!(got.header("request-id").starts_with("req_") && got.header("anthropic-ratelimit-tokens-reset").ends_with('Z'));
    assert_eq!(got.header("content-type"), "text/event-stream; charset=utf-8");
}

#[tokio::test]
async fn http2_works_as_well() {
    let mock = mock().await;
    for stream in [false, true] {
        let got = send_h2(&mock, OPENAI, &question(OPENAI, "echo", stream, &json!({}))).await.unwrap();
        assert_eq!(
            (got.status, got.broken, got.said().as_str()),
            (200, false, "Say hello to the world, please")
        );
    }
    let got = send_h2(&mock, OPENAI, &question(OPENAI, "lorem-9+reset-after-2-chunks", true, &json!({})))
        .await
        .unwrap();
    assert!(got.broken && got.said() == "lorem ipsum");
}

#[tokio::test]
async fn pages_are_there() {
    let mock = mock().await;
    assert!(get(&mock, "/").await.text().contains("slow-first-byte-{d}"));
    assert_eq!(get(&mock, "/healthz").await.text(), "ok\n");
    assert_eq!(get(&mock, "/nonsense").await.status, 404);
    let headers = [("authorization", "Bearer k"), ("anthropic-version", "2023-06-01")];
    let models = crate::support::send(&mock, "GET", "/openai/v1/models", &headers, String::new())
        .await
        .unwrap();
    assert_eq!(models.json()["data"][0]["object"], "model");
    let models = crate::support::send(&mock, "GET", "/anthropic/v1/models", &headers, String::new())
        .await
        .unwrap();
    assert_eq!(models.json()["data"][0]["type"], "model");
    let body = json!({ "model": "echo", "messages": [{ "role": "user", "content": "12345678" }] });
    let counted = post(&mock, "/anthropic/v1/messages/count_tokens", &body).await.unwrap();
    assert_eq!(counted.json(), json!({ "input_tokens": 6 }));
}
