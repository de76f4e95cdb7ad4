//! Listeners, store, telemetry: what holds for the life of the process.

use std::net::SocketAddr;

use super::Builder;
use crate::position::KeyPath;
use crate::settings::{
    AdminSettings, DrainSettings, Durability, ListenerLimits, ListenerSettings, LogFormat, OnLimitsLoss,
    RealtimeSettings, ResponsesSettings, Settings, SharedLimitsSettings, StoreSettings, TelemetrySettings,
    TlsSettings,
};
use crate::shape::listener::{Limits, Listener};
use crate::shape::{Shape, process};

/// At least two, so that one looping hook does not stop the gateway.
const WORKERS_MIN: usize = 2;

impl Builder<'_> {
    pub(super) fn settings(&mut self, shape: &Shape) -> Settings {
        let listeners = KeyPath::root().key("listeners");
        let store = KeyPath::root().key("store").key("path");
        Settings {
            listeners: shape
                .listeners
                .iter()
                .enumerate()
                .map(|(place, listener)| self.listener(listener, &listeners.item(place)))
                .collect(),
            admin: AdminSettings {
                address: self.address(&shape.admin.address, &KeyPath::root().key("admin").key("address")),
            },
            workers: shape.workers.map_or_else(cores, usize::from).max(WORKERS_MIN),
            drain: DrainSettings { min: shape.drain.min.0, deadline: shape.drain.deadline.0 },
            realtime: self.realtime(&shape.realtime),
            store: StoreSettings {
                path: self.beside(&store, &shape.store.path),
                durability: match shape.store.durability {
                    process::Durability::None => Durability::None,
                    process::Durability::Crash => Durability::Crash,
                    process::Durability::Power => Durability::Power,
                },
                records: shape.store.records,
                responses: shape.store.responses.enabled.then_some(ResponsesSettings {
                    keep_for: shape.store.responses.keep_for.0,
                    answer_bytes_max: shape.store.responses.answer_bytes_max.0,
                    tenant_bytes_max: shape.store.responses.tenant_bytes_max.0,
                }),
                shared_limits: shape.store.shared_limits.as_ref().map(shared_limits),
            },
            telemetry: TelemetrySettings {
                log_format: match shape.telemetry.log.format {
                    process::LogFormat::Human => LogFormat::Human,
                    process::LogFormat::Json => LogFormat::Json,
                },
                log_level: shape.telemetry.log.level.clone(),
                access_log: shape.telemetry.access_log,
                trace_header: shape.telemetry.trace_header,
            },
        }
    }

    fn realtime(&mut self, realtime: &process::Realtime) -> RealtimeSettings {
        let origins = KeyPath::root().key("realtime").key("origins");
        for (place, origin) in realtime.origins.iter().enumerate() {
            if !is_origin(origin) {
                let text = "not an origin as browsers send it; write scheme, host and port alone, for example \
                            https://app.example.com, or `*` for all";
                self.error(&origins.item(place), text);
            }
        }
        RealtimeSettings {
            origins: realtime.origins.clone(),
            message_bytes_max: usize::try_from(realtime.message_bytes_max.0).unwrap_or(usize::MAX),
            idle_timeout: realtime.idle_timeout.0,
            duration_max: realtime.duration_max.0,
        }
    }

    fn listener(&mut self, listener: &Listener, path: &KeyPath) -> ListenerSettings {
        let tls = listener.tls.as_ref().map(|tls| TlsSettings {
            certificate: self.beside(&path.key("tls").key("certificate"), &tls.certificate),
            key: self.beside(&path.key("tls").key("key"), &tls.key),
        });
        if let Some(tls) = &tls {
            self.files.extend([tls.certificate.clone(), tls.key.clone()]);
        }
        ListenerSettings {
            name: listener.name.clone(),
            address: self.address(&listener.address, &path.key("address")),
            tls,
            http2_cleartext: listener.http2_cleartext,
            limits: Self::limits(&listener.limits),
        }
    }

    fn limits(limits: &Limits) -> ListenerLimits {
        ListenerLimits {
            connections_max: usize::try_from(limits.connections_max).unwrap_or(usize::MAX),
            connections_per_ip_max: usize::try_from(limits.connections_per_ip_max)
                .ok()
                .filter(|max| *max > 0),
            header_timeout: limits.header_timeout.0,
            idle_timeout: limits.idle_timeout.0,
            body_idle_timeout: limits.body_idle_timeout.0,
            write_stall_timeout: limits.write_stall_timeout.0,
            tls_handshake_timeout: limits.tls_handshake_timeout.0,
            headers_max: usize::from(limits.headers_max),
            header_bytes_max: usize::try_from(limits.header_bytes_max.0).unwrap_or(usize::MAX),
            body_bytes_max: limits.body_bytes_max.0,
            upload_lead_bytes_max: usize::try_from(limits.upload_lead_bytes_max.0).unwrap_or(usize::MAX),
        }
    }

    fn address(&mut self, text: &str, path: &KeyPath) -> SocketAddr {
        text.parse().unwrap_or_else(|_| {
            self.error(path, "not an address and port");
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }
}

/// Whether a text can be equal to what a browser sends.
fn is_origin(text: &str) -> bool {
    let host = text.split_once("://").map(|(_, host)| host);
    text == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ', '*']))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(WORKERS_MIN, usize::from)
}

fn shared_limits(shape: &process::SharedLimits) -> SharedLimitsSettings {
    let policy = |policy| match policy {
        process::LossPolicy::Closed => OnLimitsLoss::Closed,
        process::LossPolicy::LocalShare => OnLimitsLoss::LocalShare,
    };
    SharedLimitsSettings {
        url: shape.url.clone(),
        deadline: shape.deadline.0,
        money: policy(shape.on_loss.money),
        rates: policy(shape.on_loss.rates),
    }
}
