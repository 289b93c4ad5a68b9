//! What was asked, in the words of no vendor: a dialect reads it, a behaviour answers it.
//! It keeps only what some behaviour needs; it is not a middle language for translation.

use serde_json::Value;

/// A request that its dialect accepted.
#[derive(Debug, Default)]
pub(crate) struct Question {
    /// The model name as it was sent.
    pub(crate) model: String,
    /// Is a stream wanted?
    pub(crate) stream: bool,
    /// Shall a stream report its usage? (Always so in dialects that know no such flag.)
    pub(crate) include_usage: bool,
    /// How many alternative answers.
    pub(crate) choices: u64,
    /// The most tokens of one answer.
    pub(crate) max_tokens: Option<u64>,
    /// Texts at which an answer ends.
    pub(crate) stop: Vec<String>,
    /// The text of the last message of the user.
    pub(crate) last_user_text: String,
    /// Tools on offer.
    pub(crate) tools: Vec<Tool>,
    /// Which of them may or must be called.
    pub(crate) tool_choice: ToolChoice,
    /// May several be called in one answer?
    pub(crate) parallel: bool,
    /// The tool results with which the conversation ends.
    pub(crate) tool_results: Vec<ToolResult>,
    /// The form that the answer must have.
    pub(crate) format: Format,
    /// Images, documents and audio of the whole conversation, in order.
    pub(crate) media: Vec<Media>,
    /// Was thinking switched off by name?
    pub(crate) thinking_disabled: bool,
    /// Log probabilities wanted, with so many alternatives.
    pub(crate) logprobs: Option<u64>,
    /// Bytes of JSON around the text of an answer in this dialect, about.
    pub(crate) envelope_bytes: u64,
    /// Tokens of the request.
    pub(crate) input_tokens: u64,
    /// Those of them that the provider reads from its prompt cache.
    pub(crate) cached_tokens: u64,
}

/// A tool on offer.
#[derive(Debug)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: String,
    /// The JSON Schema of its arguments.
    pub(crate) schema: Value,
}

/// What the caller said about calling tools.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    /// The model decides.
    #[default]
    Auto,
    /// No call.
    None,
    /// At least one call.
    Required,
    /// This one.
    Named(String),
}

/// The result of a tool call.
#[derive(Debug)]
pub(crate) struct ToolResult {
    /// Its text parts, joined.
    pub(crate) text: String,
    /// Did the tool fail?
    pub(crate) is_error: bool,
}

/// The form of the answer.
#[derive(Debug, Default)]
pub(crate) enum Format {
    /// Prose.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// An instance of this schema.
    JsonSchema(Value),
}

/// Something in a message that is not text.
#[derive(Debug)]
pub(crate) struct Media {
    /// `image`, `document` or `audio`.
    pub(crate) kind: &'static str,
    /// Where it is.
    pub(crate) source: Source,
}

/// Where a medium is.
#[derive(Debug)]
pub(crate) enum Source {
    /// In the request: its media type and its size, decoded.
    Inline {
        /// As named by the caller, e.g. `image/png`.
        media_type: String,
        /// Bytes after decoding.
        bytes: usize,
    },
    /// At a URL, or in the provider's file store under an id.
    Reference(String),
}

impl Source {
    /// Reads a `data:` URL (RFC 2397), or takes the text as a reference.
    pub(crate) fn from_url(url: &str) -> Self {
        let Some((head, data)) = url.strip_prefix("data:").and_then(|rest| rest.split_once(',')) else {
            return Self::Reference(url.to_owned());
        };
        match head.strip_suffix(";base64") {
            Some(media_type) => Self::from_base64(media_type, data),
            None => Self::Inline {
                media_type: head.to_owned(),
                bytes: data.len(),
            },
        }
    }

    /// Measures base64 text; it is not decoded, only its length matters.
    pub(crate) fn from_base64(media_type: &str, data: &str) -> Self {
        let letters = data.trim_end_matches('=').len();
        Self::Inline {
            media_type: media_type.to_owned(),
            bytes: letters * 3 / 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_measured() {
        let rows = [
            ("data:image/png;base64,AAAA", "Inline { media_type: \"image/png\", bytes: 3 }"),
            ("data:image/png;base64,AAA=", "Inline { media_type: \"image/png\", bytes: 2 }"),
            ("data:text/plain,hello", "Inline { media_type: \"text/plain\", bytes: 5 }"),
            ("https://example.com/a.png", "Reference(\"https://example.com/a.png\")"),
        ];
        for (url, expected) in rows {
            assert_eq!(format!("{:?}", Source::from_url(url)), expected);
        }
    }
}
