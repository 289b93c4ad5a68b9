//! R-B2: the address that was judged is the one connected to, whatever a name stands for a moment later.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use super::super::{Found, Names, Reach, TransportFaultKind as Kind};
use super::*;

/// Answers each look-up with the next of these addresses, for ever.
#[derive(Debug)]
struct Flipping {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Flipping {
    fn between(answers: &[&[&str]]) -> Arc<Flipping> {
        let parsed = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Flipping {
            answers: answers.iter().map(parsed).collect(),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Names for Flipping {
    fn look_up<'a>(&'a self, _host: &'a str) -> Found<'a> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers[number % self.answers.len()].clone();
        Box::pin(async move { Ok(answer) })
    }
}

fn client_by(names: &Arc<Flipping>) -> Client {
    let names: Arc<dyn Names> = Arc::clone(names) as _;
    Client::new(ClientSettings { names, ..settings() })
}

/// Two receivers on one port: one at 127.0.0.2, which may be named, and one at 127.0.0.1, which the system takes 0.0.0.0 for.
struct Receivers {
    port: u16,
    reached: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Receivers {
    fn start() -> Receivers {
        let (named, victim, port) = std::iter::repeat_with(|| {
            let named = TcpListener::bind("127.0.0.2:0").unwrap();
            let port = named.local_addr().unwrap().port();
            TcpListener::bind(("127.0.0.1", port)).ok().map(|victim| (named, victim, port))
        })
        .flatten()
        .next()
        .unwrap();
        let receivers = Receivers {
            port,
            reached: Arc::default(),
        };
        for (listener, name) in [(named, "named"), (victim, "victim")] {
            let reached = Arc::clone(&receivers.reached);
            std::thread::spawn(move || {
                for mut tcp in listener.incoming().flatten() {
                    *reached.lock().unwrap().entry(name).or_default() += 1;
                    read_request(&mut tcp);
                    let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
                }
            });
        }
        receivers
    }

    fn reached(&self, name: &str) -> usize {
        self.reached.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

#[tokio::test]
async fn r_b2_a_name_that_changes_between_check_and_connect_leads_nowhere() {
    const TRIES: usize = 1_000;
    for reach in [Reach::Configured, Reach::Private] {
        let receivers = Receivers::start();
        let origin = origin(&format!("http://hook.example:{}", receivers.port), HttpVersion::Auto).within(reach);
        // Both orders: the name changes after it was judged, and before.
        let names = Flipping::between(&[&["127.0.0.2"], &["0.0.0.0"], &["0.0.0.0", "127.0.0.2"]]);
        let mut refused = 0;
        for _ in 0..TRIES {
            match fetch(&client_by(&names), &origin, &timeouts()).await {
                Ok((status, _)) => assert_eq!(status, 200),
                Err(fault) => {
                    assert_eq!(fault.kind, Kind::Dns, "{fault}");
                    refused += 1;
                }
            }
        }
        assert_eq!(receivers.reached("victim"), 0);
        assert_eq!(names.asked.load(Ordering::SeqCst), TRIES, "one look-up per connection");
        assert_eq!((receivers.reached("named"), refused), (667, 333));
    }
}

#[tokio::test]
async fn r_b2_a_public_origin_reaches_nothing_on_this_machine() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let port = server.address.port();
    let names = Flipping::between(&[&["127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1"]]);
    let client = client_by(&names);
    for url in [format!("http://hook.example:{port}"), format!("http://127.0.0.1:{port}")] {
        let provider = origin(&url, HttpVersion::Auto);
        assert_eq!(fetch(&client, &provider, &timeouts()).await.unwrap().0, 200, "{url}");
        // The connection is kept now, and still not for everybody.
        let before = server.connections();
        let fault = fetch(&client, &provider.within(Reach::Public), &timeouts()).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Dns, "{fault}");
        assert!(fault.detail.contains("a loopback address"), "{fault}");
        assert_eq!(server.connections(), before);
    }
}
