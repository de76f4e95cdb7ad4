//! One side of a session: its connection, what is read of it, and what waits to be written to it.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use gatewright_wire::web_socket::{Close, Decoder, Kind, Masking, Unit, Violation, write, write_close};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// While so much waits to be written, nothing is read that would add to it, in bytes.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// One side of a session.
///
/// Invariant: what waits to be written is less than [`WAITING_BYTES_MAX`] and one message.
pub(super) struct Side<S> {
    io: S,
    decoder: Decoder,
    read: Box<[u8]>,
    /// What of `read` is not taken yet.
    fresh: Range<usize>,
    waiting: Vec<u8>,
    written: usize,
    needs_flush: bool,
    /// The last question that is not answered yet.
    ping: Option<bytes::Bytes>,
    /// Since when nothing was taken though something waits.
    stalled: Option<Instant>,
}

/// Why nothing more comes from a side.
#[derive(Debug)]
pub(super) enum Lost {
    /// Its connection broke, or ended without a close.
    Gone(io::Error),
    /// It broke the protocol.
    Violation(Violation),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side<S> {
    pub(super) fn new(io: S, decoder: Decoder) -> Self {
        Self {
            io,
            decoder,
            read: vec![0; READ_BYTES].into_boxed_slice(),
            fresh: 0..0,
            waiting: Vec::new(),
            written: 0,
            needs_flush: false,
            ping: None,
            stalled: None,
        }
    }

    /// Whether a message may be added.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() - self.written < WAITING_BYTES_MAX
    }

    /// Since when the side has taken nothing though something waits.
    pub(super) fn stalled(&self) -> Option<Instant> {
        self.stalled
    }

    /// Adds a message.
    pub(super) fn send(&mut self, kind: Kind, payload: &[u8], masking: Masking) {
        write(kind, payload, masking, &mut self.waiting);
    }

    /// Adds a close.
    pub(super) fn close(&mut self, close: &Close, masking: Masking) {
        write_close(close, masking, &mut self.waiting);
    }

    /// Notes that the side asked whether anybody lives. Only the last question is answered, as the RFC allows, so that
    /// questions without end fill nothing.
    pub(super) fn pinged(&mut self, payload: bytes::Bytes) {
        self.ping = Some(payload);
    }

    /// Answers the last question, where there is room.
    pub(super) fn answer_ping(&mut self, masking: impl FnOnce() -> Masking) {
        if self.has_room()
            && let Some(payload) = self.ping.take()
        {
            self.send(Kind::Pong, &payload, masking());
        }
    }

    /// The next message of the side.
    pub(super) fn poll_unit(&mut self, cx: &mut Context<'_>) -> Poll<Result<Unit, Lost>> {
        loop {
            let mut input = self.read.get(self.fresh.clone()).unwrap_or_default();
            let taken = self.decoder.take(&mut input).map_err(Lost::Violation)?;
            self.fresh.start = self.fresh.end - input.len();
            if let Some(unit) = taken {
                return Poll::Ready(Ok(unit));
            }
            let mut buffer = ReadBuf::new(&mut self.read);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)).map_err(Lost::Gone)?;
            self.fresh = 0..buffer.filled().len();
            if self.fresh.is_empty() {
                return Poll::Ready(Err(Lost::Gone(io::ErrorKind::UnexpectedEof.into())));
            }
        }
    }

    /// Writes what waits. Ready when all of it is with the system.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let before = self.written;
        let outcome = self.poll_write_out(cx);
        match &outcome {
            Poll::Ready(_) => self.stalled = None,
            Poll::Pending if self.written > before || self.stalled.is_none() => {
                self.stalled = Some(Instant::now());
            }
            Poll::Pending => {}
        }
        outcome
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        while let Some(rest) = self.waiting.get(self.written..).filter(|rest| !rest.is_empty()) {
            let step = ready!(Pin::new(&mut self.io).poll_write(cx, rest)).map_err(Lost::Gone)?;
            if step == 0 {
                return Poll::Ready(Err(Lost::Gone(io::ErrorKind::WriteZero.into())));
            }
            self.written += step;
            self.needs_flush = true;
        }
        self.written = 0;
        self.waiting.clear();
        // A large message is not to hold its memory for the rest of the session.
        self.waiting.shrink_to(WAITING_BYTES_MAX);
        if self.needs_flush {
            ready!(Pin::new(&mut self.io).poll_flush(cx)).map_err(Lost::Gone)?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Says that nothing more is written.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
