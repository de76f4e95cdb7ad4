//! The ends of a session: by either side, by a limit, by a bound of the gateway, by the end of the process. Each settles
//! once, and the record is durable before the caller is told.

use std::borrow::Cow;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gatewright::{CancelledBy, Failure, FailureKind, Outcome, Side, UsageSource};
use gatewright_wire::web_socket::{Close, Kind, Masking, Unit, Violation};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::relay::{Relay, masking};
use super::side::{self, Lost};
use crate::answer::respond::wait_for_record;
use crate::failure::Refusal;
use crate::phase::send::shutdown;

/// How long the last words may take, in which a side reads what waits for it and closes too.
const GOODBYE: Duration = Duration::from_secs(2);

/// A side of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Client,
    Provider,
}

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// A side closed.
    Closed(Who, Close),
    /// A side is gone, or does not speak the protocol.
    Lost(Who, Lost),
    /// The caller sent bytes where events are texts.
    Binary,
    /// A limit is reached, or the caller does not read what is wrong with its events.
    Refused(Refusal),
    /// A side does not read.
    Stalled(Who),
    /// Nobody said anything.
    Idle,
    /// It has lasted as long as it may.
    TooLong,
    /// The process ends, and no turn is under way.
    Leaving,
    /// The process ends now.
    Shutdown,
}

/// What an end means for the record and for both sides.
struct Meaning {
    /// Who is to blame where a turn was under way; `None` where the provider is.
    by: Option<CancelledBy>,
    code: Option<Cow<'static, str>>,
    error: Option<Refusal>,
    to_client: Close,
}

impl End {
    fn meaning(self) -> Meaning {
        let client = Some(CancelledBy::Client);
        match self {
            Self::Closed(Who::Client, close) => {
                Meaning { by: client, code: None, error: None, to_client: close }
            }
            Self::Closed(Who::Provider, close) => {
                Meaning { by: None, code: None, error: None, to_client: close }
            }
            Self::Lost(Who::Client, Lost::Gone(_)) | Self::Stalled(Who::Client) => Meaning {
                by: client,
                code: Some("client_gone".into()),
                error: None,
                to_client: Close::new(Close::GOING_AWAY, ""),
            },
            Self::Lost(Who::Client, Lost::Violation(violation)) => {
                failed(client, violation.code(), broken(Side::Client, violation))
            }
            Self::Lost(Who::Provider, Lost::Violation(violation)) => {
                failed(None, Close::INTERNAL, broken(Side::Upstream, violation))
            }
            Self::Lost(Who::Provider, Lost::Gone(error)) => {
                let text = "the provider broke off the session";
                let failure = Failure::new(Side::Upstream, FailureKind::Unavailable, text);
                failed(None, Close::INTERNAL, failure.with_detail(error.to_string()))
            }
            Self::Stalled(Who::Provider) => {
                let text = "the provider does not take what the session sends";
                failed(None, Close::INTERNAL, Failure::new(Side::Upstream, FailureKind::Timeout, text))
            }
            Self::Binary => {
                let text = "events are texts in JSON; send no binary messages";
                failed(client, Close::UNSUPPORTED, Failure::invalid("event", text))
            }
            Self::Refused(refusal) => Meaning {
                by: Some(CancelledBy::Filter),
                code: refusal.code(),
                to_client: Close::new(Close::POLICY, "a limit is reached"),
                error: Some(refusal),
            },
            Self::Idle => quiet("idle_timeout", Close::NORMAL, "nothing was said for too long"),
            Self::TooLong => {
                let text = "the session has lasted as long as it may; open another";
                let failure = Failure::new(Side::Gateway, FailureKind::Invalid, text);
                failed(Some(CancelledBy::Filter), Close::GOING_AWAY, failure.with_code("session_expired"))
            }
            Self::Leaving => quiet("server_shutdown", Close::GOING_AWAY, "the gateway is shutting down"),
            Self::Shutdown => failed(Some(CancelledBy::Shutdown), Close::GOING_AWAY, shutdown()),
        }
    }
}

