//! One keep-alive connection and the request sent over it. No pool, no retry, no redirect: what goes wrong is reported.

use std::{net::SocketAddr, time::Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Uri,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use memchr::memmem;
use tokio::{net::TcpStream, task::JoinSet};

/// The end of a body in which its terminator is looked for; a gateway may put a comment after `[DONE]`.
const TAIL_BYTES: usize = 512;

/// One request, sent again and again.
#[derive(Clone)]
pub(in crate::bench) struct Call {
    pub(in crate::bench) address: SocketAddr,
    pub(in crate::bench) path: Uri,
    pub(in crate::bench) headers: HeaderMap,
    pub(in crate::bench) body: Bytes,
    /// What must stand near the end of a complete answer.
    pub(in crate::bench) terminator: &'static [u8],
}

/// One connection; a task in the caller's set drives it.
pub(in crate::bench) struct Lane {
    sender: SendRequest<Full<Bytes>>,
    tail: Vec<u8>,
}

impl Lane {
    pub(in crate::bench) async fn open(address: SocketAddr, drivers: &mut JoinSet<()>) -> Result<Self, String> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| format!("cannot connect to {address}: {error}"))?;
        stream
            .set_nodelay(true)
            .map_err(|error| format!("cannot set TCP_NODELAY: {error}"))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("no handshake with {address}: {error}"))?;
        drivers.spawn(async move {
            // Its error reaches the request that waits on it.
            let _closed = connection.await;
        });
        Ok(Self {
            sender,
            tail: Vec::with_capacity(2 * TAIL_BYTES),
        })
    }

    /// Sends the request and reads the answer to its end; gives back when the first byte of the body came.
    pub(in crate::bench) async fn send(&mut self, call: &Call) -> Result<Instant, String> {
        let mut open = self.begin(call).await?;
        self.tail.clear();
        self.keep_tail(&open.first);
        while let Some(frame) = open.body.frame().await {
            let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
            if let Some(data) = frame.data_ref() {
                self.keep_tail(data);
            }
        }
        if memmem::find(&self.tail, call.terminator).is_none() {
            return Err(format!("an answer without its end: {}", String::from_utf8_lossy(&self.tail)));
        }
        Ok(open.first_at)
    }

    /// Sends the request and reads the answer to the first chunk of its body.
    pub(super) async fn begin(&mut self, call: &Call) -> Result<Begun, String> {
        self.sender
            .ready()
            .await
            .map_err(|error| format!("the connection was closed: {error}"))?;
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = call.path.clone();
        *request.headers_mut() = call.headers.clone();
        let answer = self
            .sender
            .send_request(request)
            .await
            .map_err(|error| format!("no answer: {error}"))?;
        let status = answer.status();
        let mut body = answer.into_body();
        loop {
            let frame = body.frame().await.ok_or("an answer without a body")?;
            let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
            let Ok(first) = frame.into_data() else { continue };
            if !status.is_success() {
                return Err(format!("status {status}: {}", String::from_utf8_lossy(&first)));
            }
            return Ok(Begun {
                first_at: Instant::now(),
                first,
                body,
            });
        }
    }

    fn keep_tail(&mut self, data: &[u8]) {
        let kept = data.get(data.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        let over = (self.tail.len() + kept.len()).saturating_sub(TAIL_BYTES).min(self.tail.len());
        self.tail.drain(..over);
        self.tail.extend_from_slice(kept);
    }
}

/// An answer whose first chunk has come.
pub(super) struct Begun {
    first_at: Instant,
    first: Bytes,
    body: hyper::body::Incoming,
}
