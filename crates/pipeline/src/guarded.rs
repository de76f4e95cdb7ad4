//! A future of an instance: each poll of it, and its drop, happen inside the fence.

use std::task::{Context, Poll};

use gatewright::{BoxFuture, ExtError};

use crate::gate::Gate;
use crate::hook::Hook;
use crate::hooked::Fault;

/// A future inside the fence.
pub(crate) struct Guarded<'g, 'f, T> {
    gate: &'g Gate,
    hook: Hook,
    /// Taken away at the end, so that its drop happens inside the fence.
    future: Option<BoxFuture<'f, Result<T, ExtError>>>,
}

impl<'g, 'f, T> Guarded<'g, 'f, T> {
    pub(crate) fn new(gate: &'g Gate, hook: Hook, future: BoxFuture<'f, Result<T, ExtError>>) -> Self {
        Self { gate, hook, future: Some(future) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Fault>> {
        let Some(future) = &mut self.future else { return Poll::Pending };
        poll_inside(self.gate, self.hook, future, cx)
    }
}

impl<T> Drop for Guarded<'_, '_, T> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.gate.discard(future);
        }
    }
}

/// Polls a future of an instance inside the fence.
pub(crate) fn poll_inside<T>(
    gate: &Gate,
    hook: Hook,
    future: &mut BoxFuture<'_, Result<T, ExtError>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Fault>> {
    let polled = gate.run(hook, || match future.as_mut().poll(cx) {
        Poll::Ready(result) => result.map(Some),
        Poll::Pending => Ok(None),
    });
    match polled.transpose() {
        Some(result) => Poll::Ready(result),
        None => Poll::Pending,
    }
}
