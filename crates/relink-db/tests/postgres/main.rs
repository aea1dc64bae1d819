//! What is special to PostgreSQL, on a server. What all databases have in common is shown elsewhere, by one suite for
//! all.

mod catalog;
mod enforcement;
mod keys;
mod numbering;
mod session;
mod triggers;
mod values;

use relink_db::{
    Access, Connection, DatabaseUrl, DbErrorKind, InsertColumn, InsertTarget, Intent, Lookup, NumberingState,
    TransactionKind, connect,
};
use relink_model::{
    Catalog, Deferrability, Enforcement, ForeignKey, GeneratedKind, Identity, MatchKind, Relation, RelationKind,
    RelationName, TypeKind, Value,
};
use relink_testkit::TestDatabase;

async fn open(database: &TestDatabase) -> Box<dyn Connection> {
    open_url(&database.url(), Access::ReadWrite).await
}

async fn open_url(url: &str, access: Access) -> Box<dyn Connection> {
    let url: DatabaseUrl = url.parse().expect("a PostgreSQL URL");
    connect(&url, access).await.expect("the server answers")
}

fn relation<'a>(catalog: &'a Catalog, name: &str) -> &'a Relation {
    catalog.relation(catalog.find(name).unwrap_or_else(|| panic!("no relation {name}")))
}

fn kind<'a>(relation: &'a Relation, column: &str) -> &'a TypeKind {
    &relation.column(column).unwrap_or_else(|| panic!("no column {column}")).1.data_type.kind
}

fn target(relation: &Relation, columns: &[&str]) -> InsertTarget {
    let column = |name: &&str| InsertColumn::from(relation.column(name).expect("the column exists").1);
    let columns: Vec<InsertColumn> = columns.iter().map(column).collect();
    let is_always = |name: &str| relation.column(name).is_some_and(|(_, c)| c.identity == Some(Identity::Always));
    let overrides_identity = columns.iter().any(|column| is_always(&column.name));
    InsertTarget { relation: relation.name.clone(), columns, overrides_identity }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A role of its own with a password, gone when dropped.
struct Role<'a> {
    database: &'a TestDatabase,
    name: String,
}

impl<'a> Role<'a> {
    fn new(database: &'a TestDatabase) -> Self {
        let name = format!("{}_role", database.value("SELECT current_database()"));
        database.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA public TO {name}"));
        Self { database, name }
    }

    fn url(&self) -> String {
        let mut url = url::Url::parse(&self.database.url()).expect("a URL");
        url.set_username(&self.name).expect("the URL has a host");
        url.set_password(Some("secret")).expect("the URL has a host");
        url.to_string()
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        if let Err(error) = self.database.try_run(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}")) {
            eprintln!("the role {name} was left behind: {error}");
        }
    }
}
