//! A socket that gives up on a peer who is too slow: one that takes none of our bytes (FAULTS F44), one that does not finish the head
//! of a request, one that is silent between requests (R-E4). Two timers per connection, set again only when they fire: a busy
//! connection makes no timer operation.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use super::overdue::Exchanges;
use crate::clock;

/// How long a peer may take none of our bytes.
const STALL_MAX: Duration = Duration::from_secs(60);
/// How long the head of a request may take from its first byte.
const HEAD_MAX: Duration = Duration::from_secs(10);
/// How long a connection may be idle. Longer than the idle time of clients' pools, so that they close first.
const IDLE_MAX: Duration = Duration::from_secs(180);
/// What an HTTP/2 connection may send between two exchanges, in bytes: frames that ask for nothing, and what was on its way of a
/// refused body (which hyper's window of 1 MiB bounds). More is a flood (R-E1).
const FRAMES_BYTES_MAX: usize = 2 << 20;
/// How an HTTP/2 connection begins; its frames are no heads, so only silence counts there.
const HTTP2_PREFACE: &[u8] = b"PRI ";

/// A timer that is looked at often and set seldom.
#[derive(Default)]
pub(super) struct Lazy(Option<Pin<Box<Sleep>>>);

impl Lazy {
    /// True when that moment has passed; otherwise whoever polls is woken by then.
    pub(super) fn poll_passed(&mut self, deadline: Instant, cx: &mut Context<'_>) -> bool {
        let deadline = tokio::time::Instant::from_std(deadline);
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
        false
    }
}

/// A socket with that patience.
pub(super) struct Patient {
    stream: TcpStream,
    exchanges: Exchanges,
    /// When the peer last sent something, or an exchange was last seen going on.
    active: Instant,
    /// When the first byte of an unfinished head came.
    head_since: Option<Instant>,
    http2: bool,
    /// Received since an exchange was last seen going on.
    idle_bytes: usize,
    reading: Lazy,
    stalled_since: Option<Instant>,
    writing: Lazy,
}

impl Patient {
    pub(super) fn new(stream: TcpStream, exchanges: Exchanges) -> Self {
        Self {
            stream,
            exchanges,
            active: clock::instant(),
            head_since: None,
            http2: false,
            idle_bytes: 0,
            reading: Lazy::default(),
            stalled_since: None,
            writing: Lazy::default(),
        }
    }

    fn received(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.active = clock::instant();
        if bytes.starts_with(HTTP2_PREFACE) {
            self.http2 = true;
        }
        if self.exchanges.any() {
            self.idle_bytes = 0;
        } else if self.http2 {
            self.idle_bytes += bytes.len();
        } else {
            self.head_since.get_or_insert(self.active);
        }
        if self.idle_bytes <= FRAMES_BYTES_MAX {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    /// Nothing came: is that for too long?
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.exchanges.any() {
            // The peer is waiting for us.
            self.head_since = None;
            self.active = clock::instant();
            return Poll::Pending;
        }
        let deadline = self.head_since.map_or(self.active + IDLE_MAX, |since| since + HEAD_MAX);
        if self.reading.poll_passed(deadline, cx) {
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        } else {
            Poll::Pending
        }
    }

    /// A write's outcome; while it waits, the clock runs.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled_since = None;
            return written;
        }
        let since = *self.stalled_since.get_or_insert_with(clock::instant);
        if self.writing.poll_passed(since + STALL_MAX, cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(())) => Poll::Ready(self.received(buf.filled().get(before..).unwrap_or_default())),
            Poll::Ready(Err(_)) => read,
            Poll::Pending => self.poll_silence(cx),
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(written, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    /// Reads until the socket gives up, and says how long that took. Time is paused: tokio moves it on while all wait.
    async fn gives_up_after(patient: &mut Patient) -> Duration {
        let start = tokio::time::Instant::now();
        let error = loop {
            match patient.read(&mut [0; 64]).await {
                Ok(0) => unreachable!("closed"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        start.elapsed()
    }

    /// A runtime for each row: a paused clock stays ahead of the real one.
    #[test]
    fn r_e4_half_a_head_is_waited_for_ten_seconds_and_silence_longer() {
        let rows: [(&[u8], Duration); 3] = [(b"POST / HT", HEAD_MAX), (b"", IDLE_MAX), (b"PRI * HTTP/2.0", IDLE_MAX)];
        for (sent, expected) in rows {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let took = runtime.block_on(async {
                let (mut client, server) = pair().await;
                client.write_all(sent).await.unwrap();
                let mut patient = Patient::new(server, Exchanges::default());
                if !sent.is_empty() {
                    patient.read_exact(&mut vec![0; sent.len()]).await.unwrap();
                }
                tokio::time::pause();
                gives_up_after(&mut patient).await
            });
            let close = took <= expected + Duration::from_millis(50) && took + Duration::from_secs(1) >= expected;
            assert!(close, "{sent:?}: {took:?}");
        }
    }

    #[tokio::test]
    async fn f44_a_peer_that_takes_no_bytes_is_given_up_after_a_minute() {
        let (client, server) = pair().await;
        let mut patient = Patient::new(server, Exchanges::default());
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        let error = loop {
            // Until the kernel takes no more of it.
            if let Err(error) = patient.write_all(&[0; 64 << 10]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() <= STALL_MAX + Duration::from_millis(50), "{:?}", start.elapsed());
        drop(client);
    }

    #[tokio::test]
    async fn while_an_exchange_goes_on_nothing_is_asked_of_the_peer() {
        let (client, server) = pair().await;
        let exchanges = Exchanges::default();
        let mut patient = Patient::new(server, exchanges.clone());
        let going = exchanges.begin();
        tokio::time::pause();
        let waited = tokio::time::timeout(Duration::from_secs(3600), patient.read(&mut [0; 8])).await;
        assert!(waited.is_err(), "an hour of waiting for the provider is no silence of the caller's");
        drop((going, client));
    }
}
