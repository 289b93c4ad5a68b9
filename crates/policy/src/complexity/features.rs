//! What is seen of a request: some forty numbers, each mostly between 0 and 1, kept in hundredths. They say little of the text, so that a
//! record may hold them.

use tollgate_wire::outline::TEXT_BYTES_MAX;

use super::cues::{self, Cue};
use super::text::Counts;

/// A request, as far as it is looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The beginning of the user's last turn.
    pub head: &'a str,
    /// Its end, where it does not fit into `head`.
    pub tail: &'a str,
    /// Its whole length, in bytes.
    pub text_bytes: u64,
    /// Turns of the conversation.
    pub turns: u64,
    /// The instructions of system and developer, in bytes.
    pub system_bytes: u64,
    /// Images.
    pub images: u64,
    /// Results of tools.
    pub tool_results: u64,
    /// Tools that may be called.
    pub tools: u64,
    /// JSON is asked for.
    pub json: bool,
    /// Much reasoning is asked for.
    pub reasoning: bool,
    /// The limit of the output, in tokens.
    pub max_tokens: Option<u64>,
    /// What the caller says of the task (`x-tollgate-task`).
    pub task: &'a str,
}

impl<'a> Ask<'a> {
    /// That text, with nothing around it.
    #[must_use]
    pub fn about(text: &'a str) -> Self {
        let cut = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at += 1;
            }
            at
        };
        let head = cut(text.len().min(TEXT_BYTES_MAX));
        let tail = if head == text.len() {
            head
        } else {
            cut(text.len().saturating_sub(TEXT_BYTES_MAX))
        };
        Self {
            head: text.get(..head).unwrap_or_default(),
            tail: text.get(tail..).unwrap_or_default(),
            text_bytes: text.len() as u64,
            turns: 1,
            ..Self::default()
        }
    }
}

/// Every feature: its name, and what it says.
pub const FEATURES: [(&str, &str); COUNT] = [
    ("length", "length of the user's last turn, logarithmic"),
    ("short", "a dozen words or fewer"),
    ("history", "turns of the conversation, logarithmic"),
    ("system", "length of the instructions, logarithmic"),
    ("questions", "question marks"),
    ("items", "lines with a number or a dash before them"),
    ("fence", "code between fences"),
    ("symbols", "share of signs of programs"),
    ("digits", "share of digits"),
    ("formula", "signs of mathematics"),
    ("long_words", "mean length of words"),
    ("foreign", "share of letters that are not Latin"),
    ("simple", "words such as translate, summarise, extract"),
    ("reason", "words such as prove, why, compare"),
    ("build", "words such as design, implement, debug"),
    ("code", "words of programming"),
    ("maths", "words of mathematics"),
    ("constraint", "words such as must, without, at most"),
    ("puzzle", "words of riddles and games"),
    ("domain", "words of law, medicine, finance, science, philosophy"),
    ("steps", "words such as then, finally, step"),
    ("brief", "a short answer is wished for"),
    ("deep", "a thorough answer is wished for"),
    ("chat", "greetings and thanks"),
    ("fact", "words such as who, where, capital"),
    ("lead_simple", "a simple task among the first words"),
    ("lead_hard", "reasoning or making among the first words"),
    ("lead_fact", "a question for a fact among the first words, and few words"),
    ("long_simple", "a simple task over a long text"),
    ("short_hard", "reasoning, mathematics or a puzzle in few words"),
    ("both_hard", "reasoning or making, together with a trade's words"),
    ("material", "share of the text between its beginning and its end"),
    ("material_code", "words of programming in the material"),
    (
        "material_hard",
        "words of reasoning, making and conditions in the material, logarithmic",
    ),
    ("long_hard", "reasoning or making over a long text"),
    ("wish_words", "words of what the user wants, logarithmic"),
    ("tools", "tools that may be called, logarithmic"),
    ("tool_results", "results of tools, logarithmic"),
    ("images", "an image"),
    ("json", "JSON is asked for"),
    ("reasoning", "the caller asks for much reasoning"),
    ("small_output", "the output is limited to little"),
    ("large_output", "the output may be long"),
    ("task_simple", "the caller calls the task a simple one"),
    ("task_hard", "the caller calls the task a hard one"),
];

