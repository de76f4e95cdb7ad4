//! What a user of the crate sees, over real sockets on loopback.

#[cfg(test)]
mod authority;
#[cfg(test)]
mod cancel;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod support;
#[cfg(test)]
mod switch;
#[cfg(test)]
mod tls;
