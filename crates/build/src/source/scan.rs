//! The scanner: which characters of a file are code, which are inside literals, which are comments.
//!
//! It never fails: a file that does not compile gives some division, and the compiler says what is wrong with it.

use super::Line;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

/// Divides a file into lines of code, string contents and comments.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut scanner = Scanner {
        rest: text.chars().collect(),
        at: 0,
        state: State::Code,
        line: Line::default(),
        done: Vec::new(),
    };
    while scanner.at < scanner.rest.len() {
        scanner.step();
    }
    if !scanner.line.is_blank() {
        scanner.end_line();
    }
    scanner.done
}

struct Scanner {
    rest: Vec<char>,
    at: usize,
    state: State,
    line: Line,
    done: Vec<Line>,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn end_line(&mut self) {
        self.done.push(std::mem::take(&mut self.line));
    }

    fn step(&mut self) {
        let Some(c) = self.peek(0) else { return };
        if c == '\n' {
            self.end_line();
            self.at += 1;
            if self.state == State::LineComment {
                self.state = State::Code;
            }
            return;
        }
        match self.state {
            State::Code => self.code(c),
            State::LineComment => self.take_comment(1),
            State::BlockComment { depth } => self.block_comment(c, depth),
            State::Text => self.text(c),
            State::RawText { hashes } => self.raw_text(c, hashes),
        }
    }

    fn code(&mut self, c: char) {
        match (c, self.peek(1)) {
            ('/', Some('/')) => {
                self.state = State::LineComment;
                self.take_comment(2);
            }
            ('/', Some('*')) => {
                self.state = State::BlockComment { depth: 1 };
                self.take_comment(2);
            }
            ('"', _) => {
                self.state = State::Text;
                self.begin_string();
            }
            ('r', Some('"' | '#')) if !self.after_word() => self.raw_start(),
            ('\'', _) => self.quote(),
            _ => self.take_code(1),
        }
    }

    /// Whether the character before is part of a word, so that an `r` here begins no raw string.
    fn after_word(&self) -> bool {
        let mut before = self.line.code.chars().rev();
        match before.next() {
            Some('b' | 'c') => before.next().is_some_and(|c| c.is_alphanumeric() || c == '_'),
            Some(c) => c.is_alphanumeric() || c == '_',
            None => false,
        }
    }

    fn raw_start(&mut self) {
        let hashes = (1..).take_while(|&ahead| self.peek(ahead) == Some('#')).count();
        if self.peek(1 + hashes) == Some('"') {
            self.state = State::RawText { hashes };
            self.at += 1 + hashes;
            self.begin_string();
        } else {
            self.take_code(1);
        }
    }

    /// Takes the quote. Two literals on a line are kept apart.
    fn begin_string(&mut self) {
        if !self.line.strings.is_empty() {
            self.line.strings.push(' ');
        }
        self.take_code(1);
    }

    /// A character literal stands as an empty one; a lifetime stays.
    fn quote(&mut self) {
        let length = match (self.peek(1), self.peek(2)) {
            (Some('\\'), _) => (3..12).find(|&ahead| self.peek(ahead) == Some('\'')).map(|end| end + 1),
            (Some(_), Some('\'')) => Some(3),
            _ => None,
        };
        match length {
            Some(length) => {
                self.line.code.push_str("''");
                self.at += length;
            }
            None => self.take_code(1),
        }
    }

    fn block_comment(&mut self, c: char, depth: usize) {
        match (c, self.peek(1)) {
            ('*', Some('/')) => {
                self.state = if depth == 1 { State::Code } else { State::BlockComment { depth: depth - 1 } };
                self.take_comment(2);
            }
            ('/', Some('*')) => {
                self.state = State::BlockComment { depth: depth + 1 };
                self.take_comment(2);
            }
            _ => self.take_comment(1),
        }
    }

    fn text(&mut self, c: char) {
        match (c, self.peek(1)) {
            ('"', _) => {
                self.state = State::Code;
                self.take_code(1);
            }
            ('\\', Some(escaped)) if escaped != '\n' => {
                self.line.strings.push(' ');
                self.at += 2;
            }
            _ => self.take_string(),
        }
    }

