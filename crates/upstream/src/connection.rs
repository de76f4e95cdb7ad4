//! Established connections: what is spoken on them and who drives them.
//!
//! An HTTP/1.1 connection is driven by the exchange that uses it, inside that exchange's own task.
//! An HTTP/2 connection is shared and has a task of its own.

pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod meter;
mod relay;

use std::sync::Arc;

use crate::stats::Counters;

/// Counts one open connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Counters>);

impl Counted {
    pub(crate) fn new(counters: &Arc<Counters>) -> Self {
        counters.connection_opened();
        Self(Arc::clone(counters))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}
