//! Fresh databases for tests, created, filled and read with the databases' own command line programs (`sqlite3`, `psql`,
//! `mariadb` or `mysql`): judges from outside, which share no code with what they judge.
//!
//! Servers are found through environment variables, and are not started here.

use std::{
    env, fmt,
    io::Write as _,
    path::PathBuf,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use url::Url;

mod xml;

/// Names the PostgreSQL server: a URL of a superuser, e.g. `postgres://postgres@127.0.0.1:5432/postgres`.
pub const POSTGRES_VARIABLE: &str = "RELINK_TEST_POSTGRES";
/// Names the MySQL or MariaDB server: a URL of a user with all rights, e.g. `mysql://root:secret@127.0.0.1:3306/mysql`.
pub const MYSQL_VARIABLE: &str = "RELINK_TEST_MYSQL";

/// What the programs print for NULL: no test writes this text.
const NULL: &str = "\u{2400}NULL\u{2400}";
const COLUMN_END: &str = "\u{1f}";
const ROW_END: &str = "\u{1e}";

/// A database of its own for one test; gone when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    place: Place,
}

enum Place {
    Sqlite { _directory: TempDir, path: PathBuf },
    Postgres { admin: Url, database: String },
    MySql { admin: Url, database: String },
}

impl fmt::Debug for Place {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path, .. } => write!(f, "{}", path.display()),
            Self::Postgres { database, .. } | Self::MySql { database, .. } => f.write_str(database),
        }
    }
}

impl TestDatabase {
    /// An SQLite file in a temporary directory. The file is made by the first [`Self::run`].
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("test.sqlite");
        Self { place: Place::Sqlite { _directory: directory, path } }
    }

    /// A PostgreSQL database; `None`, with a line on stderr, where no server is named.
    ///
    /// # Panics
    /// Without a server under `CI=true`; where the server cannot be used.
    pub fn postgres(test_name: &str) -> Option<Self> {
        let admin = server(POSTGRES_VARIABLE, test_name)?;
        let database = unique_name(test_name);
        psql(&admin, &[], &format!("CREATE DATABASE {database} ENCODING 'UTF8' TEMPLATE template0"));
        Some(Self { place: Place::Postgres { admin, database } })
    }

    /// A MySQL or MariaDB database in utf8mb4; `None`, with a line on stderr, where no server is named.
    ///
    /// # Panics
    /// Without a server under `CI=true`; where the server cannot be used.
    pub fn mysql(test_name: &str) -> Option<Self> {
        let admin = server(MYSQL_VARIABLE, test_name)?;
        let database = unique_name(test_name);
        mysql(&admin, None, &[], &format!("CREATE DATABASE {database} CHARACTER SET utf8mb4"));
        Some(Self { place: Place::MySql { admin, database } })
    }

    /// One of each that there is: SQLite always.
    pub fn each(test_name: &str) -> Vec<Self> {
        [Some(Self::sqlite()), Self::postgres(test_name), Self::mysql(test_name)].into_iter().flatten().collect()
    }

    /// `sqlite`, `postgres` or `mysql`: for [`crate::Schema::ddl`] and messages.
    pub fn dialect(&self) -> &'static str {
        match self.place {
            Place::Sqlite { .. } => "sqlite",
            Place::Postgres { .. } => "postgres",
            Place::MySql { .. } => "mysql",
        }
    }

    /// The URL, as relink takes it.
    pub fn url(&self) -> String {
        match &self.place {
            Place::Sqlite { path, .. } => format!("sqlite:{}", path.display()),
            Place::Postgres { admin, database } | Place::MySql { admin, database } => {
                in_database(admin, database).to_string()
            }
        }
    }

    /// Runs a script, and stops at its first error.
    ///
    /// # Panics
    /// With the program's own words where a statement fails.
    pub fn run(&self, sql: &str) {
        if let Err(error) = self.try_run(sql) {
            panic!("{error}");
        }
    }

    /// Runs a script up to its first error.
    ///
    /// # Errors
    /// The program's own words.
    pub fn try_run(&self, sql: &str) -> Result<(), String> {
        self.output(&[], sql).map(|_| ())
    }

    /// The rows of one query, every value as text in the database's own form.
    ///
    /// # Panics
    /// With the program's own words where the query fails.
    pub fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let output = match &self.place {
            Place::Sqlite { .. } => {
                self.output(&["-separator", COLUMN_END, "-newline", ROW_END, "-nullvalue", NULL], sql)
            }
            Place::Postgres { .. } => {
                let null = format!("null={NULL}");
                self.output(&["-t", "-A", "-F", COLUMN_END, "-R", ROW_END, "-P", &null], sql)
            }
            Place::MySql { .. } => self.output(&["--xml"], sql),
        };
        let output = output.unwrap_or_else(|error| panic!("{error}"));
        match self.place {
            Place::Sqlite { .. } => separated(&output),
            // psql ends its output, and not each row, and with a newline of its own.
            Place::Postgres { .. } => match output.strip_suffix('\n') {
                Some(rows) => separated(&format!("{rows}{ROW_END}")),
                None => Vec::new(),
            },
            Place::MySql { .. } => xml::rows(&output),
        }
    }

    /// The first value of the first row.
    ///
    /// # Panics
    /// Where there is no row, or the value is NULL.
    pub fn value(&self, sql: &str) -> String {
        let first = self.rows(sql).into_iter().next().and_then(|row| row.into_iter().next());
        first.flatten().unwrap_or_else(|| panic!("no value from {sql}"))
    }

    fn output(&self, options: &[&str], sql: &str) -> Result<String, String> {
        match &self.place {
            Place::Sqlite { path, .. } => {
                let mut command = Command::new("sqlite3");
                command.args(["-batch", "-bail", "-init", "/dev/null", "-noheader", "-list"]).args(options).arg(path);
                feed(command, sql)
            }
            Place::Postgres { admin, database } => try_psql(&in_database(admin, database), options, sql),
            Place::MySql { admin, database } => try_mysql(admin, Some(database), options, sql),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let dropped = match &self.place {
            Place::Sqlite { .. } => Ok(String::new()),
            Place::Postgres { admin, database } => {
                try_psql(admin, &[], &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
            }
            Place::MySql { admin, database } => {
                try_mysql(admin, None, &[], &format!("DROP DATABASE IF EXISTS {database}"))
            }
        };
        if let Err(error) = dropped {
            eprintln!("the test's database {:?} was left behind: {error}", self.place);
        }
    }
}

/// The server's URL. A missing one is said on stderr itself: `eprintln` would be swallowed by the test harness.
fn server(variable: &str, test_name: &str) -> Option<Url> {
    let Ok(text) = env::var(variable) else {
        assert!(
            env::var("CI").as_deref() != Ok("true"),
            "{test_name} needs a server: {variable} is not set, and CI=true"
        );
        let _ = writeln!(std::io::stderr(), "SKIP {test_name}: {variable} is not set");
        return None;
    };
    // The error is left out of the message on purpose: neither it nor the URL must show a password.
    Some(Url::parse(&text).unwrap_or_else(|_| panic!("{variable} is not a URL")))
}

/// Unique among processes (by id), tests of one process (by counter), and reused process ids (by time).
fn unique_name(test_name: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let plain: String = test_name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(30).collect();
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_micros());
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("relink_{}_{}_{now}_{number}", plain.to_ascii_lowercase(), process::id())
}

