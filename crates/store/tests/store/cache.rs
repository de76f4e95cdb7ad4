//! Caches forget what they must, and never tell one tenant what another put in.

use std::time::Duration;

use bytes::Bytes;
use gatewright::TenantId;
use gatewright::service::cache::Cache;
use gatewright_store::MemoryCache;

use crate::clock::StoppedClock;

const MINUTE: Duration = Duration::from_secs(60);
const KIB: usize = 1024;

fn tenant(name: &str) -> TenantId {
    TenantId::new(name)
}

fn block(bytes: usize) -> Bytes {
    Bytes::from(vec![7; bytes])
}

#[test]
fn tenants_do_not_share_keys() {
    let cache = MemoryCache::new(1 << 20, StoppedClock::new());
    cache.put(&tenant("a"), "key", "of a".into(), MINUTE);
    cache.put(&tenant("b"), "key", "of b".into(), MINUTE);
    cache.remove(&tenant("b"), "key");
    assert_eq!(cache.get(&tenant("a"), "key").unwrap(), "of a");
    assert_eq!(cache.get(&tenant("b"), "key"), None);
    // Where one ends and the other begins does not matter.
    cache.put(&tenant("ab"), "c", "x".into(), MINUTE);
    assert_eq!(cache.get(&tenant("a"), "bc"), None);
}

#[test]
fn a_value_is_gone_when_its_own_time_is_over() {
    let (clock, a) = (StoppedClock::new(), tenant("a"));
    let cache = MemoryCache::new(1 << 20, std::sync::Arc::clone(&clock) as _);
    cache.put(&a, "short", "1".into(), MINUTE);
    cache.put(&a, "long", "2".into(), MINUTE * 2);
    cache.put(&a, "none", "3".into(), Duration::ZERO);
    cache.put(&a, "ever", "4".into(), Duration::MAX);
    assert_eq!(cache.get(&a, "none"), None);
    clock.pass(MINUTE - Duration::from_nanos(1));
    assert!(cache.get(&a, "short").is_some());
    clock.pass(Duration::from_nanos(1));
    assert_eq!(cache.get(&a, "short"), None);
    cache.put(&a, "long", "5".into(), MINUTE * 2);
    clock.pass(MINUTE);
    assert_eq!(cache.get(&a, "long").unwrap(), "5", "a new value has a new time");
    assert!(cache.get(&a, "ever").is_some());
}

#[test]
fn the_bound_holds_and_what_was_not_used_goes_first() {
    let (cache, a) = (MemoryCache::new(100 * 1024, StoppedClock::new()), tenant("a"));
    cache.put(&a, "used", block(KIB), MINUTE);
    cache.put(&a, "unused", block(KIB), MINUTE);
    for number in 0..1_000 {
        assert!(cache.get(&a, "used").is_some(), "gone at {number}");
        cache.put(&a, &number.to_string(), block(KIB), MINUTE);
    }
    assert!(cache.bytes() <= cache.bytes_max(), "{} bytes", cache.bytes());
    assert!(cache.bytes() > cache.bytes_max() * 9 / 10, "{} bytes", cache.bytes());
    assert_eq!(cache.get(&a, "unused"), None);
    assert!(cache.get(&a, "999").is_some());
}

#[test]
fn room_is_made_at_once_for_large_values() {
    let (cache, a) = (MemoryCache::new(1 << 20, StoppedClock::new()), tenant("a"));
    let kept = (0..20).filter(|number| {
        cache.put(&a, &number.to_string(), block(400 * KIB), MINUTE);
        cache.get(&a, "0").is_some()
    });
    assert_eq!(kept.count(), 20, "it is the one that was used last");
    let kept = (0..20).filter(|number| cache.get(&a, &number.to_string()).is_some());
    assert_eq!(kept.count(), 2);
}

#[test]
fn a_value_larger_than_the_cache_is_not_kept_and_its_forerunner_is_gone() {
    let (cache, a) = (MemoryCache::new(10 * 1024, StoppedClock::new()), tenant("a"));
    cache.put(&a, "key", block(KIB), MINUTE);
    cache.put(&a, "key", block(10 * KIB), MINUTE);
    assert_eq!(cache.get(&a, "key"), None);
}

#[test]
fn another_size_keeps_what_fits_and_for_how_long() {
    let (clock, a) = (StoppedClock::new(), tenant("a"));
    let cache = MemoryCache::new(1 << 20, std::sync::Arc::clone(&clock) as _);
    cache.put(&a, "small", block(KIB), MINUTE * 2);
    cache.put(&a, "large", block(100 * KIB), MINUTE * 2);
    clock.pass(MINUTE);
    let smaller = cache.resized(50 * 1024);
    assert_eq!(smaller.get(&a, "small").unwrap(), block(KIB));
    assert_eq!(smaller.get(&a, "large"), None);
    clock.pass(MINUTE);
    assert_eq!(smaller.get(&a, "small"), None);
}
