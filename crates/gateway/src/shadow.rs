//! Shadows: models that get a copy of a route's calls in the background, so that their answers can be compared with the callers'. A copy is
//! taken when the call is sent, and goes on its way when the caller has the whole answer: nothing here delays or changes that. What
//! does not fit (a long body, too many copies under way, a spent budget) is left out and counted.

mod answer;
mod run;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tollgate_policy::compare::{Report, Wanted};
use tollgate_policy::money::NanoUsd;
use tollgate_policy::plan::Dice;

pub use answer::Collected;
pub use run::Runner;

use crate::admit::Desk;
use crate::config::snapshot::Route;
use crate::identify::Caller;
use crate::ingress::Call;
use crate::ledger::lock;
use crate::record::Record;
use crate::release::{Place, refusal_of};

/// The largest request of which a copy is taken.
const BODY_BYTES_MAX: usize = 256 << 10;
/// Copies that wait; with the bound above (and the same for answers) they hold no more than 16 MiB.
const WAITING_MAX: usize = 32;
/// Ids of calls whose answers differ that are kept of a shadow in an hour.
const SAMPLES_MAX: usize = 10;
/// Shadows that have figures between two writings; what the config has is far less.
const REPORTS_MAX: usize = 1_000;

/// A shadow of a route.
pub struct Shadow {
    /// The route and the model, as its report is kept by.
    pub place: Place,
    /// The model, as a route of its own that bears the route's name.
    pub route: Arc<Route>,
    /// Of 10,000 calls it gets so many.
    pub sample: u32,
    /// What is compared.
    pub wanted: Wanted,
    /// Who spends: nobody's limits but its own.
    pub caller: Arc<Caller>,
}

/// Copies on their way, and what came of them.
pub struct Shadows {
    jobs: Sender<Job>,
    /// Taken once, by what runs them.
    waiting: Mutex<Option<Receiver<Job>>>,
    reports: Mutex<BTreeMap<Place, Report>>,
    /// In which hour so many ids were kept.
    samples: Mutex<BTreeMap<Place, (u64, usize)>>,
}

/// A copy of a call, with the answer that its caller got.
pub struct Job {
    shadow: Arc<Shadow>,
    call: Call,
    request_id: String,
    answer: Given,
    took_ms: u64,
    cost: NanoUsd,
}

/// The caller's answer.
#[derive(Clone)]
enum Given {
    /// As bytes, to be read when there is time.
    Whole(Bytes),
    /// As it was seen on its way.
    Seen(Collected),
}

/// What is kept of an exchange for its shadows; what the answer says, its draft collects.
pub struct Capture {
    shadows: Vec<Arc<Shadow>>,
    call: Call,
    whole: Option<Bytes>,
    /// Where the copies go.
    to: Arc<crate::release::Memory>,
}

impl Default for Shadows {
    fn default() -> Self {
        let (jobs, waiting) = channel(WAITING_MAX);
        Self {
            jobs,
            waiting: Mutex::new(Some(waiting)),
            reports: Mutex::default(),
            samples: Mutex::default(),
        }
    }
}

impl Shadows {
    /// The copies, for who runs them; `None`: somebody does already.
    #[must_use]
    pub fn waiting(&self) -> Option<Receiver<Job>> {
        lock(&self.waiting).take()
    }

    /// What came of copies since this was asked before.
    #[must_use]
    pub fn take_reports(&self) -> BTreeMap<Place, Report> {
        std::mem::take(&mut *lock(&self.reports))
    }

    /// Puts figures back that could not be written down.
    pub fn give_back(&self, place: &Place, figures: Vec<(String, i64)>) {
        self.report(place, |report| {
            let mut both = Report::new(figures);
            both.add_all(report);
            *report = both;
        });
    }

    /// Whether the id of one more call may be kept in this hour.
    fn may_sample(&self, place: &Place, hour: u64) -> bool {
        let mut samples = lock(&self.samples);
        if REPORTS_MAX <= samples.len() && !samples.contains_key(place) {
            return false;
        }
        let kept = samples.entry(place.clone()).or_default();
        if kept.0 != hour {
            *kept = (hour, 0);
        }
        kept.1 += 1;
        kept.1 <= SAMPLES_MAX
    }

    fn count(&self, place: &Place, what: &str) {
        self.report(place, |report| report.count(what));
    }

    fn report(&self, place: &Place, change: impl FnOnce(&mut Report)) {
        let mut reports = lock(&self.reports);
        if reports.len() < REPORTS_MAX || reports.contains_key(place) {
            change(reports.entry(place.clone()).or_default());
        }
    }
}

/// What has to be kept of a call for shadows that get a copy of it; `None`: none does. The dice are the caller's own copy: no other decision
/// is moved.
#[must_use]
pub fn capture(desk: Desk<'_>, route: &Route, call: &Call, mut dice: Dice) -> Option<Box<Capture>> {
    if route.shadows.is_empty() {
        return None;
    }
    let to = &desk.config.memory;
    let drawn = route.shadows.iter().filter(|shadow| dice.below(10_000) < u64::from(shadow.sample));
    let (mut shadows, high) = (Vec::new(), crate::release::risk(route, call));
    for shadow in drawn {
        let target = shadow.route.targets().first();
        let cleared = target.is_some_and(|target| call.may_go_to(&target.clearance).is_ok());
        let refused = target
            .and_then(|target| refusal_of(target, high))
            .or((!cleared).then_some("not_cleared"));
        if let Some(why) = refused {
            to.shadows.count(&shadow.place, &format!("skipped.{why}"));
        } else if BODY_BYTES_MAX < call.body.len() {
            to.shadows.count(&shadow.place, "skipped.too_large");
        } else {
            shadows.push(Arc::clone(shadow));
        }
    }
    (!shadows.is_empty()).then(|| {
        Box::new(Capture {
            shadows,
            call: call.copy(),
            whole: None,
            to: Arc::clone(to),
        })
    })
}

impl Capture {
    /// The answer is there as a whole.
    pub fn whole(&mut self, bytes: &Bytes) {
        self.whole = Some(bytes.clone());
    }

    /// The caller has the whole answer: the copies go on their way. Never waits.
    pub fn send(self, said: Collected, record: &Record) {
        let answer = self.whole.map_or(Given::Seen(said), Given::Whole);
        let too_long = match &answer {
            Given::Whole(bytes) => BODY_BYTES_MAX < bytes.len(),
            Given::Seen(collected) => collected.is_cut(),
        };
        let shadows = &self.to.shadows;
        for shadow in self.shadows {
            if too_long {
                shadows.count(&shadow.place, "skipped.too_large");
                continue;
            }
            let job = Job {
                call: self.call.copy(),
                request_id: record.request_id.clone(),
                answer: answer.clone(),
                took_ms: record.total_us / 1_000,
                cost: record.paid.as_ref().map(|paid| paid.cost).unwrap_or_default(),
                shadow: Arc::clone(&shadow),
            };
            if shadows.jobs.try_send(job).is_err() {
                shadows.count(&shadow.place, "skipped.busy");
            }
        }
    }
}
