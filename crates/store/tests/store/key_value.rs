//! Durable values of instances: real files, many hands.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::TenantId;
use gatewright::service::key_value::{KEY_BYTES_MAX, KeyValue, VALUE_BYTES_MAX};
use gatewright_store::{Durability, FileKeyValue, StatePlace};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, query_scalar};

use crate::clock::StoppedClock;

const MINUTE: Duration = Duration::from_secs(60);

fn at(path: &Path, clock: &Arc<StoppedClock>) -> FileKeyValue {
    FileKeyValue::new(StatePlace::File(path.to_owned()), Durability::Crash, Arc::clone(clock) as _)
}

fn in_memory() -> FileKeyValue {
    FileKeyValue::new(StatePlace::Memory, Durability::None, StoppedClock::new())
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name)
}

async fn rows(path: &Path) -> i64 {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    query_scalar("SELECT count(*) FROM value").fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn values_are_there_after_a_restart_and_belong_to_a_tenant() {
    let directory = tempfile::tempdir().unwrap();
    let (path, clock) = (directory.path().join("instance/state.db"), StoppedClock::new());
    let kv = at(&path, &clock);
    assert!(!path.exists(), "nothing is made before the first use");
    kv.put(&tenant("a"), "key", "of a".into(), None).await.unwrap();
    kv.put(&tenant("b"), "key", Bytes::from_static(&[0, 255]), None).await.unwrap();
    kv.remove(&tenant("c"), "key").await.unwrap();
    drop(kv);

    let kv = at(&path, &clock);
    assert_eq!(kv.get(&tenant("a"), "key").await.unwrap().unwrap(), "of a");
    assert_eq!(kv.get(&tenant("b"), "key").await.unwrap().unwrap(), Bytes::from_static(&[0, 255]));
    assert_eq!(kv.get(&tenant("c"), "key").await.unwrap(), None);
    kv.remove(&tenant("a"), "key").await.unwrap();
    assert_eq!(kv.get(&tenant("a"), "key").await.unwrap(), None);
    assert!(kv.get(&tenant("b"), "key").await.unwrap().is_some());
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("instance/state.db");
    at(&path, &StoppedClock::new()).put(&tenant("a"), "key", "1".into(), None).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn a_value_is_gone_when_its_time_is_over_and_leaves_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (path, clock, a) = (directory.path().join("state.db"), StoppedClock::new(), tenant("a"));
    let kv = at(&path, &clock);
    kv.put(&a, "short", "1".into(), Some(MINUTE)).await.unwrap();
    kv.put(&a, "long", "2".into(), Some(MINUTE * 2)).await.unwrap();
    clock.pass(MINUTE);
    assert_eq!(kv.get(&a, "short").await.unwrap(), None);
    assert_eq!(kv.keys(&a, "", 10).await.unwrap(), ["long"]);
    for _ in 0..64 {
        kv.put(&a, "other", "3".into(), None).await.unwrap();
    }
    assert_eq!(rows(&path).await, 2);
}

#[tokio::test]
async fn keys_come_by_prefix_in_order_and_only_so_many() {
    let (kv, a) = (in_memory(), tenant("a"));
    for key in ["user/2", "user/1", "user/%", "user0", "user", "z", "user/ä"] {
        kv.put(&a, key, "1".into(), None).await.unwrap();
    }
    kv.put(&tenant("b"), "user/3", "1".into(), None).await.unwrap();
    assert_eq!(kv.keys(&a, "user/", 10).await.unwrap(), ["user/%", "user/1", "user/2", "user/ä"]);
    assert_eq!(kv.keys(&a, "user/", 2).await.unwrap(), ["user/%", "user/1"]);
    assert_eq!(kv.keys(&a, "", usize::MAX).await.unwrap().len(), 7);
    assert_eq!(kv.keys(&a, "user/%", 10).await.unwrap(), ["user/%"], "a prefix is no pattern");
}

#[tokio::test]
async fn no_addition_is_lost_among_many_hands() {
    let directory = tempfile::tempdir().unwrap();
    let (path, clock) = (directory.path().join("state.db"), StoppedClock::new());
    // Two handles are two connections, as two processes would have them.
    let handles = [Arc::new(at(&path, &clock)), Arc::new(at(&path, &clock))];
    handles[0].get(&tenant("a"), "n").await.unwrap();
    let hands = (0..8).map(|hand| {
        let kv = Arc::clone(&handles[hand % 2]);
        tokio::spawn(async move {
            for _ in 0..50 {
                kv.add(&tenant("a"), "n", 3).await.unwrap();
            }
        })
    });
    for hand in hands.collect::<Vec<_>>() {
        hand.await.unwrap();
    }
    assert_eq!(handles[0].add(&tenant("a"), "n", -1).await.unwrap(), 8 * 50 * 3 - 1);
    assert_eq!(handles[1].get(&tenant("a"), "n").await.unwrap().unwrap(), "1199");
}

#[tokio::test]
async fn a_counter_keeps_its_time_and_begins_anew_after_it() {
    let clock = StoppedClock::new();
    let kv = FileKeyValue::new(StatePlace::Memory, Durability::None, Arc::clone(&clock) as _);
    let a = tenant("a");
    kv.put(&a, "n", "5".into(), Some(MINUTE)).await.unwrap();
    clock.pass(MINUTE / 2);
    assert_eq!(kv.add(&a, "n", 1).await.unwrap(), 6);
    clock.pass(MINUTE / 2);
    assert_eq!(kv.add(&a, "n", 1).await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_no_counter_or_does_not_fit_stays_as_it_is() {
    let (kv, a) = (in_memory(), tenant("a"));
    kv.put(&a, "text", "five".into(), None).await.unwrap();
    let error = kv.add(&a, "text", 1).await.unwrap_err();
    assert_eq!(error.to_string(), "the value of `text` is no counter");
    assert_eq!(kv.get(&a, "text").await.unwrap().unwrap(), "five");

    kv.add(&a, "n", i64::MAX).await.unwrap();
    let error = kv.add(&a, "n", 1).await.unwrap_err();
    assert_eq!(error.to_string(), "the counter `n` does not fit into 64 bits");
    assert_eq!(kv.add(&a, "n", 0).await.unwrap(), i64::MAX);
}

#[tokio::test]
async fn keys_and_values_have_bounds() {
    let (kv, a) = (in_memory(), tenant("a"));
    let longest = "k".repeat(KEY_BYTES_MAX);
    let largest = Bytes::from(vec![0; VALUE_BYTES_MAX]);
    kv.put(&a, &longest, largest.clone(), None).await.unwrap();
    assert_eq!(kv.get(&a, &longest).await.unwrap().unwrap(), largest);

    let too_long = format!("{longest}k");
    assert!(kv.put(&a, &too_long, "1".into(), None).await.is_err());
    assert!(kv.add(&a, &too_long, 1).await.is_err());
    let too_large = Bytes::from(vec![0; VALUE_BYTES_MAX + 1]);
    assert!(kv.put(&a, "k", too_large, None).await.is_err());
    assert_eq!(kv.keys(&a, "", 10).await.unwrap(), [longest]);
}

#[tokio::test]
async fn the_file_of_a_newer_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut newer = options.connect().await.unwrap();
    newer.execute("PRAGMA user_version = 2").await.unwrap();
    newer.close().await.unwrap();
    let error = at(&path, &StoppedClock::new()).get(&tenant("a"), "key").await.unwrap_err();
    assert!(error.to_string().ends_with("has schema 2, and this version knows schemas up to 1"), "{error}");
}
