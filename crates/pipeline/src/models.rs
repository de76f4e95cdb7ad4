//! The models that a caller may use. The same first phases as any exchange; no provider is asked.

use std::sync::Arc;

use gatewright::dialect::Codec;
use gatewright::{Failure, FailureKind, ModelName, Outcome, ProviderName, RequestId, Side};
use gatewright_policy::ModelPlan;
use http::request;

use crate::course::Course;
use crate::failure::Refusal;
use crate::phase::authenticate;
use crate::state::Received;
use crate::worker::Worker;

/// A model as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelView {
    /// The public name.
    pub name: ModelName,
    /// Who serves it first.
    pub owned_by: Option<ProviderName>,
}

/// What came of asking for models.
#[derive(Debug)]
pub struct ModelAnswer {
    /// The identity of the exchange, for the answer's headers.
    pub id: RequestId,
    /// The models, sorted by name, or the reason why there are none.
    pub result: Result<Vec<ModelView>, Refusal>,
}

/// Lists the models that the caller may use; with `wanted`, that one only, or a refusal.
///
/// # Cancellation
///
/// Dropping the future means that the client left.
pub async fn models<B>(
    worker: &Arc<Worker>,
    codec: &'static dyn Codec,
    received: Received<B>,
    wanted: Option<&str>,
) -> ModelAnswer {
    let mut course = Course::begin(worker, codec);
    let Received { head, peer, tls, body, .. } = received;
    // These endpoints take no body.
    drop(body);
    let result = list(&mut course, &head, (peer, tls), wanted).await;
    course.facts.status = match &result {
        Ok(_) => 200,
        Err(refusal) => refusal.body(course.id).map_or(500, |body| body.status.as_u16()),
    };
    course.facts.code = result.as_ref().err().and_then(Refusal::code);
    // No attempt was made, so there is no record to wait for.
    drop(course.settle(&Outcome::NotSent));
    ModelAnswer { id: course.id, result }
}

async fn list(
    course: &mut Course,
    head: &request::Parts,
    connection: (std::net::SocketAddr, bool),
    wanted: Option<&str>,
) -> Result<Vec<ModelView>, Refusal> {
    let snapshot = Arc::clone(&course.snapshot);
    let principal = authenticate::identify_caller(course, head, connection).await?;
    course.facts.principal = Some(Arc::clone(&principal));
    let plan = &snapshot.plan;
    let allowed = plan.allowed_models(&principal);
    let Some(wanted) = wanted else {
        return Ok(allowed.into_iter().map(|model| view(model)).collect());
    };
    let found = allowed.into_iter().find(|model| model.name.as_str() == wanted);
    found.map(|model| vec![view(model)]).ok_or_else(|| not_found().into())
}

fn view(model: &ModelPlan) -> ModelView {
    let owned_by = model.targets.first().map(|target| target.provider.clone());
    ModelView { name: model.name.clone(), owned_by }
}

/// Says the same of a model that does not exist and of one that the caller may not use.
fn not_found() -> Failure {
    let text = "this model does not exist, or this key may not use it; GET /v1/models lists what it may use";
    Failure { param: Some("model".into()), ..Failure::new(Side::Client, FailureKind::ModelNotFound, text) }
}
