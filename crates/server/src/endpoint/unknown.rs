//! What no endpoint takes. The answer is an error in the shape that the caller's client understands.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use gatewright::dialect::Codec;
use gatewright::{Failure, FailureKind, Side};
use gatewright_pipeline::{Worker, exchange};

use super::codec_for;
use crate::application::Inbound;

pub(crate) async fn path(State(worker): State<Arc<Worker>>, request: Inbound) -> Response {
    let text = format!("{} {} does not exist here", request.method(), shown(request.uri().path()));
    let failure = Failure::new(Side::Client, FailureKind::NotFound, text);
    refuse(&worker, codec_for(&request), failure).await
}

pub(crate) async fn method(State(worker): State<Arc<Worker>>, request: Inbound) -> Response {
    let text = format!("{} does not take {}", shown(request.uri().path()), request.method());
    let failure = Failure::new(Side::Client, FailureKind::MethodNotAllowed, text);
    refuse(&worker, codec_for(&request), failure).await
}

async fn refuse(worker: &Arc<Worker>, codec: &'static dyn Codec, failure: Failure) -> Response {
    exchange::refuse(worker, codec, failure).await.map(Body::new)
}

/// A path that a caller invented, up to a bound.
fn shown(path: &str) -> &str {
    const PATH_BYTES_MAX: usize = 128;
    path.get(..path.floor_char_boundary(PATH_BYTES_MAX)).unwrap_or_default()
}
