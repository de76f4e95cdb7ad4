//! What a statement of an extension is, before SQLite sees it: one statement, of a kind that stays inside the
//! instance's own file.
//!
//! The kinds that are let through are listed, so what is not known is refused: other files (`ATTACH`, `VACUUM INTO`),
//! settings of the connection (`PRAGMA`), transactions (`BEGIN`, `COMMIT`), and a second statement in one text.
//! Tokens are told apart as SQLite does, so that nothing hides in a quote or a comment.

/// Why a statement is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Nothing but space and comments.
    #[error("the statement is empty")]
    Empty,
    /// More than one statement.
    #[error("the text has more than one statement; give each as a statement of its own")]
    Several,
    /// A character that has no place in a statement outside quotes.
    #[error("`{0}` stands outside quotes; parameters are written ?1, ?2 and so on")]
    Character(char),
    /// A kind of statement that is not for extensions.
    #[error("`{0}` is not for extensions")]
    Kind(String),
    /// One that changes something, where something is asked.
    #[error("`{0}` changes the database; use `write`")]
    Writes(String),
    /// One that asks something, where something is changed.
    #[error("`{0}` changes nothing; use `query`")]
    Reads(String),
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Answers rows.
    Query,
    /// Changes rows.
    Change,
    /// Changes tables.
    Definition,
}

/// Says what a statement that may answer rows is.
pub(super) fn query(text: &str) -> Result<(), Refused> {
    match inspect(text)? {
        (Kind::Query, _) => Ok(()),
        (Kind::Change | Kind::Definition, verb) => Err(Refused::Writes(verb)),
    }
}

/// Says what a statement that may change something is, and whether it changes rows.
pub(super) fn change(text: &str) -> Result<Kind, Refused> {
    match inspect(text)? {
        (Kind::Query, verb) => Err(Refused::Reads(verb)),
        (kind, _) => Ok(kind),
    }
}

fn inspect(text: &str) -> Result<(Kind, String), Refused> {
    let mut statement = Statement::default();
    let mut tokens = Tokens(text);
    while let Some(token) = tokens.next()? {
        statement.take(token)?;
    }
    statement.kind()
}

/// A piece of a statement, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A keyword or a bare name, in capitals.
    Word(String),
    Semicolon,
    Open,
    Close,
    /// Anything else: a quoted text, a number, a sign.
    Other,
}

/// What was seen of a statement so far.
#[derive(Debug, Default)]
struct Statement {
    /// The first words, enough to tell a trigger.
    first: Vec<String>,
    /// The verb behind the parts of a `WITH`.
    verb: Option<String>,
    depth: usize,
    /// The last two tokens, for the end of a trigger.
    last: [Option<Token>; 2],
    ended: bool,
}

impl Statement {
    fn take(&mut self, token: Token) -> Result<(), Refused> {
        if self.ended {
            return if token == Token::Semicolon { Ok(()) } else { Err(Refused::Several) };
        }
        match &token {
            Token::Word(word) => self.word(word),
            Token::Open => self.depth += 1,
            Token::Close => self.depth = self.depth.saturating_sub(1),
            Token::Semicolon => self.ended = !self.is_trigger() || self.is_after_trigger(),
            Token::Other => {}
        }
        if self.first.is_empty() && token != Token::Semicolon {
            return Err(Refused::Kind(String::from("this")));
        }
        self.last = [self.last[1].take(), Some(token)];
        Ok(())
    }

    fn word(&mut self, word: &str) {
        const VERBS: [&str; 6] = ["SELECT", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE"];
        if self.first.len() < 3 {
            self.first.push(word.to_owned());
        }
        if self.depth == 0 && self.verb.is_none() && VERBS.contains(&word) {
            self.verb = Some(word.to_owned());
        }
    }

    /// The statements of a trigger's body end with semicolons of their own.
    fn is_trigger(&self) -> bool {
        let words: Vec<&str> = self.first.iter().map(String::as_str).collect();
        matches!(words[..], ["CREATE", "TRIGGER", ..] | ["CREATE", "TEMP" | "TEMPORARY", "TRIGGER"])
    }

    /// A trigger ends with a semicolon behind an `END` that itself stands behind a semicolon.
    fn is_after_trigger(&self) -> bool {
        let end = Token::Word("END".to_owned());
        self.last == [Some(Token::Semicolon), Some(end)]
    }

    fn kind(self) -> Result<(Kind, String), Refused> {
        let first = self.first.into_iter().next().ok_or(Refused::Empty)?;
        let verb = if first == "WITH" { self.verb.unwrap_or_default() } else { first };
        let kind = match verb.as_str() {
            "SELECT" | "VALUES" => Kind::Query,
            "INSERT" | "REPLACE" | "UPDATE" | "DELETE" => Kind::Change,
            "CREATE" | "DROP" | "ALTER" | "REINDEX" | "ANALYZE" => Kind::Definition,
            _ => return Err(Refused::Kind(verb)),
        };
        Ok((kind, verb))
    }
}

/// The rest of a text, token by token.
struct Tokens<'a>(&'a str);

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, Refused> {
        self.skip_blank();
        let Some(first) = self.0.chars().next() else { return Ok(None) };
        let length = match first {
            '\'' | '"' | '`' => quoted(self.0, first),
            '[' => self.0.find(']').map_or(self.0.len(), |end| end + 1),
            // SQLite gives these a syntax of their own, in which quotes are no quotes.
            '$' | '@' | '#' | ':' | '\0' => return Err(Refused::Character(first)),
            letter if is_name(letter) => self.0.find(|other| !is_name(other)).unwrap_or(self.0.len()),
            other => other.len_utf8(),
        };
        let (token, rest) = self.0.split_at(length);
        self.0 = rest;
        Ok(Some(match first {
            ';' => Token::Semicolon,
            '(' => Token::Open,
            ')' => Token::Close,
            letter if is_name(letter) => Token::Word(token.to_ascii_uppercase()),
            _ => Token::Other,
        }))
    }

    /// Skips space and comments.
    fn skip_blank(&mut self) {
        loop {
            self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
            if let Some(comment) = self.0.strip_prefix("--") {
                self.0 = comment.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(comment) = self.0.strip_prefix("/*") {
                self.0 = comment.split_once("*/").map_or("", |(_, rest)| rest);
            } else {
                return;
            }
        }
    }
}

