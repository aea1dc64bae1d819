//! Foreign keys that wait, or stand aside, and come back.

use relink_db::{Connection, DbErrorKind, TransactionKind};
use relink_model::Catalog;
use relink_testkit::TestDatabase;

use crate::{count, foreign_key, insert, int, relation, with_schema};

/// Two relations that need each other, with a declared clause for the keys.
fn cycle(clause: &str) -> String {
    format!("a(id int, b_id int -> b.id {clause}, pk(id)) b(id int, a_id int -> a.id {clause}, pk(id))")
}

/// The clauses under which this database can defer a key.
fn deferrable_clauses(connection: &dyn Connection) -> Vec<&'static str> {
    let capabilities = connection.dialect().capabilities();
    let mut clauses = Vec::new();
    if capabilities.defers_declared {
        clauses.extend(["deferrable", "deferred"]);
    }
    if capabilities.defers_any_foreign_key || capabilities.owner_can_make_deferrable {
        clauses.push("");
    }
    clauses
}

/// Loads one row into each of the two relations, the referencing one first.
async fn load_cycle(connection: &mut dyn Connection, catalog: &Catalog, id: i64) {
    let row = [vec![int(id), int(id)]];
    insert(connection, relation(catalog, "a"), &["id", "b_id"], &row).await.expect("the reference may wait");
    insert(connection, relation(catalog, "b"), &["id", "a_id"], &row).await.expect("and is satisfied");
}

/// Whether an orphan is refused at once.
async fn refuses_orphans(connection: &mut dyn Connection, catalog: &Catalog) -> bool {
    connection.savepoint("orphan").await.expect("sets");
    let outcome = insert(connection, relation(catalog, "a"), &["id", "b_id"], &[vec![int(77), int(99)]]).await;
    connection.rollback_to("orphan").await.expect("rolls back");
    connection.release("orphan").await.expect("releases");
    outcome == Err(DbErrorKind::ForeignKeyViolation)
}

/// The catalog without what counts rows.
fn without_estimates(mut catalog: Catalog) -> Catalog {
    for relation in &mut catalog.relations {
        relation.estimated_rows = None;
    }
    catalog
}

async fn constraints_of(connection: &mut dyn Connection) -> Catalog {
    without_estimates(connection.introspect().await.expect("readable"))
}

/// A new schema in the place of the old one.
async fn fresh(database: &TestDatabase, schema: &str) -> (Box<dyn Connection>, Catalog) {
    let mut connection = crate::open(database).await;
    connection.drop_everything().await.expect("drops");
    connection.close().await.expect("closes");
    with_schema(database, schema).await
}

pub(crate) async fn a_cycle_loads_deferred_and_the_catalog_is_as_before(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, &cycle("")).await;
    let clauses = deferrable_clauses(connection.as_ref());
    if clauses.is_empty() {
        connection.begin(TransactionKind::Write).await.expect("begins");
        let a = relation(&catalog, "a");
        let refused = connection.defer(&[(a, foreign_key(a, "b_id"))]).await.expect_err("it cannot");
        assert_eq!(refused.kind, DbErrorKind::Unsupported);
        connection.check_deferred().await.expect("nothing was deferred");
        return connection.rollback().await.expect("rolls back");
    }
    connection.close().await.expect("closes");
    for clause in clauses {
        let (mut connection, catalog) = fresh(database, &cycle(clause)).await;
        let (a, b) = (relation(&catalog, "a"), relation(&catalog, "b"));
        connection.begin(TransactionKind::Write).await.expect("begins");
        if clause != "deferred" {
            assert!(refuses_orphans(connection.as_mut(), &catalog).await, "{clause:?}: before");
        }
        connection.defer(&[(a, foreign_key(a, "b_id")), (b, foreign_key(b, "a_id"))]).await.expect("defers");
        load_cycle(connection.as_mut(), &catalog, 1).await;
        load_cycle(connection.as_mut(), &catalog, 2).await;
        connection.check_deferred().await.expect("every reference has its target");
        if clause.is_empty() {
            assert!(refuses_orphans(connection.as_mut(), &catalog).await, "{clause:?}: afterwards");
        }
        connection.commit().await.expect("commits");
        assert_eq!(count(connection.as_mut(), b).await, 2);
        assert_eq!(constraints_of(connection.as_mut()).await, without_estimates(catalog), "{clause:?}");
        connection.close().await.expect("closes");
    }
}

