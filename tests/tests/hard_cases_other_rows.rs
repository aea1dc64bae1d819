//! Ways in which a restore could touch, take or refer to a row that is not meant, and does not.

use relink_e2e::{Export, Outcome, Restore, each, lines};
use relink_model::{Ids, Mode, OnDangling};
use relink_restore::code;
use relink_testkit::TestDatabase;

fn restore(database: &TestDatabase, export: &str, config: &str, mode: Mode, ids: Ids) -> Outcome {
    let set = move |options: &mut relink_restore::Options| (options.mode, options.ids) = (mode, ids);
    Restore::of(&Export::new(export)).config(config).options(set).into(database)
}

#[test]
fn values_that_swap_take_no_null_to_rows_that_follow_them() {
    for database in TestDatabase::each("swap_followed") {
        database.run(
            "CREATE TABLE items (id integer PRIMARY KEY, code varchar(20) UNIQUE);
             CREATE TABLE stock (id integer PRIMARY KEY, code varchar(20),
               FOREIGN KEY (code) REFERENCES items (code) ON UPDATE CASCADE);
             INSERT INTO items VALUES (1, 'A'), (2, 'B'); INSERT INTO stock VALUES (1, 'A'), (2, 'B');",
        );
        let export = r#"{"items": [{"id": 1, "code": "B"}, {"id": 2, "code": "A"}]}"#;
        let config = "[table.items]\nnatural_key = [\"id\"]\n";
        let outcome = restore(&database, export, config, Mode::Upsert, Ids::Keep);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report.findings);
        assert_eq!(lines(&database, "SELECT id, code FROM items ORDER BY id"), ["1|B", "2|A"], "{database:?}");
        assert_eq!(lines(&database, "SELECT count(*) FROM stock WHERE code IS NULL"), ["0"], "{database:?}");
    }
}

#[test]
fn ids_that_a_key_takes_from_another_table_are_ids_of_the_source_too() {
    let schema = "place(id pk, name varchar(20) unique)
        restaurant(place_id int -> place.id, stars int, pk(place_id))
        waiter(id pk, restaurant_id int -> restaurant.place_id, name varchar(20) unique)";
    for database in each("inherited_ids", schema) {
        database.run("INSERT INTO place (id, name) VALUES (5, 'theirs'); INSERT INTO restaurant VALUES (5, 1);");
        let export = r#"{"waiter": [{"id": 1, "restaurant_id": 5, "name": "w"}]}"#;
        for ids in [Ids::New, Ids::Remap] {
            let outcome = restore(&database, export, "", Mode::Insert, ids);
            assert_eq!(outcome.findings(code::EXTERNAL_REFERENCE).len(), 1, "{database:?}: {:#?}", outcome.report);
            assert!(!outcome.committed);
        }
    }
}

#[test]
fn half_a_reference_is_not_filled() {
    let schema = "stores(tenant int, code varchar(5), pk(tenant, code))
        orders(id pk, tenant int null, code varchar(5) null, note varchar(9) null, (tenant, code) -> stores(tenant, code))";
    for database in each("half_filled", schema) {
        database.run("INSERT INTO stores VALUES (1, 'x'), (2, 'x'); INSERT INTO orders (id, tenant) VALUES (1, 1);");
        let export = r#"{"orders": [{"id": 1, "tenant": 2, "code": "x", "note": "n"}]}"#;
        let outcome = restore(&database, export, "", Mode::Merge, Ids::Keep);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report.findings);
        let rows = lines(&database, "SELECT tenant, COALESCE(code, '-'), note FROM orders");
        assert_eq!(rows, ["1|-|n"], "{database:?}");
    }
}

