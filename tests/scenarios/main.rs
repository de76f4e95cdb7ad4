//! What a user can rely on, shown on the real binary in front of a simulated provider: one file a subject, one test a
//! promise.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test")]

mod auth;
mod bad_request;
mod chaos;
mod clients;
mod command;
mod content_policy;
mod crash;
mod drain;
mod ending;
mod enrich;
mod failover;
mod fault;
mod fence;
mod http;
mod json_schema;
mod limit;
mod mask;
mod panic;
mod pass_through;
mod prompt_templates;
mod reload;
mod request_caps;
mod response_tag;
mod route;
mod secret;
mod socket;
mod support;
mod telemetry;
mod tls;
mod token_limit;
mod upstream_error;
mod upstream_http2;
mod usage;
mod webhook_guard;
