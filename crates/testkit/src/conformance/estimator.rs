//! Token estimators: some figure for any request, and no smaller one for a longer text.

use gatewright::{Extension, Role, TokenEstimator};

use super::body::samples;
use super::suite::{Suite, run};
use crate::extension::request;

/// An estimate or none for every request, without a panic and without an error where the request is well formed; and
/// a text that goes on never counts less.
///
/// # Panics
/// If that does not hold.
pub fn token_estimator<E: Extension + TokenEstimator>(suite: &Suite<E>) {
    run(async {
        let bed = suite.bed();
        let estimator = suite.instance(&bed).await;
        for model in ["model", "", "a model that nobody has ü"] {
            for sample in samples() {
                let estimate = estimator.input_tokens(&sample.request, model);
                let may_fail = sample.is_malformed;
                assert!(estimate.is_ok() || may_fail, "`{}` fails on {}: {estimate:?}", E::NAME, sample.what);
            }
            let mut last = None;
            for words in [0, 1, 2, 10, 100, 1_000, 10_000] {
                let text = "word ".repeat(words);
                let estimate = estimator.input_tokens(&request(&[(Role::User, &text)]), model).ok().flatten();
                assert!(
                    estimate >= last,
                    "`{}` estimates {estimate:?} tokens for {words} words, and {last:?} for fewer",
                    E::NAME
                );
                last = estimate;
            }
        }
    });
}
