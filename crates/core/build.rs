//! Empty on purpose: Cargo accepts the `links` key, which keeps one copy of this
//! crate per binary, only for a package that has a build script.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
