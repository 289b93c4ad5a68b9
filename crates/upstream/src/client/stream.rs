//! The byte stream under a connection: TCP or TLS over TCP, with a count of what was read.
//!
//! The count answers one question that hyper does not: had any byte of this answer arrived when the connection failed?

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A connected stream to a provider.
pub(super) struct Stream {
    carrier: Carrier,
    bytes_read: ReadCount,
}

/// The way the bytes travel.
pub(super) enum Carrier {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How many (decrypted) bytes a stream has read so far; shared with whoever drives it.
#[derive(Clone, Default)]
pub(super) struct ReadCount(Arc<AtomicU64>);

impl ReadCount {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Stream {
    pub(super) fn new(carrier: Carrier) -> Stream {
        Stream {
            carrier,
            bytes_read: ReadCount::default(),
        }
    }

    pub(super) fn bytes_read(&self) -> ReadCount {
        self.bytes_read.clone()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = match &mut this.carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Carrier::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        let read = buf.filled().len() - before;
        if read > 0 {
            this.bytes_read.0.fetch_add(read as u64, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Carrier::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Carrier::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.carrier {
            Carrier::Plain(tcp) => tcp.is_write_vectored(),
            Carrier::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Carrier::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().carrier {
            Carrier::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Carrier::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
