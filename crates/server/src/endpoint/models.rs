//! The models that the caller's key may use, all of them or one, in the shape that the caller's client reads.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use gatewright::dialect::Codec;
use gatewright_pipeline::{ModelAnswer, ModelView, Worker, models};
use gatewright_wire::models as wire;

use super::{codec_for, receive};
use crate::application::Inbound;

pub(crate) async fn list(State(worker): State<Arc<Worker>>, request: Inbound) -> Response {
    let codec = codec_for(&request);
    let answer = models(&worker, codec, receive(request), None).await;
    render(&answer, codec, |models| {
        let entries: Vec<_> = models.iter().map(entry).collect();
        wire::list(codec.dialect(), &entries)
    })
}

pub(crate) async fn retrieve(
    State(worker): State<Arc<Worker>>,
    Path(model): Path<String>,
    request: Inbound,
) -> Response {
    let codec = codec_for(&request);
    let answer = models(&worker, codec, receive(request), Some(&model)).await;
    render(&answer, codec, |models| {
        models.first().map(|model| wire::retrieve(codec.dialect(), &entry(model))).unwrap_or_default()
    })
}

fn entry(model: &ModelView) -> wire::ModelEntry<'_> {
    wire::ModelEntry {
        id: model.name.as_str(),
        owned_by: model.owned_by.as_ref().map_or("gateway", |provider| provider.as_str()),
    }
}

fn render(answer: &ModelAnswer, codec: &dyn Codec, write: impl FnOnce(&[ModelView]) -> Bytes) -> Response {
    super::render(answer.id, codec, answer.result.as_ref().map(|models| write(models)))
}
