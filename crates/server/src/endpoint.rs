//! The endpoints of the data API. Each is decode, call, encode, and nothing else; what all of them
//! need to hand a request to the pipeline is here.

pub(crate) mod call;
pub(crate) mod models;
pub(crate) mod unknown;

mod inbound;

pub(crate) use inbound::receive;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use gatewright::dialect::{Address, Dialect};
use gatewright_pipeline::state::Received;
use gatewright_pipeline::{Worker, exchange};

use crate::application::Inbound;

/// Serves a request for a model in one dialect.
pub(crate) async fn serve(
    worker: &Arc<Worker>,
    dialect: Dialect,
    address: Address,
    request: Inbound,
) -> Response {
    let codec = gatewright_wire::codec_at(dialect, request.uri().query());
    let received = Received { address, ..receive(request) };
    exchange::serve(worker, codec, received).await.map(Body::new)
}
