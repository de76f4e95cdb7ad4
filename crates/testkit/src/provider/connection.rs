//! The socket under one connection, with what an honest HTTP server never needs: a reset at will, a say in when
//! bytes have reached the kernel, and taking the socket away from HTTP altogether.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::realtime::Session;
use super::record::Exchange;
use super::script::Step;

/// Long enough to tell the HTTP/2 preface from the head of a request, shorter than any head.
const PREFIX_BYTES: usize = 4;
const HTTP2_PREFIX: &[u8; PREFIX_BYTES] = b"PRI ";

/// What an exchange may ask of the connection that it runs on.
#[derive(Debug, Default)]
pub(super) struct Control {
    reset_on_close: AtomicBool,
    flush_wanted: AtomicBool,
    flush_waker: Mutex<Option<Waker>>,
    take_over: Mutex<Option<Successor>>,
}

/// What follows HTTP on a connection.
#[derive(Debug)]
pub(super) enum Successor {
    Steps(TakeOver),
    Session(Box<Session>),
}

/// The steps that replace HTTP on a connection, and the exchange that they answer.
#[derive(Debug)]
pub(super) struct TakeOver {
    pub(super) steps: Vec<Step>,
    pub(super) exchange: Exchange,
}

impl Control {
    /// Makes the coming close of the socket an RST.
    pub(super) fn reset_on_close(&self) {
        self.reset_on_close.store(true, Ordering::Relaxed);
    }

    /// Asks to be woken when everything before has been handed to the kernel.
    pub(super) fn want_flush(&self, cx: &Context<'_>) {
        *self.flush_waker.lock() = Some(cx.waker().clone());
        self.flush_wanted.store(true, Ordering::Relaxed);
    }

    /// Whether the flush asked for has happened; asks again if not.
    pub(super) fn is_flushed(&self, cx: &Context<'_>) -> bool {
        if !self.flush_wanted.load(Ordering::Relaxed) {
            return true;
        }
        *self.flush_waker.lock() = Some(cx.waker().clone());
        false
    }

    pub(super) fn take_over(&self, steps: Vec<Step>, exchange: Exchange) {
        *self.take_over.lock() = Some(Successor::Steps(TakeOver { steps, exchange }));
    }

    /// Speaks WebSocket from here on.
    pub(super) fn switch(&self, session: Session) {
        *self.take_over.lock() = Some(Successor::Session(Box::new(session)));
    }

    pub(super) fn taken_over(&self) -> Option<Successor> {
        self.take_over.lock().take()
    }

    fn flushed(&self) {
        if self.flush_wanted.swap(false, Ordering::Relaxed)
            && let Some(waker) = self.flush_waker.lock().take()
        {
            waker.wake();
        }
    }
}

/// An accepted socket whose first bytes have been looked at and are read again.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    prefix: [u8; PREFIX_BYTES],
    prefix_left: usize,
    control: Arc<Control>,
}

impl Socket {
    /// Waits for the first bytes of an accepted connection.
    ///
    /// # Errors
    /// The peer closes before it has sent as many bytes as any request has.
    pub(super) async fn accept(mut stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let mut prefix = [0; PREFIX_BYTES];
        stream.read_exact(&mut prefix).await?;
        Ok(Self { stream, prefix, prefix_left: PREFIX_BYTES, control: Arc::default() })
    }

    pub(super) fn is_http2(&self) -> bool {
        self.prefix == *HTTP2_PREFIX
    }

    pub(super) fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix_left > 0 {
            let (_, unread) = self.prefix.split_at(PREFIX_BYTES - self.prefix_left);
            let (now, _) = unread.split_at(unread.len().min(buf.remaining()));
            buf.put_slice(now);
            self.prefix_left -= now.len();
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.control.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.control.reset_on_close.load(Ordering::Relaxed) {
            // Closing goes on either way; a socket that is gone already needs no reset.
            self.stream.set_zero_linger().ok();
        }
    }
}
