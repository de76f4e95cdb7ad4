//! `main.rs`: the list of what is linked, and one call.

use anyhow::{Result, bail};

use super::{NOTE, quoted};
use crate::distribution::graph::Graph;
use crate::distribution::manifest::{Allocator, Manifest, point_variant};
use crate::distribution::part::Part;

/// The widest line that the formatter leaves on one line.
const WIDTH: usize = 110;

/// The text of `main.rs`; `libraries` are the names of the parts' libraries, in the order of the parts.
pub(crate) fn main_text(manifest: &Manifest, parts: &[Part], libraries: &[String]) -> String {
    let name = &manifest.name;
    let title = manifest.description.as_deref().unwrap_or("a Gatewright gateway").trim_end_matches('.');
    let title = title.replace(['\n', '\r'], " ");
    let mut text = format!("//! The {name} distribution: {title}.\n//!\n//! {NOTE}\n\n");
    text.push_str("// Whatever this crate depends on is linked below, or is not there.\n");
    text.push_str("#![deny(unused_crate_dependencies)]\n\nuse std::process::ExitCode;\n\n");
    text.push_str(&imports(parts, libraries));
    if manifest.allocator == Allocator::Mimalloc {
        text.push_str("\n#[global_allocator]\nstatic ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;\n");
    }
    text.push_str(
        "\n/// The extension packages that this binary is to contain; the start checks that they registered.\n",
    );
    text.push_str(&expected(parts));
    text.push_str("\nfn main() -> ExitCode {\n    gatewright_gateway::run(&Build {\n");
    text.push_str(&format!("        name: {},\n", quoted(name)));
    text.push_str("        version: env!(\"CARGO_PKG_VERSION\"),\n        expected: EXPECTED,\n");
    text.push_str(&format!("        allow_unlisted: {},\n", manifest.policy.allow_unlisted));
    text.push_str("        info: option_env!(\"GATEWRIGHT_BUILD_INFO\"),\n    })\n}\n");
    text
}

/// The libraries of the parts, under the names by which Rust code finds them.
///
/// # Errors
/// A part has no library, or is not in the graph.
pub(crate) fn libraries(graph: &Graph, parts: &[Part]) -> Result<Vec<String>> {
    let find = |part: &Part| {
        let (edge, package) = graph.direct(&part.package)?;
        if !package.has_library {
            bail!(
                "{}: the package `{}` has no library, so there is nothing to link; move its code to `src/lib.rs`",
                part.listed_in(),
                part.package
            );
        }
        Ok(edge.library.clone())
    };
    parts.iter().map(find).collect()
}

fn imports(parts: &[Part], libraries: &[String]) -> String {
    let has_points = parts.iter().any(|part| part.allow.is_some());
    let gateway = if has_points { "{Build, Expected, Point}" } else { "{Build, Expected}" };
    let mut lines: Vec<String> = libraries.iter().map(|library| format!("use {library} as _;\n")).collect();
    lines.push(format!("use gatewright_gateway::{gateway};\n"));
    lines.sort();
    lines.concat()
}

fn expected(parts: &[Part]) -> String {
    if parts.is_empty() {
        return "const EXPECTED: &[Expected] = &[];\n".to_owned();
    }
    let lines: String = parts.iter().map(entry).collect();
    format!("const EXPECTED: &[Expected] = &[\n{lines}];\n")
}

/// One entry, laid out as the formatter does it.
fn entry(part: &Part) -> String {
    let fields = [
        format!("package: {}", quoted(&part.package)),
        format!("listed_in: {}", quoted(&part.listed_in())),
        format!("points: {}", points(part)),
    ];
    let line = format!("    Expected {{ {} }},\n", fields.join(", "));
    if line.trim_end().len() <= WIDTH {
        return line;
    }
    let fields: String = fields.iter().map(|field| format!("        {field},\n")).collect();
    format!("    Expected {{\n{fields}    }},\n")
}

fn points(part: &Part) -> String {
    let Some(allow) = &part.allow else { return "None".to_owned() };
    let mut variants: Vec<&str> = allow.iter().filter_map(|name| point_variant(name)).collect();
    variants.sort_unstable();
    variants.dedup();
    let variants: Vec<String> = variants.iter().map(|variant| format!("Point::{variant}")).collect();
    format!("Some(&[{}])", variants.join(", "))
}
