//! A conversation request in the one language between the dialects. A concept is here when two dialects have it; what only
//! one has stays raw in [`Extra`] or [`Foreign`], tagged with its dialect, and is written back only there.

use serde_json::value::RawValue;

use crate::dialects::Dialect;

/// One request for a chat answer.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The model as the caller named it.
    pub model: String,
    /// The conversation in order; system and developer texts are messages, wherever they stood.
    pub messages: Vec<Message>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether and which tool must be called; `None`: not said.
    pub tool_choice: Option<ToolChoice>,
    /// `Some(false)`: at most one tool call at a time.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    pub output: OutputFormat,
    /// The most output tokens, reasoning included.
    pub max_tokens: Option<u64>,
    /// Sampling temperature as the caller gave it.
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    pub top_p: Option<f64>,
    /// Sampling among the k likeliest.
    pub top_k: Option<u64>,
    /// Stop sequences; empty: none.
    pub stop: Vec<String>,
    /// How many answers; `None`: one.
    pub n: Option<u32>,
    /// The answer is wanted as a stream.
    pub stream: bool,
    /// The caller asked for usage within the stream.
    pub include_usage: bool,
    /// Whether and how much to reason.
    pub reasoning: Option<Reasoning>,
    /// The caller's id for its end user.
    pub user: Option<String>,
    /// The caller's wish for a service class, in its dialect's word.
    pub service_tier: Option<String>,
    /// Top-level fields of the caller's dialect that are not in the language.
    pub extra: Extra,
}

impl Request {
    /// The tools that a dialect writes under another name: that name, and the caller's.
    #[must_use]
    pub fn renamed_tools(&self, to: &dyn Dialect) -> Vec<(String, String)> {
        let functions = self.tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some(&function.name),
            Tool::Foreign(_) => None,
        });
        let renamed = functions.map(|name| (to.tool_name(name).into_owned(), name.clone()));
        renamed.filter(|(theirs, ours)| theirs != ours).collect()
    }
}

/// One turn, or one system text.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
    /// The speaker's name, where given.
    pub name: Option<String>,
    /// Fields of the caller's dialect that are not in the language.
    pub extra: Extra,
}

/// Who speaks. Tool results are a turn of their own ([`Role::Tool`]), also where a dialect puts them into the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions by the application's developer; `system` where a dialect has no such role.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Results of tool calls: every part is a [`Body::ToolResult`].
    Tool,
}

/// A piece of a message.
#[derive(Debug, Clone)]
pub struct Part {
    /// What it is.
    pub body: Body,
    /// A prompt-cache mark (`cache_control` object) set behind this part.
    pub cache: Option<Box<RawValue>>,
    /// Fields of the caller's dialect that are not in the language.
    pub extra: Extra,
}

impl Part {
    /// A part without marks.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self {
            body,
            cache: None,
            extra: Extra::default(),
        }
    }

    /// A text part.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Body::Text(text.into()))
    }
}

/// What a part is.
#[derive(Debug, Clone)]
pub enum Body {
    /// Text.
    Text(String),
    /// A picture.
    Image(Media),
    /// A document, such as a PDF.
    Document(Media),
    /// A sound.
    Audio(Media),
    /// The model called a tool.
    ToolCall(ToolCall),
    /// What the tool answered.
    ToolResult(ToolResult),
    /// The model reasoned.
    Reasoning(Thought),
    /// The model refused, in words.
    Refusal(String),
    /// A block that only one dialect knows.
    Foreign(Foreign),
}

/// A picture, document or sound.
#[derive(Debug, Clone)]
pub struct Media {
    /// Where its bytes are.
    pub source: MediaSource,
    /// File name or title.
    pub name: Option<String>,
}

