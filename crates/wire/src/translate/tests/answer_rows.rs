//! Answers in the one language, as rows of events. What only one dialect knows is tagged with the one that is asked.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::DIALECTS;
use crate::event::{Block, Delta, Event, Finish, Start};
use crate::json::raw;
use crate::request::Opaque;
use crate::usage::Usage;

/// A row's name, and the events for a dialect of that name.
pub(super) type Row = (&'static str, fn(&'static str) -> Vec<Event>);

pub(super) const ROWS: &[Row] = &[
    ("text", |_| answer([text(0, 0, &["Hel", "lo \"wörld\" \u{1f600}\n"])], Finish::Stop)),
    ("nothing at all", |_| answer([], Finish::Stop)),
    ("two texts", |_| answer([text(0, 0, &["one "]), text(0, 1, &["two"])], Finish::Stop)),
    ("a tool call", |_| {
        answer(
            [call(0, 0, "call_1", &[r#"{"town":"#, r#""Par\u0069s", "depth":1.0}"#])],
            Finish::ToolCalls,
        )
    }),
    ("a tool call without arguments", |_| {
        answer([call(0, 0, "call_1", &[])], Finish::ToolCalls)
    }),
    ("text, then two tool calls", |_| {
        let blocks = [
            text(0, 0, &["I look."]),
            call(0, 1, "call_1", &["{\"a\":1}"]),
            call(0, 2, "call_2", &["{}"]),
        ];
        answer(blocks, Finish::ToolCalls)
    }),
    ("parallel tool calls, interleaved", |_| {
        let (one, two) = (call(0, 0, "call_1", &["{\"a\"", ":1}"]), call(0, 1, "call_2", &["{\"b\"", ":2}"]));
        let woven = one.into_iter().zip(two).flat_map(|(one, two)| [one, two]).collect();
        answer([woven], Finish::ToolCalls)
    }),
    ("reasoning with its seal", |own| {
        answer(
            [thought(own, &["Let ", "me see."], &["c2Vh", "bA=="]), text(0, 1, &["Four."])],
            Finish::Stop,
        )
    }),
    ("reasoning without a seal", |own| {
        answer([thought(own, &["Let me see."], &[]), text(0, 1, &["Four."])], Finish::Stop)
    }),
    ("reasoning with another's seal", |own| {
        let other = DIALECTS.iter().map(|dialect| dialect.name()).find(|name| *name != own);
        answer(
            [thought(other.unwrap_or(own), &["Hm."], &["c2VhbA=="]), text(0, 1, &["Four."])],
            Finish::Stop,
        )
    }),
    ("redacted reasoning", |own| {
        let seal = Opaque {
            dialect: own,
            data: "cmVkYWN0ZWQ=".to_owned(),
        };
        answer(
            [block(0, 0, Block::Redacted(seal), Vec::new()), text(0, 1, &["Four."])],
            Finish::Stop,
        )
    }),
    ("a refusal", |_| {
        answer(
            [block(0, 0, Block::Refusal, vec![Delta::Text("I can't.".to_owned())])],
            Finish::Stop,
        )
    }),
    ("filtered", |_| answer([text(0, 0, &["Well, "])], Finish::ContentFilter)),
    ("cut at the limit", |_| answer([text(0, 0, &["Well, "])], Finish::Length)),
    ("stopped by a sequence", |_| {
        answer([text(0, 0, &["one"])], Finish::StopSequence(Some("END".to_owned())))
    }),
    ("paused", |_| answer([text(0, 0, &["one"])], Finish::Pause)),
    ("ended for a reason of its own", |_| {
        answer([text(0, 0, &["one"])], Finish::Other("x_reason".to_owned()))
    }),
    ("two answers", |_| {
        let mut events = answer([text(0, 0, &["one"]), text(1, 0, &["uno"])], Finish::Stop);
        let end = events.len() - 2;
        events.insert(end, finish(1, Finish::Length));
        events
    }),
    ("usage first", |_| {
        let mut events = answer([text(0, 0, &["one"])], Finish::Stop);
        let at = events.iter().position(|event| matches!(event, Event::Usage(_))).unwrap();
        let usage = events.remove(at);
        events.insert(1, usage);
        events
    }),
    ("usage twice", |_| {
        let mut events = answer([text(0, 0, &["one"])], Finish::Stop);
        let first = Usage {
            input: 90,
            output: 1,
            ..Usage::default()
        };
        events.insert(1, Event::Usage(first));
        events
    }),
    ("no usage", |_| {
        let mut events = answer([text(0, 0, &["one"])], Finish::Stop);
        events.retain(|event| !matches!(event, Event::Usage(_)));
        events
    }),
    ("unknown fields", |own| {
        let mut events = answer([text(0, 0, &["one"])], Finish::Stop);
        let foreign = Event::Foreign {
            dialect: own,
            choice: None,
            name: "x_vendor".to_owned(),
            raw: raw(r#"{"b":1.0,"a":[]}"#).unwrap(),
        };
        events.insert(1, foreign);
        events
    }),
];

fn answer<const N: usize>(blocks: [Vec<Event>; N], reason: Finish) -> Vec<Event> {
    let mut events = vec![Event::Start(Start {
        id: Some("answer-1".to_owned()),
        model: Some("model-1".to_owned()),
        created: Some(1_700_000_000),
    })];
    events.extend(blocks.into_iter().flatten());
    events.push(finish(0, reason));
    events.push(Event::Usage(Usage {
        input: 100,
        output: 20,
        cache_read: 40,
        cache_write_5m: 10,
        reasoning: 5,
        ..Usage::default()
    }));
    events.push(Event::End);
    events
}

fn finish(choice: u32, reason: Finish) -> Event {
    Event::Finish { choice, reason }
}

pub(super) fn block(choice: u32, block: u32, kind: Block, deltas: Vec<Delta>) -> Vec<Event> {
    let mut events = vec![Event::Open { choice, block, kind }];
    events.extend(deltas.into_iter().map(|delta| Event::Delta { choice, block, delta }));
    events.push(Event::Close { choice, block });
    events
}

pub(super) fn text(choice: u32, number: u32, pieces: &[&str]) -> Vec<Event> {
    let deltas = pieces.iter().map(|piece| Delta::Text((*piece).to_owned())).collect();
    block(choice, number, Block::Text, deltas)
}

fn call(choice: u32, number: u32, id: &str, pieces: &[&str]) -> Vec<Event> {
    let kind = Block::ToolCall {
        id: id.to_owned(),
        name: "get_weather".to_owned(),
    };
    let deltas = pieces.iter().map(|piece| Delta::Arguments((*piece).to_owned())).collect();
    block(choice, number, kind, deltas)
}

fn thought(own: &'static str, pieces: &[&str], seals: &[&str]) -> Vec<Event> {
    let seal = |data: &&str| {
        Delta::Signature(Opaque {
            dialect: own,
            data: (*data).to_owned(),
        })
    };
    let mut deltas: Vec<Delta> = pieces.iter().map(|piece| Delta::Text((*piece).to_owned())).collect();
    deltas.extend(seals.iter().map(seal));
    block(0, 0, Block::Reasoning, deltas)
}
