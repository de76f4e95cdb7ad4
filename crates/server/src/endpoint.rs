//! The endpoints of the data API. Each is decode, call, encode, and nothing else; what all of them
//! need to hand a request to the pipeline is here.

pub(crate) mod call;
pub(crate) mod models;
pub(crate) mod passthrough;
pub(crate) mod responses;
pub(crate) mod session;
pub(crate) mod unknown;

mod inbound;

pub(crate) use inbound::{ReadyBody, receive};

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use gatewright::RequestId;
use gatewright::dialect::{Address, Codec, Dialect};
use gatewright_pipeline::state::Received;
use gatewright_pipeline::{Refusal, Worker, exchange, set_request_id};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::application::Inbound;

/// Serves a request for a model of a caller who speaks `codec`'s dialect.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    codec: &'static dyn Codec,
    address: Address,
    request: Inbound,
) -> Response {
    let received = Received { address, ..receive(request) };
    exchange::serve(worker, codec, received).await.map(Body::new)
}

/// The codec in whose dialect a request is answered that asks no model for anything: of what it has, path and head
/// tell who sent it.
pub(crate) fn codec_for(request: &Inbound) -> &'static dyn Codec {
    let dialect = if request.uri().path().starts_with("/v1beta/") {
        Dialect::GoogleGenerate
    } else if request.headers().contains_key(gatewright_wire::anthropic_messages::VERSION_HEADER) {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenAiChat
    };
    gatewright_wire::codec(dialect)
}

/// An answer that no model made, or why there is none.
pub(crate) fn render(id: RequestId, codec: &dyn Codec, result: Result<Bytes, &Refusal>) -> Response {
    let mut headers = http::HeaderMap::new();
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => {
            if let Refusal::Denied(denial) = refusal {
                headers.extend(denial.headers.clone());
            }
            match refusal.body(id) {
                Some(error) => (error.status, codec.render_error(&error)),
                None => (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
            }
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_request_id(&mut headers, id, codec);
    *response.headers_mut() = headers;
    response
}
