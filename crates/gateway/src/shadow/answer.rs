//! What an answer says, put together from its events: the text of the first choice, and the tools that it calls.

use tollgate_policy::compare::{Answer, ToolCall};
use tollgate_wire::dialects::{Dialect, Operation};
use tollgate_wire::event::{Block, Delta, Event};

/// The longest answer that is put together.
const BYTES_MAX: usize = 256 << 10;
/// The most blocks of one.
const BLOCKS_MAX: usize = 256;

/// An answer, as far as it has come.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    answer: Answer,
    /// Which tool call, or none, each open block is.
    blocks: Vec<(u32, Said)>,
    bytes: usize,
    cut: bool,
}

#[derive(Debug, Clone, Copy)]
enum Said {
    Text,
    Tool(usize),
    Unheard,
}

impl Collected {
    /// Reads a whole body of that dialect; `None`: it cannot be read.
    pub(super) fn read(dialect: &dyn Dialect, operation: Operation, streamed: bool, bytes: &[u8]) -> Option<Self> {
        let (mut decoder, mut events) = (dialect.decoder(operation, streamed), Vec::new());
        let read = decoder.push(bytes, &mut events).and_then(|()| decoder.end(&mut events));
        let mut collected = Self::default();
        collected.observe(&events);
        let faulty = events.iter().any(|event| matches!(event, Event::Fault(_)));
        (read.is_ok() && !faulty).then_some(collected)
    }

    /// Takes what came.
    pub fn observe(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Open { choice: 0, block, kind } => self.open(*block, kind),
                Event::Delta {
                    choice: 0,
                    block,
                    delta: Delta::Text(text) | Delta::Arguments(text),
                } => self.grow(*block, text),
                _ => {}
            }
        }
    }

    /// It was longer than is looked at.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// What it says.
    pub(super) fn answer(self) -> Answer {
        self.answer
    }

    fn open(&mut self, block: u32, kind: &Block) {
        if BLOCKS_MAX <= self.blocks.len() {
            self.cut = true;
            return;
        }
        let said = match kind {
            Block::Text | Block::Refusal => Said::Text,
            Block::ToolCall { name, .. } => {
                self.answer.tools.push(ToolCall {
                    name: name.clone(),
                    arguments: String::new(),
                });
                Said::Tool(self.answer.tools.len() - 1)
            }
            Block::Reasoning | Block::Redacted(_) | Block::Foreign(_) => Said::Unheard,
        };
        self.blocks.push((block, said));
    }

    fn grow(&mut self, block: u32, text: &str) {
        self.bytes += text.len();
        if BYTES_MAX < self.bytes {
            self.cut = true;
            return;
        }
        let said = self.blocks.iter().rev().find(|(known, _)| *known == block).map(|(_, said)| *said);
        match said {
            // A delta without a block that opened is text.
            Some(Said::Text) | None => self.answer.text.push_str(text),
            Some(Said::Tool(at)) => {
                if let Some(tool) = self.answer.tools.get_mut(at) {
                    tool.arguments.push_str(text);
                }
            }
            Some(Said::Unheard) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use tollgate_wire::dialects::openai_chat::OpenAiChat;

    use super::*;

    #[test]
    fn an_answer_is_its_text_and_its_tools_whole_or_streamed() {
        let whole = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant",
            "content":"Hello there","tool_calls":[{"id":"c","type":"function","function":{"name":"look","arguments":"{\"a\":1}"}}]},
            "finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
        let chunk = |delta: &str, finish: &str| {
            format!(
                "data: {{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
                 \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
            )
        };
        let streamed = [
            chunk(r#"{"role":"assistant","content":"Hello "}"#, "null"),
            chunk(r#"{"content":"there"}"#, "null"),
            chunk(
                r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"look","arguments":"{\"a\""}}]}"#,
                "null",
            ),
            chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#, "null"),
            chunk("{}", "\"tool_calls\""),
            "data: [DONE]\n\n".to_owned(),
        ]
        .concat();
        let one = Collected::read(&OpenAiChat, Operation::Chat, false, whole.as_bytes())
            .unwrap()
            .answer();
        let other = Collected::read(&OpenAiChat, Operation::Chat, true, streamed.as_bytes())
            .unwrap()
            .answer();
        assert_eq!((one.text.as_str(), one.tools[0].arguments.as_str()), ("Hello there", r#"{"a":1}"#));
        assert_eq!(one, other);
        assert!(Collected::read(&OpenAiChat, Operation::Chat, false, b"{\"choices\"").is_none());
    }

    #[test]
    fn what_is_longer_than_the_bound_is_cut_and_says_so() {
        let mut collected = Collected::default();
        let delta = Event::Delta {
            choice: 0,
            block: 0,
            delta: Delta::Text("x".repeat(100 << 10)),
        };
        collected.observe(&[delta.clone(), delta.clone()]);
        assert!(!collected.is_cut());
        collected.observe(&[delta]);
        assert!(collected.is_cut());
        assert_eq!(collected.answer().text.len(), 200 << 10);
    }
}
