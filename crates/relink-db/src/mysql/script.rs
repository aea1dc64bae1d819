//! Scripts of several statements, as the `mysql` client reads them, and a database emptied again after one that failed.
//!
//! `DELIMITER` is a command of that client, not SQL, so a script is split here. Other commands of the client (`source`, `\G`)
//! are not known.

use std::{collections::BTreeSet, fmt::Write as _};

use relink_model::Value;

use super::{MySqlDatabase, connect, read};
use crate::{DbError, DbErrorKind, Dialect};

/// "Query was empty": a statement inside a comment for other versions of the server.
const EMPTY_QUERY: &str = "1065";

/// A stored routine or event: what it is (`PROCEDURE`, `FUNCTION`, `EVENT`, ...) and its name.
pub(super) type Routine = (String, String);

impl MySqlDatabase {
    /// See [`crate::Connection::execute_script`]. Each DDL statement commits.
    pub(super) async fn run_script(&mut self, script: &str) -> Result<(), DbError> {
        let pieces = split(script);
        // Found before anything runs: what comes after would go elsewhere than where relink looks.
        for piece in &pieces {
            if let Some(database) = used_database(&piece.sql)
                && database != self.server.database
            {
                let mut error = DbError::new(
                    DbErrorKind::Unsupported,
                    format!("the script changes to the database {database}; remove that, or connect to it"),
                );
                error.detail = Some(format!("line {} of the script", piece.line));
                return Err(error);
            }
            if self.session.is_in_transaction() && ends_transaction(&piece.sql) == Some(End::Implied) {
                let mut error = DbError::new(
                    DbErrorKind::Unsupported,
                    "MySQL and MariaDB would commit at this statement of the script, and nothing could be taken back",
                );
                error.detail = Some(format!("line {} of the script", piece.line));
                return Err(error);
            }
        }
        // Scripts are written for the server's own settings. Ours come back afterwards, whatever the script did to them.
        self.session.run("SET sql_mode = @@global.sql_mode").await?;
        let result = self.run_pieces(&pieces).await;
        let restored = self.settings_after_script().await;
        result.and(restored)
    }

