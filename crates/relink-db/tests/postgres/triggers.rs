//! Triggers and rules: every state, partitions, other people's relations.

use super::*;

const STATES: &str = "SELECT string_agg(c.relname || ' ' || e.name || ' ' || e.state::text, ',' ORDER BY c.relname, e.name) FROM pg_class c JOIN
    (SELECT tgrelid, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal
     UNION ALL SELECT ev_class, rulename, ev_enabled FROM pg_rewrite WHERE rulename = 'also') AS e (relation, name, state) ON e.relation = c.oid";

const SCHEMA: &str = "CREATE SCHEMA \"o.dd\"; CREATE TABLE log (w text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (TG_NAME); RETURN NEW; END';
    CREATE TABLE \"o.dd\".t (id int);
    CREATE TRIGGER origin BEFORE INSERT ON \"o.dd\".t FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER \"al ways\" BEFORE INSERT ON \"o.dd\".t FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER replica BEFORE INSERT ON \"o.dd\".t FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER off BEFORE INSERT ON \"o.dd\".t FOR EACH STATEMENT EXECUTE FUNCTION note();
    CREATE RULE also AS ON INSERT TO \"o.dd\".t DO ALSO INSERT INTO log VALUES ('rule');
    ALTER TABLE \"o.dd\".t ENABLE ALWAYS TRIGGER \"al ways\"; ALTER TABLE \"o.dd\".t ENABLE REPLICA TRIGGER replica;
    ALTER TABLE \"o.dd\".t DISABLE TRIGGER off; ALTER TABLE \"o.dd\".t ENABLE ALWAYS RULE also;
    CREATE TABLE split (id int) PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF split FOR VALUES FROM (0) TO (10);
    CREATE TABLE high PARTITION OF split FOR VALUES FROM (10) TO (20);
    CREATE TRIGGER whole AFTER INSERT ON split FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER part AFTER INSERT ON low FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE high DISABLE TRIGGER whole; ALTER TABLE low ENABLE ALWAYS TRIGGER whole;
    CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE late (id int, p_id int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER late AFTER INSERT ON late FOR EACH ROW EXECUTE FUNCTION note();";

#[tokio::test]
async fn every_trigger_and_rule_gets_its_own_state_back() {
    let Some(database) = TestDatabase::postgres("states") else { return };
    database.run(SCHEMA);
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let relations = ["o.dd.t", "split", "late"].map(|name| {
        let found = catalog.relations.iter().find(|relation| relation.name.to_string().replace('"', "") == name);
        found.unwrap_or_else(|| panic!("no relation {name}"))
    });
    let one = [vec![Value::Int(1)]];
    let before = database.value(STATES);
    assert!(before.contains("t al ways A") && before.contains("t off D") && before.contains("low whole A"), "{before}");
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.disable_triggers(&relations).await.expect("the role owns them");
    for relation in relations {
        // COPY refuses the rule no more.
        connection.insert_bulk(&target(relation, &["id"]), &one).await.expect("copies");
    }
    let logged = "SELECT count(*) FROM log";
    assert_eq!(connection.query(logged, &[]).await.expect("a query"), [[Value::Int(0)]]);
    connection.enable_triggers().await.expect("enables");
    for relation in relations {
        connection.insert(&target(relation, &["id"]), &one).await.expect("inserts");
    }
    // origin, always and the rule; whole and part; late.
    assert_eq!(connection.query(logged, &[]).await.expect("a query"), [[Value::Int(6)]]);
    connection.commit().await.expect("commits");
    assert_eq!(database.value(STATES), before);
}

#[tokio::test]
async fn deferred_events_fire_before_triggers_come_back_and_keep_them_from_going() {
    let Some(database) = TestDatabase::postgres("events") else { return };
    database.run(SCHEMA);
    let mut connection = open(&database).await;
    let catalog = connection.introspect().await.expect("the catalog can be read");
    let late = relation(&catalog, "late");
    let before = database.value(STATES);
    let orphan = [vec![Value::Int(1), Value::Int(5)]];
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.disable_triggers(&[late]).await.expect("disables");
    connection.savepoint("s").await.expect("sets");
    connection.insert(&target(late, &["id", "p_id"]), &orphan).await.expect("the reference waits");
    let broken = connection.enable_triggers().await.expect_err("there is no p 5");
    assert_eq!(broken.kind, DbErrorKind::ForeignKeyViolation);
    connection.rollback_to("s").await.expect("rolls back");
    connection.insert(&target(late, &["id", "p_id"]), &orphan).await.expect("the reference waits");
    connection.insert(&target(relation(&catalog, "p"), &["id"]), &[vec![Value::Int(5)]]).await.expect("inserts");
    connection.commit().await.expect("the commit settles all of it");
    assert_eq!(database.value(STATES), before);
    connection.begin(TransactionKind::Write).await.expect("begins");
    connection.insert(&target(late, &["id", "p_id"]), &[vec![Value::Int(2), Value::Int(6)]]).await.expect("waits");
    connection.savepoint("s").await.expect("sets");
    assert!(connection.disable_triggers(&[late]).await.is_err(), "an event waits on the relation");
    connection.rollback_to("s").await.expect("rolls back");
    connection.rollback().await.expect("rolls back");
}

#[tokio::test]
async fn triggers_of_others_stay() {
    let Some(database) = TestDatabase::postgres("others") else { return };
    database.run(SCHEMA);
    let role = Role::new(&database);
    database.run(&format!("GRANT ALL ON late, p, log TO {}", role.name));
    let mut guest = open_url(&role.url(), Access::ReadWrite).await;
    let catalog = guest.introspect().await.expect("the catalog can be read");
    guest.begin(TransactionKind::Write).await.expect("begins");
    guest.disable_triggers(&[relation(&catalog, "p"), relation(&catalog, "log")]).await.expect("they have none");
    let refused = guest.disable_triggers(&[relation(&catalog, "late")]).await.expect_err("it is not the role's");
    assert_eq!((refused.kind, refused.relation.as_deref()), (DbErrorKind::PermissionDenied, Some("late")));
    guest.insert(&target(relation(&catalog, "p"), &["id"]), &[vec![Value::Int(1)]]).await.expect("nothing failed yet");
    guest.rollback().await.expect("rolls back");
    guest.close().await.expect("closes");
}
