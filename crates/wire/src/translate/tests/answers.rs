//! Every row of answers through every dialect and every pair: streamed or whole on either side, the content is the same, and it is
//! what was said, or the loss names it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

use super::answer_rows::{ROWS, text};
use super::*;
use crate::event::{AnswerContext, Block, Delta, Finish, Start};
use crate::usage::Usage;

/// What an answer says, apart from how it came.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Content {
    choices: Vec<Choice>,
    usage: Usage,
    ended: bool,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Choice {
    /// Text and refusals: some dialects tell them apart only by their ending.
    said: String,
    reasoning: String,
    seals: String,
    redacted: Vec<String>,
    calls: Vec<(String, String, String)>,
    finish: Option<Finish>,
}

impl Content {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut content = Self::default();
        let mut blocks: Vec<((u32, u32), Block)> = Vec::new();
        for event in events {
            match event {
                Event::Open { choice, block, kind } => {
                    blocks.push(((*choice, *block), kind.clone()));
                    content.open(*choice, kind);
                }
                Event::Delta { choice, block, delta } => {
                    let place = blocks.iter().position(|(place, _)| *place == (*choice, *block)).unwrap();
                    let is_call = |(place, kind): &&((u32, u32), Block)| place.0 == *choice && matches!(kind, Block::ToolCall { .. });
                    let call = blocks[..place].iter().filter(is_call).count();
                    content.delta(*choice, &blocks[place].1, call, delta);
                }
                Event::Finish { choice, reason } => content.choice(*choice).finish = Some(reason.clone()),
                Event::Usage(usage) => content.usage = *usage,
                Event::End => content.ended = true,
                Event::Start(_) | Event::Close { .. } | Event::Foreign { .. } | Event::Fault(_) => {}
            }
        }
        for call in content
            .choices
            .iter_mut()
            .flat_map(|choice| &mut choice.calls)
            .filter(|call| call.2.is_empty())
        {
            "{}".clone_into(&mut call.2); // no arguments: how they are spelled is the dialect's
        }
        content
    }

    fn choice(&mut self, choice: u32) -> &mut Choice {
        let at = usize::try_from(choice).unwrap();
        if self.choices.len() <= at {
            self.choices.resize_with(at + 1, Choice::default);
        }
        &mut self.choices[at]
    }

    fn open(&mut self, choice: u32, kind: &Block) {
        let choice = self.choice(choice);
        match kind {
            Block::ToolCall { id, name } => choice.calls.push((id.clone(), name.clone(), String::new())),
            Block::Redacted(seal) => choice.redacted.push(seal.data.clone()),
            Block::Text | Block::Reasoning | Block::Refusal | Block::Foreign(_) => {}
        }
    }

    fn delta(&mut self, choice: u32, kind: &Block, call: usize, delta: &Delta) {
        let choice = self.choice(choice);
        match (delta, kind) {
            (Delta::Text(text), Block::Reasoning) => choice.reasoning.push_str(text),
            (Delta::Text(text), _) => choice.said.push_str(text),
            (Delta::Arguments(text), _) => choice.calls[call].2.push_str(text),
            (Delta::Signature(seal), _) => choice.seals.push_str(&seal.data),
        }
    }
}

fn context(stream: bool) -> AnswerContext {
    AnswerContext {
        id: "answer-0".to_owned(),
        model: "model-0".to_owned(),
        created: 1_600_000_000,
        stream,
        include_usage: true,
        renamed_tools: Vec::new(),
    }
}

fn encode(dialect: &dyn Dialect, stream: bool, events: &[Event]) -> (Vec<u8>, Loss) {
    let mut encoder = dialect.encoder(CHAT, context(stream));
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    assert!(stream || out.is_empty(), "a whole answer before its end");
    encoder.end(&mut out);
    (out, encoder.loss().clone())
}

pub(super) fn decode(dialect: &dyn Dialect, streamed: bool, bytes: &[u8]) -> Vec<Event> {
    let mut decoder = dialect.decoder(CHAT, streamed);
    let mut events = Vec::new();
    let shown = || String::from_utf8_lossy(bytes);
    decoder
        .push(bytes, &mut events)
        .unwrap_or_else(|error| panic!("{error}: {}", shown()));
    decoder.end(&mut events).unwrap_or_else(|error| panic!("{error}: {}", shown()));
    events
}

/// What was said is said again, or the loss names it. `came` may hold less where `loss` says so.
fn keeps(said: &Content, came: &Content, loss: &Loss, shown: &str) {
    let lost = |word: &str| loss.features().iter().any(|feature| feature.contains(word));
    assert!(came.ended, "no end: {shown}");
    assert!(
        said.choices.len() == came.choices.len() || loss.features().iter().any(|feature| feature == "n"),
        "{shown}"
    );
    assert_eq!(said.usage, came.usage, "{shown}");
    for (said, came) in said.choices.iter().zip(&came.choices) {
        assert_eq!((&said.said, &said.calls), (&came.said, &came.calls), "{shown}");
        assert!(
            said.reasoning == came.reasoning || lost("reasoning"),
            "reasoning lost in silence: {shown}"
        );
        assert!(
            said.seals == came.seals || lost("signature") || lost("reasoning"),
            "a seal lost in silence: {shown}"
        );
        assert!(
            said.redacted == came.redacted || lost("redacted") || lost("reasoning"),
            "redacted reasoning lost in silence: {shown}"
        );
        let same_ending = match &said.finish {
            Some(Finish::Stop | Finish::Length | Finish::ToolCalls) => {
                said.finish == came.finish || came.finish == Some(Finish::ContentFilter)
            }
            Some(Finish::ContentFilter) => said.finish == came.finish,
            // Which sequence it was, some dialects cannot say; that it stopped there, all can.
            Some(Finish::StopSequence(_)) => said.finish == came.finish || (came.finish == Some(Finish::Stop) && lost("stop_sequence")),
            _ => said.finish == came.finish || lost("finish") || lost("stop_reason"),
        };
        assert!(same_ending, "{:?} became {:?}: {shown}", said.finish, came.finish);
    }
}

