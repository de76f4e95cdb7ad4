//! `POST /v1/completions`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use gatewright::dialect::Dialect;
use gatewright_pipeline::Worker;

use crate::application::Inbound;

/// Where it is.
pub(crate) const PATH: &str = "/v1/completions";
/// What is spoken there.
pub(crate) const DIALECT: Dialect = Dialect::OpenAiCompletions;

pub(crate) async fn completions(State(worker): State<Arc<Worker>>, request: Inbound) -> Response {
    super::serve(&worker, gatewright_wire::codec(DIALECT), request).await
}
