//! Access, snapshots, scripts, privileges, and connections that fail.

use std::time::Duration;

use relink_db::{Access, DatabaseUrl, DbErrorKind, Intent, TransactionKind, connect};
use relink_model::Value;
use relink_testkit::TestDatabase;

use crate::{count, insert, int, open, relation, rows, text, url, with_schema};

pub(crate) async fn reading_access_refuses_to_write(database: &TestDatabase) {
    let (writer, catalog) = with_schema(database, "t(id int, pk(id))").await;
    writer.close().await.expect("closes");
    let table = relation(&catalog, "t");
    let mut reader = connect(&url(database), Access::ReadOnly).await.expect("opens");
    assert_eq!(reader.introspect().await.expect("readable"), catalog);
    assert_eq!(count(reader.as_mut(), table).await, 0);
    let refused = reader.execute("INSERT INTO t VALUES (1)", &[]).await.expect_err("it only reads");
    assert_eq!(refused.kind, DbErrorKind::ReadOnly, "{refused}");
    // Whether beginning is refused already is the database's affair; no write gets through.
    if reader.begin(TransactionKind::Write).await.is_ok() {
        assert_eq!(insert(reader.as_mut(), table, &["id"], &[vec![int(1)]]).await, Err(DbErrorKind::ReadOnly));
        reader.rollback().await.expect("rolls back");
    }
    assert_eq!(count(reader.as_mut(), table).await, 0);
}

pub(crate) async fn a_snapshot_sees_one_state_and_refuses_to_write(database: &TestDatabase) {
    let (mut writer, catalog) = with_schema(database, "t(id int, pk(id)) u(id int, pk(id))").await;
    if database.dialect() == "sqlite" {
        // In the other journal modes the writer would have to wait for the reader.
        writer.execute_script("PRAGMA journal_mode = WAL").await.expect("switches");
    }
    let (t, u) = (relation(&catalog, "t"), relation(&catalog, "u"));
    insert(writer.as_mut(), t, &["id"], &[vec![int(1)]]).await.expect("inserts");
    let mut reader = open(database).await;
    reader.begin(TransactionKind::Snapshot).await.expect("begins");
    assert_eq!(count(reader.as_mut(), t).await, 1);
    for table in [t, u] {
        insert(writer.as_mut(), table, &["id"], &[vec![int(2)]]).await.expect("inserts");
    }
    // A relation that it has not looked at yet is of the same moment.
    assert_eq!((count(reader.as_mut(), t).await, count(reader.as_mut(), u).await), (1, 0));
    insert(writer.as_mut(), t, &["id"], &[vec![int(3)]]).await.expect("inserts");
    assert_eq!(insert(reader.as_mut(), t, &["id"], &[vec![int(4)]]).await, Err(DbErrorKind::ReadOnly));
    reader.rollback().await.expect("rolls back");
    assert_eq!((count(reader.as_mut(), t).await, count(reader.as_mut(), u).await), (3, 1));
    insert(reader.as_mut(), t, &["id"], &[vec![int(4)]]).await.expect("afterwards it may write");
}

