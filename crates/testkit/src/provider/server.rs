//! The listener of the simulated provider: HTTP/1.1 and HTTP/2 with prior knowledge on one port.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::connection::{Control, Socket, Successor};
use super::service::Provider;
use super::wire;

/// Serves until dropped.
///
/// # Cancellation
/// Closes the listener and all its connections.
pub(super) async fn run(listener: TcpListener, provider: Arc<Provider>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A failed accept (the peer left at once, too many files open) concerns that connection only.
                let Ok((stream, _)) = accepted else { continue };
                let serial = provider.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(serve(stream, serial, Arc::clone(&provider)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// How a connection ends is the business of its client and of the records.
async fn serve(stream: TcpStream, serial: u64, provider: Arc<Provider>) -> io::Result<()> {
    let socket = Socket::accept(stream).await?;
    let control = socket.control();
    if socket.is_http2() {
        serve_http2(socket, serial, provider, control).await;
    } else {
        serve_http1(socket, serial, provider, control).await;
    }
    Ok(())
}

async fn serve_http1(socket: Socket, serial: u64, provider: Arc<Provider>, control: Arc<Control>) {
    let service = {
        let control = Arc::clone(&control);
        service_fn(move |request| {
            let provider = Arc::clone(&provider);
            let control = Arc::clone(&control);
            async move { provider.serve(request, serial, control).await }
        })
    };
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    // Errors are the client's, or were asked for; either way the records tell.
    (&mut connection).await.ok();
    match control.taken_over() {
        Some(Successor::Steps(script)) => {
            wire::play_on_socket(connection.into_parts().io.into_inner(), script).await;
        }
        Some(Successor::Session(session)) => {
            Box::pin(session.play(connection.into_parts().io.into_inner())).await;
        }
        None => {}
    }
}

async fn serve_http2(socket: Socket, serial: u64, provider: Arc<Provider>, control: Arc<Control>) {
    let service = service_fn(move |request| {
        let provider = Arc::clone(&provider);
        let control = Arc::clone(&control);
        async move { provider.serve(request, serial, control).await }
    });
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service);
    connection.await.ok();
}
