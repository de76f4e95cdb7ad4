//! Request transforms: any request is decided on, edits leave a request behind, and what is not edited is not touched.

use gatewright::{Extension, Flow, LlmRequest, RequestCx, RequestTransform};

use super::body::{Sample, decoded, samples};
use super::suite::{Suite, run};
use crate::extension::context;

/// A decision on every request of the corpus, without a panic and without an error where the request is well formed;
/// a request that is not edited keeps its very buffer; one that is edited is a request again; and the second run on a
/// result decides and leaves the same, unless the suite says [`Suite::edits_again`].
///
/// # Panics
/// If that does not hold.
pub fn request_transform<E: Extension + RequestTransform>(suite: &Suite<E>) {
    run(async {
        for sample in samples() {
            // Each has its own instance, because one may remember.
            let bed = suite.bed();
            let transform = suite.instance(&bed).await;
            check(suite, &*transform, sample).await;
        }
    });
}

async fn check<E: Extension + RequestTransform>(suite: &Suite<E>, transform: &E, sample: Sample) {
    let Sample { what, request: original, is_malformed } = sample;
    let mut cx = context(suite.caller());
    let mut once = original.clone();
    let first = transformed(transform, &mut once, &mut cx).await;
    let Ok(first) = first else {
        assert!(is_malformed, "`{}` fails on {what}, which is well formed: {first:?}", E::NAME);
        return;
    };
    if !once.is_edited() {
        let (before, after) = (original.to_body(), once.to_body());
        let is_same = before.as_ptr() == after.as_ptr() && before.len() == after.len();
        let has_wire = decoded(&String::from_utf8_lossy(&before)).is_some();
        assert!(
            is_same || !has_wire,
            "`{}` edits nothing in {what} and changes its bytes all the same",
            E::NAME
        );
        return;
    }
    let body = String::from_utf8_lossy(&once.to_body()).into_owned();
    let was_wire = decoded(&String::from_utf8_lossy(&original.to_body())).is_some();
    assert!(
        !was_wire || decoded(&body).is_some(),
        "`{}` makes of {what} what is no request: {body}",
        E::NAME
    );
    if suite.edits_again || first != "continue" {
        return;
    }
    let mut twice = once.clone();
    let second = transformed(transform, &mut twice, &mut cx).await;
    assert_eq!(second.as_deref().ok(), Some("continue"), "the second run of `{}` over {what}", E::NAME);
    assert_eq!(
        String::from_utf8_lossy(&twice.to_body()),
        body,
        "`{}` changes its own result of {what}; if that is meant, the suite says `edits_again`",
        E::NAME
    );
}

/// What a transform decides, in a word.
async fn transformed<E: Extension + RequestTransform>(
    transform: &E,
    request: &mut LlmRequest,
    cx: &mut RequestCx,
) -> Result<String, String> {
    if !transform.wants(request, cx) {
        return Ok("continue".to_owned());
    }
    match transform.on_request(request, cx).await {
        Ok(Flow::Continue) => Ok("continue".to_owned()),
        Ok(Flow::Deny(denial)) => {
            assert!(
                denial.status.is_client_error() || denial.status.is_server_error(),
                "`{}` refuses with the status {}, which is none of a refusal",
                E::NAME,
                denial.status
            );
            assert!(!denial.code.is_empty(), "`{}` refuses with a code", E::NAME);
            Ok(format!("deny {}", denial.code))
        }
        Ok(Flow::Respond(_)) => Ok("respond".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
