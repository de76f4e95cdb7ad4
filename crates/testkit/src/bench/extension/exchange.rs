//! What an extension costs per exchange: every hook that runs once, over a small corpus of requests.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use gatewright::registry::Instance;
use gatewright::{
    Admission, Candidate, CredentialQuery, Estimate, LlmRequest, Outcome, Principal, ProviderName,
    ProviderRequest, RequestCx, Usage,
};
use serde_json::json;

use super::tally::{Cost, Tally, median};
use crate::bench::text::prose;
use crate::extension::{Head, chat_request, context, response_head, usage_record};

/// Exchanges of one stretch.
const STRETCH: u64 = 64;

/// The cost of one exchange, or none where no hook runs once.
pub(super) async fn cost(
    instance: &Instance,
    caller: &Principal,
    (runs, window): (usize, Duration),
) -> Option<Cost> {
    if !has_hooks(instance) {
        return None;
    }
    let corpus = corpus();
    let mut costs = Vec::new();
    for _ in 0..runs {
        let (mut with, mut without) = (Tally::new(window), Tally::new(window));
        while with.goes_on() || without.goes_on() {
            let prepared = prepare(&corpus, caller);
            with.add(STRETCH, async {
                for (mut request, mut cx) in prepared {
                    exchange(instance, &mut request, &mut cx).await;
                    black_box((&request, &cx));
                }
            })
            .await;
            let prepared = prepare(&corpus, caller);
            without
                .add(STRETCH, async {
                    for (request, cx) in prepared {
                        black_box((&request, &cx));
                    }
                })
                .await;
        }
        costs.push(with.cost().without(without.cost()));
    }
    Some(median(&costs))
}

fn has_hooks(instance: &Instance) -> bool {
    let Instance {
        authenticator, request, limiter, response, credential, picker, provider, estimator, ..
    } = instance;
    authenticator.is_some()
        || request.is_some()
        || limiter.is_some()
        || response.is_some()
        || credential.is_some()
        || picker.is_some()
        || provider.is_some()
        || estimator.is_some()
        || instance.sink.is_some()
}

fn prepare(corpus: &[LlmRequest], caller: &Principal) -> Vec<(LlmRequest, RequestCx)> {
    let turns = usize::try_from(STRETCH).unwrap_or(usize::MAX);
    corpus.iter().cycle().take(turns).map(|request| (request.clone(), context(caller.clone()))).collect()
}

/// A short question, a page of text, and a conversation with tools.
fn corpus() -> Vec<LlmRequest> {
    let page = prose::with_matches(4 * 1024, 9);
    [
        json!({"model": "model", "messages": [{"role": "user", "content": "How far is the moon?"}]}),
        json!({"model": "model", "temperature": 0.2, "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": page},
        ]}),
        json!({"model": "model", "max_tokens": 100, "messages": [
            {"role": "user", "content": "What is the weather in Ghent?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"at\":\"Ghent\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain, 12 degrees"},
            {"role": "user", "content": "And tomorrow?"},
        ], "tools": [{"type": "function", "function": {"name": "weather", "description": "tells the weather"}}]}),
    ]
    .iter()
    .map(chat_request)
    .collect()
}

/// Every hook that runs once in an exchange, in its order.
async fn exchange(instance: &Instance, request: &mut LlmRequest, cx: &mut RequestCx) {
    const FAILED: &str = "the extension does not fail";
    if let Some(authenticator) = &instance.authenticator {
        let head = Head::with(&[("authorization", "Bearer gw-bench-0123456789")]);
        drop(authenticator.authenticate(&head.borrow()).await.expect(FAILED));
    }
    if let Some(estimator) = &instance.estimator {
        black_box(estimator.input_tokens(request, "model").expect(FAILED));
    }
    if let Some(transform) = &instance.request
        && transform.wants(request, cx)
    {
        drop(transform.on_request(request, cx).await.expect(FAILED));
    }
    let outcome = Outcome::Completed { usage: usage(), reported: true };
    let mut claim = None;
    if let Some(limiter) = &instance.limiter {
        let estimate = Estimate { usage: usage(), ..Estimate::default() };
        if let Admission::Admit(reservation, _) =
            limiter.reserve(&estimate, request, None, cx).await.expect(FAILED)
        {
            claim = Some(reservation);
        }
    }
    route(instance, request, cx).await;
    if let Some(filter) = &instance.response {
        let head = response_head(true);
        black_box(filter.plan(&head, cx));
        drop(filter.open(&head, cx).expect(FAILED));
    }
    if let Some(rest) = claim.and_then(|claim| claim.settle(&outcome)) {
        rest.await.expect(FAILED);
    }
    if let Some(sink) = &instance.sink {
        let record = usage_record(Principal::clone(cx.principal()), usage());
        sink.deliver(&[Arc::new(record)]).await.expect(FAILED);
    }
}

/// The hooks around the call of a provider.
async fn route(instance: &Instance, request: &LlmRequest, cx: &RequestCx) {
    const FAILED: &str = "the extension does not fail";
    if let Some(picker) = &instance.picker {
        let candidate = |name: &str| Candidate {
            provider: ProviderName::new(name),
            model: "model".into(),
            weight: 1,
            is_tried: false,
            price: None,
        };
        let candidates = [candidate("one"), candidate("two")];
        black_box(picker.pick(&candidates, request, cx).expect(FAILED));
    }
    if let Some(credential) = &instance.credential {
        let provider = ProviderName::new("provider");
        let query = CredentialQuery {
            principal: cx.principal(),
            provider: &provider,
            base_url: "https://provider.example/v1",
            model: "model",
        };
        drop(credential.credential(&query).await.expect(FAILED));
    }
    if let Some(adapter) = &instance.provider {
        let body = request.to_body();
        let encoded = ProviderRequest {
            model: "model",
            operation: request.operation(),
            dialect: request.dialect(),
            streams: request.streams(),
            body: &body,
        };
        drop(black_box(adapter.encode(&encoded)).ok());
    }
}

fn usage() -> Usage {
    Usage { input: 20, output: 40, ..Usage::default() }
}
