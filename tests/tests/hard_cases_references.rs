//! Hard cases of references and cycles: what refers to what, in which order it is loaded, and how a cycle is broken.

use relink_e2e::{Contents, Export, Outcome, Restore, Role, each, lines, refused, restored};
use relink_restore::{Mode, Status, code};
use relink_testkit::{TestDatabase, schema};

/// Counts the UPDATEs of a table with a trigger: one row of `updates_seen` for each row updated.
fn count_updates(database: &TestDatabase, table: &str) {
    let insert = "INSERT INTO updates_seen (id) VALUES (new.id)";
    database.run("CREATE TABLE updates_seen (id integer NOT NULL);");
    database.run(&match database.dialect() {
        "sqlite" => format!("CREATE TRIGGER seen_{table} AFTER UPDATE ON {table} BEGIN {insert}; END;"),
        "postgres" => format!(
            "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN {insert}; RETURN NULL; END $$;
             CREATE TRIGGER seen_{table} AFTER UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION seen();"
        ),
        _ => format!("CREATE TRIGGER seen_{table} AFTER UPDATE ON {table} FOR EACH ROW {insert};"),
    });
}

/// The plan, in words.
fn plan(outcome: &Outcome) -> String {
    serde_json::to_string_pretty(&outcome.report.plan).expect("plans serialize")
}

const NODES: &str = "nodes(id pk, parent_id null -> nodes.id, name text)";

#[test]
fn a_child_before_its_parent_in_one_table_needs_no_update() {
    for database in each("child_before_parent", NODES) {
        count_updates(&database, "nodes");
        let outcome = restored(
            &database,
            r#"{"nodes": [
                {"id": 4, "parent_id": 3, "name": "leaf"},
                {"id": 3, "parent_id": 2, "name": "branch"},
                {"id": 2, "parent_id": 1, "name": "bough"},
                {"id": 1, "parent_id": null, "name": "root"}
            ]}"#,
            "",
        );
        assert_eq!(lines(&database, "SELECT id, parent_id FROM nodes ORDER BY id"), ["1|NULL", "2|1", "3|2", "4|3"]);
        assert_eq!(outcome.patched("nodes"), 0, "{database:?}");
        assert_eq!(lines(&database, "SELECT id FROM updates_seen"), Vec::<String>::new(), "{database:?}");
        assert_eq!(outcome.ways(), ["row order"], "{database:?}");
    }
}

