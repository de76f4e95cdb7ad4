//! A whole gateway for a test: the real binary in a folder of its own, in front of simulated providers.
//!
//! [`Gateway::in_front_of`] gives a configuration that serves, the builder changes it, [`GatewayBuilder::start`]
//! writes it down, starts the process and waits until it is ready. Requests go out over plain hyper connections, one
//! each, so that a test decides when a client leaves. What the gateway says of itself is read back: log lines,
//! metrics, usage records. The process ends with its owner.
//!
//! Everything that waits does so for an event or a condition, within [`DEADLINE`], and says what did not come.
#![expect(clippy::panic, reason = "what a test expects and does not get ends that test")]

mod answer;
mod client;
mod configuration;
mod gateway;
mod metrics;
mod process;
mod session;
mod wait;

pub(crate) use self::answer::take_event;
pub use self::answer::{Answer, End, Streamed, Whole};
pub use self::client::{Connection, Request};
pub use self::configuration::{CALLER_KEY, GatewayBuilder, PROVIDER_KEY};
pub(crate) use self::configuration::{place as place_at, set as set_at};
pub use self::gateway::Gateway;
pub use self::metrics::Scrape;
pub use self::process::{Ran, binary, run};
pub use self::session::Session;
pub use self::wait::{DEADLINE, eventually, within};