pub(crate) async fn what_is_read_alone_stays_true_until_the_end(database: &TestDatabase) {
    let (mut alone, catalog) = with_schema(database, "t(id int, pk(id))").await;
    let t = relation(&catalog, "t");
    let mut other = open(database).await;
    // What is begun before is waited for.
    other.begin(TransactionKind::Write).await.expect("begins");
    insert(other.as_mut(), t, &["id"], &[vec![int(1)]]).await.expect("inserts");
    let read = tokio::spawn({
        let (catalog, mut alone) = (catalog.clone(), open(database).await);
        async move {
            let t = relation(&catalog, "t");
            alone.begin_alone(&[t]).await.expect("begins");
            let seen = count(alone.as_mut(), t).await;
            alone.rollback().await.expect("rolls back");
            seen
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!read.is_finished(), "{database:?}");
    other.commit().await.expect("commits");
    assert_eq!(read.await.expect("runs"), 1, "{database:?}");
    // What comes afterwards waits.
    alone.begin_alone(&[t]).await.expect("begins");
    assert_eq!(count(alone.as_mut(), t).await, 1, "{database:?}");
    let written = tokio::spawn({
        let catalog = catalog.clone();
        async move { insert(other.as_mut(), relation(&catalog, "t"), &["id"], &[vec![int(2)]]).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!written.is_finished(), "{database:?}");
    assert_eq!(count(alone.as_mut(), t).await, 1, "{database:?}");
    alone.commit().await.expect("commits");
    written.await.expect("runs").expect("writes in its turn");
    assert_eq!(count(alone.as_mut(), t).await, 2, "{database:?}");
}

pub(crate) async fn a_script_runs_whole(database: &TestDatabase) {
    let mut connection = open(database).await;
    let trigger = match database.dialect() {
        "sqlite" => {
            "CREATE TRIGGER mark AFTER INSERT ON t BEGIN
                UPDATE t SET word = word || ';' WHERE id = NEW.id; UPDATE t SET n = 1 WHERE id = NEW.id;
             END;"
        }
        "postgres" => {
            "CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $body$
             BEGIN NEW.word := NEW.word || ';'; NEW.n := 1; RETURN NEW; END; $body$;
             CREATE TRIGGER mark BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION mark();"
        }
        _ => {
            "DELIMITER //
             CREATE TRIGGER mark BEFORE INSERT ON t FOR EACH ROW BEGIN
                SET NEW.word = CONCAT(NEW.word, ';'); SET NEW.n = 1;
             END//
             DELIMITER ;"
        }
    };
    let script = format!(
        "-- a comment; with a semicolon\n/* and ' another; */\nCREATE TABLE t (id integer PRIMARY KEY, word varchar(20), n integer);\n\
         {trigger}\nINSERT INTO t (id, word) VALUES (1, 'a;b'), (2, 'it''s -- no comment');\n\n-- the end"
    );
    connection.execute_script(&script).await.expect("the script runs");
    let catalog = connection.introspect().await.expect("readable");
    let table = relation(&catalog, "t");
    let read = rows(connection.as_mut(), table, &["id", "word", "n"]).await;
    assert_eq!(read, [vec![int(1), text("a;b;"), int(1)], vec![int(2), text("it's -- no comment;"), int(1)]]);
    let triggers: Vec<_> = table.triggers.iter().map(|trigger| (trigger.name.as_str(), trigger.enabled)).collect();
    assert_eq!(triggers, [("mark", true)]);
    assert!(table.triggers[0].timing.ends_with("INSERT"), "{:?}", table.triggers);
}

pub(crate) async fn a_script_stops_at_its_first_error(database: &TestDatabase) {
    let mut connection = open(database).await;
    let script = "CREATE TABLE t (id integer PRIMARY KEY);\nCREATE TABLE t (id integer);\nCREATE TABLE u (id integer);";
    connection.execute_script(script).await.expect_err("the second statement fails");
    let names: Vec<_> = connection.introspect().await.expect("readable").relations;
    assert!(!names.iter().any(|relation| relation.name.name == "u"), "the third did not run");
    connection.query("SELECT 1", &[]).await.expect("the connection is still of use");
}

pub(crate) async fn what_cannot_be_reached_is_said_without_the_password(database: &TestDatabase) {
    if database.dialect() == "sqlite" {
        let nowhere = DatabaseUrl::Sqlite { path: "/nonexistent/folder/data.db".into() };
        let error = connect(&nowhere, Access::ReadOnly).await.err().expect("there is no such file");
        return assert_eq!(error.kind, DbErrorKind::Connect);
    }
    let refused = async |change: &dyn Fn(&mut url::Url)| {
        let mut url: url::Url = database.url().parse().expect("a URL");
        url.set_password(Some("s3cret")).expect("a server's URL takes one");
        change(&mut url);
        let error = connect(&url.as_str().parse().expect("a URL"), Access::ReadWrite).await.err().expect("it fails");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
        error.kind
    };
    assert_eq!(refused(&|url| url.set_port(Some(1)).expect("a port")).await, DbErrorKind::Connect);
    let stranger = |url: &mut url::Url| url.set_username("relink_nobody").expect("a user");
    assert_eq!(refused(&stranger).await, DbErrorKind::Refused);
}

pub(crate) async fn a_broken_connection_is_lost(database: &TestDatabase) {
    let (id, kill) = match database.dialect() {
        "postgres" => ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mysql" => ("SELECT connection_id()", "KILL {}"),
        // There is no connection that could break.
        _ => return,
    };
    let (mut victim, catalog) = with_schema(database, "t(id int, pk(id))").await;
    let table = relation(&catalog, "t");
    let own = victim.query(id, &[]).await.expect("readable");
    victim.begin(TransactionKind::Write).await.expect("begins");
    insert(victim.as_mut(), table, &["id"], &[vec![int(1)]]).await.expect("inserts");
    let mut other = open(database).await;
    other.execute_script(&kill.replace("{}", &own[0][0].to_string())).await.expect("kills");
    let error = victim.query("SELECT 1", &[]).await.expect_err("the connection is gone");
    assert_eq!(error.kind, DbErrorKind::ConnectionLost, "{error:?}");
    assert!(!error.blames_rows());
    assert_eq!(count(other.as_mut(), table).await, 0, "nothing stays of its transaction");
}

pub(crate) async fn an_owner_misses_no_privilege(database: &TestDatabase) {
    let (mut connection, catalog) = with_schema(database, "t(id pk, word varchar(10))").await;
    let table = relation(&catalog, "t");
    assert!(
        connection
            .missing_privileges(&Intent { read: &[], inserted: &[table], updated: &[table], deleted: &[table] })
            .await
            .expect("readable")
            .is_empty()
    );
    let sql =
        format!("SELECT word FROM t WHERE id = {}", connection.dialect().placeholder(1, &table.columns[0].data_type));
    insert(connection.as_mut(), table, &["id", "word"], &[vec![int(3), text("x")]]).await.expect("inserts");
    assert_eq!(connection.query(&sql, &[int(3)]).await.expect("parameters bind"), [[text("x")]]);
    assert!(connection.query(&sql, &[Value::Null]).await.expect("NULL binds").is_empty());
}
