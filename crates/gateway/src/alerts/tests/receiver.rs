//! A receiver of alerts that does what it is told, one thing per request, and keeps what it got.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::super::Hook;
use super::SECRET;

/// What a receiver does with a request.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// Answers.
    Answer(&'static str),
    /// Says nothing until the other side has left.
    Silence,
    /// Closes the connection.
    Hang,
    /// Answers 200 with a body without an end.
    Endless,
}

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Got {
    pub(super) fn id(&self) -> &str {
        &self.headers["x-tollgate-delivery"]
    }

    /// The time and the code of its signature.
    pub(super) fn signature(&self) -> (&str, &str) {
        let (time, code) = self.headers["x-tollgate-signature"].split_once(',').unwrap();
        (time.strip_prefix("t=").unwrap(), code.strip_prefix("v1=").unwrap())
    }

    /// What a receiver does to know who wrote it; with another implementation than ours.
    pub(super) fn is_signed_with(&self, secret: &str) -> bool {
        let (time, code) = self.signature();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let code: Vec<u8> = (0..code.len() / 2)
            .map(|at| u8::from_str_radix(&code[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        aws_lc_rs::hmac::verify(&key, format!("{time}.{}", self.body).as_bytes(), &code).is_ok()
    }
}

pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    /// Does these things in turn, then answers 200.
    pub(super) fn doing(acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            got: Arc::default(),
        };
        let acts = Arc::new(Mutex::new(acts.iter().copied().collect::<VecDeque<_>>()));
        let (connections, got) = (Arc::clone(&receiver.connections), Arc::clone(&receiver.got));
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (acts, got) = (Arc::clone(&acts), Arc::clone(&got));
                std::thread::spawn(move || serve(tcp, &acts, &got));
            }
        });
        receiver
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn hook(&self) -> Arc<Hook> {
        let url = format!("http://{}/hooks/42", self.address).parse().unwrap();
        Arc::new(Hook::new(&url, SECRET, true).unwrap())
    }
}

fn serve(mut tcp: TcpStream, acts: &Mutex<VecDeque<Act>>, got: &Mutex<Vec<Got>>) {
    while let Some(request) = read(&mut tcp) {
        let act = acts.lock().unwrap().pop_front().unwrap_or(Act::Answer(OK));
        got.lock().unwrap().push(request);
        match act {
            Act::Answer(answer) => tcp.write_all(answer.as_bytes()).unwrap_or_default(),
            Act::Hang => return,
            Act::Silence => while let Ok(1..) = tcp.read(&mut [0; 64]) {},
            Act::Endless => {
                let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
                while tcp.write_all(b"5\r\nhello\r\n").is_ok() {}
                return;
            }
        }
    }
}

fn read(tcp: &mut TcpStream) -> Option<Got> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if tcp.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.extend_from_slice(&byte);
        if !head.starts_with(b"P") {
            // TLS, or whatever it is: not for us.
            return None;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    tcp.read_exact(&mut body).ok()?;
    Some(Got {
        line,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
