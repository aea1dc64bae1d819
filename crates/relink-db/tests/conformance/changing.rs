//! Rows that exist: updated, deleted, made NULL, all by key and in bulk.

use std::time::{Duration, Instant};

use relink_db::{Connection, DbErrorKind, TransactionKind};
use relink_model::{Relation, Value};
use relink_testkit::TestDatabase;

use crate::{
    count, insert, int, names, relation, rows, text,
    values::{COLUMNS, is_refusal, kinds, refused, values},
    whole, with_schema,
};

/// Rows of the tests in which a statement per row would be felt.
const MANY: i64 = 10_000;

async fn update(
    connection: &mut dyn Connection,
    relation: &Relation,
    set: &[&str],
    key: &[&str],
    rows: &[Vec<Value>],
) -> Result<u64, DbErrorKind> {
    connection.update_by_key(relation, &names(set), &names(key), rows).await.map_err(|error| {
        assert!(!error.message.contains('\n'), "one line: {error}");
        error.kind
    })
}

async fn delete(connection: &mut dyn Connection, relation: &Relation, key: &[&str], rows: &[Vec<Value>]) -> u64 {
    connection.delete_by_key(relation, &names(key), rows).await.expect("deletes")
}

/// A row's values with another id in front, or behind.
fn with_id(row: &[Value], id: i64, behind: bool) -> Vec<Value> {
    let rest = row[1..].iter().cloned();
    if behind { rest.chain([int(id)]).collect() } else { [int(id)].into_iter().chain(rest).collect() }
}

pub(crate) async fn every_kind_is_updated_to_what_an_insert_makes_of_it(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    let mut written = values();
    written.push(with_id(&vec![Value::Null; COLUMNS.len()], 4, false));
    connection.begin(TransactionKind::Write).await.expect("begins");
    insert(connection.as_mut(), table, &COLUMNS, &written).await.expect("inserts");
    // Rows of NULLs take the values, and rows of values take NULLs and other values.
    let others: Vec<_> = (0..4).map(|index| with_id(&written[3 - index], 11 + index as i64, false)).collect();
    insert(connection.as_mut(), table, &COLUMNS, &others).await.expect("inserts");
    let changes: Vec<_> = (0..4).map(|index| with_id(&written[index], 11 + index as i64, true)).collect();
    // The second time everything is as it should be already, and matches all the same.
    for _ in 0..2 {
        assert_eq!(update(connection.as_mut(), table, &COLUMNS[1..], &["id"], &changes).await, Ok(4));
        let read = rows(connection.as_mut(), table, &COLUMNS).await;
        for (inserted, updated) in read[..4].iter().zip(&read[4..]) {
            for ((column, inserted), updated) in COLUMNS.iter().zip(inserted).zip(updated).skip(1) {
                assert_eq!(format!("{inserted:?}"), format!("{updated:?}"), "{column}");
            }
        }
    }
    connection.rollback().await.expect("rolls back");
}

pub(crate) async fn every_kind_names_the_rows_to_change(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    let written = values();
    for (index, column) in COLUMNS.iter().enumerate() {
        if matches!(*column, "doc" | "flag" | "small") {
            // Nobody names rows by the first two; the third is what is set.
            continue;
        }
        connection.begin(TransactionKind::Write).await.expect("begins");
        insert(connection.as_mut(), table, &COLUMNS, &written).await.expect("inserts");
        let changes: Vec<_> = written.iter().map(|row| vec![int(whole(&row[0]) * 100), row[index].clone()]).collect();
        assert_eq!(update(connection.as_mut(), table, &["small"], &[column], &changes).await, Ok(3), "{column}");
        let read = rows(connection.as_mut(), table, &["id", "small"]).await;
        assert_eq!(read, [[int(1), int(100)], [int(2), int(200)], [int(3), int(300)]], "{column}");
        let second = [vec![written[1][index].clone()]];
        assert_eq!(delete(connection.as_mut(), table, &[column], &second).await, 1, "{column}");
        assert_eq!(rows(connection.as_mut(), table, &["id"]).await, [[int(1)], [int(3)]], "{column}");
        connection.rollback().await.expect("rolls back");
    }
}

pub(crate) async fn what_a_type_refuses_is_refused_by_an_update_too(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    let written = values();
    insert(connection.as_mut(), table, &COLUMNS, &written).await.expect("inserts");
    let before = rows(connection.as_mut(), table, &COLUMNS).await;
    for (column, value) in refused(connection.dialect().capabilities()) {
        let index = COLUMNS.iter().position(|name| *name == column).expect("a column");
        connection.begin(TransactionKind::Write).await.expect("begins");
        let changes = [vec![written[2][index].clone(), int(1)], vec![value.clone(), int(2)]];
        let outcome = update(connection.as_mut(), table, &[column], &["id"], &changes).await;
        assert!(outcome.is_err_and(is_refusal), "{column} = {value:?}: {outcome:?}");
        connection.rollback().await.expect("rolls back");
        assert_eq!(rows(connection.as_mut(), table, &COLUMNS).await, before, "{column}");
    }
}

