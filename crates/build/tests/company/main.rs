//! A company's repository as a person makes it: written by `new`, compiled for real, and run under `dev`.
//!
//! One target folder serves all of it and stays between runs. The long forms run in the full tier.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what a test expects and does not get ends that test")]

mod dev;
mod home;
mod new;
mod place;
mod tutorial;

/// Whether the long forms run.
fn is_full() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the ban keeps the gateway's settings in one place; a test is told which tier it is in"
    )]
    std::env::var_os("GATEWRIGHT_FULL").is_some()
}
