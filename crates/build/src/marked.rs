//! Generated parts of hand-written pages, between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

use anyhow::{Result, bail};

/// The text between the markers; none where the page has no such pair.
pub(crate) fn find<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&begin(name))?;
    let (inside, _) = rest.split_once(&end(name))?;
    Some(inside.trim_matches('\n'))
}

/// The page with `content` between the markers.
///
/// # Errors
/// The page has no such pair of markers.
pub(crate) fn replace(page: &str, name: &str, content: &str) -> Result<String> {
    let (begin, end) = (begin(name), end(name));
    let parts = page.split_once(&begin).and_then(|(head, rest)| Some((head, rest.split_once(&end)?.1)));
    let Some((head, tail)) = parts else {
        bail!("the page has no lines `{begin}` and `{end}` to write between");
    };
    Ok(format!("{head}{begin}\n\n{}\n\n{end}{tail}", content.trim_matches('\n')))
}

fn begin(name: &str) -> String {
    format!("<!-- {name}:begin -->")
}

fn end(name: &str) -> String {
    format!("<!-- {name}:end -->")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_what_stands_between_its_own_markers() {
        let page = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n<!-- y:begin --><!-- y:end -->\n";
        let replaced = replace(page, "x", "new\n").unwrap();
        assert_eq!(
            replaced,
            "a\n<!-- x:begin -->\n\nnew\n\n<!-- x:end -->\nb\n<!-- y:begin --><!-- y:end -->\n"
        );
        assert_eq!(find(&replaced, "x"), Some("new"));
        assert_eq!(replace(&replaced, "x", "new").unwrap(), replaced, "a second time changes nothing");
    }

    #[test]
    fn a_page_without_markers_says_what_is_missing() {
        let failure = replace("text", "bench", "new").unwrap_err().to_string();
        assert!(failure.contains("<!-- bench:begin -->"), "{failure}");
        assert_eq!(find("text", "bench"), None);
    }
}
