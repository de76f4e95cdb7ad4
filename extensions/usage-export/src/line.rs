//! The JSON line of a record: what a receiver relies on.

use std::collections::BTreeMap;
use std::time::Duration;

use gatewright::record::UsageRecord;
use gatewright::serde::Serialize;
use gatewright::serde_json;

/// A record as it is exported. A receiver knows it by `request_id` and `attempt` together.
#[derive(Serialize)]
#[serde(crate = "gatewright::serde")]
struct Line<'r> {
    request_id: &'r str,
    attempt: u32,
    started_unix_ms: u64,
    tenant: &'r str,
    project: Option<&'r str>,
    user: Option<&'r str>,
    key: &'r str,
    route: &'r str,
    operation: &'r str,
    streamed: bool,
    model_asked: &'r str,
    model_served: Option<&'r str>,
    provider: Option<&'r str>,
    status: u16,
    outcome: &'r str,
    code: Option<&'r str>,
    usage: Tokens,
    usage_source: &'r str,
    /// Nano-dollars; none where the price is not known.
    cost_nanos: Option<i64>,
    first_token_ms: Option<u64>,
    total_ms: u64,
    overhead_us: u64,
    /// Fields of the request that the translation to the provider could not carry over, and what became of each.
    losses: BTreeMap<&'r str, &'r str>,
    tags: BTreeMap<&'r str, &'r str>,
}

#[derive(Serialize)]
#[serde(crate = "gatewright::serde")]
struct Tokens {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    cache_write_1h: u64,
    output: u64,
    reasoning: u64,
    input_audio: u64,
    output_audio: u64,
}

/// The line of a record, without a line end.
pub(crate) fn of(record: &UsageRecord) -> String {
    let usage = record.usage;
    let line = Line {
        request_id: record.request_id.as_str(),
        attempt: record.attempt,
        started_unix_ms: record.started_unix_ms,
        tenant: record.principal.tenant.as_str(),
        project: record.principal.project.as_deref(),
        user: record.principal.user.as_deref(),
        key: &record.principal.key_label,
        route: record.route.as_str(),
        operation: record.operation.as_str(),
        streamed: record.streamed,
        model_asked: record.model_asked.as_str(),
        model_served: record.model_served.as_deref(),
        provider: record.provider.as_ref().map(gatewright::ProviderName::as_str),
        status: record.status,
        outcome: record.outcome,
        code: record.code.as_deref(),
        usage: Tokens {
            input: usage.input,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            cache_write_1h: usage.cache_write_1h,
            output: usage.output,
            reasoning: usage.reasoning,
            input_audio: usage.input_audio,
            output_audio: usage.output_audio,
        },
        usage_source: record.usage_source.as_str(),
        cost_nanos: record.cost.map(gatewright::Money::nanos),
        first_token_ms: record.time_to_first_token.map(millis),
        total_ms: millis(record.total),
        overhead_us: u64::try_from(record.overhead.as_micros()).unwrap_or(u64::MAX),
        losses: record.losses.iter().map(|loss| (&*loss.field, loss.kind.as_str())).collect(),
        tags: record.tags.iter().collect(),
    };
    serde_json::to_string(&line).expect("texts and numbers can always be written as JSON")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
