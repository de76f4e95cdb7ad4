//! The admin listener's application: is the process alive, is it ready, what has it counted, what runs in it, reload.
//!
//! Knows nothing of the parts that it reports on: the gateway implements [`AdminState`] over them. It has no
//! authentication and is meant for loopback or for a network that only operators reach, so it takes no
//! command that a web page in an operator's browser could send.

mod pulse;
mod question;
mod report;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, ORIGIN};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::Service;
use serde_json::json;
use tower::Service as _;

pub use self::pulse::Pulse;
pub use self::question::LimitsQuestion;
pub use self::report::{BucketReport, InstanceReport, LimitsReport};

use crate::listener::{ClientBody, ConnectionInfo, Limits, ListenerOptions};

/// Where the admin listener listens unless told otherwise: loopback only.
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Connections that the admin listener holds: probes, a scraper or two, an operator.
const CONNECTIONS_MAX: usize = 64;

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the admin listener asks of the process.
pub trait AdminState: Send + Sync + 'static {
    /// Everything that the process needs in order to serve, and whether it has it.
    fn readiness(&self) -> impl Future<Output = Readiness> + Send;

    /// All metrics in the OpenMetrics text format, which Prometheus reads.
    fn metrics(&self) -> String;

    /// The limit buckets that count something at this moment.
    ///
    /// # Errors
    /// What is wrong with the question, for the operator to read.
    fn limits(&self, question: &LimitsQuestion) -> Result<LimitsReport, String>;

    /// The extension instances in use, sorted by id.
    fn extensions(&self) -> impl Future<Output = Vec<InstanceReport>> + Send;

    /// Reads the configuration again. Returns one sentence for the operator about what has changed.
    ///
    /// # Errors
    /// Why the configuration of before stays in use, for the operator to read.
    fn reload(&self) -> impl Future<Output = Result<String, String>> + Send;
}

/// Whether the process should be sent requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    name: &'static str,
    standing: Standing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Holds,
    /// Less is promised than usual, and requests are served.
    Degraded(String),
    Fails(String),
}

impl Readiness {
    /// Adds a condition that holds.
    #[must_use]
    pub fn with(self, name: &'static str) -> Self {
        self.with_condition(name, Standing::Holds)
    }

    /// Adds a condition that holds in part: requests are served, and operators see why less is promised.
    #[must_use]
    pub fn degraded(self, name: &'static str, reason: impl Into<String>) -> Self {
        self.with_condition(name, Standing::Degraded(reason.into()))
    }

    /// Adds a condition that does not hold, and why.
    #[must_use]
    pub fn without(self, name: &'static str, reason: impl Into<String>) -> Self {
        self.with_condition(name, Standing::Fails(reason.into()))
    }

    /// True when no condition fails.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.conditions.iter().any(|condition| matches!(condition.standing, Standing::Fails(_)))
    }

    fn with_condition(mut self, name: &'static str, standing: Standing) -> Self {
        self.conditions.push(Condition { name, standing });
        self
    }

    fn to_json(&self) -> serde_json::Value {
        let conditions = self.conditions.iter().map(|Condition { name, standing }| match standing {
            Standing::Holds => json!({"name": name, "ready": true}),
            Standing::Degraded(reason) => json!({"name": name, "ready": true, "degraded": reason}),
            Standing::Fails(reason) => json!({"name": name, "ready": false, "reason": reason}),
        });
        json!({"ready": self.is_ready(), "conditions": conditions.collect::<Vec<_>>()})
    }
}

/// The admin listener's application.
#[derive(Debug, Clone)]
pub struct Admin(Router);

impl Admin {
    /// Reports on `state`, and on the workers whose heartbeats are in `pulse`.
    pub fn new<S: AdminState>(state: Arc<S>, pulse: Pulse) -> Self {
        let probes = Router::new().route("/livez", get(livez)).with_state(pulse);
        let state = Router::new()
            .route("/readyz", get(readyz::<S>))
            .route("/metrics", get(metrics::<S>))
            .route("/limits", get(limits::<S>))
            .route("/extensions", get(extensions::<S>))
            .route("/reload", post(reload::<S>))
            .with_state(state);
        Admin(probes.merge(state))
    }

    /// How an admin listener serves: cleartext, with room for few clients.
    #[must_use]
    pub fn options() -> ListenerOptions {
        let limits = Limits { connections_max: CONNECTIONS_MAX, ..Limits::default() };
        ListenerOptions { limits, ..ListenerOptions::new("admin") }
    }
}

impl Service<Request<Incoming>> for Admin {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let body = match parts.extensions.get::<ConnectionInfo>() {
            Some(info) => Body::new(ClientBody::new(body, info)),
            None => Body::empty(),
        };
        // The routes ask for no readiness, so the router is always ready.
        let answer = self.0.clone().call(Request::from_parts(parts, body));
        Box::pin(answer)
    }
}

async fn livez(State(pulse): State<Pulse>) -> Response {
    let silent = pulse.silent();
    if silent.is_empty() {
        return text(StatusCode::OK, "alive\n".to_owned());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, format!("these workers make no progress: {silent:?}\n"))
}

async fn readyz<S: AdminState>(State(state): State<Arc<S>>) -> Response {
    let readiness = state.readiness().await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_answer(status, &readiness.to_json())
}

async fn metrics<S: AdminState>(State(state): State<Arc<S>>) -> Response {
    ([(CONTENT_TYPE, METRICS_TYPE)], state.metrics()).into_response()
}

async fn limits<S: AdminState>(State(state): State<Arc<S>>, RawQuery(query): RawQuery) -> Response {
    let question = LimitsQuestion::parse(query.as_deref().unwrap_or_default());
    match question.and_then(|question| state.limits(&question)) {
        Ok(report) => json_answer(StatusCode::OK, &report.to_json()),
        Err(reason) => text(StatusCode::BAD_REQUEST, format!("{reason}\n")),
    }
}

async fn extensions<S: AdminState>(State(state): State<Arc<S>>) -> Response {
    let instances: Vec<_> = state.extensions().await.iter().map(InstanceReport::to_json).collect();
    json_answer(StatusCode::OK, &json!({"instances": instances}))
}

fn json_answer(status: StatusCode, answer: &serde_json::Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, format!("{answer}\n")).into_response()
}

async fn reload<S: AdminState>(State(state): State<Arc<S>>, headers: HeaderMap) -> Response {
    if is_from_web_page(&headers) {
        return text(StatusCode::FORBIDDEN, "web pages may not reload the configuration\n".to_owned());
    }
    match state.reload().await {
        Ok(change) => text(StatusCode::OK, format!("{change}\n")),
        Err(reason) => text(StatusCode::UNPROCESSABLE_ENTITY, format!("{reason}\n")),
    }
}

/// A browser says with every such request that a page sent it; command line tools do not.
fn is_from_web_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.get("sec-fetch-site").is_some_and(|site| site != "none")
}

fn text(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], text).into_response()
}
