//! Connecting, the session, scripts, snapshots and errors.

use super::*;

#[tokio::test]
async fn a_role_that_may_only_read_gets_a_snapshot() {
    let Some(database) = TestDatabase::postgres("snapshot") else { return };
    database.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let role = Role::new(&database);
    let name = &role.name;
    database.run(&format!("GRANT SELECT ON t TO {name}; ALTER ROLE {name} SET default_transaction_read_only = on"));
    let mut connection = open_url(&role.url(), Access::ReadWrite).await;
    connection.begin(TransactionKind::Snapshot).await.expect("a snapshot");
    assert_eq!(connection.query("SELECT id FROM t", &[]).await.expect("a query"), [[Value::Int(1)]]);
    database.run("INSERT INTO t VALUES (2)");
    assert_eq!(connection.query("SELECT count(*) FROM t", &[]).await.expect("a query"), [[Value::Int(1)]]);
    connection.commit().await.expect("the end");
    let error = connection.execute("INSERT INTO t VALUES (3)", &[]).await.expect_err("the role is read-only");
    assert_eq!(error.kind, DbErrorKind::ReadOnly);

    let mut reader = open_url(&database.url(), Access::ReadOnly).await;
    assert_eq!(
        reader.execute("INSERT INTO t VALUES (3)", &[]).await.expect_err("opened so").kind,
        DbErrorKind::ReadOnly
    );
}

#[tokio::test]
async fn row_security_fails_a_snapshot_instead_of_hiding_rows() {
    let Some(database) = TestDatabase::postgres("row_security") else { return };
    database.run(
        "CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2);
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id = 1);",
    );
    let role = Role::new(&database);
    database.run(&format!("GRANT SELECT ON t TO {}", role.name));
    let mut connection = open_url(&role.url(), Access::ReadOnly).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    assert!(relation(&catalog, "t").row_security);
    connection.begin(TransactionKind::Snapshot).await.expect("a snapshot");
    let error = connection.query("SELECT id FROM t", &[]).await.expect_err("a row would be hidden");
    assert_eq!(error.kind, DbErrorKind::PermissionDenied);
    assert!(!relation(&open(&database).await.introspect().await.expect("the catalog"), "t").row_security);
}

#[tokio::test]
async fn a_script_keeps_its_settings_and_its_transactions_to_itself() {
    let Some(database) = TestDatabase::postgres("script") else { return };
    let mut connection = open(&database).await;
    assert!(connection.is_empty().await.expect("a query"));
    let script = r"\restrict abc
SET standard_conforming_strings = off;
SET TimeZone = 'Europe/Madrid';
SELECT pg_catalog.set_config('search_path', '', false);
BEGIN;
CREATE TABLE public.t (id int, at timestamptz, note text DEFAULT 'it\'s; fine');
CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;
COMMIT;
\unrestrict abc
";
    connection.begin(TransactionKind::Write).await.expect("a transaction");
    connection.execute_script(script).await.expect("the script runs");
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let t = relation(&catalog, "t");
    connection.insert(&target(t, &["at"]), &[vec![text("2024-07-01 12:00:00")]]).await.expect("a row");
    let read = connection.dialect().read_expression("", t.column("at").expect("a column").1);
    let rows = connection.query(&format!("SELECT {read}, note FROM t"), &[]).await.expect("a query");
    assert_eq!(rows, [[text("2024-07-01 12:00:00+00:00"), text("it's; fine")]]);
    connection.rollback().await.expect("a rollback");
    assert!(connection.is_empty().await.expect("a query"), "the script's COMMIT committed nothing");

    connection.execute_script(script).await.expect("the script runs outside a transaction too");
    assert!(!connection.is_empty().await.expect("a query"));
    connection.drop_everything().await.expect("tables can be dropped");
    assert!(connection.is_empty().await.expect("a query"));

    let error = connection
        .execute_script("CREATE TABLE a ();\n\nCREATE TABLE b (id nonsense);")
        .await
        .expect_err("no such type");
    assert!(error.message.starts_with("line 3 of the script: "), "{error}");
    let error =
        connection.execute_script("CREATE TABLE c ();\nCOPY c FROM stdin;\n\\.\n").await.expect_err("it has data");
    assert_eq!(error.kind, DbErrorKind::Unsupported);
    assert!(error.message.contains("line 2") && error.message.contains("COPY"), "{error}");
    assert!(connection.introspect().await.expect("the catalog").find("c").is_none(), "refused before it ran");
}

#[tokio::test]
async fn errors_name_what_they_are_about() {
    let Some(database) = TestDatabase::postgres("errors") else { return };
    database.run(
        "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, v int NOT NULL, CONSTRAINT positive CHECK (v > 0));
         INSERT INTO s.t VALUES (1, 1);
         CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 13 THEN RAISE 'not 13'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION refuse();",
    );
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let t = target(relation(&catalog, "s.t"), &["id", "v"]);
    for (row, kind, constraint, column) in [
        ([Value::Int(1), Value::Int(1)], DbErrorKind::UniqueViolation, Some("t_pkey"), None),
        ([Value::Int(2), Value::Null], DbErrorKind::NotNullViolation, None, Some("v")),
        ([Value::Int(2), Value::Int(-1)], DbErrorKind::CheckViolation, Some("positive"), None),
        ([Value::Int(2), Value::Int(13)], DbErrorKind::Raised, None, None),
    ] {
        let error = connection.insert(&t, &[row.to_vec()]).await.expect_err("refused");
        assert_eq!((error.kind, error.constraint.as_deref(), error.column.as_deref()), (kind, constraint, column));
        assert_eq!(error.relation.as_deref(), (kind != DbErrorKind::Raised).then_some("s.t"));
    }
    let error = connection.insert(&t, &[vec![Value::Int(1), Value::Int(1)]]).await.expect_err("a duplicate");
    assert_eq!(error.detail.as_deref(), Some("Key (id)=(1) already exists."));
}

