//! How many tokens a request can take, before anybody counts them: from what its parts weigh. `strict` is an upper bound, `calibrated` what
//! this model's texts have taken lately, with some room.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tollgate_wire::sizes::Sizes;
use tollgate_wire::usage::ServiceTier;

use crate::prices::Units;

/// What chat templates put around a message, at most.
const TOKENS_PER_MESSAGE: u64 = 16;
/// Headers, instructions and the like that a provider adds by itself, once a request.
const TOKENS_PER_REQUEST: u64 = 64;
/// The largest images at full detail: 10,000 patches of 32 × 32 pixels, above Gemini's and Anthropic's 5,000.
const TOKENS_PER_IMAGE: u64 = 10_000;
/// gpt-4o-mini bills an image as 2,833 tokens and 5,667 for each of up to eight tiles.
const TOKENS_PER_IMAGE_4O_MINI: u64 = 48_169;
/// Sound: 32 tokens a second (Gemini; others take fewer) of at least 750 bytes (6 kbit/s, the least that speech is coded with).
const AUDIO: (u64, u64) = (32, 750);
/// A page of a document, as text and as image.
const TOKENS_PER_PAGE: u64 = 5_000;
/// The most pages that a provider takes.
const PAGES_MAX: u64 = 600;
/// The pages that a document has of which we see only an address: what most models take at most.
const PAGES_UNSEEN: u64 = 100;

/// What is known of a request before it is sent: upper bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// All input tokens.
    pub input_tokens: u64,
    /// Of them: sound.
    pub audio_input: u64,
    /// Of them: images.
    pub image_input: u64,
    /// The one-hour class of cache writes is asked for; the five-minute class may always be met.
    pub cache_write_1h: bool,
    /// The most output tokens of one choice, reasoning included.
    pub output_cap: u64,
    /// How many choices.
    pub n: u64,
    /// The answer may hold sound.
    pub audio_output: bool,
    /// The answer may hold images.
    pub image_output: bool,
    /// The service tier that is asked for. A provider may serve the standard tier instead; where it may choose (`auto`) any.
    pub service_tier: ServiceTier,
    /// How often the provider may search the web.
    pub web_searches: u64,
    /// What else is billed by the piece.
    pub units: Units,
}

impl Estimate {
    /// A text conversation with one answer of at most `output_cap` tokens; the other fields are the caller's to set.
    #[must_use]
    pub fn new(input: InputTokens, output_cap: u64) -> Self {
        Self {
            input_tokens: input.total(),
            audio_input: input.audio,
            image_input: input.images,
            cache_write_1h: false,
            output_cap,
            n: 1,
            audio_output: false,
            image_output: false,
            service_tier: ServiceTier::Standard,
            web_searches: 0,
            units: Units::default(),
        }
    }
}

/// Input tokens by what they stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InputTokens {
    /// Text, with what the messages' template adds.
    pub text: u64,
    /// Images.
    pub images: u64,
    /// Sound.
    pub audio: u64,
    /// Documents.
    pub documents: u64,
}

impl InputTokens {
    /// An upper bound: no byte-level tokenizer makes more tokens than there are bytes.
    #[must_use]
    pub fn strict(sizes: &Sizes, model: &str) -> Self {
        Self::of(sizes, model, sizes.text_bytes)
    }

    /// By what this model's texts have taken lately. Images, sound and documents are bounded as ever.
    #[must_use]
    pub fn calibrated(sizes: &Sizes, model: &str, calibration: &Calibration) -> Self {
        Self::of(sizes, model, calibration.tokens(sizes.text_bytes).min(sizes.text_bytes))
    }

