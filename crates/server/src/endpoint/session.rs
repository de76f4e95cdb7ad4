//! Sessions: the opening handshake of WebSocket, decoded and answered, and the connection handed to the path.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use gatewright::dialect::Dialect;
use gatewright::{Failure, FailureKind, Side};
use gatewright_pipeline::state::Received;
use gatewright_pipeline::{Greeting, Session, Worker, exchange};
use gatewright_wire::openai_realtime::{PROTOCOL, key_in, request_of};
use gatewright_wire::web_socket::{HandshakeError, Offer, VERSION};
use http::header::{
    AUTHORIZATION, CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{StatusCode, request};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::ReadyBody;
use crate::application::Inbound;
use crate::listener::{ConnectionInfo, Place};

/// Where sessions are opened.
pub(crate) const PATH: &str = "/v1/realtime";

/// The only origin that stands for all.
const ANY: &str = "*";

/// Opens a session: refused over HTTP, or the connection speaks WebSocket from here on.
pub(crate) async fn open(State(worker): State<Arc<Worker>>, mut request: Inbound) -> Response {
    let codec = gatewright_wire::codec(Dialect::OpenAiRealtime);
    let upgrade = hyper::upgrade::on(&mut request);
    let place = request.extensions_mut().remove::<Place>();
    let info = request.extensions().get::<ConnectionInfo>().cloned();
    let Received { mut head, peer, tls, address, .. } = super::receive(request);
    let greeted = greet(&mut head, &worker.settings.session.origins);
    let (Ok((offer, body)), Some(line)) = (&greeted, place.zip(info)) else {
        let failure = greeted.err().unwrap_or_else(|| refusal(HandshakeError::Http));
        return exchange::refuse(&worker, codec, failure).await.map(Body::new);
    };
    let greeting = Greeting { protocols: offer.protocols.clone() };
    let received = Received { head, peer, tls, address, body: ReadyBody(body.clone()) };
    match exchange::open(&worker, codec, received, greeting).await {
        Ok(mut session) => {
            let answer = switching(&mut session, offer);
            tokio::spawn(serve(session, upgrade, line));
            answer
        }
        Err(refused) => refused.map(Body::new),
    }
}

/// Serves the session on the connection once it has switched, until the process drops its connections.
async fn serve(session: Box<Session>, upgrade: OnUpgrade, (place, info): (Place, ConnectionInfo)) {
    let serving = async {
        match upgrade.await {
            Ok(connection) => session.run(TokioIo::new(connection), info.leaving()).await,
            Err(error) => tracing::debug!(peer = %info.peer(), %error, "connection did not switch"),
        }
    };
    tokio::select! {
        biased;
        () = Box::pin(serving) => {}
        () = info.aborted() => {}
    }
    drop(place);
}

/// Reads the handshake, and puts a key among the subprotocols where authenticators look for keys.
fn greet(head: &mut request::Parts, origins: &[String]) -> Result<(Offer, Bytes), Failure> {
    let mut offer = Offer::read(&head.method, head.version, &head.headers).map_err(refusal)?;
    check_origin(&offer, origins)?;
    if let Some(key) = key_in(&mut offer.protocols)? {
        show(&mut head.headers, &key)?;
    }
    head.headers.remove(SEC_WEBSOCKET_PROTOCOL);
    Ok((offer, request_of(head.uri.query())?))
}

fn show(headers: &mut HeaderMap, key: &str) -> Result<(), Failure> {
    if headers.contains_key(AUTHORIZATION) {
        let text = "an API key stands in `authorization` and among the subprotocols; send it in one place";
        return Err(Failure::invalid("sec-websocket-protocol", text));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {key}"))
        .map_err(|_| Failure::invalid("sec-websocket-protocol", "the API key is not one"))?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

/// A page of a stranger could otherwise use what its visitor's browser may.
fn check_origin(offer: &Offer, origins: &[String]) -> Result<(), Failure> {
    let Some(origin) = &offer.origin else { return Ok(()) };
    if origins.iter().any(|known| known == ANY || known.eq_ignore_ascii_case(origin)) {
        return Ok(());
    }
    let text = "pages of this origin may not open sessions; the operator can list it in `realtime.origins`";
    let failure = Failure::new(Side::Client, FailureKind::Forbidden, text).with_code("origin_not_allowed");
    Err(Failure { param: Some("origin".into()), ..failure })
}

fn refusal(error: HandshakeError) -> Failure {
    let failure = Failure::new(Side::Client, FailureKind::Invalid, error.to_string());
    let param = error.header().map(|name| name.as_str().to_owned().into());
    let failure = Failure { param, ..failure.with_code("invalid_handshake") };
    if !error.wants_upgrade() {
        return failure;
    }
    let headers = HeaderMap::from_iter([
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)),
    ]);
    Failure { status: Some(StatusCode::UPGRADE_REQUIRED), headers: Some(Box::new(headers)), ..failure }
}

/// The answer that switches.
fn switching(session: &mut Session, offer: &Offer) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.extend(session.headers());
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&offer.accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    // Browsers give up a connection on which nothing was chosen of what they offered.
    let own = offer.protocols.iter().map(String::as_str).find(|protocol| *protocol == PROTOCOL);
    let chosen = session.protocol().or(own).and_then(|chosen| HeaderValue::from_str(chosen).ok());
    if let Some(chosen) = chosen {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, chosen);
    }
    answer
}