#[tokio::test]
async fn a_lock_that_is_not_free_is_contention() {
    let Some(database) = TestDatabase::postgres("contention") else { return };
    database.run("CREATE TABLE t (id int)");
    let (mut one, mut two) = (open(&database).await, open(&database).await);
    one.begin(TransactionKind::Write).await.expect("a transaction");
    one.execute("LOCK TABLE t", &[]).await.expect("a lock");
    two.begin(TransactionKind::Write).await.expect("a transaction");
    let error = two.execute("LOCK TABLE t NOWAIT", &[]).await.expect_err("it is taken");
    assert_eq!(error.kind, DbErrorKind::Contention);
}

#[tokio::test]
async fn a_connection_that_breaks_says_so() {
    let Some(database) = TestDatabase::postgres("lost") else { return };
    let mut connection = open(&database).await;
    connection.begin(TransactionKind::Write).await.expect("a transaction");
    let rows = connection.query("SELECT pg_backend_pid()", &[]).await.expect("a query");
    database.run(&format!("SELECT pg_terminate_backend({})", rows[0][0]));
    for _ in 0..2 {
        let error = connection.query("SELECT 1", &[]).await.expect_err("the server hung up");
        assert_eq!(error.kind, DbErrorKind::ConnectionLost, "{error}");
    }
}

#[tokio::test]
async fn connecting_fails_with_the_right_kind_and_without_the_password() {
    let Some(database) = TestDatabase::postgres("refused") else { return };
    let mut missing = url::Url::parse(&database.url()).expect("a URL");
    missing.set_path("relink_no_such_database");
    let mut closed = missing.clone();
    // Port 1 is reserved, and nothing listens there.
    closed.set_port(Some(1)).expect("the URL has a host");
    let mut malformed = missing.clone();
    malformed.set_query(Some("sslmode=nonsense"));
    for (url, kind) in
        [(missing, DbErrorKind::Refused), (closed, DbErrorKind::Connect), (malformed, DbErrorKind::Connect)]
    {
        let mut url = url;
        url.set_password(Some("s3cret")).expect("the URL has a host");
        let url: DatabaseUrl = url.as_str().parse().expect("a URL");
        let Err(error) = connect(&url, Access::ReadOnly).await else { panic!("{url} answered") };
        assert_eq!(error.kind, kind, "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_unix_socket_is_reached_both_ways() {
    let Some(database) = TestDatabase::postgres("socket") else { return };
    let directories = database.value("SHOW unix_socket_directories");
    let Some(directory) = directories.split(',').map(str::trim).find(|path| path.starts_with('/')) else { return };
    let parsed = url::Url::parse(&database.url()).expect("a URL");
    let (user, name) = (parsed.username(), database.value("SELECT current_database()"));
    let port = database.value("SHOW port");
    let escaped = directory.replace('/', "%2F");
    let credentials = parsed.password().map_or(user.to_owned(), |password| format!("{user}:{password}"));
    for url in [
        format!("postgres://{credentials}@{escaped}:{port}/{name}"),
        format!("postgres://{credentials}@localhost:{port}/{name}?host={directory}"),
    ] {
        let mut connection = open_url(&url, Access::ReadOnly).await;
        let rows = connection.query("SELECT pg_catalog.inet_client_addr() IS NULL", &[]).await.expect("a query");
        assert_eq!(rows, [[Value::Bool(true)]], "{directory}");
        connection.close().await.expect("closed");
    }
}

#[tokio::test]
async fn the_session_is_exact_whatever_the_role_is_configured_to() {
    let Some(database) = TestDatabase::postgres("session") else { return };
    let name = database.value("SELECT current_database()");
    database.run(&format!(
        "ALTER DATABASE {name} SET TimeZone = 'Asia/Kolkata'; ALTER DATABASE {name} SET DateStyle = 'German';
         ALTER DATABASE {name} SET IntervalStyle = 'sql_standard'; ALTER DATABASE {name} SET extra_float_digits = -15;
         ALTER DATABASE {name} SET bytea_output = 'escape'; ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"
    ));
    let mut connection = open(&database).await;
    let sql = "SELECT '2024-07-01 12:00:00+00'::timestamptz::text, '1 day -2 hours'::interval::text, 0.1::float8::text, '\\x00'::bytea::text";
    let expected = [[text("2024-07-01 12:00:00+00"), text("P1DT-2H"), text("0.1"), text("\\x00")]];
    assert_eq!(connection.query(sql, &[]).await.expect("a query"), expected);
    connection.execute_script("SET TimeZone = 'Asia/Tokyo'").await.expect("a script");
    assert_eq!(connection.query(sql, &[]).await.expect("a query"), expected);
}