    fn raw_text(&mut self, c: char, hashes: usize) {
        if c == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
            self.state = State::Code;
            self.take_code(1);
            self.at += hashes;
        } else {
            self.take_string();
        }
    }

    fn take_code(&mut self, count: usize) {
        let taken = (0..count).filter_map(|ahead| self.peek(ahead)).collect::<String>();
        self.line.code.push_str(&taken);
        self.at += count;
    }

    fn take_comment(&mut self, count: usize) {
        let taken = (0..count).filter_map(|ahead| self.peek(ahead)).collect::<String>();
        self.line.comment.push_str(&taken);
        self.at += count;
    }

    fn take_string(&mut self) {
        self.line.strings.extend(self.peek(0));
        self.at += 1;
    }
}

/// Marks the items under `#[cfg(test)]`, from the attribute to the closing brace or semicolon.
pub(super) fn mark_tests(lines: &mut [Line]) {
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        let Some(attribute_end) = test_attribute_end(&line.code) else {
            index += 1;
            continue;
        };
        let end = item_end(lines, index, attribute_end);
        for line in lines.iter_mut().take(end + 1).skip(index) {
            line.test = true;
        }
        index = end + 1;
    }
}

/// Where on the line an attribute that restricts the next item to tests ends.
fn test_attribute_end(code: &str) -> Option<usize> {
    let start = ["#[cfg(test)]", "#[cfg(all(test"].into_iter().find_map(|attribute| code.find(attribute))?;
    code.get(start..)?.find(']').map(|end| start + end + 1)
}

/// The index of the line on which the item that begins at `column` of line `start` ends.
fn item_end(lines: &[Line], start: usize, column: usize) -> usize {
    let mut depth = 0_usize;
    for (index, line) in lines.iter().enumerate().skip(start) {
        let code = if index == start { line.code.get(column..).unwrap_or_default() } else { &line.code };
        for c in code.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth <= 1 => return index,
                '}' => depth -= 1,
                ';' if depth == 0 => return index,
                _ => {}
            }
        }
    }
    lines.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, strings: &str, comment: &str) {
        let lines = lines(text);
        let join = |part: fn(&Line) -> &str| lines.iter().map(part).collect::<Vec<_>>().join("\n");
        assert_eq!(join(|line| &line.code), code, "code of {text}");
        assert_eq!(join(|line| &line.strings), strings, "strings of {text}");
        assert_eq!(join(|line| &line.comment), comment, "comments of {text}");
    }

    #[test]
    fn divides_code_from_literals_and_comments() {
        check("let a = 1; // why", "let a = 1; ", "", "// why");
        check(r#"let a = "x // y";"#, "let a = \"\";", "x // y", "");
        check(r#"let a = "x \" y";"#, "let a = \"\";", "x   y", "");
        check("a /* b /* c */ d */ e", "a  e", "", "/* b /* c */ d */");
        check("let a = r#\"x \" // y\"#;", "let a = \"\";", "x \" // y", "");
        check("let a = br\"x\\\";", "let a = b\"\";", "x\\", "");
        check(r#"f("a", "b")"#, r#"f("", "")"#, "a b", "");
        check("let a = \"x\ny\"; b", "let a = \"\n\"; b", "x\ny", "\n");
        check("/* x\ny */ b", "\n b", "\n", "/* x\ny */");
    }

    #[test]
    fn tells_characters_from_lifetimes() {
        check("match c { '{' => '\\'', '\"' => 'a' }", "match c { '' => '', '' => '' }", "", "");
        check("fn f<'a>(x: &'a str) -> &'static str", "fn f<'a>(x: &'a str) -> &'static str", "", "");
        check("let r#type = '\\u{1F600}';", "let r#type = '';", "", "");
    }

    #[test]
    fn marks_only_what_is_compiled_for_tests() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { if x {} }\n}\nfn c() {}\n#[cfg(test)] use x;\nfn d() {}\n";
        let mut lines = lines(text);
        mark_tests(&mut lines);
        let marked: Vec<usize> =
            (1..).zip(&lines).filter(|(_, line)| line.test).map(|(number, _)| number).collect();
        assert_eq!(marked, [2, 3, 4, 5, 7]);
    }

    #[test]
    fn any_text_is_divided_without_panic() {
        for text in ["\"", "'", "'\\", "r#", "r#\"", "/*", "b", "\\", "#[cfg(test)]", "}}}", "'\u{1F600}"] {
            mark_tests(&mut lines(text));
        }
    }
}
