//! Answers of many vendors, to events. Each row: what the provider sends, what happened.

use super::ANSWER;
use super::view::{self, View};
use crate::event::{Block, Delta, Event};

/// Events in short: one word each.
pub(super) fn short(events: &[Event]) -> String {
    let word = |event: &Event| match event {
        Event::Start(start) => format!(
            "start({},{})",
            start.id.as_deref().unwrap_or("-"),
            start.model.as_deref().unwrap_or("-")
        ),
        Event::Open { choice, block, kind } => match kind {
            Block::ToolCall { id, name } => format!("open({choice}.{block} call {id}/{name})"),
            Block::Redacted(redacted) => format!("open({choice}.{block} redacted {}:{})", redacted.dialect, redacted.data),
            Block::Foreign(foreign) => format!("open({choice}.{block} foreign {})", foreign.kind),
            kind => format!("open({choice}.{block} {})", format!("{kind:?}").to_lowercase()),
        },
        Event::Delta { choice, block, delta } => match delta {
            Delta::Text(text) => format!("{choice}.{block}:{text:?}"),
            Delta::Arguments(text) => format!("{choice}.{block}:args {text}"),
            Delta::Signature(seal) => format!("{choice}.{block}:seal {}:{}", seal.dialect, seal.data),
        },
        Event::Close { choice, block } => format!("close({choice}.{block})"),
        Event::Finish { choice, reason } => format!("finish({choice} {reason:?})"),
        Event::Usage(usage) => format!(
            "usage({}r{}w{}/{}t{})",
            usage.input,
            usage.cache_read,
            usage.cache_write(),
            usage.output,
            usage.reasoning
        ),
        Event::End => "end".to_owned(),
        Event::Fault(fault) => format!("fault({:?} {} {:?})", fault.kind, fault.provider_status.unwrap_or(0), fault.message),
        Event::Foreign { choice, name, raw, .. } => format!(
            "foreign({}{name}={})",
            choice.map_or(String::new(), |choice| format!("{choice}.")),
            raw.get()
        ),
    };
    events.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A stream of these chunks and `[DONE]`.
pub(super) fn stream(chunks: &[&str]) -> Vec<u8> {
    let mut bytes: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    bytes.push_str("data: [DONE]\n\n");
    bytes.into_bytes()
}

fn check(rows: &[(&str, &[&str], &str)]) {
    for (name, chunks, expected) in rows {
        let (events, result) = view::decode(true, [stream(chunks).as_slice()]);
        assert!(result.is_ok(), "{name}: {result:?}");
        let is = short(&events);
        assert_eq!(is, *expected, "{name}");
        View::of(&events);
    }
}

#[test]
fn text_and_its_end() {
    check(&[
        (
            "usage on an extra chunk, padding dropped",
            &[
                r#"{"id":"a","model":"m","created":1,"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null,"obfuscation":"x"}"#,
                r#"{"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"h\u00e9"},"finish_reason":null}]}"#,
                r#"{"id":"a","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
                r#"{"id":"a","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
            ],
            r#"start(a,m) open(0.0 text) 0.0:"hé" close(0.0) finish(0 Stop) usage(3r0w0/2t0) end"#,
        ),
        (
            "Azure: first chunk without choices, id or model",
            &[
                r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}"#,
                r#"{"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"x"},"content_filter_results":{"hate":{}},"finish_reason":"content_filter"}]}"#,
            ],
            r#"foreign(prompt_filter_results=[{"prompt_index":0}]) start(a,m) foreign(0.content_filter_results={"hate":{}}) open(0.0 text) 0.0:"x" close(0.0) finish(0 ContentFilter) end"#,
        ),
        (
            "usage on the finish chunk, and again with another: the later one counts",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
            ],
            r#"start(a,-) open(0.0 text) 0.0:"x" close(0.0) finish(0 Length) usage(1r0w0/1t0) usage(1r0w0/2t0) end"#,
        ),
        (
            "Groq: usage in x_groq",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":2}}}"#,
            ],
            r#"start(a,-) foreign(x_groq={"usage":{"prompt_tokens":1,"completion_tokens":2}}) usage(1r0w0/2t0) finish(0 Stop) end"#,
        ),
        (
            "Snowflake: no id, finish reasons that are empty; Together: eos; an unknown one",
            &[
                r#"{"id":"","choices":[{"index":0,"delta":{"content":"x","audio":null},"finish_reason":""}]}"#,
                r#"{"choices":[{"index":1,"delta":{},"finish_reason":"eos"},{"index":2,"delta":{"content":"z"},"finish_reason":"recitation"}]}"#,
            ],
            r#"start(-,-) open(0.0 text) 0.0:"x" finish(1 Stop) open(2.0 text) 2.0:"z" close(2.0) finish(2 Other("recitation")) close(0.0) finish(0 Stop) end"#,
        ),
        (
            "vLLM: the stop sequence is named, the finish chunk has content",
            &[r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop","stop_reason":"END"}]}"#],
            r#"start(a,-) open(0.0 text) 0.0:"x" close(0.0) finish(0 StopSequence(Some("END"))) end"#,
        ),
        (
            "Perplexity: the message so far beside the delta; unknown fields told once",
            &[
                r#"{"id":"a","citations":["u"],"choices":[{"index":0,"message":{"content":"x"},"delta":{"content":"x"},"finish_reason":null}]}"#,
                r#"{"id":"a","citations":["u"],"object":"chat.completion.done","choices":[{"index":0,"message":{"content":"xy"},"delta":{"content":"y"},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) foreign(citations=["u"]) open(0.0 text) 0.0:"x" 0.0:"y" close(0.0) finish(0 Stop) end"#,
        ),
        (
            "refusals, log probabilities and annotations",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"refusal":"No"},"logprobs":{"refusal":[]},"finish_reason":null}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation"}]},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) foreign(0.logprobs={"refusal":[]}) open(0.0 refusal) 0.0:"No" foreign(0.message.annotations=[{"type":"url_citation"}]) close(0.0) finish(0 Stop) end"#,
        ),
    ]);
}

