//! The floor, the load and the measurements, with a simulated provider at the far end.

use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

use super::load::{self, Load};
use super::shot::{Gun, Shot, ShotError};
use super::streams::Streams;
use super::{floor, measure};
use crate::provider::{Answer, Outcome, SimulatedProvider, Step};

const DEADLINE: Duration = Duration::from_secs(10);
const KEY: &str = "key-of-the-test";

/// A floor in front of a provider.
struct Line {
    provider: SimulatedProvider,
    floor: tokio::task::JoinHandle<std::io::Result<()>>,
    address: std::net::SocketAddr,
}

impl Line {
    async fn start() -> Self {
        let provider = SimulatedProvider::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let floor = tokio::spawn(floor::run(listener, provider.address()));
        Self { provider, floor, address }
    }

    fn shot(&self, model: &str, stream: bool) -> Shot {
        Shot::new(self.address, model, 100, stream, KEY)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.floor.abort();
    }
}

#[tokio::test]
async fn the_floor_passes_requests_as_they_are_on_one_connection() {
    let line = Line::start().await;
    let shot = line.shot("sim?text=hello", false);
    let mut gun = Gun::aim(&shot).await.unwrap();
    for _ in 0..5 {
        gun.fire_whole(&shot).await.unwrap();
    }
    let requests = line.provider.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer key-of-the-test")));
    assert_eq!(requests[0].json()["messages"][0]["content"].as_str().map(str::len), Some(100));
    assert_eq!(line.provider.connections(), 1);
}

#[tokio::test]
async fn the_floor_does_not_use_a_connection_again_whose_answer_broke_off() {
    let line = Line::start().await;
    line.provider.push(Answer::stream([Step::event("1"), Step::Reset]));
    let shot = line.shot("sim", true);
    let broken = Gun::aim(&shot).await.unwrap().fire_whole(&shot).await;
    assert!(matches!(broken, Err(ShotError::Exchange(_))));
    Gun::aim(&shot).await.unwrap().fire_whole(&shot).await.unwrap();
    assert_eq!(line.provider.connections(), 2);
}

#[tokio::test]
async fn the_floor_lets_go_of_the_upstream_when_the_client_leaves() {
    let line = Line::start().await;
    line.provider.push(Answer::stream([Step::event("1"), Step::Stall]));
    let shot = line.shot("sim", true);
    let mut gun = Gun::aim(&shot).await.unwrap();
    let response = gun.fire(&shot).await.unwrap();
    let request = line.provider.next_request().await;
    assert_eq!(request.outcome(), Outcome::Running);
    drop((response, gun));
    assert!(tokio::time::timeout(DEADLINE, request.wait_for_disconnect()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_load_at_a_rate_sends_what_is_due_and_no_more() {
    let line = Line::start().await;
    let load = Load { connections: 4, per_second: Some(200.0), duration: Duration::from_millis(200) };
    let result = load::run(&line.shot("sim?tokens=1", false), load).await.unwrap();
    assert_eq!((result.answered, result.failed), (40, 0));
    assert_eq!(result.latency_nanos.len(), 40);
    assert_eq!(line.provider.requests().len(), 40);
}

#[tokio::test]
async fn a_load_counts_failures_and_says_what_the_first_was() {
    let line = Line::start().await;
    let load = Load { connections: 1, per_second: Some(100.0), duration: Duration::from_millis(50) };
    let result = load::run(&line.shot("sim?fail_first=2&status=503", false), load).await.unwrap();
    assert_eq!((result.answered, result.failed), (3, 2));
    assert!(result.first_failure.is_some_and(|failure| failure.to_string().contains("503")));
}

#[tokio::test]
async fn streams_count_events_and_ends() {
    let line = Line::start().await;
    let streams = Streams::open(&line.shot("sim?tokens=3", true), 5, Duration::ZERO).await.unwrap();
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while streams.so_far().ended < 5 {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", streams.so_far());
        tokio::task::yield_now().await;
    }
    let one_stream = ["role", "This", "is", "a", "stop", "[DONE]"].len() as u64;
    assert_eq!(streams.so_far().events, 5 * one_stream);
}

#[tokio::test]
async fn streams_say_why_they_do_not_open() {
    let line = Line::start().await;
    let refused = Streams::open(&line.shot("sim?status=429", true), 3, Duration::ZERO).await.unwrap_err();
    assert!(refused.to_string().contains("429"));
}

#[test]
fn cpu_time_grows_with_work_and_memory_is_there() {
    let pid = std::process::id();
    let before = measure::cpu_time(pid).unwrap();
    let work: Vec<Value> = (0..200_000).map(Value::from).collect();
    assert!(measure::cpu_time(pid).unwrap() > before, "{} numbers were free", work.len());
    assert!(measure::resident_bytes(pid).unwrap() > 1024 * 1024);
}
