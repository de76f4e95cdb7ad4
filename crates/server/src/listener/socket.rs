//! What hyper reads and writes: the client's stream, watched.
//!
//! Reports every read and write to the connection's activity, lets the strict layer look at the bytes of
//! HTTP/1 before hyper does, until another protocol is spoken, and after an early answer reads the client out before it closes. Bytes that
//! arrive as whole requests are read straight into hyper's buffer; only a head that comes in pieces is kept
//! here until it is complete.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::info::{ConnectionInfo, Reading};
use super::limits::Limits;
use super::strict::{Framing, REFUSED_REQUEST, Scan, Violation};

/// How many reads one poll may throw away before it lets other tasks run.
const DISCARDS_PER_POLL: usize = 16;

/// A stream under watch.
#[derive(Debug)]
pub(super) struct Socket<T> {
    stream: T,
    info: ConnectionInfo,
    strict: Option<Strict>,
    is_shut_down: bool,
}

/// The strict layer of an HTTP/1 connection.
#[derive(Debug)]
struct Strict {
    framing: Framing,
    /// Bytes that hyper does not have yet. Bounded by the largest head and one read.
    held: Vec<u8>,
    /// How many of them hyper may have, and how many of those it has.
    released: usize,
    given: usize,
    end: Option<End>,
}

/// Why nothing is read any more.
#[derive(Debug, Clone, Copy)]
enum End {
    /// A head was refused and its stand-in released.
    Refused,
    /// A body broke its framing; whoever reads it shall know.
    Broken(Violation),
}

// === impl Socket ===

impl<T> Socket<T> {
    /// A socket for HTTP/2.
    pub(super) fn plain(stream: T, info: ConnectionInfo) -> Self {
        Socket { stream, info, strict: None, is_shut_down: false }
    }

    /// A socket for HTTP/1.
    pub(super) fn strict(stream: T, info: ConnectionInfo, limits: &Limits) -> Self {
        let framing = Framing::new(limits.header_bytes_max, limits.headers_max);
        let strict = Strict { framing, held: Vec::new(), released: 0, given: 0, end: None };
        Socket { stream, info, strict: Some(strict), is_shut_down: false }
    }

    /// Reports how a write went.
    fn report(&self, outcome: &Poll<io::Result<usize>>) {
        match outcome {
            Poll::Ready(_) => self.info.activity().wrote(),
            Poll::Pending => self.info.activity().write_blocks(),
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Socket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Socket { stream, info, strict, .. } = &mut *self;
        match strict {
            Some(strict) => strict.poll_read(stream, info, cx, buf),
            None => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.report(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.report(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes bytes before the socket does, so it may be the flush that does not get on.
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        let activity = self.info.activity();
        match outcome {
            Poll::Ready(_) if activity.is_write_blocked() => activity.wrote(),
            Poll::Ready(_) => {}
            Poll::Pending => activity.write_blocks(),
        }
        outcome
    }

    /// Closes the sending half. Where the client may still be sending, what it sends is read and thrown
    /// away until it closes too, because closing over unread bytes would take the answer from it. The
    /// watchdog bounds that.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut_down {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut_down = true;
        }
        if self.strict.as_ref().is_some_and(Strict::expects_bytes) {
            self.info.activity().linger();
            ready!(poll_discard(&mut self.stream, cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads until the end of the stream.
fn poll_discard<T: AsyncRead + Unpin>(stream: &mut T, cx: &mut Context<'_>) -> Poll<()> {
    let mut space = [MaybeUninit::uninit(); 4096];
    for _ in 0..DISCARDS_PER_POLL {
        let mut buf = ReadBuf::uninit(&mut space);
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)) {
            Ok(()) if !buf.filled().is_empty() => {}
            Ok(()) | Err(_) => return Poll::Ready(()),
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

// === impl Strict ===

impl Strict {
    fn poll_read<T: AsyncRead + Unpin>(
        &mut self,
        stream: &mut T,
        info: &ConnectionInfo,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.given < self.released {
                self.give(buf);
                return Poll::Ready(Ok(()));
            }
            if info.activity().is_switched() {
                if self.held.is_empty() {
                    return Pin::new(stream).poll_read(cx, buf);
                }
                self.released = self.held.len();
                continue;
            }
            match self.end {
                // The answer to the stand-in ends the connection, so nobody needs to be woken for more.
                Some(End::Refused) => return Poll::Pending,
                Some(End::Broken(violation)) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, violation)));
                }
                None => {}
            }
            if info.activity().is_head_expired() {
                if self.held.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.refuse(0, Violation::HeadTimeout, info);
                continue;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut *stream).poll_read(cx, buf))?;
            if buf.filled().len() == before {
                self.held.clear();
                return Poll::Ready(Ok(()));
            }
            self.inspect(buf, before, info);
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Looks at what was read past `before`, and leaves in `buf` what hyper may have at once.
    fn inspect(&mut self, buf: &mut ReadBuf<'_>, before: usize, info: &ConnectionInfo) {
        let (_, fresh) = buf.filled().split_at(before);
        let scan = if self.held.is_empty() {
            let scan = self.framing.scan(fresh);
            let passes = passes(&scan, fresh.len());
            if matches!(scan, Scan::Hold { .. }) {
                let (_, head) = fresh.split_at(passes);
                self.held.extend_from_slice(head);
            }
            buf.set_filled(before + passes);
            scan
        } else {
            self.held.extend_from_slice(fresh);
            buf.set_filled(before);
            let scan = self.framing.scan(&self.held);
            self.released = passes(&scan, self.held.len());
            scan
        };
        match scan {
            Scan::Pass | Scan::Hold { .. } => {}
            Scan::RefuseHead { violation, .. } => self.refuse(self.released, violation, info),
            Scan::RefuseBody { violation, .. } => {
                self.held.truncate(self.released);
                self.end = Some(End::Broken(violation));
            }
        }
        info.activity().set_reading(self.reading());
    }

    /// Puts the stand-in in the place of the request that begins at `from` of what is held.
    fn refuse(&mut self, from: usize, violation: Violation, info: &ConnectionInfo) {
        info.refuse(violation);
        self.held.truncate(from);
        self.held.extend_from_slice(REFUSED_REQUEST);
        self.released = self.held.len();
        self.end = Some(End::Refused);
    }

    /// Hands released bytes to hyper, as many as it has room for.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let (released, _) = self.held.split_at(self.released);
        let (_, rest) = released.split_at(self.given);
        let (now, _) = rest.split_at(rest.len().min(buf.remaining()));
        buf.put_slice(now);
        self.given += now.len();
        if self.given == self.released {
            self.held.drain(..self.released);
            (self.given, self.released) = (0, 0);
            if self.held.is_empty() {
                self.held = Vec::new();
            }
        }
    }

    fn reading(&self) -> Reading {
        if !self.framing.is_at_boundary() {
            return Reading::Body;
        }
        let (_, unreleased) = self.held.split_at(self.released);
        // An empty line alone does not begin a request; it is what old clients send after a body.
        if unreleased.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            Reading::Boundary
        } else {
            Reading::Head
        }
    }

    /// Whether the client may be sending something that nobody reads.
    fn expects_bytes(&self) -> bool {
        self.end.is_some() || !self.held.is_empty() || !self.framing.is_at_boundary()
    }
}

/// How many of the bytes that were scanned may go on.
fn passes(scan: &Scan, scanned: usize) -> usize {
    match scan {
        Scan::Pass => scanned,
        Scan::Hold { from } | Scan::RefuseHead { from, .. } | Scan::RefuseBody { from, .. } => *from,
    }
}