#[test]
fn a_chain_of_rows_longer_than_any_batch_loads_against_its_order() {
    const ROWS: u32 = 9_000;
    let rows: Vec<String> = (1..=ROWS)
        .rev()
        .map(|id| match id {
            1 => r#"{"id": 1, "parent_id": null, "name": "root"}"#.to_owned(),
            _ => format!(r#"{{"id": {id}, "parent_id": {}, "name": "n{id}"}}"#, id - 1),
        })
        .collect();
    for database in each("long_chain", "nodes(id pk, parent_id int null -> nodes.id, name text)") {
        let outcome = restored(&database, &format!(r#"{{"nodes": [{}]}}"#, rows.join(",\n")), "");
        assert_eq!(outcome.counts("nodes").inserted, u64::from(ROWS));
        let linked = "SELECT count(*) FROM nodes WHERE parent_id = id - 1 OR id = 1 AND parent_id IS NULL";
        assert_eq!(database.value(linked), ROWS.to_string(), "{database:?}");
    }
}

#[test]
fn a_row_that_references_itself_takes_one_insert() {
    for database in each("references_itself", "nodes(id pk, parent_id -> nodes.id, name text)") {
        count_updates(&database, "nodes");
        let outcome = restored(
            &database,
            r#"{"nodes": [{"id": 8, "parent_id": 7, "name": "b"}, {"id": 7, "parent_id": 7, "name": "a"}]}"#,
            "",
        );
        assert_eq!(lines(&database, "SELECT id, parent_id FROM nodes ORDER BY id"), ["7|7", "8|7"]);
        assert_eq!(outcome.patched("nodes"), 0, "{database:?}");
        assert_eq!(lines(&database, "SELECT id FROM updates_seen"), Vec::<String>::new(), "{database:?}");
    }
}

#[test]
fn two_references_of_a_table_to_itself_are_both_kept() {
    for database in each("two_self_references", "posts(id pk, parent_id null -> posts.id, root_id -> posts.id)") {
        restored(
            &database,
            r#"{"posts": [
                {"id": 3, "parent_id": 2, "root_id": 1},
                {"id": 5, "parent_id": null, "root_id": 5},
                {"id": 2, "parent_id": 1, "root_id": 1},
                {"id": 4, "parent_id": 3, "root_id": 1},
                {"id": 1, "parent_id": null, "root_id": 1}
            ]}"#,
            "",
        );
        let rows = lines(&database, "SELECT id, parent_id, root_id FROM posts ORDER BY id");
        assert_eq!(rows, ["1|NULL|1", "2|1|1", "3|2|1", "4|3|1", "5|NULL|5"], "{database:?}");
    }
}

const DOCUMENTS: &str = "documents(id pk, current_id int null -> versions.id, title text)
                         versions(id pk, document_id -> documents.id, body text)";

/// Two of three documents have a current version, which belongs to the document itself: a circle of rows.
const DOCUMENT_ROWS: &str = r#"{
    "documents": [
        {"id": 1, "current_id": 11, "title": "a"},
        {"id": 2, "current_id": null, "title": "b"},
        {"id": 3, "current_id": 13, "title": "c"}
    ],
    "versions": [
        {"id": 13, "document_id": 3, "body": "c1"},
        {"id": 10, "document_id": 1, "body": "a1"},
        {"id": 11, "document_id": 1, "body": "a2"}
    ]
}"#;

fn assert_documents(database: &TestDatabase) {
    let documents = lines(database, "SELECT id, current_id FROM documents ORDER BY id");
    assert_eq!(documents, ["1|11", "2|NULL", "3|13"], "{database:?}");
    let versions = lines(database, "SELECT id, document_id FROM versions ORDER BY id");
    assert_eq!(versions, ["10|1", "11|1", "13|3"], "{database:?}");
}

#[test]
fn a_circle_of_rows_through_a_nullable_column_takes_at_most_one_update_a_row() {
    for database in each("nullable_cycle", DOCUMENTS) {
        count_updates(&database, "documents");
        let outcome = restored(&database, DOCUMENT_ROWS, "");
        assert_documents(&database);
        let updated = lines(&database, "SELECT id FROM updates_seen ORDER BY id");
        assert_eq!(updated.len() as u64, outcome.patched("documents"), "{database:?}");
        if database.dialect() == "mysql" {
            assert_eq!(updated, ["1", "3"], "only where there is a reference to set");
            assert_eq!(outcome.ways(), ["NULL, then UPDATE"]);
        }
    }
}

#[test]
fn a_role_that_owns_nothing_breaks_a_nullable_cycle_by_null_and_update() {
    let Some(database) = TestDatabase::postgres("nullable_cycle_no_owner") else { return };
    database.run(&schema(DOCUMENTS).ddl("postgres"));
    count_updates(&database, "documents");
    let role = Role::new(&database);
    role.grant("SELECT, INSERT, UPDATE", &["documents", "versions", "updates_seen"]);
    let export = Export::new(DOCUMENT_ROWS);
    let outcome = Restore::of(&export).url(role.url()).into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report);
    assert_documents(&database);
    assert_eq!(outcome.ways(), ["NULL, then UPDATE"]);
    assert_eq!((outcome.patched("documents"), outcome.patched("versions")), (2, 0));
    assert_eq!(lines(&database, "SELECT id FROM updates_seen ORDER BY id"), ["1", "3"]);
}

