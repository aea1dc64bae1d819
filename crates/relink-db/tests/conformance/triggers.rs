//! Triggers that stand back for a transaction.

use relink_db::{Connection, DbErrorKind, TransactionKind};
use relink_model::{Catalog, Relation};
use relink_testkit::TestDatabase;

use crate::{count, insert, int, open, relation};

/// A relation whose trigger writes into another one.
fn ddl(dialect: &str) -> &'static str {
    match dialect {
        "sqlite" => {
            "CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE log (id integer);
             CREATE  TRIGGER  \"on; t\"  AFTER INSERT ON T /* odd */ BEGIN INSERT INTO log VALUES (NEW.id); SELECT 'a;b'; END;
             CREATE TRIGGER other AFTER DELETE ON t BEGIN DELETE FROM log; END;"
        }
        "postgres" => {
            "CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE log (id integer);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (NEW.id); RETURN NULL; END';
             CREATE TRIGGER \"on; t\" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();"
        }
        _ => {
            "CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE log (id integer);
             CREATE TRIGGER `on; t` AFTER INSERT ON t FOR EACH ROW INSERT INTO log VALUES (NEW.id);"
        }
    }
}

async fn prepared(database: &TestDatabase) -> (Box<dyn Connection>, Catalog) {
    let mut connection = open(database).await;
    connection.execute_script(ddl(database.dialect())).await.expect("the schema is valid");
    let catalog = connection.introspect().await.expect("readable");
    (connection, catalog)
}

/// Whether a row of this id makes the trigger fire.
async fn fires(connection: &mut dyn Connection, catalog: &Catalog, id: i64) -> bool {
    let before = count(connection, relation(catalog, "log")).await;
    insert(connection, relation(catalog, "t"), &["id"], &[vec![int(id)]]).await.expect("inserts");
    count(connection, relation(catalog, "log")).await > before
}

/// The schema as the database tells it, word for word where it keeps words.
async fn schema_of(connection: &mut dyn Connection) -> (Vec<Relation>, Vec<String>) {
    let mut relations = connection.introspect().await.expect("readable").relations;
    for relation in &mut relations {
        relation.estimated_rows = None;
    }
    let words = if connection.dialect().name() == "sqlite" {
        let rows = connection.query("SELECT type || name || sql FROM sqlite_schema ORDER BY rowid", &[]).await;
        rows.expect("readable").iter().map(|row| row[0].to_string()).collect()
    } else {
        Vec::new()
    };
    (relations, words)
}

pub(crate) async fn triggers_stand_back_and_come_back_as_they_were(database: &TestDatabase) {
    let (mut connection, catalog) = prepared(database).await;
    let connection = connection.as_mut();
    let (t, log) = (relation(&catalog, "t"), relation(&catalog, "log"));
    let before = schema_of(connection).await;
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.disable_triggers(&[log]).await.expect("there is none");
    if !connection.dialect().capabilities().disables_triggers {
        let refused = connection.disable_triggers(&[log, t]).await.expect_err("it cannot");
        assert_eq!((refused.kind, refused.relation.as_deref()), (DbErrorKind::Unsupported, Some("t")));
        connection.enable_triggers().await.expect("there is nothing to do");
        assert!(fires(connection, &catalog, 1).await);
        return connection.rollback().await.expect("rolls back");
    }
    connection.disable_triggers(&[t, log]).await.expect("disables");
    connection.disable_triggers(&[t]).await.expect("once more changes nothing");
    assert!(!fires(connection, &catalog, 1).await);
    connection.enable_triggers().await.expect("enables");
    assert!(fires(connection, &catalog, 2).await);
    connection.enable_triggers().await.expect("once more changes nothing");
    connection.commit().await.expect("commits");
    assert_eq!(schema_of(connection).await, before);

    // A commit enables by itself, a rollback too.
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.disable_triggers(&[t]).await.expect("disables");
    assert!(!fires(connection, &catalog, 3).await);
    connection.commit().await.expect("commits");
    assert_eq!(schema_of(connection).await, before);
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.disable_triggers(&[t]).await.expect("disables");
    connection.rollback().await.expect("rolls back");
    assert_eq!(schema_of(connection).await, before);
    assert!(fires(connection, &catalog, 4).await);
    let outside = connection.disable_triggers(&[t]).await.expect_err("it would be for good");
    assert_eq!(outside.kind, DbErrorKind::Unsupported);
}

pub(crate) async fn the_way_back_to_a_savepoint_takes_triggers_along(database: &TestDatabase) {
    let (mut connection, catalog) = prepared(database).await;
    let connection = connection.as_mut();
    if !connection.dialect().capabilities().disables_triggers {
        return;
    }
    let t = relation(&catalog, "t");
    let before = schema_of(connection).await;
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.savepoint("enabled").await.expect("sets");
    connection.disable_triggers(&[t]).await.expect("disables");
    connection.savepoint("disabled").await.expect("sets");
    connection.savepoint("forgotten").await.expect("sets");
    connection.release("forgotten").await.expect("releases");
    connection.enable_triggers().await.expect("enables");
    assert!(fires(connection, &catalog, 1).await);
    connection.rollback_to("disabled").await.expect("rolls back");
    assert!(!fires(connection, &catalog, 1).await);
    connection.rollback_to("enabled").await.expect("rolls back");
    assert!(fires(connection, &catalog, 1).await);
    connection.disable_triggers(&[t]).await.expect("disables again");
    connection.savepoint("disabled").await.expect("sets");
    connection.enable_triggers().await.expect("enables");
    connection.rollback_to("disabled").await.expect("rolls back");
    connection.commit().await.expect("commits");
    assert_eq!(schema_of(connection).await, before);
    assert!(fires(connection, &catalog, 2).await);
}
