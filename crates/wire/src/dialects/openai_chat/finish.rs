//! Finish reasons of this dialect and its vendors, to and from [`Finish`].

use crate::event::Finish;
use crate::loss::Loss;

/// What a `finish_reason` means. `None`: it says nothing (empty). `stopped_by` is the stop sequence that vLLM names in
/// `stop_reason`; `called` says that the choice holds tool calls: OpenAI says `stop` where a named function was forced.
pub(super) fn read(word: &str, stopped_by: Option<&str>, called: bool) -> Option<Finish> {
    Some(match word {
        "" => return None,
        "stop" | "eos" | "end_turn" | "tool_calls" | "function_call" | "tool_use" => match stopped_by {
            _ if called => Finish::ToolCalls,
            _ if matches!(word, "tool_calls" | "function_call" | "tool_use") => Finish::ToolCalls,
            Some(sequence) => Finish::StopSequence(Some(sequence.to_owned())),
            None => Finish::Stop,
        },
        "stop_sequence" => Finish::StopSequence(stopped_by.map(str::to_owned)),
        "length" | "max_tokens" | "model_length" => Finish::Length,
        "content_filter" => Finish::ContentFilter,
        other => Finish::Other(other.to_owned()),
    })
}

/// The reason of a choice that is complete and never said why.
pub(super) fn unsaid(called: bool) -> Finish {
    if called { Finish::ToolCalls } else { Finish::Stop }
}

/// The word for a reason; where there is none, the nearest one and a loss.
pub(super) fn write(reason: &Finish, called: bool, loss: &mut Loss) -> &'static str {
    match reason {
        Finish::Stop | Finish::StopSequence(None) => "stop",
        Finish::StopSequence(Some(_)) => {
            // That one ended it is said, which one is not.
            loss.add("stop_sequence");
            "stop"
        }
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
        Finish::Pause => {
            loss.add("finish_reason.pause");
            "stop"
        }
        Finish::Other(word) => {
            loss.add(&format!("finish_reason.{word}"));
            if called { "tool_calls" } else { "stop" }
        }
    }
}