const MARRIED: &str = "husbands(id pk, wife_id int -> wives.id MODE)\nwives(id pk, husband_id int -> husbands.id MODE)";
const COUPLES: &str = r#"{
    "husbands": [{"id": 1, "wife_id": 21}, {"id": 2, "wife_id": 22}],
    "wives": [{"id": 22, "husband_id": 2}, {"id": 21, "husband_id": 1}]
}"#;

fn assert_couples(database: &TestDatabase) {
    assert_eq!(lines(database, "SELECT id, wife_id FROM husbands ORDER BY id"), ["1|21", "2|22"], "{database:?}");
    assert_eq!(lines(database, "SELECT id, husband_id FROM wives ORDER BY id"), ["21|1", "22|2"], "{database:?}");
}

#[test]
fn a_cycle_that_takes_no_null_loads_deferred_or_with_enforcement_off_and_enforced_after() {
    for mode in ["deferrable", "deferred", ""] {
        for database in each("not_null_cycle", &MARRIED.replace("MODE", mode)) {
            let before = Contents::of(&database);
            let outcome = restored(&database, COUPLES, "");
            assert_couples(&database);
            let way = if database.dialect() == "mysql" { "enforcement off" } else { "deferral" };
            assert_eq!(outcome.ways(), [way], "{database:?} {mode}");
            assert_eq!((outcome.patched("husbands"), outcome.patched("wives")), (0, 0));
            // What was made to stand back stands as before: a dangling row is refused, the constraints are the same.
            let enforced = "INSERT INTO husbands (id, wife_id) VALUES (3, 99);";
            let foreign_keys_on = if database.dialect() == "sqlite" { "PRAGMA foreign_keys = ON;" } else { "" };
            assert!(database.try_run(&format!("{foreign_keys_on} {enforced}")).is_err(), "{database:?} {mode}");
            assert_eq!(Contents::of(&database).constraints(), before.constraints(), "{database:?} {mode}");
        }
    }
}

#[test]
fn a_cycle_that_nothing_breaks_is_refused_with_its_keys_and_a_remedy() {
    let Some(database) = TestDatabase::postgres("unbreakable_cycle") else { return };
    database.run(&schema(&MARRIED.replace("MODE", "")).ddl("postgres"));
    let role = Role::new(&database);
    role.grant("SELECT, INSERT, UPDATE", &["husbands", "wives"]);
    let before = Contents::of(&database);
    let export = Export::new(COUPLES);
    let outcome = Restore::of(&export).url(role.url()).into(&database);
    assert_eq!(outcome.report.status, Status::Refused);
    let finding = outcome.only(code::UNBREAKABLE_CYCLE);
    for named in ["husbands", "wives", "husbands.wife_id", "wives.husband_id"] {
        assert!(finding.message.contains(named), "{named}: {finding:#?}");
    }
    assert!(finding.help.as_deref().is_some_and(|help| help.contains("owner")), "{finding:#?}");
    before.assert_unchanged(&database);
}

#[test]
fn rows_without_a_circle_need_no_way_around_the_cycle_of_their_tables() {
    let Some(database) = TestDatabase::postgres("acyclic_rows") else { return };
    // Not even for a role that could not break it.
    database.run(&schema("heads(id pk, hat_id int -> hats.id)\nhats(id pk, head_id int -> heads.id)").ddl("postgres"));
    database.run(
        "ALTER TABLE hats ALTER head_id DROP NOT NULL; ALTER TABLE hats ADD CHECK (head_id IS NULL OR head_id > 0);",
    );
    let role = Role::new(&database);
    role.grant("SELECT, INSERT, UPDATE", &["heads", "hats"]);
    let export = Export::new(
        r#"{"heads": [{"id": 2, "hat_id": 2}, {"id": 1, "hat_id": 1}],
            "hats": [{"id": 2, "head_id": 1}, {"id": 1, "head_id": null}]}"#,
    );
    let outcome = Restore::of(&export).url(role.url()).into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report);
    assert_eq!(outcome.ways(), ["row order"]);
    assert_eq!(lines(&database, "SELECT id, head_id FROM hats ORDER BY id"), ["1|NULL", "2|1"]);
}