pub(crate) async fn null_parts_of_a_key_match_null(database: &TestDatabase) {
    let schema = "t(id int, a int null, b varchar(10) null, c int null, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    let null = || Value::Null;
    let before = [
        vec![int(1), int(1), text("x"), null()],
        vec![int(2), int(1), null(), null()],
        vec![int(3), null(), null(), null()],
        vec![int(4), null(), text("x"), null()],
        vec![int(5), int(0), text(""), null()],
        vec![int(6), int(1), text("x"), null()],
    ];
    let columns = ["id", "a", "b", "c"];
    insert(connection.as_mut(), table, &columns, &before).await.expect("inserts");
    let changes = [
        // Two rows have this key.
        vec![int(10), int(1), text("x")],
        vec![int(20), int(1), null()],
        vec![int(30), null(), null()],
        vec![int(40), null(), text("x")],
        vec![int(99), null(), text("")],
        vec![int(99), int(0), null()],
    ];
    assert_eq!(update(connection.as_mut(), table, &["c"], &["a", "b"], &changes).await, Ok(5));
    let c: Vec<_> = rows(connection.as_mut(), table, &columns).await.into_iter().map(|mut row| row.remove(3)).collect();
    assert_eq!(c, [int(10), int(20), int(30), int(40), null(), int(10)]);
    // A key may be changed itself, and to NULL.
    let changes = [vec![null(), int(0), text("")]];
    assert_eq!(update(connection.as_mut(), table, &["a"], &["a", "b"], &changes).await, Ok(1));

    let keys = [vec![null(), text("")], vec![null(), null()], vec![int(1), text("x")], vec![int(1), text("y")]];
    assert_eq!(delete(connection.as_mut(), table, &["a", "b"], &keys).await, 4);
    assert_eq!(rows(connection.as_mut(), table, &["id"]).await, [[int(2)], [int(4)]]);
    assert_eq!(delete(connection.as_mut(), table, &["a"], &[vec![null()], vec![null()]]).await, 1);
    assert_eq!(delete(connection.as_mut(), table, &["a"], &[]).await, 0);
}