#[test]
fn tool_calls_of_every_make() {
    check(&[
        (
            "two in pieces, indices from 1 (Anthropic's compatible layer), id repeated, arguments null at first; stop means tool_calls",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":null}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c1","type":"function","function":{"name":"f","arguments":null}}]}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c1","function":{"arguments":"{\"x\""}}]}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"tool_calls":[{"index":2,"id":"c2","function":{"name":"g","arguments":"{}"}},{"index":1,"function":{"arguments":":1}"}}]}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) open(0.0 text) 0.0:"ok" close(0.0) open(0.1 call c1/f) 0.1:args {"x" open(0.2 call c2/g) 0.2:args {} 0.1:args :1} close(0.1) close(0.2) finish(0 ToolCalls) end"#,
        ),
        (
            "whole ones: no index (Mistral), the same index with another id, arguments as an object",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"content":"","tool_calls":[{"id":"c1","function":{"name":"f","arguments":"{}"}},{"id":"c2","function":{"name":"f","arguments":{"x": 1.0}}}]},"finish_reason":"tool_calls"}]}"#,
                r#"{"id":"a","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{}"}}]}}]}"#,
                r#"{"id":"a","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"c2","function":{"name":"g","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
            ],
            r#"start(a,-) open(0.0 call c1/f) 0.0:args {} open(0.1 call c2/f) 0.1:args {"x": 1.0} close(0.0) close(0.1) finish(0 ToolCalls) open(1.0 call c1/f) 1.0:args {} open(1.1 call c2/g) 1.1:args {} close(1.0) close(1.1) finish(1 ToolCalls) end"#,
        ),
        (
            "the form before tools, the name after the first arguments",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":""}}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"function_call":{"arguments":"{}"}},"finish_reason":"function_call"}]}"#,
                r#"{"id":"a","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}"#,
                r#"{"id":"a","choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"}"}}]},"finish_reason":"tool_calls"}]}"#,
            ],
            r#"start(a,-) open(0.0 call /f) 0.0:args {} close(0.0) finish(0 ToolCalls) open(1.0 call c/f) 1.0:args { 1.0:args } close(1.0) finish(1 ToolCalls) end"#,
        ),
        (
            "Snowflake's empty function_call, audio and custom objects are none",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x","function_call":{"name":"","arguments":""},"tool_calls":null},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) open(0.0 text) 0.0:"x" close(0.0) finish(0 Stop) end"#,
        ),
    ]);
}