/// How many features there are.
pub const COUNT: usize = 45;

/// The features of one request, in hundredths, in the order of [`FEATURES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Features([u16; COUNT]);

impl Default for Features {
    fn default() -> Self {
        Self([0; COUNT])
    }
}

impl Features {
    /// Looks at a request. Microseconds: what it reads of the text is bounded by the caller.
    #[must_use]
    pub fn of(ask: &Ask<'_>) -> Self {
        let mut counts = Counts::default();
        let whole = ask.tail.is_empty();
        counts.read(ask.head, true, whole);
        if !whole {
            counts.read(ask.tail, false, true);
        }
        let mut written = Written { values: [0; COUNT], at: 0 };
        write_shape(&mut written, ask, &counts);
        write_words(&mut written, ask, &counts);
        write_frame(&mut written, ask);
        Self(written.values)
    }

    /// Each feature's value, in order.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().map(|hundredths| f64::from(*hundredths) / 100.0)
    }

    /// Those that are not 0, with their hundredths.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u16)> + '_ {
        let named = FEATURES.iter().zip(self.0).map(|((name, _), value)| (*name, value));
        named.filter(|(_, value)| *value > 0)
    }

    /// A number that is the same for the same features (FNV-1a, 64 bits).
    #[must_use]
    pub fn digest(&self) -> u64 {
        let step = |hash: u64, value: &u16| (hash ^ u64::from(*value)).wrapping_mul(0x0100_0000_01B3);
        let hash = self.0.iter().fold(0xCBF2_9CE4_8422_2325, step);
        hash ^ (hash >> 32)
    }

    /// Sets one, in hundredths; false: there is none of that name.
    pub fn set(&mut self, name: &str, hundredths: u16) -> bool {
        let place = FEATURES.iter().zip(&mut self.0).find(|((known, _), _)| *known == name);
        place.map(|(_, value)| *value = hundredths.min(VALUE_MAX)).is_some()
    }
}

/// The largest value, in hundredths.
pub const VALUE_MAX: u16 = 200;

/// The values, written in order.
struct Written {
    values: [u16; COUNT],
    at: usize,
}

impl Written {
    fn push(&mut self, value: f64) {
        if let Some(place) = self.values.get_mut(self.at) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let hundredths = (value * 100.0).round().clamp(0.0, f64::from(VALUE_MAX)) as u16;
            *place = hundredths;
        }
        self.at += 1;
    }

    fn flag(&mut self, is: bool) {
        self.push(f64::from(u8::from(is)));
    }
}

/// Between 0 and 1: the first one counts half, each further one half of what is left.
fn some(count: impl Into<f64>) -> f64 {
    1.0 - 0.5_f64.powf(count.into())
}

fn log2(value: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    let value = value as f64;
    (1.0 + value).log2()
}

fn share(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole.max(1))
}

fn length(ask: &Ask<'_>) -> f64 {
    log2(ask.text_bytes / 16) / 8.0
}

fn write_shape(out: &mut Written, ask: &Ask<'_>, counts: &Counts) {
    out.push(length(ask));
    out.push(shortness(counts));
    out.push(log2(ask.turns.saturating_sub(1)) / 5.0);
    out.push(log2(ask.system_bytes / 100) / 8.0);
    out.push(f64::from(counts.questions.min(4)) / 4.0);
    out.push(f64::from(counts.items.min(8)) / 8.0);
    out.flag(counts.fences > 0);
    out.push((share(counts.code, counts.bytes) * 12.0).min(1.0));
    out.push((share(counts.digits, counts.bytes) * 6.0).min(1.0));
    out.push(log2(counts.maths.into()) / 5.0);
    out.push((share(counts.letters, counts.words) - 3.0).clamp(0.0, 5.0) / 5.0);
    out.push(share(counts.foreign, counts.letters));
}

