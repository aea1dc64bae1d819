//! What only the stored SQL of a SQLite schema says: constraint names, DEFERRABLE, CHECK, AUTOINCREMENT, COLLATE, the parts
//! of an expression index, a trigger's timing.
//!
//! Reads `CREATE TABLE`, `CREATE INDEX` and `CREATE TRIGGER`. The text was accepted by SQLite, so this reads and does not
//! judge; what it does not understand it passes over. Columns, types and key parts come from the pragmas.

use relink_model::Deferrability;

use super::tokens::{Kind, Reader, Token, tokenize};

/// A name in front of the thing it names, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named<T> {
    pub(super) name: Option<String>,
    pub(super) item: T,
}

/// What `CREATE TABLE` says beyond the pragmas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TableDdl {
    /// Column and collation, where one is declared.
    pub(super) collations: Vec<(String, String)>,
    /// The primary key's constraint name.
    pub(super) primary_key_name: Option<String>,
    /// The rowid alias is declared AUTOINCREMENT.
    pub(super) autoincrement: bool,
    /// Columns of each UNIQUE constraint.
    pub(super) unique: Vec<Named<Vec<String>>>,
    /// In declared order.
    pub(super) foreign_keys: Vec<Named<ForeignKeyDdl>>,
    /// The conditions.
    pub(super) checks: Vec<Named<String>>,
}

/// What a foreign key's clause says beyond the pragma.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForeignKeyDdl {
    pub(super) columns: Vec<String>,
    pub(super) deferrability: Deferrability,
}

/// What `CREATE INDEX` says beyond the pragmas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexDdl {
    /// The SQL text of each part, without ASC or DESC.
    pub(super) parts: Vec<String>,
    /// The partial index's predicate.
    pub(super) predicate: Option<String>,
}

/// Reads a `CREATE TABLE`.
pub(super) fn table(sql: &str) -> TableDdl {
    let mut ddl = TableDdl::default();
    let mut reader = Reader::new(sql);
    if !reader.skip_past_word("table") {
        return ddl;
    }
    reader.object_name();
    if !reader.at_open() {
        return ddl;
    }
    let body = reader.group();
    for definition in reader.split(body) {
        reader.at = definition.start;
        let is_constraint = reader.peek().is_some_and(|token| {
            ["constraint", "primary", "unique", "check", "foreign"].iter().any(|word| token.is_word(word))
        });
        let column = if is_constraint { None } else { reader.next().map(|token| token.name()) };
        constraints(&mut reader, definition.end, column.as_deref(), &mut ddl);
    }
    ddl
}

/// Reads the constraints of a column, or a table constraint, up to `end`. SQLite lets table constraints follow each other without a
/// comma, so both are one loop. A type before a column's constraints is passed over with everything else.
fn constraints(reader: &mut Reader<'_>, end: usize, column: Option<&str>, ddl: &mut TableDdl) {
    let mut name = None;
    let own = || column.map(|column| vec![column.to_owned()]).unwrap_or_default();
    // The columns of the FOREIGN KEY clause that REFERENCES completes.
    let mut referencing = own();
    let mut negated = false;
    while reader.at < end {
        if reader.at_open() {
            reader.group();
            continue;
        }
        let Some(token) = reader.next() else { return };
        let after_not = std::mem::replace(&mut negated, token.is_word("not"));
        if token.is_word("constraint") {
            name = reader.next().map(|token| token.name());
        } else if token.is_word("primary") {
            reader.take_word("key");
            ddl.primary_key_name = name.take();
            if reader.at_open() {
                let group = reader.group();
                ddl.autoincrement |= reader.tokens[group].iter().any(|token| token.is_word("autoincrement"));
            }
        } else if token.is_word("autoincrement") {
            ddl.autoincrement = true;
        } else if token.is_word("unique") {
            let columns = if reader.at_open() {
                let group = reader.group();
                reader.names(group)
            } else {
                own()
            };
            ddl.unique.push(Named { name: name.take(), item: columns });
        } else if token.is_word("check") {
            let group = reader.group();
            ddl.checks.push(Named { name: name.take(), item: reader.text(group) });
        } else if token.is_word("foreign") {
            reader.take_word("key");
            let group = reader.group();
            referencing = reader.names(group);
        } else if token.is_word("references") {
            reader.next();
            if reader.at_open() {
                reader.group();
            }
            let columns = std::mem::replace(&mut referencing, own());
            let item = ForeignKeyDdl { columns, deferrability: Deferrability::NotDeferrable };
            ddl.foreign_keys.push(Named { name: name.take(), item });
        } else if token.is_word("deferrable") {
            let deferred = reader.take_word("initially") && {
                let deferred = reader.take_word("deferred");
                deferred || !reader.take_word("immediate")
            };
            if let (false, Some(key)) = (after_not, ddl.foreign_keys.last_mut()) {
                key.item.deferrability =
                    if deferred { Deferrability::InitiallyDeferred } else { Deferrability::InitiallyImmediate };
            }
        } else if token.is_word("collate") {
            if let (Some(column), Some(token)) = (column, reader.next()) {
                ddl.collations.push((column.to_owned(), token.name()));
            }
        } else if token.is_word("default") {
            // A bare default may spell a keyword (`DEFAULT check` is text); a group is passed over by the loop.
            if !reader.at_open() {
                let signed = reader.next().is_some_and(|token| token.is_symbol("-") || token.is_symbol("+"));
                reader.at += usize::from(signed);
            }
            name = None;
        } else if ["null", "generated", "as"].iter().any(|word| token.is_word(word)) {
            // A named NOT NULL keeps its name to itself.
            name = None;
        }
    }
}