#[test]
fn reasoning_of_every_make() {
    check(&[
        (
            "plain fields",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning_content":"hm","content":null}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning":"m","reasoning_content":null}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) open(0.0 reasoning) 0.0:"hm" 0.0:"m" close(0.0) open(0.1 text) 0.1:"x" close(0.1) finish(0 Stop) end"#,
        ),
        (
            "entries repeat the plain text, carry the seal, and are counted",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","format":"anthropic-claude-v1","index":0}]}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"","signature":"S","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"E","format":"anthropic-claude-v1","index":1},{"type":"reasoning.text","text":"!","format":"anthropic-claude-v1","index":2}]},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) open(0.0 reasoning) 0.0:"hm" 0.0:seal anthropic:S close(0.0) open(0.1 redacted anthropic:E) close(0.1) open(0.2 reasoning) 0.2:"!" close(0.2) finish(0 Stop) end"#,
        ),
        (
            "the seal with the whole text once more, as we write it: not doubled",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning_content":"h"}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning_content":"m"}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S","format":"anthropic-claude-v1","index":0}]},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) open(0.0 reasoning) 0.0:"h" 0.0:"m" 0.0:seal anthropic:S close(0.0) finish(0 Stop) end"#,
        ),
        (
            "seals of formats that are nobody's stay with the dialect",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"reasoning":"hm","reasoning_details":[{"type":"reasoning.summary","summary":"hm","format":"openai-responses-v1"},{"type":"reasoning.encrypted","data":"E","format":"openai-responses-v1"}]},"finish_reason":"stop"}]}"#,
            ],
            r#"start(a,-) open(0.0 reasoning) 0.0:"hm" foreign(0.message.reasoning_details=[{"type":"reasoning.encrypted","data":"E","format":"openai-responses-v1"}]) close(0.0) finish(0 Stop) end"#,
        ),
        (
            "Mistral: thinking in the content list",
            &[
                r#"{"id":"a","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}"#,
                r#"{"id":"a","choices":[{"index":0,"delta":{"content":[{"type":"text","text":"x"},{"type":"reference","reference_ids":[1]}]},"finish_reason":"stop"}],"p":"abc"}"#,
            ],
            r#"start(a,-) open(0.0 reasoning) 0.0:"hm" close(0.0) open(0.1 text) 0.1:"x" close(0.1) open(0.2 foreign reference) close(0.2) finish(0 Stop) end"#,
        ),
    ]);
}

#[test]
fn faults_within_answers() {
    let rows: &[(&str, bool, &str, &str)] = &[
        (
            "Groq: event: error, no [DONE]",
            true,
            "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\nevent: error\ndata: {\"error\":{\"message\":\"no call\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\",\"status_code\":400}}\n\n",
            r#"start(a,-) open(0.0 text) 0.0:"x" fault(Malformed 400 "no call")"#,
        ),
        (
            "OpenRouter: a chunk with an error behind the finish, then [DONE]",
            true,
            "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"a\",\"error\":{\"code\":\"503\",\"message\":\"gone\"},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n",
            r#"start(a,-) finish(0 Stop) fault(Overloaded 503 "gone")"#,
        ),
        (
            "an error as the first event, without a status",
            true,
            "data: {\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\"}}\n\n",
            r#"fault(RateLimited 429 "slow down")"#,
        ),
        (
            "200 with an error",
            false,
            r#"{"error":{"message":"no","code":403}}"#,
            r#"fault(Forbidden 403 "no")"#,
        ),
        (
            "200 with an error that is a string",
            false,
            r#"{"error":"the model crashed"}"#,
            r#"fault(Unavailable 502 "the model crashed")"#,
        ),
        (
            "an error within a choice",
            false,
            r#"{"id":"a","choices":[{"index":0,"message":{"content":"x"},"finish_reason":"error","error":{"code":502,"message":"bad"}}]}"#,
            r#"start(a,-) fault(Unavailable 502 "bad")"#,
        ),
    ];
    for (name, streamed, body, expected) in rows {
        let (events, result) = view::decode(*streamed, [body.as_bytes()]);
        assert!(result.is_ok(), "{name}: {result:?}");
        assert_eq!(short(&events), *expected, "{name}");
    }
}

