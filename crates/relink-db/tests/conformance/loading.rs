//! The bulk path and literal statements: other ways in that end in the same rows.

use relink_db::{Connection, DbErrorKind, InsertTarget, TransactionKind};
use relink_model::{Relation, Value};
use relink_testkit::TestDatabase;

use crate::{
    count, insert, int, relation, rows, target, text,
    values::{COLUMNS, is_refusal, kinds, refused, values},
    with_schema,
};

/// Rows of the bulk tests: several buffers full.
const MANY: i64 = 10_000;

/// Ways of inserting beside the ordinary one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Bulk,
    Raw,
}

async fn load(
    connection: &mut dyn Connection,
    way: Way,
    relation: &Relation,
    columns: &[&str],
    rows: &[Vec<Value>],
) -> Result<u64, DbErrorKind> {
    let target = target(relation, columns);
    let outcome = match way {
        Way::Bulk => connection.insert_bulk(&target, rows).await,
        Way::Raw => {
            let mut inserted = 0;
            for row in rows {
                inserted += connection.insert_raw(&target, row).await.map_err(|error| error.kind)?;
            }
            Ok(inserted)
        }
    };
    outcome.map_err(|error| {
        assert!(!error.message.contains('\n'), "one line: {error}");
        error.kind
    })
}

pub(crate) async fn every_way_stores_the_same(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    let mut written = values();
    written.push([int(4)].into_iter().chain(vec![Value::Null; COLUMNS.len() - 1]).collect());
    let mut odd = written[0].clone();
    (odd[0], odd[5]) = (int(5), Value::Float(-0.0));
    odd[7] = text("\\N \\. \\x41 \t \r\n \u{b} \u{7f} ''; -- /* ?");
    odd[8] = text("''");
    written.push(odd);
    insert(connection.as_mut(), table, &COLUMNS, &written).await.expect("inserts");
    for (way, offset) in [(Way::Bulk, 10), (Way::Raw, 20)] {
        let again: Vec<Vec<Value>> = written
            .iter()
            .map(|row| [int(crate::whole(&row[0]) + offset)].into_iter().chain(row[1..].iter().cloned()).collect())
            .collect();
        assert_eq!(load(connection.as_mut(), way, table, &COLUMNS, &again).await, Ok(5), "{way:?}");
        let read = rows(connection.as_mut(), table, &COLUMNS).await;
        for (ordinary, other) in read[..5].iter().zip(&read[read.len() - 5..]) {
            for ((column, ordinary), other) in COLUMNS.iter().zip(ordinary).zip(other).skip(1) {
                // The sign of zero is seen in the text only.
                assert_eq!(format!("{ordinary:?}"), format!("{other:?}"), "{way:?} {column}");
            }
        }
    }
}

pub(crate) async fn what_a_type_refuses_is_refused_every_way(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    for way in [Way::Bulk, Way::Raw] {
        for (column, value) in refused(connection.dialect().capabilities()) {
            connection.begin(TransactionKind::Write).await.expect("begins");
            connection.savepoint("s").await.expect("sets");
            let refused = [vec![int(1), Value::Null], vec![int(2), value.clone()]];
            let outcome = load(connection.as_mut(), way, table, &["id", column], &refused).await;
            assert!(outcome.is_err_and(is_refusal), "{way:?} {column} = {value:?}: {outcome:?}");
            connection.rollback_to("s").await.expect("rolls back");
            let good = load(connection.as_mut(), way, table, &["id", column], &[vec![int(1), Value::Null]]).await;
            assert_eq!(good, Ok(1), "{way:?} after {column} = {value:?}");
            connection.rollback().await.expect("rolls back");
        }
    }
    assert_eq!(count(connection.as_mut(), table).await, 0);
}

pub(crate) async fn many_rows_go_in_bulk_and_a_failure_is_undone_by_the_savepoint(database: &TestDatabase) {
    let schema = "p(id int, pk(id)) t(id int, word varchar(200), n int null, p_id int null -> p.id, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    let columns = ["id", "word", "n", "p_id"];
    let row = |id: i64| {
        let n = if id % 3 == 0 { Value::Null } else { int(-id) };
        vec![int(id), text(&format!("{id}\t{}", "x\\".repeat(id as usize % 90))), n, Value::Null]
    };
    let all: Vec<_> = (0..MANY).map(row).collect();
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.savepoint("batch").await.expect("sets");
    let bad = |column: usize, value: Value| {
        let mut rows = all.clone();
        rows[7_777][column] = value;
        rows
    };
    for (rows, expected) in [
        (bad(0, int(5)), DbErrorKind::UniqueViolation),
        (bad(3, int(1)), DbErrorKind::ForeignKeyViolation),
        (bad(1, Value::Null), DbErrorKind::NotNullViolation),
    ] {
        let outcome = load(connection.as_mut(), Way::Bulk, table, &columns, &rows).await;
        assert_eq!(outcome, Err(expected));
        connection.rollback_to("batch").await.expect("rolls back");
        assert_eq!(count(connection.as_mut(), table).await, 0, "{expected:?}");
    }
    if connection.dialect().capabilities().bulk_load {
        // Found on this side, with some buffers sent already.
        let unfit = load(connection.as_mut(), Way::Bulk, table, &columns, &bad(2, Value::Float(0.5))).await;
        assert_eq!(unfit, Err(DbErrorKind::InvalidValue));
        connection.rollback_to("batch").await.expect("rolls back");
    }
    assert_eq!(load(connection.as_mut(), Way::Bulk, table, &columns, &all).await, Ok(MANY as u64));
    assert_eq!(load(connection.as_mut(), Way::Bulk, table, &columns, &[]).await, Ok(0));
    connection.commit().await.expect("commits");
    assert_eq!(rows(connection.as_mut(), table, &columns).await, all);
    let nowhere = InsertTarget { relation: relink_model::RelationName::new("nowhere"), ..target(table, &["id"]) };
    for row in [vec![int(1)], vec![int(2)]] {
        assert!(connection.insert_bulk(&nowhere, std::slice::from_ref(&row)).await.is_err());
        assert!(connection.insert_raw(&nowhere, &row).await.is_err());
    }
    assert_eq!(load(connection.as_mut(), Way::Raw, table, &columns, &[row(MANY)]).await, Ok(1), "still usable");
}

pub(crate) async fn a_row_without_columns_takes_its_defaults_every_way(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "t(id pk, word varchar(20) default 'x')").await;
    let table = relation(&catalog, "t");
    assert_eq!(load(connection.as_mut(), Way::Bulk, table, &[], &[vec![], vec![]]).await, Ok(2));
    assert_eq!(load(connection.as_mut(), Way::Raw, table, &[], &[vec![]]).await, Ok(1));
    let read = rows(connection.as_mut(), table, &["id", "word"]).await;
    assert_eq!(read, [vec![int(1), text("x")], vec![int(2), text("x")], vec![int(3), text("x")]]);
}
