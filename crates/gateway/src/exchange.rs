//! The walk: one request, from the first byte in to the record out. Each stage is a file of its own, and gives what the next one
//! needs: without a `Pass` there is no plan, without a plan no answer.

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tollgate_policy::plan::Dice;
use tollgate_store::database::Database;
use tollgate_upstream::client::Client;
use tollgate_wire::fault::{Fault, FaultKind};

use crate::admit::{self, Desk};
use crate::books::Books;
use crate::call::{self, Answer, Order};
use crate::clock::{self, Now};
use crate::config::snapshot::Snapshot;
use crate::declassify::Declassifications;
use crate::idempotency::{Claimed, Replays};
use crate::ingress::{self, Door};
use crate::overload::{Asks, Pressure, Valve};
use crate::record::{Draft, Outcome};
use crate::resort::{self, Stranded};
use crate::switchboard::Switchboard;
use crate::tail::{AnswerBody, Drains, Ending};
use crate::telemetry::Telemetry;
use crate::{explain, facts, identify, loops, reply, review, route, shadow};

/// What all exchanges share.
pub struct Shared {
    /// The config in use.
    pub config: ArcSwap<Snapshot>,
    /// Accounts and journal.
    pub books: Arc<Books>,
    /// The kill switches that are on.
    pub switches: Switchboard,
    /// Durable state: no request waits for it, but for reviews.
    pub database: Database,
    /// How much more the process can take.
    pub pressure: Pressure,
    /// Where records go.
    pub telemetry: Arc<Telemetry>,
    /// Calls that were sent with an idempotency key.
    pub replays: Arc<Replays>,
    /// Where lowered labels are written down.
    pub declassifications: Declassifications,
    /// Room for answers that are read to their end after their caller has left.
    pub drains: Arc<Semaphore>,
}

/// One worker's gateway: its own connections to the providers, everything else shared.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
    client: Client,
    drains: Drains,
    valve: Arc<Valve>,
}

/// A caller's request and where it came from.
pub struct Call {
    /// The request.
    pub http: Request<Incoming>,
    /// The caller's address.
    pub from: IpAddr,
}

impl Gateway {
    /// A gateway that sends over that client, and whose tasks are waited for with those.
    #[must_use]
    pub fn new(shared: Arc<Shared>, client: Client, tasks: TaskTracker) -> Self {
        let drains = Drains::new(tasks, Arc::clone(&shared.drains));
        let valve = Arc::default();
        Self {
            shared,
            client,
            drains,
            valve,
        }
    }

    /// The connections to the providers.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What turns calls away when this worker has too many.
    #[must_use]
    pub fn valve(&self) -> &Arc<Valve> {
        &self.valve
    }

    /// Answers one request; whatever happens, with an answer in the caller's dialect and with a record.
    pub async fn answer(&self, call: Call) -> Response<AnswerBody> {
        let now = clock::now();
        let door = ingress::door(call.http.uri().path());
        let seed: u64 = rand::random();
        let explains = door.operation.is_none() && explain::is_asked(call.http.uri().path());
        let unknown = if explains { "explain" } else { "unknown" };
        let operation = door.operation.map_or(unknown, tollgate_wire::Operation::name);
        let draft = Draft::begin(now, request_id(now, seed), door.dialect.name(), operation);
        // From here on there will be a record, also of a caller who leaves.
        let mut ending = Ending::begin(draft, Arc::clone(&self.shared.telemetry), self.shared.switches.clone());
        let mut dice = Dice::new(seed);
        // Pinned here, not handed to a function that would keep a second copy of it.
        let walked = if review::id_of(call.http.uri().path()).is_some() {
            let mut walk = Box::pin(self.reviewed(call, now, ending.draft(), &mut dice));
            poll_fn(|cx| caught(|| walk.as_mut().poll(cx)).map_or(Poll::Ready(None), |poll| poll.map(Some))).await
        } else if explains {
            let mut walk = Box::pin(explain::answer((&self.shared, &self.client), call, now, ending.draft()));
            poll_fn(|cx| caught(|| walk.as_mut().poll(cx)).map_or(Poll::Ready(None), |poll| poll.map(Some))).await
        } else {
            let mut walk = pin!(self.walk(door, call, now, ending.draft(), &mut dice));
            poll_fn(|cx| caught(|| walk.as_mut().poll(cx)).map_or(Poll::Ready(None), |poll| poll.map(Some))).await
        };
        let result = walked.unwrap_or_else(|| {
            self.shared.telemetry.metrics.panics.inc();
            Err(Fault::gateway(
                FaultKind::Internal,
                "internal error; the request id names it in the log",
            ))
        });
        match result {
            Ok(answer) => answered(door, answer, ending, &self.drains).await,
            Err(fault) => refused(door, &fault, ending).await,
        }
    }

