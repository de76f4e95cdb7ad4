//! The opening of a session at the provider: one call that asks it to switch to WebSocket.

use std::sync::Arc;

use gatewright::{Failure, FailureKind, ProviderTarget, Side};
use gatewright_upstream::{Credential, Refused, Switch, Tunnel};
use gatewright_wire::web_socket;
use http::header::{
    HeaderMap, HeaderValue, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
};

use crate::course::Course;
use crate::phase::encode::Encoded;
use crate::phase::send;
use crate::state::Picked;

/// A connection to a provider that speaks WebSocket, and the subprotocol that it chose.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) tunnel: Box<Tunnel>,
    pub(crate) protocol: Option<String>,
}

/// Asks the provider to switch.
///
/// # Errors
///
/// A [`Failure`] whose `retry` says whether another target may be tried.
pub(crate) async fn switch(
    course: &mut Course,
    picked: &Picked,
    (encoded, credential): (Encoded, Option<Credential>),
    protocols: &[String],
) -> Result<Line, Failure> {
    let operation = encoded.codec.operation();
    let target = ProviderTarget { model: &picked.target.model, operation, dialect: course.codec.dialect() };
    let worker = Arc::clone(&course.worker);
    let chance = u128::from(worker.random.next_u64()) << 64 | u128::from(worker.random.next_u64());
    let key = web_socket::key_of(chance);
    let mut call = send::to_call(course, picked, encoded, credential)?;
    offer(&mut call.headers, &key, protocols)?;

    let now = worker.clock.now();
    if let Some(attempt) = &mut course.attempt {
        attempt.sent = Some(now);
    }
    let switching = worker.upstream.switch(call, HeaderValue::from_static("websocket"));
    let switched = send::until_cut(course, picked, switching).await;
    let now = worker.clock.now();
    if let Some(attempt) = &mut course.attempt {
        attempt.answered = Some(now);
        attempt.is_refused = matches!(switched, Ok(Switch::Refused(_)));
    }
    match switched? {
        Switch::Refused(refused) if refused.status.is_success() => Err(unswitched("it answered over HTTP")),
        Switch::Refused(refused) => {
            let Refused { status, headers, body } = *refused;
            Err(send::class(course, picked, &target, (status, &headers, &body)))
        }
        Switch::Switched(tunnel, headers) => {
            let protocol = agreed(&headers, &key, protocols).map_err(unswitched)?;
            Ok(Line { tunnel, protocol })
        }
    }
}

fn offer(headers: &mut HeaderMap, key: &str, protocols: &[String]) -> Result<(), Failure> {
    let value =
        |text: &str| HeaderValue::from_str(text).map_err(|error| Failure::internal(error.to_string()));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(web_socket::VERSION));
    headers.insert(SEC_WEBSOCKET_KEY, value(key)?);
    if !protocols.is_empty() {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, value(&protocols.join(", "))?);
    }
    Ok(())
}

/// Checks that the provider has agreed to what was asked, see RFC 6455, section 4.1, and tells the subprotocol that it
/// chose.
fn agreed(headers: &HeaderMap, key: &str, protocols: &[String]) -> Result<Option<String>, &'static str> {
    if !web_socket::is_upgrade(headers) {
        return Err("it switched to another protocol");
    }
    let accept = headers.get("sec-websocket-accept").and_then(|accept| accept.to_str().ok());
    if accept != Some(web_socket::accept_of(key).as_str()) {
        return Err("its answer is to another handshake");
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err("it uses an extension that was not offered");
    }
    match headers.get(SEC_WEBSOCKET_PROTOCOL) {
        None => Ok(None),
        Some(chosen) => {
            let known = protocols.iter().find(|protocol| chosen == protocol.as_str());
            known.cloned().map(Some).ok_or("it chose a subprotocol that was not offered")
        }
    }
}

fn unswitched(why: &'static str) -> Failure {
    let text = "the provider did not open a WebSocket connection";
    Failure::new(Side::Upstream, FailureKind::Malformed, text).with_detail(why)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{agreed, web_socket};

    fn answer(change: &[(&'static str, &str)]) -> HeaderMap {
        let accept = web_socket::accept_of("k");
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &*accept)]
                .iter()
                .chain(change)
        {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_provider_must_agree_to_what_was_asked() {
        let offered = ["realtime".to_owned()];
        let check = |change: &[(&'static str, &str)]| agreed(&answer(change), "k", &offered);
        assert_eq!(check(&[]), Ok(None));
        assert_eq!(check(&[("sec-websocket-protocol", "realtime")]), Ok(Some("realtime".to_owned())));
        for change in [
            ("upgrade", "h2c"),
            ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("sec-websocket-extensions", "permessage-deflate"),
            ("sec-websocket-protocol", "other"),
        ] {
            assert!(check(&[change]).is_err(), "{change:?}");
        }
    }
}
