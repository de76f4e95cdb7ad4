//! Finds the functions of a scanned file: name, place, length, attributes.

use super::Line;

/// A function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The line of the word `fn`, from 1.
    pub(crate) line: usize,
    /// The line of the closing brace, from 1.
    pub(crate) end: usize,
    /// Lines of code between the braces, without blank lines and comments.
    pub(crate) length: usize,
    /// The attributes above it, as one text.
    pub(crate) attributes: String,
    pub(crate) test: bool,
}

/// All functions with a body, in the order in which they begin.
pub(super) fn find(lines: &[Line]) -> Vec<Function> {
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, name) in declarations(&line.code) {
            let Some((open, close)) = body(lines, index, column) else { continue };
            let inside = lines.iter().take(close).skip(open + 1);
            found.push(Function {
                name,
                line: index + 1,
                end: close + 1,
                length: inside.filter(|line| line.has_code()).count(),
                attributes: attributes(lines, index),
                test: line.test,
            });
        }
    }
    found
}

/// The names after each `fn` of the line, with the column behind the name.
fn declarations(code: &str) -> Vec<(usize, String)> {
    code.match_indices("fn ")
        .filter(|(at, _)| {
            let before = code.get(..*at).and_then(|head| head.chars().next_back());
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
        .filter_map(|(at, keyword)| {
            let from = at + keyword.len();
            let name: String = code
                .get(from..)?
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '#')
                .collect();
            (!name.is_empty()).then(|| (from + name.len(), name))
        })
        .collect()
}

/// The indexes of the lines with the opening and the closing brace; none for a declaration that ends in a semicolon.
fn body(lines: &[Line], start: usize, column: usize) -> Option<(usize, usize)> {
    let mut nesting = 0_usize;
    let mut open = None;
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate().skip(start) {
        let code = if index == start { line.code.get(column..).unwrap_or_default() } else { &line.code };
        for c in code.chars() {
            match (c, open) {
                ('(' | '[', None) => nesting += 1,
                (')' | ']', None) => nesting = nesting.saturating_sub(1),
                (';', None) if nesting == 0 => return None,
                ('{', None) if nesting == 0 => (open, depth) = (Some(index), 1),
                ('{', Some(_)) => depth += 1,
                ('}', Some(first)) if depth == 1 => return Some((first, index)),
                ('}', Some(_)) => depth -= 1,
                _ => {}
            }
        }
    }
    None
}

fn attributes(lines: &[Line], index: usize) -> String {
    let above = lines.iter().take(index).rev();
    let mut found: Vec<&str> = above
        .take_while(|line| {
            let code = line.code.trim();
            code.starts_with('#') || (code.is_empty() && !line.comment.is_empty())
        })
        .map(|line| line.code.trim())
        .collect();
    found.reverse();
    found.concat()
}

#[cfg(test)]
mod tests {
    use crate::source::Source;

    #[test]
    fn counts_lines_of_code_between_the_braces() {
        let text = "\
#[inline]
/// Says one.
fn one(a: [u8; 3]) -> u8 {
    // a comment

    let b = \"{\";
    a[0]
}
trait T { fn none(&self); }
fn two() { fn inner() {} }
async fn three<F>(f: F)
where
    F: Fn() -> (),
{
    f();
}
";
        let functions = Source::new("a.rs", text, false).functions();
        let found: Vec<_> = functions.iter().map(|f| (f.name.as_str(), f.line, f.end, f.length)).collect();
        assert_eq!(found, [("one", 3, 8, 2), ("two", 10, 10, 0), ("inner", 10, 10, 0), ("three", 11, 16, 1)]);
        assert_eq!(functions.first().map(|f| f.attributes.as_str()), Some("#[inline]"));
    }

    #[test]
    fn a_function_pointer_is_no_function() {
        let functions =
            Source::new("a.rs", "struct S { f: fn(u8) -> u8 }\ntype F = fn (u8);\n", false).functions();
        assert!(functions.is_empty(), "{functions:?}");
    }
}
