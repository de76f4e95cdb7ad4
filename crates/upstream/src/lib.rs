//! The only code of the gateway that opens a socket outwards.
//!
//! It owns the guarded dialer (which addresses may be reached), TLS, the pools of HTTP/1.1 and
//! HTTP/2 connections, deadlines, the byte stream of an answer, and connections that switch to
//! another protocol.
//! It promises that a credential is added last and only for its own origin, that dropping a call
//! or its answer ends the upstream work at once, and that nothing waits past its deadline.
//! It leaves retries across targets, decoding and accounting to the pipeline.

mod answer;
mod call;
mod connection;
mod credential;
mod deadline;
mod destination;
mod dial;
mod egress;
mod error;
mod origin;
mod pool;
mod stats;
mod switch;
mod upstream;

pub use answer::{Answer, AnswerBody, Protocol};
pub use call::{BoxError, Call, Repeat, RequestBody, strip_connection_headers};
pub use credential::Credential;
pub use deadline::Deadlines;
pub use destination::{Destination, DestinationError, DestinationSettings, Http2};
pub use dial::address::{AddressClass, classify};
pub use dial::resolve::{Resolve, Resolving, SystemResolver};
pub use egress::{Egress, EgressError, EgressHttp, EgressSettings};
pub use error::{DialError, ReadError, SendError};
pub use origin::{Origin, OriginError, Scheme};
pub use stats::Stats;
pub use switch::{Refused, Switch, Tunnel};
pub use upstream::{Sending, Upstream};
