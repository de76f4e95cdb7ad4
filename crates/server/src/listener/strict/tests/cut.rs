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
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::drain::Drain;
use crate::listener::service::ConnectionService;
use crate::listener::socket::Socket;
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
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Pending };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() {
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

/// Serves `pieces` to the end and checks every request and answer.
async fn check<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, label: &str) {
    let written = Arc::default();
    let script =
        Script { pieces: pieces.into_iter().map(<[u8]>::to_vec).collect(), written: Arc::clone(&written) };
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    let info = ConnectionInfo::new(peer, false, "test".into(), BodyLimits::default(), Drain::default());
    let (application, asked) = echo();
    let socket = TokioIo::new(Socket::strict(script, info.clone(), &Limits::default()));
    let service = ConnectionService::new(application, info);
    timeout(PATIENCE, http1::Builder::new().serve_connection(socket, service)).await.expect(label).unwrap();
    assert_eq!(*asked.lock(), ASKED, "{label}");
    let answers = String::from_utf8_lossy(&written.lock()).matches("HTTP/1.1 200 OK\r\n").count();
    assert_eq!(answers, ASKED.len(), "{label}");
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
