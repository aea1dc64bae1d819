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

fn postgres(database: &TestDatabase) -> Vec<(String, Vec<u8>)> {
    let of_everyone = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
    let queries = [
        format!(
            "SELECT n.nspname, c.relname, query_to_xml(format('SELECT t::text AS row FROM ONLY %I.%I t ORDER BY 1', n.nspname, c.relname), true, true, '') \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {of_everyone} ORDER BY 1, 2"
        ),
        format!(
            "SELECT n.nspname, c.relname, query_to_xml(format('SELECT last_value, is_called FROM %I.%I', n.nspname, c.relname), true, true, '') \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND {of_everyone} ORDER BY 1, 2"
        ),
        format!(
            "SELECT n.nspname, o.conrelid::regclass, o.conname, o.condeferrable, o.condeferred, o.convalidated, pg_get_constraintdef(o.oid) \
             FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace WHERE {of_everyone} ORDER BY 1, 2::text, 3"
        ),
    ];
    queries.into_iter().map(|query| (query.clone(), lines(database, &query).join("\n").into_bytes())).collect()
}

fn mysql(database: &TestDatabase) -> Vec<(String, Vec<u8>)> {
    let tables =
        "SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1";
    let mut contents = vec![(tables.to_owned(), lines(database, tables).join("\n").into_bytes())];
    for row in database.rows(tables) {
        let name = row[0].as_deref().expect("tables have names").replace('`', "``");
        let mut rows = lines(database, &format!("SELECT * FROM `{name}`"));
        rows.sort();
        rows.extend(lines(database, &format!("SHOW CREATE TABLE `{name}`")));
        contents.push((name, rows.join("\n").into_bytes()));
    }
    contents
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
