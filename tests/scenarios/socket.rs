//! A socket that a supervisor keeps: one gateway after another serves on it, and no connection is refused in between.

use std::net::TcpListener;
use std::sync::Arc;

use gatewright_testkit::harness::{Connection, Gateway};
use gatewright_testkit::provider::SimulatedProvider;

use crate::support::chat;

fn socket() -> Arc<TcpListener> {
    Arc::new(TcpListener::bind("127.0.0.1:0").unwrap())
}

#[tokio::test]
async fn the_next_gateway_takes_over_what_the_last_one_leaves() {
    let provider = SimulatedProvider::start().await;
    let socket = socket();
    let builder = || Gateway::in_front_of(&provider).socket(&socket);
    let mut first = builder().start().await;
    assert_eq!(first.address(), socket.local_addr().unwrap());
    assert_eq!(first.chat(&chat("x")).send().await.status, 200);

    let second = builder().start().await;
    first.signal("TERM").await;
    first.ended().await;
    for _ in 0..20 {
        assert_eq!(second.chat(&chat("x")).send().await.status, 200, "only the second one serves");
    }
}

#[tokio::test]
async fn a_connection_waits_while_nobody_serves() {
    let provider = SimulatedProvider::start().await;
    let socket = socket();
    let mut gateway = Gateway::in_front_of(&provider).socket(&socket).start().await;
    gateway.signal("TERM").await;
    gateway.ended().await;
    let waiting = Connection::open(gateway.address()).await.expect("the socket takes it");
    gateway.restart().await;
    assert_eq!(waiting.send(gateway.chat(&chat("x"))).await.status, 200);
}

#[tokio::test]
async fn standard_input_that_is_no_socket_is_said() {
    let provider = SimulatedProvider::start().await;
    let gateway = Gateway::in_front_of(&provider).start().await;
    let ran = gatewright_testkit::harness::run(&["serve", "--socket-on-stdin"], gateway.folder()).await;
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.errors.contains("cannot take over the socket on standard input"), "{ran:?}");
}
