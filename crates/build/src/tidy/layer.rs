//! Who may use whom: the table, and its comparison with every manifest.
//!
//! This table is the single source. ARCHITECTURE.md shows the picture that `graph.rs` draws from it, and the
//! wrappers in `deny.toml` repeat its second half, which `deny.rs` compares.
//! A row changes in a decision page first.

use crate::tidy::Finding;
use crate::workspace::{Dependency, Kind, Package, Workspace};

/// A layer: one package, or all packages of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Layer {
    Core,
    Macros,
    Wire,
    Policy,
    Upstream,
    Config,
    Store,
    Pipeline,
    Server,
    Gateway,
    Build,
    Testkit,
    /// Any folder in `extensions` but the providers.
    Extension,
    /// Any folder in `extensions/providers`.
    Provider,
    GatewayBin,
    Xtask,
    Tests,
}

use Layer::{
    Build, Config, Core, Extension, Gateway, GatewayBin, Macros, Pipeline, Policy, Provider, Server, Store,
    Testkit, Tests, Upstream, Wire, Xtask,
};

/// One row: what a layer may name in its manifest, beside crates from outside.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) layer: Layer,
    pub(super) may_use: &'static [Layer],
}

const LIBRARIES: &[Layer] = &[Core, Wire, Policy, Upstream, Config, Store, Pipeline, Server];

/// The layers from the lowest to the highest.
pub(super) const TABLE: &[Row] = &[
    Row { layer: Macros, may_use: &[] },
    Row { layer: Core, may_use: &[Macros] },
    Row { layer: Wire, may_use: &[Core] },
    Row { layer: Policy, may_use: &[Core] },
    Row { layer: Upstream, may_use: &[Core] },
    Row { layer: Config, may_use: &[Core, Policy] },
    Row { layer: Store, may_use: &[Core, Policy] },
    Row { layer: Pipeline, may_use: &[Core, Wire, Policy, Upstream] },
    Row { layer: Server, may_use: &[Core, Wire, Pipeline] },
    Row { layer: Gateway, may_use: LIBRARIES },
    Row { layer: Extension, may_use: &[Core] },
    Row { layer: Provider, may_use: &[Core, Wire] },
    Row { layer: GatewayBin, may_use: &[Gateway, Extension, Provider] },
    Row {
        layer: Testkit,
        may_use: &[Core, Macros, Wire, Policy, Upstream, Config, Store, Pipeline, Server, Gateway],
    },
    Row {
        layer: Tests,
        may_use: &[Testkit, Core, Wire, Policy, Upstream, Config, Store, Pipeline, Server, Gateway],
    },
    Row { layer: Build, may_use: &[] },
    Row { layer: Xtask, may_use: &[Build] },
];

/// Crates from outside that only some layers may name.
#[derive(Debug)]
pub(super) struct Exclusive {
    pub(super) what: &'static str,
    pub(super) crates: &'static [&'static str],
    /// Only these features are restricted; none means the crate as such.
    pub(super) features: &'static [&'static str],
    pub(super) only: &'static [Layer],
}

