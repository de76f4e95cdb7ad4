//! Databases of instances: whole transactions, bounded answers, and no way out of the file.

use std::error::Error;
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use gatewright::ExtError;
use gatewright::service::sql::{QUERY_BYTES_MAX, ROWS_MAX, Sql, SqlValue, Statement};
use gatewright_store::{Durability, FileSql, StatePlace};
use proptest::prelude::*;

fn in_memory() -> FileSql {
    FileSql::new(StatePlace::Memory, Durability::None)
}

fn statement(text: &str) -> Statement {
    Statement::new(text)
}

async fn write(sql: &FileSql, texts: &[&str]) -> Result<u64, ExtError> {
    let statements: Vec<_> = texts.iter().copied().map(statement).collect();
    sql.write(&statements).await
}

async fn one(sql: &FileSql, text: &str) -> SqlValue {
    let rows = sql.query(&statement(text)).await.unwrap();
    rows.into_iter().flatten().next().unwrap()
}

/// An error with all its causes.
fn whole(error: &ExtError) -> String {
    let cause: &(dyn Error + 'static) = error.cause();
    let causes = std::iter::successors(Some(cause), |cause| (*cause).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn every_kind_of_value_comes_back_as_it_went_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("instance/data.db");
    let sql = FileSql::new(StatePlace::File(path.clone()), Durability::Crash);
    assert!(!path.exists(), "nothing is made before the first use");
    let values = vec![
        SqlValue::Null,
        SqlValue::Integer(i64::MIN),
        SqlValue::Real(0.5),
        SqlValue::Text("it's ä; \u{1f980}".to_owned()),
        SqlValue::Blob(Bytes::from_static(&[0, 255, b'\''])),
    ];
    let make = statement("CREATE TABLE t (a, b INTEGER, c REAL, d TEXT, e BLOB)");
    let insert =
        Statement { text: "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)".to_owned(), values: values.clone() };
    assert_eq!(sql.write(&[make, insert]).await.unwrap(), 1);
    drop(sql);
    let sql = FileSql::new(StatePlace::File(path), Durability::Crash);
    assert_eq!(sql.query(&statement("SELECT * FROM t")).await.unwrap(), vec![values]);
    let wanted = statement("SELECT b FROM t WHERE d = ?1").with("it's ä; \u{1f980}");
    assert_eq!(sql.query(&wanted).await.unwrap(), vec![vec![SqlValue::Integer(i64::MIN)]]);
}

#[tokio::test]
async fn values_keep_their_own_kind_whatever_the_column_is_called() {
    let sql = in_memory();
    write(&sql, &["CREATE TABLE t (a BOOLEAN, b DATETIME, c DATE, d)"]).await.unwrap();
    write(&sql, &["INSERT INTO t VALUES (1, 'then', 2, x'00')"]).await.unwrap();
    let row = sql.query(&statement("SELECT a, b, c, d, 1 + 1, 'x' || 1 FROM t")).await.unwrap().remove(0);
    let text = |text: &str| SqlValue::Text(text.to_owned());
    let blob = SqlValue::Blob(Bytes::from_static(&[0]));
    let int = SqlValue::Integer;
    assert_eq!(row, [int(1), text("then"), int(2), blob, int(2), text("x1")]);
}

#[tokio::test]
async fn a_write_happens_as_a_whole_or_not_at_all() {
    let sql = in_memory();
    write(&sql, &["CREATE TABLE t (a UNIQUE)"]).await.unwrap();
    let error = write(&sql, &["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"]).await.unwrap_err();
    assert!(whole(&error).contains("UNIQUE constraint failed"), "{}", whole(&error));
    assert_eq!(one(&sql, "SELECT count(*) FROM t").await, SqlValue::Integer(0));
    let refused = write(&sql, &["INSERT INTO t VALUES (1)", "PRAGMA user_version = 3"]).await.unwrap_err();
    assert!(whole(&refused).contains("`PRAGMA` is not for extensions"), "{}", whole(&refused));
    assert_eq!(one(&sql, "SELECT count(*) FROM t").await, SqlValue::Integer(0));
}

#[tokio::test]
async fn says_how_many_rows_the_last_statement_changed() {
    let sql = in_memory();
    assert_eq!(write(&sql, &["CREATE TABLE t (a)", "INSERT INTO t VALUES (1), (2), (3)"]).await.unwrap(), 3);
    assert_eq!(write(&sql, &["INSERT INTO t VALUES (4)", "CREATE INDEX i ON t (a)"]).await.unwrap(), 0);
    assert_eq!(write(&sql, &["WITH old AS (SELECT 2) DELETE FROM t WHERE a <= 2"]).await.unwrap(), 2);
    assert_eq!(write(&sql, &[]).await.unwrap(), 0);
}

#[tokio::test]
async fn no_statement_leaves_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let sql = FileSql::new(StatePlace::File(directory.path().join("instance/data.db")), Durability::Crash);
    write(&sql, &["CREATE TABLE t (a)"]).await.unwrap();
    let other = directory.path().join("other.db");
    let name = other.display();
    for text in [
        format!("ATTACH DATABASE '{name}' AS other"),
        format!("attach '{name}' as other"),
        format!("VACUUM INTO '{name}'"),
        format!("CREATE TABLE u (a); ATTACH '{name}' AS other"),
        format!("PRAGMA temp_store_directory = '{}'", directory.path().display()),
    ] {
        let error = write(&sql, &[&text]).await.unwrap_err();
        assert!(whole(&error).starts_with("a statement is refused: "), "{text}: {}", whole(&error));
        let error = sql.query(&statement(&text)).await.unwrap_err();
        assert!(whole(&error).starts_with("a statement is refused: "), "{text}: {}", whole(&error));
    }
    let load = statement("SELECT load_extension(?1)").with(name.to_string());
    assert!(whole(&sql.query(&load).await.unwrap_err()).contains("not authorized"));
    assert!(!other.exists());
    let left = sql.query(&statement("SELECT name FROM sqlite_schema")).await.unwrap();
    assert_eq!(left, vec![vec![SqlValue::Text("t".to_owned())]]);
}

#[tokio::test]
async fn transactions_are_not_left_open() {
    let sql = in_memory();
    write(&sql, &["CREATE TABLE t (a)"]).await.unwrap();
    for text in ["BEGIN", "COMMIT", "ROLLBACK", "END", "SAVEPOINT s", "RELEASE s"] {
        assert!(write(&sql, &["INSERT INTO t VALUES (1)", text]).await.is_err(), "{text}");
    }
    assert_eq!(one(&sql, "SELECT count(*) FROM t").await, SqlValue::Integer(0));
}

#[tokio::test]
async fn a_query_changes_nothing() {
    let sql = in_memory();
    write(&sql, &["CREATE TABLE t (a)", "INSERT INTO t VALUES (1)"]).await.unwrap();
    for text in
        ["DELETE FROM t", "DELETE FROM t RETURNING a", "WITH x AS (SELECT 1) DELETE FROM t", "DROP TABLE t"]
    {
        assert!(sql.query(&statement(text)).await.is_err(), "{text}");
    }
    assert_eq!(one(&sql, "SELECT count(*) FROM t").await, SqlValue::Integer(1));
}

#[tokio::test]
async fn answers_are_bounded_in_rows_and_bytes() {
    let sql = in_memory();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?1) SELECT i FROM n";
    let most = i64::try_from(ROWS_MAX).unwrap();
    assert_eq!(sql.query(&statement(numbers).with(most)).await.unwrap().len(), ROWS_MAX);
    let error = sql.query(&statement(numbers).with(most + 1)).await.unwrap_err();
    assert!(whole(&error).contains("more than 10000 rows"), "{}", whole(&error));
    let half = i64::try_from(QUERY_BYTES_MAX / 2).unwrap();
    let halves = "SELECT zeroblob(?1) UNION ALL SELECT zeroblob(?1)";
    let error = sql.query(&statement(halves).with(half)).await.unwrap_err();
    assert!(whole(&error).contains("are larger than"), "{}", whole(&error));
    assert_eq!(sql.query(&statement(halves).with(half - 100)).await.unwrap().len(), 2);
}