#[test]
fn two_records_are_not_skipped_as_one_row() {
    let schema = "person(id pk, name varchar(20))\npet(id pk, person_id int -> person.id)";
    for database in each("skipped_as_one", schema) {
        database.run("INSERT INTO person (id, name) VALUES (7, 'Ann');");
        let export = r#"{"person": [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Ann"}],
            "pet": [{"id": 1, "person_id": 1}, {"id": 2, "person_id": 2}]}"#;
        let config = "[table.person]\nnatural_key = [\"name\"]\n";
        let outcome = restore(&database, export, config, Mode::Skip, Ids::Keep);
        assert!(!outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(outcome.findings(code::DUPLICATE_KEY).len(), 1, "{database:?}: {:#?}", outcome.report.findings);
    }
}

#[test]
fn rows_that_refer_by_configuration_alone_hold_off_a_replacement() {
    for database in each("virtual_outside", "u(id pk, name varchar(9))\nlog(id pk, u_id int)") {
        database.run(
            "INSERT INTO u (id, name) VALUES (1, 'a'), (2, 'b'); INSERT INTO log (id, u_id) VALUES (1, 1), (2, 2);",
        );
        let config = "[table.log]\nrefs = [\"u_id -> u.id\"]\n";
        let outcome = restore(&database, r#"{"u": [{"id": 1, "name": "other"}]}"#, config, Mode::Replace, Ids::Keep);
        assert_eq!(outcome.findings(code::REFERENCED_FROM_OUTSIDE).len(), 1, "{database:?}: {:#?}", outcome.report);
    }
}

#[test]
fn a_dangling_pair_takes_no_sound_reference_along() {
    let schema = "tenants(id pk)\nstores(tenant_id int, no int, pk(tenant_id, no))
        orders(id pk, tenant_id int null -> tenants.id, store_no int, (tenant_id, store_no) -> stores(tenant_id, no))";
    for database in each("dangling_pair", schema) {
        database.run("INSERT INTO tenants (id) VALUES (1); INSERT INTO stores VALUES (1, 7);");
        let export =
            r#"{"orders": [{"id": 1, "tenant_id": 1, "store_no": 7}, {"id": 2, "tenant_id": 1, "store_no": 8}]}"#;
        let outcome =
            Restore::of(&Export::new(export)).options(|options| options.on_dangling = OnDangling::Null).into(&database);
        assert!(!outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(outcome.findings(code::DANGLING_REFERENCE).len(), 1, "{database:?}");
    }
}

#[test]
fn new_ids_lie_past_the_exports_own_also_where_the_database_does_not_number() {
    for database in TestDatabase::each("unnumbered") {
        database.run(
            "CREATE TABLE c (id bigint PRIMARY KEY, t varchar(9) NOT NULL UNIQUE); INSERT INTO c VALUES (1, 'oc');",
        );
        let export = r#"{"c": [{"id": 1, "t": "c1"}, {"id": 2, "t": "c2"}]}"#;
        let outcome = restore(&database, export, "", Mode::Insert, Ids::Remap);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report.findings);
        assert_eq!(lines(&database, "SELECT id, t FROM c ORDER BY id"), ["1|oc", "2|c2", "3|c1"], "{database:?}");
    }
}

#[test]
fn rows_of_lists_are_known_again_whatever_else_is_unique_in_their_table() {
    let schema = "tag(id pk, name varchar(9) unique)\npost(id pk, title varchar(9) unique)
        post_tags(id pk, post_id int -> post.id, tag_id int -> tag.id, ext varchar(9) null unique)";
    for database in each("known_again", schema) {
        let export = r#"[{"model": "x.tag", "pk": 1, "fields": {"name": "a"}},
            {"model": "x.post", "pk": 1, "fields": {"title": "p", "tags": [1]}}]"#;
        let config = "[table.tag]\nmodels = [\"x.tag\"]\n[table.post]\nmodels = [\"x.post\"]\n";
        for _ in 0..3 {
            let outcome = restore(&database, export, config, Mode::Upsert, Ids::Keep);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.report.findings);
            assert_eq!(lines(&database, "SELECT count(*) FROM post_tags"), ["1"], "{database:?}");
        }
    }
}
