//! The models that the caller's key may use, all of them or one, in the shape that the caller's client reads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use gatewright::dialect::Codec;
use gatewright_pipeline::{ModelAnswer, ModelView, Worker, models, set_request_id};
use gatewright_wire::models as wire;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

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
    let (status, body) = match &answer.result {
        Ok(models) => (StatusCode::OK, write(models)),
        Err(refusal) => match refusal.body(answer.id) {
            Some(error) => (error.status, codec.render_error(&error)),
            None => (StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()),
        },
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_request_id(response.headers_mut(), answer.id, codec);
    response
}
