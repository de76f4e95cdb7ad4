//! Which files are opened, which are refused, and which are replaced.

use std::fs;

use gatewright_store::{Durability, Ledger, LedgerPlace, LedgerSettings, OpenError};
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::fixture::{Place, number, outside, record, soon};

fn open(place: &Place) -> Result<Ledger, OpenError> {
    Ledger::open(LedgerPlace::File(place.path.clone()), Durability::Crash, &LedgerSettings::default())
}

/// A file with one record, changed by `sql`.
async fn changed(sql: &str) -> Place {
    let place = Place::new();
    soon(place.open().append(record(1))).await.unwrap();
    let mut connection = place.outside().await;
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
    place
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = changed("INSERT INTO schema_step (step, digest) VALUES (3, 'later')").await;
    let error = open(&place).unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 3, known: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("run the newer version"), "{error}");
    assert_eq!(number(&mut place.outside().await, "SELECT count(*) FROM usage_record").await, 1);
}

#[tokio::test]
async fn a_file_of_an_older_schema_is_brought_up_to_date_and_keeps_its_records() {
    let place =
        changed("ALTER TABLE usage_record DROP COLUMN losses; DELETE FROM schema_step WHERE step = 2").await;
    let ledger = open(&place).unwrap();
    soon(ledger.append(record(2))).await.unwrap();
    let rows = ledger.recent(10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.losses.as_deref()).collect::<Vec<_>>(), [None, None]);
}

#[tokio::test]
async fn a_step_that_was_changed_is_refused() {
    let place = changed("UPDATE schema_step SET digest = 'other' WHERE step = 1").await;
    let error = open(&place).unwrap_err();
    assert!(matches!(error, OpenError::ChangedStep { step: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_of_somebody_else_is_refused_and_left_alone() {
    let place = Place::new();
    let mut connection = outside(&place.path).await;
    connection.execute("CREATE TABLE theirs (x)").await.unwrap();
    connection.close().await.unwrap();
    let error = open(&place).unwrap_err();
    assert!(matches!(error, OpenError::NotALedger { .. }), "{error:?}");
    assert_eq!(number(&mut place.outside().await, "SELECT count(*) FROM sqlite_schema").await, 1);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let place = Place::new();
    let text = "listeners:\n  - port: 8080\n".repeat(100);
    fs::write(&place.path, &text).unwrap();
    let error = open(&place).unwrap_err();
    assert!(matches!(error, OpenError::NotALedger { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let place = Place::new();
    soon(place.open().append(record(1))).await.unwrap();
    let mut bytes = fs::read(&place.path).unwrap();
    bytes[100..4096].fill(0xa5);
    fs::write(&place.path, &bytes).unwrap();

    let ledger = place.open();
    assert_eq!(ledger.stats().set_aside, 1);
    soon(ledger.append(record(2))).await.unwrap();
    assert_eq!(ledger.recent(10).await.unwrap().len(), 1);
    let kept = fs::read_dir(place.directory.path()).unwrap().filter_map(Result::ok).find(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("ledger.db.damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    });
    assert!(fs::read(kept.expect("the damaged file is kept").path()).unwrap() == bytes);
}

#[tokio::test]
async fn a_log_that_was_cut_off_costs_only_its_end() {
    let place = Place::new();
    let ledger = place.open();
    for n in 0..10 {
        soon(ledger.append(record(n))).await.unwrap();
    }
    // A copy of the files as a crash leaves them, with the last bytes of the log missing.
    let torn = Place::new();
    let side = |place: &Place, end: &str| format!("{}{end}", place.path.display());
    fs::copy(&place.path, &torn.path).unwrap();
    let log = fs::read(side(&place, "-wal")).unwrap();
    fs::write(side(&torn, "-wal"), &log[..log.len() - 100]).unwrap();

    let ledger = torn.open();
    let rows = ledger.recent(100).await.unwrap();
    assert_eq!(rows.len(), 9);
    soon(ledger.append(record(9))).await.unwrap();
    assert_eq!(ledger.recent(100).await.unwrap().len(), 10);
}

#[test]
fn a_missing_directory_is_named() {
    let place = Place::new();
    let path = place.directory.path().join("missing").join("ledger.db");
    let error = Ledger::open(LedgerPlace::File(path), Durability::Crash, &LedgerSettings::default());
    let error = error.unwrap_err();
    assert!(matches!(error, OpenError::NoDirectory { .. }), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let ledger = place.open();
    soon(ledger.append(record(1))).await.unwrap();
    for entry in fs::read_dir(place.directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

#[tokio::test]
async fn two_processes_may_share_a_file() {
    let place = Place::new();
    // Both find an empty directory, so both want to create the schema.
    let (one, two) = std::thread::scope(|scope| {
        let (one, two) = (scope.spawn(|| place.open()), scope.spawn(|| place.open()));
        (one.join().unwrap(), two.join().unwrap())
    });
    for n in 0..50 {
        let (odd, even) = (one.append(record(2 * n + 1)), two.append(record(2 * n)));
        soon(odd).await.unwrap();
        soon(even).await.unwrap();
    }
    assert_eq!(one.recent(1000).await.unwrap().len(), 100);
}
