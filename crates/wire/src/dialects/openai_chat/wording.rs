//! What the words of vendors' error messages mean. Every wording is one that was recorded or documented; statuses, types
//! and codes are not looked at here.

use std::time::Duration;

/// The longest wait believed, in seconds: a longer one is a slip or an attack (FAULTS F23).
const RETRY_AFTER_S_MAX: f64 = 300.0;

const CONTEXT_LENGTH: &[&str] = &[
    "context length",                           // OpenAI, OpenRouter, vLLM, Ollama ("max context length")
    "context window",                           // OpenAI responses, LM Studio
    "context size",                             // llama.cpp ("exceeds the available context size")
    "context_length_exceeded",                  // quoted within another vendor's message
    "prompt is too long",                       // Claude behind a compatible layer
    "prompt too long",                          // Ollama
    "total length of all messages is too long", // Perplexity
    "input tokens exceeded",                    // Bedrock behind a compatible layer
    "input token count",                        // Gemini behind a compatible layer ("… exceeds the maximum number of tokens")
    "maximum prompt length",                    // xAI
    "too large for model with",                 // Mistral ("… context length")
    "`inputs` tokens + `max_new_tokens`",       // TGI
    "reduce the length of the messages",        // Groq
];

const CONTENT_POLICY: &[&str] = &[
    "content management policy",                 // Azure
    "rejected as a result of our safety system", // OpenAI
    "usage policy",                              // OpenAI ("… may violate our usage policy")
    "requires moderation",                       // OpenRouter ("… was flagged")
    "content exists risk",                       // DeepSeek
    "data_inspection_failed",                    // Alibaba
];

const QUOTA: &[&str] = &[
    "exceeded your current quota", // OpenAI
    "insufficient balance",        // DeepSeek, Moonshot
    "insufficient credits",        // OpenRouter
    "requires more credits",       // OpenRouter
    "key limit exceeded",          // OpenRouter
    "spend limit",                 // Anthropic behind a compatible layer
    "credit balance is too low",   // idem
    "used all available credits",  // xAI
    "billing",
];

const BAD_KEY: &[&str] = &[
    "incorrect api key",      // OpenAI, xAI (with 400)
    "api key not valid",      // Gemini (with 400)
    "invalid api key",        // Mistral
    "invalid authentication", // Moonshot
];

fn any(message: &str, wordings: &[&str]) -> bool {
    let message = message.to_ascii_lowercase();
    wordings.iter().any(|wording| message.contains(wording))
}

/// The prompt does not fit.
pub(super) fn context_length(message: &str) -> bool {
    any(message, CONTEXT_LENGTH)
}

/// Refused for its content.
pub(super) fn content_policy(message: &str) -> bool {
    any(message, CONTENT_POLICY)
}

/// Money or quota is used up.
pub(super) fn quota(message: &str) -> bool {
    any(message, QUOTA)
}

/// The credential is wrong, whatever the status.
pub(super) fn bad_key(message: &str) -> bool {
    any(message, BAD_KEY)
}

/// One request larger than a whole window of the limit (OpenAI, Groq).
pub(super) fn too_large(message: &str) -> bool {
    any(message, &["request too large"])
}

/// The wait that a message names: "Please try again in 644ms", "in 1m20.5s", "after 20 seconds".
pub(super) fn retry_after(message: &str) -> Option<Duration> {
    let message = message.to_ascii_lowercase();
    let rest = ["try again in ", "try again after ", "retry after ", "retry in "]
        .iter()
        .find_map(|start| message.split_once(start))?
        .1;
    let mut seconds = 0.0;
    let mut rest = rest.trim_start();
    let mut read = false;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let Ok(value) = number.trim_end_matches('.').parse::<f64>() else {
            break;
        };
        let tail = tail.trim_start();
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        seconds += match unit {
            "ms" | "milliseconds" => value / 1000.0,
            "s" | "sec" | "second" | "seconds" => value,
            "m" | "min" | "minute" | "minutes" => value * 60.0,
            "h" | "hour" | "hours" => value * 3600.0,
            _ => break,
        };
        read = true;
        rest = tail;
    }
    (read && seconds.is_finite()).then(|| Duration::from_secs_f64(seconds.clamp(0.0, RETRY_AFTER_S_MAX)))
}

/// A message about a credential, with everything in it that could be one struck out.
pub(super) fn mask(message: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len()).max(c.len_utf8());
        let (run, tail) = rest.split_at(end);
        let secret = run.len() >= 12 && run.bytes().any(|byte| byte.is_ascii_digit() || byte == b'*');
        out.push_str(if secret || run.starts_with("sk-") { "***" } else { run });
        rest = tail;
    }
    out
}
