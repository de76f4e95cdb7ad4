//! hyper's settings for both versions of HTTP, derived from the listener's limits.

use std::future::Future;
use std::sync::Arc;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::Application;
use super::connection::{Connection, Held};
use super::info::ConnectionInfo;
use super::limits::Limits;
use super::service::ConnectionService;
use super::socket::Socket;
use super::stream::Stream;

/// hyper's default, with which it keeps the table of a head on the stack.
const HYPER_HEADERS_MAX: usize = 100;
/// The least that hyper accepts.
const HYPER_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Runs the streams of an HTTP/2 connection on the worker that runs the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnThisWorker;

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for OnThisWorker {
    fn execute(&self, stream: F) {
        tokio::spawn(stream);
    }
}

/// Starts connections with the settings of one listener.
#[derive(Debug)]
pub(super) struct Protocols {
    limits: Limits,
    http1: http1::Builder,
    http2: http2::Builder<OnThisWorker>,
}

impl Protocols {
    pub(super) fn new(limits: Limits) -> Self {
        Protocols { limits, http1: http1_builder(&limits), http2: http2_builder(&limits) }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Serves HTTP/1 behind the strict layer.
    pub(super) fn http1<A: Application>(
        &self,
        stream: Stream,
        info: ConnectionInfo,
        application: A,
        held: Held,
    ) -> impl Future<Output = ()> + Send + use<A> {
        let socket = TokioIo::new(Socket::strict(stream, info.clone(), &self.limits));
        let held = Arc::new(held);
        let service = ConnectionService::new(application, info.clone()).with_place(&held);
        let http = self.http1.serve_connection(socket, service).with_upgrades();
        Connection::new(http, info, &self.limits, held)
    }

    /// Serves HTTP/2.
    pub(super) fn http2<A: Application>(
        &self,
        stream: Stream,
        info: ConnectionInfo,
        application: A,
        held: Held,
    ) -> impl Future<Output = ()> + Send + use<A> {
        let socket = TokioIo::new(Socket::plain(stream, info.clone()));
        let service = ConnectionService::new(application, info.clone());
        let http = self.http2.serve_connection(socket, service);
        Connection::new(http, info, &self.limits, Arc::new(held))
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Timeouts are the watchdog's: hyper's own allocates a timer per request and counts idle time as part
    // of the next head.
    builder
        .header_read_timeout(None)
        .half_close(false)
        .max_header_size(limits.header_bytes_max)
        .max_buf_size(limits.buffer_bytes_max.max(limits.header_bytes_max).max(HYPER_BUFFER_BYTES_MIN));
    if limits.headers_max != HYPER_HEADERS_MAX {
        builder.max_headers(limits.headers_max);
    }
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<OnThisWorker> {
    let http2 = &limits.http2;
    let mut builder = http2::Builder::new(OnThisWorker);
    builder
        .timer(TokioTimer::new())
        .adaptive_window(false)
        .initial_stream_window_size(http2.stream_window_bytes)
        .initial_connection_window_size(http2.connection_window_bytes)
        .max_concurrent_streams(http2.streams_max)
        .max_send_buf_size(http2.send_buffer_bytes_max)
        .max_header_list_size(http2.header_list_bytes_max)
        .max_pending_accept_reset_streams(http2.pending_resets_max)
        .max_local_error_reset_streams(http2.local_resets_max)
        .keep_alive_interval(http2.ping_interval)
        .keep_alive_timeout(http2.ping_timeout);
    builder
}
