//! Names a new extension where a gateway is put together.
//!
//! A company's manifest gets a table at its end, its configuration an instance at the end of the list; what a chain
//! says is its author's decision and is printed. In the clone, the lists of two manifests grow by a line each and
//! `gateway-bin` is generated anew. A file that does not look as expected is left alone, and its lines are printed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Extension, Home};
use crate::console::{print, say};
use crate::distribution::manifest::{self, Manifest};
use crate::distribution::{BuildOptions, Distribution, relative};

/// The configuration beside a company's manifest.
const CONFIGURATION: &str = "gateway.yaml";
/// The list of instances in it.
const INSTANCES: &str = "extensions:";

pub(super) fn list(root: &Path, extension: &Extension) -> Result<()> {
    match extension.home {
        Home::Company => {
            list_in_manifest(root, extension)?;
            list_in_configuration(root, extension)?;
        }
        Home::Clone => list_in_clone(root, extension)?,
    }
    say("it runs once the configuration names it:");
    for point in &extension.points {
        say(format_args!("  {}: {}", point.place().shown(), extension.name));
    }
    Ok(())
}

/// Changes a file by a function of its text; where that has no answer, the lines are printed for a person to add.
fn change(root: &Path, file: &str, lines: &str, edit: impl Fn(&str) -> Option<String>) -> Result<()> {
    let path = root.join(file);
    let text = fs::read_to_string(&path).ok();
    match text.as_deref().and_then(edit) {
        Some(text) => {
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            say(format_args!("{file} names it"));
        }
        None => {
            say(format_args!("{file} does not look as expected; add these lines to it:"));
            print(lines);
        }
    }
    Ok(())
}

// === In a company's repository ===

fn list_in_manifest(root: &Path, extension: &Extension) -> Result<()> {
    let (name, folder) = (&extension.name, extension.folder());
    let allow: Vec<String> = extension.points.iter().map(|point| format!("\"{}\"", point.name)).collect();
    let folder = folder.display();
    let lines = format!("[extensions.{name}]\npath = \"{folder}\"\nallow = [{}]\n", allow.join(", "));
    change(root, manifest::FILE, &lines, |text| appended(text, &lines, name.as_str()))
}

/// The manifest with a table at its end, if it is one with it.
fn appended(text: &str, lines: &str, key: &str) -> Option<String> {
    let text = format!("{}\n\n{lines}", text.trim_end());
    let is_listed = |manifest: Manifest| manifest.extensions.iter().any(|entry| entry.key == key);
    Manifest::parse(&text).is_ok_and(is_listed).then_some(text)
}

fn list_in_configuration(root: &Path, extension: &Extension) -> Result<()> {
    let lines = extension.instances("  ");
    if lines.is_empty() {
        return Ok(());
    }
    change(root, CONFIGURATION, &lines, |text| with_instance(text, |indent| extension.instance(indent)))
}

/// The configuration with one more item at the end of its list of instances, which must be written as a block.
fn with_instance(text: &str, item: impl Fn(&str) -> String) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let is_list =
        |line: &&str| line.trim_end().split(" #").next().is_some_and(|line| line.trim_end() == INSTANCES);
    let begin = lines.iter().position(is_list)?;
    let is_twice = lines.iter().filter(|line| line.starts_with(INSTANCES)).count() > 1;
    let below = lines.iter().skip(begin + 1);
    let is_inside = |line: &&&str| line.is_empty() || line.starts_with([' ', '-', '#']);
    let inside: Vec<&str> = below.take_while(is_inside).copied().collect();
    let first = inside.iter().find(|line| line.trim_start().starts_with("- "))?;
    let indent = first.get(..first.len() - first.trim_start().len())?;
    let is_of_item = |line: &&str| {
        let content = line.trim_start();
        !content.is_empty() && !content.starts_with('#') && line.starts_with(indent)
    };
    let last = inside.iter().rposition(is_of_item)?;
    if is_twice || text.contains('\t') {
        return None;
    }
    let (head, tail) = lines.split_at(begin + 1 + last + 1);
    let join = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    Some(format!("{}\n{}{}", join(head), item(indent), join(tail)))
}

// === In the clone ===

fn list_in_clone(root: &Path, extension: &Extension) -> Result<()> {
    list_in_clone_manifests(root, extension)?;
    let written = Distribution::load(root)?.generate(&BuildOptions::default())?;
    say(format_args!("{} links it", relative(root, &written).display()));
    Ok(())
}

fn list_in_clone_manifests(root: &Path, extension: &Extension) -> Result<()> {
    let (package, folder) = (extension.package(), extension.folder());
    let (name, folder) = (&extension.name, folder.display().to_string());
    let kind = if extension.is_provider() { "gatewright-provider-" } else { "gatewright-ext-" };
    if !extension.is_provider() {
        let member = format!("    \"{folder}\",\n");
        change(root, "Cargo.toml", &member, |text| {
            after_last(text, "    \"extensions/", "providers/*", &member)
        })?;
    }
    let dependency = format!("{package} = {{ path = \"{folder}\" }}\n");
    change(root, "Cargo.toml", &dependency, |text| after_last(text, kind, "no exception", &dependency))?;
    let entry = format!("{name} = {{ path = \"{folder}\" }}\n");
    change(root, manifest::FILE, &entry, |text| {
        let text = format!("{}\n{entry}", text.trim_end());
        let is_listed =
            |manifest: Manifest| manifest.extensions.iter().any(|known| known.key == name.as_str());
        Manifest::parse(&text).is_ok_and(is_listed).then_some(text)
    })
}