    async fn run_pieces(&mut self, pieces: &[Piece]) -> Result<(), DbError> {
        let inside = self.session.is_in_transaction();
        for piece in pieces.iter().filter(|piece| !inside || ends_transaction(&piece.sql).is_none()) {
            match self.session.run(&piece.sql).await {
                Ok(_) => {}
                Err(error) if error.code.as_deref() == Some(EMPTY_QUERY) => {}
                Err(mut error) => {
                    error.detail = Some(format!("in the statement that starts at line {} of the script", piece.line));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn settings_after_script(&mut self) -> Result<(), DbError> {
        self.session.run("UNLOCK TABLES").await?;
        connect::apply_settings(&mut self.session, &self.dialect, self.access).await?;
        let rows = self.session.query("SELECT DATABASE(), @@collation_database", &[]).await?;
        let fact = |index: usize| rows.first().and_then(|row| row.get(index)).and_then(read::text);
        let database = fact(0);
        if database.as_deref() == Some(self.server.database.as_str()) {
            // The script may have made the database anew, with another default.
            self.dialect.default_collation = fact(1).unwrap_or_default();
            return Ok(());
        }
        self.session.run(&format!("USE {}", self.dialect.quote(&self.server.database))).await?;
        let database = database.as_deref().unwrap_or("none");
        Err(DbError::new(DbErrorKind::Unsupported, format!("the script changed to another database ({database})")))
    }

    /// See [`crate::Connection::is_empty`]. Remembers the routines, so that those of a failed script can be told apart.
    pub(super) async fn holds_nothing(&mut self) -> Result<bool, DbError> {
        let sql = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
        let rows = self.session.query(sql, &[]).await?;
        let empty = matches!(rows.first().and_then(|row| row.first()), Some(Value::Int(0)));
        if empty {
            self.routines_before = Some(self.routines().await?);
        }
        Ok(empty)
    }

    /// See [`crate::Connection::drop_everything`].
    pub(super) async fn drop_all(&mut self) -> Result<(), DbError> {
        let sql = "SELECT TABLE_TYPE, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()";
        let relations = named(&self.session.query(sql, &[]).await?);
        self.suspend_foreign_keys().await?;
        let mut drops = String::new();
        for (kind, name) in &relations {
            let what = match kind.as_str() {
                "VIEW" | "SYSTEM VIEW" => "VIEW",
                "SEQUENCE" => "SEQUENCE",
                _ => "TABLE",
            };
            write!(drops, "DROP {what} IF EXISTS {};", self.dialect.quote(name)).expect("a String takes all text");
        }
        // Routines are no relations: only those are dropped that came since the database was seen empty.
        if let Some(before) = self.routines_before.clone() {
            for (kind, name) in self.routines().await?.difference(&before) {
                write!(drops, "DROP {kind} IF EXISTS {};", self.dialect.quote(name)).expect("a String takes all text");
            }
        }
        let dropped = if drops.is_empty() { Ok(()) } else { self.session.run(&drops).await.map(drop) };
        self.resume_foreign_keys().await?;
        dropped
    }

    async fn routines(&mut self) -> Result<BTreeSet<Routine>, DbError> {
        let sql = "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() \
                   UNION ALL SELECT 'EVENT', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()";
        Ok(named(&self.session.query(sql, &[]).await?).into_iter().collect())
    }
}

fn named(rows: &[Vec<Value>]) -> Vec<(String, String)> {
    let text = |row: &[Value], index: usize| row.get(index).and_then(read::text).unwrap_or_default();
    rows.iter().map(|row| (text(row, 0), text(row, 1))).collect()
}

/// What goes to the server in one go: a statement, or a routine with all that follows it (see [`split`]).
#[derive(Debug, PartialEq)]
struct Piece {
    sql: String,
    /// The line on which its SQL starts, from 1.
    line: usize,
}

/// Splits a script at its delimiters, minding quotes and comments.
///
/// A routine's body holds `;` of its own. Where the script does not change the delimiter around one, that routine and everything
/// after it, up to the next `DELIMITER`, goes to the server in one piece: the server knows where the body ends.
fn split(script: &str) -> Vec<Piece> {
    let mut splitter =
        Splitter { rest: script, line: 1, delimiter: ";", start: None, pieces: Vec::new(), whole: false };
    let mut from = script;
    let mut line_starts = true;
    while let Some(c) = splitter.rest.chars().next() {
        let rest = splitter.rest;
        if line_starts
            && (splitter.start.is_none() || splitter.whole)
            && let Some(delimiter) = delimiter_command(rest)
        {
            splitter.finish(from);
            let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
            splitter.advance(end);
            splitter.delimiter = delimiter;
            from = splitter.rest;
            continue;
        }
        line_starts = c == '\n' || (line_starts && c.is_whitespace());
        if rest.starts_with(splitter.delimiter) {
            if !splitter.whole && splitter.delimiter == ";" && defines_routine(&from[..from.len() - rest.len()]) {
                splitter.whole = true;
            }
            if !splitter.whole {
                let end = splitter.delimiter.len();
                splitter.finish(from);
                splitter.advance(end);
                from = splitter.rest;
                continue;
            }
        }
        let (length, is_sql) = token(rest);
        if is_sql && splitter.start.is_none() {
            splitter.start = Some(splitter.line);
        }
        line_starts = line_starts || (length > 1 && rest[..length].ends_with('\n'));
        splitter.advance(length);
    }
    splitter.finish(from);
    splitter.pieces
}

struct Splitter<'a> {
    rest: &'a str,
    line: usize,
    delimiter: &'a str,
    /// The line of the current piece's first SQL, once there is any.
    start: Option<usize>,
    /// The current piece goes on past delimiters.
    whole: bool,
    pieces: Vec<Piece>,
}

impl Splitter<'_> {
    /// Ends the piece that began at `from` here. One without SQL is dropped.
    fn finish(&mut self, from: &str) {
        self.whole = false;
        if let Some(line) = self.start.take() {
            let sql = from[..from.len() - self.rest.len()].trim().to_owned();
            self.pieces.push(Piece { sql, line });
        }
    }

    fn advance(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at(length);
        self.line += passed.bytes().filter(|&byte| byte == b'\n').count();
        self.rest = rest;
    }
}

/// The new delimiter, where a line is the client's `DELIMITER` command.
fn delimiter_command(line: &str) -> Option<&str> {
    let line = line.lines().next()?.trim();
    let (command, delimiter) = line.split_once(|c: char| c.is_whitespace())?;
    if !command.eq_ignore_ascii_case("delimiter") {
        return None;
    }
    delimiter.split_whitespace().next()
}

/// The length of what must not be split at the start of this text, and whether it is SQL (neither blank nor a comment).
fn token(text: &str) -> (usize, bool) {
    let through = |open: usize, close: &str| text[open..].find(close).map_or(text.len(), |at| open + at + close.len());
    let mut chars = text.chars();
    let first = chars.next().unwrap_or(' ');
    match first {
        '\'' | '"' | '`' => (quoted(text, first), true),
        '#' => (through(0, "\n"), false),
        '-' if text.starts_with("--")
            && text[2..].chars().next().is_none_or(|c| c.is_whitespace() || c.is_control()) =>
        {
            (through(0, "\n"), false)
        }
        // `/*!` and `/*M!` hold SQL for some versions.
        '/' if text.starts_with("/*!") || text.starts_with("/*M!") => (executable_comment(text), true),
        '/' if text.starts_with("/*") => (through(2, "*/"), false),
        c => (c.len_utf8(), !c.is_whitespace()),
    }
}

/// The length of a quoted text: the quote doubled or, but for identifiers, after a backslash does not end it.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((index, c)) = chars.next() {
        if c == '\\' && quote != '`' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return index + 1;
        }
    }
    text.len()
}

