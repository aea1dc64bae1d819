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
        let lookup = Lookup::new(t, &match_columns, &id);
        let rows = connection.lookup(&lookup, &[vec![key.clone()], vec![key.clone()]]).await.expect(column);
        assert_eq!(rows.iter().map(|row| &row[1]).collect::<Vec<_>>(), [&Value::Int(1)], "{column} = {key}");
    }
    let pair = strings(&["p", "m"]);
    let lookup = Lookup::new(t, &pair, &id);
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
    let lookup = Lookup::new(relation(&catalog, "many"), &code, &id);
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
    assert_eq!(connection.set_null(base, &strings(&["parent_id"])).await.expect("an update"), 1);
    database.run("UPDATE derived SET parent_id = 3");
    assert_eq!(connection.set_null(base, &strings(&["parent_id"])).await.expect("an update"), 0);
    let keys = [vec![Value::Int(1)], vec![Value::Int(1)]];
    assert_eq!(connection.delete_by_key(base, &strings(&["id"]), &keys).await.expect("a deletion"), 1);
    assert_eq!(connection.delete_all(base).await.expect("a deletion"), 1);
    assert_eq!(database.value("SELECT count(*) FROM derived WHERE parent_id = 3"), "1");
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

#[tokio::test]
async fn partial_and_expression_indexes_are_answered_as_the_index_would() {
    let Some(database) = TestDatabase::postgres("expressions") else { return };
    database.run(
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE SCHEMA app;
         CREATE DOMAIN app.required AS varchar(9) NOT NULL CHECK (VALUE <> 'no');
         CREATE FUNCTION app.half(n numeric) RETURNS numeric IMMUTABLE LANGUAGE sql AS 'SELECT n / 2';
         CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE app.t (id int PRIMARY KEY, email varchar(40), m mood, gone timestamptz, at timestamp, c char(4), ci text COLLATE ci,
           n numeric(6,2), x citext, tags text[], r real, d app.required, doc jsonb);
         CREATE UNIQUE INDEX live ON app.t (lower(email)) WHERE gone IS NULL AND m = 'ok' AND c = 'ab' AND x = 'Yes';
         CREATE UNIQUE INDEX typed ON app.t (m, (at::date), (n::text), (octet_length(c)), app.half(n), (r * 2), (tags[1]), (doc -> 'a'));
         CREATE UNIQUE INDEX collated ON app.t (ci COLLATE \"C\") WHERE ci = 'ANN' AND d <> 'x';",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let t = relation(&catalog, "app.t");
    let names: Vec<&str> = t.columns.iter().map(|column| column.name.as_str()).collect();
    let row = |id: i64, email: &str, m: &str, gone: Value, c: &str, x: &str, ci: &str, n: &str| {
        vec![
            Value::Int(id),
            text(email),
            text(m),
            gone,
            text("2024-02-29 23:59:59.5"),
            text(c),
            text(ci),
            text(n),
            text(x),
            text("{\"a,b\",c}"),
            Value::Float(f64::from(0.1_f32)),
            text("yes"),
            text("{\"a\": [1]}"),
        ]
    };
    let null = Value::Null;
    let rows = [
        row(1, "Ann@X", "ok", null.clone(), "ab", "yES", "Ann", "1.5"),
        row(2, "ann@x", "sad", null.clone(), "ab", "yes", "bob", "2.50"),
        row(3, "ANN@X", "ok", text("2024-01-01 00:00:00+00:00"), "ab  ", "yes", "ann", "3"),
        row(4, "ann@x", "ok", null.clone(), "ab", "no", "ANN", "4"),
    ];
    let own = |name: &str| t.unique_keys.iter().find(|key| key.name.0 == name).expect("the index is in the catalog");
    let id = strings(&["id"]);
    let given = strings(&names);
    connection.insert(&target(t, &names), &rows).await.expect("inserts");
    for (index, inside) in [("live", vec![1]), ("typed", vec![1, 2, 3, 4]), ("collated", vec![1, 3, 4])] {
        let key = own(index);
        let parts = key.expressions.clone().expect("it has expressions");
        let predicate = key.predicate.clone().unwrap_or_else(|| "true".to_owned());
        let answers = connection.evaluate(t, &given, &rows, std::slice::from_ref(&predicate)).await.expect(index);
        let held: Vec<i64> =
            (1..).zip(&answers).filter(|(_, answer)| answer[0] == Value::Bool(true)).map(|(id, _)| id).collect();
        assert_eq!(held, inside, "{index}: {predicate}");
        let keys = connection.evaluate(t, &given, &rows, &parts).await.expect(index);
        let lookup =
            Lookup { match_expressions: Some(&parts), predicate: Some(&predicate), ..Lookup::new(t, &[], &id) };
        for (row, key) in rows.iter().zip(&keys) {
            let found = connection.lookup(&lookup, std::slice::from_ref(key)).await.expect(index);
            let expected: Vec<&Value> = if index == "live" { vec![&rows[0][0]] } else { vec![&row[0]] };
            let expected: Vec<&Value> =
                expected.into_iter().filter(|id| inside.iter().any(|n| **id == Value::Int(*n))).collect();
            assert_eq!(found.iter().map(|found| &found[parts.len()]).collect::<Vec<_>>(), expected, "{index}");
            assert!(found.iter().all(|found| found[..parts.len()] == key[..]), "{index}");
        }
    }
    // A domain's own NOT NULL and CHECK are for the insert to judge.
    let parts = strings(&["d IS NULL", "d = 'no'", "n::text", "m::text"]);
    let partly = [vec![text("no"), text("1.5")]];
    let answers = connection.evaluate(t, &strings(&["d", "n"]), &partly, &parts).await.expect("answers");
    assert_eq!(answers, [[Value::Bool(false), Value::Bool(true), text("1.50"), Value::Null]]);

    database.run("CREATE TABLE big (id int PRIMARY KEY, email text, gone int); CREATE UNIQUE INDEX big_email ON big (lower(email)) WHERE gone IS NULL;
        INSERT INTO big SELECT i, 'User' || i, NULL FROM generate_series(1, 100000) AS i; ANALYZE big;");
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let big = relation(&catalog, "big");
    let parts = big.unique_keys[0].expressions.clone().expect("one expression");
    let lookup = Lookup {
        match_expressions: Some(&parts),
        predicate: big.unique_keys[0].predicate.as_deref(),
        ..Lookup::new(big, &[], &id)
    };
    connection.execute("SET enable_seqscan = off", &[]).await.expect("sets");
    let scans = "SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 'big_email'";
    assert_eq!(connection.lookup(&lookup, &[vec![text("user77")]]).await.expect("looks up").len(), 1);
    connection.execute("SELECT pg_stat_force_next_flush()", &[]).await.expect("flushes");
    assert_eq!(connection.query(scans, &[]).await.expect("a query"), [[Value::Bool(true)]], "the index serves");
}
