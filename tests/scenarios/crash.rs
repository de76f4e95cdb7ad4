//! `kill -9` under load loses no record that a client was told of.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_testkit::harness::{End, Gateway, Request};
use gatewright_testkit::provider::SimulatedProvider;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::support::{chat, is_full, streamed_chat};

const CLIENTS: usize = 16;
/// More records than one round makes.
const NEWEST: u32 = 2_000;

/// The exchanges whose end a client has read.
#[derive(Debug, Default)]
struct Acknowledged {
    ids: Mutex<HashSet<String>>,
    count: watch::Sender<usize>,
}

/// Asks again and again until the gateway is gone.
async fn ask_until_it_is_gone(request: Request, acknowledged: Arc<Acknowledged>) {
    while let Ok(answer) = request.clone().try_send().await {
        let (status, id) = (answer.status, answer.id());
        let is_stream =
            answer.header("content-type").is_some_and(|value| value.starts_with("text/event-stream"));
        let answer = answer.to_end().await;
        let is_whole = answer.end == End::Clean && (!is_stream || answer.is_done());
        if status == 200 && is_whole {
            acknowledged.ids.lock().insert(id);
            acknowledged.count.send_modify(|count| *count += 1);
        }
    }
}

#[tokio::test]
async fn fault_p1_kill_9_at_any_moment_loses_no_acknowledged_record_and_doubles_none() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = Gateway::in_front_of(&provider).start().await;
    let acknowledged = Arc::new(Acknowledged::default());
    let rounds = if is_full() { 200 } else { 6 };
    for round in 0..rounds {
        let mut clients = JoinSet::new();
        for n in 0..CLIENTS {
            let request = if n % 2 == 0 { streamed_chat("x") } else { chat("x") };
            clients.spawn(ask_until_it_is_gone(gateway.chat(&request), Arc::clone(&acknowledged)));
        }
        // The moment depends on the machine's scheduling; the count spreads it further.
        let mut count = acknowledged.count.subscribe();
        let goal = *count.borrow() + 3 + round * 37 % 101;
        count.wait_for(|count| *count >= goal).await.unwrap();
        gateway.signal("KILL").await;
        gateway.ended().await;
        clients.join_all().await;

        let start = Instant::now();
        gateway.restart().await;
        assert!(start.elapsed() < Duration::from_secs(2), "ready after {:?}", start.elapsed());
        check_round(&gateway, &acknowledged).await;
    }
    assert!(*acknowledged.count.borrow() > rounds * 3);
}

/// Each exchange whose end a client has read in this round has one record.
async fn check_round(gateway: &Gateway, acknowledged: &Acknowledged) {
    let mut found: HashMap<String, usize> = HashMap::new();
    for record in gateway.newest_records(NEWEST).await {
        *found.entry(record.request_id).or_default() += 1;
    }
    let ids = std::mem::take(&mut *acknowledged.ids.lock());
    let lost: Vec<_> = ids.iter().filter(|id| !found.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), ids.len());
    assert!(found.values().all(|count| *count == 1), "no record stands twice");
}

#[tokio::test]
async fn after_a_kill_the_gateway_counts_on_where_it_was() {
    let provider = SimulatedProvider::start().await;
    let mut gateway = Gateway::in_front_of(&provider).start().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = gateway.chat(&chat("x")).send().await.whole().await;
        ids.push(answer.id());
        gateway.signal("KILL").await;
        gateway.ended().await;
        gateway.restart().await;
    }
    let records: Vec<String> = gateway.records().await.into_iter().map(|record| record.request_id).collect();
    assert_eq!(records, ids, "in the order of time");
}
