//! The one end of an exchange: every claim is settled, the record is written.

use std::sync::Arc;
use std::time::Duration;

use gatewright::{BoxFuture, CancelledBy, ExtError, Money, Outcome, Usage};
use gatewright_policy::cost;
use tokio::runtime::Handle;

use crate::aside::aside;
use crate::course::{Course, HeldClaim};
use crate::hook::Hook;
use crate::hooked::{Fault, Hooked};
use crate::observer::HookResult;
use crate::phase::record;
use crate::state::Settled;
use crate::subject::Subject;

/// Tells the filters, settles every claim and writes the record. [`Course::settle`] sees to it that this happens
/// once.
pub(crate) fn settle(course: &mut Course, outcome: &Outcome) -> Settled {
    let (usage, _) = course.usage();
    let worker = Arc::clone(&course.worker);
    if let Some(cx) = course.cx.as_mut() {
        course.chain.end(outcome, cx, usage, &worker);
    }
    let owed = with_questions(outcome, &course.cx.asked_usage());
    let price = course.attempt.as_ref().and_then(|attempt| attempt.price.as_deref());
    let charge = price.and_then(|price| cost(&owed.usage(), price));
    for claim in std::mem::take(&mut course.claims) {
        settle_claim(claim, (&owed, charge), &|| Subject::of(course), &worker.isolation);
    }
    if let Some(bill) = &course.bill {
        bill.add(&outcome.usage());
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

/// Settles one claim. A limiter that fails to settle does not keep the others from it. What a settlement must await
/// runs to its end `beside` the data path, whatever becomes of the client and of the worker.
pub(crate) fn settle_claim(
    claim: HeldClaim,
    (outcome, charge): (&Outcome, Option<Money>),
    subject: &dyn Fn() -> Subject,
    beside: &Handle,
) {
    if claim.hooked.gate.is_stuck() {
        // Who enters it now may not come back, and must be no thread that serves exchanges.
        let (outcome, subject) = (outcome.clone(), subject());
        beside.spawn(aside(async move {
            finish(settle_now(claim, (&outcome, charge)), subject).await;
        }));
        return;
    }
    match settle_now(claim, (outcome, charge)) {
        Settling::Done(hooked, result) => tell(&hooked, result, subject),
        unfinished @ Settling::Waits(..) => {
            beside.spawn(aside(finish(unfinished, subject())));
        }
    }
}

/// A settlement under way.
enum Settling {
    Done(Arc<Hooked>, Result<(), Fault>),
    Waits(Arc<Hooked>, BoxFuture<'static, Result<(), ExtError>>),
}

fn settle_now(claim: HeldClaim, (outcome, charge): (&Outcome, Option<Money>)) -> Settling {
    let HeldClaim { hooked, mut reservation, told } = claim;
    if told > 0 {
        hooked.gate.observer().called(Hook::Progress, HookResult::Passed, told, Duration::ZERO);
    }
    let charged = hooked.run(Hook::Settle, || {
        reservation.charge(charge);
        Ok(())
    });
    match (hooked.run(Hook::Settle, || Ok(reservation.settle(outcome))), charged) {
        (Ok(Some(rest)), _) => Settling::Waits(hooked, rest),
        (Ok(None), charged) => Settling::Done(hooked, charged),
        (Err(fault), _) => Settling::Done(hooked, Err(fault)),
    }
}

async fn finish(settling: Settling, subject: Subject) {
    let (hooked, result) = match settling {
        Settling::Done(hooked, result) => (hooked, result),
        Settling::Waits(hooked, rest) => {
            let result = hooked.fenced(Hook::Settle, || rest).await;
            (hooked, result)
        }
    };
    tell(&hooked, result, &|| subject.clone());
}

/// A settlement cannot change the exchange's fate any more; metrics, audit and log name the instance.
fn tell(hooked: &Hooked, result: Result<(), Fault>, subject: &dyn Fn() -> Subject) {
    let Err(fault) = result else {
        return hooked.gate.observer().called(Hook::Settle, HookResult::Passed, 1, Duration::ZERO);
    };
    hooked.gate.observer().called(Hook::Settle, fault.result(), 1, Duration::ZERO);
    let _fate = hooked.judge(Hook::Settle, &fault, &subject());
}
