//! Every kind of value goes in and comes out, and can be looked up by.

use relink_db::{Capabilities, Connection, DbErrorKind, Lookup, TransactionKind};
use relink_model::{Catalog, Value};
use relink_testkit::TestDatabase;

use crate::{insert, int, open, relation, rows, text};

pub(crate) const COLUMNS: [&str; 16] = [
    "id", "flag", "small", "big", "single", "wide", "exact", "word", "fixed", "bytes", "day", "clock", "at", "moment",
    "ident", "doc",
];

fn ddl(dialect: &str) -> &'static str {
    match dialect {
        "sqlite" => {
            "CREATE TABLE kinds (id integer PRIMARY KEY, flag boolean, small smallint, big bigint, single real, wide double,
                exact decimal(20,5), word varchar(40), fixed char(5), bytes blob, day date, clock time, at datetime,
                moment timestamp with time zone, ident char(36), doc json)"
        }
        "postgres" => {
            "CREATE TABLE kinds (id integer PRIMARY KEY, flag boolean, small smallint, big bigint, single real,
                wide double precision, exact numeric(20,5), word varchar(40), fixed char(5), bytes bytea, day date,
                clock time, at timestamp, moment timestamptz, ident uuid, doc jsonb)"
        }
        _ => {
            "CREATE TABLE kinds (id integer PRIMARY KEY, flag boolean, small smallint, big bigint, single float, wide double,
                exact decimal(20,5), word varchar(40), fixed char(5), bytes varbinary(300), day date, clock time(6),
                at datetime(6), moment timestamp(6) NULL, ident char(36), doc json)"
        }
    }
}

pub(crate) async fn kinds(database: &TestDatabase) -> (Box<dyn Connection>, Catalog) {
    let mut connection = open(database).await;
    connection.execute_script(ddl(database.dialect())).await.expect("the schema is valid");
    let catalog = connection.introspect().await.expect("the catalog can be read");
    (connection, catalog)
}

pub(crate) fn values() -> Vec<Vec<Value>> {
    vec![
        vec![
            int(1),
            Value::Bool(true),
            int(7),
            int(9_007_199_254_740_993),
            Value::Float(0.5),
            Value::Float(0.1 + 0.2),
            text("123456789.12345"),
            text("na\u{ef}ve \u{1f600} 'quoted' \"and\" \\ %_\n"),
            text("ab"),
            Value::Bytes((0..=255).collect()),
            text("2024-02-29"),
            text("23:59:58.001234"),
            text("2024-02-29 23:59:58.001234"),
            text("2024-02-29 23:59:58.001234+00:00"),
            text("6f1ed002-ab59-5c3a-8f0e-3a1b2c3d4e5f"),
            text("{\"a\": 1, \"b\": [true, null, \"x\"]}"),
        ],
        vec![
            int(2),
            Value::Bool(false),
            int(-32_768),
            int(i64::MIN),
            Value::Float(f64::from(f32::MAX)),
            Value::Float(f64::MAX),
            text("-0.00001"),
            text(""),
            text(""),
            Value::Bytes(Vec::new()),
            text("1000-01-01"),
            text("00:00:00"),
            text("9999-12-31 23:59:59.999999"),
            text("1970-01-01 00:00:01+00:00"),
            text("00000000-0000-0000-0000-000000000001"),
            text("null"),
        ],
        vec![
            int(3),
            Value::Bool(true),
            int(32_767),
            int(i64::MAX),
            Value::Float(-1.5),
            Value::Float(f64::MIN_POSITIVE),
            text("0.00000"),
            text(" blanks kept "),
            text("vwxyz"),
            Value::Bytes(b"\0text\xff".to_vec()),
            text("9999-12-31"),
            text("12:00:00.5"),
            text("1969-12-31 23:59:59.5"),
            text("2001-01-01 00:00:00.000001+00:00"),
            text("ffffffff-ffff-ffff-ffff-ffffffffffff"),
            text("\"text\""),
        ],
    ]
}

/// Whether a value read is the one written, in a database's own way of keeping it.
fn same(written: &Value, read: &Value) -> bool {
    match (written, read) {
        // SQLite has no booleans and no decimals.
        (Value::Bool(truth), Value::Int(number)) => i64::from(*truth) == *number,
        (Value::Text(decimal), Value::Float(number)) => decimal.parse::<f64>() == Ok(*number),
        (Value::Text(decimal), Value::Int(number)) => decimal.parse::<f64>() == Ok(*number as f64),
        // Six digits of the second where relink prints any.
        (Value::Text(written), Value::Text(read)) if written.contains(".5") && read.contains(".500000") => {
            written.replace(".5", ".500000") == *read
        }
        _ => written == read,
    }
}