/// Reads a `CREATE INDEX`.
pub(super) fn index(sql: &str) -> IndexDdl {
    let mut ddl = IndexDdl::default();
    let mut reader = Reader::new(sql);
    if !reader.skip_past_word("index") {
        return ddl;
    }
    reader.object_name();
    reader.take_word("on");
    reader.next();
    if !reader.at_open() {
        return ddl;
    }
    let parts = reader.group();
    for mut part in reader.split(parts) {
        let last = reader.tokens[part.end - 1];
        if part.len() > 1 && (last.is_word("asc") || last.is_word("desc")) {
            part.end -= 1;
        }
        ddl.parts.push(reader.text(part));
    }
    if reader.take_word("where") {
        ddl.predicate = Some(reader.text(reader.at..reader.tokens.len()));
    }
    ddl
}

/// Reads a `CREATE TRIGGER`'s timing and event: `AFTER INSERT`.
pub(super) fn trigger_timing(sql: &str) -> String {
    let mut reader = Reader::new(sql);
    reader.skip_past_word("trigger");
    reader.object_name();
    let timing = if reader.take_word("after") {
        "AFTER"
    } else if reader.take_word("instead") {
        reader.take_word("of");
        "INSTEAD OF"
    } else {
        // SQLite's default.
        reader.take_word("before");
        "BEFORE"
    };
    let event = reader.next().map(|token| token.text.to_ascii_uppercase()).unwrap_or_default();
    format!("{timing} {event}")
}

