//! Runs copies of calls: a few at a time, on the control runtime, over connections of its own. A copy is admitted, held for, sent and settled
//! as a caller's call is, but in the shadow's own name and on its own budget; its row of the ledger bears the caller's request id with
//! the model and `-shadow` behind it.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollgate_policy::compare::{Answer, Comparison, compare};
use tollgate_policy::plan::Dice;
use tollgate_upstream::client::Client;
use tollgate_upstream::deployment::Asked;
use tollgate_wire::fault::{Fault, FaultKind};

use super::answer::Collected;
use super::{Given, Job, Shadows};
use crate::admit::{self, Desk};
use crate::call::{self, Order};
use crate::clock;
use crate::exchange::Shared;
use crate::record::{self, Draft};
use crate::stream::{Step, Stream};

/// Copies under way at one time.
const AT_ONCE_MAX: usize = 8;
/// Below this similarity an answer is one to look at.
const UNLIKE: f64 = 0.5;

/// Runs copies of calls.
pub struct Runner {
    /// What all exchanges share.
    pub shared: Arc<Shared>,
    /// What sends.
    pub client: Client,
}

impl Runner {
    /// Runs until it is told to stop; what is under way then is broken off, and posted as it stands.
    pub async fn run(self, stop: CancellationToken) {
        let memory = Arc::clone(&self.shared.config.load().memory);
        let Some(mut waiting) = memory.shadows.waiting() else { return };
        let runner = Arc::new(self);
        let mut under_way = JoinSet::new();
        while let Some(Some(job)) = stop.run_until_cancelled(waiting.recv()).await {
            while AT_ONCE_MAX <= under_way.len() {
                under_way.join_next().await;
            }
            while under_way.try_join_next().is_some() {}
            let (runner, memory) = (Arc::clone(&runner), Arc::clone(&memory));
            under_way.spawn(async move { runner.one(&memory.shadows, job).await });
        }
        under_way.shutdown().await;
    }

    async fn one(&self, shadows: &Shadows, mut job: Job) {
        shadows.count(&job.shadow.place, "sent");
        let began = clock::instant();
        let given = match &job.answer {
            Given::Seen(collected) => Some(collected.clone()),
            Given::Whole(bytes) => Collected::read(job.call.dialect, job.call.operation, job.call.envelope.stream, bytes),
        };
        let Some(given) = given else {
            return shadows.count(&job.shadow.place, "skipped.unreadable");
        };
        let (got, cost) = match self.ask(&mut job).await {
            Ok(got) => got,
            Err(fault) => {
                shadows.count(&job.shadow.place, &format!("failed.{}", reason(&fault)));
                return;
            }
        };
        let took = clock::instant().saturating_duration_since(began);
        let caller = Answer {
            took_ms: job.took_ms,
            cost: job.cost,
            ..given.answer()
        };
        let shadow = Answer {
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            cost,
            ..got.answer()
        };
        let compared = compare(&caller, &shadow, job.shadow.wanted);
        shadows.report(&job.shadow.place, |report| report.observe(&compared));
        let hour = clock::now().unix.as_secs() / 3_600;
        if differs(&compared) && shadows.may_sample(&job.shadow.place, hour) {
            shadows.count(&job.shadow.place, &format!("differs.{}", job.request_id));
        }
    }

    /// The shadow's answer, and what it cost.
    async fn ask(&self, job: &mut Job) -> Result<(Collected, tollgate_policy::money::NanoUsd), Fault> {
        let shadow = Arc::clone(&job.shadow);
        let config = self.shared.config.load_full();
        let now = clock::now();
        // Each copy of a call has a row of its own.
        let id = format!("{}-{}-shadow", job.request_id, shadow.place.1);
        let mut draft = Draft::begin(now, id, job.call.dialect.name(), job.call.operation.name());
        draft.caller(&shadow.caller);
        let desk = Desk {
            config: &config,
            books: &self.shared.books,
            switches: &self.shared.switches,
            caller: &shadow.caller,
            now,
        };
        let (leave, grant) = admit::aside(desk, &shadow.route, &mut job.call, &draft).await?;
        draft.granted(grant);
        draft.hear();
        let order = Order {
            leave: &leave,
            desk: &desk,
            call: &job.call,
        };
        let mut dice = Dice::new(rand::random());
        let answered = Box::pin(tokio::time::timeout(shadow.route.timeouts.total, async {
            match call::send(&self.client, order, &mut draft, &mut dice).await? {
                call::Answer::Whole(bytes) => {
                    let call = &job.call;
                    Collected::read(call.dialect, call.operation, call.envelope.stream, &bytes).ok_or_else(unreadable)
                }
                call::Answer::Live(stream, health) => {
                    listen(*stream, health, &mut draft).await?;
                    Ok(draft.heard())
                }
            }
        }))
        .await;
        if let Some(durable) = draft.settle() {
            durable.await;
        }
        let cost = draft.record().paid.as_ref().map(|paid| paid.cost).unwrap_or_default();
        let collected = answered.unwrap_or_else(|_| Err(Fault::provider(FaultKind::Timeout, "the shadow took too long")))?;
        if collected.is_cut() {
            return Err(Fault::provider(
                FaultKind::TooLarge,
                "the shadow's answer is too long to be compared",
            ));
        }
        Ok((collected, cost))
    }
}

/// Reads a stream to its end.
async fn listen(mut stream: Stream, mut health: Asked, draft: &mut Draft) -> Result<(), Fault> {
    let mut events = Vec::new();
    loop {
        let step = poll_fn(|cx| stream.poll_step(cx, &mut events)).await;
        draft.observe(&events);
        events.clear();
        while stream.take().is_some() {}
        match step {
            Step::More => {}
            Step::Complete => {
                health.went_well(clock::instant());
                return Ok(());
            }
            Step::Broken { fault, .. } => {
                health.went_wrong(clock::instant());
                return Err(*fault);
            }
        }
    }
}

/// Answers that a person should look at.
fn differs(compared: &Comparison) -> bool {
    compared.similarity.is_some_and(|similarity| similarity < UNLIKE)
        || compared.tools_equal == Some(false)
        || compared.json == Some((true, false))
}

/// The word for why there is no answer.
fn reason(fault: &Fault) -> String {
    let code = fault.code.as_deref().unwrap_or_else(|| record::kind_name(fault.kind));
    code.chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        .take(40)
        .collect()
}

fn unreadable() -> Fault {
    Fault::provider(FaultKind::BadUpstream, "the shadow's answer could not be read").with_code("bad_upstream_response")
}
