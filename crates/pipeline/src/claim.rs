//! The claims of an exchange under way: they are told how much has flowed, and may end the exchange or ask for more.

use std::sync::Arc;
use std::time::Duration;

use gatewright::{AuditAction, Progress, TopUp};

use crate::course::Course;
use crate::failure::{Refusal, code_of};
use crate::hook::Hook;
use crate::hooked::{Fault, Waiting};
use crate::subject::Subject;

/// What came of telling a claim.
pub(crate) enum Told {
    /// The exchange goes on.
    On,
    /// It ends here.
    Cut(Refusal),
    /// More has to be reserved first.
    Waits(Waiting<TopUp>),
}

impl Course {
    /// Tells a claim, by its place, how much has flowed.
    pub(crate) fn tell_claim(&mut self, claim: usize) -> Told {
        let (usage, _) = self.usage();
        let Some(held) = self.claims.get_mut(claim) else { return Told::On };
        let progress = held.hooked.run(Hook::Progress, || held.reservation.progress(&usage));
        self.conclude((claim, Hook::Progress), progress)
    }

    /// Tells a claim what came of its wish for more.
    pub(crate) fn top_up_claim(&mut self, claim: usize, answer: Result<TopUp, Fault>) -> Told {
        let Some(held) = self.claims.get_mut(claim) else { return Told::On };
        let progress =
            answer.and_then(|answer| held.hooked.run(Hook::TopUp, || held.reservation.topped_up(answer)));
        self.conclude((claim, Hook::TopUp), progress)
    }

    fn conclude(&mut self, (claim, hook): (usize, Hook), progress: Result<Progress, Fault>) -> Told {
        let Some(held) = self.claims.get_mut(claim) else { return Told::On };
        let hooked = Arc::clone(&held.hooked);
        match progress {
            Ok(Progress::Continue) => {
                held.told += u64::from(hook == Hook::Progress);
                Told::On
            }
            Ok(Progress::Cut(failure)) => {
                Subject::of(self).denied(AuditAction::Cut, (&*hooked, hook), &code_of(&failure));
                if hooked.is_shadow { Told::On } else { Told::Cut(Refusal::Failed(failure)) }
            }
            Ok(Progress::TopUp(future)) => {
                Told::Waits(Waiting::new(&hooked, Hook::TopUp, Box::pin(async { Ok(future.await) })))
            }
            Err(fault) => {
                hooked.gate.observer().called(hook, fault.result(), 1, Duration::ZERO);
                match hooked.judge(hook, &fault, &Subject::of(self)) {
                    Some(failure) => Told::Cut(failure.into()),
                    None => Told::On,
                }
            }
        }
    }
}