    fn of(sizes: &Sizes, model: &str, text: u64) -> Self {
        let template = sizes.messages.saturating_mul(TOKENS_PER_MESSAGE).saturating_add(TOKENS_PER_REQUEST);
        let per_image = if model.contains("4o-mini") {
            TOKENS_PER_IMAGE_4O_MINI
        } else {
            TOKENS_PER_IMAGE
        };
        let (per_second, bytes) = AUDIO;
        Self {
            text: text.saturating_add(template),
            images: sizes.images.saturating_mul(per_image),
            audio: sizes.audio_bytes.saturating_mul(per_second).div_ceil(bytes),
            documents: documents(sizes),
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let parts = [self.text, self.images, self.audio, self.documents];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

/// A packed page of text takes up as many bytes as it makes tokens; no provider takes more than so many pages.
fn documents(sizes: &Sizes) -> u64 {
    let seen = sizes.documents.saturating_sub(sizes.documents_unseen);
    let most = seen.saturating_mul(PAGES_MAX * TOKENS_PER_PAGE);
    let by_bytes = sizes.document_bytes.saturating_add(seen.saturating_mul(TOKENS_PER_PAGE));
    let unseen = sizes.documents_unseen.saturating_mul(PAGES_UNSEEN * TOKENS_PER_PAGE);
    by_bytes.min(most).saturating_add(unseen)
}

/// How many bytes of body make a token, for one model, in thousandths: learned from what providers report. It falls at once to the smallest
/// that is seen, and rises by a hundredth of the distance with each answer above it, so that one poem in emoji is not remembered for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    bytes_per_token: u64,
}

/// Before anything is known: less than any usual text has.
const BYTES_PER_TOKEN: u64 = 2_500;
/// No byte-level tokenizer makes more than one token of a byte.
const BYTES_PER_TOKEN_MIN: u64 = 1_000;
/// Beyond this a body was repetitive, not its tokens large.
const BYTES_PER_TOKEN_MAX: u64 = 8_000;
/// What is learned from answers above the present ratio: one part of so many.
const STEPS_UP: u64 = 100;
/// Smaller requests are mostly JSON around the text, and tell nothing of a long one.
const TOKENS_MIN: u64 = 50;
/// Room above the ratio, in percent.
const MARGIN_PERCENT: u64 = 102;

impl Default for Calibration {
    fn default() -> Self {
        Self {
            bytes_per_token: BYTES_PER_TOKEN,
        }
    }
}

impl Calibration {
    /// An answer told how many tokens a body of text was. Requests with images, sound or documents must not be shown here.
    pub fn observe(&mut self, bytes: u64, tokens: u64) {
        if tokens < TOKENS_MIN {
            return;
        }
        let seen = bytes.saturating_mul(1_000) / tokens;
        let seen = seen.clamp(BYTES_PER_TOKEN_MIN, BYTES_PER_TOKEN_MAX);
        self.bytes_per_token = match seen.checked_sub(self.bytes_per_token) {
            Some(above) => self.bytes_per_token.saturating_add(above / STEPS_UP),
            None => seen,
        };
    }

    /// How many tokens a text of that many bytes makes, with the margin.
    #[must_use]
    pub fn tokens(&self, bytes: u64) -> u64 {
        let tokens = u128::from(bytes) * 1_000 * u128::from(MARGIN_PERCENT);
        let tokens = tokens.div_ceil(u128::from(self.bytes_per_token) * 100);
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }
}

/// How many output tokens an answer of one model on one route has, in thousandths: a mean of which each answer replaces a sixteenth. Zero:
/// nobody knows.
#[derive(Debug, Default)]
pub struct Outputs(AtomicU64);

/// What one answer changes of the mean: one part of so many.
const MEAN_OF: u64 = 16;
/// No answer is believed to be longer, so that the sums fit.
const OUTPUT_TOKENS_MAX: u64 = 100_000_000;

impl Outputs {
    /// An answer had so many output tokens.
    pub fn observe(&self, tokens: u64) {
        let seen = tokens.min(OUTPUT_TOKENS_MAX) * 1_000;
        // At least one: an empty answer is known too.
        let next = |mean: u64| match mean {
            0 => seen.max(1),
            mean => ((mean * (MEAN_OF - 1) + seen) / MEAN_OF).max(1),
        };
        let _ = self.0.fetch_update(Relaxed, Relaxed, |mean| Some(next(mean)));
    }

    /// How many the next one is expected to have, rounded up; `None`: nobody knows.
    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        match self.0.load(Relaxed) {
            0 => None,
            mean => Some(mean.div_ceil(1_000)),
        }
    }
}

#[cfg(test)]
mod tests;
