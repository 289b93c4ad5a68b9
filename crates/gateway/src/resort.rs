//! What is left when every attempt has failed and nothing has reached the caller: the route's last resorts, in their order. Each goes
//! through the same stages as the first go (planned, held, sent, recorded), and the answer says that it is one. Which faults they are for
//! is decided in `policy::resorts`.

mod wait;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tollgate_policy::plan::Dice;
use tollgate_policy::resorts::{self, Resort, STEPS_MAX};
use tollgate_store::database::Database;
use tollgate_upstream::client::Client;
use tollgate_wire::fault::Fault;
use tollgate_wire::translate;

use crate::admit::{self, Desk, Leave};
use crate::call::{self, Answer, Order};
use crate::clock;
use crate::config::snapshot::Route;
use crate::ingress::Call;
use crate::record::Draft;
use crate::{release, review, route};

/// What a fixed message is given as the answer of: no model pretends to have written it.
pub const MODEL: &str = "tollgate/last-resort";

/// A call whose attempts have failed.
pub struct Stranded<'a> {
    /// What is sent with.
    pub client: &'a Client,
    /// Where reviews are kept.
    pub database: &'a Database,
    /// What further goes are admitted by.
    pub desk: Desk<'a>,
    /// The caller's request.
    pub call: &'a mut Call,
    /// The record, with the grant.
    pub draft: &'a mut Draft,
    /// The exchange's dice.
    pub dice: &'a mut Dice,
}

/// Tries the last resorts of a route. `leave` is what was tried before.
///
/// # Errors
/// The fault of the last go; the first one's, where no step is for it.
pub async fn after(mut fault: Fault, (asked, leave): (&Arc<Route>, &Leave), mut stranded: Stranded<'_>) -> Result<Answer, Fault> {
    let first = leave.route().deployment(leave.plan().first_choice());
    let from = first.map_or_else(|| asked.name.clone(), |deployment| deployment.name.clone());
    let mut steps: VecDeque<(Arc<Route>, Resort)> = steps_of(asked);
    for _ in 0..STEPS_MAX {
        if !resorts::applies(&fault) {
            break;
        }
        let Some((at, step)) = steps.pop_front() else { break };
        match stranded.take(&at, (&step, &fault), &mut steps).await {
            Some(Ok(answer)) => {
                // A wait gives what the caller asked for; everything else is less, and says so.
                if !matches!(step, Resort::Queue(_)) || !Arc::ptr_eq(&at, asked) {
                    let told = format!("from={from}; reason={}", step.reason());
                    stranded.draft.record_mut().fallback = Some(told);
                }
                if matches!(step, Resort::Message(_) | Resort::Review(_)) {
                    // The answer is complete, and the record says what it stands for.
                    stranded.draft.fail(&fault);
                }
                return Ok(answer);
            }
            // Why another route does not take the call is said of that route, not of what the caller asked for.
            Some(Err(other)) if matches!(step, Resort::Route(_)) && !resorts::applies(&other) && !stranded.is_switched_off() => {}
            Some(Err(other)) => fault = other,
            None => {}
        }
    }
    Err(fault)
}

fn steps_of(route: &Arc<Route>) -> VecDeque<(Arc<Route>, Resort)> {
    route.resorts.iter().map(|step| (Arc::clone(route), step.clone())).collect()
}

impl Stranded<'_> {
    /// One step; `None`: it cannot help here.
    async fn take(
        &mut self,
        route: &Arc<Route>,
        (step, fault): (&Resort, &Fault),
        steps: &mut VecDeque<(Arc<Route>, Resort)>,
    ) -> Option<Result<Answer, Fault>> {
        match step {
            Resort::Reduce(most) => {
                if self.call.envelope.max_tokens.is_some_and(|asked| asked <= *most) {
                    return None;
                }
                if let Err(malformed) = self.call.limit_output(*most) {
                    return Some(Err(malformed.into()));
                }
                // From here on whatever answers answers that.
                self.draft.record_mut().reduced = Some(*most);
                Some(self.go(route).await)
            }
            Resort::Queue(longest) => wait::for_recovery(self, route, *longest).await,
            Resort::Route(name) => {
                let other = self.desk.config.route(name)?;
                self.call.risk = release::risk(route, self.call);
                let answer = self.go(&other).await;
                // What that route says for this case comes before the rest of ours.
                for step in steps_of(&other).into_iter().rev() {
                    steps.push_front(step);
                }
                Some(answer)
            }
            // What comes from a review does not go to another one.
            Resort::Review(_) if self.call.reviewed => None,
            Resort::Review(longest) => review::submit(self, (route, fault), *longest).await,
            Resort::Message(text) => Some(Ok(self.say(text))),
        }
    }

    /// A kill switch blocks whoever calls.
    fn is_switched_off(&self) -> bool {
        admit::switched(&self.desk.switches.load(), &self.desk.caller.subject()).is_err()
    }

    /// Once more through the stages, from the plan on.
    async fn go(&mut self, route: &Arc<Route>) -> Result<Answer, Fault> {
        let desk = Desk {
            now: clock::now(),
            ..self.desk
        };
        let pass = admit::again(desk, route)?;
        let plan = route::plan(desk, &pass, self.call, self.dice)?;
        let leave = admit::move_on(pass, plan)?;
        let order = Order {
            leave: &leave,
            desk: &desk,
            call: self.call,
        };
        call::send(self.client, order, self.draft, self.dice).await
    }

    /// The text as an answer in the caller's dialect. It costs nothing.
    fn say(&mut self, text: &str) -> Answer {
        let call = &*self.call;
        let context = call.context(call.dialect, self.draft.record());
        let bytes = translate::said(call.dialect, call.operation, context, (MODEL, text));
        let record = self.draft.record_mut();
        (record.model, record.stand_in) = (None, Some(MODEL));
        Answer::Whole(Bytes::from(bytes))
    }
}
