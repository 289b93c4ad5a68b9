//! Chat completions as OpenAI writes them (platform reference, "Chat completion object" and "chunk object"). Only what a gateway reads:
//! id, model, content, finish reason, usage; no tools, no logprobs.

use bytes::Bytes;

use super::{Spelling, words};

pub(super) static SPELLING: Spelling = Spelling { whole, stream };

const USAGE: &str = r#"{"prompt_tokens":120,"completion_tokens":200,"total_tokens":320}"#;
/// Content of one chunk: with its envelope an event is some 230 bytes, as a vendor's is.
const CHUNK_TEXT_BYTES: usize = 12;

fn whole(bytes: usize) -> Bytes {
    let head = r#"{"id":"chatcmpl-bench0000000000000000000","object":"chat.completion","created":1763600000,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":""#;
    let tail = format!(r#"","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{USAGE}}}"#);
    let text = words(bytes.saturating_sub(head.len() + tail.len()));
    Bytes::from(format!("{head}{text}{tail}"))
}

fn stream(chunks: usize, usage: bool) -> Vec<Bytes> {
    let text = words(CHUNK_TEXT_BYTES);
    (1..=chunks)
        .map(|number| {
            let role = if number == 1 { r#""role":"assistant","refusal":null,"# } else { "" };
            let finish = if number == chunks { r#""stop""# } else { "null" };
            let mut write = event(&format!(
                r#""choices":[{{"index":0,"delta":{{{role}"content":"{text}"}},"logprobs":null,"finish_reason":{finish}}}]"#
            ));
            if number == chunks {
                if usage {
                    write.push_str(&event(&format!(r#""choices":[],"usage":{USAGE}"#)));
                }
                write.push_str("data: [DONE]\n\n");
            }
            Bytes::from(write)
        })
        .collect()
}

fn event(rest: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-bench0000000000000000000\",\"object\":\"chat.completion.chunk\",\"created\":1763600000,\"model\":\"bench\",{rest}}}\n\n"
    )
}
