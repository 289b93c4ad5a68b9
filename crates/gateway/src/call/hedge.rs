//! A race: where an answer does not begin in time, the next deployment of the plan is asked as well. The first to begin answers; the other
//! is broken off and paid for, as a call is whose caller left. One hedge per request, inside the plan, and inside what hedges may cost.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tollgate_upstream::deployment::Asked;
use tollgate_wire::fault::{Fault, FaultKind};

use super::answer::Begun;
use super::pen::Pen;
use super::trial::Trial;
use super::{Answer, Progress, Walk};
use crate::admit;
use crate::books::Durable;
use crate::clock;
use crate::config::snapshot::Target;
use crate::record::{Draft, Lane};

/// The second deployment of a race.
struct Second<'w> {
    place: usize,
    target: &'w Arc<Target>,
    asked: Asked,
    began: Instant,
    /// Its hold, until the disk has it.
    durable: Option<Durable>,
}

/// Who came first.
struct Won {
    lane: Lane,
    begun: Begun,
}

impl<'w> Walk<'w> {
    /// How long the answer of that deployment is waited for before another one is asked too. `None`: it is waited for alone.
    pub(super) fn hedge_wait(&self, (place, target): (usize, &Target), now: Instant, progress: &Progress) -> Option<Duration> {
        let hedge = self.route.resilience.hedge.as_ref()?;
        if progress.made == 0 {
            hedge.deposit(now, admit::may_cost(*self.desk, self.route, target, self.call));
        }
        // The hedge is an attempt as well.
        if progress.hedged.is_some() || !self.has_next(place, progress.made + 1) {
            return None;
        }
        let wait = target.deployment.hedge_wait(hedge.after, self.call.envelope.stream)?;
        (wait < self.deadline.saturating_duration_since(now)).then_some(wait)
    }

    /// The attempt at that place, and after the wait another one beside it.
    pub(super) async fn race(
        &self,
        (place, target): (usize, &Arc<Target>),
        (mut asked, began): (Asked, Instant),
        (wait, draft): (Duration, &mut Draft),
        progress: &mut Progress,
    ) -> Result<Answer, Fault> {
        let mut second = None;
        let (mut first_made, mut second_made) = (progress.made, 0);
        let won = {
            let trial = Trial {
                target,
                began,
                has_next: self.has_next(place, progress.made + 1),
            };
            let shared = Mutex::new(&mut *draft);
            let mut first = pin!(self.attempt(trial, &mut asked, Pen::new(&shared, Lane::First), &mut first_made));
            match within(first.as_mut(), wait).await {
                Some(result) => result.map(|begun| Won { lane: Lane::First, begun }),
                None => {
                    let pen = Pen::new(&shared, Lane::Hedge);
                    second = self.second(place, progress.made + 1, pen);
                    match &mut second {
                        None => first.await.map(|begun| Won { lane: Lane::First, begun }),
                        Some(second) => both(first, pin!(self.run_second(second, pen, &mut second_made))).await,
                    }
                }
            }
        };
        progress.made = first_made + second_made;
        let now = clock::instant();
        draft.waited(now.saturating_duration_since(began));
        let Some(second) = second else {
            let won = won?;
            self.note_fallback(draft, &target.deployment, progress.last.as_ref());
            return Ok(won.begun.with(asked));
        };
        progress.hedged = Some(second.place);
        let Won { lane, begun } = won.inspect_err(|_| draft.settle_hedge())?;
        let (mut loser, lost_after) = match lane {
            Lane::First => (second.asked, now.saturating_duration_since(second.began)),
            Lane::Hedge => (std::mem::replace(&mut asked, second.asked), now.saturating_duration_since(began)),
        };
        loser.outrun(now);
        draft.won(lane, lost_after);
        let answered = if lane == Lane::First { target } else { second.target };
        draft.record_mut().model = Some(Arc::clone(&answered.deployment));
        draft.record_mut().model_status = answered.status;
        match lane {
            Lane::First => self.note_fallback(draft, &answered.deployment, progress.last.as_ref()),
            Lane::Hedge => self.note(draft, &answered.deployment, "hedge"),
        }
        Ok(begun.with(asked))
    }

    /// The deployment to be asked too, with a hold of its own; `None`: there is none that may be, or no money for it.
    fn second(&self, place: usize, made: u32, pen: Pen<'_, '_>) -> Option<Second<'w>> {
        let hedge = self.route.resilience.hedge.as_ref()?;
        let now = clock::instant();
        let later = self.plan.attempts().iter().enumerate().skip(place + 1);
        let mut targets = later.filter_map(|(place, id)| Some((place, self.route.target(*id)?)));
        let (place, target) = targets.find(|(_, target)| target.deployment.would_admit(now))?;
        let asked = self.ask_breaker(&target.deployment, now).ok()?;
        let cost = admit::may_cost(*self.desk, self.route, target, self.call);
        let held = pen.with(|draft, _| {
            let budget = self.has_budget(&target.deployment, now, made, draft);
            let affordable = budget && hedge.withdraw(now, cost);
            affordable.then(|| admit::hedge(*self.desk, self.route, target, self.call, draft).ok())?
        })?;
        let durable = held.durable();
        pen.with(|draft, _| draft.hedged(held));
        Some(Second {
            durable,
            place,
            target,
            asked,
            began: now,
        })
    }

    async fn run_second(&self, second: &mut Second<'_>, pen: Pen<'_, '_>, made: &mut u32) -> Result<Begun, Fault> {
        let trial = Trial {
            target: second.target,
            began: second.began,
            has_next: false,
        };
        if let Some(durable) = second.durable.take() {
            durable.await;
        }
        self.attempt(trial, &mut second.asked, pen, made).await
    }
}

/// What comes of it within that time.
async fn within<F: Future>(mut work: Pin<&mut F>, wait: Duration) -> Option<F::Output> {
    let mut pause = pin!(tokio::time::sleep(wait));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => pause.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// The first of two that begins; when neither does, the fault of the first deployment: that is where the plan goes on.
async fn both<A, B>(first: Pin<&mut A>, second: Pin<&mut B>) -> Result<Won, Fault>
where
    A: Future<Output = Result<Begun, Fault>>,
    B: Future<Output = Result<Begun, Fault>>,
{
    let (mut first, mut second) = (Some(first), Some(second));
    let mut fault = None;
    poll_fn(move |cx| {
        if let Some(result) = poll_once(&mut first, cx) {
            match result {
                Ok(begun) => return Poll::Ready(Ok(Won { lane: Lane::First, begun })),
                Err(failed) => fault = Some(failed),
            }
        }
        if let Some(result) = poll_once(&mut second, cx) {
            match result {
                Ok(begun) => return Poll::Ready(Ok(Won { lane: Lane::Hedge, begun })),
                Err(failed) => {
                    fault.get_or_insert(failed);
                }
            }
        }
        if first.is_some() || second.is_some() {
            return Poll::Pending;
        }
        let fault = fault
            .take()
            .unwrap_or_else(|| Fault::gateway(FaultKind::Internal, "internal error"));
        Poll::Ready(Err(fault))
    })
    .await
}

/// Polls what is not over yet; over, it is let go.
fn poll_once<F: Future>(work: &mut Option<Pin<&mut F>>, cx: &mut Context<'_>) -> Option<F::Output> {
    let Poll::Ready(done) = work.as_mut()?.as_mut().poll(cx) else {
        return None;
    };
    *work = None;
    Some(done)
}
