//! Who calls? Asked on the head alone, before a byte of the body is read.

use std::net::SocketAddr;
use std::sync::Arc;

use gatewright::{AuditAction, AuthVerdict, Failure, FailureKind, Principal, RequestHead, Side};
use http::{HeaderMap, request};

use crate::course::Course;
use crate::failure::Refusal;
use crate::hook::Hook;
use crate::state::{Authenticated, Received};
use crate::subject::Subject;

/// Asks the authenticators in the order of the configuration; the first that does not abstain
/// decides.
pub(crate) async fn authenticate<B>(
    course: &mut Course,
    received: Received<B>,
) -> Result<Authenticated<B>, Refusal> {
    let Received { head, peer, tls, address, body } = received;
    course.facts.caller_id = caller_id(&head.headers);
    let principal = identify_caller(course, &head, (peer, tls)).await?;
    course.facts.principal = Some(Arc::clone(&principal));
    Ok(Authenticated { head, principal, address, body })
}

/// Takes somebody's word for who calls.
pub(crate) fn vouch<B>(
    course: &mut Course,
    received: Received<B>,
    principal: Arc<Principal>,
) -> Authenticated<B> {
    let Received { head, address, body, .. } = received;
    course.facts.principal = Some(Arc::clone(&principal));
    Authenticated { head, principal, address, body }
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
    course: &mut Course,
    head: &request::Parts,
    (peer, tls): (SocketAddr, bool),
) -> Result<Arc<Principal>, Refusal> {
    let (worker, snapshot) = (Arc::clone(&course.worker), Arc::clone(&course.snapshot));
    for hooked in &snapshot.authenticate {
        let Some(authenticator) = hooked.instance.authenticator.clone() else { continue };
        if course.withholds(hooked, Hook::Authenticate) {
            continue;
        }
        let called = if hooked.is_isolated() {
            let owned = hooked.call_isolated(&worker, Hook::Authenticate, head.clone(), move |head| {
                Box::pin(async move { authenticator.authenticate(&view(head, (peer, tls))).await })
            });
            owned.await.1
        } else {
            let view = view(head, (peer, tls));
            hooked.call(&worker, Hook::Authenticate, || authenticator.authenticate(&view)).await
        };
        match course.heed(hooked, Hook::Authenticate, called)? {
            None | Some(AuthVerdict::Abstain) => {}
            Some(AuthVerdict::Accept(principal)) => return Ok(principal),
            Some(AuthVerdict::Reject(denial)) => return Err(Refusal::Denied(denial)),
        }
    }
    Subject::of(course).audit(AuditAction::Unauthenticated, None, "invalid_api_key");
    Err(nobody_knows(&view(head, (peer, tls))).into())
}

fn view(head: &request::Parts, (peer, tls): (SocketAddr, bool)) -> RequestHead<'_> {
    RequestHead { method: &head.method, uri: &head.uri, headers: &head.headers, peer, tls }
}

fn nobody_knows(head: &RequestHead<'_>) -> Failure {
    let text = if head.headers.contains_key(http::header::AUTHORIZATION) {
        "the API key is not valid; check the key in the authorization header"
    } else {
        "no API key was given; send it as `authorization: Bearer KEY`"
    };
    Failure::new(Side::Client, FailureKind::Unauthenticated, text)
}