    /// The stages, in their order (GOVERNANCE section 3).
    async fn walk(&self, door: Door, call: Call, now: Now, draft: &mut Draft, dice: &mut Dice) -> Result<Answer, Fault> {
        let config = self.shared.config.load_full(); // one snapshot for the whole exchange
        draft.record_mut().config = Arc::clone(&config.revision);
        let (head, mut body) = call.http.into_parts();
        let doors = identify::Doors {
            directory: &config.directory,
            issuers: &config.issuers,
            features: &config.features,
            client: &self.client,
        };
        let front = match ingress::operation(door, &head) {
            // path, method, coding
            Ok(operation) => identify::caller(doors, &head.headers, call.from, now)
                .await
                .map(|caller| (operation, caller)), // who, team, rights
            Err(fault) => Err(fault),
        };
        let (operation, caller) = match front {
            Ok(front) => front,
            Err(fault) => {
                ingress::discard(&mut body, &head.headers).await;
                return Err(fault);
            }
        };
        let caller = Arc::new(caller);
        draft.caller(&caller);
        let switches = &self.shared.switches;
        admit::switched(&switches.load(), &caller.subject())?;
        let asks = Asks {
            priority: facts::priority_of(&head.headers).min(caller.priority_max()),
            open: self.shared.telemetry.metrics.open_exchanges.get(),
            now,
        };
        self.valve.admit(&self.shared.pressure, asks).inspect_err(|_| {
            self.shared.telemetry.metrics.turned_away.inc();
        })?; // before anything of it is read
        let mut call = ingress::read(door, operation, (head, body), caller.label().clone(), config.body_bytes_max).await?; // bytes, dialect, envelope
        draft.asked(&call);
        match self.shared.replays.claim(&caller, &call, now.instant)? {
            Some(Claimed::Again(bytes)) => return Ok(draft.replays(bytes)),
            Some(Claimed::First(claim)) => draft.claims(claim),
            None => {}
        }
        let desk = Desk {
            config: &config,
            books: &self.shared.books,
            switches: &self.shared.switches,
            caller: &caller,
            now,
        };
        self.proceed(&desk, &mut call, draft, dice).await
    }

    /// The stages of a call that has been read.
    async fn proceed(&self, desk: &Desk<'_>, call: &mut ingress::Call, draft: &mut Draft, dice: &mut Dice) -> Result<Answer, Fault> {
        let pass = admit::enter(*desk, call, draft).await?; // kill switches, rights, request rates, concurrency
        draft.admitted(pass.route());
        loops::check(*desk, pass.route(), call)?; // of routes that ask for it
        let plan = route::plan(*desk, &pass, call, dice); // ordered attempts; pure
        let plan = plan.map_err(|none| draft.undecided(pass.route(), none, call))?;
        draft.planned(&plan);
        draft.decided(pass.route(), &plan, call);
        if let Some(lowered) = desk.caller.lowered() {
            let (log, about) = (&self.shared.declassifications, (&*call, &**pass.route()));
            Box::pin(log.written(desk.caller, about, lowered, &draft.record().request_id)).await?;
            self.shared.telemetry.metrics.labels_lowered.inc();
        }
        let resorts = (!pass.route().resorts.is_empty()).then(|| Arc::clone(pass.route()));
        let (leave, grant) = admit::reserve(*desk, pass, plan, call, draft).await?; // tokens and money, every scope at once
        draft.settled_on(leave.route(), leave.plan());
        draft.granted(grant);
        draft.captured(shadow::capture(*desk, leave.route(), call, dice.clone())); // of routes with shadows
        let order = Order { leave: &leave, desk, call };
        let answer = call::send(&self.client, order, draft, dice).await; // per attempt: hold → translate → sign → send → look
        match (answer, resorts) {
            (Err(fault), Some(route)) => {
                let stranded = Stranded {
                    client: &self.client,
                    database: &self.shared.database,
                    desk: *desk,
                    call,
                    draft,
                    dice,
                };
                Box::pin(resort::after(fault, (&route, &leave), stranded)).await // what the route has left to say
            }
            (answer, _) => answer,
        }
    }

