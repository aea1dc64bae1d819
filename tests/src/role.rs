//! A database user with few rights.

use relink_testkit::TestDatabase;
use url::Url;

/// A user of a server, gone when dropped. It may log in, and nothing else until it is granted more.
#[derive(Debug)]
pub struct Role<'a> {
    database: &'a TestDatabase,
    name: String,
}

const PASSWORD: &str = "relink_test";

impl<'a> Role<'a> {
    /// A user with a name of its own.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn new(database: &'a TestDatabase) -> Self {
        let url = Url::parse(&database.url()).expect("a server's URL");
        // The database's name is unique; MySQL takes 32 characters for a user's.
        let digits: String = url.path().chars().filter(char::is_ascii_digit).collect();
        let name = format!("r{}", &digits[digits.len().saturating_sub(24)..]);
        database.run(&match database.dialect() {
            "postgres" => {
                format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA public TO {name};")
            }
            _ => format!("CREATE USER {name}@'%' IDENTIFIED BY '{PASSWORD}';"),
        });
        Self { database, name }
    }

    /// Its name, as it stands in a GRANT.
    fn name(&self) -> String {
        if self.database.dialect() == "postgres" { self.name.clone() } else { format!("{}@'%'", self.name) }
    }

    /// Grants rights on these tables, and the use of every counter.
    ///
    /// # Panics
    /// Where a table does not exist.
    pub fn grant(&self, rights: &str, tables: &[&str]) {
        let name = self.name();
        if self.database.dialect() == "postgres" {
            let tables = tables.join(", ");
            self.database.run(&format!(
                "GRANT {rights} ON {tables} TO {name}; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name};"
            ));
            return;
        }
        let database = self.database.value("SELECT DATABASE()");
        for table in tables {
            self.database.run(&format!("GRANT {rights} ON {database}.{table} TO {name};"));
        }
    }

    /// The URL of the database for this user.
    ///
    /// # Panics
    /// Where the server's URL has no host.
    pub fn url(&self) -> String {
        let mut url = Url::parse(&self.database.url()).expect("a server's URL");
        url.set_username(&self.name).expect("the URL has a host");
        url.set_password(Some(PASSWORD)).expect("the URL has a host");
        url.to_string()
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let name = self.name();
        let dropped = self.database.try_run(&match self.database.dialect() {
            "postgres" => format!("DROP OWNED BY {name}; DROP ROLE {name};"),
            _ => format!("DROP USER {name};"),
        });
        if let Err(error) = dropped {
            eprintln!("the test's user {name} was left behind: {error}");
        }
    }
}