/// A query without an end, whose caller goes away, must not keep those who come after it.
#[tokio::test]
async fn what_is_abandoned_is_interrupted() {
    let sql = in_memory();
    write(&sql, &["CREATE TABLE t (a)"]).await.unwrap();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let endless_write = format!("INSERT INTO t {}", endless.replace("WITH", "SELECT * FROM (WITH") + ")");
    for _ in 0..3 {
        let endless = statement(endless);
        let mut asking = sql.query(&endless);
        assert!(asking.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(asking);
        let statements = [statement("INSERT INTO t VALUES (1)"), statement(&endless_write)];
        let writing = tokio::time::timeout(Duration::from_millis(20), sql.write(&statements));
        assert!(writing.await.is_err(), "it never ends");
        let after = tokio::time::timeout(Duration::from_secs(10), one(&sql, "SELECT count(*) FROM t"));
        assert_eq!(after.await.unwrap(), SqlValue::Integer(0));
    }
}

/// How far a write has come when its caller goes away is chance, so it is tried more than once.
#[tokio::test]
async fn a_write_that_is_abandoned_leaves_no_transaction() {
    let sql = in_memory();
    write(&sql, &["CREATE TABLE t (a)"]).await.unwrap();
    let insert = statement("INSERT INTO t VALUES (1)");
    let endless = statement(
        "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n",
    );
    let never = [insert.clone(), endless];
    for round in 1..=20 {
        let mut writing = sql.write(&never);
        assert!(writing.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(writing);
        assert_eq!(sql.write(std::slice::from_ref(&insert)).await.unwrap(), 1);
        assert_eq!(one(&sql, "SELECT count(*) FROM t").await, SqlValue::Integer(round));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is pasted together, no other file gets into reach.
    #[test]
    fn no_text_attaches_anything(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..10)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let attached = runtime.block_on(async {
            let sql = in_memory();
            write(&sql, &["CREATE TABLE t (a)"]).await.unwrap();
            let text = pieces.join(" ");
            let _refused = write(&sql, &[&text]).await;
            let _refused = sql.query(&statement(&text)).await;
            sql.query(&statement("SELECT name FROM pragma_database_list WHERE name NOT IN ('main', 'temp')")).await
        });
        prop_assert_eq!(attached.unwrap(), Vec::<Vec<SqlValue>>::new());
    }
}

const PIECES: &[&str] = &[
    "SELECT 1",
    "SELECT",
    "ATTACH ':memory:' AS a",
    ";",
    "'",
    "\"",
    "`",
    "[",
    "]",
    "--",
    "\n",
    "/*",
    "*/",
    "/*/",
    "$a('",
    "$a(",
    ")",
    "(",
    "x'00'",
    "?1",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN",
    "CREATE TEMP TRIGGER r",
    "BEGIN",
    "END",
    "END;",
    "; END ;",
    "CASE WHEN 1 THEN 2",
    "INSERT INTO t VALUES (1)",
    "DELETE FROM t",
    "WITH x AS",
    "EXPLAIN",
    "''",
    "\u{feff}",
    "\\",
];
