//! The store as its users see it: real files, other connections, killed processes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails the test")]

mod cache;
mod clock;
mod crash;
mod fault;
mod fixture;
mod keep;
mod key_value;
mod ledger;
mod limits;
mod opening;
mod sql;
