//! A record that is being written: what each stage adds to it. What is not known when it is closed stays out.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tollgate_policy::plan::Plan;
use tollgate_wire::event::Event;
use tollgate_wire::fault::{Fault, FaultKind, Origin};
use tollgate_wire::loss::Loss;

use super::words::{finish_name, kind_name, origin_name};
use super::{Attempt, FaultRecord, Outcome, Record};
use crate::books::{Durable, Grant, Paid};
use crate::call::Answer;
use crate::clock::{self, Now};
use crate::config::snapshot::{Route, Target};
use crate::explain::keep::Decision;
use crate::idempotency::Claim;
use crate::identify::Caller;
use crate::ingress::Call;
use crate::refusal;
use crate::route::NoPlan;
use crate::shadow::{Capture, Collected};

/// The most attempts that a record lists.
const ATTEMPTS_MAX: usize = 32;
/// The longest model name that a record keeps.
const ASKED_CHARS_MAX: usize = 256;
/// The longest word of a provider's that a record keeps.
const WORD_CHARS_MAX: usize = 64;
/// The longest internal cause that a record keeps.
const CAUSE_CHARS_MAX: usize = 300;

/// A record that is being written.
pub struct Draft {
    /// Boxed: it goes through many hands.
    record: Box<Record>,
    started: Instant,
    deadline: Option<Instant>,
    waited: Duration,
    grant: Option<Box<Grant>>,
    claim: Option<Box<Claim>>,
    /// What the answer says, where somebody wants to know.
    said: Option<Box<Collected>>,
    /// The call's copies for shadows.
    capture: Option<Box<Capture>>,
    /// The place of the attempt under way among those of the record.
    tried: Option<u8>,
    /// Only of a call that was hedged.
    race: Option<Box<Race>>,
}

/// A second attempt beside the first.
#[derive(Default)]
struct Race {
    /// What is held for it; none: it is over.
    grant: Option<Box<Grant>>,
    /// Its place among the attempts of the record.
    tried: Option<u8>,
    /// What the attempt cost that does not answer.
    aside: Option<Paid>,
}

/// Which of two attempts at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The one that was made first; behind a race, the one that answers.
    First,
    /// The hedge.
    Hedge,
}

impl Draft {
    /// Begins a record.
    #[must_use]
    pub fn begin(now: Now, request_id: String, dialect: &'static str, operation: &'static str) -> Self {
        Self {
            record: Box::new(Record::new(now.unix, request_id, dialect, operation)),
            started: now.instant,
            deadline: None,
            waited: Duration::ZERO,
            grant: None,
            claim: None,
            said: None,
            capture: None,
            tried: None,
            race: None,
        }
    }

