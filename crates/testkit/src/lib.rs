//! What we and extension authors test with.
//!
//! [`mod@bench`] measures a gateway against the least that a proxy can do.
//! [`conformance`](mod@conformance) has the tests that hold for every extension, one macro for all of them.
//! [`extension`] gives a unit test of an extension what it needs of a gateway.
//! [`gateway`] has [`TestGateway`]: a whole gateway inside a test, around the extensions that the test names.
//! [`harness`] runs a whole gateway, the real binary, in front of simulated providers.
//! [`provider`] simulates the far end: a real listener that is told what to do, down to the byte.
//! [`service`] has the services that an extension is given, with time that a test moves and faults on demand.
//! [`split`] cuts text in pieces, and shows that a text filter does not depend on where.

pub mod bench;
pub mod conformance;
pub mod extension;
pub mod gateway;
pub mod harness;
pub mod provider;
pub mod service;
pub mod split;

pub use gateway::TestGateway;