#[test]
fn whole_answers() {
    let rows: &[(&str, &str, &str)] = &[
        (
            "Azure: filtered, no message",
            r#"{"id":"a","model":"m","choices":[{"index":0,"finish_reason":"content_filter","content_filter_results":{}}],"usage":{"prompt_tokens":1,"completion_tokens":0}}"#,
            "start(a,m) foreign(0.content_filter_results={}) finish(0 ContentFilter) usage(1r0w0/0t0) end",
        ),
        (
            "content omitted (Groq), empty with calls (Mistral), calls without id",
            r#"{"id":"a","choices":[{"index":0,"message":{"role":"assistant","reasoning":"hm","tool_calls":[{"function":{"name":"f","arguments":""}},{"function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}]}"#,
            r#"start(a,-) open(0.0 reasoning) 0.0:"hm" close(0.0) open(0.1 call /f) open(0.2 call /f) 0.2:args {} close(0.1) close(0.2) finish(0 ToolCalls) end"#,
        ),
        (
            "a custom tool's call",
            r#"{"id":"a","choices":[{"index":0,"message":{"content":null,"tool_calls":[{"id":"c","type":"custom","custom":{"name":"f","input":"x"}}]},"finish_reason":"tool_calls"}]}"#,
            "start(a,-) open(0.0 foreign custom) close(0.0) finish(0 ToolCalls) end",
        ),
        (
            "two choices, in disorder; no finish reason",
            r#"{"id":"a","choices":[{"index":1,"message":{"content":"y"},"finish_reason":null},{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}"#,
            r#"start(a,-) open(1.0 text) 1.0:"y" open(0.0 text) 0.0:"x" close(0.0) finish(0 Stop) close(1.0) finish(1 Stop) end"#,
        ),
        (
            "a stream where none was asked for",
            "data: {\"id\":\"a\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            r#"start(a,-) open(0.0 text) 0.0:"x" close(0.0) finish(0 Stop) end"#,
        ),
    ];
    for (name, body, expected) in rows {
        let (events, result) = view::decode(false, body.as_bytes().chunks(7));
        assert!(result.is_ok(), "{name}: {result:?}");
        assert_eq!(short(&events), *expected, "{name}");
        View::of(&events);
    }
    // And a document where a stream was asked for.
    let (events, _) = view::decode(true, ANSWER.as_bytes().chunks(9));
    assert_eq!(short(&events), short(&view::decode(false, [ANSWER.as_bytes()]).0));
}

#[test]
fn usage_of_every_make() {
    let rows = [
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"completion_tokens_details":{"reasoning_tokens":3}}"#,
            "usage(10r4w2/5t3)",
        ),
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":null}"#,
            "usage(10r0w0/5t0)",
        ),
        // xAI counts reasoning beside, Google only in the total.
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":20}}"#,
            "usage(10r0w0/25t20)",
        ),
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35}"#,
            "usage(10r0w0/25t20)",
        ),
        // Caches: DeepSeek, Mistral, Moonshot, Writer, Vercel.
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":4}"#,
            "usage(10r4w0/5t0)",
        ),
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"num_cached_tokens":4}"#,
            "usage(10r4w0/5t0)",
        ),
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"cached_tokens":4}"#,
            "usage(10r4w0/5t0)",
        ),
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_token_details":{"cached_tokens":4}}"#,
            "usage(10r4w0/5t0)",
        ),
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"cache_creation_input_tokens":4}"#,
            "usage(10r0w4/5t0)",
        ),
        // Slips: parts larger than the whole, nulls, nothing that can be used.
        (
            r#"{"prompt_tokens":10,"completion_tokens":5,"cached_tokens":40,"completion_tokens_details":{"reasoning_tokens":9}}"#,
            "usage(10r10w0/5t5)",
        ),
        (r#"{"prompt_tokens":null,"completion_tokens":5}"#, "usage(0r0w0/5t0)"),
        (r#"{"prompt_tokens":-1,"completion_tokens":-1}"#, ""),
        ("{}", ""),
        ("null", ""),
    ];
    for (usage, expected) in rows {
        let body = format!(r#"{{"choices":[{{"index":0,"finish_reason":"stop"}}],"usage":{usage}}}"#);
        let (events, _) = view::decode(false, [body.as_bytes()]);
        let usage: Vec<Event> = events.into_iter().filter(|event| matches!(event, Event::Usage(_))).collect();
        assert_eq!(short(&usage), expected, "{body}");
    }
}