fn executable_comment(text: &str) -> usize {
    let mut at = 3;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("*/") {
            return at + 2;
        }
        at += match rest.chars().next() {
            Some(quote @ ('\'' | '"' | '`')) => quoted(rest, quote),
            Some(c) => c.len_utf8(),
            None => break,
        };
    }
    text.len()
}

/// The words of a statement outside of comments and quotes.
fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if word > 0 { word } else { token(rest).0 };
            let (found, remaining) = rest.split_at(length);
            rest = remaining;
            if word > 0 {
                return Some(found);
            }
        }
        None
    })
}

/// Whether a statement creates something with a body of statements.
fn defines_routine(sql: &str) -> bool {
    let mut words = words(sql);
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("create")) {
        return false;
    }
    let is_one_of = |word: &str, kinds: &[&str]| kinds.iter().any(|kind| word.eq_ignore_ascii_case(kind));
    let routines = ["procedure", "function", "trigger", "event", "package"];
    let others = ["table", "view", "index", "unique", "database", "schema", "user", "role", "sequence", "server"];
    words
        .find(|word| is_one_of(word, &routines) || is_one_of(word, &others))
        .is_some_and(|word| is_one_of(word, &routines))
}

/// How a statement ends the open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By saying so: such statements of a script are left out where the transaction is relink's own.
    Said,
    /// By the way, as DDL does; or by rolling back.
    Implied,
}

/// Whether, and how, a statement ends the transaction in which it runs. What a routine that is called does is not known.
fn ends_transaction(sql: &str) -> Option<End> {
    let sql = from_first_sql(sql);
    // The head of an executable comment: `/*!40101 SET ... */`, `/*M!100100 SET ... */`.
    let inner = sql.strip_prefix("/*!").or_else(|| sql.strip_prefix("/*M!")).unwrap_or(sql);
    let inner = inner.trim_start_matches(|c: char| c.is_ascii_digit());
    let mut words = words(inner).map(str::to_ascii_lowercase);
    let (first, second) = (words.next()?, words.next());
    let second = second.as_deref().unwrap_or_default();
    match (first.as_str(), second) {
        ("begin" | "commit", _) | ("start", "transaction") => Some(End::Said),
        ("create" | "drop", "temporary") | ("rollback", "to") => None,
        ("rollback", "work") if words.next().as_deref() == Some("to") => None,
        ("set", _) => {
            let implies = |word: &str| ["autocommit", "password"].contains(&word);
            (implies(second) || words.any(|word| implies(&word))).then_some(End::Implied)
        }
        ("load", "index")
        | (
            "alter" | "analyze" | "cache" | "change" | "check" | "create" | "drop" | "flush" | "grant" | "install"
            | "lock" | "optimize" | "rename" | "repair" | "reset" | "revoke" | "rollback" | "start" | "stop"
            | "truncate" | "uninstall" | "unlock" | "xa",
            _,
        ) => Some(End::Implied),
        _ => None,
    }
}

/// The text from its first SQL on.
fn from_first_sql(sql: &str) -> &str {
    let mut rest = sql;
    while !rest.is_empty() {
        let (length, is_sql) = token(rest);
        if is_sql {
            break;
        }
        rest = &rest[length..];
    }
    rest
}

