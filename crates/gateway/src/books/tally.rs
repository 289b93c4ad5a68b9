//! What an attempt has used so far: what the provider says, and until it says so, what can be counted.

use tollgate_policy::ledger::UsageSource;
use tollgate_wire::event::{Delta, Event, Finish};
use tollgate_wire::usage::Usage;

/// Bytes of text that make a token at most: fewer than any usual text has, so that what is counted by us is not too little.
const BYTES_PER_TOKEN: u64 = 3;
/// Bytes of text that make a token at least: more than any usual text has.
const BYTES_PER_TOKEN_MOST: u64 = 12;
/// Tokens that were on their way when somebody left.
const ON_THEIR_WAY: u64 = 2;

/// The most tokens that an answer is believed to have taken or given.
const TOKENS_MAX: u64 = 100_000_000;
/// The most searches that it is believed to have made.
const WEB_SEARCHES_MAX: u64 = 10_000;

/// The use of one attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    usage: Option<Usage>,
    finished: bool,
    /// By its limit, and not because all was said.
    cut: bool,
    text_bytes: u64,
    pieces: u64,
}

impl Tally {
    /// Takes what came.
    pub(super) fn observe(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Usage(usage) => self.usage = Some(*usage),
                Event::Delta { delta, .. } => {
                    let bytes = bytes_of(delta);
                    self.pieces += u64::from(bytes > 0);
                    self.text_bytes += bytes;
                }
                Event::Finish { reason, .. } => {
                    self.finished = true;
                    self.cut |= *reason == Finish::Length;
                }
                _ => {}
            }
        }
    }

    /// What the provider said last.
    pub(super) fn told(&self) -> Option<Usage> {
        self.usage
    }

    /// True when something came of an answer.
    pub(super) fn has_begun(&self) -> bool {
        self.usage.is_some() || self.pieces > 0
    }

    /// True when the answer came to its end.
    pub(super) fn has_finished(&self) -> bool {
        self.finished
    }

    /// All was said: how long such answers are can be learned from it.
    pub(super) fn said_all(&self) -> bool {
        self.finished && !self.cut
    }

    /// What is to be posted. Before the answer's end a provider may have reported its input only: then the output is counted by us. So it is
    /// where a provider says that something took nothing (FAULTS F21).
    pub(super) fn used(&self, input_tokens: u64) -> (Usage, UsageSource) {
        let mut usage = self.usage.map(plausible).unwrap_or_default();
        if usage.input == 0 {
            usage.input = input_tokens;
        }
        if !self.finished || usage.output == 0 {
            usage.output = usage.output.max(self.counted());
        }
        let believed = self.finished
            && self
                .usage
                .is_some_and(|told| (told.input, told.output) == (usage.input, usage.output));
        let source = if believed { UsageSource::Provider } else { UsageSource::Estimate };
        (usage, source)
    }

    /// Output tokens so far, of which we are sure: no text has fewer. By these an answer is stopped that has had more than is held for it,
    /// so that none is stopped that has not.
    pub(super) fn at_least(&self) -> u64 {
        let counted = self.pieces.max(self.text_bytes / BYTES_PER_TOKEN_MOST);
        self.usage.map_or(counted, |usage| usage.output.max(counted))
    }

    /// Output tokens so far, counted by us.
    pub(super) fn counted(&self) -> u64 {
        if self.pieces == 0 {
            return 0;
        }
        self.text_bytes.div_ceil(BYTES_PER_TOKEN).max(self.pieces) + ON_THEIR_WAY
    }
}

/// Usage as far as it can be believed: more than this no model takes or gives, and it would spend a budget for ever (F21).
fn plausible(mut usage: Usage) -> Usage {
    usage.input = usage.input.min(TOKENS_MAX);
    usage.output = usage.output.min(TOKENS_MAX);
    usage.web_searches = usage.web_searches.min(WEB_SEARCHES_MAX);
    usage
}

fn bytes_of(delta: &Delta) -> u64 {
    let text = match delta {
        Delta::Text(text) | Delta::Arguments(text) => text,
        Delta::Signature(_) => return 0,
    };
    text.len() as u64
}
