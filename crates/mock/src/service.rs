//! One request: read, put on the bill, answered by its dialect and behaviour, bent by its faults.
//! It knows no dialect and no fault by name.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::{
    answer::{self, Answer, Broken, StepBody},
    behaviours,
    bill::{Bill, Line, Outcome},
    dialects::{self, Dialect, Refusal, Route, Stamp},
    faults::{Effect, Scene},
    manual,
    question::Question,
    recorder::{Received, Recorder},
    reply, script,
    server::MockSettings,
    text,
    wish::Wish,
};

/// One simulator: its bill, its memory of requests, its script.
#[derive(Debug)]
pub(crate) struct App {
    settings: MockSettings,
    script: script::Running,
    seed: u64,
    started: Instant,
    pub(crate) bill: Arc<Bill>,
    pub(crate) recorder: Recorder,
}

/// The few fields that are wanted before, or instead of, reading everything.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Peek<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl App {
    pub(crate) fn new(settings: MockSettings) -> Self {
        Self {
            script: script::Running::new(&settings.script),
            seed: text::mix(now_ms()),
            started: Instant::now(),
            bill: Arc::default(),
            recorder: Recorder::default(),
            settings,
        }
    }

    /// Answers one request.
    pub(crate) async fn handle(self: Arc<Self>, request: Request<Incoming>, socket: Arc<TcpStream>) -> Result<Response<StepBody>, Broken> {
        let (head, body) = request.into_parts();
        let raw_possible = head.version != Version::HTTP_2;
        let (dialect, path) = dialects::find(head.uri.path());
        let Some(dialect) = dialect else {
            let answer = self.page(&head.method, head.uri.path(), head.uri.query().unwrap_or_default());
            let entry = Arc::<Bill>::default().open(self.line("", &head.uri, &Peek::default()));
            return answer::play(answer, entry, &socket, raw_possible).await;
        };
        let path = path.to_owned();
        let body = Limited::new(body, self.settings.body_bytes_max).collect().await;
        let too_large = body.as_ref().is_err_and(|error| error.is::<http_body_util::LengthLimitError>());
        let body = match body {
            Ok(body) => body.to_bytes(),
            Err(_) if too_large => Bytes::new(),
            // The caller left while sending: there is nobody to answer.
            Err(_) => return Err(Broken),
        };
        let received = Arc::new(Received { head, body });
        self.recorder.keep(&received);
        let peek: Peek<'_> = serde_json::from_slice(&received.body).unwrap_or_default();
        let entry = self.bill.open(self.line(dialect.name(), &received.head.uri, &peek));
        let stamp = Stamp {
            seed: text::mix(self.seed ^ entry.seq()),
            now_ms: now_ms(),
        };
        let answer = if too_large {
            refuse(
                dialect,
                &stamp,
                &Refusal::new(413, "request body is larger than this simulator takes"),
            )
        } else {
            self.compose(dialect, &path, &received, &peek, &stamp)
        };
        answer::play(answer, entry, &socket, raw_possible).await
    }

    fn line(&self, dialect: &'static str, uri: &http::Uri, peek: &Peek<'_>) -> Line {
        Line {
            seq: 0,
            at_ms: now_ms(),
            dialect,
            path: uri.path().to_owned(),
            model: peek.model.as_deref().unwrap_or_default().to_owned(),
            stream: peek.stream.unwrap_or(false),
            status: 0,
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            outcome: Outcome::Open,
            cancelled: false,
            content_bytes: 0,
            body_bytes: 0,
        }
    }

    fn compose(&self, dialect: &'static dyn Dialect, path: &str, received: &Received, peek: &Peek<'_>, stamp: &Stamp) -> Answer {
        let model = peek.model.as_deref().unwrap_or_default();
        let route = dialect.route(&received.head.method, path);
        if let Err(refusal) = dialect.admit(&received.head.headers) {
            return refuse(dialect, stamp, &refusal);
        }
        let mut wish = match Wish::read(model) {
            Ok(wish) => wish,
            Err(unknown) => return refuse(dialect, stamp, &Refusal::unknown_model(model, &unknown)),
        };
        wish.faults
            .extend(self.script.faults(model, received.head.uri.path(), self.started.elapsed()));
        let scene = Scene { dialect, stamp };
        // The first one decides: two answers cannot be given.
        let instead = effects(&wish).find_map(|(effect, figures)| match effect {
            Effect::Instead(instead) => instead(&scene, figures),
            _ => None,
        });
        if let Some(answer) = instead {
            return bent(answer, &wish, &scene);
        }
        let answer = match route {
            Route::Generate => generate(&scene, &wish, received, peek),
            Route::Page(page) => page_answer(&scene, received, page),
            Route::Unknown => Err(Refusal::unknown_path(&received.head.method, received.head.uri.path())),
        };
        match answer {
            Ok(answer) => bent(answer, &wish, &scene),
            Err(refusal) => refuse(dialect, stamp, &refusal),
        }
    }

    /// The simulator's own pages.
    fn page(&self, method: &Method, path: &str, query: &str) -> Answer {
        let parameter = |name: &str| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let (status, kind, text) = match (method, path) {
            (&Method::GET, "/") => (StatusCode::OK, "text/plain; charset=utf-8", manual::text()),
            (&Method::GET, "/healthz") => (StatusCode::OK, "text/plain; charset=utf-8", "ok\n".to_owned()),
            (&Method::GET, "/bill") => {
                let summary = parameter("summary").is_some_and(|value| value != "0");
                (StatusCode::OK, "application/json", self.bill.json(summary))
            }
            (&Method::DELETE, "/bill") => {
                self.bill.reset();
                (StatusCode::OK, "application/json", self.bill.json(true))
            }
            (&Method::GET, "/requests/last") => {
                let n = parameter("n").and_then(|value| value.parse().ok()).unwrap_or(1);
                (StatusCode::OK, "application/json", self.recorder.json(n))
            }
            (&Method::DELETE, "/requests/last") => {
                self.recorder.reset();
                (StatusCode::OK, "application/json", self.recorder.json(0))
            }
            _ => {
                let text = "no such page: GET / prints what this simulator serves\n".to_owned();
                (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text)
            }
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Answer::whole(status, headers, Bytes::from(text))
    }
}

