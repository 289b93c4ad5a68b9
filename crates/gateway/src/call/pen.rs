//! The draft in the hands of an attempt: two attempts may be under way at the same time, each in its lane. Locked for a moment at a time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tollgate_wire::event::Event;
use tollgate_wire::fault::Fault;
use tollgate_wire::loss::Loss;

use crate::ledger::lock;
use crate::record::{Draft, Lane, Record};

/// What an attempt writes with.
#[derive(Clone, Copy)]
pub(super) struct Pen<'p, 'd> {
    draft: &'p Mutex<&'d mut Draft>,
    lane: Lane,
}

impl<'p, 'd> Pen<'p, 'd> {
    pub(super) fn new(draft: &'p Mutex<&'d mut Draft>, lane: Lane) -> Self {
        Self { draft, lane }
    }

    /// Runs something with the draft.
    pub(super) fn with<T>(self, run: impl FnOnce(&mut Draft, Lane) -> T) -> T {
        run(&mut lock(self.draft), self.lane)
    }

    pub(super) fn ended(self, took: Duration, fault: Option<&Fault>) {
        self.with(|draft, lane| draft.attempt_ended(lane, took, fault));
    }

    pub(super) fn observe(self, events: &[Event]) {
        self.with(|draft, lane| draft.observe_in(lane, events));
    }

    pub(super) fn lose(self, loss: &Loss) {
        self.with(|draft, _| draft.lose(loss));
    }

    pub(super) fn unix(self, at: Instant) -> Duration {
        self.with(|draft, _| draft.unix(at))
    }

    pub(super) fn record<T>(self, read: impl FnOnce(&Record) -> T) -> T {
        self.with(|draft, _| read(draft.record()))
    }
}
