//! The one end of an exchange: every claim is settled, the record is written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::{BoxFuture, CancelledBy, ExtError, Money, Outcome, RequestCx, TenantId, Usage};
use gatewright_policy::cost;

use crate::course::{Course, HeldClaim};
use crate::hook::Hook;
use crate::hooked::{Fault, Hooked};
use crate::observer::HookResult;
use crate::phase::record;
use crate::state::Settled;

/// Settles every claim and writes the record. [`Course::settle`] sees to it that this happens once.
pub(crate) fn settle(course: &mut Course, outcome: &Outcome) -> Settled {
    let asked = course.cx.as_ref().map(RequestCx::asked_usage).unwrap_or_default();
    let owed = with_questions(outcome, &asked);
    let tenant = course.tenant().cloned();
    let price = course.attempt.as_ref().and_then(|attempt| attempt.price.as_deref());
    let charge = price.and_then(|price| cost(&owed.usage(), price));
    for claim in std::mem::take(&mut course.claims) {
        settle_claim(claim, (&owed, charge), tenant.as_ref());
    }
    Settled { receipt: record::write(course, outcome) }
}

/// The outcome with what further questions of the exchange consumed, which its claims cover as well.
fn with_questions(outcome: &Outcome, asked: &Usage) -> Outcome {
    let mut owed = outcome.clone();
    if *asked == Usage::default() {
        return owed;
    }
    match &mut owed {
        Outcome::Completed { usage, .. } => *usage = usage.plus(asked),
        Outcome::Cancelled { seen, .. } | Outcome::Failed { seen, .. } | Outcome::Lost { seen } => {
            *seen = seen.plus(asked);
        }
        // The exchange itself sent nothing, but a question did.
        _ => {
            owed = Outcome::Cancelled { seen: *asked, by: CancelledBy::Filter, upstream_aborted: false };
        }
    }
    owed
}

/// Settles one claim. A limiter that fails to settle does not keep the others from it.
fn settle_claim(claim: HeldClaim, (outcome, charge): (&Outcome, Option<Money>), tenant: Option<&TenantId>) {
    let HeldClaim { hooked, mut reservation } = claim;
    let settled = hooked.run(Hook::Settle, || {
        reservation.charge(charge);
        Ok(reservation.settle(outcome))
    });
    match settled {
        Ok(None) => hooked.gate.observer().called(Hook::Settle, HookResult::Passed, 1, Duration::ZERO),
        Ok(Some(rest)) => finish_later(hooked, rest, tenant.cloned()),
        Err(fault) => fail(&hooked, &fault, tenant),
    }
}

/// A settlement cannot change the exchange's fate any more; metrics and log name the instance.
fn fail(hooked: &Hooked, fault: &Fault, tenant: Option<&TenantId>) {
    hooked.gate.observer().called(Hook::Settle, fault.result(), 1, Duration::ZERO);
    let _fate = hooked.judge(Hook::Settle, fault, tenant, Instant::now());
}

/// Runs what a settlement must await to its end, independent of the client.
fn finish_later(
    hooked: Arc<Hooked>,
    rest: BoxFuture<'static, Result<(), ExtError>>,
    tenant: Option<TenantId>,
) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        tracing::error!(instance = %hooked.id, "A settlement has no runtime to finish on");
        return;
    };
    runtime.spawn(async move {
        match hooked.fenced(Hook::Settle, rest).await {
            Ok(()) => hooked.gate.observer().called(Hook::Settle, HookResult::Passed, 1, Duration::ZERO),
            Err(fault) => fail(&hooked, &fault, tenant.as_ref()),
        }
    });
}
