//! The services that an extension is given, for tests: time that a test moves, calls whose answers are scripted,
//! metrics that can be read, and each of them failing on demand.
//!
//! Cache, values and database are the gateway's own, in memory.

mod clock;
mod fault;
mod http;
mod meter;
mod secret;

pub use self::clock::VirtualClock;
pub(crate) use self::fault::{Failing, Faults};
pub use self::http::{FakeHttp, HttpCall};
pub use self::meter::RecordingMeter;
pub use self::secret::SecretMap;