/// The column that a CHECK keeps to valid JSON: `json_valid(c)`, alone or beside `c IS NULL` (Django writes
/// `(JSON_VALID("c") OR "c" IS NULL)`). A condition that says more is not recognized.
pub(super) fn json_checked_column(expression: &str) -> Option<String> {
    let tokens: Vec<Token<'_>> =
        tokenize(expression).into_iter().filter(|token| !token.is_symbol("(") && !token.is_symbol(")")).collect();
    let is_name = |token: &Token<'_>| matches!(token.kind, Kind::Word | Kind::QuotedName);
    let null_test = |name: &str, tokens: &[Token<'_>]| match tokens {
        [column, is, null] => column.name().eq_ignore_ascii_case(name) && is.is_word("is") && null.is_word("null"),
        _ => false,
    };
    let (column, rest) = match tokens.as_slice() {
        [valid, column, rest @ ..] if valid.is_word("json_valid") && is_name(column) => (column.name(), rest),
        [name, is, null, or, valid, column]
            if or.is_word("or")
                && valid.is_word("json_valid")
                && is_name(column)
                && null_test(&column.name(), &[*name, *is, *null]) =>
        {
            return Some(column.name());
        }
        _ => return None,
    };
    match rest {
        [] => Some(column),
        [or, rest @ ..] if or.is_word("or") && null_test(&column, rest) => Some(column),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign_key(ddl: &TableDdl, index: usize) -> (Option<&str>, Vec<&str>, Deferrability) {
        let key = &ddl.foreign_keys[index];
        (key.name.as_deref(), key.item.columns.iter().map(String::as_str).collect(), key.item.deferrability)
    }

    #[test]
    fn constraints_are_read_through_quotes_comments_and_nesting() {
        let ddl = table(
            r#"CREATE TABLE IF NOT EXISTS main."a, (b" ( -- REFERENCES x
                [id, x] INTEGER NOT NULL CONSTRAINT "the pk" PRIMARY KEY AUTOINCREMENT,
                `na``me` varchar(10, 2) /* , UNIQUE */ COLLATE nocase DEFAULT 'CHECK (1), ''x''' UNIQUE,
                "check" int CHECK ("check" > (1 + 2) AND 'a,b)' <> ')') REFERENCES "p q" ("x") ON DELETE SET NULL
                    DEFERRABLE INITIALLY DEFERRED,
                d text DEFAULT check REFERENCES d NOT DEFERRABLE INITIALLY DEFERRED,
                e int DEFAULT -1 REFERENCES e(f) DEFERRABLE,
                g int CONSTRAINT nn NOT NULL CONSTRAINT fk REFERENCES g MATCH FULL DEFERRABLE INITIALLY IMMEDIATE,
                CONSTRAINT pair FOREIGN KEY (d, "e") REFERENCES q(a, b) ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED
                CONSTRAINT uq UNIQUE ("d" DESC, e COLLATE nocase) ON CONFLICT ABORT CHECK (e <> 7)
            ) STRICT, WITHOUT ROWID"#,
        );
        assert_eq!(ddl.primary_key_name.as_deref(), Some("the pk"));
        assert!(ddl.autoincrement);
        assert_eq!(ddl.collations, [("na`me".to_owned(), "nocase".to_owned())]);
        let names = |columns: &[&str]| columns.iter().map(|&c| c.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            ddl.unique,
            [
                Named { name: None, item: names(&["na`me"]) },
                Named { name: Some("uq".into()), item: names(&["d", "e"]) }
            ]
        );
        let checks: Vec<_> = ddl.checks.iter().map(|check| check.item.as_str()).collect();
        assert_eq!(checks, [r#""check" > (1 + 2) AND 'a,b)' <> ')'"#, "e <> 7"]);
        assert_eq!(foreign_key(&ddl, 0), (None, vec!["check"], Deferrability::InitiallyDeferred));
        assert_eq!(foreign_key(&ddl, 1), (None, vec!["d"], Deferrability::NotDeferrable));
        assert_eq!(foreign_key(&ddl, 2), (None, vec!["e"], Deferrability::InitiallyImmediate));
        assert_eq!(foreign_key(&ddl, 3), (Some("fk"), vec!["g"], Deferrability::InitiallyImmediate));
        assert_eq!(foreign_key(&ddl, 4), (Some("pair"), vec!["d", "e"], Deferrability::InitiallyDeferred));
        assert_eq!(ddl.foreign_keys.len(), 5);
    }

    #[test]
    fn autoincrement_may_stand_in_the_table_constraint() {
        assert!(table("CREATE TABLE t (id INTEGER, PRIMARY KEY (id AUTOINCREMENT))").autoincrement);
        assert!(!table("CREATE TABLE t (id INTEGER PRIMARY KEY, autoincrementing int)").autoincrement);
    }

    #[test]
    fn a_generated_columns_expression_is_no_constraint() {
        let ddl = table("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a REFERENCES) STORED UNIQUE)");
        assert!(ddl.foreign_keys.is_empty());
        assert_eq!(ddl.unique[0].item, ["b"]);
    }

    #[test]
    fn index_parts_and_predicate_are_read_as_they_stand() {
        let ddl = index(
            "CREATE UNIQUE INDEX IF NOT EXISTS \"on where\" ON [t] (lower(\"e, mail\") DESC, b COLLATE nocase ASC) WHERE deleted_at IS NULL",
        );
        assert_eq!(ddl.parts, ["lower(\"e, mail\")", "b COLLATE nocase"]);
        assert_eq!(ddl.predicate.as_deref(), Some("deleted_at IS NULL"));
    }

    #[test]
    fn triggers_without_a_timing_fire_before() {
        assert_eq!(
            trigger_timing("CREATE TRIGGER after AFTER UPDATE OF a, b ON t BEGIN SELECT 1; END"),
            "AFTER UPDATE"
        );
        assert_eq!(
            trigger_timing("create temp trigger if not exists main.x delete on t begin select 1; end"),
            "BEFORE DELETE"
        );
        assert_eq!(trigger_timing("CREATE TRIGGER x INSTEAD OF INSERT ON v BEGIN SELECT 1; END"), "INSTEAD OF INSERT");
    }

    #[test]
    fn json_columns_are_known_by_their_check() {
        assert_eq!(json_checked_column("(JSON_VALID(\"data\") OR \"data\" IS NULL)").as_deref(), Some("data"));
        assert_eq!(json_checked_column("json_valid([data])").as_deref(), Some("data"));
        assert_eq!(json_checked_column("data IS NULL OR json_valid(data)").as_deref(), Some("data"));
        assert_eq!(json_checked_column("json_valid(data) AND length(data) > 2"), None);
        assert_eq!(json_checked_column("json_valid(data) OR other IS NULL"), None);
        assert_eq!(json_checked_column("a > 0"), None);
    }

    #[test]
    fn unfinished_text_does_not_panic() {
        for sql in [
            "",
            "CREATE TABLE",
            "CREATE TABLE t (",
            "CREATE TABLE t (a '",
            "CREATE INDEX i ON t (",
            "x'",
            "\"",
            "[",
            "/*",
        ] {
            let _ = (table(sql), index(sql), trigger_timing(sql), json_checked_column(sql));
        }
    }
}
