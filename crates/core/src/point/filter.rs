//! Answers on their way out, whole or streamed.
//!
//! A filter says once per answer how it wants to see it ([`FilterPlan`]), and the host does the
//! rest: it assembles text per lane, holds back what could still change, pauses the provider
//! while a filter waits for something, and runs the same text session over whole answers, so
//! that a filter cannot be bypassed by asking for, or not asking for, a stream.

use std::any::Any;

use async_trait::async_trait;

use crate::text::{HoldBack, TextPatterns, TextWindow};
use crate::{BoxFuture, Denial, ExtError, Flow, HookResult, LlmResponse, Outcome, RequestCx};
use crate::{ResponseHead, StreamCx, StreamEvent};

/// How a filter wants to see an answer. Chosen once per answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FilterPlan {
    /// Not in the chain for this answer.
    Skip,
    /// Sees events after their release; it can neither change nor delay them.
    Observe,
    /// May change or drop single events, without holding any back.
    Events,
    /// The host assembles text per lane and holds back the tail that could still change;
    /// [`StreamFilter::on_text`] decides.
    Text(HoldBack),
    /// The host masks by these patterns on its own, with exact release: nothing is released that
    /// could still change, and nothing is held that cannot.
    Patterns(TextPatterns),
    /// The whole answer is collected, then [`ResponseFilter::on_response`] sees it. Over the
    /// bound the answer is refused. It costs the stream its time to first token.
    Whole {
        /// The most bytes to collect.
        max_bytes: usize,
    },
}

/// Looks at answers, changes them or cuts them off.
///
/// # Example
///
/// Counts the pieces of text of each answer, whatever its dialect.
///
/// ```
/// use gatewright::prelude::*;
///
/// struct CountPieces;
///
/// impl ResponseFilter for CountPieces {
///     fn plan(&self, _head: &ResponseHead, _cx: &RequestCx) -> FilterPlan {
///         FilterPlan::Events
///     }
///
///     fn open(&self, _head: &ResponseHead, _cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
///         Ok(Box::new(Count(0)))
///     }
/// }
///
/// struct Count(usize);
///
/// impl StreamFilter for Count {
///     fn on_event(&mut self, event: &mut StreamEvent, _cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
///         self.0 += usize::from(event.text().is_some());
///         Ok(StreamFlow::Continue)
///     }
/// }
/// ```
#[async_trait]
pub trait ResponseFilter: Send + Sync + 'static {
    /// Says how the filter wants to see this answer.
    fn plan(&self, head: &ResponseHead, cx: &RequestCx) -> FilterPlan;

    /// Whether sessions may pass in which texts and sound flow both ways as events, though the host shows none of them
    /// to the filter. Asked once, when a configuration is put to use. Where nobody says so, a route with an instance that
    /// enforces refuses sessions, so that nothing passes unseen.
    fn lets_sessions_pass(&self) -> bool {
        false
    }

    /// Sees an answer that is not streamed, unless the plan for it is [`FilterPlan::Skip`], and a streamed one under
    /// [`FilterPlan::Whole`]. Filters come in the order of the route, each after the work of the ones before it.
    /// A filter with a text plan has its session run by the host and needs nothing here.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    ///
    /// # Cancellation
    ///
    /// Dropped at the instance's deadline, and when the client leaves.
    async fn on_response(&self, response: &mut LlmResponse, cx: &mut RequestCx) -> HookResult {
        let _ = (response, cx);
        Ok(Flow::Continue)
    }

    /// Opens the per-answer state. Called under the plans `Observe`, `Events` and `Text`.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    fn open(&self, head: &ResponseHead, cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        let _ = (head, cx);
        Ok(Box::new(Untouched))
    }
}

/// The state of a filter for one answer. Its hooks run one at a time, so it needs no lock.
pub trait StreamFilter: Send {
    /// Sees one event, under the plan `Events`.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    fn on_event(&mut self, event: &mut StreamEvent, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        let _ = (event, cx);
        Ok(StreamFlow::Continue)
    }

    /// Sees one released event, under the plan `Observe`.
    fn observe(&mut self, event: &StreamEvent, cx: &mut StreamCx<'_>) {
        let _ = (event, cx);
    }

    /// Sees the text of a lane that is not released yet, under the plan `Text`.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    fn on_text(&mut self, window: &mut TextWindow<'_>, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        let _ = (window, cx);
        Ok(StreamFlow::Continue)
    }

    /// Continues after a [`StreamFlow::Await`] with what the future returned.
    ///
    /// # Errors
    ///
    /// A failure of the extension itself; the instance's policy decides.
    fn resume(&mut self, answer: Box<dyn Any + Send>, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        drop(answer);
        let _ = cx;
        Ok(StreamFlow::Continue)
    }

    /// The answer ended, in whatever way.
    fn on_end(&mut self, outcome: &Outcome, cx: &mut StreamCx<'_>) {
        let _ = (outcome, cx);
    }
}

/// How a stream goes on after an event.
#[must_use]
pub enum StreamFlow {
    /// The event, or the released part of the text, goes out.
    Continue,
    /// The event does not go out. Text that was released stays released. Under a text plan the window says what goes
    /// out, and this is the same as [`StreamFlow::Continue`].
    Drop,
    /// The answer ends here with an error in the caller's dialect; the provider is cancelled.
    Cut(Box<Denial>),
    /// The escape to asynchronous work, for example a remote check: the host stops reading from
    /// the provider, keeps the event held, enforces the instance's deadline, and calls
    /// [`StreamFilter::resume`].
    Await(BoxFuture<'static, Result<Box<dyn Any + Send>, ExtError>>),
}

impl std::fmt::Debug for StreamFlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Continue => f.write_str("Continue"),
            Self::Drop => f.write_str("Drop"),
            Self::Cut(denial) => f.debug_tuple("Cut").field(denial).finish(),
            Self::Await(_) => f.write_str("Await"),
        }
    }
}

/// Leaves everything as it is.
struct Untouched;

impl StreamFilter for Untouched {}
