//! The ends of a stream: done, upstream error, filter or limiter cut, shutdown, client gone. Each
//! settles once.

use super::{
    Bytes, CancelledBy, Context, DRAIN_WAIT, Outcome, Phase, Pin, Poll, Pump, Refusal, Side, Terminator,
    UpstreamBody, UsageSource, broke_off, code_of, ready,
};
use crate::failure::{denial_body, failure_body};
use crate::keeping;
use gatewright::FailureKind;
use http_body::Body as _;

impl Pump {
    /// The provider's body ended: with a terminator it is complete already, without one it may be.
    pub(super) fn upstream_ended(&mut self) {
        match self.decoder.finish() {
            Ok(Some(frame)) => self.frame(frame),
            Ok(None) if self.decoder.is_complete() => {
                self.complete(Terminator::Own);
            }
            Ok(None) => self.fail(&broke_off().into()),
            Err(failure) => self.fail(&failure.into()),
        }
    }

    /// The answer is complete: what the filters hold goes out, then everything is settled, and the
    /// terminator follows the record.
    pub(super) fn complete(&mut self, terminator: Terminator) {
        self.terminator = Some(terminator);
        self.course.chain.finish();
        self.turn_chain();
        self.end_if_closed();
    }

    /// Settles once the filters have let go of everything.
    pub(super) fn end_if_closed(&mut self) {
        if !matches!(self.phase, Phase::Flowing) {
            return;
        }
        let Some(terminator) = self.terminator.take() else { return };
        self.out.flush();
        let terminator = self.written(terminator);
        if let (Some(told), Some(principal)) = (self.translation.take(), &self.course.facts.principal) {
            told.keepsake.keep(&*self.course.worker.vault, &principal.tenant);
        }
        let whole = self.encoder.take_whole();
        match whole.and_then(|whole| keeping::write(&self.course, &whole)) {
            Some(writing) => self.phase = Phase::Keeping { writing, terminator },
            None => self.completed(terminator),
        }
    }

    /// Waits until the answer is kept, so that its id can be used as soon as the caller has its end.
    pub(super) fn poll_keeping(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Keeping { writing, terminator } = &mut self.phase else { return Poll::Ready(()) };
        let written = ready!(writing.as_mut().poll(cx));
        let terminator = std::mem::take(terminator);
        let told = match written {
            Ok(()) => Ok(terminator),
            Err(why) => keeping::not_kept(&mut self.course, &terminator, &why),
        };
        match told {
            Ok(terminator) => self.completed(terminator),
            Err(refusal) => self.fail(&refusal),
        }
        Poll::Ready(())
    }

    fn completed(&mut self, terminator: Bytes) {
        let (usage, source) = self.course.usage();
        let outcome = Outcome::Completed { usage, reported: source == UsageSource::Provider };
        self.end(&outcome, terminator);
    }

    fn written(&mut self, terminator: Terminator) -> Bytes {
        let mut out = Vec::new();
        match terminator {
            // Nobody changed a byte, so nobody changes the last ones.
            Terminator::Frame(frame) if self.course.chain.is_empty() && !self.is_rewriting => {
                return frame.raw;
            }
            Terminator::Frame(frame) => self.encoder.pass(&frame, &mut out),
            Terminator::Events(events) => match self.retell(&events, &mut out) {
                Ok(()) => self.encoder.write_end(&mut out),
                Err(failure) => self.encoder.write_error(&failure_body(&failure, self.course.id), &mut out),
            },
            Terminator::Own => self.encoder.write_end(&mut out),
        }
        out.into()
    }

