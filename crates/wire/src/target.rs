//! What a dialect must know of the deployment that it writes for: the upstream model's name, facts about that model, and
//! the vendor's differences from the dialect. Data, made by config from the catalog; no vendor is named in code.

/// Where a request is written to.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The model name that the provider knows.
    pub model: String,
    /// Facts about that model.
    pub facts: ModelFacts,
    /// How the vendor differs from its dialect.
    pub quirks: Quirks,
}

/// Facts about a model that decide how a request must be written.
#[derive(Debug, Clone)]
pub struct ModelFacts {
    /// The largest output the model can give, in tokens: what is written where a dialect demands a limit and the caller gave none.
    pub output_tokens_max: Option<u64>,
    /// `temperature`, `top_p`, `top_k` are accepted.
    pub sampling: bool,
    /// How reasoning is asked for.
    pub thinking: Thinking,
    /// The effort levels that the model knows (`low`, `medium` …); empty: effort is not accepted.
    pub efforts: Vec<String>,
    /// `tool_choice` may force a tool.
    pub forced_tool_choice: bool,
    /// The model follows a JSON schema natively.
    pub json_schema: bool,
    /// The last message may be an assistant's, to be continued.
    pub prefill: bool,
    /// `system` messages may stand in mid-conversation.
    pub system_midway: bool,
    /// `stop` sequences are accepted.
    pub stop: bool,
    /// The output limit has its newer name, which counts reasoning too.
    pub max_completion_tokens: bool,
    /// Of these top-level request fields at most one may be there: the first of them is kept.
    pub one_of: Vec<String>,
}

impl Default for ModelFacts {
    /// An unknown model is trusted to do what its dialect says.
    fn default() -> Self {
        Self {
            output_tokens_max: None,
            sampling: true,
            thinking: Thinking::Unknown,
            efforts: Vec::new(),
            forced_tool_choice: true,
            json_schema: true,
            prefill: true,
            system_midway: false,
            stop: true,
            max_completion_tokens: true,
            one_of: Vec::new(),
        }
    }
}

/// How a model is asked to reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    /// Not known: the caller's form is written as it is.
    #[default]
    Unknown,
    /// It cannot reason.
    None,
    /// By a token budget.
    Budget,
    /// By an adaptive switch and an effort.
    Adaptive,
}

/// How a vendor differs from the dialect that it speaks.
#[derive(Debug, Clone, Default)]
pub struct Quirks {
    /// Top-level request fields that it refuses.
    pub drop: Vec<String>,
    /// Top-level request fields that it calls otherwise: (ours, theirs).
    pub rename: Vec<(String, String)>,
    /// It does not know the `developer` role.
    pub developer_as_system: bool,
    /// What it does about usage in streams.
    pub stream_usage: StreamUsage,
    /// Its streams may end without the dialect's terminator once every choice has a finish reason.
    pub terminator_optional: bool,
    /// The message field in which reasoning is sent back to it (`reasoning_content`), where it wants that.
    pub reasoning_field: Option<String>,
    /// The largest temperature that it accepts, where lower than the dialect's.
    pub temperature_max: Option<f64>,
    /// Fields of messages that it refuses.
    pub message_drop: Vec<String>,
    /// The content of a message must be a string.
    pub content_as_string: bool,
    /// The only values of `tool_choice` that it takes, `named` standing for one function; empty: all.
    pub tool_choices: Vec<String>,
    /// The only types of `response_format` that it takes; empty: all.
    pub response_formats: Vec<String>,
    /// The most answers that can be asked of it.
    pub n_max: Option<u32>,
}

/// What a vendor does about token usage in streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamUsage {
    /// It sends usage when asked, as the dialect says.
    #[default]
    Ask,
    /// It sends usage unasked, and refuses to be asked.
    Always,
    /// It never sends usage, and refuses to be asked.
    Never,
}
