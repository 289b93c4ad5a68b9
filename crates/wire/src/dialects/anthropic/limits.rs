//! The numbers of a request that depend on each other: output limit, reasoning, sampling, and whether a tool may be forced.
//! Decides only; `write` writes.

use crate::loss::Loss;
use crate::request::{Effort, Reasoning, ReasoningMode, Request, ToolChoice};
use crate::target::{ModelFacts, Target, Thinking};

/// The output limit where neither the caller nor the catalog knows one (P1): high enough to cut nothing short, and what present
/// models of the dialect can give. Older ones are in the catalog.
const OUTPUT_TOKENS_DEFAULT: u64 = 32_000;
/// The smallest thinking budget that the dialect accepts.
const BUDGET_TOKENS_MIN: u64 = 1024;

/// The form of the `thinking` object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `disabled`
    Off,
    /// `adaptive`
    Adaptive,
    /// `enabled` with so many tokens.
    Budget(u64),
}

/// What was decided.
#[derive(Debug)]
pub(super) struct Limits {
    /// `max_tokens`
    pub(super) max_tokens: u64,
    /// `thinking`
    pub(super) thinking: Option<Form>,
    /// `output_config.effort`
    pub(super) effort: Option<String>,
    /// `temperature`
    pub(super) temperature: Option<f64>,
    /// `top_p`
    pub(super) top_p: Option<f64>,
    /// `top_k`
    pub(super) top_k: Option<u64>,
    /// `tool_choice` may be `any` or `tool`.
    pub(super) may_force_tool: bool,
}

impl Limits {
    /// Decides. `native`: the request came in this dialect, so its own forms mean what they say.
    pub(super) fn new(request: &Request, target: &Target, native: bool, loss: &mut Loss) -> Self {
        let facts = &target.facts;
        let (thinking, effort) = request
            .reasoning
            .map_or((None, None), |asked| reasoning(asked, facts, native, loss));
        let mut limits = Self {
            max_tokens: 0,
            thinking,
            effort,
            temperature: None,
            top_p: None,
            top_k: None,
            may_force_tool: facts.forced_tool_choice,
        };
        limits.fit_budget(request, facts, loss);
        let by_budget = matches!(limits.thinking, Some(Form::Budget(_)));
        let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
        if by_budget && forced {
            limits.may_force_tool = false; // R2, T9
        }
        limits.sampling(request, target, native, loss);
        limits
    }

    /// Sets the output limit, and the budget below it (R1).
    fn fit_budget(&mut self, request: &Request, facts: &ModelFacts, loss: &mut Loss) {
        // More than the model can give is the same as all it can give, so nothing is lost by saying that.
        let most = facts.output_tokens_max.unwrap_or(u64::MAX);
        self.max_tokens = request
            .max_tokens
            .unwrap_or(facts.output_tokens_max.unwrap_or(OUTPUT_TOKENS_DEFAULT))
            .min(most);
        let Some(Form::Budget(budget)) = self.thinking else { return };
        if request.max_tokens.is_none() && facts.output_tokens_max.is_none() {
            self.max_tokens = self.max_tokens.saturating_add(budget);
        }
        if budget < self.max_tokens {
            return;
        }
        // The caller's limit holds reasoning and answer together: half of it for each.
        let fitting = (self.max_tokens / 2).max(BUDGET_TOKENS_MIN);
        if fitting < self.max_tokens {
            self.thinking = Some(Form::Budget(fitting));
        } else {
            self.thinking = None;
            loss.add("reasoning");
        }
    }

    fn sampling(&mut self, request: &Request, target: &Target, native: bool, loss: &mut Loss) {
        let by_budget = matches!(self.thinking, Some(Form::Budget(_)));
        let allowed = target.facts.sampling;
        // 1 is the default of both, so leaving it out loses nothing.
        self.temperature = request
            .temperature
            .filter(|t| keep(allowed && (is_one(*t) || !by_budget), is_one(*t), "temperature", loss));
        self.top_p = request
            .top_p
            .filter(|p| keep(allowed && !(by_budget && *p < 0.95), is_one(*p), "top_p", loss));
        self.top_k = request.top_k.filter(|_| keep(allowed && !by_budget, false, "top_k", loss));
        let most = target.quirks.temperature_max.unwrap_or(1.0).min(1.0);
        if self.temperature.is_some_and(|temperature| temperature > most) {
            self.temperature = Some(most); // P4
            loss.add("temperature");
        }
        // Models since Opus 4.1 refuse both at once; a caller of this dialect knows which of them to send.
        match (self.temperature, self.top_p) {
            (Some(temperature), Some(_)) if !native && is_one(temperature) => self.temperature = None,
            (Some(_), Some(top_p)) if !native => self.top_p = Some(top_p).filter(|p| keep(false, is_one(*p), "top_p", loss)),
            _ => {}
        }
    }
}