#[test]
fn cycles_that_share_tables_load_and_always_by_the_same_plan() {
    // A -> B -> C -> A and B -> C -> E -> B.
    let text = "a(id pk, b_id int null -> b.id)\nb(id pk, c_id int null -> c.id)
                c(id pk, a_id int null -> a.id, e_id int null -> e.id)\ne(id pk, b_id int null -> b.id)";
    let one = r#"{"a": [{"id": 1, "b_id": 1}, {"id": 2, "b_id": 1}], "b": [{"id": 1, "c_id": 1}, {"id": 2, "c_id": null}],
                  "c": [{"id": 1, "a_id": 1, "e_id": 1}, {"id": 2, "a_id": 2, "e_id": null}], "e": [{"id": 1, "b_id": 1}]}"#;
    let other = r#"{"e": [{"id": 1, "b_id": 1}], "c": [{"id": 2, "a_id": 2, "e_id": null}, {"id": 1, "a_id": 1, "e_id": 1}],
                    "b": [{"id": 2, "c_id": null}, {"id": 1, "c_id": 1}], "a": [{"id": 2, "b_id": 1}, {"id": 1, "b_id": 1}]}"#;
    for (first, second) in each("shared_cycles", text).into_iter().zip(each("shared_cycles", text)) {
        let plans = [(&first, one), (&second, other)].map(|(database, export)| {
            let outcome = restored(database, export, "");
            assert_eq!(lines(database, "SELECT id, b_id FROM a ORDER BY id"), ["1|1", "2|1"], "{database:?}");
            assert_eq!(lines(database, "SELECT id, c_id FROM b ORDER BY id"), ["1|1", "2|NULL"], "{database:?}");
            assert_eq!(
                lines(database, "SELECT id, a_id, e_id FROM c ORDER BY id"),
                ["1|1|1", "2|2|NULL"],
                "{database:?}"
            );
            assert_eq!(lines(database, "SELECT id, b_id FROM e ORDER BY id"), ["1|1"], "{database:?}");
            plan(&outcome)
        });
        assert_eq!(plans[0], plans[1], "{first:?}");
    }
}

#[test]
fn a_cycle_with_a_reference_that_leaves_it_comes_to_an_end() {
    let text = "one(id pk, two_id int null -> two.id)\ntwo(id pk, one_id int null -> one.id, three_id int -> three.id)\nthree(id pk)";
    for database in each("cycle_and_exit", text) {
        restored(
            &database,
            r#"{"two": [{"id": 1, "one_id": 1, "three_id": 9}], "one": [{"id": 1, "two_id": 1}], "three": [{"id": 9}]}"#,
            "",
        );
        assert_eq!(lines(&database, "SELECT id, one_id, three_id FROM two"), ["1|1|9"], "{database:?}");
    }
}

#[test]
fn a_reference_to_a_unique_column_or_pair_goes_by_those_columns_and_not_by_the_primary_key() {
    let text = "stores(id pk, code text unique, tenant int, no int, unique(tenant, no))
                sales(id pk, store_code text -> stores.code, tenant int, no int, (no, tenant) -> stores(no, tenant))";
    for database in TestDatabase::each("unique_target") {
        // InnoDB wants an index that begins with the referenced columns in the key's own order.
        let text =
            if database.dialect() == "mysql" { text.replace("(no, tenant)", "(tenant, no)") } else { text.to_owned() };
        database.run(&schema(&text).ddl(database.dialect()));
        // Were the primary key looked at, 1 and 2 would both be found, and be the wrong rows.
        restored(
            &database,
            r#"{"sales": [{"id": 1, "store_code": "2", "tenant": 2, "no": 1}, {"id": 2, "store_code": "1", "tenant": 1, "no": 2}],
                "stores": [{"id": 1, "code": "2", "tenant": 1, "no": 2}, {"id": 2, "code": "1", "tenant": 2, "no": 1}]}"#,
            "",
        );
        assert_eq!(
            lines(&database, "SELECT id, store_code, tenant, no FROM sales ORDER BY id"),
            ["1|2|2|1", "2|1|1|2"]
        );
        let outcome = refused(&database, r#"{"sales": [{"id": 3, "store_code": "1", "tenant": 1, "no": 1}]}"#, "");
        outcome.only(code::DANGLING_REFERENCE);
    }
}

