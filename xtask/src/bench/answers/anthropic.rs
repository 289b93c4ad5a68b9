//! Messages as Anthropic writes them (API reference, "Messages" and "Streaming messages"). Only one text block: no tools, no thinking.

use bytes::Bytes;

use super::{Spelling, words};

pub(super) static SPELLING: Spelling = Spelling { whole, stream };

/// Text of one delta: with its event line and envelope some 120 bytes.
const CHUNK_TEXT_BYTES: usize = 12;

fn whole(bytes: usize) -> Bytes {
    let head =
        r#"{"id":"msg_bench00000000000000000000","type":"message","role":"assistant","model":"bench","content":[{"type":"text","text":""#;
    let tail = r#""}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":120,"output_tokens":200}}"#;
    let text = words(bytes.saturating_sub(head.len() + tail.len()));
    Bytes::from(format!("{head}{text}{tail}"))
}

/// Usage is always in Anthropic's streams, so the flag changes nothing here.
fn stream(chunks: usize, _usage: bool) -> Vec<Bytes> {
    let text = words(CHUNK_TEXT_BYTES);
    (1..=chunks)
        .map(|number| {
            let mut write = String::new();
            if number == 1 {
                write.push_str(&event("message_start", r#","message":{"id":"msg_bench00000000000000000000","type":"message","role":"assistant","model":"bench","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":120,"output_tokens":1}}"#));
                write.push_str(&event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#));
            }
            write.push_str(&event("content_block_delta", &format!(r#","index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#)));
            if number == chunks {
                write.push_str(&event("content_block_stop", r#","index":0"#));
                write.push_str(&event("message_delta", r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}"#));
                write.push_str(&event("message_stop", ""));
            }
            Bytes::from(write)
        })
        .collect()
}

fn event(kind: &str, rest: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n")
}