/// Whether a value is kept; when it is not, and was not the default anyway, notes the loss.
fn keep(allowed: bool, is_default: bool, name: &str, loss: &mut Loss) -> bool {
    if !allowed && !is_default {
        loss.add(name);
    }
    allowed
}

fn is_one(number: f64) -> bool {
    (number - 1.0).abs() < f64::EPSILON
}

/// The form and the effort that the model understands, nearest to what was asked.
fn reasoning(asked: Reasoning, facts: &ModelFacts, native: bool, loss: &mut Loss) -> (Option<Form>, Option<String>) {
    use ReasoningMode as Mode;
    let known_effort = asked.effort.and_then(|effort| effort_word(effort, facts));
    if asked.effort.is_some() && known_effort.is_none() && (native || facts.thinking == Thinking::Adaptive) {
        loss.add("reasoning_effort");
    }
    match (facts.thinking, asked.mode) {
        (Thinking::None, Mode::Off) => (None, None),
        (Thinking::None, Mode::Unsaid) if native => (None, known_effort),
        (Thinking::None, _) => {
            loss.add("reasoning");
            (None, None)
        }
        (_, Mode::Off) => (Some(Form::Off), known_effort),
        // Only an effort: in this dialect that is not yet a wish to think.
        (_, Mode::Unsaid) if native => (None, known_effort),
        (Thinking::Budget, Mode::Budget(tokens)) | (Thinking::Unknown, Mode::Budget(tokens)) => {
            (Some(Form::Budget(tokens.max(BUDGET_TOKENS_MIN))), known_effort.filter(|_| native))
        }
        (Thinking::Budget, Mode::Adaptive | Mode::Unsaid) => {
            if asked.mode == Mode::Adaptive {
                loss.add("thinking.type");
            }
            (Some(Form::Budget(budget(asked.effort.unwrap_or(Effort::Medium)))), None)
        }
        (Thinking::Adaptive, Mode::Budget(tokens)) => {
            loss.add("thinking.budget_tokens");
            (Some(Form::Adaptive), known_effort.or_else(|| effort_word(effort_of(tokens), facts)))
        }
        (Thinking::Adaptive | Thinking::Unknown, Mode::Adaptive | Mode::Unsaid) => (Some(Form::Adaptive), known_effort),
    }
}

/// Thinking tokens for an effort (WIRE section 6).
fn budget(effort: Effort) -> u64 {
    match effort {
        Effort::Minimal => BUDGET_TOKENS_MIN,
        Effort::Low => 2048,
        Effort::Medium => 10_000,
        Effort::High => 16_384,
        Effort::XHigh | Effort::Max => 32_768,
    }
}

/// The least effort whose budget holds so many tokens.
fn effort_of(tokens: u64) -> Effort {
    Effort::ALL
        .into_iter()
        .find(|effort| tokens <= budget(*effort))
        .unwrap_or(Effort::Max)
}

/// The model's word for an effort: its own, else the nearest lower one, else its lowest; `max` stands in for `xhigh`.
/// `None`: the model takes no effort. A model that we know nothing of takes all words of the dialect.
fn effort_word(effort: Effort, facts: &ModelFacts) -> Option<String> {
    if facts.efforts.is_empty() {
        let wanted = effort.max(Effort::Low); // the dialect has no `minimal`
        return (facts.thinking == Thinking::Unknown).then(|| wanted.name().to_owned());
    }
    let known = |level: Effort| facts.efforts.iter().any(|word| word == level.name());
    if effort == Effort::XHigh && !known(effort) && known(Effort::Max) {
        return Some(Effort::Max.name().to_owned());
    }
    let mut lower = Effort::ALL.into_iter().rev().skip_while(|level| *level > effort);
    let nearest = lower
        .find(|level| known(*level))
        .or_else(|| Effort::ALL.into_iter().find(|level| known(*level)));
    nearest.map(|level| level.name().to_owned())
}
