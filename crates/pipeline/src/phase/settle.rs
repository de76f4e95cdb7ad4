//! The one end of an exchange: every claim is settled, the record is written.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gatewright::point::Point;
use gatewright::{BoxFuture, ExtError, Outcome};

use crate::course::{Course, HeldClaim};
use crate::hooked::Fault;
use crate::phase::record;
use crate::state::Settled;

/// Settles every claim and writes the record. [`Course::settle`] sees to it that this happens once.
pub(crate) fn settle(course: &mut Course, outcome: &Outcome) -> Settled {
    for claim in std::mem::take(&mut course.claims) {
        settle_claim(claim, outcome);
    }
    Settled { receipt: record::write(course, outcome) }
}

/// Settles one claim. A limiter that fails to settle does not keep the others from it.
fn settle_claim(claim: HeldClaim, outcome: &Outcome) {
    let HeldClaim { hooked, reservation } = claim;
    match catch_unwind(AssertUnwindSafe(|| reservation.settle(outcome))) {
        Ok(None) => {}
        Ok(Some(rest)) => finish_later(hooked, rest),
        Err(_) => {
            // The settlement cannot change the exchange's fate any more; the log names it.
            let _fate = hooked.judge(Point::Limiter, &Fault::Panic("while settling".into()));
        }
    }
}

/// Runs what a settlement must await to its end, independent of the client.
fn finish_later(
    hooked: std::sync::Arc<crate::hooked::Hooked>,
    rest: BoxFuture<'static, Result<(), ExtError>>,
) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        tracing::error!(instance = %hooked.id, "A settlement has no runtime to finish on");
        return;
    };
    runtime.spawn(async move {
        let deadline = hooked.deadline();
        let fault = match tokio::time::timeout(deadline, rest).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Fault::Error(error),
            Err(_) => Fault::Timeout(deadline),
        };
        let _fate = hooked.judge(Point::Limiter, &fault);
    });
}
