//! Who calls? Asked on the head alone, before a byte of the body is read.

use std::net::SocketAddr;
use std::sync::Arc;

use gatewright::point::Point;
use gatewright::{AuthVerdict, Failure, FailureKind, Principal, RequestHead, Side};
use http::{HeaderMap, request};

use crate::course::Course;
use crate::failure::Refusal;
use crate::snapshot::Snapshot;
use crate::state::{Authenticated, Received};
use crate::worker::Worker;

/// Asks the authenticators in the order of the configuration; the first that does not abstain
/// decides.
pub(crate) async fn authenticate<B>(
    course: &mut Course,
    received: Received<B>,
) -> Result<Authenticated<B>, Refusal> {
    let Received { head, peer, tls, body } = received;
    course.facts.caller_id = caller_id(&head.headers);
    let (worker, snapshot) = (Arc::clone(&course.worker), Arc::clone(&course.snapshot));
    let principal = identify_caller(&worker, &snapshot, &head, (peer, tls)).await?;
    course.facts.principal = Some(Arc::clone(&principal));
    Ok(Authenticated { head, principal, body })
}

/// The id that the caller gave the exchange, if it is short and printable.
fn caller_id(headers: &HeaderMap) -> Option<Box<str>> {
    const CALLER_ID_BYTES_MAX: usize = 128;
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let is_fit = id.len() <= CALLER_ID_BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then(|| id.into())
}

/// Establishes the caller of a head.
pub(crate) async fn identify_caller(
    worker: &Worker,
    snapshot: &Snapshot,
    head: &request::Parts,
    (peer, tls): (SocketAddr, bool),
) -> Result<Arc<Principal>, Refusal> {
    let view = RequestHead { method: &head.method, uri: &head.uri, headers: &head.headers, peer, tls };
    for hooked in &snapshot.authenticate {
        let Some(authenticator) = &hooked.instance.authenticator else { continue };
        let verdict = hooked
            .call(worker, Point::Authenticator, authenticator.authenticate(&view), |verdict| {
                matches!(verdict, AuthVerdict::Reject(_))
            })
            .await;
        match verdict {
            Ok(_) if hooked.is_shadow => {}
            Ok(AuthVerdict::Abstain) => {}
            Ok(AuthVerdict::Accept(principal)) => return Ok(principal),
            Ok(AuthVerdict::Reject(denial)) => return Err(Refusal::Denied(denial)),
            Err(fault) => {
                if let Some(failure) = hooked.judge(Point::Authenticator, &fault) {
                    return Err(failure.into());
                }
            }
        }
    }
    Err(nobody_knows(&view).into())
}

fn nobody_knows(head: &RequestHead<'_>) -> Failure {
    let text = if head.headers.contains_key(http::header::AUTHORIZATION) {
        "the API key is not valid; check the key in the authorization header"
    } else {
        "no API key was given; send it as `authorization: Bearer KEY`"
    };
    Failure::new(Side::Client, FailureKind::Unauthenticated, text)
}
