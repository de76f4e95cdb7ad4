//! A socket that notes whether a request has touched the wire, and whether anything came back.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::dial::socket::Socket;

/// What happened on a socket since the last request began.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    written: AtomicBool,
    read: AtomicBool,
    blocked: AtomicBool,
}

impl Traffic {
    /// Starts over for a new request.
    pub(crate) fn reset(&self) {
        self.written.store(false, Ordering::Relaxed);
        self.read.store(false, Ordering::Relaxed);
        self.blocked.store(false, Ordering::Relaxed);
    }

    /// Whether any byte of the request was handed to the system.
    pub(crate) fn has_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether any byte came from the peer.
    pub(crate) fn has_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    /// Whether bytes of the request still wait for the peer to read.
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    fn record(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) if *bytes > 0 => {
                self.written.store(true, Ordering::Relaxed);
                self.blocked.store(false, Ordering::Relaxed);
            }
            Poll::Ready(_) => {}
            Poll::Pending => self.blocked.store(true, Ordering::Relaxed),
        }
        written
    }
}

/// A socket under a meter.
#[derive(Debug)]
pub(crate) struct Metered {
    socket: Socket,
    traffic: Arc<Traffic>,
}

impl Metered {
    pub(crate) fn new(socket: Socket, traffic: Arc<Traffic>) -> Self {
        Self { socket, traffic }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.traffic.read.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.traffic.record(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.traffic.record(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
