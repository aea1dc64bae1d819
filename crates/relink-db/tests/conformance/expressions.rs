//! Expressions over rows that are in no relation, and lookups by expressions and under a condition.

use relink_db::{Connection, DbErrorKind, Lookup, ResultRow, TransactionKind};
use relink_model::{Relation, Value};
use relink_testkit::TestDatabase;

use crate::{
    count, insert, int, names, relation, rows, text,
    values::{COLUMNS, kinds, values},
    with_schema,
};

async fn evaluate(
    connection: &mut dyn Connection,
    relation: &Relation,
    columns: &[&str],
    rows: &[Vec<Value>],
    expressions: &[&str],
) -> Result<Vec<ResultRow>, DbErrorKind> {
    connection.evaluate(relation, &names(columns), rows, &names(expressions)).await.map_err(|error| {
        assert!(!error.message.contains('\n'), "one line: {error}");
        error.kind
    })
}

/// A condition's answer.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Null => None,
        Value::Bool(truth) => Some(*truth),
        Value::Int(number) => Some(*number != 0),
        other => panic!("a truth value expected, got {other:?}"),
    }
}

pub(crate) async fn a_given_row_reads_as_a_stored_one(database: &TestDatabase) {
    let (mut connection, catalog) = kinds(database).await;
    let table = relation(&catalog, "kinds");
    let mut written = values();
    written.push([int(4)].into_iter().chain(vec![Value::Null; COLUMNS.len() - 1]).collect());
    let read: Vec<String> = COLUMNS
        .iter()
        .map(|name| connection.dialect().read_expression("", table.column(name).expect("a column").1))
        .collect();
    let given = connection.evaluate(table, &names(&COLUMNS), &written, &read).await.expect("every value is valid");
    assert_eq!(count(connection.as_mut(), table).await, 0, "no row came into being");
    insert(connection.as_mut(), table, &COLUMNS, &written).await.expect("inserts");
    let stored = rows(connection.as_mut(), table, &COLUMNS).await;
    for (given, stored) in given.iter().zip(&stored) {
        for ((column, given), stored) in COLUMNS.iter().zip(given).zip(stored) {
            // An expression of MySQL's has no type that is a boolean.
            let given = if *column == "flag" { &truth(given).map_or(Value::Null, Value::Bool) } else { given };
            let stored = if *column == "flag" { &truth(stored).map_or(Value::Null, Value::Bool) } else { stored };
            assert_eq!(given, stored, "{column}");
        }
    }
    assert_eq!(given.len(), stored.len());
}

pub(crate) async fn expressions_are_answered_row_by_row_in_order(database: &TestDatabase) {
    let schema = "\"it's\"(id int, n int null, word varchar(20) null, other int null, place int null, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "it's");
    let given: Vec<_> = (0..2_500)
        .map(|id| vec![text(&format!("Word {id}")), if id % 3 == 0 { Value::Null } else { int(id) }])
        .collect();
    let qualified = format!("{}.n + 1", connection.dialect().quote("it's"));
    let expressions = ["lower(word)", "n > 100", "other IS NULL AND id IS NULL", &qualified, "n * 2 -- twice"];
    connection.begin(TransactionKind::Write).await.expect("begins");
    let answers = evaluate(connection.as_mut(), table, &["word", "n"], &given, &expressions).await.expect("answers");
    assert_eq!(answers.len(), given.len());
    for (id, answer) in (0..).zip(&answers) {
        let n = (id % 3 != 0).then_some(id);
        assert_eq!(answer[0], text(&format!("word {id}")));
        assert_eq!(truth(&answer[1]), n.map(|n| n > 100));
        assert_eq!(truth(&answer[2]), Some(true), "columns that are not given are NULL");
        assert_eq!(answer[3], n.map_or(Value::Null, |n| int(n + 1)));
        assert_eq!(answer[4], n.map_or(Value::Null, |n| int(n * 2)));
    }
    // Rows without any value, rows that are not there, expressions that are not there.
    let nothing = evaluate(connection.as_mut(), table, &[], &[vec![], vec![]], &["n IS NULL"]).await.expect("answers");
    assert!(nothing.len() == 2 && nothing.iter().all(|answer| truth(&answer[0]) == Some(true)), "{nothing:?}");
    assert_eq!(evaluate(connection.as_mut(), table, &["n"], &[], &["n"]).await, Ok(Vec::new()));
    assert_eq!(evaluate(connection.as_mut(), table, &["n"], &[vec![int(1)]], &[]).await, Ok(vec![Vec::new()]));

    connection.savepoint("s").await.expect("sets");
    for wrong in ["n >", "nowhere = 1", "n) FROM (SELECT 1 AS n"] {
        let outcome = evaluate(connection.as_mut(), table, &["n"], &[vec![int(1)]], &[wrong]).await;
        assert_eq!(outcome, Err(DbErrorKind::Other), "{wrong}");
        connection.rollback_to("s").await.expect("rolls back");
    }
    let collapsed = evaluate(connection.as_mut(), table, &["n"], &[vec![int(1)], vec![int(2)]], &["max(n)"]).await;
    assert!(collapsed.is_err(), "one answer for two rows: {collapsed:?}");
    connection.rollback_to("s").await.expect("rolls back");
    let after = evaluate(connection.as_mut(), table, &["n"], &[vec![int(1)]], &["n"]).await;
    assert_eq!(after, Ok(vec![vec![int(1)]]), "the transaction goes on");
    connection.commit().await.expect("commits");
    connection.begin(TransactionKind::Snapshot).await.expect("begins");
    let reading = evaluate(connection.as_mut(), table, &["n"], &[vec![int(7)]], &["n"]).await;
    assert_eq!(reading, Ok(vec![vec![int(7)]]), "also where nothing may be written");
    connection.rollback().await.expect("rolls back");
}

