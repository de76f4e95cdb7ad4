//! A filter that is shown a whole answer.

use std::sync::Arc;
use std::time::Duration;

use gatewright::{Flow, LlmResponse, RequestCx};

use crate::hook::Hook;
use crate::hooked::{Called, Hooked};
use crate::worker::Worker;

/// Shows a filter a whole answer, inside the fence. Answer and context come back, unless an isolated hook lost
/// them.
pub(crate) async fn respond(
    hooked: &Arc<Hooked>,
    mut response: LlmResponse,
    mut cx: RequestCx,
    worker: &Worker,
) -> Judged {
    cx.enter(hooked.index);
    let Some(filter) = hooked.instance.response.clone() else {
        let called = Called { result: Ok(Flow::Continue), took: Duration::ZERO };
        return Judged { called, left: Some((response, cx)) };
    };
    if hooked.is_isolated() {
        let (left, called) = hooked
            .call_isolated(worker, Hook::Response, (response, cx), move |(response, cx)| {
                Box::pin(async move { filter.on_response(response, cx).await })
            })
            .await;
        return Judged { called, left };
    }
    let called = hooked.call(worker, Hook::Response, || filter.on_response(&mut response, &mut cx)).await;
    Judged { called, left: Some((response, cx)) }
}

/// What came of showing a filter the whole answer.
pub(crate) struct Judged {
    pub(crate) called: Called<Flow>,
    /// The answer and the context of the exchange.
    pub(crate) left: Option<(LlmResponse, RequestCx)>,
}
