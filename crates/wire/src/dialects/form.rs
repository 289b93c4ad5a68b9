//! What a model is told where it cannot be bound to the form of its answer. Shared by the dialects.

/// The sentence that asks for a JSON object, and for one that follows a schema. Vendors that bind an answer to "some JSON" demand
/// the word in the prompt.
pub(super) fn sentence(schema: Option<&str>) -> String {
    let sentence = "Answer with one JSON object and nothing else.";
    match schema {
        Some(schema) => format!("{sentence} It must follow this JSON Schema: {schema}"),
        None => sentence.to_owned(),
    }
}
