//! Records go in, once each, and come out.

use std::sync::Arc;
use std::time::Duration;

use gatewright::chat::{Loss, LossKind};
use gatewright::dialect::Operation;
use gatewright::{Money, Principal, Tags, Usage, UsageSource};
use gatewright_store::{Courier, Durability, Ledger, LedgerError, LedgerPlace, LedgerSettings, UsageRow};
use proptest::prelude::*;
use sqlx::Executor;

use crate::fixture::{Place, number, record, record_of, soon};

#[tokio::test]
async fn an_acknowledged_record_is_in_the_file_for_everybody() {
    let place = Place::new();
    let ledger = place.open();
    let mut outside = place.outside().await;
    for n in 0..20 {
        soon(ledger.append(record(n))).await.unwrap();
        let sql =
            format!("SELECT count(*) FROM usage_record WHERE started_unix_ms = {}", 1_733_000_000_000 + n);
        assert_eq!(number(&mut outside, &sql).await, 1);
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_written() {
    let place = Place::new();
    let ledger = place.open();
    let mut outside = place.outside().await;
    outside.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut receipt = ledger.append(record(1));
    // Whatever the writer does meanwhile, the file is locked, so the receipt must wait.
    let early = tokio::time::timeout(Duration::from_millis(100), &mut receipt).await;
    assert!(early.is_err(), "{early:?}");
    outside.execute("COMMIT").await.unwrap();
    soon(receipt).await.unwrap();
    assert_eq!(number(&mut outside, "SELECT count(*) FROM usage_record").await, 1);
}

#[tokio::test]
async fn every_field_comes_back_as_it_was() {
    let place = Place::new();
    let ledger = place.open();
    let mut all = record(7);
    let mut principal = Principal::new("acme".into(), "key-1");
    principal.project = Some("apollo".into());
    principal.user = Some("zoë \"z\" o'neil".into());
    let mut tags = Tags::default();
    assert!(tags.set("team", "\"search\""));
    assert!(tags.set("épreuve", "ü"));
    all.principal = Arc::new(principal);
    all.attempt = 2;
    all.operation = Operation::Embedding;
    all.streamed = true;
    all.model_served = Some("small-2024-07-18".into());
    all.status = 502;
    all.outcome = "failed";
    all.code = Some("upstream_reset".into());
    all.usage = Usage {
        input: 1,
        cache_read: 2,
        cache_write: 3,
        cache_write_1h: 4,
        output: 5,
        reasoning: 6,
        input_audio: 7,
        output_audio: u64::MAX,
    };
    all.usage_source = UsageSource::Estimated;
    all.cost = Some(Money::from_nanos(-1));
    all.time_to_first_token = Some(Duration::from_micros(123_456));
    all.losses = vec![Loss { field: "/seed".into(), kind: LossKind::Dropped }];
    all.tags = tags;
    let id = all.request_id;
    soon(ledger.append(all)).await.unwrap();

    let expected = UsageRow {
        request_id: id.as_str().to_owned(),
        attempt: 2,
        kind: "final".to_owned(),
        step: 0,
        started_unix_ms: 1_733_000_000_007,
        tenant: "acme".to_owned(),
        project: Some("apollo".to_owned()),
        user: Some("zoë \"z\" o'neil".to_owned()),
        key_label: "key-1".to_owned(),
        route: "default".to_owned(),
        operation: "embedding".to_owned(),
        streamed: true,
        model_asked: "small".to_owned(),
        model_served: Some("small-2024-07-18".to_owned()),
        provider: Some("sim".to_owned()),
        status: 502,
        outcome: "failed".to_owned(),
        code: Some("upstream_reset".to_owned()),
        usage_source: "estimated".to_owned(),
        input_tokens: 1,
        cache_read_tokens: 2,
        cache_write_tokens: 3,
        cache_write_1h_tokens: 4,
        output_tokens: 5,
        reasoning_tokens: 6,
        input_audio_tokens: 7,
        // What no integer of the database can hold becomes the largest that it has.
        output_audio_tokens: i64::MAX.unsigned_abs(),
        cost_nanos: Some(-1),
        first_token_us: Some(123_456),
        total_us: 900_000,
        overhead_us: 70,
        losses: Some(r#"{"/seed":"dropped"}"#.to_owned()),
        tags: Some(r#"{"team":"\"search\"","épreuve":"ü"}"#.to_owned()),
    };
    assert_eq!(ledger.by_request(id.as_str()).await.unwrap(), [expected]);
}

#[tokio::test]
async fn a_record_that_is_appended_again_is_one_row() {
    let place = Place::new();
    let ledger = place.open();
    for _ in 0..3 {
        soon(ledger.append(record(1))).await.unwrap();
    }
    drop(ledger);
    let ledger = place.open();
    let (first, second) = (ledger.append(record(1)), ledger.append(record(2)));
    soon(first).await.unwrap();
    soon(second).await.unwrap();
    assert_eq!(ledger.recent(10).await.unwrap().len(), 2);
    let mut attempt = record(1);
    attempt.attempt = 2;
    soon(ledger.append(attempt)).await.unwrap();
    assert_eq!(ledger.by_request(record(1).request_id.as_str()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn records_that_come_together_share_a_commit() {
    let place = Place::new();
    let ledger = place.open();
    let receipts: Vec<_> = (0..2000).map(|n| ledger.append(record(n))).collect();
    for receipt in receipts {
        soon(receipt).await.unwrap();
    }
    let stats = ledger.stats();
    assert_eq!((stats.written, stats.queued), (2000, 0));
    assert!(stats.groups < 200, "{} groups", stats.groups);
    assert_eq!(ledger.recent(5000).await.unwrap().len(), 2000);
}

#[tokio::test]
async fn few_records_wait_for_others_and_enough_do_not() {
    let place = Place::new();
    let hour = Duration::from_secs(60 * 60);
    let ledger = place.open_with(&LedgerSettings { group_gap: hour, ..LedgerSettings::default() });
    // A short run is written at once, each record by itself.
    for n in 0..9 {
        soon(ledger.append(record(n))).await.unwrap();
    }
    assert_eq!(ledger.stats().groups, 9);
    // From now on a record waits for fifteen others, or for somebody in a hurry.
    let sixteen: Vec<_> = (9..25).map(|n| ledger.append(record(n))).collect();
    for receipt in sixteen {
        soon(receipt).await.unwrap();
    }
    assert_eq!(ledger.stats().groups, 10);
    let lonely = ledger.append(record(25));
    soon(ledger.flush(hour)).await.unwrap();
    assert_eq!(lonely.await, Ok(()));
}

#[tokio::test]
async fn a_group_of_any_size_is_written_whole() {
    let ledger = Ledger::open(LedgerPlace::Memory, Durability::None, &LedgerSettings::default()).unwrap();
    let mut appended = 0;
    for size in [1, 2, 3, 5, 31, 32, 33, 127, 255, 256, 257, 600] {
        for n in appended..appended + size {
            drop(ledger.append(record(n)));
        }
        appended += size;
        ledger.flush(Duration::from_secs(30)).await.unwrap();
        let rows = ledger.recent(10_000).await.unwrap();
        assert_eq!(rows.len() as u64, appended);
    }
}

#[tokio::test]
async fn every_durability_and_place_keeps_records() {
    for durability in [Durability::None, Durability::Crash, Durability::Power] {
        let place = Place::new();
        for target in [LedgerPlace::Memory, LedgerPlace::File(place.path.clone())] {
            let ledger = Ledger::open(target, durability, &LedgerSettings::default()).unwrap();
            soon(ledger.append(record(1))).await.unwrap();
            assert_eq!(ledger.recent(2).await.unwrap().len(), 1, "{durability:?}");
        }
    }
}

#[tokio::test]
async fn two_ledgers_in_memory_are_two() {
    let open = || Ledger::open(LedgerPlace::Memory, Durability::None, &LedgerSettings::default()).unwrap();
    let (one, other) = (open(), open());
    soon(one.append(record(1))).await.unwrap();
    assert!(other.recent(2).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_queued_is_written_before_the_ledger_closes() {
    let place = Place::new();
    let ledger = place.open();
    for n in 0..500 {
        drop(ledger.append(record(n)));
    }
    ledger.close();
    assert_eq!(ledger.append(record(500)).await, Err(LedgerError::Closed));
    assert!(!ledger.is_writable());
    assert_eq!(number(&mut place.outside().await, "SELECT count(*) FROM usage_record").await, 500);
}

#[tokio::test]
async fn newest_records_come_first() {
    let place = Place::new();
    let ledger = place.open();
    for n in [3, 1, 2] {
        soon(ledger.append(record(n))).await.unwrap();
    }
    let rows = ledger.recent(2).await.unwrap();
    let started: Vec<_> = rows.iter().map(|row| row.started_unix_ms - 1_733_000_000_000).collect();
    assert_eq!(started, [3, 2]);
}

#[tokio::test]
async fn totals_count_each_tenant_from_the_moment_asked() {
    let place = Place::new();
    let ledger = place.open();
    for (tenant, n, cost) in [("b", 1, Some(5)), ("a", 2, Some(7)), ("b", 3, None), ("b", 4, Some(11))] {
        soon(ledger.append(record_of(tenant, n, cost.map(Money::from_nanos)))).await.unwrap();
    }
    let figures = |since: u64| {
        let ledger = &ledger;
        async move {
            let totals = ledger.totals_by_tenant(1_733_000_000_000 + since).await.unwrap();
            let figures = totals.iter().map(|total| {
                (total.tenant.clone(), total.records, total.cost_nanos, total.records_without_price)
            });
            figures.collect::<Vec<_>>()
        }
    };
    assert_eq!(figures(0).await, [("a".to_owned(), 1, 7, 0), ("b".to_owned(), 3, 16, 1)]);
    assert_eq!(figures(3).await, [("b".to_owned(), 2, 11, 1)]);
}

#[tokio::test]
async fn people_can_read_the_days() {
    let place = Place::new();
    let ledger = place.open();
    soon(ledger.append(record(1))).await.unwrap();
    soon(ledger.append(record_of("acme", 2, None))).await.unwrap();
    let sql = "SELECT count(*) FROM usage_by_day WHERE day = '2024-11-30' AND requests = 2 \
        AND prompt_tokens = 2000 AND cost_usd = '0.000150' AND records_without_price = 1";
    assert_eq!(number(&mut place.outside().await, sql).await, 1);
}

#[tokio::test]
async fn receipts_are_woken_through_a_courier_and_without() {
    let place = Place::new();
    let ledger = Arc::new(place.open());
    let courier = tokio::spawn(Courier::new());
    tokio::task::yield_now().await;
    let with_courier = (0..100).map(|n| tokio::spawn(ledger.append(record(n)))).collect::<Vec<_>>();
    for task in with_courier {
        soon(task).await.unwrap().unwrap();
    }
    let mut outside = place.outside().await;
    outside.execute("BEGIN IMMEDIATE").await.unwrap();
    let across_its_end = (100..200).map(|n| tokio::spawn(ledger.append(record(n)))).collect::<Vec<_>>();
    tokio::task::yield_now().await;
    courier.abort();
    assert!(soon(courier).await.unwrap_err().is_cancelled());
    outside.execute("COMMIT").await.unwrap();
    for task in across_its_end {
        soon(task).await.unwrap().unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// The sum of the parts is the total, to the nano-dollar.
    #[test]
    fn money_adds_up_exactly(costs in prop::collection::vec(-1_000_000_000_000_i64..1_000_000_000_000, 1..2000)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let ledger =
                Ledger::open(LedgerPlace::Memory, Durability::None, &LedgerSettings::default()).unwrap();
            for (n, cost) in (0..).zip(&costs) {
                drop(ledger.append(record_of("acme", n, Some(Money::from_nanos(*cost)))));
            }
            ledger.flush(Duration::from_secs(30)).await.unwrap();
            let totals = ledger.totals_by_tenant(0).await.unwrap();
            assert_eq!(totals[0].cost_nanos, costs.iter().sum::<i64>());
        });
    }
}