/// The bytes of names and numbers; SQLite counts all beyond ASCII among them.
fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
}

/// How long the quoted text at the beginning is. A doubled quote stands for one inside, which as far as this matters
/// is the end of one text and the beginning of the next.
fn quoted(text: &str, quote: char) -> usize {
    let inside = text.get(1..).unwrap_or_default();
    inside.find(quote).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::{Kind, Refused, change, query};

    #[test]
    fn lets_through_what_stays_in_the_file() {
        for text in [
            "SELECT 1",
            "  -- why\n /* and */ select ';' , \"a;b\", `c;`, [d;] from t;",
            "VALUES (1), (2) ; ; -- the end",
            "WITH a AS (INSERT), b AS (SELECT 1) SELECT * FROM a",
            "SELECT ?1, data->>'$.name' FROM t",
        ] {
            assert_eq!(query(text), Ok(()), "{text}");
        }
        for (text, kind) in [
            ("INSERT INTO t VALUES ('it''s; DROP')", Kind::Change),
            ("WITH gone AS (SELECT 1) DELETE FROM t WHERE id IN gone", Kind::Change),
            ("CREATE TABLE t (a)", Kind::Definition),
            ("CREATE VIRTUAL TABLE f USING fts5(text)", Kind::Definition),
            (
                "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM b; END;",
                Kind::Definition,
            ),
        ] {
            assert_eq!(change(text), Ok(kind), "{text}");
        }
    }

    #[test]
    fn refuses_what_reaches_other_files_or_the_connection() {
        for text in [
            "ATTACH DATABASE 'other.db' AS other",
            "/* x */ attach 'a' as b",
            "DETACH other",
            "VACUUM",
            "VACUUM INTO 'copy.db'",
            "PRAGMA temp_store_directory = '/'",
            "BEGIN",
            "COMMIT",
            "ROLLBACK",
            "SAVEPOINT a",
            "RELEASE a",
            "END",
            "EXPLAIN SELECT 1",
            "WITH a AS (SELECT 1) ATTACH 'b' AS c",
            "\u{feff}ATTACH 'a' AS b",
            "(SELECT 1)",
        ] {
            assert!(matches!(change(text), Err(Refused::Kind(_))), "{text}: {:?}", change(text));
            assert!(matches!(query(text), Err(Refused::Kind(_))), "{text}: {:?}", query(text));
        }
    }

    #[test]
    fn refuses_a_second_statement_wherever_it_hides() {
        for text in [
            "SELECT 1; ATTACH 'a' AS b",
            "SELECT 1;\u{feff}ATTACH 'a' AS b",
            "SELECT '\\'; ATTACH 'a' AS b --'",
            "SELECT 1 /* ; */ ; ATTACH 'a' AS b",
            "SELECT [a'b]; ATTACH 'a' AS b --'",
            "SELECT 1 /*/ ; */; ATTACH 'a' AS b",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; END; ATTACH 'a' AS b",
        ] {
            assert_eq!(query(text).and(change(text).map(|_| ())).unwrap_err(), Refused::Several, "{text}");
        }
        let hidden = "SELECT $a('), 1; ATTACH 'a' AS b";
        assert_eq!(query(hidden), Err(Refused::Character('$')));
    }

    #[test]
    fn says_which_method_to_use_instead() {
        assert_eq!(query("delete from t"), Err(Refused::Writes("DELETE".to_owned())));
        assert_eq!(change("select 1"), Err(Refused::Reads("SELECT".to_owned())));
        assert_eq!(query(" -- nothing\n;"), Err(Refused::Empty));
    }
}