fn in_database(admin: &Url, database: &str) -> Url {
    let mut url = admin.clone();
    url.set_path(database);
    url
}

fn psql(url: &Url, options: &[&str], sql: &str) -> String {
    try_psql(url, options, sql).unwrap_or_else(|error| panic!("{error}"))
}

fn try_psql(url: &Url, options: &[&str], sql: &str) -> Result<String, String> {
    let mut command = Command::new("psql");
    // Arguments are visible to every process of the machine; the password goes through the environment.
    let mut shown = url.clone();
    if let Some(password) = url.password() {
        command.env("PGPASSWORD", decoded(password));
        let _ = shown.set_password(None);
    }
    command.env("PGCLIENTENCODING", "UTF8").env("PGOPTIONS", "-c client_min_messages=warning");
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"]).args(options).arg("-d").arg(shown.as_str()).args(["-f", "-"]);
    feed(command, sql)
}

fn mysql(admin: &Url, database: Option<&str>, options: &[&str], sql: &str) -> String {
    try_mysql(admin, database, options, sql).unwrap_or_else(|error| panic!("{error}"))
}

fn try_mysql(admin: &Url, database: Option<&str>, options: &[&str], sql: &str) -> Result<String, String> {
    let run = |program: &str| {
        let mut command = Command::new(program);
        command.args(["--no-defaults", "--batch", "--default-character-set=utf8mb4"]).args(options);
        match admin.query_pairs().find(|(name, _)| name == "socket") {
            Some((_, socket)) => command.arg(format!("--socket={socket}")),
            None => command.args(["--protocol=tcp", "--host", admin.host_str().unwrap_or("127.0.0.1")]),
        };
        if let Some(port) = admin.port() {
            command.arg(format!("--port={port}"));
        }
        if !admin.username().is_empty() {
            command.arg(format!("--user={}", decoded(admin.username())));
        }
        if let Some(password) = admin.password() {
            command.env("MYSQL_PWD", decoded(password));
        }
        command.args(database);
        feed(command, sql)
    };
    // MySQL's client where MariaDB's is not installed.
    match run("mariadb") {
        Err(error) if error.starts_with(NOT_FOUND) => run("mysql"),
        result => result,
    }
}

