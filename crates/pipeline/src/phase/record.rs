//! What is remembered: the usage record, the metrics, the access line.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use gatewright::record::UsageRecord;
use gatewright::{ModelName, Outcome, Principal, RouteName, UsageSource};
use gatewright_policy::cost;

use crate::course::Course;
use crate::ledger::Receipt;

/// Stands for the caller of an exchange that nobody authenticated.
static NOBODY: LazyLock<Arc<Principal>> = LazyLock::new(|| Arc::new(Principal::new("-".into(), "-")));
static NO_ROUTE: LazyLock<RouteName> = LazyLock::new(|| RouteName::new("-"));
static NO_MODEL: LazyLock<ModelName> = LazyLock::new(|| ModelName::new("-"));

/// Writes the record of the last attempt and tells the observer and the log.
///
/// An exchange that never reached a provider has no usage, so it goes to metrics and log only.
pub(crate) fn write(course: &Course, outcome: &Outcome) -> Receipt {
    let record = of(course, outcome, course.facts.code.clone());
    if course.bill.is_some() {
        course.worker.observer.asked(&record);
        return if course.attempt.is_some() { course.worker.ledger.append(record) } else { Receipt::Done };
    }
    course.worker.observer.exchange_ended(&record);
    if course.worker.settings.access_log {
        access_line(&record, course.facts.caller_id.as_deref());
    }
    if course.attempt.is_some() { course.worker.ledger.append(record) } else { Receipt::Done }
}

/// The record of the current attempt.
pub(crate) fn of(course: &Course, outcome: &Outcome, code: Option<Cow<'static, str>>) -> UsageRecord {
    let facts = &course.facts;
    let attempt = course.attempt.as_ref();
    let usage = outcome.usage();
    let total = course.elapsed();
    let source = match outcome {
        Outcome::Completed { reported: true, .. } => UsageSource::Provider,
        Outcome::Completed { .. } => UsageSource::Estimated,
        _ => course.usage().1,
    };
    UsageRecord {
        request_id: course.id,
        attempt: attempt.map_or(0, |attempt| attempt.number),
        principal: Arc::clone(facts.principal.as_ref().unwrap_or(&NOBODY)),
        route: facts.route.clone().unwrap_or_else(|| NO_ROUTE.clone()),
        operation: course.codec.operation(),
        streamed: facts.streamed,
        model_asked: facts.model_asked.clone().unwrap_or_else(|| NO_MODEL.clone()),
        model_served: attempt.map(|attempt| Arc::clone(&attempt.model)),
        provider: attempt.map(|attempt| attempt.provider.name.clone()),
        status: facts.status,
        outcome: outcome.as_str(),
        code,
        usage,
        usage_source: source,
        cost: attempt.and_then(|attempt| attempt.price.as_deref()).and_then(|price| cost(&usage, price)),
        started_unix_ms: course.started_unix_ms,
        time_to_first_token: facts.first_token.map(|at| at.saturating_duration_since(course.received)),
        total,
        overhead: overhead(course, total),
        losses: facts.losses.clone(),
        tags: course.cx.tags(),
    }
}

/// The time that the gateway itself took: from the last byte of the request until the call went
/// out, and, for an answer that is not streamed, from its last byte until now.
fn overhead(course: &Course, total: std::time::Duration) -> std::time::Duration {
    let end = course.received + total;
    let Some(read) = course.facts.read else { return total };
    let Some(attempt) = &course.attempt else { return end.saturating_duration_since(read) };
    let before = attempt.sent.unwrap_or(end).saturating_duration_since(read);
    match attempt.answered {
        Some(answered) if !course.facts.streamed => before + end.saturating_duration_since(answered),
        _ => before,
    }
}

/// One structured line per exchange. It carries no prompt, no answer and no key.
fn access_line(record: &UsageRecord, caller_id: Option<&str>) {
    tracing::info!(
        target: "gatewright::access",
        id = %record.request_id,
        caller_id,
        tenant = %record.principal.tenant,
        key = &*record.principal.key_label,
        route = %record.route,
        operation = record.operation.as_str(),
        streamed = record.streamed,
        model = %record.model_asked,
        served = record.model_served.as_deref(),
        provider = record.provider.as_ref().map(gatewright::ProviderName::as_str),
        attempts = record.attempt,
        status = record.status,
        outcome = record.outcome,
        code = record.code.as_deref(),
        input_tokens = record.usage.prompt_tokens(),
        output_tokens = record.usage.output,
        usage = record.usage_source.as_str(),
        cost_usd = record.cost.map(tracing::field::display),
        first_token_us = record.time_to_first_token.map(micros),
        total_us = micros(record.total),
        overhead_us = micros(record.overhead),
        "Exchange"
    );
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
