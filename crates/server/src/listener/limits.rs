//! The bounds of a listener: what one client may hold, and for how long.

use std::time::Duration;

/// Bounds on the clients of one listener, with defaults that are safe on the open internet.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections over all workers. Over it the accept loops wait, and the kernel's queue fills.
    /// Default 16,384.
    pub connections_max: usize,
    /// Open connections of one address (IPv6: of one /64). Over it a new one is closed at once.
    /// Default none, because many clients may share the address of a balancer.
    pub connections_per_address_max: Option<u32>,
    /// Time for a whole request head, from its first byte; of a new connection, from its start.
    /// Over it the answer is 408. Default 10 s.
    pub header_timeout: Duration,
    /// How long a connection may stay open without a request. Default 90 s.
    pub idle_timeout: Duration,
    /// How long a write may make no progress before the connection is dropped. Default 30 s.
    pub write_stall_timeout: Duration,
    /// Time for the TLS handshake. Default 5 s.
    pub tls_handshake_timeout: Duration,
    /// After an early answer, how long the rest of what the client sends is read and thrown away, so that
    /// the client can read the answer before it finds the connection closed. Default 2 s.
    pub linger_timeout: Duration,
    /// Header fields in one request; over it the answer is 431. Default 100.
    pub headers_max: usize,
    /// Bytes of one request head, with its request line; over it the answer is 431. Default 64 KiB.
    /// HTTP/2 has its own, [`Http2Limits::header_list_bytes_max`].
    pub header_bytes_max: usize,
    /// Bytes that one HTTP/1 connection may buffer in each direction. At least 8 KiB and at least
    /// `header_bytes_max`; a lower figure is raised to that. Default 128 KiB.
    pub buffer_bytes_max: usize,
    /// How slowly a request body may come.
    pub body: BodyLimits,
    /// What is particular to HTTP/2.
    pub http2: Http2Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections_max: 16_384,
            connections_per_address_max: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            write_stall_timeout: Duration::from_secs(30),
            tls_handshake_timeout: Duration::from_secs(5),
            linger_timeout: Duration::from_secs(2),
            headers_max: 100,
            header_bytes_max: 64 * 1024,
            buffer_bytes_max: 128 * 1024,
            body: BodyLimits::default(),
            http2: Http2Limits::default(),
        }
    }
}

/// How slowly a request body may come before its reader gives up.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Time without a single byte. Default 10 s.
    pub idle_timeout: Duration,
    /// Time before the rate counts. Default 10 s.
    pub grace: Duration,
    /// Bytes a second that the whole body must reach after the grace, on average. 0 asks for no rate.
    /// Default 1,024.
    pub rate_min: u32,
}

impl Default for BodyLimits {
    fn default() -> Self {
        BodyLimits { idle_timeout: Duration::from_secs(10), grace: Duration::from_secs(10), rate_min: 1024 }
    }
}

/// Bounds of HTTP/2 connections. The windows bound what one connection can make the gateway hold.
#[derive(Debug, Clone, Copy)]
pub struct Http2Limits {
    /// Open streams of one connection. Default 100.
    pub streams_max: u32,
    /// Bytes a client may send on one stream before the gateway reads them. Default 64 KiB.
    pub stream_window_bytes: u32,
    /// Bytes a client may send on all streams of a connection before the gateway reads them.
    /// Default 256 KiB.
    pub connection_window_bytes: u32,
    /// Bytes that one stream may hold back for a client that does not read. Default 64 KiB.
    pub send_buffer_bytes_max: usize,
    /// Bytes of a decoded header list. Default 16 KiB.
    pub header_list_bytes_max: u32,
    /// Streams that the client opened and reset before they were looked at; over it the connection ends.
    /// Default 20.
    pub pending_resets_max: usize,
    /// Streams that the gateway had to reset because of the client's errors, over the life of the
    /// connection; over it the connection ends. Default 100.
    pub local_resets_max: usize,
    /// Streams that the client cancelled within ten seconds; over it, and if that is more than half of the
    /// streams that it opened, the connection ends. Default 200.
    pub cancels_max: u32,
    /// How often a silent connection is asked whether it still lives. Default 20 s.
    pub ping_interval: Duration,
    /// How long the answer to that may take. Default 20 s.
    pub ping_timeout: Duration,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Http2Limits {
            streams_max: 100,
            stream_window_bytes: 64 * 1024,
            connection_window_bytes: 256 * 1024,
            send_buffer_bytes_max: 64 * 1024,
            header_list_bytes_max: 16 * 1024,
            pending_resets_max: 20,
            local_resets_max: 100,
            cancels_max: 200,
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
        }
    }
}
