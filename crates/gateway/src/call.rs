//! Stage 5: a plan to an answer. Per attempt: translate (or patch the caller's own bytes), sign, send, and look until the answer has
//! begun; then nothing else is tried. What follows a fault is decided in `policy::retry`; how one try is sent, in `upstream::attempt`.

mod answer;
mod health;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use tollgate_policy::plan::{Dice, Plan};
use tollgate_policy::retry::{self, Next, Standing, Trigger};
use tollgate_upstream::attempt::{self, Try};
use tollgate_upstream::client::Client;
use tollgate_upstream::credentials::Credential;
use tollgate_upstream::deployment::{Asked, Deployment, Door};
use tollgate_wire::fault::{Fault, FaultKind, Malformed, Retry};
use tollgate_wire::loss::Loss;

use crate::admit::{self, Desk, Leave};
use crate::clock;
use crate::config::snapshot::{OnLoss, Route, Target};
use crate::ingress::Call;
use crate::record::Draft;
use crate::stream::Stream;

use answer::Begun;
use health::{credential_of, has_other_credential, judge, rest};

/// What is to be sent.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The leave to send it, and where, in order.
    pub leave: &'a Leave,
    /// What further attempts are admitted by.
    pub desk: Desk<'a>,
    /// The caller's request.
    pub call: &'a Call,
}

/// An answer that has begun.
pub enum Answer {
    /// It is complete.
    Whole(Bytes),
    /// Its first content is there.
    Live(Box<Stream>, Asked),
}

/// What an attempt works with.
struct Walk<'a> {
    client: &'a Client,
    desk: Desk<'a>,
    route: &'a Route,
    call: &'a Call,
    crossing: &'a HeaderMap,
    deadline: Instant,
}

/// Tries the plan's deployments until one begins to answer.
///
/// # Errors
/// The fault of the last attempt.
pub async fn send(client: &Client, order: Order<'_>, draft: &mut Draft, dice: &mut Dice) -> Result<Answer, Fault> {
    let Order { leave, call, .. } = order;
    let (route, plan) = (leave.route(), leave.plan());
    let total = draft.started() + route.timeouts.total;
    let crossing = crate::crossing::headers(call, draft, dice);
    let walk = Walk {
        client,
        desk: order.desk,
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
        let Some(target) = route.target(*id) else { continue };
        let deployment = &target.deployment;
        loop {
            if let Err(fault) = admit::attempt(order.desk, route, target, call, draft) {
                last = Some(last.unwrap_or(fault));
                break;
            }
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
            let fault = match walk.attempt(target, asked, now, draft).await {
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
            draft.record_mut().model = Some(Arc::clone(deployment));
            last = Some(fault);
            match next {
                Next::Again(wait) => {
                    draft.waited(wait);
                    let subject = admit::whole_subject(order.desk.caller, route, call, Some(deployment));
                    let pause = pin!(tokio::time::sleep(wait));
                    order.desk.switches.unless_ended(subject, pause).await?;
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
    async fn attempt(&self, target: &Arc<Target>, mut asked: Asked, began: Instant, draft: &mut Draft) -> Result<Answer, Fault> {
        let door = target.deployment.door(self.call.dialect);
        let credential = credential_of(door, began)?;
        let (body, loss) = self.body_for(door)?;
        if self.route.on_loss == OnLoss::Reject && !loss.is_empty() {
            let message = format!("{loss} cannot be carried to this model, and the route refuses losses");
            return Err(Fault::client(FaultKind::Lossy, message).with_code("lossy_translation"));
        }
        draft.attempt_begins(target);
        let subject = admit::whole_subject(self.desk.caller, self.route, self.call, Some(&target.deployment));
        let result = {
            let tried = pin!(self.try_once(door, credential, body, draft));
            self.desk.switches.unless_ended(subject, tried).await.flatten()
        };
        let ended = clock::instant();
        draft.attempt_ended(began, ended, result.as_ref().err());
        let fault = match result {
            Ok(begun) => {
                draft.lose(&loss);
                return Ok(match begun {
                    Begun::Whole(bytes) => {
                        asked.begun(ended);
                        asked.went_well();
                        Answer::Whole(bytes)
                    }
                    Begun::Stream(stream) => {
                        asked.begun(ended);
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
        let mut reply = attempt::open(
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
                unix: draft.unix(clock::instant()),
            },
        )
        .await?;
        draft.record_mut().provider_request_id = reply.request_id.take();
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
