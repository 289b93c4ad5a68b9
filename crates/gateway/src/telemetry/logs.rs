//! The log on stderr: one line per exchange and per event of the process, written by a thread of its own in batches. When the
//! reader of stderr is too slow, lines are dropped (and counted by the caller), and nothing waits.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::record::{Record, line};

/// Bytes that wait for the writer at most.
const WAITING_BYTES_MAX: usize = 8 << 20;
/// How long the writer gathers lines before it writes them: fewer wake-ups, and nobody reads faster.
const GATHER: Duration = Duration::from_millis(100);

/// How long the last lines may take at the end of the process.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often it is looked whether they are written.
const LOOK: Duration = Duration::from_millis(20);

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// For people.
    Text,
}

impl Format {
    /// Text on a terminal, JSON elsewhere.
    #[must_use]
    pub fn usual() -> Self {
        if std::io::stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// The log. Dropping it writes what waits.
pub struct Log {
    format: Format,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    closed: bool,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A writer that panicked left whole lines behind.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// Starts the writer. `sink` is stderr, but for tests.
    #[must_use]
    pub fn start(format: Format, sink: Box<dyn Write + Send>) -> Self {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            filled: Condvar::new(),
        });
        let for_writer = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_all(&for_writer, sink))
            .ok();
        Self { format, shared, writer }
    }

    /// Writes an exchange's line. False: it was dropped.
    pub fn record(&self, record: &Record) -> bool {
        match self.format {
            Format::Json => self.line(|out| line::write(out, record)),
            Format::Text => self.line(|out| write_text(out, record)),
        }
    }

    /// Writes a line about the process itself. False: it was dropped.
    pub fn event(&self, level: &'static str, message: &str) -> bool {
        #[derive(Serialize)]
        struct Event<'a> {
            time: String,
            level: &'static str,
            message: &'a str,
        }
        let time = time(crate::clock::now().unix);
        match self.format {
            Format::Json => self.line(|out| {
                let _ = serde_json::to_writer(out, &Event { time, level, message });
            }),
            Format::Text => self.line(|out| {
                let clean: String = message.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
                let _ = write!(out, "{time} {level:<5} {clean}");
            }),
        }
    }

    fn line(&self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut line = Vec::with_capacity(1024);
        write(&mut line);
        // No early end: the compiler then looks at many bytes at once.
        let found = line
            .iter()
            .fold(0, |found, byte| found | u8::from(*byte == 0x7f) | u8::from(*byte == 0xc2));
        if found != 0 {
            line = without_controls(&line);
        }
        line.push(b'\n');
        let mut waiting = self.shared.waiting();
        if waiting.bytes.len() + line.len() > WAITING_BYTES_MAX {
            return false;
        }
        let was_empty = waiting.bytes.is_empty();
        waiting.bytes.extend_from_slice(&line);
        drop(waiting);
        if was_empty {
            self.shared.filled.notify_one();
        }
        true
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.waiting().closed = true;
        self.shared.filled.notify_one();
        // A reader of stderr that has stopped reading must not keep the process from ending.
        let Some(writer) = self.writer.take() else { return };
        for _ in 0..LAST_WORDS.as_millis() / LOOK.as_millis() {
            if writer.is_finished() {
                return;
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn write_all(shared: &Shared, mut sink: Box<dyn Write + Send>) {
    let mut batch = Vec::new();
    loop {
        let mut waiting = shared.waiting();
        while waiting.bytes.is_empty() {
            if waiting.closed {
                return;
            }
            waiting = shared.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        // Nobody rings for what joins a line that waits; the end of the process does.
        let gathered = shared.filled.wait_timeout_while(waiting, GATHER, |waiting| !waiting.closed);
        waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(&mut batch, &mut waiting.bytes);
        drop(waiting);
        // A closed stderr is no reason to stop serving.
        let _ = sink.write_all(&batch).and_then(|()| sink.flush());
        batch.clear();
        batch.shrink_to(1 << 20);
    }
}

/// The line with U+007F to U+009F escaped: JSON allows them raw, and some terminals obey them (FAULTS R-D6).
fn without_controls(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len() + 16);
    for c in String::from_utf8_lossy(line).chars() {
        match c {
            '\u{7f}'..='\u{9f}' => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out
}

fn time(unix: Duration) -> String {
    let mut text = Vec::with_capacity(24);
    line::time(&mut text, unix);
    String::from_utf8(text).unwrap_or_default()
}

/// `12:00:01Z 200 completed support-chat openai/gpt-4o 812ms in=12 out=40 team=support req_…`
fn write_text(out: &mut Vec<u8>, record: &Record) {
    let outcome = match (&record.fault, record.outcome) {
        (Some(fault), _) => fault.code.as_deref().unwrap_or(fault.kind),
        (None, crate::record::Outcome::Aborted) => "aborted",
        (None, _) => "ok",
    };
    let asked = printable(record.asked.as_deref().unwrap_or("-"));
    let model = printable(record.model_name().unwrap_or("-"));
    line::time(out, record.time);
    let _ = write!(
        out,
        " {} {outcome} {asked} → {model} {:.0}ms",
        record.status,
        Duration::from_micros(record.total_us).as_secs_f64() * 1e3
    );
    if let Some(usage) = &record.usage {
        let _ = write!(out, " in={} out={}", usage.input, usage.output);
    }
    if let Some(caller) = &record.caller {
        let _ = write!(out, " team={}", printable(&caller.team().name));
    }
    let _ = write!(out, " {}", record.request_id);
}

/// Names come from callers: no control character of theirs reaches a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(128).collect()
}