pub(crate) async fn a_deferred_violation_fires_when_asked(database: &TestDatabase) {
    let (connection, _) = with_schema(database, &cycle("")).await;
    let clauses = deferrable_clauses(connection.as_ref());
    connection.close().await.expect("closes");
    for clause in clauses {
        let (mut connection, catalog) = fresh(database, &cycle(clause)).await;
        let a = relation(&catalog, "a");
        connection.begin(TransactionKind::Write).await.expect("begins");
        connection.defer(&[(a, foreign_key(a, "b_id"))]).await.expect("defers");
        insert(connection.as_mut(), a, &["id", "b_id"], &[vec![int(1), int(99)]]).await.expect("it may wait");
        let error = connection.check_deferred().await.expect_err("there is no b 99");
        assert_eq!(error.kind, DbErrorKind::ForeignKeyViolation, "{clause:?}: {error}");
        assert!(error.relation.as_deref().is_some_and(|relation| relation == "a"), "{error:?}");
        connection.rollback().await.expect("rolls back");
        assert_eq!(count(connection.as_mut(), a).await, 0);
        assert_eq!(constraints_of(connection.as_mut()).await, without_estimates(catalog), "{clause:?}");
        connection.close().await.expect("closes");
    }
}

pub(crate) async fn constraints_declared_deferred_fire_when_asked(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, &cycle("deferred")).await;
    if !connection.dialect().capabilities().defers_declared {
        return;
    }
    connection.begin(TransactionKind::Write).await.expect("begins");
    load_cycle(connection.as_mut(), &catalog, 1).await;
    connection.check_deferred().await.expect("every reference has its target");
    connection.commit().await.expect("commits");
    connection.begin(TransactionKind::Write).await.expect("begins");
    insert(connection.as_mut(), relation(&catalog, "a"), &["id", "b_id"], &[vec![int(2), int(99)]])
        .await
        .expect("it waits for the commit");
    let error = connection.check_deferred().await.expect_err("there is no b 99");
    assert_eq!(error.kind, DbErrorKind::ForeignKeyViolation);
    connection.rollback().await.expect("rolls back");
}

pub(crate) async fn a_cycle_loads_with_keys_suspended_and_the_catalog_is_as_before(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, &cycle("")).await;
    let (a, b) = (relation(&catalog, "a"), relation(&catalog, "b"));
    let keys = [(a, foreign_key(a, "b_id")), (b, foreign_key(b, "a_id"))];
    connection.begin(TransactionKind::Write).await.expect("begins");
    if !connection.dialect().capabilities().can_suspend_foreign_keys {
        assert_eq!(connection.suspend(&keys).await.expect_err("it cannot").kind, DbErrorKind::Unsupported);
        return connection.rollback().await.expect("rolls back");
    }
    connection.suspend(&keys).await.expect("suspends");
    load_cycle(connection.as_mut(), &catalog, 1).await;
    connection.resume().await.expect("every reference has its target");
    assert!(refuses_orphans(connection.as_mut(), &catalog).await);
    connection.commit().await.expect("commits");
    assert_eq!(count(connection.as_mut(), b).await, 1);
    assert_eq!(constraints_of(connection.as_mut()).await, without_estimates(catalog));
}

pub(crate) async fn suspended_keys_hold_again_after_a_rollback(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, &cycle("")).await;
    let a = relation(&catalog, "a");
    if !connection.dialect().capabilities().can_suspend_foreign_keys {
        return;
    }
    for resumes in [false, true] {
        connection.begin(TransactionKind::Write).await.expect("begins");
        connection.suspend(&[(a, foreign_key(a, "b_id"))]).await.expect("suspends");
        insert(connection.as_mut(), a, &["id", "b_id"], &[vec![int(1), int(99)]]).await.expect("nobody looks");
        if resumes {
            // PostgreSQL validates; MySQL leaves that to the caller.
            let outcome = connection.resume().await.map_err(|error| error.kind);
            assert!(matches!(outcome, Ok(()) | Err(DbErrorKind::ForeignKeyViolation)), "{outcome:?}");
        }
        connection.rollback().await.expect("rolls back");
        connection.begin(TransactionKind::Write).await.expect("begins");
        assert!(refuses_orphans(connection.as_mut(), &catalog).await);
        connection.rollback().await.expect("rolls back");
    }
    assert_eq!(count(connection.as_mut(), a).await, 0);
    assert_eq!(constraints_of(connection.as_mut()).await, without_estimates(catalog));
}
