//! What ships: the binary, its lock, its bill of materials and the checksums of the three, in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::generate::write;
use super::info::sha256;
use super::lock::Checksums;
use super::prepare::Prepared;
use super::{Distribution, sbom};
use crate::console::say;

/// The names of the files beside the binary.
const LOCK: &str = "gatewright.lock";
const SUMS: &str = "SHA256SUMS";

/// Writes the folder, and returns where the binary lies in it.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn ship(
    dist: &Distribution,
    prepared: &Prepared,
    binary: &Path,
    lock: &Path,
    out: &Path,
) -> Result<PathBuf> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let name = binary.file_name().context("the binary has no name")?.to_string_lossy().into_owned();
    let shipped = out.join(&name);
    // A file of the same name may be running: it is replaced, not written over.
    if shipped.exists() {
        fs::remove_file(&shipped).with_context(|| format!("cannot replace {}", shipped.display()))?;
    }
    fs::copy(binary, &shipped).with_context(|| format!("cannot write {}", shipped.display()))?;
    let text = fs::read_to_string(lock).with_context(|| format!("cannot read {}", lock.display()))?;
    write(&out.join(LOCK), &text)?;
    let content = fs::read(&shipped).with_context(|| format!("cannot read {}", shipped.display()))?;
    let digest = sha256(&content);
    let digest = digest.trim_start_matches("sha256:");
    let bill_name = format!("{}.cdx.json", dist.manifest.name);
    let bill = sbom::text(dist, prepared, &Checksums::read(lock)?, digest)?;
    write(&out.join(&bill_name), &bill)?;
    let mut sums = [
        (name, digest.to_owned()),
        (LOCK.to_owned(), plain(text.as_bytes())),
        (bill_name, plain(bill.as_bytes())),
    ];
    sums.sort();
    let sums: String = sums.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect();
    write(&out.join(SUMS), &sums)?;
    say(format_args!("{} holds what ships:\n{}", out.display(), sums.trim_end()));
    Ok(shipped)
}

fn plain(bytes: &[u8]) -> String {
    sha256(bytes).trim_start_matches("sha256:").to_owned()
}