/// Where the bytes of a medium are.
#[derive(Debug, Clone)]
pub enum MediaSource {
    /// To be fetched by the provider.
    Url(String),
    /// Inline, standard base64 with padding.
    Base64 {
        /// MIME type, such as `image/png`.
        media_type: String,
        /// The base64 text as received.
        data: String,
    },
    /// Inline text.
    Text {
        /// MIME type, such as `text/plain`.
        media_type: String,
        /// The text.
        text: String,
    },
    /// Uploaded to a provider before: an id that only its own dialect knows.
    File(Opaque),
}

/// A call of a tool by the model.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text, byte for byte as received (key order and number spelling survive). May be empty or
    /// invalid JSON where a model was cut short.
    pub arguments: String,
}

/// The answer of a tool.
#[derive(Debug, Clone)]
pub struct ToolResult {
    /// The id of the call that it answers.
    pub id: String,
    /// Text, images, documents; empty: the tool said nothing.
    pub content: Vec<Part>,
    /// The tool failed.
    pub is_error: bool,
}

/// A piece of reasoning.
#[derive(Debug, Clone)]
pub struct Thought {
    /// Its text; may be empty (hidden by the provider) and must then still be replayed.
    pub text: String,
    /// The provider's seal over the text, byte for byte.
    pub signature: Option<Opaque>,
    /// The reasoning itself, encrypted by the provider: there is no text then.
    pub redacted: Option<Opaque>,
}

/// A provider's own token: meaningless to, and never sent to, another dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opaque {
    /// The name of the dialect that it belongs to.
    pub dialect: &'static str,
    /// Its bytes as received.
    pub data: String,
}

/// A tool that the model may call.
#[derive(Debug, Clone)]
pub enum Tool {
    /// A function of the caller's.
    Function(Function),
    /// A tool that only one dialect knows (built-in or server-side ones).
    Foreign(Foreign),
}

/// A function of the caller's.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// JSON Schema of its arguments, raw; `None`: it takes none.
    pub schema: Option<Box<RawValue>>,
    /// The arguments must follow the schema.
    pub strict: Option<bool>,
    /// A prompt-cache mark (`cache_control` object) set behind this tool.
    pub cache: Option<Box<RawValue>>,
    /// Fields of the caller's dialect that are not in the language.
    pub extra: Extra,
}

/// Whether and which tool must be called.
#[derive(Debug, Clone)]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
    /// A form that only one dialect knows.
    Foreign(Foreign),
}

/// The form of the answer.
#[derive(Debug, Clone, Default)]
pub enum OutputFormat {
    /// Text.
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON that follows a schema.
    Schema {
        /// A name for the schema, where given.
        name: Option<String>,
        /// What it describes.
        description: Option<String>,
        /// The JSON Schema, raw.
        schema: Box<RawValue>,
        /// The answer must follow it exactly.
        strict: Option<bool>,
    },
}

/// Whether and how much to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reasoning {
    /// How it is asked for.
    pub mode: ReasoningMode,
    /// How hard, where said.
    pub effort: Option<Effort>,
}

/// How reasoning is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningMode {
    /// Not at all.
    Off,
    /// As the model decides.
    Adaptive,
    /// Up to so many tokens.
    Budget(u64),
    /// Only an effort was said.
    Unsaid,
}

/// How hard to reason, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// Hardly.
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// Very much.
    XHigh,
    /// As much as it can.
    Max,
}

impl Effort {
    /// All levels, least first.
    pub const ALL: [Self; 6] = [Self::Minimal, Self::Low, Self::Medium, Self::High, Self::XHigh, Self::Max];

    /// The word that every dialect uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// Fields that only one dialect knows, raw, in order.
#[derive(Debug, Clone, Default)]
pub struct Extra {
    /// The dialect that they came from; meaningless while `fields` is empty.
    pub dialect: &'static str,
    /// Name and raw value.
    pub fields: Vec<(String, Box<RawValue>)>,
}

/// A block, tool or choice that only one dialect knows.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// The dialect that it came from.
    pub dialect: &'static str,
    /// What it calls itself (`type`), for the loss entry.
    pub kind: String,
    /// The whole JSON object.
    pub raw: Box<RawValue>,
}
