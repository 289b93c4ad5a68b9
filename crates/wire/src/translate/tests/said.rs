//! What a request says, apart from how: what no translation may lose without telling.

use crate::request::{Body, MediaSource, OutputFormat, Part, Request, Role, Tool};

/// The content of a request.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Texts in order, refusals too.
    pub(super) texts: Vec<String>,
    /// Calls: id, name, arguments.
    pub(super) calls: Vec<(String, String, String)>,
    /// Results: id, texts, failed.
    pub(super) results: Vec<(String, String, bool)>,
    /// Pictures, documents, sounds: address or data.
    pub(super) media: Vec<String>,
    /// Reasoning: text and seal.
    pub(super) reasoning: Vec<(String, Option<String>)>,
    /// Tools: name and schema.
    pub(super) tools: Vec<(String, String)>,
    /// The wishes, by the word that a loss of them would hold.
    pub(super) wishes: Vec<(&'static str, String)>,
}

impl Said {
    pub(super) fn of(request: &Request) -> Self {
        let mut said = Self::default();
        for message in &request.messages {
            message.parts.iter().for_each(|part| said.part(part));
        }
        let tools = request.tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some((function.name.clone(), schema(function.schema.as_ref().map(|raw| raw.get())))),
            Tool::Foreign(_) => None,
        });
        said.tools = tools.collect();
        said.wish(request);
        said
    }

    fn wish(&mut self, request: &Request) {
        let number = |number: Option<f64>| number.map(|number| number.to_string());
        let count = |count: Option<u64>| count.map(|count| count.to_string());
        let output = match &request.output {
            OutputFormat::Text => None,
            OutputFormat::Json => Some("json".to_owned()),
            OutputFormat::Schema { schema, .. } => Some(schema.get().to_owned()),
        };
        let wishes = [
            ("model", Some(request.model.clone())),
            ("max_tokens", count(request.max_tokens)),
            ("temperature", number(request.temperature)),
            ("top_p", number(request.top_p)),
            ("top_k", count(request.top_k)),
            ("stop", Some(format!("{:?}", request.stop)).filter(|_| !request.stop.is_empty())),
            ("n", request.n.map(|n| n.to_string())),
            ("tool_choice", request.tool_choice.as_ref().map(|choice| format!("{choice:?}"))),
            ("parallel", request.parallel_tool_calls.map(|parallel| parallel.to_string())),
            ("response_format", output),
            ("user", request.user.clone()),
            ("stream", Some(request.stream.to_string())),
            ("name", request.messages.iter().find_map(|message| message.name.clone())),
            ("role", instructed_midway(request).then(|| "midway".to_owned())),
        ];
        self.wishes = wishes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    }

    fn part(&mut self, part: &Part) {
        match &part.body {
            Body::Text(text) | Body::Refusal(text) => self.texts.push(text.clone()),
            Body::Image(media) | Body::Document(media) | Body::Audio(media) => self.media.push(source(&media.source)),
            Body::ToolCall(call) => self.calls.push((call.id.clone(), call.name.clone(), call.arguments.clone())),
            Body::ToolResult(result) => {
                let mut inner = Self::default();
                result.content.iter().for_each(|part| inner.part(part));
                self.results.push((result.id.clone(), inner.texts.concat(), result.is_error));
                self.media.append(&mut inner.media);
            }
            Body::Reasoning(thought) => {
                let seal = thought.signature.as_ref().or(thought.redacted.as_ref());
                self.reasoning.push((thought.text.clone(), seal.map(|seal| seal.data.clone())));
            }
            Body::Foreign(_) => {}
        }
    }
}

fn instructed_midway(request: &Request) -> bool {
    let instructs = |role: Role| matches!(role, Role::System | Role::Developer);
    let rest = request.messages.iter().skip_while(|message| instructs(message.role));
    rest.into_iter().any(|message| instructs(message.role))
}

/// A schema that allows anything without a field is none.
fn schema(schema: Option<&str>) -> String {
    match schema {
        None | Some(r#"{"type":"object","properties":{}}"#) => String::new(),
        Some(schema) => schema.to_owned(),
    }
}

fn source(source: &MediaSource) -> String {
    match source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64 { data, .. } => data.clone(),
        MediaSource::Text { text, .. } => text.clone(),
        MediaSource::File(id) => id.data.clone(),
    }
}
