//! The counters behind numbered columns.

use relink_db::{Connection, NumberingState, TransactionKind};
use relink_model::{Catalog, Identity};
use relink_testkit::TestDatabase;

use crate::{insert, int, open, relation, rows, text, with_schema};

/// A relation whose ids the database counts.
async fn counted(database: &TestDatabase) -> (Box<dyn Connection>, Catalog) {
    let id = match database.dialect() {
        "sqlite" => "INTEGER PRIMARY KEY AUTOINCREMENT",
        "postgres" => "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        _ => "bigint AUTO_INCREMENT PRIMARY KEY",
    };
    let mut connection = open(database).await;
    connection
        .execute_script(&format!("CREATE TABLE t (id {id}, word varchar(10))"))
        .await
        .expect("the schema is valid");
    let catalog = connection.introspect().await.expect("the catalog can be read");
    (connection, catalog)
}

fn next(number: i64) -> NumberingState {
    NumberingState { next: Some(number) }
}

pub(crate) async fn counters_go_past_given_ids_and_never_back(database: &TestDatabase) {
    let (mut connection, catalog) = counted(database).await;
    let table = relation(&catalog, "t");
    let id = table.numbered_column().expect("id is numbered");
    assert!(id.identity.is_none() || id.identity == Some(Identity::Always));
    assert_eq!(connection.numbering(table).await.expect("readable"), next(1));
    assert_eq!(connection.advance_numbering(table, false).await.expect("an empty relation"), next(1));

    connection.begin(TransactionKind::Write).await.expect("begins");
    let given = [vec![int(5), text("a")], vec![int(9), text("b")], vec![int(-3), text("c")]];
    insert(connection.as_mut(), table, &["id", "word"], &given).await.expect("ids are taken as given");
    assert_eq!(connection.advance_numbering(table, false).await.expect("advances"), next(10));
    connection.commit().await.expect("commits");
    assert_eq!(connection.numbering(table).await.expect("readable"), next(10));

    insert(connection.as_mut(), table, &["word"], &[vec![text("d")]]).await.expect("inserts");
    let ids: Vec<_> = rows(connection.as_mut(), table, &["id"]).await.concat();
    assert_eq!(ids, [int(-3), int(5), int(9), int(10)]);
    connection.execute("DELETE FROM t WHERE id > 5", &[]).await.expect("deletes");
    connection.begin(TransactionKind::Write).await.expect("begins");
    assert_eq!(connection.advance_numbering(table, false).await.expect("advances"), next(11), "never lower");
    connection.commit().await.expect("commits");
}

pub(crate) async fn a_rolled_back_load_leaves_the_counter_where_it_was(database: &TestDatabase) {
    let (mut connection, catalog) = counted(database).await;
    let table = relation(&catalog, "t");
    insert(connection.as_mut(), table, &["word"], &[vec![text("first")]]).await.expect("inserts");
    let before = connection.numbering(table).await.expect("readable");
    assert_eq!(before, next(2));
    // The same for a dry run and for a run that failed.
    for rehearsal in [true, false] {
        connection.begin(TransactionKind::Write).await.expect("begins");
        insert(connection.as_mut(), table, &["id", "word"], &[vec![int(500), text("x")]]).await.expect("inserts");
        insert(connection.as_mut(), table, &["word"], &[vec![text("numbered")]]).await.expect("inserts");
        let advanced = connection.advance_numbering(table, rehearsal).await.expect("advances");
        assert!(advanced.next > Some(500), "{advanced:?}");
        connection.rollback().await.expect("rolls back");
        connection.restore_numbering(table, &before).await.expect("restores");
        assert_eq!(connection.numbering(table).await.expect("readable"), before, "rehearsal: {rehearsal}");
    }
    insert(connection.as_mut(), table, &["word"], &[vec![text("second")]]).await.expect("inserts");
    assert_eq!(rows(connection.as_mut(), table, &["id"]).await.concat(), [int(1), int(2)]);
    // What others have written since then counts more than the state to go back to.
    connection.restore_numbering(table, &before).await.expect("does nothing");
    assert_eq!(connection.numbering(table).await.expect("readable"), next(3));
}

pub(crate) async fn relations_without_a_counter_have_none(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "plain(code varchar(10), pk(code))").await;
    let table = relation(&catalog, "plain");
    let none = NumberingState { next: None };
    assert_eq!(connection.numbering(table).await.expect("readable"), none);
    assert_eq!(connection.advance_numbering(table, false).await.expect("nothing to do"), none);
    connection.restore_numbering(table, &none).await.expect("nothing to do");
}
