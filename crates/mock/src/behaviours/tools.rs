//! Behaviours that call tools.

use crate::{
    question::{Question, Tool, ToolChoice},
    reply::{Draft, Finish, Part},
    schema,
};

pub(super) fn call_first(question: &Question, _: &[u64]) -> Draft {
    call(question, 1)
}

pub(super) fn call_all(question: &Question, _: &[u64]) -> Draft {
    call(question, if question.parallel { usize::MAX } else { 1 })
}

fn call(question: &Question, calls_max: usize) -> Draft {
    if !question.tool_results.is_empty() {
        return quote_results(question);
    }
    let named = |tool: &&Tool| match &question.tool_choice {
        ToolChoice::Named(name) => tool.name == *name,
        ToolChoice::None => false,
        ToolChoice::Auto | ToolChoice::Required => true,
    };
    let parts: Vec<Part> = question.tools.iter().filter(named).take(calls_max).map(call_of).collect();
    if parts.is_empty() {
        return Draft::text(format!("I have no tool to call. You said: {}", question.last_user_text));
    }
    Draft {
        parts,
        finish: Finish::ToolCalls(false),
        ..Draft::default()
    }
}

fn call_of(tool: &Tool) -> Part {
    // A tool without a schema, or with an empty one, is called with an empty object.
    let arguments = if tool.schema.get("properties").is_some() || tool.schema.get("$ref").is_some() {
        schema::instance(&tool.schema).to_string()
    } else {
        "{}".to_owned()
    };
    Part::Call {
        name: tool.name.clone(),
        arguments,
    }
}

/// What is said once the tools have answered.
pub(super) fn quote_results(question: &Question) -> Draft {
    let quoted: Vec<String> = question
        .tool_results
        .iter()
        .map(|result| format!("{}: {}", if result.is_error { "failed" } else { "result" }, result.text))
        .collect();
    Draft::text(format!("The tools answered. {}", quoted.join("; ")))
}
