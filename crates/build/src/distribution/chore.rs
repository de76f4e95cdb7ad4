//! The commands that work on a distribution, with their options.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use super::{BuildOptions, Distribution, Profile, prepare};
use crate::command;
use crate::console::{human, say};

/// Options of `build`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Build {
    /// Optimise, and write the binary, its lock, its bill of materials and checksums into one folder
    #[arg(long)]
    release: bool,
    /// The same with fat link-time optimisation: slower to build, smaller and faster to run
    #[arg(long)]
    dist: bool,
    /// Build for another system, as Rust names it
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Refuse to change gatewright.lock; always so where CI is set
    #[arg(long)]
    locked: bool,
    /// Take every source from the folder `vendor`, without a network (`update --vendor` fills it)
    #[arg(long)]
    vendored: bool,
    /// Write the crate that links everything, and stop
    #[arg(long)]
    generate_only: bool,
    /// Where to write what ships, or the crate under --generate-only
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Build {
    /// Builds the distribution around the current folder.
    ///
    /// # Errors
    /// It cannot be built, or breaks its own policy.
    pub(crate) fn run(self) -> Result<()> {
        let dist = Distribution::find()?;
        let start = Instant::now();
        if self.generate_only {
            let options = self.options(&dist);
            let folder = options.out.clone().unwrap_or_else(|| dist.folder());
            prepare::prepare_in(&dist, &options, &folder)?;
            say(format_args!("{} is written", folder.display()));
            return Ok(());
        }
        let built = dist.build(&self.options(&dist))?;
        say(format_args!("{} is built ({})", built.binary.display(), human(start.elapsed())));
        Ok(())
    }

    fn options(&self, dist: &Distribution) -> BuildOptions {
        let profile = match (self.dist, self.release) {
            (true, _) => Profile::Dist,
            (false, true) => Profile::of(dist.manifest.profile),
            (false, false) => Profile::Dev,
        };
        let out = self.out.as_ref().map(|out| std::path::absolute(out).unwrap_or_else(|_| out.clone()));
        BuildOptions {
            profile,
            target: self.target.clone(),
            locked: self.locked || command::in_ci(),
            vendored: self.vendored,
            out,
        }
    }
}
