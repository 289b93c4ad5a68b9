//! The two dialects as a caller meets them: how to ask, and what an answer, a stream or an error says. Written anew from the vendors'
//! documentation, with nothing of the product's own code, so that it cannot share its mistakes.

use serde_json::{Value, json};

/// A dialect that callers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI Chat Completions.
    OpenAi,
    /// Anthropic Messages.
    Anthropic,
}

/// What a caller makes of a stream.
#[derive(Debug, Default)]
pub struct Streamed {
    /// The text so far.
    pub text: String,
    /// The dialect's last word came: `[DONE]`, `message_stop`.
    pub terminated: bool,
    /// A finish or stop reason came.
    pub finish: Option<String>,
    /// The error event, if one came.
    pub error: Option<Value>,
    /// Events that came after the last word or after an error.
    pub after_end: usize,
    /// Data that is no JSON.
    pub unreadable: Vec<String>,
}

impl Dialect {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    /// Its name in the product's config and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai_chat",
            Self::Anthropic => "anthropic",
        }
    }

    /// The path of a completion.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/v1/chat/completions",
            Self::Anthropic => "/v1/messages",
        }
    }

    /// A small valid request.
    #[must_use]
    pub fn ask(self, model: &str, prompt: &str, stream: bool) -> Value {
        let mut body = json!({"model": model, "max_tokens": 4000, "messages": [{"role": "user", "content": prompt}]});
        if stream {
            body["stream"] = json!(true);
        }
        body
    }

    /// The machine-readable code of an error body; a text that says what is wrong with the body when it is none.
    #[must_use]
    pub fn error_code(self, body: &Value) -> String {
        let error = &body["error"];
        let said = error["message"].as_str().is_some_and(|text| !text.is_empty()) && error["type"].is_string();
        let framed = self == Self::OpenAi || body["type"] == "error";
        if !said || !framed {
            return format!("no error of {}: {body}", self.name());
        }
        let code = match self {
            Self::OpenAi => &error["code"],
            Self::Anthropic => &error["details"]["code"],
        };
        // A vendor's own body, passed on as it came, may have no code.
        code.as_str().or(error["type"].as_str()).unwrap_or_default().to_owned()
    }

    /// Whether a body is an error in this dialect.
    #[must_use]
    pub fn is_error(self, body: &Value) -> bool {
        !self.error_code(body).starts_with("no error of")
    }

    /// The text of a whole answer; `None` when it is none of this dialect.
    #[must_use]
    pub fn text(self, body: &Value) -> Option<String> {
        match self {
            Self::OpenAi => Some(body["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned())
                .filter(|_| body["object"] == "chat.completion" && body["choices"].is_array()),
            Self::Anthropic => (body["type"] == "message").then(|| {
                let blocks = body["content"].as_array().map(Vec::as_slice).unwrap_or_default();
                blocks.iter().filter_map(|block| block["text"].as_str()).collect()
            }),
        }
    }

    /// Reads a stream as the dialect's SDK would.
    #[must_use]
    pub fn stream(self, bytes: &[u8]) -> Streamed {
        let mut seen = Streamed::default();
        for (name, data) in events(bytes) {
            if seen.terminated || seen.error.is_some() {
                seen.after_end += 1;
                continue;
            }
            if self == Self::OpenAi && data == "[DONE]" {
                seen.terminated = true;
                continue;
            }
            let Ok(event) = serde_json::from_str::<Value>(&data) else {
                seen.unreadable.push(data);
                continue;
            };
            match self {
                Self::OpenAi => seen.openai(event),
                Self::Anthropic => seen.anthropic(&name, event),
            }
        }
        seen
    }
}

impl Streamed {
    fn openai(&mut self, event: Value) {
        if event["error"].is_object() {
            self.error = Some(event);
            return;
        }
        let choice = &event["choices"][0];
        self.text.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
        self.finish = choice["finish_reason"].as_str().map(str::to_owned).or(self.finish.take());
    }

    fn anthropic(&mut self, name: &str, event: Value) {
        match name {
            "error" => self.error = Some(event),
            "message_stop" => self.terminated = true,
            "content_block_delta" => self.text.push_str(event["delta"]["text"].as_str().unwrap_or_default()),
            "message_delta" => self.finish = event["delta"]["stop_reason"].as_str().map(str::to_owned).or(self.finish.take()),
            _ => {}
        }
    }
}

/// The events of a stream: name and data (WHATWG HTML, 9.2.6, for streams that are complete).
#[must_use]
pub fn events(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let event = |block: &str| {
        let field = |name: &str| {
            let values = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            values.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>()
        };
        let data = field("data");
        (!data.is_empty()).then(|| (field("event").join(""), data.join("\n")))
    };
    text.split("\n\n").filter_map(event).collect()
}