/// Who is the only one that may use what, in product code.
/// Tests may reach for anything: the wall is for what ships.
pub(super) const EXCLUSIVE: &[Exclusive] = &[
    Exclusive { what: "registration", crates: &["inventory"], features: &[], only: &[Core] },
    Exclusive {
        what: "databases",
        crates: &["sqlx", "moka", "redis", "rusqlite", "tokio-postgres"],
        features: &[],
        only: &[Store],
    },
    Exclusive { what: "the router", crates: &["axum", "axum-server"], features: &[], only: &[Server] },
    Exclusive {
        what: "YAML",
        crates: &["saphyr", "saphyr-parser", "serde_yaml", "serde_norway", "yaml-rust2"],
        features: &[],
        only: &[Config],
    },
    Exclusive {
        what: "the HTTP engine",
        crates: &["hyper", "hyper-util", "h2"],
        features: &[],
        only: &[Upstream, Server, Testkit, Tests],
    },
    Exclusive {
        what: "the HTTP client",
        crates: &["hyper", "hyper-util"],
        features: &["client", "client-legacy", "client-proxy", "client-pool"],
        only: &[Upstream, Testkit, Tests],
    },
    Exclusive {
        what: "other HTTP clients",
        crates: &["reqwest", "ureq", "isahc", "curl", "attohttpc"],
        features: &[],
        only: &[],
    },
    Exclusive {
        what: "TLS",
        crates: &["rustls", "tokio-rustls", "rustls-pki-types", "webpki-roots"],
        features: &[],
        only: &[Upstream, Server, Store, Testkit, Tests],
    },
    Exclusive {
        what: "sockets",
        crates: &["socket2"],
        features: &[],
        only: &[Upstream, Server, Testkit, Tests],
    },
    Exclusive {
        what: "command lines",
        crates: &["clap"],
        features: &[],
        only: &[Gateway, Build, Xtask, Testkit],
    },
    Exclusive {
        what: "untyped errors",
        crates: &["anyhow", "eyre"],
        features: &[],
        only: &[Gateway, GatewayBin, Build, Xtask, Testkit, Tests],
    },
    Exclusive {
        what: "regex engines",
        crates: &["regex", "regex-automata", "regex-syntax", "aho-corasick"],
        features: &[],
        only: &[Core, Extension],
    },
    Exclusive {
        what: "serialisation of types",
        crates: &["serde", "serde_path_to_error"],
        features: &[],
        only: &[Core, Wire, Config, Store, Server, Extension, Provider, Testkit, Tests],
    },
    Exclusive {
        what: "JSON",
        crates: &["serde_json"],
        features: &[],
        only: &[Core, Wire, Config, Store, Server, Gateway, Extension, Provider, Testkit, Tests, Build],
    },
    Exclusive {
        what: "schemas",
        crates: &["schemars"],
        features: &[],
        only: &[Core, Config, Extension, Provider],
    },
    Exclusive {
        what: "metrics and log output",
        crates: &["prometheus-client", "tracing-subscriber"],
        features: &[],
        only: &[Gateway, Testkit, Tests],
    },
    Exclusive { what: "the allocator", crates: &["mimalloc"], features: &[], only: &[GatewayBin, Testkit] },
];

impl Layer {
    /// The layer of a package of this workspace, by its name.
    pub(super) fn of(package: &str) -> Option<Self> {
        let name = match package {
            "gatewright" => return Some(GatewayBin),
            "xtask" => return Some(Xtask),
            other => other.strip_prefix("gatewright-")?,
        };
        if name.starts_with("ext-") {
            return Some(Extension);
        }
        if name.starts_with("provider-") {
            return Some(Provider);
        }
        TABLE.iter().map(|row| row.layer).find(|layer| layer.name() == name)
    }

    /// The name in the table and in the picture.
    pub(super) fn name(self) -> &'static str {
        match self {
            Core => "core",
            Macros => "macros",
            Wire => "wire",
            Policy => "policy",
            Upstream => "upstream",
            Config => "config",
            Store => "store",
            Pipeline => "pipeline",
            Server => "server",
            Gateway => "gateway",
            Build => "build",
            Testkit => "testkit",
            Extension => "extensions/*",
            Provider => "extensions/providers/*",
            GatewayBin => "gateway-bin",
            Xtask => "xtask",
            Tests => "tests",
        }
    }

    fn may_use(self) -> &'static [Self] {
        TABLE.iter().find(|row| row.layer == self).map_or(&[], |row| row.may_use)
    }
}

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    workspace.packages.iter().flat_map(check_package).collect()
}

fn check_package(package: &Package) -> Vec<Finding> {
    let Some(layer) = Layer::of(&package.name) else {
        let message = format!(
            "package `{}` has no row in the layer table: add one in crates/build/src/tidy/layer.rs and say why in \
             docs/decisions",
            package.name
        );
        return vec![Finding::new(package.manifest_path(), 1, message)];
    };
    package
        .dependencies()
        .iter()
        .filter_map(|dependency| {
            let message = forbidden(layer, dependency)?;
            Some(Finding::new(package.manifest_path(), package.manifest_line(dependency.name), message))
        })
        .collect()
}

