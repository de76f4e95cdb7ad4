//! Randomness for identifiers, balancing and jitter: fast, per thread, seeded by the system.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use gatewright::service::Random;

/// A small generator per thread. Not for keys.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ThreadRandom;

thread_local! {
    static STATE: Cell<u64> = Cell::new(seed());
}

/// The standard library seeds its hasher from the system's random source.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

impl Random for ThreadRandom {
    /// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    fn next_u64(&self) -> u64 {
        STATE.with(|state| {
            let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            state.set(next);
            let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use gatewright::service::Random;

    use super::ThreadRandom;

    #[test]
    fn threads_have_sequences_of_their_own() {
        let draw = || (0..1_000).map(|_| ThreadRandom.next_u64()).collect::<Vec<_>>();
        let other = std::thread::spawn(draw).join().unwrap();
        let all: HashSet<u64> = draw().into_iter().chain(other).collect();
        assert_eq!(all.len(), 2_000);
    }
}
