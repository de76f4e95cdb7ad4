//! A file that does not take records: they wait, and are written when it does.

use std::fs;
use std::time::Duration;

use gatewright_store::{Fault, LedgerError, LedgerSettings};
use sqlx::Executor;

use crate::fixture::{Place, number, record, soon};

/// Settings under which a failure is seen soon.
fn impatient() -> LedgerSettings {
    LedgerSettings {
        busy_timeout: Duration::from_millis(20),
        retry_max: Duration::from_millis(100),
        ..LedgerSettings::default()
    }
}

#[tokio::test]
async fn a_locked_file_delays_records_and_loses_none() {
    let place = Place::new();
    let ledger = place.open_with(&impatient());
    let mut outside = place.outside().await;
    outside.execute("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(soon(ledger.append(record(1))).await, Err(LedgerError::Delayed(Fault::Locked)));
    // From now on the answer is known at once.
    assert_eq!(ledger.append(record(2)).await, Err(LedgerError::Delayed(Fault::Locked)));
    assert!(!ledger.is_writable());
    assert_eq!(ledger.flush(Duration::from_millis(200)).await.unwrap_err().left, 2);
    // Reading goes on.
    assert!(ledger.recent(10).await.unwrap().is_empty());

    outside.execute("COMMIT").await.unwrap();
    soon(ledger.flush(Duration::from_secs(30))).await.unwrap();
    assert_eq!(number(&mut outside, "SELECT count(*) FROM usage_record").await, 2);
    assert!(ledger.is_writable());
    assert!(ledger.stats().failed_attempts > 0);
}

#[tokio::test]
async fn a_receipt_that_was_delayed_tells_later_that_it_is_written() {
    let place = Place::new();
    let ledger = place.open_with(&impatient());
    let mut outside = place.outside().await;
    outside.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut receipt = ledger.append(record(1));
    assert!(soon(&mut receipt).await.is_err());
    outside.execute("COMMIT").await.unwrap();
    soon(ledger.flush(Duration::from_secs(30))).await.unwrap();
    assert_eq!(receipt.await, Ok(()));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_takes_records_again() {
    let place = Place::new();
    let ledger = place.open_with(&LedgerSettings { queue_max: 3, ..impatient() });
    let mut outside = place.outside().await;
    outside.execute("BEGIN IMMEDIATE").await.unwrap();
    let receipts: Vec<_> = (0..3).map(|n| ledger.append(record(n))).collect();
    assert_eq!(ledger.append(record(3)).await, Err(LedgerError::Full { queue_max: 3 }));
    assert!(!ledger.is_writable());
    assert_eq!(ledger.stats().refused_full, 1);
    outside.execute("COMMIT").await.unwrap();
    soon(ledger.flush(Duration::from_secs(30))).await.unwrap();
    drop(receipts);
    soon(ledger.append(record(4))).await.unwrap();
    assert_eq!(number(&mut outside, "SELECT count(*) FROM usage_record").await, 4);
}

#[tokio::test]
async fn records_wait_for_room_on_a_full_disk() {
    let place = Place::new();
    let ledger = place.open_with(&LedgerSettings { file_bytes_max: Some(128 << 10), ..impatient() });
    let mut taken = 0;
    let full = loop {
        match soon(ledger.append(record(taken))).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full, LedgerError::Delayed(Fault::DiskFull));
    let mut outside = place.outside().await;
    let count = "SELECT count(*) FROM usage_record";
    assert_eq!(number(&mut outside, count).await, i64::try_from(taken).unwrap());

    outside.execute("DELETE FROM usage_record").await.unwrap();
    soon(ledger.flush(Duration::from_secs(30))).await.unwrap();
    assert_eq!(number(&mut outside, count).await, 1);
    assert!(ledger.is_writable());
}

#[tokio::test]
async fn a_file_that_was_deleted_is_noticed_and_begun_anew() {
    let place = Place::new();
    let ledger = place.open_with(&impatient());
    soon(ledger.append(record(0))).await.unwrap();
    for entry in fs::read_dir(place.directory.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let mut n = 1;
    let noticed = loop {
        match soon(ledger.append(record(n))).await {
            Ok(()) => n += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(noticed, LedgerError::Delayed(Fault::Gone));
    soon(ledger.flush(Duration::from_secs(30))).await.unwrap();
    let rows = ledger.recent(10).await.unwrap();
    assert_eq!(rows[0].request_id, record(n).request_id.as_str());
}

#[tokio::test]
async fn a_record_that_the_database_refuses_holds_up_no_other() {
    let place = Place::new();
    let ledger = place.open();
    let mut outside = place.outside().await;
    let trigger = "CREATE TRIGGER picky BEFORE INSERT ON usage_record WHEN NEW.status = 666 \
        BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    outside.execute(trigger).await.unwrap();
    let receipts: Vec<_> = (0..300)
        .map(|n| {
            let mut record = record(n);
            if n % 100 == 42 {
                record.status = 666;
            }
            (n, ledger.append(record))
        })
        .collect();
    for (n, receipt) in receipts {
        let expected = if n % 100 == 42 { Err(LedgerError::Refused) } else { Ok(()) };
        assert_eq!(soon(receipt).await, expected, "{n}");
    }
    assert_eq!((ledger.stats().written, ledger.stats().lost, ledger.stats().queued), (297, 3, 0));
    soon(ledger.flush(Duration::from_secs(30))).await.unwrap();
}

#[tokio::test]
async fn closing_on_a_locked_file_ends_and_tells_what_is_lost() {
    let place = Place::new();
    let ledger = place.open_with(&impatient());
    let mut outside = place.outside().await;
    outside.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut receipt = ledger.append(record(1));
    assert!(soon(&mut receipt).await.is_err());
    ledger.close();
    assert_eq!(receipt.await, Err(LedgerError::Closed));
    assert_eq!((ledger.stats().lost, ledger.stats().queued), (1, 0));
}