const REGIONS: &str = "regions(country text, no int, name text, pk(country, no))
                       offices(id pk, country text null, no int null, (country, no) -> regions(country, no) MATCH)";

#[test]
fn a_composite_reference_with_a_null_part_is_none_under_match_simple() {
    for database in each("match_simple", &REGIONS.replace("MATCH", "")) {
        restored(
            &database,
            r#"{"offices": [{"id": 1, "country": "FR", "no": null}, {"id": 2, "country": null, "no": 77}, {"id": 3, "country": "FR", "no": 1}],
                "regions": [{"country": "FR", "no": 1, "name": "x"}]}"#,
            "",
        );
        let offices = lines(&database, "SELECT id, country, no FROM offices ORDER BY id");
        assert_eq!(offices, ["1|FR|NULL", "2|NULL|77", "3|FR|1"], "{database:?}");
        let outcome = refused(&database, r#"{"offices": [{"id": 4, "country": "FR", "no": 2}]}"#, "");
        outcome.only(code::DANGLING_REFERENCE);
    }
}

#[test]
fn a_composite_reference_with_a_null_part_leads_nowhere_under_match_full() {
    // SQLite reads MATCH FULL and enforces MATCH SIMPLE, MySQL knows no other.
    let Some(database) = TestDatabase::postgres("match_full") else { return };
    database.run(&schema(&REGIONS.replace("MATCH", "match full")).ddl("postgres"));
    let rows = |country: &str| {
        format!(
            r#"{{"regions": [{{"country": "FR", "no": 1, "name": "x"}}], "offices": [
{{"id": 1, "country": null, "no": null}},
{{"id": 2, "country": {country}, "no": 1}}]}}"#
        )
    };
    let outcome = refused(&database, &rows("null"), "");
    let finding = outcome.only(code::DANGLING_REFERENCE);
    assert_eq!(finding.place.as_ref().map(|place| place.line), Some(3));
    restored(&database, &rows("\"FR\""), "");
    assert_eq!(lines(&database, "SELECT id, country, no FROM offices ORDER BY id"), ["1|NULL|NULL", "2|FR|1"]);
}

#[test]
fn a_null_in_a_column_that_takes_none_is_reported_as_that_and_not_as_a_reference() {
    let text = "regions(country text, no int, pk(country, no))\noffices(id pk, country text, no int, (country, no) -> regions(country, no))";
    for database in each("null_part_not_null", text) {
        let outcome = refused(
            &database,
            r#"{"regions": [{"country": "FR", "no": 1}], "offices": [{"id": 1, "country": null, "no": 1}]}"#,
            "",
        );
        let finding = outcome.only(code::MISSING_VALUE);
        assert_eq!(finding.field.as_deref(), Some("country"), "{database:?}");
    }
}

