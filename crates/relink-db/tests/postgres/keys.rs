//! Finding and changing rows by key.

use super::*;

#[tokio::test]
async fn lookups_compare_as_the_column_does_and_find_null_for_null() {
    let Some(database) = TestDatabase::postgres("lookup") else { return };
    database.run(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok');
         CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE t (id int PRIMARY KEY, c char(4), m citext, f varchar(9) COLLATE ci, e mood, u uuid, n numeric(5,2), r real, d date, p int);
         INSERT INTO t VALUES (1, 'ab', 'Ann', 'Zoë', 'sad', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 1.50, 0.1, '2024-01-02', NULL),
                              (2, 'cd', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 5);
         CREATE TABLE child () INHERITS (t); INSERT INTO child (id, c) VALUES (1, 'ab');
         CREATE TABLE many (id int PRIMARY KEY, code varchar(20) UNIQUE);
         INSERT INTO many SELECT i, 'code-' || i FROM generate_series(1, 130000) AS i;",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let t = relation(&catalog, "t");
    let id = strings(&["id"]);
    for (column, key) in [
        ("c", text("ab")),
        ("c", text("ab  ")),
        ("m", text("aNN")),
        ("f", text("zOË")),
        ("e", text("sad")),
        ("u", text("A0EEBC999C0B4EF8BB6D6BB9BD380A11")),
        ("n", text("1.5")),
        ("r", Value::Float(f64::from(0.1_f32))),
        ("d", text("2024-01-02")),
    ] {
        let match_columns = strings(&[column]);
        let lookup = Lookup { relation: t, match_columns: &match_columns, select: &id };
        let rows = connection.lookup(&lookup, &[vec![key.clone()], vec![key.clone()]]).await.expect(column);
        assert_eq!(rows.iter().map(|row| &row[1]).collect::<Vec<_>>(), [&Value::Int(1)], "{column} = {key}");
    }
    let pair = strings(&["p", "m"]);
    let lookup = Lookup { relation: t, match_columns: &pair, select: &id };
    let keys = [
        vec![Value::Int(5), Value::Null],
        vec![Value::Null, text("ann")],
        vec![Value::Null, Value::Null],
        vec![Value::Int(5), text("x")],
    ];
    let mut rows = connection.lookup(&lookup, &keys).await.expect("a lookup");
    rows.sort_by_key(|row| row[2].to_string());
    assert_eq!(rows, [[Value::Null, text("Ann"), Value::Int(1)], [Value::Int(5), Value::Null, Value::Int(2)]]);

    let code = strings(&["code"]);
    let lookup = Lookup { relation: relation(&catalog, "many"), match_columns: &code, select: &id };
    let keys: Vec<Vec<Value>> = (0..130_000).map(|i| vec![text(&format!("code-{}", i * 2))]).collect();
    assert_eq!(connection.lookup(&lookup, &keys).await.expect("a lookup").len(), 65_000);
}

#[tokio::test]
async fn updates_by_key_touch_the_relation_itself_only() {
    let Some(database) = TestDatabase::postgres("update") else { return };
    database.run(
        "CREATE TABLE base (id int PRIMARY KEY, parent_id int, day date);
         CREATE TABLE derived () INHERITS (base);
         INSERT INTO base VALUES (1), (2); INSERT INTO derived VALUES (1);",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let base = relation(&catalog, "base");
    let rows = [vec![Value::Int(2), text("2024-01-01"), Value::Int(1)], vec![Value::Null, Value::Null, Value::Int(9)]];
    let changed = connection.update_by_key(base, &strings(&["parent_id", "day"]), &strings(&["id"]), &rows).await;
    assert_eq!(changed.expect("an update"), 1);
    assert_eq!(database.value("SELECT count(*) FROM base WHERE parent_id = 2 AND day = '2024-01-01'"), "1");
}

#[tokio::test]
async fn parameters_compare_as_their_column_does() {
    let Some(database) = TestDatabase::postgres("compare") else { return };
    database.run("CREATE EXTENSION citext; CREATE TABLE t (c char(4), m citext); INSERT INTO t VALUES ('ab', 'Ann')");
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    for (column, key) in [("c", "ab  "), ("m", "aNN")] {
        let data_type = &relation(&catalog, "t").column(column).expect("the column exists").1.data_type;
        let sql = format!("SELECT count(*) FROM t WHERE {column} = {}", connection.dialect().placeholder(1, data_type));
        let rows = connection.query(&sql, &[text(key)]).await.expect("a query");
        assert_eq!(rows, [[Value::Int(1)]], "{column}");
    }
}
