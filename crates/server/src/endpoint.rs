//! The endpoints of the data API. Each is decode, call, encode, and nothing else; what all of them
//! need to hand a request to the pipeline is here.

pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod embeddings;
pub(crate) mod models;
pub(crate) mod unknown;

mod inbound;

pub(crate) use inbound::receive;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use gatewright::dialect::Codec;
use gatewright_pipeline::{Worker, exchange};

use crate::application::Inbound;

/// Serves a request for a model in one dialect.
pub(crate) async fn serve(worker: &Arc<Worker>, codec: &'static dyn Codec, request: Inbound) -> Response {
    exchange::serve(worker, codec, receive(request)).await.map(Body::new)
}