#[test]
fn a_key_that_was_never_validated_stays_so_and_the_old_orphans_are_listed() {
    let Some(database) = TestDatabase::postgres("not_valid") else { return };
    database.run(
        "CREATE TABLE parents (id integer PRIMARY KEY);
         CREATE TABLE children (id integer PRIMARY KEY, parent_id integer);
         INSERT INTO children VALUES (1, 404);
         ALTER TABLE children ADD CONSTRAINT children_parent FOREIGN KEY (parent_id) REFERENCES parents NOT VALID;",
    );
    let export = Export::new(r#"{"children": [{"id": 2, "parent_id": 1}], "parents": [{"id": 1}]}"#);
    let before = Contents::of(&database);
    let outcome = Restore::of(&export).into(&database);
    assert!(!outcome.committed, "a table with orphans is not handed over as sound");
    let failed: Vec<_> =
        outcome.validation.iter().flat_map(|report| &report.checks).filter(|check| check.counts.failed > 0).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    before.assert_unchanged(&database);
    database.run("DELETE FROM children;");
    assert!(Restore::of(&export).into(&database).committed);
    assert_eq!(
        database.value("SELECT convalidated::text FROM pg_constraint WHERE conname = 'children_parent'"),
        "false"
    );
    refused(&database, r#"{"children": [{"id": 3, "parent_id": 2}]}"#, "").only(code::DANGLING_REFERENCE);
}

#[test]
fn a_reference_that_nobody_declared_counts_only_where_it_is_configured() {
    let text = "users(id pk, name text)\nlogs(id pk, user_id int -> users.id virtual)";
    let dangling =
        r#"{"logs": [{"id": 1, "user_id": 404}, {"id": 2, "user_id": 1}], "users": [{"id": 1, "name": "a"}]}"#;
    let config = "[table.logs]\nrefs = [\"user_id -> users.id\"]";
    for (plain, configured) in each("virtual", text).into_iter().zip(each("virtual", text)) {
        restored(&plain, dangling, "");
        let outcome = refused(&configured, dangling, config);
        assert!(outcome.only(code::DANGLING_REFERENCE).message.contains("404"), "{configured:?}");
        let outcome = restored(&configured, &dangling.replace("404", "1"), config);
        assert_eq!(outcome.report.plan.steps[0].relations[0].to_string(), "users", "{configured:?}");
    }
}

#[test]
fn a_child_that_shares_its_parents_key_is_loaded_after_it() {
    let text = "shop_place(id pk, name text)
                shop_restaurant(place_ptr_id pk -> shop_place.id, stars int)
                shop_diner(restaurant_ptr_id pk -> shop_restaurant.place_ptr_id, open bool)";
    for database in each("inheritance", text) {
        restored(
            &database,
            r#"[{"model": "shop.diner", "pk": 5, "fields": {"open": true}},
                {"model": "shop.restaurant", "pk": 3, "fields": {"stars": 2}},
                {"model": "shop.restaurant", "pk": 5, "fields": {"stars": 1}},
                {"model": "shop.place", "pk": 5, "fields": {"name": "c"}},
                {"model": "shop.place", "pk": 3, "fields": {"name": "b"}},
                {"model": "shop.place", "pk": 1, "fields": {"name": "a"}}]"#,
            "",
        );
        let joined = "SELECT p.id, p.name, r.stars, d.restaurant_ptr_id FROM shop_place p LEFT JOIN shop_restaurant r ON r.place_ptr_id = p.id
                      LEFT JOIN shop_diner d ON d.restaurant_ptr_id = r.place_ptr_id ORDER BY p.id";
        assert_eq!(lines(&database, joined), ["1|a|NULL|NULL", "3|b|2|NULL", "5|c|1|5"], "{database:?}");
    }
}

#[test]
fn every_dangling_reference_is_reported_in_one_run_each_with_its_place() {
    let text =
        "parents(id pk)\nchildren(id pk, parent_id int -> parents.id)\ntoys(id pk, child_id int null -> children.id)";
    for database in each("all_dangling", text) {
        let outcome = refused(
            &database,
            r#"{"toys": [
{"id": 1, "child_id": 8},
{"id": 2, "child_id": 1}],
"children": [
{"id": 1, "parent_id": 1},
{"id": 2, "parent_id": 7},
{"id": 3, "parent_id": 9}],
"parents": [{"id": 1}]}"#,
            "",
        );
        let found = outcome.findings(code::DANGLING_REFERENCE);
        let mut places: Vec<_> =
            found.iter().map(|found| found.place.as_ref().map(|place| (place.line, place.pointer.clone()))).collect();
        places.sort();
        let expected = [(2, "/toys/0/child_id"), (6, "/children/1/parent_id"), (7, "/children/2/parent_id")];
        assert_eq!(places, expected.map(|(line, pointer)| Some((line, pointer.to_owned()))), "{database:?}");
        assert!(found.iter().all(|found| found.constraint.is_some() && found.help.is_some()), "{found:#?}");
    }
}

