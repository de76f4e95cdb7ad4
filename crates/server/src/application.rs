//! The data API as a listener serves it: axum routes, the endpoints below answer.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get, post};
use gatewright_pipeline::Worker;
use hyper::body::Incoming;
use tower::Service as _;

use crate::endpoint;
use crate::endpoint::call::{self, CALLS};
use crate::listener::{BodyLimits, ClientBody, ConnectionInfo};

/// The data API of one worker. Cloned for each connection; a clone is a reference count.
#[derive(Clone, Debug)]
pub struct Application(Router);

impl Application {
    /// The API over a worker's services.
    #[must_use]
    pub fn new(worker: Arc<Worker>) -> Self {
        let routes: BTreeSet<_> = CALLS.iter().map(|call| call.route).collect();
        let calls =
            routes.into_iter().fold(Router::new(), |router, route| router.route(route, post(call::serve)));
        let router = calls
            .route(endpoint::session::PATH, get(endpoint::session::open))
            .route("/v1/models", get(endpoint::models::list))
            .route("/v1/models/{*model}", get(endpoint::models::retrieve))
            .route(
                "/v1/responses/{id}",
                get(endpoint::responses::retrieve).delete(endpoint::responses::delete),
            )
            .route("/v1/responses/{id}/cancel", post(endpoint::responses::cancel))
            .route("/v1/responses/{id}/input_items", get(endpoint::responses::input_items))
            .route("/v1beta/models", get(endpoint::models::list))
            .route("/v1beta/models/{*model}", get(endpoint::models::retrieve))
            .route(endpoint::passthrough::ROUTE, any(endpoint::passthrough::serve))
            .fallback(endpoint::unknown::path)
            .method_not_allowed_fallback(endpoint::unknown::method)
            .with_state(worker);
        Self(router)
    }

    /// Serves a request that came in another way than over a listener.
    ///
    /// # Cancellation
    ///
    /// Dropping the future, or the body of the answer, means that the client left.
    pub async fn answer<B>(&self, request: http::Request<B>) -> Answer
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // The router is always ready: it holds no service that could ask to wait.
        let answering = self.0.clone().call(request.map(axum::body::Body::new));
        answering.await.unwrap_or_else(|never| match never {})
    }
}

/// An answer of the data API.
pub type Answer = Response;

impl hyper::service::Service<http::Request<Incoming>> for Application {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        // The router is always ready: it holds no service that could ask to wait.
        let mut router = self.0.clone();
        let (head, body) = request.into_parts();
        let body = match head.extensions.get::<ConnectionInfo>() {
            Some(info) => ClientBody::new(body, info),
            None => ClientBody::with_limits(body, BodyLimits::default()),
        };
        let request = http::Request::from_parts(head, axum::body::Body::new(body));
        Box::pin(async move { router.call(request).await })
    }
}

/// A request as the endpoints receive it.
pub(crate) type Inbound = Request;
