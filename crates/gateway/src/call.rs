//! Stage 5: a plan to an answer. Per attempt: translate (or patch the caller's own bytes), sign, send, and look until the answer has
//! begun; then nothing else is tried. What follows a fault is decided in `policy::retry`; how one try is sent, in `upstream::attempt`.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use tollgate_policy::plan::{Dice, Plan};
use tollgate_policy::retry::{self, Next, Standing, Trigger};
use tollgate_upstream::attempt::{self, Reply, Try};
use tollgate_upstream::client::{Client, collect};
use tollgate_upstream::credentials::{Credential, NoCredential, Reach};
use tollgate_upstream::deployment::{Asked, Deployment, Door};
use tollgate_wire::event::{AnswerContext, Event};
use tollgate_wire::fault::{Fault, FaultKind, Malformed, Origin, Retry};
use tollgate_wire::loss::Loss;
use tollgate_wire::target::StreamUsage;
use tollgate_wire::translate;

use crate::admit::Pass;
use crate::channel::Channel;
use crate::clock;
use crate::config::snapshot::{OnLoss, Route};
use crate::ingress::Call;
use crate::record::Draft;
use crate::stream::{Step, Stream};

/// The largest whole answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// What a stream may send before its first content: it is held back until then.
const PREFACE_BYTES_MAX: usize = 256 << 10;
/// How long a refused credential rests.
const REFUSED_REST: Duration = Duration::from_secs(60);

/// An answer that has begun.
pub enum Answer {
    /// It is complete.
    Whole(Bytes),
    /// Its first content is there.
    Live(Box<Stream>, Asked),
}

/// What was read of an answer.
enum Begun {
    Whole(Bytes),
    Stream(Box<Stream>),
}

/// What an attempt works with.
struct Walk<'a> {
    client: &'a Client,
    route: &'a Route,
    call: &'a Call,
    crossing: &'a HeaderMap,
    deadline: Instant,
}