    /// The answer ends early, with an error in the caller's dialect.
    pub(super) fn fail(&mut self, refusal: &Refusal) {
        if self.course.is_settled() {
            return;
        }
        // What is waited for ends first: it may have asked a question that the exchange pays for.
        self.phase = Phase::Flowing;
        self.course.chain.discard();
        self.terminator = None;
        self.out.flush();
        let id = self.course.id;
        let mut tail = Vec::new();
        let error = match refusal {
            Refusal::Denied(denial) => Some(denial_body(denial, id)),
            Refusal::Failed(failure) => Some(failure_body(failure, id)),
            Refusal::Answered(_) => None,
        };
        if let Some(error) = error {
            self.encoder.write_error(&error, &mut tail);
            self.breaks_off = self.course.codec.is_opaque();
        }
        self.course.facts.code = refusal.code();
        if let Refusal::Failed(failure) = refusal {
            tracing::debug!(%id, side = failure.side.as_str(), code = %code_of(failure), detail = failure.detail.as_deref(), "Stream failed");
        }
        let outcome = self.outcome_of(refusal);
        self.end(&outcome, tail.into());
    }

    fn outcome_of(&self, refusal: &Refusal) -> Outcome {
        let (seen, _) = self.course.usage();
        let cancelled = |by| Outcome::Cancelled { seen, by, upstream_aborted: !self.is_upstream_ended };
        match refusal {
            Refusal::Failed(failure) if failure.kind == FailureKind::Shutdown => {
                cancelled(CancelledBy::Shutdown)
            }
            Refusal::Failed(failure) if failure.side == Side::Upstream => {
                Outcome::Failed { seen, may_be_billed: true }
            }
            _ => cancelled(CancelledBy::Filter),
        }
    }

    fn end(&mut self, outcome: &Outcome, terminator: Bytes) {
        let settled = self.course.settle(outcome);
        self.let_go(matches!(outcome, Outcome::Completed { .. }));
        let patience = Box::pin(tokio::time::sleep(self.course.worker.settings.record_wait));
        self.phase = Phase::Ending { settled, terminator, patience };
    }

    /// Lets go of the provider. A complete answer's body is read to its end, so that the
    /// connection can be used again; any other is dropped, which cancels the call.
    fn let_go(&mut self, is_complete: bool) {
        let Some(mut body) = self.upstream.take() else { return };
        if !is_complete || self.is_upstream_ended || body.is_end_stream() {
            return;
        }
        let mut now = Context::from_waker(std::task::Waker::noop());
        if drain_step(&mut body, &mut now).is_ready() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let rest = std::future::poll_fn(|cx| drain_step(&mut body, cx));
                // Whether it ended or not, dropping the body is all that is left to do.
                let _ended = tokio::time::timeout(DRAIN_WAIT, rest).await;
            });
        }
    }

    /// Waits for the record, within bounds, then sends the terminator.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Phase::Ending { settled, terminator, patience } = &mut self.phase else { return Poll::Ready(()) };
        let written = match Pin::new(&mut settled.receipt).poll(cx) {
            Poll::Ready(written) => written,
            Poll::Pending => {
                ready!(patience.as_mut().poll(cx));
                Err("the record was not durable in time".into())
            }
        };
        let terminator = std::mem::take(terminator);
        self.phase = Phase::Done;
        self.out.push(terminator);
        if let Err(why) = written {
            super::super::respond::record_late(&self.course, &why);
        }
        Poll::Ready(())
    }
}

/// Reads and forgets what is left of a body.
fn drain_step(body: &mut Pin<Box<UpstreamBody>>, cx: &mut Context<'_>) -> Poll<()> {
    while let Some(Ok(_)) = ready!(body.as_mut().poll_frame(cx)) {}
    Poll::Ready(())
}

impl Drop for Pump {
    /// The client left: the filters learn it, the call is cancelled, and the course settles. Where the answer was lost
    /// to a panic, in a codec for example, the course says so by itself.
    fn drop(&mut self) {
        if self.course.is_settled() || std::thread::panicking() {
            return;
        }
        let (seen, _) = self.course.usage();
        let outcome =
            Outcome::Cancelled { seen, by: CancelledBy::Client, upstream_aborted: !self.is_upstream_ended };
        self.phase = Phase::Done;
        self.course.facts.code = Some("client_gone".into());
        drop(self.course.settle(&outcome));
    }
}
