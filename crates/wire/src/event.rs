//! The only response vocabulary: a streamed answer is its events over time, a whole answer is its events at once.
//!
//! Order within an answer: `Start`, then per choice any number of blocks (`Open`, `Delta`…, `Close`; blocks of one choice
//! do not overlap unless they are parallel tool calls), `Finish` once per choice, `Usage` whenever known (later ones replace earlier ones),
//! `End` when the provider's terminator was seen. A `Fault` ends the answer instead.

use serde_json::value::RawValue;

use crate::fault::Fault;
use crate::request::Opaque;
use crate::usage::Usage;

/// One thing that happened in an answer.
#[derive(Debug, Clone)]
pub enum Event {
    /// The answer begins. At most once: repeated ones are dropped by the decoder.
    Start(Start),
    /// A block opens. Its number is unique within its choice, counted from 0 over all kinds of block.
    Open {
        /// Which answer, from 0.
        choice: u32,
        /// Which block.
        block: u32,
        /// What it holds.
        kind: Block,
    },
    /// A block grows.
    Delta {
        /// Which answer, from 0.
        choice: u32,
        /// Which block.
        block: u32,
        /// What is added.
        delta: Delta,
    },
    /// A block is complete.
    Close {
        /// Which answer, from 0.
        choice: u32,
        /// Which block.
        block: u32,
    },
    /// A choice is complete.
    Finish {
        /// Which answer, from 0.
        choice: u32,
        /// Why it ended.
        reason: Finish,
    },
    /// Token counts so far; cumulative, the last one is final.
    Usage(Usage),
    /// The provider's own terminator.
    End,
    /// The provider reports an error in mid-answer; nothing follows.
    Fault(Box<Fault>),
    /// Something that only one dialect knows: a top-level or per-choice field, or a delta of an unknown kind.
    Foreign {
        /// The dialect that it came from.
        dialect: &'static str,
        /// Which answer it belongs to, where it belongs to one.
        choice: Option<u32>,
        /// The field or event name, for the loss entry.
        name: String,
        /// Its raw value.
        raw: Box<RawValue>,
    },
}

impl Event {
    /// True when the answer itself has begun: from here on no other attempt may answer instead. A block that is only announced is
    /// no content yet.
    #[must_use]
    pub fn commits(&self) -> bool {
        match self {
            Self::Open { kind, .. } => !matches!(kind, Block::Text | Block::Reasoning | Block::Refusal),
            Self::Delta { .. } | Self::Finish { .. } => true,
            _ => false,
        }
    }
}

/// The head of an answer. What a provider leaves out, the encoder takes from its [`AnswerContext`].
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The provider's id of the answer.
    pub id: Option<String>,
    /// The model that answers, in the provider's words.
    pub model: Option<String>,
    /// Seconds since 1970, where the provider says so.
    pub created: Option<u64>,
}

/// What a block holds.
#[derive(Debug, Clone)]
pub enum Block {
    /// Text.
    Text,
    /// Reasoning.
    Reasoning,
    /// Reasoning that the provider encrypted; complete at once.
    Redacted(Opaque),
    /// A tool call; its arguments follow as deltas.
    ToolCall {
        /// The call's id; empty where the provider gave none.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// The model refuses, in words.
    Refusal,
    /// A block that only one dialect knows; complete at once, or grown by `Foreign` events.
    Foreign(crate::request::Foreign),
}

/// What is added to a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delta {
    /// Text, reasoning or refusal text.
    Text(String),
    /// JSON text of a tool call's arguments.
    Arguments(String),
    /// The seal over a reasoning block; may come in pieces.
    Signature(Opaque),
}

/// Why a choice ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// The model was done.
    Stop,
    /// It wrote a stop sequence; which, where the provider says.
    StopSequence(Option<String>),
    /// The output limit or the context was full.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// Filtered or refused.
    ContentFilter,
    /// It paused and wants to be called again with its answer (Anthropic's `pause_turn`).
    Pause,
    /// A reason that only its dialect knows, in its own word.
    Other(String),
}

/// What an encoder needs beyond the events.
#[derive(Debug, Clone, Default)]
pub struct AnswerContext {
    /// The answer's id, where the provider gives none.
    pub id: String,
    /// The answer's model, where the provider names none.
    pub model: String,
    /// Seconds since 1970, where the provider gives none.
    pub created: u64,
    /// The caller wants a stream.
    pub stream: bool,
    /// The caller asked for usage within the stream.
    pub include_usage: bool,
    /// Tools that the provider knows by another name: its name, and the caller's.
    pub renamed_tools: Vec<(String, String)>,
}

impl AnswerContext {
    /// The caller's name of a tool that the provider calls.
    #[must_use]
    pub fn tool_name<'n>(&'n self, called: &'n str) -> &'n str {
        let known = self.renamed_tools.iter().find(|(theirs, _)| theirs == called);
        known.map_or(called, |(_, ours)| ours)
    }
}
