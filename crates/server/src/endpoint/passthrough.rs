//! Calls that a caller addresses at a provider.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use gatewright_pipeline::{Worker, exchange};
use gatewright_wire::passthrough;

use super::codec_for;
use crate::application::Inbound;

/// The paths of such calls as the router takes them.
pub(crate) const ROUTE: &str = "/passthrough/{*call}";

pub(crate) async fn serve(State(worker): State<Arc<Worker>>, request: Inbound) -> Response {
    let codec = passthrough::codec_like(codec_for(&request).dialect());
    let uri = request.uri();
    match passthrough::address(request.method(), uri.path(), uri.query()) {
        Ok(address) => super::serve(&worker, codec, address, request).await,
        Err(failure) => exchange::refuse(&worker, codec, failure).await.map(Body::new),
    }
}