pub(crate) async fn lookups_keep_to_a_condition_and_compare_expressions(database: &TestDatabase) {
    let schema = "t(id int, tenant int, word varchar(20) null, gone int null, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    let columns = ["id", "tenant", "word", "gone"];
    let stored = [
        vec![int(1), int(1), text("Ann"), Value::Null],
        vec![int(2), int(1), text("ann"), int(1)],
        vec![int(3), int(2), text("BOB"), Value::Null],
        vec![int(4), int(2), Value::Null, Value::Null],
    ];
    insert(connection.as_mut(), table, &columns, &stored).await.expect("inserts");
    let (none, id) = (Vec::new(), names(&["id"]));
    let expressions = names(&["tenant", "upper(word)"]);
    let by_expression = Lookup { match_expressions: Some(&expressions), ..Lookup::new(table, &none, &id) };
    let keys = [vec![int(1), text("ANN")], vec![int(2), Value::Null], vec![int(9), text("BOB")]];
    let found = async |connection: &mut dyn Connection, lookup: &Lookup<'_>, keys: &[Vec<Value>]| {
        let mut rows = connection.lookup(lookup, keys).await.expect("the lookup runs");
        rows.sort_by_key(|row| format!("{:?}", row.last()));
        rows
    };
    let ann = |id| vec![int(1), text("ANN"), int(id)];
    let nobody = vec![int(2), Value::Null, int(4)];
    assert_eq!(found(connection.as_mut(), &by_expression, &keys).await, [ann(1), ann(2), nobody.clone()]);
    let present = Lookup { predicate: Some("gone IS NULL -- or so"), ..by_expression };
    assert_eq!(found(connection.as_mut(), &present, &keys).await, [ann(1), nobody]);
    // Columns, one and several, under a condition.
    let word = names(&["word"]);
    let by_column = Lookup { predicate: Some("gone IS NULL OR gone = 2"), ..Lookup::new(table, &word, &id) };
    let keys = [vec![text("BOB")], vec![text("nobody")], vec![Value::Null]];
    let expected = [vec![text("BOB"), int(3)], vec![Value::Null, int(4)]];
    assert_eq!(found(connection.as_mut(), &by_column, &keys).await, expected);
    // What an expression gives for a row is the key that finds the row.
    let rows: Vec<_> = stored.iter().map(|row| row[1..].to_vec()).collect();
    let given = connection.evaluate(table, &names(&columns[1..]), &rows, &expressions).await.expect("answers");
    assert_eq!(found(connection.as_mut(), &by_expression, &given).await.len(), 4);
    let many: Vec<_> = (0..5_000).map(|n| vec![int(n), text("BOB")]).collect();
    assert_eq!(found(connection.as_mut(), &by_expression, &many).await, [vec![int(2), text("BOB"), int(3)]]);
}
