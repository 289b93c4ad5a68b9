//! The loads that every contender is put under, as data. How a load is made is `load`; what is read from it is `figures`.

use std::time::Duration;

use hyper::{
    HeaderMap, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};

use super::{
    contender::Contender,
    load::{
        Sample,
        closed::{self, Closed},
        lane::Call,
        open::{self, Open},
        streams::{self, Streams},
    },
    peers::Loads,
};

/// Requests are sent again over connections that one of these has already passed.
const WARM_MODEL: &str = "bench-1024";
/// Whole and closed: time before the measured window, in which buffers and caches fill.
const WARM: Duration = Duration::from_millis(300);
/// A scenario that takes longer than this beyond its plan is given up.
const GRACE: Duration = Duration::from_secs(20);

/// One load.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// The bench provider's model: it says how long the answer is and how it is paced.
    pub(super) model: &'static str,
    pub(super) prompt_bytes: usize,
    /// The caller speaks one dialect and the provider another.
    pub(super) translated: bool,
    /// Also measured without any proxy: needed where a figure is "added".
    pub(super) direct: bool,
    /// Tells what rules cost.
    pub(super) governed: bool,
    pub(super) load: Load,
}

/// How it is sent. Times are those of a full run; `--quick` takes a third.
pub(super) enum Load {
    Closed {
        connections: usize,
        seconds: f64,
    },
    Open {
        connections: usize,
        per_second: u32,
        seconds: u32,
    },
    /// `per_connection` streams of `chunks` one after another on each connection, the connections starting `stagger_us` apart.
    Streams {
        connections: usize,
        per_connection: u32,
        chunks: u32,
        stagger_us: u64,
    },
}

const PROMPT_BYTES: usize = 700;

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "closed-1k",
        model: "bench-1024",
        prompt_bytes: PROMPT_BYTES,
        translated: false,
        direct: true,
        governed: true,
        load: Load::Closed {
            connections: 64,
            seconds: 3.0,
        },
    },
    Scenario {
        name: "open-300",
        model: "bench-1024",
        prompt_bytes: PROMPT_BYTES,
        translated: false,
        direct: true,
        governed: true,
        load: Load::Open {
            connections: 30,
            per_second: 300,
            seconds: 6,
        },
    },
    Scenario {
        name: "closed-64k",
        model: "bench-1024",
        prompt_bytes: 64 << 10,
        translated: false,
        direct: false,
        governed: false,
        load: Load::Closed {
            connections: 64,
            seconds: 2.0,
        },
    },
    Scenario {
        name: "closed-1k-translated",
        model: "bench-1024",
        prompt_bytes: PROMPT_BYTES,
        translated: true,
        direct: false,
        governed: false,
        load: Load::Closed {
            connections: 64,
            seconds: 2.0,
        },
    },
    Scenario {
        name: "paced",
        model: "stream-40-20ms",
        prompt_bytes: PROMPT_BYTES,
        translated: false,
        direct: true,
        governed: false,
        load: Load::Streams {
            connections: 50,
            per_connection: 3,
            chunks: 40,
            stagger_us: 400,
        },
    },
    Scenario {
        name: "paced-translated",
        model: "stream-40-20ms",
        prompt_bytes: PROMPT_BYTES,
        translated: true,
        direct: false,
        governed: false,
        load: Load::Streams {
            connections: 50,
            per_connection: 3,
            chunks: 40,
            stagger_us: 400,
        },
    },
    Scenario {
        name: "unpaced",
        model: "stream-400-0ms",
        prompt_bytes: PROMPT_BYTES,
        translated: false,
        direct: false,
        governed: false,
        load: Load::Streams {
            connections: 16,
            per_connection: 30,
            chunks: 400,
            stagger_us: 0,
        },
    },
    Scenario {
        name: "unpaced-translated",
        model: "stream-400-0ms",
        prompt_bytes: PROMPT_BYTES,
        translated: true,
        direct: false,
        governed: false,
        load: Load::Streams {
            connections: 16,
            per_connection: 30,
            chunks: 400,
            stagger_us: 0,
        },
    },
];

