//! Scripts of several statements, run inside the transaction that is open: a script's own BEGIN and COMMIT would end it, so they are left out, as
//! `sqlite3 .dump` and migration tools write them around everything; ROLLBACK is refused.

use super::tokens::{Token, tokenize};
use crate::{DbError, DbErrorKind};

/// A statement of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    /// Its text, without the semicolon.
    pub(super) sql: &'a str,
    /// The line on which it begins, from 1.
    pub(super) line: usize,
}

/// The statements to run, in order.
pub(super) fn statements(script: &str) -> Result<Vec<Statement<'_>>, DbError> {
    let tokens = tokenize(script);
    let mut statements = Vec::new();
    let mut rest = tokens.as_slice();
    while !rest.is_empty() {
        let length = statement_length(rest);
        let (statement, after) = rest.split_at(length);
        rest = after.get(1..).unwrap_or_default();
        let (Some(first), Some(last)) = (statement.first(), statement.last()) else { continue };
        let line = 1 + script[..first.start()].matches('\n').count();
        if first.is_word("ROLLBACK") && !statement.iter().any(|token| token.is_word("TO")) {
            let message = format!("line {line} of the script: ROLLBACK would undo the restore's own transaction");
            return Err(DbError::new(DbErrorKind::Unsupported, message));
        }
        if !["BEGIN", "COMMIT", "END"].iter().any(|word| first.is_word(word)) {
            statements.push(Statement { sql: &script[first.start()..last.end()], line });
        }
    }
    Ok(statements)
}

/// The tokens up to the semicolon that ends the first statement. The body of a trigger has semicolons of its own, between its
/// BEGIN and the END that matches it.
fn statement_length(tokens: &[Token<'_>]) -> usize {
    let head = &tokens[..tokens.len().min(4)];
    let is_trigger = tokens[0].is_word("CREATE") && head.iter().any(|token| token.is_word("TRIGGER"));
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol(";") && open == 0 {
            return at;
        }
        if is_trigger && (token.is_word("BEGIN") || token.is_word("CASE")) {
            open += 1;
        } else if is_trigger && token.is_word("END") {
            open = open.saturating_sub(1);
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        statements(script).expect("no ROLLBACK").into_iter().map(|statement| statement.sql).collect()
    }

    #[test]
    fn a_scripts_own_transaction_is_left_out() {
        let dump = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\nCOMMIT;\n";
        assert_eq!(texts(dump), ["PRAGMA foreign_keys=OFF", "CREATE TABLE t (a)"]);
        assert!(statements("CREATE TABLE t (a); ROLLBACK;").is_err());
        assert_eq!(statements(dump).expect("no ROLLBACK")[1].line, 3);
    }

    #[test]
    fn semicolons_in_triggers_texts_and_comments_end_nothing() {
        let trigger = "CREATE TEMP TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN a THEN 1 ELSE 2 END; DELETE FROM u; END";
        let script = format!("-- a; b\nINSERT INTO t VALUES ('x;y');\n{trigger};\nCREATE INDEX i ON t (a)");
        assert_eq!(texts(&script), ["INSERT INTO t VALUES ('x;y')", trigger, "CREATE INDEX i ON t (a)"]);
    }
}
