//! Legal traffic through the socket and hyper, cut at every byte.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::CASES;
use crate::drain::Drain;
use crate::listener::service::ConnectionService;
use crate::listener::socket::Socket;
use crate::listener::strict::{Framing, Scan};
use crate::listener::{BodyLimits, ConnectionInfo, Limits};
use crate::testing::{PATIENCE, echo};

const TRAFFIC: &[u8] = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
    POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello\r\nthere\
    POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
    5;x=\"y\"\r\nhello\r\nc\r\n over\r\nthere\r\n0\r\nX: y\r\n\r\n\
    \r\nPOST http://a/4 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
    POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nend";

const ASKED: [&str; 5] =
    ["GET /1 ", "POST /2 hello\r\nthere", "POST /3 hello over\r\nthere", "POST http://a/4 ", "POST /5 end"];

/// A stream that yields one piece per read, and keeps what is written to it.
struct Script {
    pieces: VecDeque<Vec<u8>>,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // An empty piece ends the stream; a script without one stays open.
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Pending };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() || piece.is_empty() {
            self.pieces.push_front(rest);
        }
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.lock().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Serves `pieces` until the connection ends by itself. Returns what the application was asked and what was
/// written.
async fn run<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, label: &str) -> (Vec<String>, String) {
    let written = Arc::default();
    let script =
        Script { pieces: pieces.into_iter().map(<[u8]>::to_vec).collect(), written: Arc::clone(&written) };
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let info = ConnectionInfo::new(peer, false, "test".into(), BodyLimits::default(), Drain::default());
    let (application, asked) = echo();
    let socket = TokioIo::new(Socket::strict(script, info.clone(), &Limits::default()));
    let service = ConnectionService::new(application, info);
    let connection = http1::Builder::new().serve_connection(socket, service);
    // A connection may well end with an error; what counts is what it served.
    drop(timeout(PATIENCE, connection).await.expect(label));
    let asked = asked.lock().clone();
    (asked, String::from_utf8_lossy(&written.lock()).into_owned())
}

/// Serves legal traffic and checks every request and answer.
async fn check<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, label: &str) {
    let (asked, written) = run(pieces, label).await;
    assert_eq!(asked, ASKED, "{label}");
    assert_eq!(written.matches("HTTP/1.1 200 OK\r\n").count(), ASKED.len(), "{label}");
}

#[tokio::test]
async fn serves_legal_traffic_however_it_is_cut() {
    check([TRAFFIC], "whole").await;
    check(TRAFFIC.chunks(1), "in single bytes").await;
    for cut in 1..TRAFFIC.len() {
        let (left, right) = TRAFFIC.split_at(cut);
        check([left, right], &format!("cut at {cut}")).await;
    }
}

#[tokio::test]
async fn serves_legal_traffic_in_pieces_of_every_size() {
    for size in 2..64 {
        check(TRAFFIC.chunks(size), &format!("in pieces of {size}")).await;
    }
}

/// The request lines at the places where the strict layer sees a request begin, of those that it lets pass
/// whole.
fn requests(bytes: &[u8]) -> Vec<String> {
    let mut framing = Framing::new(64 * 1024, 100);
    let (mut lines, mut start, mut held) = (Vec::new(), 0, Vec::new());
    for (at, byte) in bytes.iter().enumerate() {
        held.push(*byte);
        match framing.scan(&held) {
            Scan::Hold { .. } => continue,
            Scan::Pass => held.clear(),
            Scan::RefuseHead { .. } | Scan::RefuseBody { .. } => break,
        }
        if framing.is_at_boundary() {
            let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
            let line: Vec<&str> = text.trim_start().split(' ').take(2).collect();
            lines.push(line.join(" "));
            start = at + 1;
        }
    }
    lines
}

/// Pieces of requests from which odd connections are made.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let piece = |bytes: &'static [u8]| Just(bytes.to_vec());
    let case = (0..CASES.len()).prop_map(|index| CASES[index].raw.to_vec());
    prop_oneof![
        4 => case.clone(),
        2 => (case, any::<proptest::sample::Index>()).prop_map(|(raw, cut)| raw[..cut.index(raw.len())].to_vec()),
        1 => piece(b"GET /x HTTP/1.1\r\nHost: a\r\n"),
        1 => piece(b"POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"),
        1 => piece(b"Transfer-Encoding: chunked\r\n"),
        1 => piece(b"\r\n"),
        1 => piece(b"3\r\nabc\r\n"),
        1 => piece(b"0\r\n\r\n"),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Where hyper and the strict layer saw a border in different places, a request would be served that
    /// was not checked, or one that was checked would not be the one that is served.
    #[test]
    fn hyper_serves_no_request_but_those_that_were_checked(fragments in proptest::collection::vec(fragment(), 1..6)) {
        let mut bytes = fragments.concat();
        bytes.extend_from_slice(b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let expected = requests(&bytes);
        // A connection that waits for more bytes is ended by the test, since nobody sends any.
        let (mut asked, _) = runtime.block_on(run([bytes.as_slice(), &[]], "odd bytes"));
        // A request whose body never came was begun and not served.
        asked.retain(|line| !line.ends_with(" gone"));
        for (asked, expected) in asked.iter().zip(&expected) {
            prop_assert!(asked.starts_with(expected.as_str()), "{asked:?} is not {expected:?}");
        }
        prop_assert!(asked.len() <= expected.len(), "{asked:?} is more than {expected:?}");
    }
}
