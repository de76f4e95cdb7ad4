//! Asks the gateway's admin listener whether it is ready.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Service;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// For one question.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bytes of an answer that are read.
const ANSWER_MAX: u64 = 64 * 1024;

/// Returns when the service answers that it is ready.
///
/// # Errors
/// It ends before, or is not ready at the deadline.
pub(crate) fn ready(admin: SocketAddr, service: &mut Service, deadline: Duration) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < deadline {
        if let Some(ended) = service.ended()? {
            bail!("{ended} before it was ready");
        }
        if answers_ready(admin).unwrap_or(false) {
            return Ok(());
        }
        std::thread::sleep(PAUSE);
    }
    bail!("{} is not ready after {} s", service.name(), deadline.as_secs())
}

fn answers_ready(admin: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&admin, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let question = format!("GET /readyz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200 "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn only_200_is_ready() {
        for (status, expected) in [("200 OK", true), ("503 Service Unavailable", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut question = Vec::new();
                while !question.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    question.extend(byte);
                }
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
                String::from_utf8(question).unwrap()
            });
            assert_eq!(answers_ready(address).unwrap(), expected);
            assert!(server.join().unwrap().starts_with("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:"));
        }
    }
}
