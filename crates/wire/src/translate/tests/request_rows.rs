//! Requests in the one language, as rows: what the matrix translates. What only one dialect knows is tagged with the one that is asked.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::json::raw;
use crate::request::{
    Body, Effort, Extra, Foreign, Function, Media, MediaSource, Message, Opaque, OutputFormat, Part, Reasoning, ReasoningMode, Request,
    Role, Thought, Tool, ToolCall, ToolChoice, ToolResult,
};

/// A row's name, and the request for a dialect of that name.
pub(super) type Row = (&'static str, fn(&'static str) -> Request);

pub(super) const ROWS: &[Row] = &[
    ("plain", |own| request(own, vec![user("Hello, \"wörld\" \u{1f600}\n")])),
    ("system and developer", |own| {
        request(
            own,
            vec![say(Role::System, "Be brief."), say(Role::Developer, "Speak French."), user("Hi")],
        )
    }),
    ("system in mid-conversation", |own| {
        request(
            own,
            vec![
                user("Hi"),
                say(Role::Assistant, "Hello"),
                say(Role::System, "Be rude now."),
                user("And?"),
            ],
        )
    }),
    ("many turns", |own| {
        let turns = [Role::User, Role::Assistant, Role::User, Role::Assistant, Role::User];
        let turn = |(at, role): (usize, &Role)| say(*role, &format!("turn {at}"));
        request(own, turns.iter().enumerate().map(turn).collect())
    }),
    ("a turn of two texts", |own| {
        request(own, vec![parts(Role::User, vec![Part::text("one"), Part::text("two")])])
    }),
    ("the answer is begun", |own| {
        request(own, vec![user("Count."), say(Role::Assistant, "One, two,")])
    }),
    ("a name", |own| {
        let mut named = user("Hi");
        named.name = Some("ann".to_owned());
        request(own, vec![named])
    }),
    ("image by address", |own| {
        pictured(own, MediaSource::Url("https://example.com/a.png".to_owned()))
    }),
    ("image inline", |own| pictured(own, base64("image/png", "iVBORw0KGgo="))),
    ("document inline", |own| {
        documented(own, base64("application/pdf", "JVBERi0xLjQK"), Some("report.pdf"))
    }),
    ("document by address", |own| {
        documented(own, MediaSource::Url("https://example.com/a.pdf".to_owned()), None)
    }),
    ("document as text", |own| {
        let source = MediaSource::Text {
            media_type: "text/plain".to_owned(),
            text: "line one".to_owned(),
        };
        documented(own, source, Some("notes.txt"))
    }),
    ("document uploaded before", |own| {
        let id = Opaque {
            dialect: own,
            data: "file_123".to_owned(),
        };
        documented(own, MediaSource::File(id), None)
    }),
    ("sound", |own| {
        let media = Media {
            source: base64("audio/wav", "UklGRg=="),
            name: None,
        };
        request(
            own,
            vec![parts(Role::User, vec![Part::text("Listen."), Part::new(Body::Audio(media))])],
        )
    }),
    ("tools", |own| with_tools(own, None)),
    ("tools, one forced", |own| {
        let mut request = with_tools(own, Some(ToolChoice::Named("get_weather".to_owned())));
        request.parallel_tool_calls = Some(false);
        request
    }),
    ("tools, any forced", |own| with_tools(own, Some(ToolChoice::Required))),
    ("tools, none allowed", |own| with_tools(own, Some(ToolChoice::None))),
    ("tools, one call at a time", |own| {
        let mut request = with_tools(own, Some(ToolChoice::Auto));
        request.parallel_tool_calls = Some(false);
        request
    }),
    ("parallel calls and their results", |own| {
        let results = vec![
            result("call_1", vec![Part::text("17 °C")], false),
            result("call_2", vec![Part::text("18 °C")], false),
        ];
        conversation(own, results)
    }),
    ("a failed call", |own| {
        let results = vec![
            result("call_1", vec![Part::text("17 °C")], false),
            result("call_2", vec![Part::text("no such town")], true),
        ];
        conversation(own, results)
    }),
    ("results with pictures", |own| {
        let picture = Part::new(Body::Image(Media {
            source: base64("image/png", "iVBORw0KGgo="),
            name: None,
        }));
        let results = vec![
            result("call_1", vec![Part::text("a map:"), picture], false),
            result("call_2", Vec::new(), false),
        ];
        conversation(own, results)
    }),
    ("answer by schema", |own| {
        let mut request = request(own, vec![user("Who?")]);
        request.output = OutputFormat::Schema {
            name: Some("person".to_owned()),
            description: None,
            schema: raw(r#"{"type":"object","required":["name"],"properties":{"name":{"type":"string"},"age":{"maximum":1.50e2}}}"#)
                .unwrap(),
            strict: Some(true),
        };
        request
    }),
    ("answer in JSON", |own| {
        let mut request = request(own, vec![user("Who?")]);
        request.output = OutputFormat::Json;
        request
    }),
    ("reasoning wanted, by effort", |own| {
        let mut request = request(own, vec![user("Think.")]);
        request.reasoning = Some(Reasoning {
            mode: ReasoningMode::Unsaid,
            effort: Some(Effort::High),
        });
        request
    }),
    ("reasoning wanted, by budget", |own| {
        let mut request = request(own, vec![user("Think.")]);
        request.max_tokens = Some(8_000);
        request.reasoning = Some(Reasoning {
            mode: ReasoningMode::Budget(2_000),
            effort: None,
        });
        request
    }),
    ("reasoning sent back", |own| {
        thinking(own, thought("Let me see.", Some(seal(own, "c2VhbA==")), None))
    }),
    ("reasoning without a seal sent back", |own| {
        thinking(own, thought("Let me see.", None, None))
    }),
    ("redacted reasoning sent back", |own| {
        thinking(own, thought("", None, Some(seal(own, "cmVkYWN0ZWQ="))))
    }),
    ("refusal in history", |own| {
        let refusal = Part::new(Body::Refusal("I can't.".to_owned()));
        request(own, vec![user("Do."), parts(Role::Assistant, vec![refusal]), user("Why?")])
    }),
    ("stop sequences", |own| stopped(own, &["END", "\nUser:"])),
    ("a blank stop sequence", |own| stopped(own, &["END", "\n\n"])),
    ("three answers", |own| {
        let mut request = request(own, vec![user("Hi")]);
        request.n = Some(3);
        request
    }),
    ("sampling", |own| {
        let mut request = request(own, vec![user("Hi")]);
        (request.temperature, request.top_p) = (Some(0.7), Some(0.9));
        request
    }),
    ("hot", |own| {
        let mut request = request(own, vec![user("Hi")]);
        request.temperature = Some(1.5);
        request
    }),
    ("top k", |own| {
        let mut request = request(own, vec![user("Hi")]);
        request.top_k = Some(40);
        request
    }),
    ("a stream with usage, a user, a limit", |own| {
        let mut request = request(own, vec![user("Hi")]);
        (request.stream, request.include_usage) = (true, true);
        request.user = Some("user-1".to_owned());
        request.max_tokens = Some(77);
        request
    }),
    ("cache marks", |own| {
        let mut request = with_tools(own, None);
        let mark = || raw(r#"{"type":"ephemeral","ttl":"1h"}"#);
        let mut system = Part::text("A long text.");
        system.cache = mark();
        request.messages.insert(0, parts(Role::System, vec![system]));
        if let Some(Tool::Function(function)) = request.tools.first_mut() {
            function.cache = mark();
        }
        request
    }),
    ("unknown fields", |own| {
        let mut request = request(own, vec![user("Hi")]);
        request
            .extra
            .fields
            .push(("x_vendor".to_owned(), raw(r#"{"b": 1.0, "a":[ ]}"#).unwrap()));
        request.messages[0].extra = extra(own);
        request
    }),
    ("an unknown tool", |own| {
        let mut request = with_tools(own, None);
        request
            .tools
            .push(Tool::Foreign(foreign(own, "x_tool", r#"{"type":"x_tool","name":"t", "y":1.0}"#)));
        request
    }),
    ("an unknown part", |own| {
        let part = Part::new(Body::Foreign(foreign(own, "x_part", r#"{"type":"x_part","z": [1.0]}"#)));
        request(own, vec![parts(Role::User, vec![Part::text("Look:"), part])])
    }),
];

fn request(own: &'static str, messages: Vec<Message>) -> Request {
    Request {
        model: "model-1".to_owned(),
        messages,
        // A limit that every dialect can say: where one must be written, none is made up.
        max_tokens: Some(500),
        extra: Extra {
            dialect: own,
            fields: Vec::new(),
        },
        ..Request::default()
    }
}

fn parts(role: Role, parts: Vec<Part>) -> Message {
    Message {
        role,
        parts,
        name: None,
        extra: Extra::default(),
    }
}

fn say(role: Role, text: &str) -> Message {
    parts(role, vec![Part::text(text)])
}

fn user(text: &str) -> Message {
    say(Role::User, text)
}

fn base64(media_type: &str, data: &str) -> MediaSource {
    MediaSource::Base64 {
        media_type: media_type.to_owned(),
        data: data.to_owned(),
    }
}

fn pictured(own: &'static str, source: MediaSource) -> Request {
    let picture = Body::Image(Media { source, name: None });
    request(own, vec![parts(Role::User, vec![Part::text("What is this?"), Part::new(picture)])])
}

fn documented(own: &'static str, source: MediaSource, name: Option<&str>) -> Request {
    let document = Body::Document(Media {
        source,
        name: name.map(ToOwned::to_owned),
    });
    request(own, vec![parts(Role::User, vec![Part::new(document), Part::text("Sum up.")])])
}

fn with_tools(own: &'static str, choice: Option<ToolChoice>) -> Request {
    let function = |name: &str, description: Option<&str>, schema: Option<&str>| {
        Tool::Function(Function {
            name: name.to_owned(),
            description: description.map(ToOwned::to_owned),
            schema: schema.and_then(raw),
            strict: None,
            cache: None,
            extra: Extra::default(),
        })
    };
    let schema = r#"{"type":"object","required":["town"],"properties":{"town":{"type":"string"},"depth":{"maximum":1.50}}}"#;
    let mut request = request(own, vec![user("How warm is it in Paris?")]);
    request.tools = vec![
        function("get_weather", Some("The weather of a town."), Some(schema)),
        function("now", None, Some(r#"{"type":"object","properties":{}}"#)),
    ];
    request.tool_choice = choice;
    request
}

fn result(id: &str, content: Vec<Part>, is_error: bool) -> Part {
    Part::new(Body::ToolResult(ToolResult {
        id: id.to_owned(),
        content,
        is_error,
    }))
}

fn conversation(own: &'static str, results: Vec<Part>) -> Request {
    let call = |id: &str, arguments: &str| {
        Part::new(Body::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "get_weather".to_owned(),
            arguments: arguments.to_owned(),
        }))
    };
    let mut request = with_tools(own, None);
    let calls = vec![
        Part::text("I look."),
        call("call_1", r#"{"town":"Par\u0069s", "depth":1.0}"#),
        call("call_2", "{}"),
    ];
    request.messages.push(parts(Role::Assistant, calls));
    request.messages.push(parts(Role::Tool, results));
    request.messages.push(user("And tomorrow?"));
    request
}

fn seal(own: &'static str, data: &str) -> Opaque {
    Opaque {
        dialect: own,
        data: data.to_owned(),
    }
}

fn thought(text: &str, signature: Option<Opaque>, redacted: Option<Opaque>) -> Part {
    Part::new(Body::Reasoning(Thought {
        text: text.to_owned(),
        signature,
        redacted,
    }))
}

fn thinking(own: &'static str, thought: Part) -> Request {
    let turn = parts(Role::Assistant, vec![thought, Part::text("Four.")]);
    request(own, vec![user("2+2?"), turn, user("Why?")])
}

fn stopped(own: &'static str, stop: &[&str]) -> Request {
    let mut request = request(own, vec![user("Hi")]);
    request.stop = stop.iter().map(ToString::to_string).collect();
    request
}

fn foreign(own: &'static str, kind: &str, text: &str) -> Foreign {
    Foreign {
        dialect: own,
        kind: kind.to_owned(),
        raw: raw(text).unwrap(),
    }
}

fn extra(own: &'static str) -> Extra {
    Extra {
        dialect: own,
        fields: vec![("x_message".to_owned(), raw("7").unwrap())],
    }
}