pub(crate) async fn many_rows_are_changed_by_few_statements(database: &TestDatabase) {
    let schema = "t(tenant int, code varchar(20), n int null, word varchar(20), pk(tenant, code))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    let code = |id: i64| text(&format!("code {id}"));
    let before: Vec<_> = (0..MANY).map(|id| vec![int(id % 3), code(id), int(id), text("old")]).collect();
    connection.begin(TransactionKind::Write).await.expect("begins");
    insert(connection.as_mut(), table, &["tenant", "code", "n", "word"], &before).await.expect("inserts");
    let begun = Instant::now();
    // Long values after short ones, and numbers in no order.
    let changes: Vec<_> = (0..MANY)
        .map(|at| (at * 7919) % MANY)
        .map(|id| {
            let n = if id % 5 == 0 { Value::Null } else { int(-id) };
            vec![n, text(&"w".repeat(id as usize % 21)), int(id % 3), code(id)]
        })
        .collect();
    let changed = update(connection.as_mut(), table, &["n", "word"], &["tenant", "code"], &changes).await;
    assert_eq!(changed, Ok(MANY as u64));
    for change in rows(connection.as_mut(), table, &["code", "n", "word"]).await {
        let Value::Text(code) = &change[0] else { panic!("{change:?}") };
        let id: i64 = code["code ".len()..].parse().expect("a number");
        let n = if id % 5 == 0 { Value::Null } else { int(-id) };
        assert_eq!(change[1..], [n, text(&"w".repeat(id as usize % 21))], "{code}");
    }
    let keys: Vec<_> = (0..MANY).filter(|id| id % 2 == 0).map(|id| vec![int(id % 3), code(id)]).collect();
    assert_eq!(delete(connection.as_mut(), table, &["tenant", "code"], &keys).await, MANY as u64 / 2);
    assert_eq!(count(connection.as_mut(), table).await, MANY / 2);
    connection.rollback().await.expect("rolls back");
    // A statement or a scan per row takes far longer, on any machine.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

pub(crate) async fn a_change_that_fails_half_way_is_undone_by_the_savepoint(database: &TestDatabase) {
    let schema = "p(id int, pk(id)) t(id int, u int unique, p_id int null -> p.id, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let (p, t) = (relation(&catalog, "p"), relation(&catalog, "t"));
    connection.begin(TransactionKind::Write).await.expect("begins");
    insert(connection.as_mut(), p, &["id"], &[vec![int(1)]]).await.expect("inserts");
    let before: Vec<_> = (0..MANY).map(|id| vec![int(id), int(id), Value::Null]).collect();
    insert(connection.as_mut(), t, &["id", "u", "p_id"], &before).await.expect("inserts");
    connection.savepoint("batch").await.expect("sets");
    let clash = (0..MANY).map(|id| vec![int(if id == 7_777 { MANY } else { MANY + id }), int(id)]).collect::<Vec<_>>();
    let orphan = (0..MANY).map(|id| vec![int(if id == 7_777 { 2 } else { 1 }), int(id)]).collect::<Vec<_>>();
    let duplicate = update(connection.as_mut(), t, &["u"], &["id"], &clash).await;
    assert_eq!(duplicate, Err(DbErrorKind::UniqueViolation));
    connection.rollback_to("batch").await.expect("rolls back");
    let dangling = update(connection.as_mut(), t, &["p_id"], &["id"], &orphan).await;
    assert_eq!(dangling, Err(DbErrorKind::ForeignKeyViolation));
    connection.rollback_to("batch").await.expect("rolls back");
    assert_eq!(rows(connection.as_mut(), t, &["id", "u", "p_id"]).await, before);
    assert_eq!(update(connection.as_mut(), t, &["p_id"], &["id"], &[vec![int(1), int(5)]]).await, Ok(1));
    let referenced = connection.delete_by_key(p, &names(&["id"]), &[vec![int(1)]]).await;
    assert_eq!(referenced.map_err(|error| error.kind), Err(DbErrorKind::ForeignKeyViolation));
    connection.rollback_to("batch").await.expect("rolls back");
    assert_eq!(delete(connection.as_mut(), p, &["id"], &[vec![int(1)]]).await, 1);
    connection.commit().await.expect("commits");
}

pub(crate) async fn nothing_is_changed_without_a_key(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "t(id int, n int null, pk(id))").await;
    let table = relation(&catalog, "t");
    insert(connection.as_mut(), table, &["id", "n"], &[vec![int(1), int(1)]]).await.expect("inserts");
    assert_eq!(update(connection.as_mut(), table, &["n"], &[], &[vec![int(2)]]).await, Err(DbErrorKind::Unsupported));
    let deleted = connection.delete_by_key(table, &[], &[vec![]]).await.map_err(|error| error.kind);
    assert_eq!(deleted, Err(DbErrorKind::Unsupported));
    let unknown = connection.set_null(table, &names(&["x"])).await.expect_err("there is no such column");
    assert_eq!(unknown.column.as_deref(), Some("x"));
    assert_eq!(rows(connection.as_mut(), table, &["id", "n"]).await, [[int(1), int(1)]]);
}

pub(crate) async fn all_rows_are_deleted_and_columns_made_null(database: &TestDatabase) {
    let schema = "t(id int, a int null, \"b c\" varchar(10) null, pk(id)) r(id int, t_id int -> t.id, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let (t, r) = (relation(&catalog, "t"), relation(&catalog, "r"));
    let columns = ["id", "a", "b c"];
    let before =
        [vec![int(1), int(1), text("x")], vec![int(2), Value::Null, text("")], vec![int(3), Value::Null, Value::Null]];
    insert(connection.as_mut(), t, &columns, &before).await.expect("inserts");
    insert(connection.as_mut(), r, &["id", "t_id"], &[vec![int(1), int(3)]]).await.expect("inserts");
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.savepoint("s").await.expect("sets");
    assert_eq!(connection.set_null(t, &names(&["a", "b c"])).await.expect("updates"), 2);
    assert_eq!(connection.set_null(t, &names(&["a", "b c"])).await.expect("updates"), 0);
    assert_eq!(connection.set_null(t, &[]).await.expect("does nothing"), 0);
    let nulls = rows(connection.as_mut(), t, &columns).await;
    assert!(nulls.iter().all(|row| row[1..] == [Value::Null, Value::Null]), "{nulls:?}");
    let required = connection.set_null(r, &names(&["t_id"])).await.expect_err("the column is NOT NULL");
    assert_eq!(required.kind, DbErrorKind::NotNullViolation);
    connection.rollback_to("s").await.expect("rolls back");
    let referenced = connection.delete_all(t).await.expect_err("a row is referenced");
    assert_eq!(referenced.kind, DbErrorKind::ForeignKeyViolation);
    connection.rollback_to("s").await.expect("rolls back");
    assert_eq!(connection.delete_all(r).await.expect("deletes"), 1);
    assert_eq!(connection.delete_all(t).await.expect("deletes"), 3);
    assert_eq!(count(connection.as_mut(), t).await, 0);
    connection.rollback().await.expect("rolls back");
    assert_eq!(rows(connection.as_mut(), t, &columns).await, before);
}
