//! Messages of the WebSocket protocol, RFC 6455, as bytes.
//!
//! Owns the opening handshake of both sides, the reading of frames and their assembly into messages, and the writing of
//! frames. It is as strict as the RFC lets an endpoint be, and knows no extension, so that none is ever agreed on.
//! Chance comes in from outside: who writes as a client says with which key a frame is masked.

mod close;
mod decoder;
mod encode;
mod handshake;
mod violation;

#[cfg(test)]
mod tests;

pub use close::{Close, REASON_BYTES_MAX};
pub use decoder::{Decoder, Unit};
pub use encode::{Kind, Masking, write, write_close};
pub use handshake::{HandshakeError, Offer, VERSION, accept_of, is_upgrade, key_of};
pub use violation::Violation;
