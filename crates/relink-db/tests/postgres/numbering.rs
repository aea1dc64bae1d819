//! Sequences.

use super::*;

/// The states of all sequences, to the bit that nextval looks at.
fn sequences(database: &TestDatabase) -> Vec<Vec<Option<String>>> {
    let names = database.rows("SELECT oid::regclass FROM pg_class WHERE relkind = 'S' ORDER BY relname");
    let states =
        names.iter().flatten().flatten().map(|name| format!("SELECT '{name}', last_value, is_called FROM {name}"));
    database.rows(&states.collect::<Vec<_>>().join(" UNION ALL "))
}

const NUMBERED: &str = "CREATE TABLE ident (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v int);
    CREATE TABLE small (id smallserial PRIMARY KEY, v int);
    CREATE SEQUENCE shared INCREMENT BY 10;
    CREATE TABLE one (id int DEFAULT nextval('shared') PRIMARY KEY);
    CREATE TABLE two (id int DEFAULT nextval('shared') PRIMARY KEY);
    CREATE SEQUENCE down INCREMENT BY -1;
    CREATE TABLE descending (id int DEFAULT nextval('down') PRIMARY KEY);
    CREATE TABLE empty (id serial PRIMARY KEY);";

#[tokio::test]
async fn sequences_go_past_the_highest_number_and_a_rollback_takes_that_back() {
    let Some(database) = TestDatabase::postgres("numbering") else { return };
    database.run(NUMBERED);
    let before = sequences(&database);
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let rows =
        [("ident", vec![7]), ("small", vec![32_767]), ("one", vec![25]), ("two", vec![3]), ("descending", vec![-4, 9])];
    let expected = [
        ("ident", Some(8)),
        ("small", None),
        ("one", Some(31)),
        ("two", Some(31)),
        ("descending", Some(-5)),
        ("empty", Some(1)),
    ];
    for rehearsal in [true, false] {
        connection.begin(TransactionKind::Write).await.expect("a transaction");
        for (name, ids) in &rows {
            let ids: Vec<_> = ids.iter().map(|id| vec![Value::Int(*id)]).collect();
            connection.insert(&target(relation(&catalog, name), &["id"]), &ids).await.expect("rows");
        }
        for (name, next) in expected {
            let state = connection.advance_numbering(relation(&catalog, name), rehearsal).await.expect(name);
            assert_eq!(state, NumberingState { next }, "{name}");
            assert_eq!(connection.numbering(relation(&catalog, name)).await.expect(name), state);
        }
        if rehearsal {
            connection.rollback().await.expect("a rollback");
            assert_eq!(sequences(&database), before);
        } else {
            connection.commit().await.expect("a commit");
        }
    }
    database
        .run("INSERT INTO ident (v) VALUES (1); INSERT INTO two DEFAULT VALUES; INSERT INTO descending DEFAULT VALUES");
    assert_eq!(database.value("SELECT max(id) FROM two"), "31");
    // Never lowered: another table of a shared sequence, or a row that is gone.
    database.run("DELETE FROM two; DELETE FROM ident");
    for name in ["ident", "two"] {
        let state = connection.advance_numbering(relation(&catalog, name), false).await.expect(name);
        assert_eq!(state.next, if name == "two" { Some(41) } else { Some(9) });
    }
}

#[tokio::test]
async fn a_sequence_of_another_owner_is_set_for_good_or_in_a_rehearsal_not_at_all() {
    let Some(database) = TestDatabase::postgres("foreign_sequence") else { return };
    database.run(NUMBERED);
    let role = Role::new(&database);
    let name = &role.name;
    database.run(&format!("GRANT INSERT, SELECT ON one TO {name}; INSERT INTO one VALUES (25)"));
    let mut connection = open_url(&role.url(), Access::ReadWrite).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let one = relation(&catalog, "one");
    assert!(!one.owned);
    let missing = connection
        .missing_privileges(&Intent {
            read: &[],
            inserted: &[one, relation(&catalog, "small")],
            updated: &[one, relation(&catalog, "small")],
            deleted: &[one],
        })
        .await
        .expect("a query");
    assert_eq!(
        missing,
        [
            format!("no UPDATE on one for role {name}"),
            format!("no DELETE on one for role {name}"),
            format!("no INSERT on small for role {name}"),
            format!("no SELECT on small for role {name}"),
            format!("no UPDATE on small for role {name}"),
            format!("no UPDATE on sequence shared for role {name}"),
            format!("no SELECT on sequence shared for role {name}"),
            format!("no UPDATE on sequence small_id_seq for role {name}"),
            format!("no SELECT on sequence small_id_seq for role {name}"),
        ]
    );
    database.run(&format!("GRANT ALL ON SEQUENCE shared TO {name}"));
    let before = sequences(&database);
    let rehearsed = connection.advance_numbering(one, true).await.expect("what would be");
    assert_eq!((rehearsed.next, sequences(&database)), (Some(31), before));
    assert_eq!(connection.advance_numbering(one, false).await.expect("set"), rehearsed);
    assert_eq!(database.value("SELECT nextval('shared')"), "31");
}

#[tokio::test]
async fn numbers_that_a_rolled_back_insert_drew_are_given_back_when_nobody_else_is_at_work() {
    let Some(database) = TestDatabase::postgres("given_back") else { return };
    database.run(NUMBERED);
    let before = sequences(&database);
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let ident = relation(&catalog, "ident");
    let state = connection.numbering(ident).await.expect("a state");
    connection.begin(TransactionKind::Write).await.expect("a transaction");
    connection.insert(&target(ident, &["v"]), &[vec![Value::Int(1)], vec![Value::Int(2)]]).await.expect("rows");
    connection.rollback().await.expect("a rollback");
    assert_ne!(sequences(&database), before, "nextval is not undone");

    let mut other = open(&database).await;
    other.begin(TransactionKind::Write).await.expect("a transaction");
    other.insert(&target(ident, &["v"]), &[vec![Value::Int(3)]]).await.expect("a row");
    connection.restore_numbering(ident, &state).await.expect("left alone");
    other.commit().await.expect("a commit");
    connection.restore_numbering(ident, &state).await.expect("left alone");
    assert_eq!(database.value("SELECT id FROM ident"), "3");
    assert_eq!(connection.numbering(ident).await.expect("a state").next, Some(4));

    database.run("DELETE FROM ident");
    connection.restore_numbering(ident, &state).await.expect("put back");
    assert_eq!(sequences(&database), before);
}
