//! The paths in a copied manifest: one that leads into another tree leads to that tree's copy.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, TableLike};

/// The tables that hold dependencies.
const TABLES: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];

/// The text of a manifest whose paths have been replaced by `way`, where it has another one.
///
/// A text that is no TOML is left as it is: cargo says what is wrong with it.
pub(super) fn redirected(text: &str, way: &dyn Fn(&Path) -> Option<PathBuf>) -> String {
    let Ok(mut document) = text.parse::<DocumentMut>() else { return text.to_owned() };
    let mut is_changed = redirect_tables(document.as_table_mut(), way);
    if let Some(workspace) = document.get_mut("workspace").and_then(Item::as_table_like_mut) {
        is_changed |= redirect_tables(workspace, way);
    }
    if let Some(targets) = document.get_mut("target").and_then(Item::as_table_like_mut) {
        for (_, target) in targets.iter_mut() {
            if let Some(target) = target.as_table_like_mut() {
                is_changed |= redirect_tables(target, way);
            }
        }
    }
    if is_changed { document.to_string() } else { text.to_owned() }
}

fn redirect_tables(parent: &mut dyn TableLike, way: &dyn Fn(&Path) -> Option<PathBuf>) -> bool {
    let mut is_changed = false;
    for name in TABLES {
        let Some(table) = parent.get_mut(name).and_then(Item::as_table_like_mut) else { continue };
        for (_, dependency) in table.iter_mut() {
            let Some(dependency) = dependency.as_table_like_mut() else { continue };
            is_changed |= redirect(dependency, way);
        }
    }
    is_changed
}

fn redirect(dependency: &mut dyn TableLike, way: &dyn Fn(&Path) -> Option<PathBuf>) -> bool {
    let Some(item) = dependency.get_mut("path") else { return false };
    let Some(found) = item.as_str().and_then(|path| Some((path.to_owned(), way(Path::new(path))?))) else {
        return false;
    };
    let (old, new) = found;
    if super::lexical(Path::new(&old)) == super::lexical(&new) {
        return false;
    }
    *item = toml_edit::value(new.to_string_lossy().replace('\\', "/"));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ways_into_another_tree_change() {
        let text = "\
[dependencies]
near = { path = \"../near\" } # stays
far = { path = \"/srv/far\", version = \"1\" }
plain = \"1\"
[target.'cfg(unix)'.dependencies.deep]
path = \"/srv/deep\"
[workspace.dependencies]
shared = { path = \"/srv/shared\" }
";
        let way = |path: &Path| {
            let inner = path.strip_prefix("/srv").ok()?;
            Some(Path::new("../../with").join(inner))
        };
        let expected = text.replace("/srv", "../../with");
        assert_eq!(redirected(text, &way), expected);
        assert_eq!(redirected("no [toml", &way), "no [toml");
    }
}