#[test]
fn every_answer_is_the_same_streamed_and_whole_in_every_dialect() {
    for dialect in DIALECTS {
        for (name, build) in ROWS {
            let events = build(dialect.name());
            let (stream, loss) = encode(*dialect, true, &events);
            let (whole, whole_loss) = encode(*dialect, false, &events);
            let shown = format!("{}, {name}, loss {loss}:\n{}", dialect.name(), String::from_utf8_lossy(&stream));
            let (streamed, whole) = (
                Content::of(&decode(*dialect, true, &stream)),
                Content::of(&decode(*dialect, false, &whole)),
            );
            assert_eq!(streamed, whole, "whole is not streamed: {shown}");
            assert_eq!(loss, whole_loss, "whole loses otherwise: {shown}");
            keeps(&Content::of(&events), &streamed, &loss, &shown);
        }
    }
}

/// A client reads the first choice of an answer, and why it ended: both are there, also where a provider ended its stream
/// properly without a word of either.
#[test]
fn f16_an_answer_has_a_choice_and_a_reason() {
    let said: [Vec<Event>; 3] = [vec![], text(0, 0, &["one"]), text(0, 0, &[])];
    for (dialect, stream, said) in DIALECTS
        .iter()
        .flat_map(|dialect| [true, false].map(|stream| (*dialect, stream)))
        .flat_map(|(dialect, stream)| said.iter().map(move |said| (dialect, stream, said)))
    {
        let mut events = vec![Event::Start(Start::default())];
        events.extend(said.iter().cloned());
        events.push(Event::End);
        let (bytes, _) = encode(dialect, stream, &events);
        let shown = format!("{}, {said:?}: {}", dialect.name(), String::from_utf8_lossy(&bytes));
        let came = decode(dialect, stream, &bytes);
        let reasons = came.iter().filter(|event| {
            matches!(
                event,
                Event::Finish {
                    choice: 0,
                    reason: Finish::Stop
                }
            )
        });
        assert_eq!(reasons.count(), 1, "{shown}");
        assert!(matches!(came.last(), Some(Event::End)), "{shown}");
    }
}

#[test]
fn every_answer_crosses_every_pair() {
    let (mut crossed, mut unsaid) = (0, 0);
    for (from, to) in pairs() {
        let mut shown = String::new();
        for (name, build) in ROWS {
            let events = build(from.name());
            shown.push_str(&format!("== {name}\n"));
            let (_, unsayable) = encode(from, true, &events);
            if !unsayable.is_empty() {
                shown.push_str(&format!("cannot be said: {unsayable}\n\n"));
                unsaid += 1;
                continue;
            }
            shown.push_str(&cross(from, to, name, &events));
            crossed += 1;
        }
        snapshot("answers", (from, to), &shown);
    }
    println!("matrix: {crossed} answers crossed, streamed and whole on either side; {unsaid} cannot be said by their provider's dialect");
    assert!(crossed > pairs().count() * ROWS.len() * 3 / 4, "only {crossed} answers crossed");
}

/// Lets an answer cross in all four ways, which must agree; shows what the caller gets streamed and whole.
fn cross(from: &dyn Dialect, to: &dyn Dialect, name: &str, events: &[Event]) -> String {
    let mut shown = String::new();
    let mut first: Option<(Content, Loss)> = None;
    for (streamed, stream) in [(true, true), (true, false), (false, true), (false, false)] {
        let (bytes, _) = encode(from, streamed, events);
        let mut pipe = Pipe::new(from, streamed, to, CHAT, context(stream));
        let (mut out, mut seen) = (Vec::new(), Vec::new());
        // In pieces, so that nothing depends on getting the whole at once.
        for piece in bytes.chunks(7) {
            pipe.push(piece, &mut out, &mut seen).unwrap();
        }
        pipe.end(&mut out, &mut seen).unwrap();
        pipe.finish(&mut out);
        let text = String::from_utf8_lossy(&out);
        let place = format!(
            "{} to {}, {name}, provider streams {streamed}, caller {stream}: {text}",
            from.name(),
            to.name()
        );
        let came = Content::of(&decode(to, stream, &out));
        keeps(&Content::of(&decode(from, streamed, &bytes)), &came, pipe.loss(), &place);
        keeps(&Content::of(events), &came, pipe.loss(), &place);
        let (content, loss) = first.get_or_insert_with(|| (came.clone(), pipe.loss().clone()));
        assert_eq!((&*content, &*loss), (&came, pipe.loss()), "{place}");
        if streamed == stream {
            shown.push_str(text.trim_end());
            shown.push('\n');
        }
    }
    let loss = first.map(|(_, loss)| told(&loss)).unwrap_or_default();
    shown + &format!("loss: {loss}\n\n")
}