/// The database that a `USE` statement names.
fn used_database(sql: &str) -> Option<String> {
    let rest = from_first_sql(sql);
    if !words(rest).next()?.eq_ignore_ascii_case("use") {
        return None;
    }
    let name = rest.get(3..)?.trim();
    Some(match name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) {
        Some(quoted) => quoted.replace("``", "`"),
        None => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(script: &str) -> Vec<(usize, String)> {
        split(script).into_iter().map(|piece| (piece.line, piece.sql)).collect()
    }

    fn sqls(script: &str) -> Vec<String> {
        split(script).into_iter().map(|piece| piece.sql).collect()
    }

    #[test]
    fn delimiters_in_quotes_and_comments_do_not_split() {
        assert_eq!(
            sqls("select ';', \"a\\\";\", `;``;`; -- ;\n# ;\n/* ; */ select 'it''s;'"),
            ["select ';', \"a\\\";\", `;``;`", "-- ;\n# ;\n/* ; */ select 'it''s;'"]
        );
        assert_eq!(sqls("select 1--1; select 2"), ["select 1--1", "select 2"]);
    }

    #[test]
    fn delimiter_commands_are_obeyed_and_not_sent() {
        assert_eq!(
            pieces("SELECT 1;\nDELIMITER $$\nCREATE TRIGGER x BEGIN a; b; END$$\n\ndelimiter ;\nSELECT 2;\n"),
            [
                (1, "SELECT 1".to_owned()),
                (3, "CREATE TRIGGER x BEGIN a; b; END".to_owned()),
                (6, "SELECT 2".to_owned())
            ]
        );
    }

    #[test]
    fn a_routine_without_delimiter_goes_with_all_that_follows() {
        assert_eq!(
            sqls(
                "CREATE TABLE t (a int);\nCREATE DEFINER=`x`@`y` TRIGGER r BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a=1; END;\nSELECT 1;"
            ),
            [
                "CREATE TABLE t (a int)",
                "CREATE DEFINER=`x`@`y` TRIGGER r BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a=1; END;\nSELECT 1;"
            ]
        );
        assert_eq!(sqls("CREATE TABLE `trigger` (a int); SELECT 1"), ["CREATE TABLE `trigger` (a int)", "SELECT 1"]);
    }

    #[test]
    fn comments_for_a_version_are_sql_and_others_alone_are_not() {
        assert_eq!(
            sqls("/*M!999999\\- enable the sandbox mode */ \n/*!40101 SET NAMES utf8 */;\n-- done\n"),
            ["/*M!999999\\- enable the sandbox mode */ \n/*!40101 SET NAMES utf8 */"]
        );
        assert_eq!(sqls("/*!50003 CREATE VIEW v AS SELECT '*/;' */;"), ["/*!50003 CREATE VIEW v AS SELECT '*/;' */"]);
    }

    #[test]
    fn unfinished_quotes_and_comments_end_with_the_script() {
        assert_eq!(sqls("select 'abc;\n"), ["select 'abc;"]);
        assert_eq!(sqls("select 1 /* abc;"), ["select 1 /* abc;"]);
        assert_eq!(sqls(" ;;\n; "), Vec::<String>::new());
    }

    #[test]
    fn statements_that_end_a_transaction_are_known() {
        for sql in
            ["-- x\nCREATE TABLE a (b int)", "/*!40000 ALTER TABLE a DISABLE KEYS */", "ROLLBACK", "SET autocommit = 1"]
        {
            assert_eq!(ends_transaction(sql), Some(End::Implied), "{sql}");
        }
        for sql in ["COMMIT", "start transaction", "BEGIN"] {
            assert_eq!(ends_transaction(sql), Some(End::Said), "{sql}");
        }
        for sql in
            ["INSERT INTO a VALUES ('drop table')", "CREATE TEMPORARY TABLE a (b int)", "ROLLBACK TO a", "SET @a = 1"]
        {
            assert_eq!(ends_transaction(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_change_of_database_is_seen() {
        assert_eq!(used_database("-- hint\nUSE `sak``ila`").as_deref(), Some("sak`ila"));
        assert_eq!(used_database("use sakila").as_deref(), Some("sakila"));
        assert_eq!(used_database("SELECT 'use x'"), None);
    }
}