const NOT_FOUND: &str = "not installed: ";

/// Runs a program on a script; its output, or what it said on stderr.
fn feed(mut command: Command, sql: &str) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{NOT_FOUND}{program}"),
        _ => format!("{program}: {error}"),
    })?;
    let mut input = child.stdin.take().expect("stdin is piped");
    let script = sql.to_owned();
    // Written beside reading, as a long script and a long output would wait for each other. A program that gave up
    // early closes its end; its own message is the one that counts.
    let writer = std::thread::spawn(move || {
        let _ = input.write_all(script.as_bytes());
    });
    let output = child.wait_with_output().map_err(|error| format!("{program}: {error}"))?;
    let _ = writer.join();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

fn separated(text: &str) -> Vec<Vec<Option<String>>> {
    let value = |value: &str| if value == NULL { None } else { Some(value.to_owned()) };
    text.split_terminator(ROW_END).map(|row| row.split(COLUMN_END).map(value).collect()).collect()
}

/// A part of a URL without its percent escapes.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        let byte = escaped.filter(|_| *first == b'%');
        rest = if byte.is_some() { &tail[2..] } else { tail };
        bytes.push(byte.unwrap_or(*first));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn each_database_is_fresh_takes_the_schema_and_gives_rows_back_as_they_are() {
        let schema = schema(
            "documents(id pk, current_id null -> versions.id deferred, title text unique, price decimal(10,2) null check price >= 0)
             versions(id pk, document_id -> documents.id on delete cascade, title text -> documents.title, data bytes, u uuid, at timestamp,
                      day date, meta json null, ok bool default true, f float null, unique(document_id, u), check (ok or f > 0))
             parts(version_id -> versions, no bigint, note text null default 'none', pk(version_id, no), (version_id, no) -> parts(version_id, no) match full)",
        );
        for database in TestDatabase::each("each_database_is_fresh") {
            database.run(&schema.ddl(database.dialect()));
            assert!(database.rows("SELECT * FROM documents").is_empty(), "{database:?}");
            let odd = "a <b> & \"c\" 'd' \\ \t\n\r é 😀 NULL";
            // A backslash escapes in MySQL's literals, and must be doubled.
            let literal =
                odd.replace('\'', "''").replace('\\', if database.dialect() == "mysql" { "\\\\" } else { "\\" });
            database.run(&format!(
                "INSERT INTO documents (title, price) VALUES ('{literal}', NULL), ('', 12.30), ('NULL', 0);"
            ));
            let rows = database.rows("SELECT id, title, price FROM documents ORDER BY id");
            let text = |value: &str| Some(value.to_owned());
            assert_eq!(rows[0], [text("1"), text(odd), None], "{database:?}");
            assert_eq!(rows[1][1], text(""), "{database:?}");
            assert_eq!(rows[2][1], text("NULL"), "{database:?}");
            assert_eq!(database.rows("SELECT title FROM documents WHERE id = 2"), [[text("")]], "{database:?}");
            assert_eq!(database.value("SELECT COUNT(*) FROM documents"), "3");
            assert!(database.try_run("INSERT INTO documents (title) VALUES ('')").is_err(), "{database:?}");
            assert!(database.try_run("INSERT INTO documents (title, price) VALUES ('x', -1)").is_err(), "{database:?}");
        }
    }

    #[test]
    fn a_server_database_is_gone_when_dropped() {
        if let Some(database) = TestDatabase::postgres("gone") {
            let Place::Postgres { admin, database: name } = &database.place else { unreachable!("made as PostgreSQL") };
            let (admin, query) = (admin.clone(), format!("SELECT datname FROM pg_database WHERE datname = '{name}'"));
            assert!(psql(&admin, &["-t", "-A"], &query).starts_with("relink_gone"));
            drop(database);
            assert_eq!(psql(&admin, &["-t", "-A"], &query), "");
        }
        if let Some(database) = TestDatabase::mysql("gone") {
            let Place::MySql { admin, database: name } = &database.place else { unreachable!("made as MySQL") };
            let (admin, query) = (admin.clone(), format!("SHOW DATABASES LIKE '{name}'"));
            assert!(mysql(&admin, None, &["-N"], &query).starts_with("relink_gone"));
            drop(database);
            assert_eq!(mysql(&admin, None, &["-N"], &query), "");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let admin = Url::parse("postgres://a:s%40cret@h/p").expect("a URL");
        let database =
            std::mem::ManuallyDrop::new(TestDatabase { place: Place::Postgres { admin, database: "x".to_owned() } });
        assert!(!format!("{database:?}").contains("cret"));
        assert_eq!(decoded("s%40cret%"), "s@cret%");
    }
}