fn shortness(counts: &Counts) -> f64 {
    match counts.words {
        0..=6 => 1.0,
        7..=12 => 0.5,
        _ => 0.0,
    }
}

fn write_words(out: &mut Written, ask: &Ask<'_>, counts: &Counts) {
    const IN_ORDER: [Cue; Cue::COUNT] = [
        Cue::Simple,
        Cue::Reason,
        Cue::Build,
        Cue::Code,
        Cue::Maths,
        Cue::Constraint,
        Cue::Puzzle,
        Cue::Domain,
        Cue::Steps,
        Cue::Brief,
        Cue::Deep,
        Cue::Chat,
        Cue::Fact,
    ];
    for cue in IN_ORDER {
        out.push(some(counts.wish(cue)));
    }
    let lead_simple = some(counts.lead(Cue::Simple));
    let hard = some(counts.wish(Cue::Reason) + counts.wish(Cue::Build));
    let trade = some(counts.wish(Cue::Code) + counts.wish(Cue::Maths) + counts.wish(Cue::Domain));
    let tough = some(counts.wish(Cue::Reason) + counts.wish(Cue::Maths) + counts.wish(Cue::Puzzle));
    let few_words = if counts.words <= 40 { 1.0 } else { 0.0 };
    out.push(lead_simple);
    out.push(some(counts.lead(Cue::Reason) + counts.lead(Cue::Build)));
    out.push(if counts.words <= 14 { some(counts.lead(Cue::Fact)) } else { 0.0 });
    // The task may stand behind a long text as well as before it.
    let simple = if ask.text_bytes > 800 {
        some(counts.wish(Cue::Simple))
    } else {
        0.0
    };
    out.push(simple.max(lead_simple) * length(ask));
    out.push(tough * few_words);
    out.push(hard * trade);
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    let material = 1.0 - 800.0 / ask.text_bytes.max(800) as f64;
    out.push(material);
    out.push(some(counts.material(Cue::Code)));
    let material_hard = counts.material(Cue::Reason) + counts.material(Cue::Build) + counts.material(Cue::Constraint);
    out.push(log2(material_hard.into()) / 6.0);
    out.push(if ask.text_bytes > 800 { hard * length(ask) } else { 0.0 });
    out.push(log2(counts.wish_words.into()) / 8.0);
}

fn write_frame(out: &mut Written, ask: &Ask<'_>) {
    out.push(log2(ask.tools) / 5.0);
    out.push(log2(ask.tool_results) / 5.0);
    out.flag(ask.images > 0);
    out.flag(ask.json);
    out.flag(ask.reasoning);
    out.push(match ask.max_tokens {
        Some(0..=64) => 1.0,
        Some(65..=300) => 0.5,
        _ => 0.0,
    });
    out.push(ask.max_tokens.map_or(0.0, |tokens| log2(tokens / 1024) / 5.0));
    let (simple, hard) = task(ask.task);
    out.flag(simple);
    out.flag(hard);
}

/// Words that callers use for tasks, beside those of texts.
const SIMPLE_TASKS: &str = "classification extraction translation summarization summarisation chat chitchat faq routing tagging moderation \
    embedding rewriting formatting autocomplete completion labeling labelling lookup small simple easy intent";
const HARD_TASKS: &str = "reasoning coding code programming analysis research planning agent agentic math maths mathematics proof design \
    debugging refactoring review legal medical diagnosis architecture hard complex difficult strategy";

fn task(task: &str) -> (bool, bool) {
    let (mut simple, mut hard) = (false, false);
    for word in task.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let among = |list: &str| list.split_whitespace().any(|known| known.eq_ignore_ascii_case(word));
        let cues = cues::of(word);
        let is_simple = among(SIMPLE_TASKS);
        let is_hard = among(HARD_TASKS);
        simple |= is_simple || (!is_hard && cues & Cue::Simple.bit() != 0);
        hard |= is_hard || (!is_simple && cues & (Cue::Reason.bit() | Cue::Build.bit()) != 0);
    }
    (simple, hard)
}