fn assert_same(written: &[Vec<Value>], read: &[Vec<Value>]) {
    assert_eq!(written.len(), read.len());
    for (written, read) in written.iter().zip(read) {
        for ((column, written), read) in COLUMNS.iter().zip(written).zip(read) {
            assert!(same(written, read), "{column}: wrote {written:?}, read {read:?}");
        }
    }
}

pub(crate) async fn every_kind_comes_back_as_it_went_in(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    connection.begin(TransactionKind::Write).await.expect("begins");
    assert_eq!(insert(connection.as_mut(), table, &COLUMNS, &values()).await, Ok(3));
    let read = rows(connection.as_mut(), table, &COLUMNS).await;
    assert_same(&values(), &read);
    // What was read can be written, and is the same again.
    let again: Vec<Vec<Value>> = read
        .iter()
        .map(|row| [int(crate::whole(&row[0]) + 10)].into_iter().chain(row[1..].iter().cloned()).collect())
        .collect();
    assert_eq!(insert(connection.as_mut(), table, &COLUMNS, &again).await, Ok(3));
    assert_eq!(rows(connection.as_mut(), table, &COLUMNS).await[3..], again);
    connection.rollback().await.expect("rolls back");
}

pub(crate) async fn nulls_stand_anywhere_in_a_statement(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    let nulls =
        |id: i64| [int(id)].into_iter().chain(std::iter::repeat_n(Value::Null, COLUMNS.len() - 1)).collect::<Vec<_>>();
    let full = |id: i64| {
        let mut row = values().remove(0);
        row[0] = int(id);
        row
    };
    connection.begin(TransactionKind::Write).await.expect("begins");
    // The same statement twice: the first time it is prepared with NULLs only.
    for written in [vec![nulls(1), nulls(2)], vec![full(3), nulls(4)], vec![nulls(5), full(6)]] {
        assert_eq!(insert(connection.as_mut(), table, &COLUMNS, &written).await, Ok(2));
    }
    let read = rows(connection.as_mut(), table, &COLUMNS).await;
    assert_same(&[nulls(1), nulls(2), full(3), nulls(4), nulls(5), full(6)], &read);
    connection.commit().await.expect("commits");
}

pub(crate) async fn every_kind_can_be_looked_up(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    let rows = values();
    assert_eq!(insert(connection.as_mut(), table, &COLUMNS, &rows).await, Ok(3));
    for (index, column) in COLUMNS.iter().enumerate() {
        if matches!(*column, "doc" | "flag") {
            // Nobody names rows by these: jsonb equals by content, booleans by half.
            continue;
        }
        let (columns, select) = ([(*column).to_owned()], ["id".to_owned()]);
        let lookup = Lookup::new(table, &columns, &select);
        for row in &rows {
            let found = connection.lookup(&lookup, &[vec![row[index].clone()]]).await.expect("the lookup runs");
            let ids: Vec<_> = found.iter().map(|found| found[1].clone()).collect();
            assert_eq!(ids, [row[0].clone()], "{column} = {}", row[index]);
            assert!(same(&row[index], &found[0][0]), "{column}: {:?} came back as {:?}", row[index], found[0][0]);
        }
    }
}

/// Values that no column of this name may take, here.
pub(crate) fn refused(capabilities: &Capabilities) -> Vec<(&'static str, Value)> {
    let mut refused = Vec::new();
    if !capabilities.floats_hold_specials {
        refused.push(("wide", Value::Float(f64::NAN)));
    }
    if capabilities.enforces_types {
        refused.extend([
            ("day", text("2024-02-30")),
            ("at", text("soon")),
            ("small", int(32_768)),
            ("big", text("99999999999999999999")),
            ("exact", text("1e20")),
            ("doc", text("{\"a\": ")),
        ]);
    }
    if capabilities.enforces_length {
        refused.extend([("word", text(&"x".repeat(41))), ("fixed", text("123456"))]);
    }
    if !capabilities.text_holds_nul {
        refused.push(("word", text("a\0b")));
    }
    refused
}

/// Whether this is how a value is refused that its type cannot hold.
pub(crate) fn is_refusal(kind: DbErrorKind) -> bool {
    // MariaDB keeps its JSON valid with a CHECK.
    [DbErrorKind::InvalidValue, DbErrorKind::CheckViolation].contains(&kind)
}

pub(crate) async fn what_a_type_refuses_is_an_invalid_value(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    for (column, value) in refused(connection.dialect().capabilities()) {
        connection.begin(TransactionKind::Write).await.expect("begins");
        let outcome = insert(connection.as_mut(), table, &["id", column], &[vec![int(1), value.clone()]]).await;
        assert!(outcome.is_err_and(is_refusal), "{column} = {value:?}: {outcome:?}");
        connection.rollback().await.expect("rolls back");
    }
}
