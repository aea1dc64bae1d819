//! SQL scripts as people have them: split into statements the way psql does it, so that an error names its line and the
//! script's own `BEGIN` and `COMMIT` do not end relink's transaction.
//!
//! This is no parser: it knows strings, dollar quotes, comments, parentheses, function bodies (`BEGIN ATOMIC ... END`)
//! and the first words of a statement. psql's variables and the data of `COPY ... FROM stdin` are not understood; the
//! latter is refused.

use super::PostgresConnection;
use crate::{DbError, DbErrorKind};

/// What a piece of a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// A statement to run.
    Statement(&'a str),
    /// Opens or commits a transaction.
    Transaction(&'a str),
    /// Rolls a transaction back.
    Rollback,
    /// `COPY ... FROM stdin`, whose data follows in psql's own protocol.
    CopyFromStdin,
    /// A command of psql's, without its backslash.
    Meta(&'a str),
}

/// psql commands that say nothing about the database: pg_dump's guards and output settings.
const META_IGNORED: [&str; 9] = ["restrict", "unrestrict", "echo", "qecho", "warn", "set", "unset", "pset", "timing"];

impl PostgresConnection {
    /// Runs a script, then restores the session's settings, for scripts change them.
    pub(super) async fn run_script(&mut self, script: &str) -> Result<(), DbError> {
        let pieces = split(script);
        let refused = pieces.iter().find_map(|(line, piece)| Some((line, refusal(piece)?)));
        if let Some((line, why)) = refused {
            return Err(DbError::new(DbErrorKind::Unsupported, format!("line {line} of the script: {why}")));
        }
        let inside = self.transaction.is_some();
        let mut result = Ok(());
        for (line, piece) in pieces {
            let statement = match piece {
                Piece::Statement(statement) => statement,
                Piece::Transaction(statement) if !inside => statement,
                _ => continue,
            };
            result = self.run(statement).await.map_err(|mut error| {
                error.message = format!("line {line} of the script: {}", error.message);
                error
            });
            if result.is_err() {
                break;
            }
        }
        // A failed transaction takes no more commands, and its rollback undoes the settings too.
        if result.is_ok() || !inside {
            let restored = self.restore_session().await;
            return result.and(restored);
        }
        result
    }
}

/// Why a piece cannot be run, if it cannot.
fn refusal(piece: &Piece<'_>) -> Option<String> {
    match piece {
        Piece::Statement(_) | Piece::Transaction(_) => None,
        Piece::Rollback => Some("it rolls its own work back".to_owned()),
        Piece::CopyFromStdin => Some(
            "COPY ... FROM stdin carries data that only psql reads; keep to definitions, or load it with psql"
                .to_owned(),
        ),
        Piece::Meta(command) => {
            let word = command.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            (!META_IGNORED.contains(&word))
                .then(|| format!("\\{} is a command of psql's; take it out of the script", command.trim_end()))
        }
    }
}

/// The pieces of a script with the lines on which they start.
fn split(script: &str) -> Vec<(usize, Piece<'_>)> {
    Splitter {
        script,
        bytes: script.as_bytes(),
        at: 0,
        plain_backslashes: true,
        statement: Open::default(),
        line: (1, 0),
        pieces: Vec::new(),
    }
    .run()
}

/// The statement being read.
#[derive(Default)]
struct Open {
    start: Option<usize>,
    parentheses: usize,
    /// Nesting of `BEGIN ATOMIC` and `CASE` in the body of a function.
    body: usize,
    /// The first words, upper case.
    words: Vec<String>,
    from: bool,
    from_stdin: bool,
}

struct Splitter<'a> {
    script: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// `standard_conforming_strings`, which a script may switch off.
    plain_backslashes: bool,
    statement: Open,
    /// The line on which an offset stands.
    line: (usize, usize),
    pieces: Vec<(usize, Piece<'a>)>,
}

impl<'a> Splitter<'a> {
    fn run(mut self) -> Vec<(usize, Piece<'a>)> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'-' if self.rest().starts_with("--") => self.at = self.end_of_line(),
                b'/' if self.rest().starts_with("/*") => self.skip_comment(),
                b';' if self.statement.parentheses == 0 && self.statement.body == 0 => {
                    self.finish();
                    self.at += 1;
                }
                b'\\' if self.statement.start.is_none() => {
                    let end = self.end_of_line();
                    let line = self.line_of(self.at);
                    self.pieces.push((line, Piece::Meta(&self.script[self.at + 1..end])));
                    self.at = end;
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => {
                    self.statement.start.get_or_insert(self.at);
                    self.token(byte);
                }
            }
        }
        self.finish();
        self.pieces
    }

    /// Reads one token of a statement.
    fn token(&mut self, byte: u8) {
        match byte {
            b'\'' => self.skip_string(!self.plain_backslashes),
            b'"' => self.skip_quoted(b'"', false),
            b'(' => {
                self.statement.parentheses += 1;
                self.at += 1;
            }
            b')' => {
                self.statement.parentheses = self.statement.parentheses.saturating_sub(1);
                self.at += 1;
            }
            b'$' => self.skip_dollar_quote(),
            _ if is_word_start(byte) => {
                let start = self.at;
                while self
                    .bytes
                    .get(self.at)
                    .is_some_and(|&byte| is_word_start(byte) || byte.is_ascii_digit() || byte == b'$')
                {
                    self.at += 1;
                }
                let word = self.script[start..self.at].to_ascii_uppercase();
                if word == "E" && self.bytes.get(self.at) == Some(&b'\'') {
                    self.skip_string(true);
                } else {
                    self.word(word);
                }
            }
            byte if byte.is_ascii_digit() => {
                // Digits may run into letters (`1e5`, `$1`) that start no word.
                while self.bytes.get(self.at).is_some_and(u8::is_ascii_alphanumeric) {
                    self.at += 1;
                }
            }
            _ => self.at += 1,
        }
    }

    fn word(&mut self, word: String) {
        let statement = &mut self.statement;
        let defines_function = matches!(
            statement.words.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
            ["CREATE", "FUNCTION" | "PROCEDURE", ..] | ["CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE", ..]
        );
        if defines_function && statement.parentheses == 0 {
            match word.as_str() {
                "BEGIN" => statement.body += 1,
                "CASE" if statement.body > 0 => statement.body += 1,
                "END" => statement.body = statement.body.saturating_sub(1),
                _ => {}
            }
        }
        statement.from_stdin |= statement.from && word == "STDIN";
        statement.from = word == "FROM";
        if statement.words.len() < 6 {
            statement.words.push(word);
        }
    }

    fn finish(&mut self) {
        let statement = std::mem::take(&mut self.statement);
        let Some(start) = statement.start else { return };
        let sql = &self.script[start..self.at];
        let words: Vec<&str> = statement.words.iter().map(String::as_str).collect();
        if words.starts_with(&["SET", "STANDARD_CONFORMING_STRINGS"]) {
            self.plain_backslashes = !sql.to_ascii_lowercase().contains("off");
        }
        let piece = match words.as_slice() {
            ["BEGIN" | "COMMIT" | "END", ..] | ["START", "TRANSACTION", ..] => Piece::Transaction(sql),
            // Back to a savepoint is the script's own affair.
            ["ROLLBACK", "TO", ..] | ["ROLLBACK", "WORK" | "TRANSACTION", "TO", ..] => Piece::Statement(sql),
            ["ROLLBACK" | "ABORT", ..] => Piece::Rollback,
            ["COPY", ..] if statement.from_stdin => Piece::CopyFromStdin,
            _ => Piece::Statement(sql),
        };
        let line = self.line_of(start);
        self.pieces.push((line, piece));
    }

    fn rest(&self) -> &'a str {
        // Only called where an ASCII byte stands, which is a boundary.
        &self.script[self.at..]
    }

    /// The line of an offset not before the last one asked for, so that a long script is counted through once.
    fn line_of(&mut self, offset: usize) -> usize {
        let (line, counted) = self.line;
        let newlines = self.script[counted..offset].matches('\n').count();
        self.line = (line + newlines, offset);
        self.line.0
    }

    fn end_of_line(&self) -> usize {
        self.bytes[self.at..].iter().position(|&byte| byte == b'\n').map_or(self.bytes.len(), |length| self.at + length)
    }

    /// Skips a comment; they nest.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            if self.bytes[self.at..].starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if self.bytes[self.at..].starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    fn skip_string(&mut self, backslashes: bool) {
        self.skip_quoted(b'\'', backslashes);
    }

    /// Skips from the opening quote past the closing one; a doubled quote closes one string and opens the next, which
    /// comes to the same.
    fn skip_quoted(&mut self, quote: u8, backslashes: bool) {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += if backslashes && byte == b'\\' { 2 } else { 1 };
            if byte == quote {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    /// Skips `$tag$ ... $tag$`; a dollar sign that opens none is skipped alone.
    fn skip_dollar_quote(&mut self) {
        let tag_length =
            self.bytes[self.at + 1..].iter().take_while(|&&byte| is_word_start(byte) || byte.is_ascii_digit()).count();
        let end_of_tag = self.at + 1 + tag_length;
        let opens =
            self.bytes.get(end_of_tag) == Some(&b'$') && !self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit);
        if !opens {
            self.at += 1;
            return;
        }
        let tag = &self.script[self.at..=end_of_tag];
        let body = end_of_tag + 1;
        self.at = self.script[body..].find(tag).map_or(self.bytes.len(), |length| body + length + tag.len());
    }
}

