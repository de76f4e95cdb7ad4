//! The bill of materials: every crate of a build in CycloneDX, version 1.5, as JSON.
//!
//! It comes from the resolved graph and the lock: what is linked is `required`, what only helps to build is `excluded`.
//! It holds no time and no random number, so that the same build has the same bill.

use serde_json::{Map, Value, json};

use super::Distribution;
use super::graph::{Graph, Package};
use super::info::{folder_digest, sha256};
use super::lock::Checksums;
use super::prepare::Prepared;

use anyhow::Result;

/// The text of the bill; `binary` is the digest of what was built.
///
/// # Errors
/// A file of a package cannot be read.
pub(super) fn text(
    dist: &Distribution,
    prepared: &Prepared,
    checksums: &Checksums,
    binary: &str,
) -> Result<String> {
    let graph = &prepared.graph;
    let linked = graph.linked();
    let mut components = Vec::new();
    for package in graph.packages.iter().filter(|package| package.id != graph.root) {
        let scope = if linked.contains(package.id.as_str()) { "required" } else { "excluded" };
        let part = prepared.parts.iter().find(|part| part.package == package.name);
        let mut component = component(dist, package, checksums)?;
        component.insert("scope".to_owned(), scope.into());
        if let Some(part) = part {
            property(&mut component, "gatewright:extension", &part.key);
        }
        components.push(Value::Object(component));
    }
    let dependencies: Vec<Value> = graph.packages.iter().map(|package| uses(dist, graph, package)).collect();
    let bill = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial(&dist.manifest.name, binary),
        "version": 1,
        "metadata": {
            "tools": { "components": [{
                "type": "application", "name": "gatewright-build", "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": {
                "type": "application",
                "bom-ref": root_reference(dist),
                "name": dist.manifest.name,
                "version": dist.manifest.version,
                "description": dist.manifest.description.as_deref().unwrap_or("A Gatewright gateway"),
                "hashes": [{ "alg": "SHA-256", "content": binary }],
            },
            "properties": [{ "name": "gatewright:toolchain", "value": prepared.cargo.rust }],
        },
        "components": components,
        "dependencies": dependencies,
    });
    Ok(format!("{bill:#}\n"))
}

fn component(dist: &Distribution, package: &Package, checksums: &Checksums) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    let mut set = |key: &str, value: Value| {
        fields.insert(key.to_owned(), value);
    };
    set("type", "library".into());
    set("bom-ref", reference(dist, package).into());
    set("name", package.name.as_str().into());
    set("version", package.version.as_str().into());
    if let Some(description) = &package.description {
        set("description", description.trim().into());
    }
    if let Some(checksum) = checksums.of(&package.name, &package.version).filter(|_| package.source.is_some())
    {
        set("hashes", json!([{ "alg": "SHA-256", "content": checksum }]));
    }
    if let Some(licences) = licences(package) {
        set("licenses", licences);
    }
    set("purl", purl(dist, package).into());
    if let Some(repository) = &package.repository {
        set("externalReferences", json!([{ "type": "vcs", "url": repository }]));
    }
    if !package.features.is_empty() {
        property(&mut fields, "cargo:features", &package.features.join(","));
    }
    if package.is_proc_macro {
        property(&mut fields, "cargo:proc-macro", "true");
    }
    if package.has_build_script {
        property(&mut fields, "cargo:build-script", "true");
    }
    if package.source.is_none() {
        property(&mut fields, "gatewright:digest", &folder_digest(package.folder())?);
    }
    Ok(fields)
}

fn property(fields: &mut Map<String, Value>, name: &str, value: &str) {
    let list = fields.entry("properties").or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(json!({ "name": name, "value": value }));
    }
}

fn uses(dist: &Distribution, graph: &Graph, package: &Package) -> Value {
    let mut used: Vec<String> =
        package.uses.iter().filter_map(|edge| Some(reference(dist, graph.get(&edge.id)?))).collect();
    used.sort();
    used.dedup();
    let own = if package.id == graph.root { root_reference(dist) } else { reference(dist, package) };
    json!({ "ref": own, "dependsOn": used })
}

fn root_reference(dist: &Distribution) -> String {
    format!("{}@{}", dist.manifest.name, dist.manifest.version)
}

/// The name of a package within the bill: its package URL, which names its source as well.
fn reference(dist: &Distribution, package: &Package) -> String {
    purl(dist, package)
}

/// The package URL: the public registry needs no more than name and version.
fn purl(dist: &Distribution, package: &Package) -> String {
    let own = format!("pkg:cargo/{}@{}", package.name, escaped(&package.version));
    match package.source.as_deref() {
        None => {
            let folder = super::generate::relative(&dist.root, package.folder());
            let shown =
                if folder.is_absolute() { package.name.clone() } else { folder.display().to_string() };
            format!("{own}?download_url={}", escaped(&format!("file://{}", shown.replace('\\', "/"))))
        }
        Some(source) if source.contains("crates.io-index") || source.contains("index.crates.io") => own,
        Some(source) => match source.strip_prefix("git+") {
            Some(git) => {
                let rev = git.rsplit('#').next().unwrap_or_default();
                let url = git.split(['?', '#']).next().unwrap_or_default();
                format!("{own}?vcs_url={}", escaped(&format!("git+{url}@{rev}")))
            }
            None => {
                let url = source.trim_start_matches("registry+").trim_start_matches("sparse+");
                format!("{own}?repository_url={}", escaped(url))
            }
        },
    }
}

/// The text with what a package URL gives a meaning of its own written as its number.
fn escaped(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// An expression in the form of today; the slash of older manifests means a choice.
fn licences(package: &Package) -> Option<Value> {
    if let Some(licence) = &package.license {
        return Some(json!([{ "expression": licence.replace('/', " OR ").replace("  ", " ") }]));
    }
    let file = package.license_file.as_ref()?;
    Some(json!([{ "license": { "name": format!("see {file}") } }]))
}

/// A number of the bill that is the same for the same binary.
fn serial(name: &str, binary: &str) -> String {
    let digest = sha256(format!("{name}\n{binary}").as_bytes());
    let digits: Vec<char> = digest.trim_start_matches("sha256:").chars().collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().iter().collect::<String>();
    // The marks of version 8, made from other data, and of the variant.
    format!("urn:uuid:{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

#[cfg(test)]
mod tests;
