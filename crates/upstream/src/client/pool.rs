//! The connections of one origin: kept, handed out last-in first-out, and opened when none is free.
//!
//! It decides which connection serves an exchange and knows nothing of requests. A miss opens a connection of its own
//! instead of queueing for another's; only while HTTP/2 is possible do misses wait for each other, so that a burst on a
//! cold origin shares one handshake.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use super::dial::dial;
use super::fault::{TransportFault, TransportFaultKind};
use super::http1::Http1;
use super::http2::{Http2, Http2Stream};
use super::origin::{HttpVersion, Origin, Scheme};
use super::resolve::{Names, Resolver};
use super::{ClientSettings, Tasks};

/// What is open to one origin, and what is needed to open more.
pub(super) struct OriginPool {
    origin: Origin,
    settings: ClientSettings,
    tasks: Tasks,
    resolver: Resolver,
    kept: Mutex<Kept>,
    /// The server was seen to choose HTTP/1.1: connections need not wait for each other to learn that.
    is_http1: AtomicBool,
    opening: tokio::sync::Mutex<()>,
    connections: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Kept {
    #[expect(
        clippy::vec_box,
        reason = "a connection moves between pool and exchange with every request: as a pointer"
    )]
    http1: Vec<Box<Http1>>,
    http2: Vec<Http2>,
    closed: bool,
}

/// A connection for one exchange.
pub(super) enum Connection {
    Http1(Box<Http1>),
    Http2(Http2Stream),
}

/// One of the connections that an origin may have; given back when dropped.
pub(super) struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl OriginPool {
    pub(super) fn new(origin: Origin, settings: ClientSettings, tasks: Tasks) -> OriginPool {
        OriginPool {
            origin,
            settings,
            tasks,
            resolver: Resolver::default(),
            kept: Mutex::default(),
            is_http1: AtomicBool::new(false),
            opening: tokio::sync::Mutex::new(()),
            connections: Arc::default(),
        }
    }

    /// A connection that is open already, the most recently used first.
    pub(super) fn take(&self, now: Instant) -> Option<Connection> {
        loop {
            let mut connection = {
                let mut kept = self.kept();
                if let Some(stream) = kept.take_stream(now) {
                    return Some(Connection::Http2(stream));
                }
                kept.http1.pop()?
            };
            let rested = now.saturating_duration_since(connection.idle_since);
            if rested < self.settings.idle_timeout && connection.is_alive() {
                return Some(Connection::Http1(connection));
            }
        }
    }

    /// A new connection, or a place on one that became available while this one waited to open it.
    ///
    /// # Errors
    /// Those of [`dial`], or `Exhausted` when the origin has as many connections as it may, or the client is closed.
    pub(super) async fn open(self: &Arc<Self>, until: Instant) -> Result<Connection, TransportFault> {
        let turn = if self.may_be_http2() {
            let turn = timeout_at(until, self.opening.lock()).await.map_err(|_| {
                let detail = format!("{}: another connection was being opened until the connect timer ended", self.origin);
                TransportFault::new(TransportFaultKind::ConnectTimeout, detail)
            })?;
            if let Some(stream) = self.kept().take_stream(Instant::now()) {
                return Ok(Connection::Http2(stream));
            }
            // The one before us may have learned that the server speaks HTTP/1.1.
            self.may_be_http2().then_some(turn)
        } else {
            None
        };
        let slot = self.slot()?;
        let dialled = dial(self, until).await?;
        if !dialled.http2 {
            self.is_http1.store(true, Ordering::Relaxed);
            drop(turn);
            return Ok(Connection::Http1(
                Http1::start(dialled.stream, Arc::downgrade(self), slot, until).await?,
            ));
        }
        self.is_http1.store(false, Ordering::Relaxed);
        let mut http2 = Http2::start(self, dialled.stream, slot).await?;
        let stream = http2.take_place(Instant::now());
        let mut kept = self.kept();
        if !kept.closed {
            kept.http2.push(http2);
        }
        stream.map(Connection::Http2).ok_or_else(|| {
            let detail = format!("{}: the server allows no stream on its http/2 connections", self.origin);
            TransportFault::new(TransportFaultKind::BadResponse, detail)
        })
    }

    /// Keeps an idle connection, unless there are enough.
    pub(super) fn put(&self, connection: Box<Http1>) {
        let mut kept = self.kept();
        if !kept.closed && kept.http1.len() < self.settings.idle_per_origin_max {
            kept.http1.push(connection);
        }
    }

    /// Drops what has been idle for too long; tells whether any connection, idle or busy, is left.
    pub(super) fn sweep(&self, now: Instant) -> bool {
        let Some(before) = now.checked_sub(self.settings.idle_timeout) else {
            return true;
        };
        let mut kept = self.kept();
        kept.http1.retain(|connection| before < connection.idle_since);
        kept.http2
            .retain(|connection| !connection.is_closed() && !connection.is_idle_since(before));
        drop(kept);
        self.connections.load(Ordering::Relaxed) > 0
    }

    /// Drops what is idle and keeps nothing from now on.
    pub(super) fn close(&self) {
        let Kept { http1, http2, .. } = std::mem::replace(
            &mut *self.kept(),
            Kept {
                closed: true,
                ..Kept::default()
            },
        );
        drop((http1, http2));
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn names(&self) -> &dyn Names {
        &*self.settings.names
    }

    pub(super) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// TLS settings for this origin. The first time in the process the roots are read, off this thread.
    pub(super) async fn tls_config(&self) -> Result<Arc<ClientConfig>, String> {
        let tls = Arc::clone(&self.settings.tls);
        if !tls.is_warm() {
            let tls = Arc::clone(&tls);
            self.tasks
                .tracker
                .spawn_blocking(move || tls.warm())
                .await
                .map_err(|error| error.to_string())?;
        }
        tls.config(self.origin.http())
    }

    fn may_be_http2(&self) -> bool {
        match (self.origin.http(), self.origin.scheme()) {
            (HttpVersion::Http1, _) | (HttpVersion::Auto, Scheme::Http) => false,
            (HttpVersion::Http2, _) => true,
            (HttpVersion::Auto, Scheme::Https) => !self.is_http1.load(Ordering::Relaxed),
        }
    }

    fn slot(&self) -> Result<Slot, TransportFault> {
        let exhausted = |detail| TransportFault::new(TransportFaultKind::Exhausted, detail);
        if self.kept().closed {
            return Err(exhausted("the client is closed".to_owned()));
        }
        let max = self.settings.connections_per_origin_max;
        self.connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < max).then_some(open + 1))
            .map_err(|open| exhausted(format!("{open} connections to {} are open, the most allowed", self.origin)))?;
        Ok(Slot(Arc::clone(&self.connections)))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// A place on the first connection that has one, so that the later ones fall idle when the load does.
    fn take_stream(&mut self, now: Instant) -> Option<Http2Stream> {
        if self.http2.is_empty() {
            return None;
        }
        self.http2.retain(|connection| !connection.is_closed());
        self.http2.iter_mut().find_map(|connection| connection.take_place(now))
    }
}
