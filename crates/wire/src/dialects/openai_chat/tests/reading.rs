//! Requests of every make, read into the language. Each row: the field as sent, and how the language shows it.

use super::super::OpenAiChat;
use crate::dialects::{Dialect, Operation};
use crate::fault::Malformed;
use crate::request::*;

fn read(body: &str) -> Result<Request, Malformed> {
    OpenAiChat.read_request(Operation::Chat, body.as_bytes())
}

fn messages(messages: &str) -> String {
    let request = read(&format!(r#"{{"model":"m","messages":[{messages}]}}"#)).unwrap();
    request.messages.iter().map(show).collect::<Vec<_>>().join(" | ")
}

/// A message in short.
fn show(message: &Message) -> String {
    let parts: Vec<String> = message.parts.iter().map(part).collect();
    let name = message.name.as_ref().map_or(String::new(), |name| format!(" name={name}"));
    format!("{:?}{name}[{}]{}", message.role, parts.join(" "), extra(&message.extra))
}

fn extra(extra: &Extra) -> String {
    extra.fields.iter().map(|(name, raw)| format!(" +{name}={}", raw.get())).collect()
}

fn media(media: &Media) -> String {
    let name = media.name.as_ref().map_or(String::new(), |name| format!(" {name}"));
    match &media.source {
        MediaSource::Url(url) => format!("{url}{name}"),
        MediaSource::Base64 { media_type, data } => format!("{media_type}:{data}{name}"),
        MediaSource::Text { text, .. } => format!("text:{text}{name}"),
        MediaSource::File(file) => format!("{}:{}{name}", file.dialect, file.data),
    }
}

fn part(part: &Part) -> String {
    let body = match &part.body {
        Body::Text(text) => format!("{text:?}"),
        Body::Refusal(text) => format!("refusal({text})"),
        Body::Image(image) => format!("image({})", media(image)),
        Body::Audio(audio) => format!("audio({})", media(audio)),
        Body::Document(document) => format!("document({})", media(document)),
        Body::ToolCall(call) => format!("call({} {} {})", call.id, call.name, call.arguments),
        Body::ToolResult(result) => format!(
            "result({} {})",
            result.id,
            result.content.iter().map(self::part).collect::<Vec<_>>().join(" ")
        ),
        Body::Reasoning(thought) => {
            let seal = |opaque: &Option<Opaque>| {
                opaque
                    .as_ref()
                    .map_or("-".to_owned(), |opaque| format!("{}:{}", opaque.dialect, opaque.data))
            };
            format!(
                "thought({:?} {} {})",
                thought.text,
                seal(&thought.signature),
                seal(&thought.redacted)
            )
        }
        Body::Foreign(foreign) => format!("foreign({})", foreign.kind),
    };
    let cache = if part.cache.is_some() { "*" } else { "" };
    format!("{body}{cache}{}", extra(&part.extra))
}

#[test]
fn messages_of_every_make() {
    let rows = [
        (
            r#"{"role":"system","content":"s"},{"role":"developer","content":[{"type":"text","text":"d","cache_control":{"type":"ephemeral"}}]}"#,
            r#"System["s"] | Developer["d"*]"#,
        ),
        (
            r#"{"role":"user","content":null,"name":null},{"role":"user","content":"","name":"ada","cache_control":{}}"#,
            "User[] | User name=ada[]",
        ),
        (
            r#"{"role":"user","content":"x","cache_control":{"type":"ephemeral"},"mood":"good"}"#,
            r#"User["x"*] +mood="good""#,
        ),
        (
            r#"{"role":"user","content":[{"type":"image_url","image_url":"https://a"},{"type":"image_url","image_url":{"url":"data:image/png;x=y;base64,AA==","detail":"high"}},{"type":"image_url","image_url":{"url":"data:text/plain,hi"}}]}"#,
            r#"User[image(https://a) image(image/png:AA==) +detail="high" image(data:text/plain,hi)]"#,
        ),
        (
            r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA==","format":"mp3"}},{"type":"document_url","document_url":"https://a"},"bare"]}"#,
            r#"User[audio(audio/mp3:AA==) foreign(document_url) "bare"]"#,
        ),
        (
            r#"{"role":"user","content":[{"type":"file","file":{"file_data":"JVBERi0=","filename":"a.pdf"}},{"type":"file","file":{"file_data":"https://a/b.pdf"}},{"type":"file","file":{"file_id":"f"}},{"type":"file","file":{}}]}"#,
            "User[document(application/pdf:JVBERi0= a.pdf) document(https://a/b.pdf) document(openai_chat:f) foreign(file)]",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"text","text":"x"},{"type":"refusal","refusal":"no"}],"refusal":"No","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"b\":1.0, \"a\":2}"}}],"annotations":[],"prefix":true}"#,
            r#"Assistant["x" refusal(no) refusal(No) call(c f {"b":1.0, "a":2})] +annotations=[] +prefix=true"#,
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"id":"c","index":0,"type":"function","cache_control":{},"function":{"name":"f","arguments":{"a": 1}}},{"id":"d","type":"function","function":{"name":"f"}},{"id":"e","type":"custom","custom":{"name":"g","input":"x"}}]}"#,
            r#"Assistant[call(c f {"a": 1})* call(d f ) foreign(custom)]"#,
        ),
        // Without ids: by name, by order.
        (
            r#"{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"r"}"#,
            r#"Assistant[call(call_0_0 f {})] | Tool name=f[result(call_0_0 "r")]"#,
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"g","arguments":"{}"}}]},{"role":"tool","content":"r"},{"role":"tool","content":[{"type":"text","text":"s"},{"type":"image_url","image_url":{"url":"https://a"}}]},{"role":"tool","content":"t"}"#,
            r#"Assistant[call(call_0_0 f {}) call(call_0_1 g {})] | Tool[result(call_0_0 "r")] | Tool[result(call_0_1 "s" image(https://a))] | Tool[result(call_3_0 "t")]"#,
        ),
        // Reasoning that is sent back.
        (
            r#"{"role":"assistant","content":"x","reasoning_content":"hm"},{"role":"assistant","reasoning":"hm","content":""}"#,
            r#"Assistant[thought("hm" - -) "x"] | Assistant[thought("hm" - -)]"#,
        ),
        (
            r#"{"role":"assistant","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"S","format":"anthropic-claude-v1"},{"type":"reasoning.encrypted","data":"E","format":"anthropic-claude-v1"},{"type":"reasoning.encrypted","data":"F","format":"xai-responses-v1"}]}"#,
            r#"Assistant[thought("hm" anthropic:S -) thought("" - anthropic:E)] +reasoning_details=[{"type":"reasoning.encrypted","data":"F","format":"xai-responses-v1"}]"#,
        ),
        (
            r#"{"role":"assistant","reasoning_content":"hm","reasoning_details":[{"type":"reasoning.text","signature":"S","format":"anthropic-claude-v1"}]}"#,
            r#"Assistant[thought("hm" anthropic:S -)]"#,
        ),
        (
            r#"{"role":"assistant","reasoning_details":[{"type":"reasoning.text","text":"","signature":"S","format":"anthropic-claude-v1"}]}"#,
            r#"Assistant[thought("" anthropic:S -)]"#,
        ),
        (
            r#"{"role":"assistant","reasoning":"hm","reasoning_details":[{"type":"reasoning.encrypted","data":"F","format":"google-gemini-v1"}]}"#,
            r#"Assistant[thought("hm" - -)] +reasoning_details=[{"type":"reasoning.encrypted","data":"F","format":"google-gemini-v1"}]"#,
        ),
        (
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"m"}]},{"type":"text","text":"x"}]}"#,
            r#"Assistant[thought("hm" - -) "x"]"#,
        ),
    ];
    for (sent, expected) in rows {
        assert_eq!(messages(sent), expected, "{sent}");
    }
}

