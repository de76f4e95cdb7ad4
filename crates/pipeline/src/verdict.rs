//! What a hook decided, and what becomes of it: counted, traced, audited, and obeyed unless the instance only
//! watches.

use std::sync::Arc;
use std::time::Duration;

use gatewright::{Admission, AuditAction, AuthVerdict, Denial, Flow, Found, UpstreamCall};

use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::hooked::{Called, Hooked};
use crate::observer::HookResult;
use crate::rehearsal::Decision;
use crate::subject::Subject;

/// What a hook returns, as far as it refuses.
pub(crate) trait Verdict {
    /// The refusal in it.
    fn denial(&self) -> Option<&Denial>;

    /// The verdict as a rehearsal tells it.
    fn decision(&self) -> Decision;

    /// Whether anybody but the instance itself would notice it; an instance that only watches must not be noticed.
    fn is_felt(&self) -> bool {
        true
    }
}

impl Verdict for Flow {
    fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial) => Some(denial),
            Self::Continue | Self::Respond(_) => None,
        }
    }

    fn decision(&self) -> Decision {
        match self {
            Self::Continue => Decision::Passed,
            Self::Deny(denial) => Decision::Denied(denial.clone()),
            Self::Respond(_) => Decision::Answered,
        }
    }
}

impl Verdict for AuthVerdict {
    fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Reject(denial) => Some(denial),
            Self::Abstain | Self::Accept(_) => None,
        }
    }

    fn decision(&self) -> Decision {
        match self {
            Self::Abstain => Decision::NotConcerned,
            Self::Accept(_) => Decision::Accepted,
            Self::Reject(denial) => Decision::Denied(denial.clone()),
        }
    }
}

impl Verdict for Admission {
    fn denial(&self) -> Option<&Denial> {
        match self {
            Self::Deny(denial, _) => Some(denial),
            Self::Skip | Self::Admit(..) | Self::Wait { .. } => None,
        }
    }

    fn decision(&self) -> Decision {
        match self {
            Self::Skip => Decision::NotConcerned,
            Self::Admit(_, hint) => Decision::Admitted(*hint),
            Self::Deny(denial, _) => Decision::Denied(denial.clone()),
            Self::Wait { after, .. } => Decision::Waits(*after),
        }
    }

    /// A claim is the limiter's own: without holding it, one that watches would count nothing.
    fn is_felt(&self) -> bool {
        matches!(self, Self::Deny(..) | Self::Wait { .. })
    }
}

macro_rules! never_denies {
    ($($verdict:ty => $decision:expr;)+) => {
        $(impl Verdict for $verdict {
            fn denial(&self) -> Option<&Denial> {
                None
            }

            fn decision(&self) -> Decision {
                let decision: fn(&Self) -> Decision = $decision;
                decision(self)
            }
        })+
    };
}

never_denies! {
    () => |()| Decision::Passed;
    bool => |_| Decision::Passed;
    Option<u64> => |counted| counted.map_or(Decision::NotConcerned, Decision::Counted);
    Option<usize> => |picked| picked.map_or(Decision::NotConcerned, Decision::Picked);
    Option<Found> => |found| found.as_ref().map_or(Decision::NotConcerned, |_| Decision::Found);
    Result<UpstreamCall, gatewright::Failure> => |encoded| match encoded {
        Ok(_) => Decision::Passed,
        Err(failure) => Decision::Failed { cause: failure.message.to_string(), denies: true },
    };
}

impl Course {
    /// Obeys the verdict of a hook: counts it, traces it, and judges a fault. `None` when the exchange goes on as
    /// if the instance were not there.
    pub(crate) fn heed<T: Verdict>(
        &mut self,
        hooked: &Arc<Hooked>,
        hook: Hook,
        called: Called<T>,
    ) -> Result<Option<T>, Refusal> {
        let Called { result, took } = called;
        let came_of_it = match &result {
            Ok(verdict) if verdict.denial().is_some() => HookResult::Denied,
            Ok(_) => HookResult::Passed,
            Err(fault) => fault.result(),
        };
        hooked.gate.observer().called(hook, came_of_it, 1, took);
        self.trace(hooked, hook, came_of_it, took);
        match result {
            Ok(verdict) => {
                self.note(hooked, hook, took, || verdict.decision());
                hooked.gate.passed();
                if let Some(denial) = verdict.denial() {
                    let action = match hook {
                        Hook::Authenticate => AuditAction::Unauthenticated,
                        _ => AuditAction::Denied,
                    };
                    Subject::of(self).denied(action, (hooked, hook), &denial.code);
                }
                Ok(Some(verdict).filter(|verdict| !(hooked.is_shadow && verdict.is_felt())))
            }
            Err(fault) => {
                let failure = hooked.judge(hook, &fault, &Subject::of(self));
                let denies = failure.is_some();
                self.note(hooked, hook, took, || Decision::Failed { cause: fault.to_string(), denies });
                failure.map_or(Ok(None), |failure| Err(failure.into()))
            }
        }
    }

    /// Adds a step to the trace, if this gateway gives one.
    pub(crate) fn trace(&mut self, hooked: &Hooked, hook: Hook, result: HookResult, took: Duration) {
        let Some(trace) = &mut self.trace else { return };
        trace.add(&hooked.id, hook, result, hooked.is_shadow, took);
    }
}
