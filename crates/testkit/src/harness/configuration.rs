//! The configuration of a gateway under test: one that serves, and what a test changes in it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::gateway::Gateway;
use super::process::binary;
use crate::provider::SimulatedProvider;

/// The key of the caller, unless a test has other keys. The configuration reads it from a file.
pub const CALLER_KEY: &str = "gw-canary-caller-8f14e45f";
/// The credential of every provider. The configuration reads it from a file.
pub const PROVIDER_KEY: &str = "sk-canary-provider-45c48cce";

const CALLER_KEY_FILE: &str = "caller-key.txt";
const PROVIDER_KEY_FILE: &str = "provider-key.txt";

/// A gateway that is about to be started.
#[derive(Debug, Clone)]
pub struct GatewayBuilder {
    pub(super) configuration: Value,
    pub(super) environment: Vec<(String, String)>,
    pub(super) files: Vec<(PathBuf, String)>,
    /// What `configuration` is laid over, if it is not all.
    pub(super) bases: Vec<PathBuf>,
    binary: Option<PathBuf>,
    /// What the process gets as its standard input.
    pub(super) socket: Option<Arc<TcpListener>>,
}

impl GatewayBuilder {
    /// A configuration with one key, one route and neither models nor providers.
    pub(super) fn new() -> Self {
        let file = |name: &str| format!("${{file:{name}}}");
        let key = json!({"key": file(CALLER_KEY_FILE), "tenant": "acme", "user": "ann", "label": "ann-key"});
        let configuration = json!({
            "listeners": [{"name": "public", "address": "127.0.0.1:0"}],
            "admin": {"address": "127.0.0.1:0"},
            "workers": 2,
            "drain": {"min": "0s", "deadline": "10s"},
            "telemetry": {"log": {"format": "json", "level": "info"}},
            "providers": {},
            "models": {},
            "authenticate": ["keys"],
            "extensions": [{"id": "keys", "use": "static-keys", "with": {"keys": [key]}}],
            "routes": [{"name": "default", "match": {"path": "/v1/*"}}],
        });
        let files = vec![
            (CALLER_KEY_FILE.into(), CALLER_KEY.to_owned()),
            (PROVIDER_KEY_FILE.into(), PROVIDER_KEY.to_owned()),
        ];
        Self { configuration, environment: Vec::new(), files, bases: Vec::new(), binary: None, socket: None }
    }

    /// The configuration of these files, but for where it listens, where it keeps its records and how it logs.
    pub(super) fn over(bases: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).expect("the current folder is known");
        let configuration = json!({
            "listeners": [{"name": "public", "address": "127.0.0.1:0"}],
            "admin": {"address": "127.0.0.1:0"},
            "workers": 2,
            "drain": {"min": "0s", "deadline": "10s"},
            "store": {"path": "gatewright.db"},
            "telemetry": {"log": {"format": "json", "level": "info"}},
        });
        let bases = bases.into_iter().map(|base| absolute(base.as_ref())).collect();
        Self { configuration, environment: Vec::new(), files: Vec::new(), bases, binary: None, socket: None }
    }

    pub(super) fn binary_path(&self) -> PathBuf {
        self.binary.clone().unwrap_or_else(|| binary("gatewright", "GATEWRIGHT_BIN"))
    }

    /// Adds a provider.
    #[must_use]
    pub fn provider(self, name: &str, provider: &SimulatedProvider) -> Self {
        self.provider_at(name, &provider.base_url())
    }

    /// Adds a provider by its base URL.
    #[must_use]
    pub fn provider_at(self, name: &str, base_url: &str) -> Self {
        let provider = json!({
            "use": "openai",
            "base_url": base_url,
            "api_key": format!("${{file:{PROVIDER_KEY_FILE}}}"),
            "allow_private": true,
        });
        self.set(&format!("/providers/{name}"), provider)
    }

    /// Adds a model that these targets serve.
    #[must_use]
    pub fn model(self, name: &str, targets: &Value) -> Self {
        self.set(&format!("/models/{}", escape(name)), json!({"targets": targets}))
    }

    /// Adds an extension instance and puts it into these chains of the first route.
    #[must_use]
    pub fn extension(mut self, id: &str, name: &str, settings: &Value, chains: &[&str]) -> Self {
        push(&mut self.configuration, "/extensions", json!({"id": id, "use": name, "with": settings}));
        for chain in chains {
            push(&mut self.configuration, &format!("/routes/0/{chain}"), json!(id));
        }
        self
    }

    /// Puts a value at this JSON pointer; what lies above it is made where it is missing.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        set(&mut self.configuration, pointer, value);
        self
    }

    /// Gives the process a variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a file beside the configuration.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<String>) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// Runs another binary than the distribution's own.
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// Serves on this socket instead of one of its own; the test keeps it open.
    #[must_use]
    pub fn socket(mut self, socket: &Arc<TcpListener>) -> Self {
        self.socket = Some(Arc::clone(socket));
        self
    }

    /// Writes the configuration, starts the gateway and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    ///
    /// # Cancellation
    /// The process is killed.
    pub async fn start(self) -> Gateway {
        Gateway::start(self).await
    }
}

/// Puts a value at a JSON pointer.
pub(crate) fn set(root: &mut Value, pointer: &str, value: Value) {
    *place(root, pointer) = value;
}

/// Adds a value to the list at a JSON pointer.
fn push(root: &mut Value, pointer: &str, value: Value) {
    let place = place(root, pointer);
    match place {
        Value::Array(list) => list.push(value),
        other => *other = json!([value]),
    }
}

/// The value at a JSON pointer; what lies above it is made where it is missing.
pub(crate) fn place<'v>(root: &'v mut Value, pointer: &str) -> &'v mut Value {
    pointer.split('/').skip(1).fold(root, |place, token| {
        let token = token.replace("~1", "/").replace("~0", "~");
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        match place {
            Value::Array(list) => {
                let index: usize = token.parse().expect("a list is entered by a number");
                list.get_mut(index).expect("a test names a place that is there")
            }
            other => &mut other[token],
        }
    })
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Writes a configuration; JSON is YAML.
pub(super) fn write_down(path: &Path, configuration: &Value) {
    write(path, &serde_json::to_string_pretty(configuration).expect("a JSON value can be written"));
}

/// Writes a file so that readers see all of it or what was there before.
pub(super) fn write(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text).expect("the folder of the gateway can be written");
    fs::rename(&fresh, path).expect("the folder of the gateway can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_adds_at_pointers() {
        let mut value = json!({"routes": [{"name": "a"}]});
        push(&mut value, "/routes/0/limit", json!("x"));
        push(&mut value, "/routes/0/limit", json!("y"));
        set(&mut value, "/models/a~1b/strategy", json!("first"));
        let expected = json!({
            "routes": [{"name": "a", "limit": ["x", "y"]}],
            "models": {"a/b": {"strategy": "first"}},
        });
        assert_eq!(value, expected);
    }
}
