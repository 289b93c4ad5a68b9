//! The end of an exchange: the body that the caller receives, with the half-filled record in its hands. It ends exactly once, by
//! `finish`; dropping it before its end only means that the caller left.

mod drain;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tollgate_policy::switches::Subject;
use tollgate_upstream::deployment::Asked;
use tollgate_upstream::providers::BillingOnCancel;
use tollgate_wire::dialects::Dialect;
use tollgate_wire::event::Event;
use tollgate_wire::fault::{Fault, FaultKind, Origin};

use crate::admit::blocked;
use crate::books::Durable;
use crate::clock;
use crate::exchange::caught;
use crate::record::{Draft, Outcome};
use crate::stream::{Step, Stream};
use crate::switchboard::{self, Aim, Switchboard, Watch};
use crate::telemetry::Telemetry;

pub use drain::Drains;

/// The body of an answer to a caller.
pub enum AnswerBody {
    /// Complete.
    Whole(Whole),
    /// On its way.
    Live(Open),
}

/// A complete body.
pub struct Whole {
    bytes: Option<Bytes>,
    ending: Option<Ending>,
}

/// A body that is on its way, in its caller's hands.
pub struct Open {
    /// Always there, until it is dropped.
    live: Option<Box<Live>>,
    /// Where it is read to its end when its caller leaves, if its provider bills all of it anyway.
    drains: Option<Drains>,
}

/// An answer that is on its way.
pub struct Live {
    stream: Stream,
    dialect: &'static dyn Dialect,
    last: Option<Bytes>,
    over: bool,
    events: Vec<Event>,
    ending: Option<Ending>,
    health: Asked,
    watch: Watch,
    /// The settlement, until the disk has it.
    durable: Option<Durable>,
}

/// An exchange that is going on, with its record. It ends exactly once: by `close`, or, when it is dropped before that, because the
/// caller left.
pub struct Ending {
    draft: Draft,
    telemetry: Arc<Telemetry>,
    switches: Switchboard,
    /// If all goes well from here.
    outcome: Outcome,
    closed: bool,
}

impl Ending {
    /// The exchange begins.
    #[must_use]
    pub fn begin(draft: Draft, telemetry: Arc<Telemetry>, switches: Switchboard) -> Self {
        telemetry.metrics.open_exchanges.inc();
        Self {
            draft,
            telemetry,
            switches,
            outcome: Outcome::Completed,
            closed: false,
        }
    }

    /// The record so far.
    pub fn draft(&mut self) -> &mut Draft {
        &mut self.draft
    }

    /// What the exchange will have been, if all goes well from here.
    pub fn expect(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Whom and what a kill switch may block; `None`: nobody has been asked yet.
    fn subject(&self) -> Option<Subject<'_>> {
        let record = self.draft.record();
        Some(switchboard::subject(
            record.caller.as_deref()?,
            record.route.as_deref(),
            record.asked.as_deref(),
            record.model.as_deref(),
        ))
    }

    fn close(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.telemetry.metrics.open_exchanges.dec();
        self.draft.close(outcome, clock::instant());
        self.telemetry.record(self.draft.record_mut());
    }

    fn close_as_expected(mut self) {
        let outcome = self.outcome;
        self.close(outcome);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.closed && self.draft.deadline().is_some_and(|deadline| deadline <= clock::instant()) {
            self.draft.fail(&untaken());
        } else if !self.closed && self.switches.is_closing() {
            self.draft.fail(&switchboard::closing());
        } else if !self.closed
            && let Some(switch) = self.subject().and_then(|subject| self.switches.load().aborting(&subject).cloned())
        {
            self.draft.fail(&blocked(&switch));
        }
        self.close(Outcome::Aborted);
    }
}

impl AnswerBody {
    /// A complete body.
    #[must_use]
    pub fn whole(bytes: Bytes, mut ending: Ending) -> Self {
        ending.draft.record_mut().answer_bytes = bytes.len() as u64;
        Self::Whole(Whole {
            bytes: Some(bytes),
            ending: Some(ending),
        })
    }

    /// A complete body that belongs to no exchange.
    #[must_use]
    pub fn plain(bytes: Bytes) -> Self {
        Self::Whole(Whole {
            bytes: Some(bytes),
            ending: None,
        })
    }

    /// When the exchange must be over, whether or not anybody looks at the body.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let ending = match self {
            Self::Whole(whole) => whole.ending.as_ref(),
            Self::Live(open) => open.live.as_ref().and_then(|live| live.ending.as_ref()),
        };
        ending?.draft.deadline()
    }

    /// Whose exchange it is, while there is something that can be broken off.
    #[must_use]
    pub fn aim(&self) -> Option<Aim> {
        let Self::Live(open) = self else { return None };
        let record = open.live.as_ref()?.ending.as_ref()?.draft.record();
        Some(Aim {
            caller: Arc::clone(record.caller.as_ref()?),
            route: record.route.clone(),
            asked: record.asked.clone(),
            deployment: record.model.clone(),
        })
    }

    /// A body that is on its way.
    #[must_use]
    pub fn live(stream: Stream, health: Asked, dialect: &'static dyn Dialect, ending: Ending, drains: &Drains) -> Self {
        let drains = (health.deployment().bills_on_cancel() == BillingOnCancel::Full).then(|| drains.clone());
        let live = Live {
            stream,
            health,
            watch: ending.switches.watch(),
            dialect,
            last: None,
            over: false,
            events: Vec::new(),
            ending: Some(ending),
            durable: None,
        };
        Self::Live(Open {
            live: Some(Box::new(live)),
            drains,
        })
    }
}

