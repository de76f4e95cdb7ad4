//! Wires around a response filter and the state of one answer.

use std::any::Any;
use std::sync::Arc;

use gatewright::prelude::*;
use gatewright_pipeline::Hook;

use super::Wired;
use crate::gateway::post::Post;

#[async_trait]
impl ResponseFilter for Wired<dyn ResponseFilter> {
    fn plan(&self, head: &ResponseHead, cx: &RequestCx) -> FilterPlan {
        self.post.trip(Hook::Open);
        self.inner.plan(head, cx)
    }

    async fn on_response(&self, response: &mut LlmResponse, cx: &mut RequestCx) -> HookResult {
        self.post.trip(Hook::Response);
        self.inner.on_response(response, cx).await
    }

    fn open(&self, head: &ResponseHead, cx: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        Ok(Box::new(WiredFilter { inner: self.inner.open(head, cx)?, post: Arc::clone(&self.post) }))
    }
}

struct WiredFilter {
    inner: Box<dyn StreamFilter>,
    post: Arc<Post>,
}

impl StreamFilter for WiredFilter {
    fn on_event(&mut self, event: &mut StreamEvent, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.post.trip(Hook::Event);
        self.inner.on_event(event, cx)
    }

    fn observe(&mut self, event: &StreamEvent, cx: &mut StreamCx<'_>) {
        self.post.trip(Hook::Observe);
        self.inner.observe(event, cx);
    }

    fn on_text(&mut self, window: &mut TextWindow<'_>, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.post.trip(Hook::Text);
        self.inner.on_text(window, cx)
    }

    fn resume(&mut self, answer: Box<dyn Any + Send>, cx: &mut StreamCx<'_>) -> HookResult<StreamFlow> {
        self.post.trip(Hook::Resume);
        self.inner.resume(answer, cx)
    }

    fn on_end(&mut self, outcome: &Outcome, cx: &mut StreamCx<'_>) {
        self.post.trip(Hook::End);
        self.inner.on_end(outcome, cx);
    }
}

impl Drop for WiredFilter {
    fn drop(&mut self) {
        self.post.trip(Hook::Drop);
    }
}