fn failed(by: Option<CancelledBy>, code: u16, failure: Failure) -> Meaning {
    let to_client = Close::new(code, &failure.message);
    let refusal = Refusal::from(failure);
    Meaning { by, code: refusal.code(), error: Some(refusal), to_client }
}

fn quiet(code: &'static str, status: u16, reason: &str) -> Meaning {
    let to_client = Close::new(status, reason);
    Meaning { by: Some(CancelledBy::Filter), code: Some(code.into()), error: None, to_client }
}

fn broken(side: Side, violation: Violation) -> Failure {
    match side {
        Side::Client => {
            let failure = Failure::invalid("message", format!("WebSocket: {violation}"));
            failure.with_code("invalid_web_socket")
        }
        Side::Upstream | Side::Gateway => {
            let text = "the provider does not speak WebSocket as it should";
            Failure::new(side, FailureKind::Malformed, text).with_detail(violation.to_string())
        }
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Relay<C> {
    /// Settles, and tells both sides.
    pub(super) async fn finish(mut self, end: End) {
        // What is waited for ends first: it may be what the exchange pays for.
        self.pause = None;
        let provider_ended = matches!(end, End::Closed(Who::Provider, _) | End::Lost(Who::Provider, _));
        let client_gone = matches!(end, End::Lost(Who::Client, Lost::Gone(_)) | End::Stalled(Who::Client));
        let client_closed = matches!(end, End::Closed(Who::Client, _));
        tracing::debug!(id = %self.course.id, ?end, "Session ends");
        let Meaning { by, code, error, to_client } = end.meaning();
        let outcome = self.outcome(by, !provider_ended);
        let breaks_turn = self.turns > 0 && provider_ended;
        self.course.facts.code = code.or_else(|| breaks_turn.then_some("upstream_closed".into()));
        let settled = self.course.settle(&outcome);
        let masking = masking(&self.course);
        self.provider.close(&Close::new(Close::NORMAL, ""), masking);
        wait_for_record(&mut self.course, settled).await;

        if let Some(error) = error.as_ref().and_then(|error| error.body(self.course.id)) {
            self.client.send(Kind::Text, &self.codec.error_event(&error), Masking::Server);
        }
        self.client.close(&to_client, Masking::Server);
        let Self { mut client, mut provider, .. } = self;
        let mut to_client = Goodbye::new(client_closed, client_gone);
        let mut to_provider = Goodbye::new(provider_ended, false);
        let both = poll_fn(|cx| {
            let (client, provider) = (to_client.poll(&mut client, cx), to_provider.poll(&mut provider, cx));
            if client.is_ready() && provider.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        });
        // Who takes longer finds the connection closed.
        let _ended = timeout(GOODBYE, both).await;
    }

    /// A turn that was under way is not complete; a session between turns is, whoever ends it.
    fn outcome(&self, by: Option<CancelledBy>, upstream_aborted: bool) -> Outcome {
        let (usage, source) = self.course.usage();
        if self.turns == 0 && source == UsageSource::Provider {
            return Outcome::Completed { usage, reported: true };
        }
        match by {
            Some(by) => Outcome::Cancelled { seen: usage, by, upstream_aborted },
            None => Outcome::Failed { seen: usage, may_be_billed: true },
        }
    }
}

/// The last words to one side: what waits is written, the side closes too, and the connection ends.
struct Goodbye {
    has_closed: bool,
    is_done: bool,
}

impl Goodbye {
    fn new(has_closed: bool, is_done: bool) -> Self {
        Self { has_closed, is_done }
    }

    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        side: &mut side::Side<S>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.is_done {
            return Poll::Ready(());
        }
        let written = ready!(side.poll_flush(cx));
        while written.is_ok() && !self.has_closed {
            match ready!(side.poll_unit(cx)) {
                Ok(Unit::Close(_)) | Err(_) => self.has_closed = true,
                Ok(_) => {}
            }
        }
        // The connection is dropped next, whatever comes of this.
        let _closed = ready!(side.poll_shutdown(cx));
        self.is_done = true;
        Poll::Ready(())
    }
}
