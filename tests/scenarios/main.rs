//! What a user can rely on, shown on the real binary in front of a simulated provider: one file a subject, one test a
//! promise.

mod bad_request;
mod crash;
mod drain;
mod ending;
mod fault;
mod pass_through;
mod reload;
mod support;
mod upstream_error;
mod usage;