/// The caller still had some of the answer to take when its time was over.
fn untaken() -> Fault {
    Fault::client(FaultKind::Timeout, "the answer was not taken before the exchange's deadline").with_code("answer_not_taken")
}

impl Live {
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            // Nobody is told of the end before it is written down.
            if let Some(durable) = &mut self.durable {
                std::task::ready!(durable.as_mut().poll(cx));
                self.durable = None;
            }
            if let Some(bytes) = self.stream.take().or_else(|| self.last.take()) {
                if let Some(ending) = &mut self.ending {
                    ending.draft.record_mut().answer_bytes += bytes.len() as u64;
                }
                return Poll::Ready(Some(bytes));
            }
            if self.over {
                let complete = self.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Completed);
                if complete && self.stream.poll_settled(cx).is_pending() {
                    return Poll::Pending;
                }
                self.finish();
                return Poll::Ready(None);
            }
            if let Poll::Ready(fault) = self.poll_ended(cx) {
                self.break_off(&fault, false);
                continue;
            }
            let Poll::Ready(step) = self.stream.poll_step(cx, &mut self.events) else {
                return Poll::Pending;
            };
            self.take_step(step);
        }
    }

    /// Ready when a kill switch ends this exchange.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Fault> {
        let ending = self.ending.as_ref();
        self.watch.poll_ended(cx, || ending?.subject())
    }

    fn take_step(&mut self, step: Step) {
        if let Some(ending) = &mut self.ending {
            ending.draft.observe(&self.events);
        }
        self.events.clear();
        match step {
            Step::More => self.keep_up(),
            Step::Complete => {
                self.over = true;
                self.health.went_well(clock::instant());
                self.settle();
            }
            Step::Broken { fault, told } => {
                if fault.origin == Origin::Provider {
                    self.health.went_wrong(clock::instant());
                }
                self.break_off(&fault, told);
            }
        }
    }

    /// The answer ends with an error event, and never as if it were complete.
    fn break_off(&mut self, fault: &Fault, told: bool) {
        self.over = true;
        let Some(ending) = &mut self.ending else { return };
        ending.outcome = Outcome::Broken;
        ending.draft.fail(fault);
        self.durable = ending.draft.settle();
        if !told {
            let shown = crate::reply::shown(fault);
            let request_id = &ending.draft.record().request_id;
            self.last = Some(Bytes::from(self.dialect.write_stream_fault(&shown, request_id)));
        }
    }

    /// An answer that costs more than is held, and may not, ends here: not as if it were complete.
    fn keep_up(&mut self) {
        let fault = self.ending.as_mut().and_then(|ending| ending.draft.keep_up().err());
        if let Some(fault) = fault {
            self.break_off(&fault, false);
        }
    }

    /// Posts what the answer used, before its last bytes go, and says behind them what it cost.
    fn settle(&mut self) {
        let Some(ending) = &mut self.ending else { return };
        self.durable = ending.draft.settle();
        if let Some(paid) = &ending.draft.record().paid
            && paid.price_version.is_some()
        {
            self.last = Some(Bytes::from(format!(": x-tollgate-cost-usd: {}\n\n", paid.cost)));
        }
    }

    fn finish(&mut self) {
        let Some(mut ending) = self.ending.take() else { return };
        if let Some(loss) = self.stream.channel().loss() {
            ending.draft.lose(loss);
        }
        ending.close_as_expected();
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = match self.get_mut() {
            Self::Whole(whole) => {
                let bytes = whole.bytes.take();
                if let Some(ending) = whole.ending.take_if(|_| bytes.is_some()) {
                    ending.close_as_expected();
                }
                Poll::Ready(bytes)
            }
            Self::Live(open) => {
                let Some(live) = &mut open.live else { return Poll::Ready(None) };
                // A fault of ours in one answer is that answer's alone (F45).
                caught(|| live.poll_bytes(cx)).unwrap_or_else(|| {
                    if let Some(ending) = &live.ending {
                        ending.telemetry.metrics.panics.inc();
                    }
                    live.break_off(
                        &Fault::gateway(FaultKind::Internal, "internal error; the answer is not complete"),
                        false,
                    );
                    Poll::Ready(live.last.take())
                })
            }
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(Whole { bytes: None, .. }))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => SizeHint::with_exact(whole.bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Live(_) => SizeHint::default(),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let (Some(ending), Some(loss)) = (&mut self.ending, self.stream.channel().loss()) {
            ending.draft.lose(loss);
        }
        // Whoever left after the last byte missed nothing.
        if self.over && self.last.is_none() {
            self.finish();
        }
    }
}