/// Tries the plan's deployments until one begins to answer.
///
/// # Errors
/// The fault of the last attempt.
pub async fn send(client: &Client, pass: &Pass, plan: &Plan, call: &Call, draft: &mut Draft, dice: &mut Dice) -> Result<Answer, Fault> {
    let route = pass.route();
    let total = draft.started() + route.timeouts.total;
    let crossing = crate::crossing::headers(call, draft, dice);
    let walk = Walk {
        client,
        route,
        call,
        crossing: &crossing,
        deadline: call.wanted_by.map_or(total, |wanted| wanted.min(total)),
    };
    draft.ends_by(walk.deadline);
    let mut made = 0;
    let mut last: Option<Fault> = None;
    let count = plan.attempts().len();
    for (place, id) in plan.attempts().iter().enumerate() {
        let Some(deployment) = route.deployment(*id) else { continue };
        loop {
            let now = clock::instant();
            let asked = match deployment.ask(now) {
                Ok(asked) => asked,
                Err(wait) => {
                    last = Some(last.unwrap_or_else(|| resting(wait)));
                    if !route.fallback_on.contains(&Trigger::Unavailable) {
                        return Err(last.unwrap_or_else(nothing_tried));
                    }
                    break;
                }
            };
            made += 1;
            let fault = match walk.attempt(deployment, asked, now, draft).await {
                Ok(answer) => {
                    note_fallback(draft, route, plan, deployment, last.as_ref());
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            let standing = Standing {
                made,
                allowed: route.attempts_max,
                has_next: place + 1 < count,
                has_other_credential: has_other_credential(deployment.door(call.dialect)),
                fallback_on: &route.fallback_on,
                time_left: walk.deadline.saturating_duration_since(clock::instant()),
            };
            let next = retry::next(&fault, &standing, dice);
            draft.record_mut().model = Some(deployment.name.clone());
            last = Some(fault);
            match next {
                Next::Again(wait) => {
                    draft.waited(wait);
                    tokio::time::sleep(wait).await;
                }
                Next::Advance => break,
                Next::Stop => return Err(last.unwrap_or_else(nothing_tried)),
            }
        }
    }
    Err(last.unwrap_or_else(nothing_tried))
}

impl Walk<'_> {
    /// One attempt, with what it means for the deployment's health and the credential. What fails before anything is sent is no
    /// attempt, and says nothing about the deployment.
    async fn attempt(&self, deployment: &Deployment, mut asked: Asked, began: Instant, draft: &mut Draft) -> Result<Answer, Fault> {
        let door = deployment.door(self.call.dialect);
        let credential = credential_of(door, began)?;
        let (body, loss) = self.body_for(door)?;
        if self.route.on_loss == OnLoss::Reject && !loss.is_empty() {
            let message = format!("{loss} cannot be carried to this model, and the route refuses losses");
            return Err(Fault::client(FaultKind::Lossy, message).with_code("lossy_translation"));
        }
        draft.attempt_begins(&deployment.name);
        let result = self.try_once(door, credential, body, draft).await;
        let ended = clock::instant();
        draft.attempt_ended(began, ended, result.as_ref().err());
        let fault = match result {
            Ok(begun) => {
                draft.lose(&loss);
                return Ok(match begun {
                    Begun::Whole(bytes) => {
                        asked.went_well();
                        Answer::Whole(bytes)
                    }
                    Begun::Stream(stream) => {
                        asked.begun();
                        Answer::Live(stream, asked)
                    }
                });
            }
            Err(fault) => fault,
        };
        // A caller in a hurry says nothing about the provider.
        let hurried = fault.kind == FaultKind::Timeout && fault.retry == Retry::Never && self.call.wanted_by.is_some();
        if !hurried {
            judge(&mut asked, &fault, ended);
        }
        if let Some(credential) = credential {
            rest(door, credential, &fault, ended);
        }
        Err(fault)
    }

    async fn try_once(&self, door: &Door, credential: Option<&Credential>, body: Bytes, draft: &mut Draft) -> Result<Begun, Fault> {
        draft.record_mut().passthrough = tollgate_wire::dialects::same(door.dialect, self.call.dialect);
        let reply = attempt::open(
            self.client,
            Try {
                door,
                credential,
                operation: self.call.operation,
                body,
                headers: self.headers_for(door),
                stream: self.call.envelope.stream,
                timeouts: &self.route.timeouts,
                deadline: self.deadline,
                now: jiff::Timestamp::try_from(std::time::SystemTime::UNIX_EPOCH + clock::now().unix).unwrap_or_default(),
            },
        )
        .await?;
        draft.record_mut().provider_request_id.clone_from(&reply.request_id);
        self.read(door, reply, draft).await
    }

    /// The caller's own bytes with a few spans patched, where the dialect is the same; else a translation.
    fn body_for(&self, door: &Door) -> Result<(Bytes, Loss), Fault> {
        let call = self.call;
        if tollgate_wire::dialects::same(door.dialect, call.dialect) {
            let mut loss = Loss::default();
            let patch = door
                .dialect
                .patch(call.operation, &call.envelope, &call.body, &door.target, &mut loss);
            let body = if patch.is_empty() {
                call.body.clone()
            } else {
                Bytes::from(patch.apply(&call.body))
            };
            return Ok((body, loss));
        }
        let request = call.request()?;
        if request.messages.is_empty() {
            return Err(Malformed::at("messages", "the array is empty; send at least one message").into());
        }
        let mut loss = Loss::default();
        let body = door.dialect.write_request(call.operation, request, &door.target, &mut loss);
        Ok((Bytes::from(body), loss))
    }

    /// Beta features are named in a header that only their own dialect's vendor understands (FAULTS R-B5).
    fn headers_for(&self, door: &Door) -> HeaderMap {
        let mut headers = self.crossing.clone();
        let same = tollgate_wire::dialects::same(door.dialect, self.call.dialect);
        if same {
            crate::crossing::dialect_headers(door.dialect, &self.call.headers, door.site.betas, &mut headers);
        }
        headers
    }

    async fn read(&self, door: &Door, reply: Reply, draft: &mut Draft) -> Result<Begun, Fault> {
        let context = AnswerContext {
            id: draft.record().request_id.clone(),
            model: self.call.envelope.model.clone(),
            created: clock::now().unix.as_secs(),
            stream: self.call.envelope.stream,
            include_usage: self.call.envelope.include_usage,
        };
        if reply.streamed {
            let stream = self.begin_stream(door, reply, context, draft).await?;
            return if self.call.envelope.stream {
                Ok(Begun::Stream(Box::new(stream)))
            } else {
                gather(stream, draft).await
            };
        }
        let body = collect(reply.body, ANSWER_BYTES_MAX)
            .await
            .map_err(|fault| attempt::transport_fault(&fault))?;
        if tollgate_wire::dialects::same(door.dialect, self.call.dialect) && !self.call.envelope.stream {
            return self.check_whole(door, body, draft);
        }
        // A whole answer to a call for a stream becomes one: the same events, all at once.
        let mut pipe = translate::Pipe::new(door.dialect, false, self.call.dialect, self.call.operation, context);
        let (mut out, mut events) = (Vec::new(), Vec::new());
        let read = pipe
            .push(&body, &mut out, &mut events)
            .and_then(|()| pipe.end(&mut out, &mut events));
        accept(read, &events)?;
        pipe.finish(&mut out);
        draft.observe(&events);
        draft.lose(pipe.loss());
        Ok(Begun::Whole(Bytes::from(out)))
    }

    /// The provider's own bytes go on; they are read to see that they are an answer, and what it cost.
    fn check_whole(&self, door: &Door, body: Bytes, draft: &mut Draft) -> Result<Begun, Fault> {
        let mut decoder = door.dialect.decoder(self.call.operation, false);
        let mut events = Vec::new();
        let read = decoder.push(&body, &mut events).and_then(|()| decoder.end(&mut events));
        accept(read, &events)?;
        draft.observe(&events);
        Ok(Begun::Whole(body))
    }

    /// Reads a stream until its first content: until then another deployment may answer instead.
    async fn begin_stream(&self, door: &Door, reply: Reply, context: AnswerContext, draft: &mut Draft) -> Result<Stream, Fault> {
        let asked = door.target.quirks.stream_usage == StreamUsage::Ask;
        let channel = Channel::new(self.call, door.dialect, true, asked, context);
        let mut stream = Stream::new(reply.body, channel, door.target.quirks.terminator_optional);
        let mut events = Vec::new();
        loop {
            events.clear();
            let step = poll_fn(|cx| stream.poll_step(cx, &mut events)).await;
            draft.observe(&events);
            let begun = events.iter().any(Event::commits);
            match step {
                Step::More if !begun && stream.ready_bytes() <= PREFACE_BYTES_MAX => {}
                Step::More if !begun => return Err(bad_answer("a stream that does not come to its content")),
                Step::Complete if !begun => return Err(bad_answer("a stream without an answer in it")),
                Step::Broken { fault, .. } if !begun => return Err(before_content(*fault)),
                step => {
                    stream.keep(step);
                    return Ok(stream);
                }
            }
        }
    }
}

/// A stream that broke before its first content: nothing was delivered, so the same deployment may be asked once more (FAULTS F08).
fn before_content(mut fault: Fault) -> Fault {
    if fault.kind == FaultKind::Truncated {
        fault.retry = Retry::Same;
    }
    fault
}

/// A stream for a caller who wants a whole answer.
async fn gather(mut stream: Stream, draft: &mut Draft) -> Result<Begun, Fault> {
    let mut whole = Vec::new();
    let mut events = Vec::new();
    loop {
        let step = poll_fn(|cx| stream.poll_step(cx, &mut events)).await;
        draft.observe(&events);
        events.clear();
        while let Some(bytes) = stream.take() {
            whole.extend_from_slice(&bytes);
        }
        if whole.len() > ANSWER_BYTES_MAX {
            return Err(bad_answer("an answer that does not end"));
        }
        match step {
            Step::More => {}
            Step::Broken { fault, .. } => return Err(*fault),
            Step::Complete => {
                if let Some(loss) = stream.channel().loss() {
                    draft.lose(loss);
                }
                poll_fn(|cx| stream.poll_settled(cx)).await;
                return Ok(Begun::Whole(Bytes::from(whole)));
            }
        }
    }
}

/// An answer that was read whole must be one: no error in a success's clothes (FAULTS F15, F16).
fn accept(read: Result<(), Malformed>, events: &[Event]) -> Result<(), Fault> {
    for event in events {
        if let Event::Fault(fault) = event {
            return Err((**fault).clone());
        }
    }
    read.map_err(|malformed| bad_answer(&malformed.to_string()))
}

fn bad_answer(cause: &str) -> Fault {
    Fault::provider(FaultKind::BadUpstream, "the provider's answer could not be read")
        .with_code("bad_upstream_response")
        .with_cause(cause)
}

fn credential_of(door: &Door, now: Instant) -> Result<Option<&Credential>, Fault> {
    match door.site.credentials.pick(&door.target.model, now) {
        Ok(credential) => Ok(Some(credential)),
        Err(NoCredential::Empty) => Ok(None),
        Err(NoCredential::Resting(until)) => {
            let mut fault = Fault::provider(FaultKind::RateLimited, "the provider is limiting this gateway; try again later")
                .with_code("upstream_rate_limited");
            fault.retry_after = Some(until.saturating_duration_since(now));
            Err(fault)
        }
    }
}

/// A single credential is never another one, whether or not it rests.
fn has_other_credential(door: &Door) -> bool {
    let pool = &door.site.credentials;
    pool.iter().nth(1).is_some() && pool.pick(&door.target.model, clock::instant()).is_ok()
}

/// What a fault says about the deployment itself: not that it is busy, and not that the request was wrong.
fn judge(asked: &mut Asked, fault: &Fault, now: Instant) {
    use FaultKind as K;
    if fault.origin != Origin::Provider {
        return;
    }
    match fault.kind {
        K::Unavailable | K::Timeout | K::Tls | K::BadUpstream | K::Truncated | K::Upstream | K::Overloaded => asked.went_wrong(now),
        // It answered: that is health.
        _ if fault.provider_status.is_some() => asked.went_well(),
        _ => {}
    }
}

/// A limited or refused credential rests, so that its siblings are asked meanwhile.
fn rest(door: &Door, credential: &Credential, fault: &Fault, now: Instant) {
    let (reach, rest) = match fault.kind {
        FaultKind::RateLimited => (Reach::Model(&door.target.model), retry::cooldown(fault.retry_after)),
        FaultKind::QuotaExceeded => (Reach::Account, retry::cooldown(fault.retry_after)),
        FaultKind::Unauthorized => (Reach::Account, REFUSED_REST),
        _ => return,
    };
    // A single credential that always rested would keep its provider's own words from the caller.
    if door.site.credentials.iter().nth(1).is_some() || fault.retry_after.is_some() {
        door.site.credentials.rest(credential, reach, now + rest, now);
    }
}

/// A weaker answer is never silent: it says what should have answered, and why that did not.
fn note_fallback(draft: &mut Draft, route: &Route, plan: &Plan, answered: &Deployment, last: Option<&Fault>) {
    let Some(first) = route.deployment(plan.first_choice()) else {
        return;
    };
    if first.name != answered.name {
        let fault = last.map(|fault| crate::record::kind_name(fault.kind));
        let reason = plan.passed_over().or(fault).unwrap_or("unavailable");
        draft.record_mut().fallback = Some(format!("from={}; reason={reason}", first.name));
    }
}

fn resting(wait: Duration) -> Fault {
    let mut fault = Fault::gateway(
        FaultKind::Unavailable,
        "the provider has failed repeatedly and is given a rest; try again later",
    )
    .with_code("upstream_unavailable");
    fault.retry = Retry::Same;
    fault.retry_after = Some(wait.max(Duration::from_secs(1)));
    fault
}

fn nothing_tried() -> Fault {
    Fault::gateway(FaultKind::Unavailable, "no provider could be tried").with_code("upstream_unavailable")
}
