//! How many connections a listener holds, over all workers and of one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// The places that a listener has for connections.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    per_address: Option<Arc<PerAddress>>,
}

/// Invariant: `open` has an entry for each address with at least one open connection and no other, so it is
/// as bounded as the number of connections.
#[derive(Debug)]
struct PerAddress {
    max: u32,
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
pub(super) struct Admission {
    _place: OwnedSemaphorePermit,
    _of_address: Option<OfAddress>,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Self {
        let places = limits.connections_max.clamp(1, Semaphore::MAX_PERMITS);
        let per_address = limits
            .connections_per_address_max
            .map(|max| Arc::new(PerAddress { max, open: Mutex::default() }));
        Places { free: Arc::new(Semaphore::new(places)), per_address }
    }

    /// Waits for a place. None if the address has as many as it may.
    ///
    /// # Cancellation
    /// Takes no place.
    pub(super) async fn admit(&self, address: IpAddr) -> Option<Admission> {
        let of_address = match &self.per_address {
            Some(per_address) => Some(per_address.enter(address)?),
            None => None,
        };
        let place = Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed");
        Some(Admission { _place: place, _of_address: of_address })
    }

    /// Takes a place if there is one at once.
    pub(super) fn try_admit(&self, address: IpAddr) -> Option<Admission> {
        let of_address = match &self.per_address {
            Some(per_address) => Some(per_address.enter(address)?),
            None => None,
        };
        let place = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(Admission { _place: place, _of_address: of_address })
    }
}

impl PerAddress {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<OfAddress> {
        let network = network_of(address);
        let mut open = self.open.lock();
        let count = open.get(&network).copied().unwrap_or(0);
        if count >= self.max {
            return None;
        }
        open.insert(network, count + 1);
        Some(OfAddress { per_address: Arc::clone(self), network })
    }
}

#[derive(Debug)]
struct OfAddress {
    per_address: Arc<PerAddress>,
    network: IpAddr,
}

impl Drop for OfAddress {
    fn drop(&mut self) {
        let mut open = self.per_address.open.lock();
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

/// What counts as one address: an IPv6 customer has at least a /64 to take addresses from.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(per_address: u32) -> Places {
        Places::new(&Limits { connections_per_address_max: Some(per_address), ..Limits::default() })
    }

    #[tokio::test]
    async fn an_address_gets_its_places_back_when_its_connections_end() {
        let places = places(1);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let first = places.admit(address).await;
        assert!(first.is_some());
        assert!(places.admit(address).await.is_none());
        assert!(places.admit("192.0.2.2".parse().unwrap()).await.is_some());
        drop(first);
        assert!(places.admit(address).await.is_some());
    }

    #[tokio::test]
    async fn one_ipv6_network_counts_as_one_address_and_a_mapped_ipv4_as_itself() {
        let places = places(1);
        let held = [places.admit("2001:db8::1".parse().unwrap()).await];
        assert!(held[0].is_some());
        assert!(places.admit("2001:db8::ffff:1".parse().unwrap()).await.is_none());
        let v4 = places.admit("192.0.2.1".parse().unwrap()).await;
        assert!(v4.is_some());
        assert!(places.admit("::ffff:192.0.2.1".parse().unwrap()).await.is_none());
    }
}
