//! What is kept for tenants: real files, bounds, other tenants.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::TenantId;
use gatewright::service::keep::{Keep, KeepError, Kept, KeptKey, KeptKind, KeptPage};
use gatewright_store::{Durability, FileKeep, KeepSettings, StatePlace};
use proptest::prelude::*;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, query_scalar};

use crate::clock::StoppedClock;

const MINUTE: Duration = Duration::from_secs(60);
const ANSWER: KeptKind = KeptKind::new("answer");
const FILE: KeptKind = KeptKind::new("file");

const BOUNDS: KeepSettings =
    KeepSettings { object_bytes_max: 1_000, tenant_bytes_max: 3_000, file_bytes_max: 1 << 24 };

fn at(path: &Path, clock: &Arc<StoppedClock>) -> FileKeep {
    FileKeep::new(StatePlace::File(path.to_owned()), Durability::Crash, BOUNDS, Arc::clone(clock) as _)
}

fn in_memory(clock: &Arc<StoppedClock>) -> FileKeep {
    FileKeep::new(StatePlace::Memory, Durability::None, BOUNDS, Arc::clone(clock) as _)
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name)
}

fn key(of: &str, kind: KeptKind, id: &str) -> KeptKey {
    KeptKey { tenant: tenant(of), kind, id: id.into() }
}

fn object(kind: KeptKind, id: &str, value: impl Into<Bytes>) -> Kept {
    Kept { kind, id: id.into(), value: value.into() }
}

#[tokio::test]
async fn objects_are_there_after_a_restart_and_belong_to_a_tenant_and_a_kind() {
    let directory = tempfile::tempdir().unwrap();
    let (path, clock) = (directory.path().join("kept.db"), StoppedClock::new());
    let keep = at(&path, &clock);
    assert!(!path.exists(), "nothing is made before the first use");
    let objects = vec![object(ANSWER, "1", "an answer"), object(FILE, "1", "a file")];
    keep.put(&tenant("a"), objects, MINUTE).await.unwrap();
    drop(keep);

    let keep = at(&path, &clock);
    assert_eq!(keep.get(&key("a", ANSWER, "1")).await.unwrap().unwrap(), "an answer");
    assert_eq!(keep.get(&key("a", FILE, "1")).await.unwrap().unwrap(), "a file");
    assert_eq!(keep.get(&key("b", ANSWER, "1")).await.unwrap(), None);
    assert_eq!(keep.delete(&[key("b", ANSWER, "1")]).await.unwrap(), 0);
    let page = KeptPage { count_max: 10, ..KeptPage::default() };
    assert_eq!(keep.list(&tenant("b"), ANSWER, &page).await.unwrap(), []);
    assert_eq!(keep.delete(&[key("a", ANSWER, "1"), key("a", ANSWER, "2")]).await.unwrap(), 1);
    assert_eq!(keep.get(&key("a", ANSWER, "1")).await.unwrap(), None);
    assert!(keep.get(&key("a", FILE, "1")).await.unwrap().is_some());
}

#[tokio::test]
async fn an_object_is_gone_when_its_time_is_over_and_leaves_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (path, clock) = (directory.path().join("kept.db"), StoppedClock::new());
    let keep = at(&path, &clock);
    keep.put(&tenant("a"), vec![object(ANSWER, "short", "canary-of-the-short")], MINUTE).await.unwrap();
    keep.put(&tenant("a"), vec![object(ANSWER, "long", "2")], MINUTE * 2).await.unwrap();
    clock.pass(MINUTE);
    assert_eq!(keep.get(&key("a", ANSWER, "short")).await.unwrap(), None);
    assert_eq!(keep.delete(&[key("a", ANSWER, "short")]).await.unwrap(), 0, "it counts as gone");
    keep.put(&tenant("a"), vec![object(ANSWER, "short", "canary-of-the-short")], Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(keep.sweep().await.unwrap(), 1);
    let mut connection = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let rows: i64 = query_scalar("SELECT count(*) FROM kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn a_tenant_has_only_so_much_and_what_is_too_much_changes_nothing() {
    let keep = in_memory(&StoppedClock::new());
    let put = |of, id, bytes| keep.put(of, vec![object(ANSWER, id, vec![1; bytes])], MINUTE);
    let (a, b) = (tenant("a"), tenant("b"));
    assert!(matches!(put(&a, "0", 1_001).await, Err(KeepError::TooLarge { bytes: 1_001, bytes_max: 1_000 })));
    put(&a, "1", 1_000).await.unwrap();
    put(&a, "2", 1_000).await.unwrap();
    assert!(matches!(put(&a, "3", 1_000).await, Err(KeepError::Full { bytes_max: 3_000 })));
    assert_eq!(keep.get(&key("a", ANSWER, "3")).await.unwrap(), None);
    put(&b, "1", 1_000).await.unwrap();
    keep.delete(&[key("a", ANSWER, "1")]).await.unwrap();
    put(&a, "3", 1_000).await.unwrap();
    // One that is put again counts once.
    put(&a, "3", 900).await.unwrap();
    put(&a, "3", 900).await.unwrap();
    let two = vec![object(ANSWER, "4", "x"), object(ANSWER, "5", vec![1; 1_000])];
    assert!(matches!(keep.put(&a, two, MINUTE).await, Err(KeepError::Full { .. })));
    assert_eq!(keep.get(&key("a", ANSWER, "4")).await.unwrap(), None, "all of them or none");
}

#[tokio::test]
async fn objects_are_listed_in_the_order_in_which_they_came() {
    let keep = in_memory(&StoppedClock::new());
    for id in ["c", "a", "b"] {
        keep.put(&tenant("t"), vec![object(FILE, id, id)], MINUTE).await.unwrap();
        keep.put(&tenant("other"), vec![object(FILE, id, id)], MINUTE).await.unwrap();
    }
    let list = async |after: Option<&str>, count_max, is_descending| {
        let page = KeptPage { after: after.map(Box::from), count_max, is_descending };
        let found = keep.list(&tenant("t"), FILE, &page).await.unwrap();
        found.iter().map(|kept| kept.id.to_string()).collect::<Vec<_>>().concat()
    };
    assert_eq!(list(None, 10, false).await, "cab");
    assert_eq!(list(None, 2, true).await, "ba");
    assert_eq!(list(Some("a"), 10, false).await, "b");
    assert_eq!(list(Some("a"), 10, true).await, "c");
}

#[tokio::test]
async fn ids_are_of_128_bits_that_differ() {
    let keep = in_memory(&StoppedClock::new());
    let ids: std::collections::HashSet<u128> = (0..1_000).map(|_| keep.unguessable().unwrap()).collect();
    assert_eq!(ids.len(), 1_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_a_tenant_has_is_counted_exactly(steps in prop::collection::vec((0..3_u8, 0..6_u8, 0..900_usize), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let keep = in_memory(&StoppedClock::new());
            let mut model = std::collections::BTreeMap::<String, usize>::new();
            for (what, id, bytes) in steps {
                let id = id.to_string();
                if what == 0 {
                    let gone = keep.delete(&[key("a", ANSWER, &id)]).await.unwrap();
                    assert_eq!(gone, usize::from(model.remove(&id).is_some()));
                    continue;
                }
                let mut after = model.clone();
                after.insert(id.clone(), bytes + 256);
                let fits = after.values().sum::<usize>() <= 3_000;
                let put = keep.put(&tenant("a"), vec![object(ANSWER, &id, vec![7; bytes])], MINUTE).await;
                assert_eq!(put.is_ok(), fits, "{after:?}");
                if fits {
                    model = after;
                }
            }
        });
    }
}
