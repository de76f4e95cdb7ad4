//! The list of models that the simulated provider offers.

use serde_json::{Value, json};

use super::query;

/// Well-known names and the simulator's own; any other name is answered as well.
const MODELS: &[&str] = &["sim", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small"];

/// The answer to `GET /v1/models`.
pub(super) fn list(created: u64) -> Value {
    let data: Vec<Value> = MODELS.iter().map(|id| model(id, created)).collect();
    json!({"object": "list", "data": data})
}

/// The answer to `GET /v1/models/{id}`.
pub(super) fn retrieve(encoded_id: &str, created: u64) -> Value {
    model(&query::decode(encoded_id), created)
}

fn model(id: &str, created: u64) -> Value {
    json!({"id": id, "object": "model", "created": created, "owned_by": "simulator"})
}
