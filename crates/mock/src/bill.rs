//! The bill: one line for each request, with the tokens that a provider would charge, and exact sums.
//! It does not price anything, and it states what was true, not what a faulty answer said.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::StatusCode;
use serde::Serialize;

use crate::reply::Usage;

/// Lines kept; older ones live on only in the sums.
pub(crate) const LINES_MAX: usize = 100_000;

/// One request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    /// Number of the request since the start, from 1.
    pub(crate) seq: u64,
    /// When its body had been read, milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The dialect, e.g. `openai_chat`.
    pub(crate) dialect: &'static str,
    /// The path, without the query.
    pub(crate) path: String,
    /// The model, faults included; empty when the body could not be read.
    pub(crate) model: String,
    /// Was a stream asked for?
    pub(crate) stream: bool,
    /// The status of the answer; 0 until there is one.
    pub(crate) status: u16,
    /// Tokens charged so far.
    pub(crate) input_tokens: u64,
    /// Those of the input that were read from the prompt cache.
    pub(crate) cached_tokens: u64,
    /// Tokens charged so far.
    pub(crate) output_tokens: u64,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// Did the caller leave before the end?
    pub(crate) cancelled: bool,
    /// Bytes of generated content handed to the transport.
    pub(crate) content_bytes: u64,
    /// Bytes of the body handed to the transport.
    pub(crate) body_bytes: u64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Not yet.
    Open,
    /// The whole answer was handed over.
    Complete,
    /// The caller left.
    Cancelled,
    /// A fault broke the connection.
    Broken,
}

/// Exact sums.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Sums {
    requests: u64,
    open: u64,
    complete: u64,
    cancelled: u64,
    broken: u64,
    refused: u64,
    input_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    content_bytes: u64,
    body_bytes: u64,
}

#[derive(Debug, Default)]
struct Book {
    opened: u64,
    lines: VecDeque<Line>,
    total: Sums,
    by_dialect: BTreeMap<&'static str, Sums>,
}

/// The bill of one simulator.
#[derive(Debug, Default)]
pub(crate) struct Bill(Mutex<Book>);

impl Bill {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing is left half-written when a holder panics: every update is a few additions.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a line. The number is given here; whatever `seq` holds is overwritten.
    pub(crate) fn open(self: &Arc<Self>, mut line: Line) -> Entry {
        let mut book = self.book();
        book.opened += 1;
        line.seq = book.opened;
        if book.lines.len() == LINES_MAX {
            book.lines.pop_front();
        }
        book.lines.push_back(line.clone());
        for sums in book.sums(line.dialect) {
            sums.requests += 1;
            sums.open += 1;
        }
        drop(book);
        Entry {
            bill: Arc::clone(self),
            line,
            usage: Usage::default(),
            charged_in_full: false,
        }
    }

    fn close(&self, line: Line) {
        let mut book = self.book();
        let first = book.lines.front().map_or(u64::MAX, |line| line.seq);
        let at = line.seq.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        for sums in book.sums(line.dialect) {
            // Saturating: a reset of the bill forgets the requests that were open then.
            sums.open = sums.open.saturating_sub(1);
            match line.outcome {
                Outcome::Open | Outcome::Complete => sums.complete += 1,
                Outcome::Cancelled => sums.cancelled += 1,
                Outcome::Broken => sums.broken += 1,
            }
            sums.refused += u64::from(400 <= line.status);
            sums.input_tokens += line.input_tokens;
            sums.cached_tokens += line.cached_tokens;
            sums.output_tokens += line.output_tokens;
            sums.content_bytes += line.content_bytes;
            sums.body_bytes += line.body_bytes;
        }
        if let Some(kept) = at.and_then(|at| book.lines.get_mut(at)) {
            *kept = line;
        }
    }

    /// Forgets all lines and sums. A request that is open now will be counted by its tokens when it ends.
    pub(crate) fn reset(&self) {
        let mut book = self.book();
        let opened = book.opened;
        *book = Book { opened, ..Book::default() };
    }

    /// `{"total":…,"by_dialect":…,"requests":[…]}`, or without the lines.
    pub(crate) fn json(&self, summary: bool) -> String {
        #[derive(Serialize)]
        struct Page<'a> {
            total: &'a Sums,
            by_dialect: &'a BTreeMap<&'static str, Sums>,
            #[serde(skip_serializing_if = "Option::is_none")]
            requests: Option<&'a VecDeque<Line>>,
        }
        let book = self.book();
        let requests = (!summary).then_some(&book.lines);
        let page = Page {
            total: &book.total,
            by_dialect: &book.by_dialect,
            requests,
        };
        serde_json::to_string(&page).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

impl Book {
    fn sums(&mut self, dialect: &'static str) -> [&mut Sums; 2] {
        [&mut self.total, self.by_dialect.entry(dialect).or_default()]
    }
}

/// An open line. It is closed exactly once: by its end, or by being dropped, which is what happens when a caller leaves.
#[derive(Debug)]
pub(crate) struct Entry {
    bill: Arc<Bill>,
    line: Line,
    usage: Usage,
    charged_in_full: bool,
}

impl Entry {
    /// The seed of everything in this answer that must be unique.
    pub(crate) fn seq(&self) -> u64 {
        self.line.seq
    }

    /// Says what answer is coming.
    pub(crate) fn expect(&mut self, status: StatusCode, usage: Usage, charged_in_full: bool) {
        self.line.status = status.as_u16();
        self.usage = usage;
        self.charged_in_full = charged_in_full;
    }

    /// Counts what was handed to the transport. The first content makes the input chargeable.
    pub(crate) fn sent(&mut self, content_bytes: u64, tokens: u64, body_bytes: u64) {
        self.line.content_bytes += content_bytes;
        self.line.body_bytes += body_bytes;
        if 0 < tokens {
            let most = unsigned(self.usage.output);
            self.line.output_tokens = (self.line.output_tokens + tokens).min(most);
            self.charge_input();
        }
    }

    fn charge_input(&mut self) {
        self.line.input_tokens = unsigned(self.usage.input);
        self.line.cached_tokens = unsigned(self.usage.cached);
    }

    /// The whole answer was handed over.
    pub(crate) fn complete(&mut self) {
        if self.line.outcome == Outcome::Open {
            self.line.outcome = Outcome::Complete;
            self.charge_input();
            self.line.output_tokens = unsigned(self.usage.output);
        }
    }

    /// A fault broke the connection.
    pub(crate) fn broken(&mut self) {
        self.line.outcome = Outcome::Broken;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.line.outcome == Outcome::Open {
            self.line.outcome = Outcome::Cancelled;
            self.line.cancelled = true;
        }
        if self.charged_in_full {
            self.charge_input();
            self.line.output_tokens = unsigned(self.usage.output);
        }
        self.bill.close(self.line.clone());
    }
}

fn unsigned(tokens: i64) -> u64 {
    u64::try_from(tokens).unwrap_or(0)
}