    /// What is written so far.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The facts that a stage adds.
    pub fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    /// When the first byte came.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The exchange must be over by then.
    pub fn ends_by(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// When the exchange must be over; `None`: no provider was to be asked.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time since 1970 at that instant.
    #[must_use]
    pub fn unix(&self, at: Instant) -> Duration {
        self.record.time + at.saturating_duration_since(self.started)
    }

    /// An upstream try begins. Until it has ended, it counts as broken off: that is what it is when the caller leaves.
    pub fn attempt_begins(&mut self, lane: Lane, target: &Arc<Target>) {
        let deployment = &target.deployment;
        if let Some(grant) = self.held(lane) {
            grant.begin(target);
        }
        self.record.model = Some(Arc::clone(deployment));
        self.record.model_status = target.status;
        if let (Lane::First, Some(said)) = (lane, &mut self.said) {
            // What came of the attempt before was not the answer.
            **said = Collected::default();
        }
        let place = u8::try_from(self.record.attempts.len()).ok();
        let place = place.filter(|place| usize::from(*place) < ATTEMPTS_MAX);
        match (lane, &mut self.race) {
            (Lane::First, _) => self.tried = place,
            (Lane::Hedge, race) => {
                race.get_or_insert_default().tried = place;
                // Two answers at once cannot be told apart here: nothing is compared with them.
                self.said = None;
                self.capture = None;
            }
        }
        if place.is_some() {
            self.record.attempts.push(Attempt {
                deployment: Arc::clone(deployment),
                outcome: "aborted",
                status: None,
                took_us: 0,
            });
        }
    }

    /// The try of that lane has ended.
    pub fn attempt_ended(&mut self, lane: Lane, took: Duration, fault: Option<&Fault>) {
        if let (Some(grant), Some(fault)) = (self.held(lane), fault) {
            grant.attempt_failed(may_be_billed(fault));
        }
        if let Some(attempt) = self.attempt(lane) {
            attempt.outcome = fault.map_or("ok", |fault| kind_name(fault.kind));
            attempt.status = fault.and_then(|fault| fault.provider_status);
            attempt.took_us = micros(took);
        }
    }

    /// There was a second attempt at the same time: there is one at most.
    #[must_use]
    pub fn was_hedged(&self) -> bool {
        self.race.is_some()
    }

    /// What is held for a second attempt at the same time.
    pub fn hedged(&mut self, grant: Grant) {
        self.race.get_or_insert_default().grant = Some(Box::new(grant));
    }

    /// The race is over, and the answer of that lane goes on. The other try was broken off, if it had not failed: it is paid for, as one is
    /// whose caller left.
    pub fn won(&mut self, lane: Lane, took: Duration) {
        if let (Lane::Hedge, Some(race)) = (lane, &mut self.race) {
            std::mem::swap(&mut self.grant, &mut race.grant);
            // The call goes on, and so does its place among those that are open.
            if let (Some(winner), Some(loser)) = (&mut self.grant, &mut race.grant) {
                winner.take_place_of(loser);
            }
            std::mem::swap(&mut self.tried, &mut race.tried);
            self.record.usage = self.grant.as_ref().and_then(|grant| grant.told_usage()).map(Into::into);
        }
        if let Some(attempt) = self.attempt(Lane::Hedge).filter(|attempt| attempt.outcome == "aborted") {
            attempt.outcome = "outrun";
            attempt.took_us = micros(took);
        }
        self.settle_hedge();
    }

    /// Posts what the try beside the one that goes on has used.
    pub fn settle_hedge(&mut self) {
        if let Some(race) = &mut self.race
            && let Some(mut grant) = race.grant.take()
        {
            race.aside = grant.settle(clock::now());
        }
    }

    fn held(&mut self, lane: Lane) -> Option<&mut Grant> {
        match lane {
            Lane::First => self.grant.as_deref_mut(),
            Lane::Hedge => self.race.as_mut()?.grant.as_deref_mut(),
        }
    }

    fn attempt(&mut self, lane: Lane) -> Option<&mut Attempt> {
        let at = match lane {
            Lane::First => self.tried?,
            Lane::Hedge => self.race.as_ref()?.tried?,
        };
        self.record.attempts.get_mut(usize::from(at))
    }

    /// A try, or a pause before the next one: the provider's time, not our work.
    pub fn waited(&mut self, wait: Duration) {
        self.waited += wait;
    }

    /// A wait for room: neither the provider's time nor our work.
    pub fn queued(&mut self, wait: Duration) {
        self.waited += wait;
        *self.record.queued_us.get_or_insert(0) += micros(wait);
    }

    /// The first byte of the answer is ready.
    pub fn first_byte(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started);
        self.record.first_byte_us = Some(micros(elapsed));
        self.record.overhead_us = Some(micros(elapsed.saturating_sub(self.waited)));
    }

    /// What was asked for.
    pub fn asked(&mut self, call: &Call) {
        self.record.asked = Some(cut(&call.envelope.model, ASKED_CHARS_MAX));
        self.record.label = Some(call.label().clone());
        self.record.stream = call.envelope.stream;
        self.record.request_bytes = call.body.len() as u64;
    }

    /// The answer is to be kept under the caller's idempotency key.
    pub fn claims(&mut self, claim: Box<Claim>) {
        self.claim = Some(claim);
    }

    /// The answer is that of an earlier call with the same idempotency key.
    pub fn replays(&mut self, answer: Bytes) -> Answer {
        self.record.replayed = true;
        Answer::Whole(answer)
    }

    /// The whole answer is there.
    pub fn answered(&mut self, answer: &Bytes) {
        if let Some(capture) = &mut self.capture {
            capture.whole(answer);
        }
        // A stream is not kept, also where its events came all at once.
        if let Some(claim) = self.claim.take().filter(|_| !self.record.stream) {
            claim.keep(answer, clock::instant());
        }
    }

    /// Who asked.
    pub fn caller(&mut self, caller: &Arc<Caller>) {
        self.record.caller = Some(Arc::clone(caller));
    }

    /// What the caller was admitted to.
    pub fn admitted(&mut self, route: &Arc<Route>) {
        self.record.route = route.named.then(|| Arc::clone(route));
    }

    /// What is decided for the call, for who asks why.
    pub fn decided(&mut self, route: &Arc<Route>, plan: &Plan, call: &Call) {
        self.record.decision = Some(Decision::of(route, Some(plan), Vec::new(), call));
    }

    /// What is called after all: a rule may have put another in the place of what was planned.
    pub fn settled_on(&mut self, route: &Arc<Route>, plan: &Plan) {
        if let Some(decision) = &mut self.record.decision {
            (decision.route, decision.plan) = (Arc::clone(route), Some(plan.clone()));
        }
    }

    /// Nothing can answer the call.
    pub fn undecided(&mut self, route: &Arc<Route>, none: NoPlan, call: &Call) -> Fault {
        self.record.decision = Some(Decision::of(route, None, none.dropped, call));
        none.fault
    }

    /// What was planned for it.
    pub fn planned(&mut self, plan: &Plan) {
        self.record.complexity = plan.verdict().cloned();
    }

    /// What the call may cost is held.
    pub fn granted(&mut self, grant: Box<Grant>) {
        self.grant = Some(grant);
    }

    /// What is held for the call, until it is settled.
    pub fn grant(&mut self) -> Option<&mut Grant> {
        self.grant.as_deref_mut()
    }

