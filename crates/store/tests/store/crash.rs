//! `kill -9` at random moments: what was acknowledged is in the file.
//!
//! The child is this test program again, running one ignored test that reads the path of the
//! ledger from its input, appends without rest and prints what was acknowledged.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sqlx::{Executor, Row};

use crate::fixture::{Place, record};

const ROUNDS: u64 = 20;
const CHILD: &str = "crash::child_appends_until_it_is_killed";

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let place = Place::new();
    let mut acknowledged = HashSet::new();
    for round in 0..ROUNDS {
        let mut child = start_child(&place.path, round);
        // The moment depends on the machine's scheduling; the count spreads it further.
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines {
            let line = line.unwrap();
            if let Some(id) = line.strip_prefix("ack ") {
                acknowledged.insert(id.to_owned());
                seen += 1;
            }
            if seen == 1 + round * 37 {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success(), "the child was killed, it did not end");
    }
    let mut outside = place.outside().await;
    let rows = outside.fetch_all("SELECT request_id FROM usage_record").await.unwrap();
    let stored: HashSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(stored.len(), rows.len());
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), acknowledged.len());
    assert!(acknowledged.len() > 20 * 37, "{} acknowledged", acknowledged.len());
    // And the file is whole.
    assert_eq!(outside.fetch_one("PRAGMA integrity_check").await.unwrap().get::<String, _>(0), "ok");
}

fn start_child(path: &Path, round: u64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, "--exact", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{round} {}", path.display()).unwrap();
    child
}

#[tokio::test]
#[ignore = "the child process of the test above"]
async fn child_appends_until_it_is_killed() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let Some((round, path)) = line.trim_end().split_once(' ') else { return };
    let first = round.parse::<u64>().unwrap() * 1_000_000;
    let place = gatewright_store::LedgerPlace::File(path.into());
    let ledger = gatewright_store::Ledger::open(
        place,
        gatewright_store::Durability::Crash,
        &gatewright_store::LedgerSettings::default(),
    );
    let ledger = ledger.unwrap();
    let mut out = std::io::stdout();
    // Groups of one to seven records, so that the kill meets all phases of a commit.
    let mut n = first;
    for size in (1..=7).cycle() {
        let receipts: Vec<_> = (n..n + size)
            .map(|n| {
                let record = record(n);
                (record.request_id, ledger.append(record))
            })
            .collect();
        n += size;
        for (id, receipt) in receipts {
            receipt.await.unwrap();
            writeln!(out, "ack {id}").unwrap();
        }
    }
}
