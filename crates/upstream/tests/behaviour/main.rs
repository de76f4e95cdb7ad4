//! What a user of the crate sees, over real sockets on loopback.

#[cfg(test)]
mod exchange;
#[cfg(test)]
mod support;
