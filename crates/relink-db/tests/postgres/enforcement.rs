//! Foreign keys deferred, suspended and put back; transactions that fail.

use super::*;

const CYCLE: &str = "CREATE TABLE a (id int PRIMARY KEY, b_id int NOT NULL);
    CREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL CONSTRAINT link REFERENCES a ON DELETE CASCADE);
    ALTER TABLE a ADD CONSTRAINT link FOREIGN KEY (b_id) REFERENCES b NOT VALID;
    COMMENT ON CONSTRAINT link ON b IS 'it''s here';
    CREATE TABLE later (id int PRIMARY KEY, a_id int REFERENCES a DEFERRABLE INITIALLY DEFERRED);";

/// The definitions of all foreign keys, with their comments.
fn definitions(database: &TestDatabase) -> Vec<Vec<Option<String>>> {
    database.rows(
        "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint')
         FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2",
    )
}

fn cycle(catalog: &Catalog) -> [(&Relation, &ForeignKey); 2] {
    ["a", "b"].map(|name| (relation(catalog, name), &relation(catalog, name).foreign_keys[0]))
}

async fn write_cycle(
    connection: &mut Box<dyn Connection>,
    catalog: &Catalog,
    b_of_a: i64,
) -> Result<u64, relink_db::DbError> {
    let (a, b) = (target(relation(catalog, "a"), &["id", "b_id"]), target(relation(catalog, "b"), &["id", "a_id"]));
    connection.insert(&a, &[vec![Value::Int(1), Value::Int(b_of_a)]]).await?;
    connection.insert(&b, &[vec![Value::Int(2), Value::Int(1)]]).await
}

#[tokio::test]
async fn the_owner_defers_keys_that_are_not_deferrable_and_puts_them_back() {
    let Some(database) = TestDatabase::postgres("defer") else { return };
    database.run(CYCLE);
    let before = definitions(&database);
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");

    connection.begin(TransactionKind::Write).await.expect("a transaction");
    connection.defer(&cycle(&catalog)).await.expect("the role owns both");
    write_cycle(&mut connection, &catalog, 2).await.expect("checked later");
    connection.check_deferred().await.expect("the references hold");
    connection.commit().await.expect("a commit");
    assert_eq!(definitions(&database), before);
    assert_eq!(database.value("SELECT count(*) FROM a, b"), "1");

    database.run("TRUNCATE a, b, later");
    connection.begin(TransactionKind::Write).await.expect("a transaction");
    connection.defer(&cycle(&catalog)[..1]).await.expect("the role owns it");
    connection.savepoint("s").await.expect("a savepoint");
    write_cycle(&mut connection, &catalog, 99).await.expect("checked later");
    let error = connection.check_deferred().await.expect_err("b 99 does not exist");
    assert_eq!((error.kind, error.constraint.as_deref()), (DbErrorKind::ForeignKeyViolation, Some("link")));
    assert_eq!(error.relation.as_deref(), Some("a"));
    connection.rollback().await.expect("a rollback");
    assert_eq!(definitions(&database), before);
}

#[tokio::test]
async fn deferring_one_of_two_keys_of_the_same_name_works() {
    let Some(database) = TestDatabase::postgres("same_name") else { return };
    database.run(
        "CREATE TABLE p (id int PRIMARY KEY);
        CREATE TABLE x (id int, p int CONSTRAINT fk REFERENCES p DEFERRABLE);
        CREATE TABLE y (id int, p int CONSTRAINT fk REFERENCES p);",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let x = relation(&catalog, "x");
    connection.begin(TransactionKind::Write).await.expect("a transaction");
    connection.defer(&[(x, &x.foreign_keys[0])]).await.expect("it is deferrable");
    connection.insert(&target(x, &["p"]), &[vec![Value::Int(1)]]).await.expect("checked later");
    let error = connection.commit().await.expect_err("p is empty");
    assert_eq!(error.kind, DbErrorKind::ForeignKeyViolation);
    connection.rollback().await.expect("a rollback");
}

#[tokio::test]
async fn suspended_keys_come_back_exactly_even_if_only_the_commit_brings_them() {
    let Some(database) = TestDatabase::postgres("suspend") else { return };
    database.run(CYCLE);
    let before = definitions(&database);
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    for explicit in [true, false] {
        connection.begin(TransactionKind::Write).await.expect("a transaction");
        connection.suspend(&cycle(&catalog)).await.expect("the role owns both");
        write_cycle(&mut connection, &catalog, 2).await.expect("nothing is checked");
        // A row whose own deferred key is still to be checked must not stand in the way of ALTER TABLE.
        let later = target(relation(&catalog, "later"), &["id", "a_id"]);
        connection.insert(&later, &[vec![Value::Int(1), Value::Int(1)]]).await.expect("a row");
        if explicit {
            connection.resume().await.expect("the references hold");
        }
        connection.commit().await.expect("a commit");
        assert_eq!(definitions(&database), before);
        database.run("TRUNCATE a, b, later");
    }

    connection.begin(TransactionKind::Write).await.expect("a transaction");
    let b = relation(&catalog, "b");
    connection.suspend(&[(b, &b.foreign_keys[0])]).await.expect("the role owns it");
    connection.insert(&target(b, &["id", "a_id"]), &[vec![Value::Int(1), Value::Int(99)]]).await.expect("unchecked");
    assert_eq!(connection.resume().await.expect_err("a 99 does not exist").kind, DbErrorKind::ForeignKeyViolation);
    connection.rollback().await.expect("a rollback");
    assert_eq!(definitions(&database), before);
}

#[tokio::test]
async fn going_back_to_a_savepoint_brings_back_what_was_suspended_then() {
    let Some(database) = TestDatabase::postgres("suspend_savepoint") else { return };
    database.run(CYCLE);
    let before = definitions(&database);
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    connection.begin(TransactionKind::Write).await.expect("a transaction");
    connection.savepoint("s").await.expect("a savepoint");
    connection.suspend(&cycle(&catalog)).await.expect("the role owns both");
    connection.rollback_to("s").await.expect("back");
    connection.resume().await.expect("nothing is to be put back");
    connection.suspend(&cycle(&catalog)).await.expect("they are there again");
    connection.savepoint("t").await.expect("a savepoint");
    connection.resume().await.expect("put back");
    connection.rollback_to("t").await.expect("back");
    connection.release("s").await.expect("gone");
    connection.commit().await.expect("a commit");
    assert_eq!(definitions(&database), before);
}

#[tokio::test]
async fn a_failed_transaction_does_not_commit() {
    let Some(database) = TestDatabase::postgres("failed") else { return };
    let mut connection = open(&database).await;
    connection.begin(TransactionKind::Write).await.expect("a transaction");
    connection.execute("CREATE TABLE t ()", &[]).await.expect("a table");
    connection.execute("SELECT 1/0", &[]).await.expect_err("a division by zero");
    let error = connection.commit().await.expect_err("COMMIT would say ROLLBACK and report success");
    assert_eq!(error.code.as_deref(), Some("25P02"));
    connection.rollback().await.expect("a rollback");
    assert!(connection.is_empty().await.expect("a query"));
}
