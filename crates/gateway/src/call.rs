//! Stage 5: a plan to an answer. Per attempt: translate (or patch the caller's own bytes), sign, send, and look until the answer has
//! begun; then nothing else is tried. What follows a fault is decided in `policy::retry`; how one try is sent, in `upstream::attempt`.

mod answer;
mod form;
mod health;
mod hedge;
mod pen;
mod trial;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use tollgate_policy::plan::{Dice, Plan};
use tollgate_policy::retry::{self, Next, Standing, Trigger};
use tollgate_upstream::client::Client;
use tollgate_upstream::deployment::{Asked, Deployment, NotNow, Terms};
use tollgate_wire::fault::{Fault, FaultKind, Retry};

use crate::admit::{self, Desk, Leave};
use crate::clock;
use crate::config::snapshot::{Route, Target};
use crate::ingress::Call;
use crate::record::{Draft, Lane};
use crate::stream::Stream;

use answer::Begun;
use health::has_other_credential;
use pen::Pen;
use trial::Trial;

/// What is to be sent.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    /// The leave to send it, and where, in order.
    pub leave: &'a Leave,
    /// What further attempts are admitted by.
    pub desk: &'a Desk<'a>,
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
    desk: &'a Desk<'a>,
    route: &'a Arc<Route>,
    plan: &'a Plan,
    call: &'a Call,
    crossing: &'a HeaderMap,
    deadline: Instant,
}

/// How far a call has come.
#[derive(Default)]
struct Progress {
    /// Attempts made, of all deployments together.
    made: u32,
    /// The place in the plan that was asked as a hedge already.
    hedged: Option<usize>,
    /// What the last attempt that failed said, or why the first was not made.
    last: Option<Fault>,
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
        plan,
        call,
        crossing: &crossing,
        deadline: call.wanted_by.map_or(total, |wanted| wanted.min(total)),
    };
    draft.ends_by(walk.deadline);
    let mut progress = Progress::default();
    for (place, id) in plan.attempts().iter().enumerate() {
        let Some(target) = route.target(*id).filter(|_| progress.hedged != Some(place)) else {
            continue;
        };
        loop {
            let now = clock::instant();
            let asked = match walk.ask(target, now, &progress, draft) {
                Ok(asked) => asked,
                Err(fault) => {
                    let given_up = not_well(&fault).is_some_and(|trigger| !route.fallback_on.contains(&trigger));
                    progress.last.get_or_insert(fault);
                    if given_up {
                        return Err(progress.last.unwrap_or_else(nothing_tried));
                    }
                    break;
                }
            };
            // A hold that was moved is on the disk, where the config wants that, before anything is sent for it.
            if progress.made > 0
                && let Some(durable) = draft.grant().and_then(|grant| grant.durable())
            {
                durable.await;
            }
            let before = progress.made;
            let fault = match walk.answer((place, target), (asked, now), draft, &mut progress).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let next = walk.next(&fault, (place, target), progress.made, dice);
            draft.record_mut().model = Some(Arc::clone(&target.deployment));
            progress.last = Some(fault);
            match next {
                Next::Again(wait) => {
                    // What failed before it was sent counts as well, or it could be tried for ever.
                    progress.made = progress.made.max(before + 1);
                    draft.waited(wait);
                    let subject = admit::whole_subject(order.desk.caller, route, call, Some(&target.deployment));
                    let pause = pin!(tokio::time::sleep(wait));
                    order.desk.switches.unless_ended(subject, pause).await?;
                }
                Next::Advance => break,
                Next::Stop => return Err(progress.last.unwrap_or_else(nothing_tried)),
            }
        }
    }
    Err(progress.last.unwrap_or_else(nothing_tried))
}

