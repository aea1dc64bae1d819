//! Values: written, read back, and refused.

use super::*;

/// One column per type: the type, what is written, and what is read where that differs.
const VALUES: &[(&str, Option<&str>, Option<&str>)] = &[
    ("numeric", Some("12345678901234567890.1234567890"), None),
    ("numeric", Some("NaN"), None),
    ("numeric(10,2)", Some("12.3"), Some("12.30")),
    ("varchar(5)", Some("é😀xyz"), None),
    ("char(5)", Some("ab"), None),
    ("text", Some("a\u{1}\\'\"\n"), None),
    ("text", Some(""), None),
    ("text", None, None),
    ("date", Some("0044-03-15 BC"), None),
    ("date", Some("infinity"), None),
    ("time", Some("24:00:00"), None),
    ("time(3)", Some("12:34:56.5"), Some("12:34:56.500000")),
    ("timestamp", Some("2024-02-29 23:59:59.000001"), None),
    ("timestamp", Some("2024-02-29 23:59:59"), None),
    ("timestamp", Some("-infinity"), None),
    ("timestamptz", Some("2024-03-31 02:30:00.12+05:30"), Some("2024-03-30 21:00:00.120000+00:00")),
    ("timestamptz", Some("infinity"), None),
    ("timestamptz", Some("0044-03-15 12:00:00+00 BC"), None),
    ("interval", Some("-1 days +02:03:04.5"), Some("P-1DT2H3M4.5S")),
    ("interval", Some("P1Y2M3DT4H"), None),
    ("uuid", Some("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
    ("json", Some("{\"b\": 1, \"a\":  [1.10]}"), None),
    ("jsonb", Some("{\"b\": 1, \"a\":  [1.10]}"), Some("{\"a\": [1.10], \"b\": 1}")),
    ("jsonb", Some("null"), None),
    ("mood", Some("it's ok"), None),
    ("mood[]", Some("{sad,\"it's ok\",NULL}"), None),
    ("text[]", Some("{\"\",\"a,b\",NULL,\"NULL\",\"q\\\"\"}"), None),
    ("integer[]", Some("{{1,2},{3,4}}"), None),
    ("numeric(4,1)[]", Some("{1.5}"), None),
    ("year", Some("1999"), None),
    ("price", Some("1.50"), None),
    ("slug", Some("ab"), None),
    ("flags", Some("101"), None),
    ("bit(3)", Some("101"), None),
    ("bit varying(5)", Some("1"), None),
    ("inet", Some("192.168.0.1/24"), None),
    ("macaddr", Some("08:00:2b:01:02:03"), None),
    ("int4range", Some("[1,5)"), None),
    ("tsvector", Some("'a':1 'b':2"), None),
    ("xml", Some("<a>1</a>"), None),
    ("hstore", Some("\"a\"=>\"1\""), None),
    ("citext", Some("MiXed"), None),
    ("money", Some("$12.34"), None),
    ("pair", Some("(1,x)"), None),
    ("name", Some("a_name"), None),
    ("\"char\"", Some("x"), None),
];

#[tokio::test]
async fn every_kind_of_value_is_read_as_it_was_written() {
    let Some(database) = TestDatabase::postgres("values") else { return };
    database.run(
        "CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
         CREATE DOMAIN year AS integer; CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN slug AS varchar(3);
         CREATE DOMAIN flags AS bit(3); CREATE TYPE pair AS (a int, b text);",
    );
    let columns: Vec<String> =
        VALUES.iter().enumerate().map(|(index, (data_type, ..))| format!("c{index} {data_type}")).collect();
    database.run(&format!(
        "CREATE TABLE t ({}, ok boolean, i2 smallint, i8 bigint, r real, d double precision, b bytea, o oid)",
        columns.join(", ")
    ));
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let t = relation(&catalog, "t");
    let names: Vec<&str> = t.columns.iter().map(|column| column.name.as_str()).collect();
    let mut written: Vec<Value> = VALUES
        .iter()
        .zip(&t.columns)
        .map(|((_, value, _), column)| match (&column.data_type.kind, value) {
            (_, None) => Value::Null,
            (TypeKind::Integer { .. }, Some(digits)) => Value::Int(digits.parse().expect("digits")),
            (_, Some(value)) => text(value),
        })
        .collect();
    let native = [
        Value::Bool(false),
        Value::Int(-32_768),
        Value::Int(i64::MIN),
        Value::Float(f64::from(0.1_f32)),
        Value::Float(5e-324),
        Value::Bytes(vec![0, 255, b'\\']),
        Value::Int(4_294_967_295),
    ];
    written.extend(native.clone());
    let nulls = vec![Value::Null; written.len()];
    let inserted = connection.insert(&target(t, &names), &[written, nulls]).await.expect("every value fits");
    assert_eq!(inserted, 2);

    let read: Vec<String> = t.columns.iter().map(|c| connection.dialect().read_expression("t", c)).collect();
    let sql = format!("SELECT {} FROM t AS t WHERE ok IS NOT NULL", read.join(", "));
    let rows = connection.query(&sql, &[]).await.expect("every column can be read");
    for ((data_type, written, expected), value) in VALUES.iter().zip(&rows[0]) {
        let expected = expected.or(*written).map_or(Value::Null, text);
        let value = if let Value::Int(digits) = value { &text(&digits.to_string()) } else { value };
        assert_eq!(*value, expected, "{data_type}");
    }
    assert_eq!(rows[0][VALUES.len()..], native);
    // Written the way it was read, it stays the same.
    connection.insert(&target(t, &names), &rows).await.expect("every value fits");
    let again = connection.query(&sql, &[]).await.expect("every column can be read");
    assert_eq!(again[0], again[1]);
    assert_eq!(
        connection.query("SELECT count(*) FROM t WHERE c0 IS NULL AND o IS NULL", &[]).await.expect("a query"),
        [[Value::Int(1)]]
    );
    // In bulk and as literals, the same is stored again.
    let full = || rows[0].clone();
    connection
        .insert_bulk(&target(t, &names), &[full(), vec![Value::Null; names.len()]])
        .await
        .expect("every value fits");
    connection.insert_raw(&target(t, &names), &full()).await.expect("every value fits");
    connection.insert_raw(&target(t, &names), &vec![Value::Null; names.len()]).await.expect("NULL fits");
    let stored = connection.query("SELECT count(*), count(DISTINCT t::text) FROM t WHERE ok IS NOT NULL", &[]).await;
    assert_eq!(stored.expect("a query"), [[Value::Int(4), Value::Int(1)]]);
    connection
        .execute(
            "DELETE FROM t WHERE ctid > (SELECT max(ctid) FROM (SELECT ctid FROM t ORDER BY ctid LIMIT 3) AS x)",
            &[],
        )
        .await
        .expect("deletes");
    // An update makes of a value what an insert does, and the other way round.
    let set: Vec<String> = names.iter().filter(|name| **name != "ok").map(|name| (*name).to_owned()).collect();
    let place = t.column("ok").expect("it exists").0;
    let change = |row: &[Value], ok| {
        let mut change = row.to_vec();
        change.remove(place);
        change.push(ok);
        change
    };
    let changes = [change(&rows[0], Value::Null), change(&vec![Value::Null; names.len()], Value::Bool(false))];
    assert_eq!(connection.update_by_key(t, &set, &strings(&["ok"]), &changes).await.expect("updates"), 3);
    let mut updated =
        connection.query(&sql.replace("IS NOT NULL", "IS NULL"), &[]).await.expect("every column can be read");
    updated[0][place] = Value::Bool(false);
    assert_eq!(updated[0], rows[0]);
    let emptied = connection.query(&sql, &[]).await.expect("every column can be read");
    assert!(emptied.iter().flatten().filter(|value| !value.is_null()).count() == 2, "{emptied:?}");
}

#[tokio::test]
async fn nothing_is_cut_silently() {
    let Some(database) = TestDatabase::postgres("cut") else { return };
    database.run(
        "CREATE DOMAIN slug AS varchar(3); CREATE DOMAIN flags AS bit(3);
         CREATE TABLE t (v varchar(3), c char(3), s slug, a varchar(3)[], b bit(3), f flags, i smallint, r real, n numeric(3,1))",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    for (column, value) in [
        ("v", text("long")),
        ("c", text("long")),
        ("s", text("long")),
        ("a", text("{long}")),
        ("b", text("1010")),
        ("f", text("1010")),
        ("i", Value::Int(40_000)),
        ("r", Value::Float(1e300)),
        ("n", text("1234.5")),
        ("v", text("a\0b")),
        ("i", text("not a number")),
    ] {
        let target = target(relation(&catalog, "t"), &[column]);
        let error = connection.insert(&target, &[vec![value]]).await.expect_err(column);
        assert_eq!(error.kind, DbErrorKind::InvalidValue, "{column}: {error}");
        assert!(error.blames_rows());
    }
}

#[tokio::test]
async fn a_query_refuses_types_without_a_native_value() {
    let Some(database) = TestDatabase::postgres("native") else { return };
    let mut connection = open(&database).await;
    let error = connection.query("SELECT 1.5::numeric AS price", &[]).await.expect_err("numeric is no native type");
    assert!(error.message.contains("price") && error.message.contains("read expression"), "{error}");
    let rows = connection
        .query(
            "SELECT $1::int4 + 1, $2, $3::text IS NULL, 'x'::name, 'c'::\"char\"",
            &[Value::Int(1), text("a"), Value::Null],
        )
        .await
        .expect("native types");
    assert_eq!(rows, [[Value::Int(2), text("a"), Value::Bool(true), text("x"), text("c")]]);
    let exact = connection.dialect().exact_numeric("0.1::float8 + 0");
    let rows = connection.query(&format!("SELECT ({exact})::text"), &[]).await.expect("a query");
    assert_eq!(rows, [[text("0.1")]]);
}

#[tokio::test]
async fn wide_and_many_rows_respect_the_parameter_limit() {
    let Some(database) = TestDatabase::postgres("limits") else { return };
    let columns: Vec<String> = (0..200).map(|index| format!("c{index} int")).collect();
    database.run(&format!(
        "CREATE TABLE wide ({}); CREATE TABLE defaults (id serial, at date DEFAULT '2024-01-01')",
        columns.join(", ")
    ));
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let wide = relation(&catalog, "wide");
    let names: Vec<&str> = wide.columns.iter().map(|column| column.name.as_str()).collect();
    let rows = vec![(0..200).map(Value::Int).collect::<Vec<_>>(); 1_000];
    assert_eq!(connection.insert(&target(wide, &names), &rows).await.expect("rows"), 1_000);
    let defaults = relation(&catalog, "defaults");
    assert_eq!(connection.insert(&target(defaults, &[]), &[vec![], vec![]]).await.expect("rows"), 2);
    assert_eq!(database.value("SELECT count(*) FROM defaults WHERE id IN (1, 2)"), "2");
}

#[tokio::test]
async fn rules_that_send_other_rows_elsewhere_leave_the_rest_alone() {
    let Some(database) = TestDatabase::postgres("rules") else { return };
    database.run(
        "CREATE TABLE t (id int PRIMARY KEY, day date); CREATE TABLE old (LIKE t);
         CREATE RULE old AS ON INSERT TO t WHERE new.day < '2020-01-01' DO INSTEAD INSERT INTO old VALUES (new.id, new.day);",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let rows = [vec![Value::Int(1), text("2024-01-01")], vec![Value::Int(2), text("2019-01-01")]];
    let inserted = connection.insert(&target(relation(&catalog, "t"), &["id", "day"]), &rows).await;
    assert_eq!(inserted.expect("rows"), 1, "the count tells that a row went elsewhere");
    assert_eq!(database.value("SELECT id FROM old"), "2");
}

#[tokio::test]
async fn reals_and_decimals_are_rounded_the_same_way_whichever_way_they_come_in() {
    let Some(database) = TestDatabase::postgres("rounding") else { return };
    database.run("CREATE TABLE t (way text, r real, d double precision, n numeric(6,2), a numeric(6,2)[], at timestamp(1), b bpchar, i interval(0))");
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let t = relation(&catalog, "t");
    let names: Vec<&str> = t.columns.iter().map(|column| column.name.as_str()).collect();
    let row = |way: &str, real: f64| {
        vec![
            text(way),
            Value::Float(real),
            Value::Float(real),
            text("1.005"),
            text("{1.005,NULL}"),
            text("2024-01-01 00:00:00.05"),
            text("ab  "),
            text("1.5 seconds"),
        ]
    };
    for real in
        [0.1, 16_777_217.0, -0.0, f64::INFINITY, f64::NAN, 1e-45, 0.1 + 0.2, 3.402_823_4e38, 1.000_000_059_604_644_8]
    {
        connection.insert(&target(t, &names), &[row("insert", real)]).await.expect("inserts");
        connection.insert_bulk(&target(t, &names), &[row("bulk", real)]).await.expect("copies");
        connection.insert_raw(&target(t, &names), &row("raw", real)).await.expect("inserts");
        let kinds = "SELECT count(*), count(DISTINCT (r::text, d::text, n, a, at, b::bytea, i)) FROM t";
        assert_eq!(connection.query(kinds, &[]).await.expect("a query"), [[Value::Int(3), Value::Int(1)]], "{real}");
        connection.delete_all(t).await.expect("deletes");
    }
    for real in [1e39, 1e-50] {
        for outcome in [
            connection.insert(&target(t, &["r"]), &[vec![Value::Float(real)]]).await,
            connection.insert_bulk(&target(t, &["r"]), &[vec![Value::Float(real)]]).await,
            connection.insert_raw(&target(t, &["r"]), &[Value::Float(real)]).await,
        ] {
            assert_eq!(outcome.expect_err("a real cannot hold it").kind, DbErrorKind::InvalidValue, "{real}");
        }
    }
}

#[tokio::test]
async fn copy_writes_identities_fires_triggers_and_refuses_what_it_would_pass_by() {
    let Some(database) = TestDatabase::postgres("copy") else { return };
    database.run(
        "CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, w text);
         CREATE TABLE ruled (id int); CREATE TABLE log (id int);
         CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO log VALUES (NEW.id);
         CREATE TABLE split (id int) PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF split FOR VALUES FROM (0) TO (10);
         CREATE TABLE secret (id int); ALTER TABLE secret ENABLE ROW LEVEL SECURITY; CREATE POLICY odd ON secret USING (id % 2 = 1);
         CREATE TABLE loud (id int, w text);
         CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
            RAISE WARNING '%', repeat('loud ', 200); NEW.w := 'fired'; RETURN NEW; END$$;
         CREATE TRIGGER warn BEFORE INSERT ON loud FOR EACH ROW EXECUTE FUNCTION warn();",
    );
    let role = Role::new(&database);
    database.run(&format!("GRANT INSERT, SELECT ON secret TO {}", role.name));
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let always = target(relation(&catalog, "always"), &["id", "w"]);
    assert!(always.overrides_identity);
    connection.insert_bulk(&always, &[vec![Value::Int(7), text("seven")]]).await.expect("copies");
    connection.insert_raw(&always, &[Value::Int(9), text("it's nine")]).await.expect("inserts");
    assert_eq!(database.value("SELECT string_agg(id || w, ',' ORDER BY id) FROM always"), "7seven,9it's nine");

    let one = [vec![Value::Int(1)]];
    let ruled = target(relation(&catalog, "ruled"), &["id"]);
    let refused = connection.insert_bulk(&ruled, &one).await.expect_err("the rule would not be applied");
    assert_eq!((refused.kind, refused.relation.as_deref()), (DbErrorKind::Unsupported, Some("ruled")));
    connection.insert(&ruled, &one).await.expect("inserts");
    assert_eq!(database.value("SELECT (SELECT count(*) FROM ruled) || ',' || (SELECT count(*) FROM log)"), "1,1");
    connection.insert_bulk(&target(relation(&catalog, "split"), &["id"]), &one).await.expect("copies");
    assert_eq!(database.value("SELECT count(*) FROM low"), "1");

    // More rows, and more warnings, than any buffer between the two sides takes.
    let loud: Vec<Vec<Value>> = (0..20_000).map(|id| vec![Value::Int(id), text(&"quiet ".repeat(200))]).collect();
    let target_of_warnings = target(relation(&catalog, "loud"), &["id", "w"]);
    let copied = connection.insert_bulk(&target_of_warnings, &loud);
    let copied =
        tokio::time::timeout(std::time::Duration::from_mins(1), copied).await.expect("nobody waits for a reader");
    assert_eq!(copied.expect("copies"), 20_000);
    assert_eq!(database.value("SELECT count(*) FROM loud WHERE w = 'fired'"), "20000");

    let mut guest = open_url(&role.url(), Access::ReadWrite).await;
    guest.begin(TransactionKind::Write).await.expect("begins");
    guest.savepoint("s").await.expect("sets");
    let secret = target(relation(&catalog, "secret"), &["id"]);
    let refused = guest.insert_bulk(&secret, &one).await.expect_err("the policy filters");
    assert_eq!(refused.kind, DbErrorKind::Unsupported);
    guest.rollback_to("s").await.expect("rolls back");
    guest.insert(&secret, &one).await.expect("the policy lets it through");
    guest.commit().await.expect("commits");
    guest.close().await.expect("closes");
}