    /// How a review stands; and where a person has approved the request, its answer.
    async fn reviewed(&self, call: Call, now: Now, draft: &mut Draft, dice: &mut Dice) -> Result<Answer, Fault> {
        let config = self.shared.config.load_full();
        draft.record_mut().config = Arc::clone(&config.revision);
        let doors = identify::Doors {
            directory: &config.directory,
            features: &config.features,
            issuers: &config.issuers,
            client: &self.client,
        };
        let (head, _) = call.http.into_parts();
        let caller = Arc::new(identify::caller(doors, &head.headers, call.from, now).await?);
        draft.caller(&caller);
        admit::switched(&self.shared.switches.load(), &caller.subject())?;
        let asked = review::Asked {
            database: &self.shared.database,
            caller: &caller,
            now,
        };
        let id = review::id_of(head.uri.path()).unwrap_or_default();
        let mut kept = match asked.standing((id, &head), draft).await? {
            review::Standing::Told(bytes) => return Ok(Answer::Whole(bytes)),
            review::Standing::Approved(kept) => kept,
        };
        draft.asked(&kept);
        let desk = Desk {
            config: &config,
            books: &self.shared.books,
            switches: &self.shared.switches,
            caller: &caller,
            now,
        };
        // A caller who leaves meanwhile has not used the approval up.
        let taken = review::Taken::new(&self.shared.database, id, &self.drains);
        let answer = self.proceed(&desk, &mut kept, draft, dice).await;
        taken.returned();
        let stands_in = draft.record().stand_in.is_some();
        asked.sent(id, answer, stands_in).await
    }
}

async fn answered(door: Door, answer: Answer, mut ending: Ending, drains: &Drains) -> Response<AnswerBody> {
    let draft = ending.draft();
    draft.first_byte(clock::instant());
    draft.record_mut().status = 200;
    // The head says what it cost; and nobody is told what is not written down.
    if let Answer::Whole(_) = answer
        && let Some(durable) = draft.settle()
    {
        durable.await;
    }
    // What only stood in for an answer is not what the caller gets when it asks once more.
    if let Answer::Whole(bytes) = &answer
        && draft.record().stand_in.is_none()
    {
        draft.answered(bytes);
    }
    let headers = reply::facts(draft.record());
    let wants_stream = draft.record().stream;
    let review = draft.record_mut().review.take();
    if let (Some(review), Answer::Whole(bytes)) = (&review, &answer) {
        draft.record_mut().status = review.0;
        return reply::review(review.clone(), bytes.clone(), headers, ending);
    }
    match answer {
        Answer::Whole(bytes) if wants_stream => reply::events(bytes, headers, ending),
        Answer::Whole(bytes) => reply::whole(bytes, headers, ending),
        Answer::Live(stream, health) => reply::live((*stream, health), door.dialect, headers, ending, drains),
    }
}

async fn refused(door: Door, fault: &Fault, mut ending: Ending) -> Response<AnswerBody> {
    ending.expect(Outcome::Failed);
    let draft = ending.draft();
    draft.first_byte(clock::instant());
    draft.fail(fault);
    // What a failed attempt may cost is told too.
    if let Some(durable) = draft.settle() {
        durable.await;
    }
    let (status, body) = reply::fault_parts(door.dialect, fault, &draft.record().request_id);
    draft.record_mut().status = status;
    let headers = reply::facts(draft.record());
    reply::fault(status, body, fault, ending, headers)
}

/// Time first, so that ids sort; then the dice's seed, so that the exchange can be replayed.
fn request_id(now: Now, seed: u64) -> String {
    let mut id = String::with_capacity(32);
    id.push_str("req_");
    push_hex(&mut id, u64::try_from(now.unix.as_millis()).unwrap_or(u64::MAX), 12);
    push_hex(&mut id, seed, 16);
    id
}

/// The lowest so many hex digits.
fn push_hex(text: &mut String, value: u64, digits: u32) {
    let nibbles = (0..digits).rev().map(|place| (value >> (4 * place)) & 0xf);
    text.extend(nibbles.filter_map(|nibble| char::from_digit(u32::try_from(nibble).ok()?, 16)));
}

/// Runs our own code so that a panic in it is one exchange's alone (FAULTS F45); `None`: it panicked.
pub fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(AssertUnwindSafe(run)).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn f45_a_panic_is_that_exchanges_alone() {
        assert_eq!(caught(|| 7), Some(7));
        let nothing: Vec<u32> = Vec::new();
        assert_eq!(caught(|| nothing.first().copied().unwrap()), None);
    }

    /// A future that large would be copied whole for every request.
    #[test]
    fn the_walk_fits_into_a_few_kilobytes() {
        fn size<F: Future>(_: impl FnOnce(&'static Gateway, Call) -> F) -> usize {
            size_of::<F>()
        }
        let bytes = size(Gateway::answer);
        assert!(bytes <= 8 << 10, "{bytes} bytes");
    }

    #[test]
    fn ids_sort_by_time_and_name_their_seed() {
        let mut now = clock::now();
        let early = request_id(now, u64::MAX);
        now.unix += std::time::Duration::from_millis(1);
        assert!(early < request_id(now, 0));
        assert!(early.ends_with("ffffffffffffffff"));
        now.unix = std::time::Duration::from_millis(0x0123_4567_89ab);
        assert_eq!(request_id(now, 0xcdef), "req_0123456789ab000000000000cdef");
    }
}
