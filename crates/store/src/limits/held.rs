//! Claims that are held: they are spent, and what is left is given back exactly once.

use std::sync::Arc;

use gatewright::service::limits::Held;
use gatewright_policy::{Bucket, Ticket};
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::{Counters, INLINE_CLAIMS};

/// What one call wants of one bucket.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) bucket: Arc<Mutex<Bucket>>,
    /// The places, in the call, of the claims on this bucket; at least one.
    pub(super) claims: SmallVec<[usize; 2]>,
    pub(super) need: u64,
    pub(super) limit: u64,
    pub(super) ticket: Ticket,
}

impl Part {
    pub(super) fn new(claim: usize, bucket: Arc<Mutex<Bucket>>, need: u64, limit: u64) -> Self {
        Self { bucket, claims: SmallVec::from_slice(&[claim]), need, limit, ticket: Ticket::default() }
    }

    pub(super) fn first_claim(&self) -> usize {
        self.claims.first().copied().unwrap_or(0)
    }
}

/// The claims of one call.
pub(super) struct HeldClaims {
    counters: Arc<Counters>,
    parts: SmallVec<[Part; INLINE_CLAIMS]>,
}

impl HeldClaims {
    pub(super) fn new(counters: Arc<Counters>, parts: SmallVec<[Part; INLINE_CLAIMS]>) -> Self {
        Self { counters, parts }
    }
}

impl Held for HeldClaims {
    fn spend(&mut self, claim: usize, amount: u64) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.claims.contains(&claim)) {
            let now = self.counters.now();
            part.bucket.lock().settle_part(now, &mut part.ticket, amount);
        }
    }

    fn finish(self: Box<Self>) {
        // Dropping gives back.
    }
}

impl Drop for HeldClaims {
    fn drop(&mut self) {
        for part in &mut self.parts {
            part.bucket.lock().finish(std::mem::take(&mut part.ticket));
        }
    }
}