/// Letters, underscores, and every byte of a character beyond ASCII.
fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(script: &str) -> Vec<(usize, &str)> {
        let pieces = split(script).into_iter();
        pieces
            .map(|(line, piece)| match piece {
                Piece::Statement(sql) => (line, sql),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn semicolons_in_strings_quotes_and_comments_end_nothing() {
        let script =
            "SELECT 'a;''b', \"c;d\"; -- e; f\n/* g; /* h; */ i; */ SELECT $$j;$$, $x$ $$; $x$, 'é;';\n\n;SELECT 1";
        assert_eq!(
            statements(script),
            [(1, "SELECT 'a;''b', \"c;d\""), (2, "SELECT $$j;$$, $x$ $$; $x$, 'é;'"), (4, "SELECT 1"),]
        );
    }

    #[test]
    fn backslashes_escape_only_where_the_string_or_the_setting_says_so() {
        assert_eq!(statements(r"SELECT 'a\'; SELECT E'b\';'; SELECT 2").len(), 3);
        let off = r"SET standard_conforming_strings = off; SELECT 'it\'s;'; SELECT 2";
        assert_eq!(statements(off).len(), 3);
    }

    #[test]
    fn rules_and_function_bodies_hold_semicolons() {
        let script = "CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT 2);\n\
            CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\n\
            CREATE FUNCTION g() RETURNS int LANGUAGE sql AS $_$ SELECT 1; $_$;";
        assert_eq!(statements(script).len(), 3);
    }

    #[test]
    fn dollars_in_names_and_parameters_open_no_quote() {
        assert_eq!(statements("SELECT a$b$c; PREPARE p AS SELECT $1; SELECT $2$").len(), 3);
    }

    #[test]
    fn transactions_copies_and_psql_commands_are_told_apart() {
        let script = "\\restrict abc\nBEGIN;\nSTART TRANSACTION; COPY t (a) FROM stdin;\nCOPY t FROM '/x';\n\\c shop\nROLLBACK TO s; ROLLBACK; COMMIT;";
        let pieces: Vec<Piece<'_>> = split(script).into_iter().map(|(_, piece)| piece).collect();
        assert_eq!(
            pieces,
            [
                Piece::Meta("restrict abc"),
                Piece::Transaction("BEGIN"),
                Piece::Transaction("START TRANSACTION"),
                Piece::CopyFromStdin,
                Piece::Statement("COPY t FROM '/x'"),
                Piece::Meta("c shop"),
                Piece::Statement("ROLLBACK TO s"),
                Piece::Rollback,
                Piece::Transaction("COMMIT"),
            ]
        );
        assert_eq!(refusal(&pieces[0]), None);
        assert!(refusal(&pieces[5]).is_some_and(|why| why.starts_with("\\c shop is a command")));
    }

    #[test]
    fn an_unterminated_string_ends_with_the_script() {
        assert_eq!(statements("SELECT 'a; SELECT 2"), [(1, "SELECT 'a; SELECT 2")]);
        assert_eq!(statements(r"SELECT E'a\"), [(1, r"SELECT E'a\")]);
        assert_eq!(statements("SELECT $$a; b"), [(1, "SELECT $$a; b")]);
        assert!(split("/* a; b").is_empty());
    }
}
