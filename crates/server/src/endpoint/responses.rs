//! Responses that are kept: shown, listed by what they were made from, deleted.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use gatewright::dialect::{Dialect, Look};
use gatewright_pipeline::{Worker, kept};

use super::{receive, render};
use crate::application::Inbound;

/// What a path names, where it is a text.
type Named = Result<Path<String>, PathRejection>;

pub(crate) async fn retrieve(worker: State<Arc<Worker>>, id: Named, request: Inbound) -> Response {
    serve(worker, id, Look::Answer { shows_seals: false }, request).await
}

pub(crate) async fn delete(worker: State<Arc<Worker>>, id: Named, request: Inbound) -> Response {
    serve(worker, id, Look::Delete, request).await
}

pub(crate) async fn cancel(worker: State<Arc<Worker>>, id: Named, request: Inbound) -> Response {
    serve(worker, id, Look::Cancel, request).await
}

pub(crate) async fn input_items(worker: State<Arc<Worker>>, id: Named, request: Inbound) -> Response {
    let look = Look::Items { after: None, count_max: 0, is_descending: true };
    serve(worker, id, look, request).await
}

async fn serve(State(worker): State<Arc<Worker>>, id: Named, look: Look, request: Inbound) -> Response {
    let codec = gatewright_wire::codec(Dialect::OpenAiResponses);
    // What is no text is the id of nothing.
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let answer = kept(&worker, codec, receive(request), (&id, look)).await;
    render(answer.id, codec, answer.result.as_ref().cloned())
}
