//! What the tests of this crate share: an echo application, a listener of it, and raw clients.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::drain::{Drain, DrainTimes};
use crate::listener::{Application, ClientBody, ClientBodyError, ConnectionInfo, Listener, ListenerOptions};

/// How long a test waits for what must happen before it gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Fails the test if `future` takes longer than anything in a test may.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it happens in time")
}

/// A drain that goes as fast as it can, with a deadline that tests do not reach.
pub(crate) fn quick_drain() -> Drain {
    Drain::new(DrainTimes {
        unready_min: Duration::ZERO,
        closing_max: PATIENCE,
        cut_max: Duration::from_secs(1),
        idle_grace: Duration::from_millis(100),
    })
}

pub(crate) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Serves `application` on the current runtime.
pub(crate) fn serve<A: Application>(options: ListenerOptions, drain: &Drain, application: A) -> SocketAddr {
    let listener = Listener::bind(loopback(), options).expect("loopback has a free port");
    let (address, drain) = (listener.local_addr(), drain.fork());
    tokio::spawn(async move {
        listener.serve(application, drain).await.expect("the socket is good");
        // Whoever still has the listener must not keep its socket open.
        std::future::pending::<()>().await;
    });
    address
}

/// What an [`echo`] application was asked, in order: method, target and body of each request.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// An application that notes what it is asked and answers with it; broken bodies as their reader sees them.
pub(crate) fn echo() -> (impl Application<Body = Full<Bytes>>, Asked) {
    let asked = Asked::default();
    let notes = Arc::clone(&asked);
    let application = service_fn(move |request: Request<Incoming>| {
        let notes = Arc::clone(&notes);
        async move {
            let info = request.extensions().get::<ConnectionInfo>().expect("every request has one").clone();
            let line = format!("{} {}", request.method(), request.uri());
            let body = ClientBody::new(request.into_body(), &info).collect().await;
            let (status, text) = match body {
                Ok(body) => {
                    let text = format!("{line} {}", String::from_utf8_lossy(&body.to_bytes()));
                    notes.lock().push(text.clone());
                    (StatusCode::OK, text)
                }
                Err(ClientBodyError::TimedOut) => (StatusCode::REQUEST_TIMEOUT, "slow".to_owned()),
                Err(ClientBodyError::Malformed(violation)) => (violation.status(), violation.to_string()),
                Err(ClientBodyError::Disconnected(_)) => {
                    notes.lock().push(format!("{line} gone"));
                    (StatusCode::BAD_REQUEST, "gone".to_owned())
                }
            };
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    });
    (application, asked)
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    soon(TcpStream::connect(address)).await.expect("the listener accepts")
}

/// Sends `bytes` and reads until the server closes.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut client = connect(address).await;
    client.write_all(bytes).await.expect("the server reads");
    read_to_close(&mut client).await
}

/// Reads until the server closes.
pub(crate) async fn read_to_close(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    soon(client.read_to_end(&mut answer)).await.expect("the server closes without a reset");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads until the bytes so far end in `end`.
pub(crate) async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut answer = String::new();
    while !answer.ends_with(end) {
        let mut byte = [0];
        let count = soon(client.read(&mut byte)).await.expect("the connection is open");
        assert_ne!(count, 0, "the server closed after {answer:?}");
        answer.push(char::from(byte[0]));
    }
    answer
}

/// Waits until `condition` holds, looking again each time other tasks had a turn.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, poll).await.unwrap_or_else(|_| panic!("{what}"));
}
