//! What a user can rely on, shown on the real binary in front of a simulated provider: one file a subject, one test a
//! promise.

mod bad_request;
mod fault;
mod pass_through;
mod support;
mod upstream_error;
mod usage;