/// Why `layer` may not have this dependency.
fn forbidden(layer: Layer, dependency: &Dependency<'_>) -> Option<String> {
    let name = dependency.name;
    if let Some(used) = Layer::of(name) {
        // The test kit stands above the crates that it tests; a dev-dependency on it closes no cycle that ships.
        let for_tests = dependency.kind == Kind::Dev && used == Testkit;
        let allowed = layer.may_use();
        return (!for_tests && !allowed.contains(&used)).then(|| {
            format!(
                "{} may not use {}: it may use {}; move the code to a layer that may, or hand the value in from above",
                layer.name(),
                used.name(),
                names(allowed)
            )
        });
    }
    let row = EXCLUSIVE.iter().find(|row| {
        dependency.kind != Kind::Dev
            && row.crates.contains(&name)
            && (row.features.is_empty() || row.features.iter().any(|feature| dependency.has_feature(feature)))
            && !row.only.contains(&layer)
    })?;
    let feature = if row.features.is_empty() { "" } else { " with its client features" };
    Some(format!(
        "{} may not use `{name}`{feature}: {} belongs to {}; call that layer instead",
        layer.name(),
        row.what,
        names(row.only)
    ))
}

pub(super) fn names(layers: &[Layer]) -> String {
    if layers.is_empty() {
        return "nothing of ours".to_owned();
    }
    layers.iter().map(|layer| layer.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::said_of;

    #[track_caller]
    fn check_manifest(package: &str, dependencies: &str, expected: &[&str]) {
        let manifest = format!("[package]\nname = \"{package}\"\n{dependencies}");
        let found = said_of(
            check,
            &[
                ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
                ("a/Cargo.toml", &manifest),
                ("a/src/lib.rs", "//! A.\n"),
            ],
        );
        assert_eq!(found.len(), expected.len(), "{package}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found} should contain {expected}");
        }
    }

    #[test]
    fn compares_each_manifest_with_its_row() {
        let wire_uses_upstream =
            "[dependencies]\ngatewright-core.workspace = true\ngatewright-upstream.workspace = true\n";
        check_manifest("gatewright-wire", wire_uses_upstream, &["a/Cargo.toml:5: wire may not use upstream"]);
        let server_uses_wire = "[dependencies]\ngatewright-wire.workspace = true\n";
        check_manifest("gatewright-server", server_uses_wire, &[]);
        let extension_uses_wire = "[dependencies]\ngatewright-wire.workspace = true\n";
        check_manifest("gatewright-ext-mask", extension_uses_wire, &["extensions/* may not use wire"]);
        check_manifest("gatewright-provider-acme", extension_uses_wire, &[]);
        check_manifest("gatewright-novel", "", &["no row in the layer table"]);
    }

    #[test]
    fn keeps_crates_with_one_owner_out_of_other_layers() {
        check_manifest(
            "gatewright-policy",
            "[dependencies]\nsqlx = \"1\"\n",
            &["databases belongs to store"],
        );
        check_manifest("gatewright-store", "[dependencies]\nsqlx = \"1\"\n", &[]);
        check_manifest("gatewright-policy", "[dev-dependencies]\nsqlx = \"1\"\n", &[]);
        let server_as_client = "[dependencies]\nhyper = { version = \"1\", features = [\"client\"] }\n";
        check_manifest("gatewright-server", server_as_client, &["the HTTP client belongs to upstream"]);
        let renamed = "[dependencies]\nrouter = { package = \"axum\", version = \"1\" }\n";
        check_manifest("gatewright-pipeline", renamed, &["the router belongs to server"]);
        let for_one_target = "[target.'cfg(unix)'.dependencies]\nreqwest = \"1\"\n";
        check_manifest(
            "gatewright-upstream",
            for_one_target,
            &["other HTTP clients belongs to nothing of ours"],
        );
    }

    #[test]
    fn the_test_kit_is_open_to_tests_of_every_layer() {
        let for_tests = "[dev-dependencies]\ngatewright-testkit.workspace = true\n";
        check_manifest("gatewright-policy", for_tests, &[]);
        let for_all = "[dependencies]\ngatewright-testkit.workspace = true\n";
        check_manifest("gatewright-policy", for_all, &["policy may not use testkit"]);
    }

    #[test]
    fn every_layer_has_one_row_and_only_uses_rows_below() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(
                TABLE.iter().filter(|other| other.layer == row.layer).count(),
                1,
                "{}",
                row.layer.name()
            );
            for used in row.may_use {
                let below = TABLE.iter().take(index).any(|other| other.layer == *used);
                assert!(below, "{} uses {}, which stands above it", row.layer.name(), used.name());
            }
        }
    }
}
