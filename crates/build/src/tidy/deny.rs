//! `deny.toml` holds the same walls as the layer table: its wrappers are compared with the table's second half.
//!
//! The manifests are one guard of the table, the resolved graph that cargo-deny looks at is the other.

use super::layer::{EXCLUSIVE, Exclusive, Layer};
use crate::tidy::Finding;
use crate::workspace::Workspace;

const FILE: &str = "deny.toml";

pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let Some(table) = workspace.read(FILE).ok().and_then(|text| text.parse::<toml::Table>().ok()) else {
        return vec![Finding::new(FILE, 0, "this file must be there, as TOML: cargo-deny reads it")];
    };
    let bans = table.get("bans").and_then(|bans| bans.get("deny")).and_then(toml::Value::as_array);
    let bans: Vec<Ban<'_>> = bans.into_iter().flatten().filter_map(Ban::read).collect();
    let mut found: Vec<Finding> = bans.iter().filter_map(|ban| strangers(workspace, ban)).collect();
    // A crate with one owner is walled off here too; where several share, the manifests' check is enough.
    for row in EXCLUSIVE.iter().filter(|row| row.only.len() <= 1 && row.features.is_empty()) {
        for name in row.crates.iter().filter(|name| bans.iter().all(|ban| ban.name != **name)) {
            let message =
                format!("add `{name}` to bans.deny with the wrappers of the layer table ({})", row.what);
            found.push(Finding::new(FILE, 0, message));
        }
    }
    found
}

struct Ban<'a> {
    name: &'a str,
    wrappers: Vec<&'a str>,
}

impl<'a> Ban<'a> {
    fn read(value: &'a toml::Value) -> Option<Self> {
        let name = value.get("crate").or_else(|| value.get("name"))?.as_str()?;
        let wrappers = value.get("wrappers").and_then(toml::Value::as_array).into_iter().flatten();
        Some(Self { name, wrappers: wrappers.filter_map(toml::Value::as_str).collect() })
    }
}

/// A wrapper of ours that the layer table does not know.
fn strangers(workspace: &Workspace, ban: &Ban<'_>) -> Option<Finding> {
    let row = EXCLUSIVE.iter().find(|row| row.crates.contains(&ban.name) && row.features.is_empty())?;
    let ours = |name: &&&str| workspace.packages.iter().any(|package| package.name == **name);
    let allowed =
        |name: &str, row: &Exclusive| Layer::of(name).is_some_and(|layer| row.only.contains(&layer));
    let stranger = ban.wrappers.iter().filter(ours).find(|name| !allowed(name, row))?;
    let message = format!(
        "`{}` may not be wrapped by `{stranger}`: the layer table gives it to other layers",
        ban.name
    );
    Some(Finding::new(FILE, 0, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::testing::said_of;

    fn said(deny: &str) -> Vec<String> {
        let files = [
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
            ("a/Cargo.toml", "[package]\nname = \"gatewright-policy\"\n"),
            ("a/src/lib.rs", "//! A.\n"),
            ("deny.toml", deny),
        ];
        said_of(check, &files)
    }

    fn all_banned() -> String {
        let owned = EXCLUSIVE.iter().filter(|row| row.only.len() <= 1 && row.features.is_empty());
        let bans: Vec<String> =
            owned.flat_map(|row| row.crates).map(|name| format!("{{ crate = \"{name}\" }}")).collect();
        format!("[bans]\ndeny = [{}]\n", bans.join(", "))
    }

    #[test]
    fn repeats_the_walls_of_the_layer_table() {
        assert_eq!(said(&all_banned()), [""; 0]);
        let without = said(&all_banned().replace("{ crate = \"sqlx\" },", ""));
        assert!(matches!(without.as_slice(), [one] if one.contains("add `sqlx`")), "{without:?}");
        let wrapped = "{ crate = \"sqlx\", wrappers = [\"gatewright-policy\"] }";
        let stranger = said(&all_banned().replace("{ crate = \"sqlx\" }", wrapped));
        assert!(
            matches!(stranger.as_slice(), [one] if one.contains("`sqlx` may not be wrapped")),
            "{stranger:?}"
        );
        assert_eq!(said("no toml").len(), 1);
    }
}
