//! The rows of `catalog/providers.toml`, built into the program: one vendor each, with its endpoints and their quirks.
//! The head of that file is the reference of every key. Deliberately no validation at run time beyond what parsing does:
//! the file is part of the build, so its rules (addresses, names, environment variables) are tests.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::models::{ModelFacts, models};

const FILE: &str = "catalog/providers.toml";
const TEXT: &str = include_str!("../../../../catalog/providers.toml");

/// The built-in knowledge about vendors and models. Parse it once per process or config change; look-ups are linear
/// over about a hundred rows and belong to building a config snapshot, not to the path of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    rows: Vec<Row>,
    models: Vec<ModelFacts>,
}

impl Catalog {
    /// Parses the two files that were built in.
    ///
    /// # Errors
    /// Only when the build carries a broken file, which its tests exclude.
    pub fn built_in() -> Result<Self, CatalogError> {
        Ok(Self {
            rows: providers()?,
            models: models()?,
        })
    }

    /// The vendor a config calls by this name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// All vendors' names, in the order of the file: for messages, "did you mean" and the README's table.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.name.as_str())
    }

    /// All vendors, in the order of the file.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What is known about an upstream model when served by that provider (a row's name, or any name of a config).
    /// `None`: nothing known; write what the caller asked and let the provider judge.
    #[must_use]
    pub fn facts(&self, provider: &str, model: &str) -> Option<&ModelFacts> {
        // Patterns are lower case; vendors differ in case for the same model ("Kimi-K2.5", "kimi-k2.5").
        let model = model.to_ascii_lowercase();
        self.models.iter().find(|facts| facts.applies(provider, &model))
    }
}

/// Parses the vendors' file that was built in.
///
/// # Errors
/// When it is not TOML or has a key that no row knows.
pub fn providers() -> Result<Vec<Row>, CatalogError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        provider: Vec<Row>,
    }
    let file: File = toml::from_str(TEXT).map_err(|error| CatalogError::new(FILE, &error))?;
    Ok(file.provider)
}

/// One vendor, or one self-hosted server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What a config calls it: lower case letters, digits and dashes.
    pub name: String,
    /// What a person calls it.
    pub label: String,
    /// Where the row can be checked: a page of the vendor.
    pub docs: String,
    /// Environment variables that may hold the key; the first that is set wins.
    pub credential_env: Vec<String>,
    /// Whether a key found in the environment enables the vendor without a config.
    #[serde(default = "yes")]
    pub autodetect: bool,
    /// Self-hosted on this machine: plain HTTP, and a key only if one is configured.
    #[serde(default)]
    pub local: bool,
    /// One per dialect; the first is to be preferred for callers of another dialect. Never empty.
    #[serde(rename = "endpoint")]
    pub endpoints: Vec<Endpoint>,
}

impl Row {
    /// The endpoint that speaks this dialect.
    #[must_use]
    pub fn endpoint(&self, dialect: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.dialect == dialect)
    }

    /// The dialects it offers, the preferred one first.
    pub fn dialects(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().map(|endpoint| endpoint.dialect.as_str())
    }
}

/// Where and how one vendor speaks one dialect.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `openai_chat` or `anthropic`.
    pub dialect: String,
    /// What the dialect's official SDK calls base URL, without a slash at the end. Exactly one of this and `template`.
    pub base_url: Option<String>,
    /// The form of the base URL where it holds an account, in braces; the config must give the real one.
    pub template: Option<String>,
    /// Where the key goes.
    #[serde(default)]
    pub auth: Auth,
    /// Fixed headers, lower case, sent unless the relayed request carries them itself.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How this endpoint differs from its dialect.
    #[serde(default)]
    pub quirks: Quirks,
}

/// Where the key goes in a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Auth {
    /// `authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// The key alone in the header of this name, lower case.
    Header(String),
    /// Never sent.
    None,
}

impl TryFrom<String> for Auth {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match (text.as_str(), text.strip_prefix("header:")) {
            ("bearer", _) => Ok(Self::Bearer),
            ("none", _) => Ok(Self::None),
            (_, Some(name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            _ => Err(format!("auth `{text}` is none of bearer, header:NAME, none")),
        }
    }
}

/// How an endpoint differs from its dialect: patches of requests, and hints for reading answers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// Top-level request fields to remove.
    pub drop: Vec<String>,
    /// Top-level request fields to rename, from the dialect's name to the vendor's.
    pub rename: BTreeMap<String, String>,
    /// Fields to remove from each entry of `messages`.
    pub message_drop: Vec<String>,
    /// The role to write instead of `developer`.
    pub developer_role: Option<String>,
    /// Which forms of message content it reads.
    pub content: ContentForm,
    /// The values of `tool_choice` it takes, `named` standing for one function; empty: all. Others become `auto`.
    pub tool_choices: Vec<String>,
    /// The types of `response_format` it takes; empty: all.
    pub response_formats: Vec<String>,
    /// The largest temperature it takes.
    pub temperature_max: Option<f64>,
    /// The most choices that can be asked for.
    pub n_max: Option<u32>,
    /// Whether it knows the `anthropic-beta` header.
    pub betas: bool,
    /// Whether streams tell usage, and what must be said for it.
    pub stream_usage: StreamUsage,
    /// Whether a stream that ends without `[DONE]` is cut short; if not, a finish reason completes it.
    pub done_marker: bool,
    /// The message field that carries reasoning text, in answers and replays.
    pub reasoning_field: Option<String>,
    /// Whether reasoning is to be sent back with the conversation.
    pub reasoning_replay: ReasoningReplay,
    /// What the vendor bills when the caller leaves; `None`: not documented.
    pub billing_on_cancel: Option<BillingOnCancel>,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            drop: Vec::new(),
            rename: BTreeMap::new(),
            message_drop: Vec::new(),
            developer_role: None,
            content: ContentForm::default(),
            tool_choices: Vec::new(),
            response_formats: Vec::new(),
            temperature_max: None,
            n_max: None,
            betas: false,
            stream_usage: StreamUsage::default(),
            done_marker: true,
            reasoning_field: None,
            reasoning_replay: ReasoningReplay::default(),
            billing_on_cancel: None,
        }
    }
}

/// Which forms of message content an endpoint reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentForm {
    /// A string, null, or a list of parts, as the dialect has it.
    #[default]
    Parts,
    /// A string only.
    String,
}

/// Whether a stream tells usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// When `stream_options.include_usage` asks for it.
    #[default]
    Ask,
    /// Unasked; `stream_options` must not be sent.
    Always,
    /// Not at all; `stream_options` must not be sent.
    Never,
}

/// Whether earlier reasoning goes back to the vendor with the conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningReplay {
    /// It may.
    #[default]
    Optional,
    /// It must, or tool loops fail.
    Required,
    /// It must not.
    Refused,
}

/// What a vendor bills for a request whose caller left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingOnCancel {
    /// As if it had been completed.
    Full,
    /// What was generated until then: what is assumed where nothing is documented.
    #[default]
    Partial,
    /// Nothing.
    None,
}

/// A built-in file that does not parse: a fault of the build, not of its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogError {
    file: &'static str,
    detail: String,
}

impl CatalogError {
    pub(super) fn new(file: &'static str, error: &toml::de::Error) -> Self {
        Self {
            file,
            detail: error.to_string(),
        }
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "built-in {} does not parse, install another build: {}", self.file, self.detail)
    }
}

impl std::error::Error for CatalogError {}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