impl Scenario {
    /// Whether this contender takes part.
    pub(super) fn suits(&self, contender: &Contender) -> bool {
        if self.translated {
            contender.translating_prefix.is_some()
        } else if contender.loads != Loads::All {
            self.governed
        } else {
            self.direct || contender.is_proxy()
        }
    }

    /// Chunks in each of its streams; 1 for whole answers.
    pub(super) fn chunks(&self) -> u32 {
        match self.load {
            Load::Streams { chunks, .. } => chunks,
            Load::Closed { .. } | Load::Open { .. } => 1,
        }
    }

    /// Puts one contender under this load.
    pub(super) async fn run(&self, contender: &Contender, quick: bool) -> Result<Sample, String> {
        let prefix = if self.translated {
            contender.translating_prefix.unwrap_or_default()
        } else {
            contender.prefix
        };
        let call = call(contender, &format!("{prefix}{}", self.model), self.prompt_bytes)?;
        let warm = self::call(contender, &format!("{prefix}{WARM_MODEL}"), self.prompt_bytes)?;
        let cpu = contender.cpu_meter()?;
        let calm = contender.calm();
        let part = if quick { 3 } else { 1 };
        match self.load {
            Load::Closed { connections, seconds } => {
                let measured = Duration::from_secs_f64(seconds) / part;
                let shape = Closed {
                    connections,
                    warm: WARM,
                    measured,
                    calm,
                };
                within(WARM + measured, closed::run(&call, shape, &cpu)).await
            }
            Load::Open {
                connections,
                per_second,
                seconds,
            } => {
                let requests = per_second * seconds / part;
                let shape = Open {
                    connections,
                    period: Duration::from_secs(1) / per_second,
                    requests,
                    calm,
                };
                within(shape.period * requests, open::run(&call, shape, &cpu)).await
            }
            Load::Streams {
                connections,
                per_connection,
                stagger_us,
                ..
            } => {
                let stagger = Duration::from_micros(stagger_us);
                let shape = Streams {
                    connections,
                    per_connection: per_connection / part,
                    stagger,
                };
                within(Duration::ZERO, streams::run(&call, &warm, shape, &cpu)).await
            }
        }
    }
}

async fn within(planned: Duration, load: impl Future<Output = Result<Sample, String>>) -> Result<Sample, String> {
    tokio::time::timeout(planned + GRACE, load)
        .await
        .unwrap_or_else(|_| Err("given up: it took too long".to_owned()))
}

/// A chat completions request of about so many bytes of prompt. The same bytes go to every contender but for the model's prefix.
pub(super) fn call(contender: &Contender, model: &str, prompt_bytes: usize) -> Result<Call, String> {
    let streamed = model.contains("stream-");
    let (stream, terminator): (_, &[u8]) = if streamed {
        (r#""stream":true,"#, b"data: [DONE]")
    } else {
        ("", b"}")
    };
    // An escape every sixty bytes or so, as in real prompts.
    let prompt: String = "Summarise what the caller said:\\n\\\"it was late, and it is still late\\\". "
        .chars()
        .cycle()
        .take(prompt_bytes)
        .collect();
    // Cut in the middle of an escape, it would not be JSON.
    let prompt = prompt.trim_end_matches('\\');
    let body = format!(
        r#"{{"model":"{model}",{stream}"max_tokens":256,"temperature":0.2,"messages":[{{"role":"system","content":"You are a support agent."}},{{"role":"user","content":"{prompt}"}}]}}"#
    );
    let header = |text: &str| HeaderValue::from_str(text).map_err(|error| format!("not a header value: {error}"));
    let mut headers = HeaderMap::new();
    headers.insert(HOST, header(&contender.address.to_string())?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(AUTHORIZATION, header(&format!("Bearer {}", contender.key))?);
    Ok(Call {
        address: contender.address,
        path: Uri::from_static("/v1/chat/completions"),
        headers,
        body: body.into(),
        terminator,
    })
}

#[cfg(test)]
mod tests;
