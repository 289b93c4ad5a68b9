//! Behaviours that answer in JSON.

use serde_json::json;

use crate::{
    question::{Format, Question},
    reply::Draft,
    schema,
};

pub(super) fn json(question: &Question, _: &[u64]) -> Draft {
    let value = match &question.format {
        Format::JsonSchema(schema) => schema::instance(schema),
        Format::JsonObject | Format::Text => json!({ "answer": question.last_user_text, "ok": true }),
    };
    Draft::text(value.to_string())
}
