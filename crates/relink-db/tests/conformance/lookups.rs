//! Looking rows up in bulk, and finding references without a target.

use relink_db::{Connection, Lookup, TransactionKind};
use relink_model::{Relation, Value};
use relink_testkit::TestDatabase;

use crate::{foreign_key, insert, int, names, relation, text, whole, with_schema};

/// The ids found for these keys, sorted.
async fn ids(connection: &mut dyn Connection, relation: &Relation, columns: &[&str], keys: &[Vec<Value>]) -> Vec<i64> {
    let (match_columns, select) = (names(columns), names(&["id"]));
    let lookup = Lookup::new(relation, &match_columns, &select);
    let found = connection.lookup(&lookup, keys).await.expect("the lookup runs");
    let mut ids: Vec<i64> = found.iter().map(|row| whole(&row[columns.len()])).collect();
    ids.sort_unstable();
    ids
}

pub(crate) async fn thousands_of_keys_find_their_rows(database: &TestDatabase) {
    let schema = "t(id bigint, code varchar(20) unique, pair int, side int, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    connection.begin(TransactionKind::Write).await.expect("begins");
    let rows: Vec<_> = (0..20_000).map(|id| vec![int(id), text(&format!("c{id}")), int(id / 2), int(id % 2)]).collect();
    insert(connection.as_mut(), table, &["id", "code", "pair", "side"], &rows).await.expect("inserts");
    connection.commit().await.expect("commits");

    let every_second: Vec<i64> = (0..20_000).step_by(2).collect();
    // Half of the keys are there; the other half lies outside of the table.
    let keys: Vec<_> = (0..40_000).step_by(2).map(|id| vec![int(id)]).collect();
    assert_eq!(ids(connection.as_mut(), table, &["id"], &keys).await, every_second);
    let keys: Vec<_> = (0..40_000).step_by(2).map(|id| vec![text(&format!("c{id}"))]).collect();
    assert_eq!(ids(connection.as_mut(), table, &["code"], &keys).await, every_second);
    // Composite, without an index.
    let keys: Vec<_> = (0..20_000).map(|pair| vec![int(0), int(pair)]).collect();
    assert_eq!(ids(connection.as_mut(), table, &["side", "pair"], &keys).await, every_second);
    assert!(ids(connection.as_mut(), table, &["id"], &[]).await.is_empty());
}

pub(crate) async fn composite_keys_match_whole_and_null_matches_null(database: &TestDatabase) {
    let schema = "t(id int, a int null, b varchar(10) null, c int null, pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let table = relation(&catalog, "t");
    let null = || Value::Null;
    let rows = [
        vec![int(1), int(1), text("x"), int(1)],
        vec![int(2), int(1), null(), int(1)],
        vec![int(3), null(), null(), int(1)],
        vec![int(4), null(), text("x"), null()],
        vec![int(5), int(1), text("y"), int(1)],
        vec![int(6), null(), null(), null()],
        vec![int(7), int(0), text(""), int(0)],
    ];
    insert(connection.as_mut(), table, &["id", "a", "b", "c"], &rows).await.expect("inserts");
    let columns = ["a", "b", "c"];
    for row in &rows {
        let key = row[1..].to_vec();
        assert_eq!(
            ids(connection.as_mut(), table, &columns, std::slice::from_ref(&key)).await,
            [whole(&row[0])],
            "{key:?}"
        );
    }
    let all: Vec<_> = rows.iter().map(|row| row[1..].to_vec()).collect();
    assert_eq!(ids(connection.as_mut(), table, &columns, &all).await, [1, 2, 3, 4, 5, 6, 7]);
    let strangers = [vec![int(1), text("z"), int(1)], vec![int(2), null(), int(1)], vec![int(1), text("x"), null()]];
    assert!(ids(connection.as_mut(), table, &columns, &strangers).await.is_empty());
    // Two rows under one key are both found.
    assert_eq!(ids(connection.as_mut(), table, &["a", "c"], &[vec![int(1), int(1)]]).await, [1, 2, 5]);
    // The match columns come first, whatever is selected.
    let (match_columns, select) = (names(&["b", "a"]), names(&["id", "b"]));
    let lookup = Lookup::new(table, &match_columns, &select);
    let found = connection.lookup(&lookup, &[vec![text("y"), int(1)]]).await.expect("the lookup runs");
    assert_eq!(found, [[text("y"), int(1), int(5), text("y")]]);
}

pub(crate) async fn orphans_are_found_for_every_kind_of_key(database: &TestDatabase) {
    let schema = "
        customers(id int, code varchar(10) unique, pk(id))
        stores(tenant int, no int, pk(tenant, no))
        orders(id int, customer_id int null -> customers.id, code varchar(10) null -> customers.code,
               parent_id int null -> orders.id, tenant int null, store int null, (tenant, store) -> stores(tenant, no), pk(id))";
    let (mut connection, catalog) = with_schema(database, schema).await;
    let (off, on) = match database.dialect() {
        "sqlite" => ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
        "postgres" => ("SET session_replication_role = replica", "RESET session_replication_role"),
        _ => ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1"),
    };
    connection
        .execute_script(&format!(
            "{off};
             INSERT INTO customers VALUES (1, 'one'), (2, 'two');
             INSERT INTO stores (tenant, no) VALUES (1, 2);
             INSERT INTO orders (id, customer_id, code, parent_id, tenant, store) VALUES
                (1, 1, 'one', 1, 1, 2), (2, NULL, NULL, NULL, NULL, NULL), (3, 3, 'three', 9, 2, 1),
                (4, 2, '', 3, 1, NULL), (5, 0, 'two', NULL, NULL, 7), (6, 9, NULL, 1, 1, 2);
             {on};"
        ))
        .await
        .expect("the damage is done");
    let orders = relation(&catalog, "orders");
    for (column, expected) in
        [("customer_id", vec![3, 5, 6]), ("code", vec![3, 4]), ("parent_id", vec![3]), ("tenant", vec![3])]
    {
        let key = foreign_key(orders, column);
        let from = connection.dialect().orphans(orders, key, relation(&catalog, &key.referenced.to_string()));
        let sql = format!("SELECT c.id {from} ORDER BY c.id");
        let found = connection.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
        assert_eq!(found.iter().map(|row| whole(&row[0])).collect::<Vec<_>>(), expected, "{column}: {sql}");
    }
}
