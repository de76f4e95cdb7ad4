//! The inbound side of the gateway: listening sockets, endpoints, the admin listener and the drain.
//!
//! The only package that opens inbound sockets and the only one that knows axum. It turns requests into
//! calls of the pipeline and what comes back into answers; what happens in between is not its business.

pub mod admin;
mod application;
pub mod drain;
mod endpoint;
pub mod listener;
pub mod tls;

#[cfg(test)]
mod testing;

pub use application::{Answer, Application};
pub use endpoint::call::{CALLS, CallPath, call_of};
