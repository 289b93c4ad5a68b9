//! The kill switches of this process: behind one pointer, with a bell for exchanges under way. Whoever turns one on, the admin API or a
//! person who writes the file of the data folder, rings it; who is blocked looks and breaks off. Neither needs the database.

use std::future::poll_fn;
use std::os::unix::fs::MetadataExt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio_util::sync::CancellationToken;
use tollgate_policy::switches::{Subject, Switches};
use tollgate_store::files::DataDir;
use tollgate_wire::fault::{Fault, FaultKind, Retry};

use crate::admit::blocked;
use crate::config::snapshot::Route;
use crate::identify::Caller;
use crate::ledger::lock;
use crate::telemetry::Telemetry;
use tollgate_upstream::deployment::Deployment;

/// How often the file is looked at: a switch that is written there works within a second.
const LOOK: Duration = Duration::from_millis(250);

/// The kill switches that are on.
#[derive(Clone)]
pub struct Switchboard(Arc<Board>);

struct Board {
    /// Those of the local file, and those of the database. A switch of either is on.
    layers: Mutex<[Switches; 2]>,
    /// Both together.
    switches: ArcSwap<Switches>,
    /// The process ends now, and every exchange with it.
    closing: AtomicBool,
    /// How often they were changed.
    changes: AtomicU64,
    bell: Arc<Notify>,
}

/// Looks, for one exchange, whether a switch ends it.
pub struct Watch {
    board: Switchboard,
    looked: Option<u64>,
    waiting: Option<(Pin<Box<OwnedNotified>>, Waker)>,
}

/// Whose exchange it is, for who watches it from outside.
pub struct Aim {
    /// Who calls.
    pub caller: Arc<Caller>,
    /// The route, where one was named.
    pub route: Option<Arc<Route>>,
    /// The model as it was asked for.
    pub asked: Option<String>,
    /// What answers.
    pub deployment: Option<Arc<Deployment>>,
}

impl Aim {
    /// Whom and what a switch may block.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        subject(
            &self.caller,
            self.route.as_deref(),
            self.asked.as_deref(),
            self.deployment.as_deref(),
        )
    }
}

/// Whom and what a switch may block.
#[must_use]
pub fn subject<'a>(
    caller: &'a Caller,
    route: Option<&'a Route>,
    asked: Option<&'a str>,
    deployment: Option<&'a Deployment>,
) -> Subject<'a> {
    Subject {
        route: route.map(|route| route.name.as_str()),
        model: asked,
        upstream_model: deployment.map(|deployment| deployment.name.as_str()),
        provider: deployment.map(|deployment| &*deployment.provider),
        ..caller.subject()
    }
}

impl Switchboard {
    /// A board with those switches of the local file on.
    #[must_use]
    pub fn new(switches: Switches) -> Self {
        Self(Arc::new(Board {
            layers: Mutex::new([switches.clone(), Switches::default()]),
            switches: ArcSwap::from_pointee(switches),
            closing: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            bell: Arc::default(),
        }))
    }

