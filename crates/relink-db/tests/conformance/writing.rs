//! Inserts, updates, savepoints, and the kinds of errors.

use relink_db::{DbErrorKind, InsertTarget, TransactionKind};
use relink_model::Value;
use relink_testkit::TestDatabase;

use crate::{count, insert, int, names, relation, rows, target, text, with_schema};

pub(crate) async fn inserts_of_any_size_are_split(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "t(id bigint, word varchar(20), n int null, pk(id))").await;
    let table = relation(&catalog, "t");
    connection.begin(TransactionKind::Write).await.expect("begins");
    let mut expected = 0;
    // A tail of its own size, none at all, a second time the same, nothing.
    for size in [20_001, 16_384, 16_384, 1, 0] {
        let rows: Vec<_> = (expected..expected + size)
            .map(|id| vec![int(id), text(&format!("row {id}")), if id % 3 == 0 { Value::Null } else { int(id % 7) }])
            .collect();
        let written = insert(connection.as_mut(), table, &["id", "word", "n"], &rows).await;
        assert_eq!(written, Ok(rows.len() as u64));
        expected += size;
    }
    connection.commit().await.expect("commits");
    let read = rows(connection.as_mut(), table, &["id", "word", "n"]).await;
    assert_eq!(read.len() as i64, expected);
    for (id, row) in (0..).zip(&read) {
        let n = if id % 3 == 0 { Value::Null } else { int(id % 7) };
        assert_eq!(*row, [int(id), text(&format!("row {id}")), n]);
    }
}

pub(crate) async fn a_row_without_columns_takes_its_defaults(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "t(id pk, word varchar(20) default 'x')").await;
    let table = relation(&catalog, "t");
    let none = InsertTarget { relation: table.name.clone(), columns: Vec::new(), overrides_identity: false };
    assert_eq!(connection.insert(&none, &[vec![], vec![]]).await.expect("inserts"), 2);
    let read = rows(connection.as_mut(), table, &["id", "word"]).await;
    assert_eq!(read, [vec![int(1), text("x")], vec![int(2), text("x")]]);
}

pub(crate) async fn updates_count_the_rows_that_matched(database: &TestDatabase) {
    let schema = "t(a int, b varchar(10), n int null, word varchar(20) null, pk(a, b))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    let all = ["a", "b", "n", "word"];
    let before: Vec<_> = (1..=3).map(|a| vec![int(a), text("k"), int(0), text("old")]).collect();
    insert(connection.as_mut(), table, &all, &before).await.expect("inserts");
    let updates = [
        vec![Value::Null, text("new"), int(1), text("k")],
        // Nothing changes, and the row matches all the same.
        vec![int(0), text("old"), int(2), text("k")],
        vec![int(9), text("nobody"), int(4), text("k")],
    ];
    let (set, key) = (names(&["n", "word"]), names(&["a", "b"]));
    assert_eq!(connection.update_by_key(table, &set, &key, &updates).await.expect("updates"), 2);
    let after = rows(connection.as_mut(), table, &all).await;
    assert_eq!(after[0], [int(1), text("k"), Value::Null, text("new")]);
    assert_eq!(after[1..], before[1..]);
}

pub(crate) async fn savepoints_undo_what_came_after_them(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "t(id int, pk(id))").await;
    let table = relation(&catalog, "t");
    connection.begin(TransactionKind::Write).await.expect("begins");
    insert(connection.as_mut(), table, &["id"], &[vec![int(1)]]).await.expect("inserts");
    connection.savepoint("batch one").await.expect("sets");
    for _ in 0..2 {
        insert(connection.as_mut(), table, &["id"], &[vec![int(2)]]).await.expect("inserts");
        connection.rollback_to("batch one").await.expect("the savepoint stays");
    }
    connection.savepoint("inner").await.expect("sets");
    insert(connection.as_mut(), table, &["id"], &[vec![int(3)]]).await.expect("inserts");
    connection.release("inner").await.expect("releases");
    connection.release("batch one").await.expect("releases");
    assert!(connection.rollback_to("batch one").await.is_err(), "it is forgotten");
    connection.rollback().await.expect("rolls back");
    assert_eq!(count(connection.as_mut(), table).await, 0);
}

pub(crate) async fn a_failed_statement_behind_a_savepoint_costs_that_statement_only(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "t(id int, pk(id))").await;
    let table = relation(&catalog, "t");
    connection.begin(TransactionKind::Write).await.expect("begins");
    insert(connection.as_mut(), table, &["id"], &[vec![int(1)]]).await.expect("inserts");
    connection.savepoint("s").await.expect("sets");
    let clash = insert(connection.as_mut(), table, &["id"], &[vec![int(2)], vec![int(1)], vec![int(3)]]).await;
    assert_eq!(clash, Err(DbErrorKind::UniqueViolation));
    connection.rollback_to("s").await.expect("rolls back");
    insert(connection.as_mut(), table, &["id"], &[vec![int(4)]]).await.expect("the transaction goes on");
    connection.commit().await.expect("commits");
    assert_eq!(rows(connection.as_mut(), table, &["id"]).await, [[int(1)], [int(4)]]);
}

pub(crate) async fn errors_say_which_kind_of_constraint(database: &TestDatabase) {
    let schema = "p(id int, pk(id))
        t(id int, code varchar(10) unique, p_id int null -> p.id, amount int check amount >= 0, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    let columns = ["id", "code", "p_id", "amount"];
    let row = |id, code: &str, p_id, amount| vec![id, text(code), p_id, amount];
    insert(connection.as_mut(), table, &columns, &[row(int(1), "a", Value::Null, int(0))]).await.expect("inserts");
    for (bad, kind) in [
        (row(int(1), "b", Value::Null, int(0)), DbErrorKind::UniqueViolation),
        (row(int(2), "a", Value::Null, int(0)), DbErrorKind::UniqueViolation),
        (row(int(2), "b", int(7), int(0)), DbErrorKind::ForeignKeyViolation),
        (row(int(2), "b", Value::Null, Value::Null), DbErrorKind::NotNullViolation),
        (row(int(2), "b", Value::Null, int(-1)), DbErrorKind::CheckViolation),
    ] {
        connection.begin(TransactionKind::Write).await.expect("begins");
        let good = row(int(5), "e", Value::Null, int(0));
        let error = connection.insert(&target(table, &columns), &[good, bad]).await.expect_err("the row is bad");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.blames_rows() && error.code.is_some());
        let named = [&error.constraint, &error.relation, &error.column].into_iter().flatten().next();
        // SQLite alone says nothing about foreign keys.
        let silent = database.dialect() == "sqlite" && kind == DbErrorKind::ForeignKeyViolation;
        assert!(named.is_some() || silent, "{error:?}");
        connection.rollback().await.expect("rolls back");
    }
    assert_eq!(count(connection.as_mut(), table).await, 1);
    let nonsense = connection.execute("SELEC 1", &[]).await.expect_err("a syntax error");
    assert_eq!((nonsense.kind, nonsense.blames_rows()), (DbErrorKind::Other, false));
}
