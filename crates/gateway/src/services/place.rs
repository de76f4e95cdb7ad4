//! Where instances have their directories.

use std::fmt::Write as _;
use std::path::PathBuf;

use gatewright::InstanceId;
use gatewright::service::Random;

/// The directory that the instances' own directories are in.
pub(super) enum Place {
    /// It stays.
    Kept(PathBuf),
    /// It is made by whoever writes first, and removed in the end.
    Passing(PathBuf),
}

impl Place {
    /// A directory for a rehearsal, under a name that nobody else uses.
    pub(super) fn passing(random: &dyn Random) -> Self {
        let name = format!("gatewright-rehearsal-{:016x}{:016x}", random.next_u64(), random.next_u64());
        Self::Passing(std::env::temp_dir().join(name))
    }

    /// The directory of an instance, which is not made here.
    pub(super) fn directory(&self, id: &InstanceId) -> PathBuf {
        match self {
            Self::Kept(path) | Self::Passing(path) => path.join(file_name(id.as_str())),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Passing(path) = self {
            // Mostly nobody wrote anything, and then there is nothing to remove.
            let _absent = std::fs::remove_dir_all(path);
        }
    }
}

/// An id as one part of a path: whatever could mean something to a file system is written as `%` and two digits.
fn file_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for (place, byte) in id.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"-_:".contains(&byte) || (byte == b'.' && place > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _written = write!(name, "%{byte:02x}");
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn an_id_stays_one_part_of_a_path() {
        assert_eq!(file_name("mask-eu_2.b"), "mask-eu_2.b");
        assert_eq!(file_name("provider:vendor"), "provider:vendor");
        assert_eq!(file_name("../etc"), "%2e.%2fetc");
        assert_eq!(file_name("a/b c%"), "a%2fb%20c%25");
    }
}
