//! What one unit costs: of each kind of token, and of what is not counted in tokens. A rate that a vendor does not state is filled in from
//! those it does, by rules that never charge too little. Knows no request.

use crate::money::PicoUsd;

/// A kind of token. Every token of an answer is billed as exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of the prompt, neither cached nor of another kind.
    Input,
    /// Of the answer, of no other kind.
    Output,
    /// Of the prompt, read from the provider's prompt cache.
    CacheRead,
    /// Of the prompt, written to the cache for five minutes (also where the vendor names no class).
    CacheWrite5m,
    /// Of the prompt, written to the cache for an hour.
    CacheWrite1h,
    /// Of the prompt: sound.
    AudioInput,
    /// Of the answer: sound.
    AudioOutput,
    /// Of the prompt: images.
    ImageInput,
    /// Of the answer: images.
    ImageOutput,
    /// Of the answer: reasoning.
    Reasoning,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Input,
        Self::Output,
        Self::CacheRead,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::AudioInput,
        Self::AudioOutput,
        Self::ImageInput,
        Self::ImageOutput,
        Self::Reasoning,
    ];

    /// Its name in the price list and in config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::CacheRead => "cache_read",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::AudioInput => "audio_input",
            Self::AudioOutput => "audio_output",
            Self::ImageInput => "image_input",
            Self::ImageOutput => "image_output",
            Self::Reasoning => "reasoning",
        }
    }
}

/// A value for every kind of token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerKind<T> {
    input: T,
    output: T,
    cache_read: T,
    cache_write_5m: T,
    cache_write_1h: T,
    audio_input: T,
    audio_output: T,
    image_input: T,
    image_output: T,
    reasoning: T,
}

impl<T: Copy> PerKind<T> {
    /// The value of a kind.
    #[must_use]
    pub const fn of(&self, kind: Kind) -> T {
        match kind {
            Kind::Input => self.input,
            Kind::Output => self.output,
            Kind::CacheRead => self.cache_read,
            Kind::CacheWrite5m => self.cache_write_5m,
            Kind::CacheWrite1h => self.cache_write_1h,
            Kind::AudioInput => self.audio_input,
            Kind::AudioOutput => self.audio_output,
            Kind::ImageInput => self.image_input,
            Kind::ImageOutput => self.image_output,
            Kind::Reasoning => self.reasoning,
        }
    }

    /// Sets the value of a kind.
    pub const fn set(&mut self, kind: Kind, value: T) {
        *match kind {
            Kind::Input => &mut self.input,
            Kind::Output => &mut self.output,
            Kind::CacheRead => &mut self.cache_read,
            Kind::CacheWrite5m => &mut self.cache_write_5m,
            Kind::CacheWrite1h => &mut self.cache_write_1h,
            Kind::AudioInput => &mut self.audio_input,
            Kind::AudioOutput => &mut self.audio_output,
            Kind::ImageInput => &mut self.image_input,
            Kind::ImageOutput => &mut self.image_output,
            Kind::Reasoning => &mut self.reasoning,
        } = value;
    }
}

/// What a vendor or a config states.
pub type Stated = PerKind<Option<PicoUsd>>;

/// What is charged: a rate for every kind.
pub type Rates = PerKind<PicoUsd>;

