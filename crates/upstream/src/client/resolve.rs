//! Names to addresses: one look-up at a time per origin, remembered for when DNS is down.
//!
//! The addresses checked here are the ones connected to; nothing resolves a name a second time. No knowledge of TTLs:
//! the system's resolver hides them, so freshness is a constant.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tokio::time::{Instant, timeout};

use super::fault::{TransportFault, TransportFaultKind};
use super::origin::Origin;

/// Addresses younger than this are used without asking again.
const FRESH: Duration = Duration::from_secs(30);
/// Addresses younger than this are used when DNS fails (F02).
const USABLE: Duration = Duration::from_secs(10 * 60);
/// How long a slow DNS is waited for when older addresses are at hand. Without them, the connect timer decides.
const PATIENCE: Duration = Duration::from_secs(1);
/// After a failure DNS is left alone this long: a dead resolver must not be asked by every request.
const RESPITE: Duration = Duration::from_secs(1);
/// Addresses tried per connection attempt.
const ADDRESSES_MAX: usize = 8;

/// What is known of the addresses of one origin.
#[derive(Default)]
pub(super) struct Resolver {
    known: Mutex<Known>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    addresses: Arc<[SocketAddr]>,
    learned: Option<Instant>,
    doubted: bool,
    failed: Option<(Instant, String)>,
}

/// What to do without asking anyone.
enum Settled {
    Use(Arc<[SocketAddr]>),
    Fail(String),
    /// Ask; and if that fails, these may still be used.
    Ask(Option<Arc<[SocketAddr]>>),
}

impl Known {
    fn settle(&self, now: Instant) -> Settled {
        let age = self.learned.map(|learned| now.duration_since(learned));
        let usable = || Arc::clone(&self.addresses);
        if age.is_some_and(|age| age <= FRESH) && !self.doubted {
            return Settled::Use(usable());
        }
        let stale = age.is_some_and(|age| age <= USABLE);
        match &self.failed {
            Some((at, _)) if now.duration_since(*at) < RESPITE && stale => Settled::Use(usable()),
            Some((at, reason)) if now.duration_since(*at) < RESPITE => Settled::Fail(reason.clone()),
            _ => Settled::Ask(stale.then(usable)),
        }
    }

    fn learn(&mut self, addresses: Arc<[SocketAddr]>, now: Instant) {
        *self = Known {
            addresses,
            learned: Some(now),
            doubted: false,
            failed: None,
        };
    }

    fn fail(&mut self, reason: String, now: Instant) {
        self.failed = Some((now, reason));
    }
}

impl Resolver {
    /// The addresses to try, in order; never empty.
    pub(super) async fn addresses(&self, origin: &Origin, names: &dyn Names) -> Result<Arc<[SocketAddr]>, TransportFault> {
        self.addresses_by(origin.host(), lookup(names, origin)).await
    }

    async fn addresses_by(&self, host: &str, look_up: impl Future<Output = LookedUp>) -> Result<Arc<[SocketAddr]>, TransportFault> {
        if let Some(settled) = self.settled() {
            return settled;
        }
        let _turn = self.turn.lock().await;
        // Whoever had the turn before may have asked for all of us.
        let stale = match self.settle() {
            Settled::Use(addresses) => return Ok(addresses),
            Settled::Fail(reason) => return Err(TransportFault::new(TransportFaultKind::Dns, reason)),
            Settled::Ask(stale) => stale,
        };
        let answer = match &stale {
            Some(_) => timeout(PATIENCE, look_up)
                .await
                .unwrap_or_else(|_| Err(format!("{host}: dns did not answer within {PATIENCE:?}"))),
            None => look_up.await,
        };
        let mut known = self.lock();
        match (answer, stale) {
            (Ok(addresses), _) => {
                known.learn(Arc::clone(&addresses), Instant::now());
                Ok(addresses)
            }
            (Err(reason), Some(stale)) => {
                known.fail(reason, Instant::now());
                Ok(stale)
            }
            (Err(reason), None) => {
                known.fail(reason.clone(), Instant::now());
                Err(TransportFault::new(TransportFaultKind::Dns, reason))
            }
        }
    }

    /// None of the known addresses took a connection: the service may have moved, so the next connect asks again.
    pub(super) fn doubt(&self) {
        self.lock().doubted = true;
    }

