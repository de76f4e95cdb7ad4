//! What holds while the store is lost: this process's share of the limits, counted here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright::service::limits::{BucketKey, Claim, Claimed, Held, Refusal};
use parking_lot::Mutex;

use crate::limits::{LimitsFull, MemoryLimits};

/// The most buckets whose use is remembered for the store. What is used of further ones while it is lost, it is not told.
const DEBTS_MAX: usize = MemoryLimits::KEYS_MAX;

/// The share, and what was used of it that the store does not know yet.
#[derive(Debug)]
pub(super) struct Share {
    counted: MemoryLimits,
    /// How many replicas there were when somebody last counted; at least one.
    replicas: AtomicU64,
    debts: Arc<Mutex<HashMap<BucketKey, u64>>>,
}

impl Share {
    pub(super) fn new(counted: MemoryLimits) -> Self {
        Self { counted, replicas: AtomicU64::new(1), debts: Arc::default() }
    }

    pub(super) fn set_replicas(&self, replicas: u64) {
        self.replicas.store(replicas.max(1), Ordering::Relaxed);
    }

    pub(super) fn replicas(&self) -> u64 {
        self.replicas.load(Ordering::Relaxed)
    }

    /// Claims a part of what all replicas have together. What is larger than the share waits for the store: it may
    /// still fit.
    pub(super) fn claim(&self, claims: &[Claim]) -> Result<Claimed, LimitsFull> {
        let replicas = self.replicas();
        let share = |claim: &Claim| Claim { limit: (claim.limit / replicas).max(1), ..claim.clone() };
        let shares: Vec<Claim> = claims.iter().map(share).collect();
        match self.counted.claim_now(&shares)? {
            Claimed::Held(held, standing) => {
                let keys = claims.iter().map(|claim| claim.key.clone()).collect();
                Ok(Claimed::Held(Box::new(Indebted { held, keys, debts: Arc::clone(&self.debts) }), standing))
            }
            Claimed::Refused(refusal) => {
                let fits = claims.iter().all(|claim| claim.need <= claim.limit);
                Ok(Claimed::Refused(Refusal { never_fits: refusal.never_fits && !fits, ..refusal }))
            }
            unknown @ Claimed::Unknown { .. } => Ok(unknown),
        }
    }

    /// Takes what the store is to be told.
    pub(super) fn take_debts(&self) -> HashMap<BucketKey, u64> {
        std::mem::take(&mut *self.debts.lock())
    }

    /// Gives back what it could not be told.
    pub(super) fn owe_again(&self, debts: HashMap<BucketKey, u64>) {
        let mut owed = self.debts.lock();
        for (key, amount) in debts {
            let owed = owed.entry(key).or_default();
            *owed = owed.saturating_add(amount);
        }
    }
}

/// Claims on the share. What they spend is remembered for the store, by bucket, so that memory does not grow with the
/// number of exchanges.
struct Indebted {
    held: Box<dyn Held>,
    keys: Vec<BucketKey>,
    debts: Arc<Mutex<HashMap<BucketKey, u64>>>,
}

impl Held for Indebted {
    fn spend(&mut self, claim: usize, amount: u64) {
        self.held.spend(claim, amount);
        if let Some(key) = self.keys.get(claim)
            && key.window.is_some()
            && amount > 0
        {
            let mut debts = self.debts.lock();
            let has_room = debts.len() < DEBTS_MAX;
            match debts.get_mut(key) {
                Some(owed) => *owed = owed.saturating_add(amount),
                None if has_room => drop(debts.insert(key.clone(), amount)),
                None => {}
            }
        }
    }

    fn finish(self: Box<Self>) {
        self.held.finish();
    }
}