#[test]
fn a_reference_to_what_is_left_out_must_find_its_row_in_the_target() {
    let text = "parents(id pk)\nchildren(id pk, parent_id int -> parents.id)";
    let export = r#"{"parents": [{"id": 1}, {"id": 2}], "children": [{"id": 1, "parent_id": 2}]}"#;
    for database in each("left_out", text) {
        let config = "ignore_models = [\"parents\"]";
        refused(&database, export, config).only(code::DANGLING_REFERENCE);
        database.run("INSERT INTO parents (id) VALUES (2);");
        let outcome = restored(&database, export, config);
        assert_eq!(outcome.report.ignored[0].records, 2);
        assert_eq!(lines(&database, "SELECT id FROM parents"), ["2"]);
    }
}

#[test]
fn a_column_that_is_referencing_and_feeds_a_computed_one_is_written_as_ever() {
    for database in TestDatabase::each("feeds_computed") {
        let stored = if database.dialect() == "mysql" { "PERSISTENT" } else { "STORED" };
        database.run(&format!(
            "CREATE TABLE parents (id integer NOT NULL PRIMARY KEY);
             CREATE TABLE children (id integer NOT NULL PRIMARY KEY, parent_id integer NOT NULL,
                 doubled integer GENERATED ALWAYS AS (parent_id * 2) {stored}, FOREIGN KEY (parent_id) REFERENCES parents (id));"
        ));
        restored(&database, r#"{"children": [{"id": 1, "parent_id": 4, "doubled": 8}], "parents": [{"id": 4}]}"#, "");
        assert_eq!(lines(&database, "SELECT id, parent_id, doubled FROM children"), ["1|4|8"], "{database:?}");
    }
}

#[test]
fn references_cross_namespaces() {
    let Some(database) = TestDatabase::postgres("namespaces") else { return };
    database.run(
        "CREATE SCHEMA core; CREATE TABLE core.parents (id integer PRIMARY KEY);
         CREATE TABLE parents (id integer PRIMARY KEY);
         CREATE TABLE children (id integer PRIMARY KEY, parent_id integer NOT NULL REFERENCES core.parents);",
    );
    let export = r#"{"children": [{"id": 1, "parent_id": 2}], "core.parents": [{"id": 2}], "parents": [{"id": 1}]}"#;
    restored(&database, export, "");
    assert_eq!(lines(&database, "SELECT parent_id FROM children"), ["2"]);
    refused(&database, r#"{"children": [{"id": 2, "parent_id": 1}]}"#, "").only(code::DANGLING_REFERENCE);
}

#[test]
fn a_cycle_into_rows_that_exist_is_none() {
    for database in each("existing_rows", &MARRIED.replace("MODE", "")) {
        restored(&database, COUPLES, "");
        let export = Export::new(COUPLES);
        let before = Contents::of(&database);
        let outcome = Restore::of(&export).mode(Mode::Skip).into(&database);
        assert!(outcome.committed, "{:#?}", outcome.report);
        assert_eq!((outcome.report.totals.skipped, outcome.report.totals.read), (4, 4));
        assert_eq!(outcome.ways(), Vec::<String>::new(), "{database:?}");
        before.assert_unchanged(&database);
    }
}
