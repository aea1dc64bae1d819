//! Everything that a restore could leave behind in a database, as the databases' own programs show it.

use std::path::Path;

use relink_testkit::{TestDatabase, schema};

/// Rows, counters and constraints of a database; of an SQLite database the bytes of its file, and the names of the files beside it.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents(Vec<(String, Vec<u8>)>);

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.0.iter().map(|(name, content)| {
            let end = content.len().min(2_000);
            (name, content.len(), String::from_utf8_lossy(&content[..end]))
        });
        f.debug_list().entries(shown).finish()
    }
}

impl Contents {
    /// Looks at the database.
    ///
    /// # Panics
    /// Where it cannot be read.
    pub fn of(database: &TestDatabase) -> Self {
        let url = database.url();
        Self(match database.dialect() {
            "sqlite" => files(Path::new(url.strip_prefix("sqlite:").expect("the URL of a file"))),
            "postgres" => postgres(database),
            _ => mysql(database),
        })
    }

    /// That the database still holds just this.
    ///
    /// # Panics
    /// With what differs.
    #[track_caller]
    pub fn assert_unchanged(&self, database: &TestDatabase) {
        self.assert_unchanged_after(database, "a restore");
    }

    /// That the database still holds just this, after what a failure's message is to name.
    ///
    /// # Panics
    /// With what differs.
    #[track_caller]
    pub fn assert_unchanged_after(&self, database: &TestDatabase, what: impl std::fmt::Display) {
        let now = Self::of(database);
        let without =
            |one: &Self, other: &Self| Self(one.0.iter().filter(|entry| !other.0.contains(entry)).cloned().collect());
        assert!(
            *self == now,
            "{database:?} has changed after {what}\nbefore: {:#?}\nnow: {:#?}",
            without(self, &now),
            without(&now, self)
        );
    }

    /// The constraints alone; SQLite's stand in its file, where nobody changes them.
    #[must_use]
    pub fn constraints(mut self) -> Self {
        self.0.retain(|(name, _)| name.starts_with("constraint "));
        self
    }

    /// The rows alone, of tables of this order: what stays comparable after a connection was lost, when nobody could put counters back or
    /// SQLite had a journal to roll back first.
    ///
    /// # Panics
    /// Where a table cannot be read.
    pub fn rows(database: &TestDatabase, tables: &[&str]) -> Self {
        let rows = |table: &&str| {
            let mut rows = lines(database, &format!("SELECT * FROM {table}"));
            rows.sort();
            ((*table).to_owned(), rows.join("\n").into_bytes())
        };
        Self(tables.iter().map(rows).collect())
    }
}

fn files(database: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = database.parent().expect("the file stands in a folder");
    let entries = std::fs::read_dir(folder).expect("the folder of the database can be read");
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("a readable entry").path();
            (path.display().to_string(), std::fs::read(&path).expect("a readable file"))
        })
        .collect();
    files.sort();
    files
}

/// One query for everything: tests of failures look often.
fn postgres(database: &TestDatabase) -> Vec<(String, Vec<u8>)> {
    let ours = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
    let query = format!(
        "SELECT 'rows', n.nspname, c.relname, query_to_xml(format('SELECT t::text AS row FROM ONLY %I.%I t ORDER BY 1', n.nspname, c.relname), true, true, '')::text
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {ours}
         UNION ALL
         SELECT 'counter', n.nspname, c.relname, query_to_xml(format('SELECT last_value, is_called FROM %I.%I', n.nspname, c.relname), true, true, '')::text
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {ours}
         UNION ALL
         SELECT 'constraint', n.nspname, o.conrelid::regclass::text || ' ' || o.conname,
             format('%s %s %s %s', pg_get_constraintdef(o.oid), o.condeferrable, o.condeferred, o.convalidated)
         FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace WHERE {ours}
         ORDER BY 1, 2, 3, 4"
    );
    named(database.rows(&query))
}

/// Two queries for everything: which columns there are, then all rows, counters and constraints.
fn mysql(database: &TestDatabase) -> Vec<(String, Vec<u8>)> {
    let quote = |name: &Option<String>| format!("`{}`", name.as_deref().unwrap_or_default().replace('`', "``"));
    let columns = database.rows(
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION",
    );
    let rows = columns.chunk_by(|one, other| one[0] == other[0]).map(|columns| {
        let shown: Vec<String> =
            columns.iter().map(|column| format!("COALESCE(HEX({}), 'NULL')", quote(&column[1]))).collect();
        let name = columns[0][0].as_deref().unwrap_or_default().replace('\'', "''");
        format!(
            "SELECT 'rows', '{name}', CONCAT_WS('|', {}) AS content FROM {}",
            shown.join(", "),
            quote(&columns[0][0])
        )
    });
    let facts = [
        "SELECT 'counter', TABLE_NAME, COALESCE(AUTO_INCREMENT, 'none') FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
        "SELECT 'constraint', TABLE_NAME, CONCAT_WS(' ', CONSTRAINT_NAME, CONSTRAINT_TYPE) FROM information_schema.TABLE_CONSTRAINTS
         WHERE TABLE_SCHEMA = DATABASE()",
    ];
    let query: Vec<String> = rows.chain(facts.map(str::to_owned)).collect();
    named(database.rows(&format!("{} ORDER BY 1, 2, 3", query.join(" UNION ALL "))))
}

/// Rows whose last value is the content, and whose others are its name.
fn named(rows: Vec<Vec<Option<String>>>) -> Vec<(String, Vec<u8>)> {
    let named = rows.into_iter().map(|row| {
        let mut values: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
        let content = values.pop().unwrap_or_default();
        (values.join(" "), content.into_bytes())
    });
    named.collect()
}

/// A fresh database of each kind, with the schema of this text.
///
/// # Panics
/// Where the schema cannot be made.
pub fn each(test_name: &str, schema_text: &str) -> Vec<TestDatabase> {
    let schema = schema(schema_text);
    let databases = TestDatabase::each(test_name);
    for database in &databases {
        database.run(&schema.ddl(database.dialect()));
    }
    databases
}

/// The rows of a query, each as one line: values with `|` between them, NULL as `NULL`.
///
/// # Panics
/// Where the query fails.
pub fn lines(database: &TestDatabase, sql: &str) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
    database.rows(sql).into_iter().map(|row| row.into_iter().map(text).collect::<Vec<_>>().join("|")).collect()
}
