//! Exports by the schema of the database that they are meant for: its keys, its CHECKs, and what its types can hold.

use relink_testkit::TestDatabase;
use relink_validate::Status;

use crate::validated::{catalog_of, check, counts, keys, validate, validate_export};

#[tokio::test]
async fn a_key_to_a_relation_without_a_primary_key_is_a_schema_finding_and_the_rest_is_judged() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE p (x INTEGER, name TEXT); CREATE TABLE q (id INTEGER PRIMARY KEY);
         CREATE TABLE k (id INTEGER PRIMARY KEY, p_id INTEGER REFERENCES p, q_id INTEGER REFERENCES q, UNIQUE (p_id, q_id));
         INSERT INTO k VALUES (1, 1, 9);",
    );
    let catalog = catalog_of(&database).await;
    let keyless = catalog.relations.iter().find(|relation| relation.name.name == "k").expect("it is there");
    assert!(keyless.foreign_keys.iter().any(|key| key.referenced_columns.is_empty()), "{:?}", keyless.foreign_keys);
    let json = r#"{"p": [{"x": 1, "name": "a"}], "q": [], "k": [{"id": 1, "p_id": ["a"], "q_id": 9}]}"#;
    for report in [validate(&database, "").await, validate_export(json, catalog, "").await] {
        let found = check(&report, "schema:ref:k.p_id");
        assert_eq!(found.status, Status::Fail);
        assert!(found.message.contains("names no column of p, which has no primary key"), "{}", found.message);
        assert!(report.checks.iter().all(|check| check.id != "ref:k.p_id"), "it cannot be judged");
        assert_eq!(counts(&report, "ref:k.q_id"), (1, 1, 0));
        assert_eq!(keys(&report, "ref:k.q_id"), ["id=1"]);
    }
}
