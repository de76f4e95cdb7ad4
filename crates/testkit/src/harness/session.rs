//! A session as a caller holds it: a bare socket on which a test writes what it likes, and reads what comes.

use std::net::SocketAddr;

use gatewright_wire::web_socket::{Close, Decoder, Kind, Masking, Unit, write, write_close};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::wait::within;

/// The largest message that a test reads.
const MESSAGE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The key of every client; what it is has no meaning.
const MASK: [u8; 4] = [1, 2, 3, 4];

/// An open session.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    decoder: Decoder,
    read: Vec<u8>,
    head: String,
}

/// The head of a request for a session at this target, with these headers beside those of the handshake.
fn request(target: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!(
        "GET {target} HTTP/1.1\r\nhost: gateway\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// The whole answer, head and body, where it does not switch.
    ///
    /// # Panics
    /// If there is no answer in time.
    ///
    /// # Cancellation
    /// The connection is closed.
    pub async fn open(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Result<Self, String> {
        Self::open_with(address, request(target, headers).as_bytes()).await
    }

    /// Opens a session by these bytes.
    ///
    /// # Errors
    /// As [`Session::open`].
    ///
    /// # Panics
    /// As [`Session::open`].
    ///
    /// # Cancellation
    /// As that of [`Session::open`].
    pub async fn open_with(address: SocketAddr, request: &[u8]) -> Result<Self, String> {
        let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
        stream.set_nodelay(true).expect("a socket takes the option");
        stream.write_all(request).await.expect("the gateway reads");
        let mut read = Vec::new();
        let end = within("the head of the answer to a handshake", async {
            loop {
                if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                    return end + 4;
                }
                assert!(
                    stream.read_buf(&mut read).await.unwrap_or(0) > 0,
                    "the connection ended in the head"
                );
            }
        })
        .await;
        let rest = read.split_off(end);
        let head = String::from_utf8_lossy(&read).into_owned();
        if head.starts_with("HTTP/1.1 101 ") {
            return Ok(Self { stream, decoder: Decoder::of_server(MESSAGE_BYTES_MAX), read: rest, head });
        }
        let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = rest;
        within("the body of a refusal", async {
            while body.len() < length && stream.read_buf(&mut body).await.unwrap_or(0) > 0 {}
        })
        .await;
        Err(head + &String::from_utf8_lossy(&body))
    }

    /// A header of the answer that opened the session.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The gateway's id of the session.
    ///
    /// # Panics
    /// If the answer has none.
    pub fn id(&self) -> String {
        self.header("x-request-id").expect("every answer has an id").to_owned()
    }

    /// Sends an event.
    ///
    /// # Panics
    /// If the connection is gone.
    ///
    /// # Cancellation
    /// A part of it may be sent.
    pub async fn tell(&mut self, event: &Value) {
        self.send(Kind::Text, event.to_string().as_bytes()).await;
    }

    /// Sends a frame that is a whole message.
    ///
    /// # Panics
    /// As [`Session::tell`].
    ///
    /// # Cancellation
    /// As that of [`Session::tell`].
    pub async fn send(&mut self, kind: Kind, payload: &[u8]) {
        let mut out = Vec::new();
        write(kind, payload, Masking::Client(MASK), &mut out);
        self.write(&out).await;
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// As [`Session::tell`].
    ///
    /// # Cancellation
    /// As that of [`Session::tell`].
    pub async fn write(&mut self, bytes: &[u8]) {
        within("room for what a client sends", self.stream.write_all(bytes))
            .await
            .expect("the gateway reads");
    }

    /// The connection itself.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The next message, or control frame; none when the connection has ended.
    ///
    /// # Panics
    /// If nothing comes, or no WebSocket.
    ///
    /// # Cancellation
    /// Nothing is lost.
    pub async fn next(&mut self) -> Option<Unit> {
        within("the next message", async {
            loop {
                let mut rest = &*self.read;
                let unit = self.decoder.take(&mut rest).expect("the gateway speaks WebSocket");
                let left = rest.len();
                self.read.drain(..self.read.len() - left);
                if unit.is_some() {
                    return unit;
                }
                if self.stream.read_buf(&mut self.read).await.unwrap_or(0) == 0 {
                    return None;
                }
            }
        })
        .await
    }

    /// The next event.
    ///
    /// # Panics
    /// If something else comes.
    ///
    /// # Cancellation
    /// As that of [`Session::next`].
    pub async fn event(&mut self) -> Value {
        match self.next().await {
            Some(Unit::Text(text)) => serde_json::from_slice(&text).expect("an event is JSON"),
            other => panic!("not an event: {other:?}"),
        }
    }

    /// The next event of this type; those before it are passed over.
    ///
    /// # Panics
    /// As [`Session::event`].
    ///
    /// # Cancellation
    /// As that of [`Session::next`].
    pub async fn event_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Reads up to the close.
    ///
    /// # Panics
    /// If the connection ends without one.
    ///
    /// # Cancellation
    /// As that of [`Session::next`].
    pub async fn closed(&mut self) -> Close {
        loop {
            match self.next().await {
                Some(Unit::Close(close)) => return close,
                Some(_) => {}
                None => panic!("the connection ended without a close"),
            }
        }
    }

    /// Closes, and waits for the answer.
    ///
    /// # Panics
    /// As [`Session::closed`].
    ///
    /// # Cancellation
    /// As that of [`Session::closed`].
    pub async fn close(&mut self, code: u16) -> Close {
        let mut out = Vec::new();
        write_close(&Close::new(code, ""), Masking::Client(MASK), &mut out);
        self.write(&out).await;
        self.closed().await
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