impl Rates {
    /// Fills in what is not stated, from what is:
    /// - output from input and input from output, where one is missing (what takes both states both, see `PriceList::find`);
    /// - cache reads, sound and images of the prompt cost what its text costs;
    /// - cache writes cost the dearest of that and of the other class of writes;
    /// - reasoning, sound and images of the answer cost what its text costs.
    ///
    /// In a tier (`base` is what holds outside it) a rate that the tier does not state costs the dearer of this rule and of what `base` states.
    #[must_use]
    pub fn complete(stated: &Stated, base: Option<&Stated>) -> Self {
        let outside = |kind| base.and_then(|base| base.of(kind));
        let text = |kind| stated.of(kind).or_else(|| outside(kind));
        let (input, output) = (text(Kind::Input), text(Kind::Output));
        let input_rate = input.or(output).unwrap_or_default();
        let output_rate = output.or(input).unwrap_or_default();
        let fill = |kind, rule: PicoUsd| stated.of(kind).unwrap_or_else(|| rule.max(outside(kind).unwrap_or_default()));
        let write = |other| input_rate.max(stated.of(other).unwrap_or_default());
        Self {
            input: input_rate,
            output: output_rate,
            cache_read: fill(Kind::CacheRead, input_rate),
            cache_write_5m: fill(Kind::CacheWrite5m, write(Kind::CacheWrite1h)),
            cache_write_1h: fill(Kind::CacheWrite1h, write(Kind::CacheWrite5m)),
            audio_input: fill(Kind::AudioInput, input_rate),
            audio_output: fill(Kind::AudioOutput, output_rate),
            image_input: fill(Kind::ImageInput, input_rate),
            image_output: fill(Kind::ImageOutput, output_rate),
            reasoning: fill(Kind::Reasoning, output_rate),
        }
    }

    /// Kind by kind the dearer of two.
    #[must_use]
    pub fn dearest(self, other: Self) -> Self {
        let mut dearest = self;
        for kind in Kind::ALL {
            dearest.set(kind, self.of(kind).max(other.of(kind)));
        }
        dearest
    }
}

/// What is billed by the piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A request.
    Call,
    /// A search of the web by the provider.
    WebSearch,
    /// A character that is sent.
    CharIn,
    /// A character that comes back.
    CharOut,
    /// An image that is sent.
    ImageIn,
    /// An image that comes back.
    Image,
    /// A page of a document.
    Page,
    /// A query of a reranker or a search.
    Query,
    /// A second of sound or film that is sent.
    SecondIn,
    /// A second of sound or film that comes back.
    SecondOut,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Call,
        Self::WebSearch,
        Self::CharIn,
        Self::CharOut,
        Self::ImageIn,
        Self::Image,
        Self::Page,
        Self::Query,
        Self::SecondIn,
        Self::SecondOut,
    ];

    /// Its name in the price list and in config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::WebSearch => "web_search",
            Self::CharIn => "char_in",
            Self::CharOut => "char_out",
            Self::ImageIn => "image_in",
            Self::Image => "image",
            Self::Page => "page",
            Self::Query => "query",
            Self::SecondIn => "second_in",
            Self::SecondOut => "second_out",
        }
    }
}

/// How many of what is billed by the piece.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// Searches of the web by the provider.
    pub web_searches: u64,
    /// Characters sent.
    pub chars_in: u64,
    /// Characters that came back.
    pub chars_out: u64,
    /// Images sent.
    pub images_in: u64,
    /// Images that came back.
    pub images: u64,
    /// Pages of documents.
    pub pages: u64,
    /// Queries of a reranker or a search.
    pub queries: u64,
    /// Sound or film sent, in milliseconds.
    pub milliseconds_in: u64,
    /// Sound or film that came back, in milliseconds.
    pub milliseconds_out: u64,
}

impl Units {
    /// How many thousandths of a unit: seconds are counted so.
    pub(super) fn thousandths(&self, unit: Unit) -> u128 {
        let whole = |count: u64| u128::from(count) * 1000;
        match unit {
            Unit::Call => 1000,
            Unit::WebSearch => whole(self.web_searches),
            Unit::CharIn => whole(self.chars_in),
            Unit::CharOut => whole(self.chars_out),
            Unit::ImageIn => whole(self.images_in),
            Unit::Image => whole(self.images),
            Unit::Page => whole(self.pages),
            Unit::Query => whole(self.queries),
            Unit::SecondIn => u128::from(self.milliseconds_in),
            Unit::SecondOut => u128::from(self.milliseconds_out),
        }
    }
}
