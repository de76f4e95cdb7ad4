//! Target pickers: the place of a target that is there and was not tried, or none.

use std::sync::Arc;
use std::time::Duration;

use gatewright::{
    Candidate, Extension, FailureKind, LlmRequest, Money, ProviderName, TargetPicker, Try, TryResult, Usage,
};

use super::body::samples;
use super::suite::{Suite, run};
use crate::extension::context;

/// Targets of one list.
const TARGETS: usize = 4;

/// For every list of targets and every set of those that were tried, the answer is none or the place of one that was
/// not; and a picker learns of every end of a try without a panic.
///
/// # Panics
/// If that does not hold.
pub fn target_picker<E: Extension + TargetPicker>(suite: &Suite<E>) {
    run(async {
        let bed = suite.bed();
        let picker = suite.instance(&bed).await;
        for sample in samples() {
            for count in 0..=TARGETS {
                for tried in 0..1_usize << count {
                    for priced in [true, false] {
                        pick(suite, &*picker, (&sample.request, &candidates(count, tried, priced)));
                    }
                }
            }
        }
    });
}

fn pick<E: Extension + TargetPicker>(
    suite: &Suite<E>,
    picker: &E,
    (request, candidates): (&LlmRequest, &[Candidate]),
) {
    let picked = picker.pick(candidates, request, &context(suite.caller()));
    let Ok(Some(place)) = picked else {
        assert!(picked.is_ok(), "`{}` fails to pick among {candidates:?}: {picked:?}", E::NAME);
        return;
    };
    let Some(target) = candidates.get(place) else {
        panic!("`{}` picks place {place} of {} targets", E::NAME, candidates.len());
    };
    assert!(!target.is_tried, "`{}` picks place {place}, which was tried already: {candidates:?}", E::NAME);
    for result in [TryResult::Answered, TryResult::Failed(FailureKind::Timeout)] {
        for took in [Duration::ZERO, Duration::from_secs(3600)] {
            let (provider, model) = (&target.provider, &*target.model);
            picker.observe(&Try { provider, model, result, took, usage: Usage::default() });
        }
    }
}

fn candidates(count: usize, tried: usize, priced: bool) -> Vec<Candidate> {
    (0..count)
        .map(|place| Candidate {
            provider: ProviderName::new(&format!("provider-{place}")),
            model: Arc::from("model"),
            weight: u32::try_from(place).unwrap_or(0),
            is_tried: tried >> place & 1 == 1,
            price: priced.then(|| Money::from_nanos(1_000 - i64::try_from(place).unwrap_or(0))),
        })
        .collect()
}