    /// The switches that are on.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Switches>> {
        self.0.switches.load()
    }

    /// The same, to be kept for a while.
    #[must_use]
    pub fn load_full(&self) -> Arc<Switches> {
        self.0.switches.load_full()
    }

    /// The local file has these now. Whether that changes anything.
    pub fn set_local(&self, switches: Switches) -> bool {
        self.set(|[local, _]| *local = switches)
    }

    /// The database has these now. Whether that changes anything.
    pub fn set_stored(&self, switches: Switches) -> bool {
        self.set(|[_, stored]| *stored = switches)
    }

    /// From here on nobody new passes what is on, and whom it ends is told at once.
    fn set(&self, change: impl FnOnce(&mut [Switches; 2])) -> bool {
        let mut layers = lock(&self.0.layers);
        change(&mut layers);
        let [local, stored] = &*layers;
        let mut all = stored.clone();
        for switch in local.iter() {
            // One that cannot be turned on is in no file: it was checked when it was read.
            let _ = all.turn_on(switch.clone());
        }
        if all == **self.0.switches.load() {
            return false;
        }
        self.0.switches.store(Arc::new(all));
        drop(layers);
        self.0.changes.fetch_add(1, Ordering::Release);
        self.0.bell.notify_waiters();
        true
    }

    /// The process ends now: every exchange that is under way is told so, and ends.
    pub fn close(&self) {
        self.0.closing.store(true, Ordering::Release);
        self.0.changes.fetch_add(1, Ordering::Release);
        self.0.bell.notify_waiters();
    }

    /// The process ends now.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire)
    }

    /// A look-out for one exchange.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch {
            board: self.clone(),
            looked: None,
            waiting: None,
        }
    }

    /// Does the work, unless a switch ends what it is done for.
    ///
    /// # Errors
    /// Forbidden, as soon as such a switch is on.
    pub async fn unless_ended<W: Future>(&self, subject: Subject<'_>, mut work: Pin<&mut W>) -> Result<W::Output, Fault> {
        let mut watch = self.watch();
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => watch.poll_ended(cx, || Some(subject)).map(Err),
        })
        .await
    }

    /// Takes over what is written into the file of the data folder, for the life of the process.
    pub async fn follow(self, data: DataDir, telemetry: Arc<Telemetry>, stop: CancellationToken) {
        let path = data.path().join("switches.json");
        let mark = || {
            std::fs::metadata(&path)
                .ok()
                .map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
        };
        let mut seen = mark();
        // It was read a moment ago; whatever came since then is news.
        let mut first = true;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let now = mark();
            if now == seen && !first {
                continue;
            }
            (seen, first) = (now, false);
            let (level, said) = match data.switches() {
                Ok(switches) => {
                    if !self.set_local(switches) {
                        continue;
                    }
                    let on = self.load().iter().count();
                    ("warn", format!("{} has changed: {on} kill switches are on", path.display()))
                }
                Err(error) => ("error", format!("{error}; the kill switches stay as they were")),
            };
            telemetry.log.event(level, &said);
        }
    }
}

/// What those are told whom the end of the process breaks off.
#[must_use]
pub fn closing() -> Fault {
    let message = "this gateway is being shut down, and the time for open calls is over; try again";
    let mut fault = Fault::gateway(FaultKind::Unavailable, message).with_code("shutting_down");
    // Here nothing else is tried.
    fault.retry = Retry::Never;
    fault.retry_after = Some(Duration::from_secs(1));
    fault
}

impl Watch {
    /// Looks anew, for another exchange.
    pub fn look_again(&mut self) {
        self.looked = None;
    }

    /// Ready as soon as a switch ends the exchange of that subject; `None`: it is not known yet whose it is.
    pub fn poll_ended<'s>(&mut self, cx: &mut Context<'_>, subject: impl FnOnce() -> Option<Subject<'s>>) -> Poll<Fault> {
        let board = Arc::clone(&self.board.0);
        let changes = || board.changes.load(Ordering::Acquire);
        // Nearly always: nothing has changed, and the bell knows whom to wake.
        if self.looked == Some(changes())
            && let Some((_, waker)) = &self.waiting
            && waker.will_wake(cx.waker())
        {
            return Poll::Pending;
        }
        let (mut bell, _) = self
            .waiting
            .take()
            .unwrap_or_else(|| (Box::pin(Arc::clone(&board.bell).notified_owned()), cx.waker().clone()));
        while bell.as_mut().poll(cx).is_ready() {
            bell.set(Arc::clone(&board.bell).notified_owned());
        }
        self.waiting = Some((bell, cx.waker().clone()));
        // Behind the bell: a change that is not seen here rings.
        self.looked = Some(changes());
        if board.closing.load(Ordering::Acquire) {
            return Poll::Ready(closing());
        }
        let switches = board.switches.load();
        if !switches.any_aborting() {
            return Poll::Pending;
        }
        let subject = subject();
        let ending = subject.as_ref().and_then(|subject| switches.aborting(subject));
        ending.map_or(Poll::Pending, |switch| Poll::Ready(blocked(switch)))
    }
}
