//! The sockets that clients connect to: opened as the configuration says, or taken over from a supervisor.

use gatewright_config::Settings;
use gatewright_pipeline::with_causes;
use gatewright_server::listener::{Limits as ListenerBounds, Listener, ListenerOptions, from_standard_input};
use gatewright_server::tls::{Tls, TlsFiles};

use crate::Exit;
use crate::serve::Started;

/// Where listening sockets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sockets {
    /// Each listener of the configuration opens its own.
    Configured,
    /// The first listener takes over standard input; no other is opened.
    StandardInput,
}

/// Opens the listeners, and loads their certificates.
pub(crate) fn open_listeners(settings: &Settings, sockets: Sockets) -> Started<(Vec<Listener>, Vec<Tls>)> {
    let mut listeners = Vec::new();
    let mut certificates = Vec::new();
    let count = match sockets {
        Sockets::Configured => settings.listeners.len(),
        Sockets::StandardInput => 1,
    };
    for listener in settings.listeners.iter().take(count) {
        let fail = |why: String| (Exit::Resource, format!("listeners.{}: {why}", listener.name));
        let tls = match &listener.tls {
            Some(files) => {
                let files = TlsFiles { certificate: files.certificate.clone(), key: files.key.clone() };
                let tls = Tls::load(files).map_err(|error| fail(with_causes(&error)))?;
                certificates.push(tls.clone());
                Some(tls)
            }
            None => None,
        };
        let options = ListenerOptions {
            limits: bounds(&listener.limits),
            tls,
            http2_cleartext: listener.http2_cleartext,
            ..ListenerOptions::new(listener.name.as_str())
        };
        let opened = match sockets {
            Sockets::Configured => Listener::bind(listener.address, options)
                .map_err(|error| fail(format!("cannot listen on {}: {error}", listener.address)))?,
            Sockets::StandardInput => from_standard_input()
                .and_then(|socket| Listener::new(socket, options))
                .map_err(|error| fail(format!("cannot take over the socket on standard input: {error}")))?,
        };
        listeners.push(opened);
    }
    Ok((listeners, certificates))
}

fn bounds(limits: &gatewright_config::ListenerLimits) -> ListenerBounds {
    let defaults = ListenerBounds::default();
    ListenerBounds {
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_ip_max.and_then(|max| u32::try_from(max).ok()),
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        write_stall_timeout: limits.write_stall_timeout,
        tls_handshake_timeout: limits.tls_handshake_timeout,
        headers_max: limits.headers_max,
        header_bytes_max: limits.header_bytes_max,
        body: gatewright_server::listener::BodyLimits {
            idle_timeout: limits.body_idle_timeout,
            ..defaults.body
        },
        ..defaults
    }
}