impl Walk<'_> {
    /// Leave to call a deployment: of the limits and switches, of the provider's retry budget, of the breaker.
    fn ask(&self, target: &Target, now: Instant, progress: &Progress, draft: &mut Draft) -> Result<Asked, Fault> {
        admit::attempt(*self.desk, self.route, target, self.call, draft)?;
        let asked = self.ask_breaker(&target.deployment, now)?;
        if !self.has_budget(&target.deployment, now, progress.made, draft) {
            return Err(withheld());
        }
        Ok(asked)
    }

    fn ask_breaker(&self, deployment: &Arc<Deployment>, now: Instant) -> Result<Asked, Fault> {
        let terms = Terms {
            settings: self.route.resilience.breaker,
            streamed: self.call.envelope.stream,
        };
        deployment.ask(now, terms).map_err(resting)
    }

    /// A request's first call is free; so is that of a provider that is well and was not asked before. A try on the same deployment has been
    /// paid for when it was decided on.
    fn has_budget(&self, deployment: &Deployment, now: Instant, made: u32, draft: &Draft) -> bool {
        let retries = &deployment.door(self.call.dialect).site.retries;
        let attempts = &draft.record().attempts;
        let Some(last) = attempts.last() else {
            retries.first();
            return true;
        };
        if made > 0 && std::ptr::eq(&*last.deployment, deployment) {
            return true;
        }
        if attempts.iter().any(|attempt| attempt.deployment.provider == deployment.provider) {
            return retries.again(now);
        }
        retries.fallback(now)
    }

    /// One attempt, or a race of two.
    async fn answer(
        &self,
        (place, target): (usize, &Arc<Target>),
        (mut asked, began): (Asked, Instant),
        draft: &mut Draft,
        progress: &mut Progress,
    ) -> Result<Answer, Fault> {
        if let Some(wait) = self.hedge_wait((place, target), began, progress)
            && !draft.was_hedged()
        {
            return Box::pin(self.race((place, target), (asked, began), (wait, draft), progress)).await;
        }
        let trial = Trial {
            target,
            began,
            has_next: self.has_next(place, progress.made + 1),
        };
        let shared = Mutex::new(&mut *draft);
        let result = self
            .attempt(trial, &mut asked, Pen::new(&shared, Lane::First), &mut progress.made)
            .await;
        draft.waited(clock::instant().saturating_duration_since(began));
        let begun = result?;
        self.note_fallback(draft, &target.deployment, progress.last.as_ref());
        Ok(begun.with(asked))
    }

    /// Another deployment may still be tried behind that place.
    fn has_next(&self, place: usize, made: u32) -> bool {
        place + 1 < self.plan.attempts().len() && made < self.route.attempts_max
    }

    fn next(&self, fault: &Fault, (place, target): (usize, &Target), made: u32, dice: &mut Dice) -> Next {
        let now = clock::instant();
        let door = target.deployment.door(self.call.dialect);
        let standing = Standing {
            made,
            allowed: self.route.attempts_max,
            has_next: place + 1 < self.plan.attempts().len(),
            has_other_credential: has_other_credential(door),
            fallback_on: &self.route.fallback_on,
            time_left: self.deadline.saturating_duration_since(now),
        };
        retry::next(fault, &standing, dice, || door.site.retries.again(now))
    }

    /// A weaker answer is never silent: it says what should have answered, and why that did not.
    fn note_fallback(&self, draft: &mut Draft, answered: &Deployment, last: Option<&Fault>) {
        let fault = last.map(|fault| crate::record::kind_name(fault.kind));
        self.note(draft, answered, self.plan.passed_over().or(fault).unwrap_or("unavailable"));
    }

    fn note(&self, draft: &mut Draft, answered: &Deployment, reason: &str) {
        let Some(first) = self.route.deployment(self.plan.first_choice()) else {
            return;
        };
        if first.name != answered.name {
            draft.record_mut().fallback = Some(format!("from={}; reason={reason}", first.name));
        }
    }
}

impl Begun {
    fn with(self, asked: Asked) -> Answer {
        match self {
            Self::Whole(bytes) => Answer::Whole(bytes),
            Self::Stream(stream) => Answer::Live(stream, asked),
        }
    }
}

/// The code of a fault that says that a breaker is open.
const RESTING: &str = "upstream_unavailable";

fn resting(not_now: NotNow) -> Fault {
    if not_now.limited {
        return health::limited(not_now.wait);
    }
    let mut fault = Fault::gateway(
        FaultKind::Unavailable,
        "the provider has failed repeatedly and is given a rest; try again later",
    )
    .with_code(RESTING);
    fault.retry = Retry::Same;
    fault.retry_after = Some(not_now.wait.max(Duration::from_secs(1)));
    fault
}

/// What a deployment that rests is a case of; `None`: it was refused for another reason.
fn not_well(fault: &Fault) -> Option<Trigger> {
    match fault.code.as_deref()? {
        RESTING => Some(Trigger::Unavailable),
        health::LIMITED => Some(Trigger::RateLimited),
        _ => None,
    }
}

fn withheld() -> Fault {
    let message = "the provider is in trouble, and further tries would add to it; try again later";
    let mut fault = Fault::gateway(FaultKind::Unavailable, message).with_code("retry_budget");
    fault.retry_after = Some(Duration::from_secs(1));
    fault
}

fn nothing_tried() -> Fault {
    Fault::gateway(FaultKind::Unavailable, "no provider could be tried").with_code("upstream_unavailable")
}