    /// The answer may go on; else why it has to end.
    ///
    /// # Errors
    /// QuotaExceeded, RateLimited, Unavailable.
    pub fn keep_up(&mut self) -> Result<(), Fault> {
        let Some(grant) = &mut self.grant else { return Ok(()) };
        grant.keep_up().map_err(|why| {
            let fault = refusal::fault(&why, grant.status());
            // It is not one request that is too large: what was held for it is used up.
            if fault.kind == FaultKind::QuotaExceeded {
                fault.with_code("budget_exceeded")
            } else {
                fault
            }
        })
    }

    /// Nothing more will come: posts what was used. Once; later calls change nothing. What is given waits until that survives what the
    /// config's durability promises; `None`: it does.
    pub fn settle(&mut self) -> Option<Durable> {
        self.settle_hedge();
        let mut grant = self.grant.take()?;
        let paid = grant.settle(clock::now());
        self.record.paid = match (paid, self.race.as_ref().and_then(|race| race.aside.as_ref())) {
            (Some(paid), Some(aside)) => Some(paid.and(aside)),
            (paid, _) => paid,
        };
        grant.durable()
    }

    /// Takes from events what the record keeps, and what the provider bills.
    pub fn observe(&mut self, events: &[Event]) {
        self.observe_in(Lane::First, events);
    }

    /// The same, of one of two attempts at the same time.
    pub fn observe_in(&mut self, lane: Lane, events: &[Event]) {
        if let Some(grant) = self.held(lane) {
            grant.observe(events);
        }
        if let Some(said) = &mut self.said {
            said.observe(events);
        }
        for event in events {
            match event {
                Event::Usage(usage) => self.record.usage = Some((*usage).into()),
                Event::Finish { choice: 0, reason } => {
                    self.record.finish = Some(match finish_name(reason) {
                        Ok(ours) => Cow::Borrowed(ours),
                        Err(theirs) => Cow::Owned(cut(theirs, WORD_CHARS_MAX)),
                    });
                }
                _ => {}
            }
        }
    }

    /// Copies of the call go to shadows when its caller has the answer.
    pub fn captured(&mut self, capture: Option<Box<Capture>>) {
        if capture.is_some() {
            self.hear();
        }
        self.capture = capture;
    }

    /// What the answer says is put together.
    pub fn hear(&mut self) {
        self.said = Some(Box::default());
    }

    /// What the answer said.
    pub fn heard(&mut self) -> Collected {
        self.said.take().map(|said| *said).unwrap_or_default()
    }

    /// Adds lost features.
    pub fn lose(&mut self, loss: &Loss) {
        for feature in loss.features() {
            if !self.record.loss.contains(feature) {
                self.record.loss.push(feature.clone());
            }
        }
    }

    /// Notes what went wrong.
    pub fn fail(&mut self, fault: &Fault) {
        self.record.fault = Some(FaultRecord {
            kind: kind_name(fault.kind),
            origin: origin_name(fault.origin),
            code: fault.code.as_deref().map(|code| cut(code, WORD_CHARS_MAX)),
            cause: fault
                .cause
                .as_deref()
                .map(|cause| tollgate_guard::mask::credentials(&cut(cause, CAUSE_CHARS_MAX))),
        });
    }

    /// Closes the record.
    pub fn close(&mut self, outcome: Outcome, now: Instant) {
        self.settle();
        self.record.outcome = outcome;
        self.record.total_us = micros(now.saturating_duration_since(self.started));
        if let Some(release) = self.record.route.as_ref().and_then(|route| route.release.as_ref()) {
            release.observe(&self.record);
        }
        if let Some(capture) = self
            .capture
            .take()
            .filter(|_| self.record.stand_in.is_none() && outcome == Outcome::Completed)
        {
            let said = self.heard();
            capture.send(said, &self.record);
        }
    }
}

/// Whether a provider may charge for an attempt that failed like this: not for one that it refused or that never reached it, but for one that
/// it had taken and of which the answer did not come, or not whole.
fn may_be_billed(fault: &Fault) -> bool {
    let taken = fault.provider_status.is_none_or(|status| status < 300);
    // Forbidden without the provider's word: a kill switch ended it while it was under way; unavailable by our own: the process did.
    use FaultKind as K;
    let ended_by_us = fault.origin == Origin::Gateway && fault.kind == K::Unavailable;
    let broken_off = matches!(
        fault.kind,
        K::Timeout | K::Truncated | K::BadUpstream | K::InvalidOutput | K::Forbidden
    );
    taken && (ended_by_us || broken_off)
}

/// The first characters of a text.
fn cut(text: &str, chars_max: usize) -> String {
    let end = text.char_indices().nth(chars_max).filter(|_| text.len() > chars_max);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text).to_owned()
}

/// The nearest whole number of microseconds.
fn micros(duration: Duration) -> u64 {
    u64::try_from((duration.as_nanos() + 500) / 1000).unwrap_or(u64::MAX)
}