#[test]
fn fields_of_every_make() {
    let reasoning = |mode, effort| Some(Reasoning { mode, effort });
    let rows = [
        (r#""reasoning_effort":"none""#, reasoning(ReasoningMode::Off, None)),
        (
            r#""reasoning_effort":"xhigh""#,
            reasoning(ReasoningMode::Unsaid, Some(Effort::XHigh)),
        ),
        (
            r#""reasoning":{"effort":"low","max_tokens":2000}"#,
            reasoning(ReasoningMode::Budget(2000), Some(Effort::Low)),
        ),
        (r#""reasoning":{"enabled":true}"#, reasoning(ReasoningMode::Adaptive, None)),
        (
            r#""reasoning":{"enabled":false,"effort":"low"}"#,
            reasoning(ReasoningMode::Off, None),
        ),
        (r#""reasoning":{"exclude":true}"#, None),
        (r#""thinking":{"type":"disabled"}"#, reasoning(ReasoningMode::Off, None)),
        (
            r#""thinking":{"type":"enabled","clear_thinking":false}"#,
            reasoning(ReasoningMode::Adaptive, None),
        ),
        (r#""reasoning_effort":null"#, None),
    ];
    for (field, expected) in rows {
        assert_eq!(
            read(&format!(r#"{{"model":"m","messages":[],{field}}}"#)).unwrap().reasoning,
            expected,
            "{field}"
        );
    }
    let stop = |field: &str| read(&format!(r#"{{"model":"m","messages":[],"stop":{field}}}"#)).unwrap().stop;
    assert_eq!(
        (stop("null"), stop("[]"), stop("\"a\""), stop(r#"["a","b"]"#)),
        (vec![], vec![], vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()])
    );
    let request = read(r#"{"model":"m","messages":[],"top_k":4,"n":3,"max_tokens":5,"max_completion_tokens":null,"seed":1,"logit_bias":null,"safety_identifier":"s"}"#).unwrap();
    assert_eq!((request.top_k, request.n, request.max_tokens), (Some(4), Some(3), Some(5)));
    assert_eq!(extra(&request.extra), r#" +seed=1 +safety_identifier="s""#);
}

#[test]
fn what_is_wrong_and_where() {
    let rows = [
        ("[]", None),
        ("{", None),
        (r#"{"messages":[]}"#, Some("model")),
        (r#"{"model":"m"}"#, Some("messages")),
        (r#"{"model":"m","messages":{}}"#, Some("messages")),
        (r#"{"model":"m","messages":[7]}"#, Some("messages[0]")),
        (r#"{"model":"m","messages":[{"content":"x"}]}"#, Some("messages[0].role")),
        (
            r#"{"model":"m","messages":[{"role":"robot","content":"x"}]}"#,
            Some("messages[0].role"),
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":7}]}"#,
            Some("messages[0].content"),
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            Some("messages[0].content[0].type"),
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
            Some("messages[0].content[0].image_url"),
        ),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function"}]}]}"#,
            Some("messages[0].tool_calls[0].function"),
        ),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{}}]}]}"#,
            Some("messages[0].tool_calls[0].function.name"),
        ),
        (r#"{"model":"m","messages":[],"tools":7}"#, Some("tools")),
        (
            r#"{"model":"m","messages":[],"tools":[{"type":"function"}]}"#,
            Some("tools[0].function"),
        ),
        (
            r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":"x"}}]}"#,
            Some("tools[0].function.parameters"),
        ),
        (r#"{"model":"m","messages":[],"tool_choice":7}"#, Some("tool_choice")),
        (r#"{"model":"m","messages":[],"temperature":"hot"}"#, Some("temperature")),
        (r#"{"model":"m","messages":[],"n":-1}"#, Some("n")),
        (r#"{"model":"m","messages":[],"stop":7}"#, Some("stop")),
        (r#"{"model":"m","messages":[],"response_format":"json"}"#, Some("response_format")),
        (
            r#"{"model":"m","messages":[],"response_format":{"type":"json_schema"}}"#,
            Some("response_format.json_schema"),
        ),
        (r#"{"model":"m","messages":[],"reasoning_effort":7}"#, Some("reasoning_effort")),
    ];
    for (body, param) in rows {
        let malformed = read(body).unwrap_err();
        assert_eq!(malformed.param.as_deref(), param, "{body}: {malformed}");
    }
}