fn generate(scene: &Scene<'_>, wish: &Wish, received: &Received, peek: &Peek<'_>) -> Result<Answer, Refusal> {
    let mut question = if wish.behaviour.unchecked && peek.model.is_some() {
        unchecked(scene, received, peek)
    } else {
        scene.dialect.read(&received.head.headers, &parse(&received.body)?)?
    };
    for (effect, _) in effects(wish) {
        if let Effect::Question(change) = effect {
            change(&mut question);
        }
    }
    let draft = (wish.behaviour.draft)(&question, &wish.figures);
    let obey_max_tokens = !effects(wish).any(|(effect, _)| matches!(effect, Effect::Unlimited));
    let mut reply = reply::finish(draft, &question, obey_max_tokens);
    for (effect, figures) in effects(wish) {
        if let Effect::Reply(change) = effect {
            change(&mut reply, figures);
        }
    }
    let content_bytes = behaviours::content_bytes(&reply.parts) * question.choices.max(1);
    let mut headers = scene.dialect.headers(scene.stamp, None);
    let mut answer = if question.stream {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        Answer::streamed(headers, scene.dialect.frames(&reply, &question, scene.stamp), reply.pace)
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = scene.dialect.whole(&reply, &question, scene.stamp);
        let mut answer = Answer::whole(StatusCode::OK, headers, Bytes::from(body));
        if let Some(answer::Step::Send(frame)) = answer.steps.first_mut() {
            frame.content_bytes = content_bytes;
            frame.tokens = u64::try_from(reply.charged.output).unwrap_or(0);
        }
        answer
    };
    answer.usage = reply.charged;
    Ok(answer)
}

/// What is known of a request that is not read in full, for speed.
fn unchecked(scene: &Scene<'_>, received: &Received, peek: &Peek<'_>) -> Question {
    Question {
        model: peek.model.as_deref().unwrap_or_default().to_owned(),
        stream: peek.stream.unwrap_or(false),
        include_usage: peek
            .stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            .unwrap_or(false),
        choices: 1,
        envelope_bytes: scene.dialect.envelope_bytes(),
        input_tokens: (received.body.len() as u64).div_ceil(4),
        ..Question::default()
    }
}

fn page_answer(scene: &Scene<'_>, received: &Received, page: dialects::Page) -> Result<Answer, Refusal> {
    let mut headers = scene.dialect.headers(scene.stamp, None);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = match page {
        dialects::Page::Fixed(body) => body,
        dialects::Page::CountTokens => {
            let question = scene.dialect.read_for_count(&received.head.headers, &parse(&received.body)?)?;
            serde_json::json!({ "input_tokens": question.input_tokens })
        }
    };
    Ok(Answer::whole(StatusCode::OK, headers, Bytes::from(body.to_string())))
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::unparsable(&error))
}

fn bent(mut answer: Answer, wish: &Wish, scene: &Scene<'_>) -> Answer {
    for (effect, figures) in effects(wish) {
        if let Effect::Answer(bend) = effect {
            bend(&mut answer, scene, figures);
        }
    }
    answer
}

fn effects(wish: &Wish) -> impl Iterator<Item = (&'static Effect, &[u64])> {
    wish.faults
        .iter()
        .flat_map(|(row, figures)| row.effects.iter().map(|effect| (effect, figures.as_slice())))
}

/// An error answer in the dialect.
pub(crate) fn refuse(dialect: &dyn Dialect, stamp: &Stamp, refusal: &Refusal) -> Answer {
    let mut headers = dialect.headers(stamp, Some(refusal));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer::whole(status, headers, Bytes::from(dialect.error(refusal, stamp)))
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
