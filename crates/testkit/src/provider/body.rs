//! Plays steps as the body of an HTTP answer.
//!
//! The body is polled by the connection: back-pressure is the client's own reading, no task runs beside it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Control;
use super::record::{Exchange, Outcome};
use super::script::Step;

/// The provider breaks off, as it was told to.
#[derive(Debug, thiserror::Error)]
#[error("the script breaks the connection off")]
pub(super) struct BrokenOff;

/// The steps of one answer on their way out.
pub(super) struct ScriptBody {
    steps: Arc<[Step]>,
    next: usize,
    waiting: Waiting,
    /// The time at which the last wait was due, so that waits do not add up their lateness.
    due: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    exchange: Exchange,
    control: Arc<Control>,
}

enum Waiting {
    Nothing,
    Flush,
    Time,
    Gate(Pin<Box<dyn Future<Output = ()> + Send>>),
}

impl ScriptBody {
    pub(super) fn new(
        steps: Arc<[Step]>,
        first_wait: Option<Duration>,
        mut exchange: Exchange,
        control: Arc<Control>,
    ) -> Self {
        if steps.is_empty() {
            exchange.end(Outcome::Answered);
        }
        let mut body =
            Self { steps, next: 0, waiting: Waiting::Nothing, due: None, sleep: None, exchange, control };
        if let Some(time) = first_wait {
            body.wait_until(Instant::now() + time);
        }
        body
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.waiting {
            Waiting::Nothing => {}
            Waiting::Flush if self.control.is_flushed(cx) => {}
            Waiting::Flush => return Poll::Pending,
            Waiting::Time => {
                if let Some(sleep) = &mut self.sleep {
                    ready!(sleep.as_mut().poll(cx));
                }
            }
            Waiting::Gate(gate) => ready!(gate.as_mut().poll(cx)),
        }
        self.waiting = Waiting::Nothing;
        Poll::Ready(())
    }

    fn wait_for_flush(&mut self, cx: &Context<'_>) {
        self.control.want_flush(cx);
        self.waiting = Waiting::Flush;
    }

    fn wait_until(&mut self, due: Instant) {
        self.due = Some(due);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(due),
            None => self.sleep = Some(Box::pin(sleep_until(due))),
        }
        self.waiting = Waiting::Time;
    }

    fn break_off(&mut self) -> Option<Result<Frame<Bytes>, BrokenOff>> {
        self.exchange.end(Outcome::Broken);
        self.next = self.steps.len();
        Some(Err(BrokenOff))
    }
}

impl Body for ScriptBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            let was_flush = matches!(self.waiting, Waiting::Flush);
            ready!(self.poll_wait(cx));
            let Some(step) = self.steps.get(self.next).cloned() else {
                self.exchange.end(Outcome::Answered);
                return Poll::Ready(None);
            };
            match step {
                Step::Send { bytes, tokens } => {
                    self.next += 1;
                    self.exchange.charge_completion(tokens);
                    self.exchange.note_sent(&bytes);
                    // A body of known length is not polled again after its last byte.
                    if self.is_end_stream() {
                        self.exchange.end(Outcome::Answered);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Step::Flush => {
                    self.next += 1;
                    self.wait_for_flush(cx);
                }
                Step::Wait(time) => {
                    self.next += 1;
                    let due = self.due.unwrap_or_else(Instant::now) + time;
                    self.wait_until(due);
                }
                Step::WaitFor(gate) => {
                    self.next += 1;
                    self.due = None;
                    self.waiting = Waiting::Gate(Box::pin(gate.pass()));
                }
                Step::Stall => return Poll::Pending,
                Step::Reset if was_flush => {
                    self.control.reset_on_close();
                    return Poll::Ready(self.break_off());
                }
                Step::Close if was_flush => return Poll::Ready(self.break_off()),
                // What was sent must have left before the connection goes.
                Step::Reset | Step::Close => self.wait_for_flush(cx),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.steps.len() && matches!(self.waiting, Waiting::Nothing)
    }
}