    /// Whether what was learned may still be of use when DNS fails.
    pub(super) fn is_worth_keeping(&self, now: Instant) -> bool {
        self.lock()
            .learned
            .is_some_and(|learned| now.saturating_duration_since(learned) <= USABLE)
    }

    fn settled(&self) -> Option<Result<Arc<[SocketAddr]>, TransportFault>> {
        match self.settle() {
            Settled::Use(addresses) => Some(Ok(addresses)),
            Settled::Fail(reason) => Some(Err(TransportFault::new(TransportFaultKind::Dns, reason))),
            Settled::Ask(_) => None,
        }
    }

    fn settle(&self) -> Settled {
        self.lock().settle(Instant::now())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers addresses as if learned at `at`.
    #[cfg(test)]
    pub(super) fn seed(&self, addresses: Vec<SocketAddr>, at: Instant) {
        self.lock().learn(addresses.into(), at);
    }
}

/// What a name stands for, or why that is not known.
type LookedUp = Result<Arc<[SocketAddr]>, String>;

/// Who knows what a name stands for. Asked by one place alone, which judges the addresses before anybody connects to them.
pub trait Names: fmt::Debug + Send + Sync {
    /// The addresses of a host.
    fn look_up<'a>(&'a self, host: &'a str) -> Found<'a>;
}

/// What a look-up returns.
pub type Found<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// The system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up<'a>(&'a self, host: &'a str) -> Found<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

async fn lookup(names: &dyn Names, origin: &Origin) -> LookedUp {
    let host = origin.host();
    let found = names.look_up(host).await.map_err(|error| format!("{host}: {error}"))?;
    let allowed = found.iter().filter(|address| origin.reach().refusal(**address).is_none());
    let addresses = in_order(allowed.map(|address| SocketAddr::new(*address, origin.port())));
    if addresses.is_empty() {
        let shown = |address: &IpAddr| match origin.reach().refusal(*address) {
            Some(what) => format!("{address}, {what}"),
            None => address.to_string(),
        };
        let refused: Vec<String> = found.iter().map(shown).collect();
        return Err(format!(
            "{host}: no address that a name may stand for (found: {})",
            refused.join("; ")
        ));
    }
    Ok(addresses.into())
}

/// The resolver's order with the two families taking turns (RFC 8305, 4), without repeats.
fn in_order(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut first_family = Vec::new();
    let mut other_family = Vec::new();
    for address in found {
        let leads = first_family
            .first()
            .is_none_or(|first: &SocketAddr| first.is_ipv6() == address.is_ipv6());
        let family = if leads { &mut first_family } else { &mut other_family };
        if !family.contains(&address) {
            family.push(address);
        }
    }
    let mut ordered = Vec::with_capacity(first_family.len() + other_family.len());
    let mut others = other_family.into_iter();
    for address in first_family {
        ordered.push(address);
        ordered.extend(others.next());
    }
    ordered.extend(others);
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn f02_known_addresses_age_from_fresh_to_usable_to_forgotten() {
        let now = Instant::now() + USABLE * 2;
        let ago = |age: Duration| now - age;
        let rows = [
            ("fresh", Some(FRESH), false, None, "use"),
            ("doubted after a refused connect", Some(FRESH), true, None, "ask, fall back"),
            ("stale", Some(FRESH + RESPITE), false, None, "ask, fall back"),
            ("stale, dns failed a moment ago", Some(USABLE), false, Some(RESPITE / 2), "use"),
            (
                "stale, dns failed a while ago",
                Some(USABLE),
                false,
                Some(RESPITE),
                "ask, fall back",
            ),
            ("too old", Some(USABLE + RESPITE), false, None, "ask"),
            (
                "too old, dns failed a moment ago",
                Some(USABLE + RESPITE),
                false,
                Some(RESPITE / 2),
                "fail",
            ),
            ("never seen", None, false, None, "ask"),
        ];
        for (name, age, doubted, failed, expected) in rows {
            let known = Known {
                addresses: Arc::new(["127.0.0.1:1".parse().unwrap()]),
                learned: age.map(ago),
                doubted,
                failed: failed.map(|age| (ago(age), "no such host".to_owned())),
            };
            let got = match known.settle(now) {
                Settled::Use(_) => "use",
                Settled::Fail(_) => "fail",
                Settled::Ask(Some(_)) => "ask, fall back",
                Settled::Ask(None) => "ask",
            };
            assert_eq!(got, expected, "{name}");
        }
    }

    /// What a resolver does that answers SERVFAIL, one that answers after 30 seconds, and one that answers.
    async fn dns(kind: &str) -> LookedUp {
        match kind {
            "servfail" => return Err("temporary failure in name resolution".to_owned()),
            "slow" => tokio::time::sleep(Duration::from_secs(30)).await,
            _ => {}
        }
        Ok(Arc::new(["127.0.0.2:2".parse().unwrap()]))
    }

    /// Time is paused: tokio moves it on while all wait.
    #[tokio::test(start_paused = true)]
    async fn f02_a_failing_or_slow_dns_is_bounded_and_the_last_good_addresses_serve() {
        const CONNECT: Duration = Duration::from_secs(5);
        let (old, new) = ("127.0.0.1:1", "127.0.0.2:2");
        let rows = [
            ("servfail", true, Some(old), Duration::ZERO),
            ("slow", true, Some(old), PATIENCE),
            ("well", true, Some(new), Duration::ZERO),
            ("servfail", false, None, Duration::ZERO),
            ("slow", false, None, CONNECT),
            ("well", false, Some(new), Duration::ZERO),
        ];
        tokio::time::advance(USABLE).await;
        for (kind, seeded, expected, within) in rows {
            let resolver = Resolver::default();
            if seeded {
                resolver.seed(vec![old.parse().unwrap()], Instant::now().checked_sub(FRESH * 2).unwrap());
            }
            let began = Instant::now();
            let found = timeout(CONNECT, resolver.addresses_by("provider", dns(kind))).await;
            let found = found.ok().and_then(Result::ok).map(|found| found[0].to_string());
            assert_eq!(found.as_deref(), expected, "{kind} {seeded}");
            assert!(
                began.elapsed() <= within + Duration::from_millis(5),
                "{kind} {seeded}: {:?}",
                began.elapsed()
            );
            // Whoever asks next does not wait behind a look-up that was given up, and a moment after a failure asks nobody.
            let next = timeout(CONNECT, resolver.addresses_by("provider", dns("well"))).await.unwrap();
            let next = next.ok().map(|found| found[0].to_string());
            let remembered = kind != "slow" || seeded;
            assert_eq!(next.as_deref(), if remembered { expected } else { Some(new) }, "{kind} {seeded}");
        }
    }

    /// Each answer differs from the one before; no two questions are asked for one connection.
    #[derive(Debug)]
    struct Flipping(std::sync::atomic::AtomicUsize);

    impl Names for Flipping {
        fn look_up<'a>(&'a self, _host: &'a str) -> Found<'a> {
            let answers = [&["93.184.215.14"][..], &["10.0.0.7"], &["127.0.0.1", "2606:2800:21f::1"], &[]];
            let number = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let found = answers[number % answers.len()]
                .iter()
                .map(|address| address.parse().unwrap())
                .collect();
            Box::pin(async move { Ok(found) })
        }
    }

    #[tokio::test]
    async fn r_b2_a_public_name_yields_public_addresses_alone() {
        let origin = Origin::parse("https://hook.example", super::super::HttpVersion::Auto).unwrap();
        let origin = origin.within(super::super::Reach::Public);
        let names = Flipping(std::sync::atomic::AtomicUsize::new(0));
        let mut told = std::collections::BTreeMap::<String, usize>::new();
        for _ in 0..1_000 {
            let found = Resolver::default().addresses(&origin, &names).await;
            let text = found.map_or_else(|fault| fault.detail, |found| format!("{found:?}"));
            *told.entry(text).or_default() += 1;
        }
        let none = "hook.example: no address that a name may stand for (found: ";
        let expected = [
            ("[93.184.215.14:443]".to_owned(), 250),
            ("[[2606:2800:21f::1]:443]".to_owned(), 250),
            (format!("{none})"), 250),
            (format!("{none}10.0.0.7, a private address)"), 250),
        ];
        assert_eq!(told, expected.into());
    }

    #[test]
    fn the_families_take_turns() {
        let row = |addresses: &[&str]| -> Vec<SocketAddr> { addresses.iter().map(|a| a.parse().unwrap()).collect() };
        let found = row(&["[::1]:1", "[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        assert_eq!(in_order(found.into_iter()), row(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
    }
}