/// The text with a line after the last one that begins so, but for those that hold `except`.
fn after_last(text: &str, begin: &str, except: &str, line: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let last = lines.iter().rposition(|known| known.starts_with(begin) && !known.contains(except))?;
    let (head, tail) = lines.split_at(last + 1);
    Some(format!("{}{line}{}", head.concat(), tail.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use crate::new::name::Name;
    use crate::new::point::Point;

    fn item(indent: &str) -> String {
        format!("{indent}- id: new\n{indent}  use: new\n")
    }

    #[test]
    fn an_instance_goes_to_the_end_of_the_list_in_the_same_form() {
        let text = "a: 1\nextensions: # ours\n  - id: x\n    use: x\n\n    # why\n    with: {}\n\n# Next.\nroutes:\n  - a\n";
        let expected = "a: 1\nextensions: # ours\n  - id: x\n    use: x\n\n    # why\n    with: {}\n\n  - id: new\n    use: new\n\n# Next.\nroutes:\n  - a\n";
        assert_eq!(with_instance(text, item).as_deref(), Some(expected));
        let flat = "extensions:\n- id: x\n  use: x\nroutes: []\n";
        let expected = "extensions:\n- id: x\n  use: x\n\n- id: new\n  use: new\nroutes: []\n";
        assert_eq!(with_instance(flat, item).as_deref(), Some(expected));
    }

    #[test]
    fn a_list_in_another_form_is_left_alone() {
        for text in [
            "extensions: []\n",
            "extensions: [{ id: x }]\n",
            "routes: []\n",
            "extensions:\n\t- id: x\n",
            "extensions:\n",
        ] {
            assert_eq!(with_instance(text, item), None, "{text}");
        }
    }

    #[test]
    fn a_table_goes_to_the_end_of_a_manifest_that_can_take_it() {
        let head = "manifest = 1\n[dist]\nname = \"acme\"\nversion = \"0.1.0\"\n[core]\npath = \".\"\n";
        let lines = "[extensions.x]\npath = \"extensions/x\"\nallow = [\"request\"]\n";
        assert_eq!(appended(head, lines, "x"), Some(format!("{head}\n{lines}")));
        assert_eq!(appended(&format!("{head}\n{lines}"), lines, "x"), None, "the key is taken");
    }

    #[test]
    fn the_clone_lists_providers_in_a_folder_of_their_own() {
        let workspace = "[workspace]\nmembers = [\n    \"extensions/mask\",\n    \"extensions/providers/*\",\n]\n\
                         [workspace.dependencies]\ngatewright-ext-mask = { path = \"extensions/mask\" }\n\
                         gatewright-provider-a = { path = \"extensions/providers/a\" }\n";
        let manifest = "manifest = 1\n[dist]\nname = \"gatewright\"\nversion = \"0.1.0\"\n[core]\npath = \".\"\n\
                        [extensions]\nmask = { path = \"extensions/mask\" }\n";
        let fixture = Fixture::new(&[("Cargo.toml", workspace), (manifest::FILE, manifest)]);
        for (name, point) in [("tag", "response"), ("b", "provider")] {
            let points = Point::parse_all(&[point.to_owned()]).unwrap();
            let extension = Extension { name: Name::parse(name).unwrap(), points, home: Home::Clone };
            list_in_clone_manifests(fixture.root(), &extension).unwrap();
        }
        let read = |file: &str| fs::read_to_string(fixture.root().join(file)).unwrap();
        let expected = "[workspace]\nmembers = [\n    \"extensions/mask\",\n    \"extensions/tag\",\n    \
                        \"extensions/providers/*\",\n]\n[workspace.dependencies]\n\
                        gatewright-ext-mask = { path = \"extensions/mask\" }\n\
                        gatewright-ext-tag = { path = \"extensions/tag\" }\n\
                        gatewright-provider-a = { path = \"extensions/providers/a\" }\n\
                        gatewright-provider-b = { path = \"extensions/providers/b\" }\n";
        assert_eq!(read("Cargo.toml"), expected);
        let lines = "tag = { path = \"extensions/tag\" }\nb = { path = \"extensions/providers/b\" }\n";
        assert!(read(manifest::FILE).ends_with(lines));
    }

    #[test]
    fn a_line_goes_after_its_kind() {
        let text = "a = 1\ngatewright-ext-a = 1\ngatewright-ext-b = 1\n\nz = 1\n";
        let expected = "a = 1\ngatewright-ext-a = 1\ngatewright-ext-b = 1\nnew\n\nz = 1\n";
        assert_eq!(after_last(text, "gatewright-ext-", "no exception", "new\n").as_deref(), Some(expected));
        assert_eq!(after_last(text, "nothing", "no exception", "new\n"), None);
    }
}
