//! Valid requests that mutations begin from: everything that a request of the dialect may hold, small.

use crate::fuzz::Dialect;

/// The seeds of a dialect.
pub(crate) fn of(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenAi => &OPENAI,
        Dialect::Anthropic => &ANTHROPIC,
    }
}

const OPENAI: [&str; 9] = [
    r#"{"model":"openai/bench-50","messages":[{"role":"user","content":"hi"}]}"#,
    r#"{"model":"anthropic/bench-50","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"}],"stream":true}"#,
    r#"{"model":"anthropic/echo","messages":[{"role":"developer","content":"x"},{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]}],"max_completion_tokens":20}"#,
    r#"{"model":"anthropic/echo","messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Kyiv\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"sunny"}],"tools":[{"type":"function","function":{"name":"get_weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}],"tool_choice":"auto","parallel_tool_calls":false}"#,
    r#"{"model":"openai/echo","messages":[{"role":"user","content":"hi","name":"bob"}],"stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"top_p":0.9,"n":1,"stop":["a","b"],"seed":7,"user":"u"}"#,
    r#"{"model":"anthropic/echo","messages":[{"role":"user","content":"json"}],"response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}}},"max_tokens":30}"#,
    r#"{"model":"anthropic/echo","messages":[{"role":"user","content":[{"type":"text","text":"f"},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]},{"role":"assistant","content":[{"type":"text","text":"ok"}],"refusal":null},{"role":"user","content":"go on"}],"reasoning_effort":"low","metadata":{"k":"v"},"service_tier":"auto","logprobs":true,"top_logprobs":2,"logit_bias":{"1":5}}"#,
    r#"{"model":"anthropic/echo","messages":[{"role":"user","content":"a"},{"role":"function","name":"f","content":"r"}],"functions":[{"name":"f","parameters":{}}],"function_call":"auto","frequency_penalty":1,"presence_penalty":-1,"max_tokens":5,"stream":true}"#,
    r#"{"model":"openai/bench-2000","messages":[{"role":"user","content":"\u00e9\ud83d\ude00\n\"quoted\" \\ /"}],"max_tokens":1,"x-unknown":{"deep":[[[{"a":null}]]]},"stream":false}"#,
];

const ANTHROPIC: [&str; 9] = [
    r#"{"model":"anthropic/bench-50","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}"#,
    r#"{"model":"openai/bench-50","max_tokens":50,"system":"be brief","messages":[{"role":"user","content":"hi"}],"stream":true}"#,
    r#"{"model":"openai/echo","max_tokens":20,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}"#,
    r#"{"model":"openai/echo","max_tokens":20,"messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":[{"type":"text","text":"let me see"},{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city":"Kyiv"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"sunny"}],"is_error":false}]}],"tools":[{"name":"get_weather","description":"d","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}"#,
    r#"{"model":"anthropic/echo","max_tokens":2000,"messages":[{"role":"user","content":"hi"}],"stream":true,"temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["a","b"],"metadata":{"user_id":"u"}}"#,
    r#"{"model":"openai/echo","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"think"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"eA=="},{"type":"text","text":"ok"}]},{"role":"user","content":"more"}]}"#,
    r#"{"model":"openai/echo","max_tokens":30,"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},"title":"t","context":"c","citations":{"enabled":true}},{"type":"text","text":"read"}]}],"service_tier":"auto"}"#,
    r#"{"model":"openai/echo","max_tokens":30,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://example.test/a.png"}},{"type":"text","text":"see"}]}],"tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"any"},"stream":true}"#,
    r#"{"model":"anthropic/bench-2000","max_tokens":1,"messages":[{"role":"user","content":"\u00e9\ud83d\ude00\n\"quoted\" \\ /"}],"x-unknown":{"deep":[[[{"a":null}]]]},"stream":false}"#,
];
