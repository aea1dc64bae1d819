//! Hard cases of identity: primary keys, numbering, computed columns, many-to-many rows, and what counts as the same row.

use relink_e2e::{Contents, Export, Restore, each, lines, refused, restored};
use relink_restore::{Mode, code};
use relink_testkit::{TestDatabase, schema};

#[test]
fn uuids_are_keys_and_are_one_key_however_they_are_written() {
    for database in each("uuids", "parents(id uuid pk, name text)\nchildren(id uuid pk, parent_id -> parents.id)") {
        restored(
            &database,
            r#"{"children": [{"id": "9f8b8e6c-0000-4000-8000-000000000002", "parent_id": "9f8b8e6c-0000-4000-8000-000000000001"}],
                "parents": [{"id": "9f8b8e6c-0000-4000-8000-000000000001", "name": "a"}]}"#,
            "",
        );
        let joined = "SELECT c.id, p.id FROM children c JOIN parents p ON p.id = c.parent_id";
        let expected = "9f8b8e6c-0000-4000-8000-000000000002|9f8b8e6c-0000-4000-8000-000000000001";
        assert_eq!(lines(&database, joined), [expected], "{database:?}");
        let twice = r#"{"parents": [{"id": "9f8b8e6c-0000-4000-8000-000000000001", "name": "b"}]}"#;
        refused(&database, twice, "").only(code::EXISTING_ROW);
        if database.dialect() == "postgres" {
            let written = r#"{"children": [{"id": "9F8B8E6C000040008000000000000003", "parent_id": "9F8B8E6C-0000-4000-8000-000000000001"}]}"#;
            restored(&database, written, "");
            assert_eq!(database.value("SELECT count(*) FROM children"), "2");
        }
    }
}

#[test]
fn zero_and_negative_ids_stay_what_they_are() {
    for database in each("zero", "items(id pk, parent_id int null -> items.id, name text)") {
        let outcome = restored(
            &database,
            r#"{"items": [{"id": 1, "parent_id": 0, "name": "one"}, {"id": 0, "parent_id": -5, "name": "zero"}, {"id": -5, "parent_id": null, "name": "minus"}]}"#,
            "",
        );
        assert_eq!(
            lines(&database, "SELECT id, parent_id, name FROM items ORDER BY id"),
            ["-5|NULL|minus", "0|-5|zero", "1|0|one"]
        );
        database.run("INSERT INTO items (name) VALUES ('next');");
        assert_eq!(database.value("SELECT id FROM items WHERE name = 'next'"), "2", "{database:?}");
        assert_eq!(outcome.report.relations[0].relation.to_string(), "items");
    }
}

#[test]
fn ids_past_what_floating_point_tells_apart_are_exact() {
    for database in each("big_ids", "items(id bigint pk, twin_id bigint null -> items.id)") {
        restored(
            &database,
            r#"{"items": [{"id": 2033735037361704962, "twin_id": 2033735037361704963}, {"id": 2033735037361704963, "twin_id": "2033735037361704962"},
                          {"id": 9223372036854775806, "twin_id": null}]}"#,
            "",
        );
        assert_eq!(
            lines(&database, "SELECT id, twin_id FROM items ORDER BY id"),
            [
                "2033735037361704962|2033735037361704963",
                "2033735037361704963|2033735037361704962",
                "9223372036854775806|NULL"
            ],
            "{database:?}"
        );
    }
}

#[test]
fn a_key_that_is_text_keeps_its_zeros_and_its_case() {
    for database in each("text_ids", "codes(id text pk, name text)\nuses(id pk, code_id -> codes.id)") {
        restored(
            &database,
            r#"{"codes": [{"id": "007", "name": "a"}, {"id": "7", "name": "b"}, {"id": " 7", "name": "c"}], "uses": [{"id": 1, "code_id": "007"}, {"id": 2, "code_id": "7"}]}"#,
            "",
        );
        assert_eq!(
            lines(&database, "SELECT id, name FROM codes ORDER BY name"),
            ["007|a", "7|b", " 7|c"],
            "{database:?}"
        );
        assert_eq!(lines(&database, "SELECT id, code_id FROM uses ORDER BY id"), ["1|007", "2|7"], "{database:?}");
    }
}

#[test]
fn an_identity_that_the_database_always_numbers_takes_the_exports_numbers_and_goes_on_past_them() {
    let Some(database) = TestDatabase::postgres("identity_always") else { return };
    database.run(
        "CREATE TABLE items (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, partner_id integer REFERENCES items, name text NOT NULL);
         CREATE TABLE partners (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id integer NOT NULL REFERENCES items);
         ALTER TABLE items ADD partner integer REFERENCES partners;",
    );
    let outcome = restored(
        &database,
        r#"{"items": [{"id": 41, "name": "a", "partner": 3}, {"id": 40, "name": "b", "partner": null}], "partners": [{"id": 3, "item_id": 41}]}"#,
        "",
    );
    assert_eq!(outcome.ways().len(), 1);
    database.run("INSERT INTO items (name) VALUES ('next');");
    assert_eq!(
        lines(&database, "SELECT id, name, partner FROM items ORDER BY id"),
        ["40|b|NULL", "41|a|3", "42|next|NULL"]
    );
}

#[test]
fn a_reference_of_an_always_numbered_row_is_patched_without_touching_its_number() {
    let Some(database) = TestDatabase::postgres("identity_patched") else { return };
    database.run(
        "CREATE TABLE items (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, partner integer);
         CREATE TABLE partners (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id integer NOT NULL REFERENCES items);
         ALTER TABLE items ADD FOREIGN KEY (partner) REFERENCES partners;",
    );
    let role = relink_e2e::Role::new(&database);
    role.grant("ALL", &["items", "partners"]);
    let export = Export::new(r#"{"items": [{"id": 41, "partner": 3}], "partners": [{"id": 3, "item_id": 41}]}"#);
    let outcome = Restore::of(&export).url(role.url()).into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report);
    assert_eq!((outcome.ways(), outcome.patched("items")), (vec!["NULL, then UPDATE".to_owned()], 1));
    assert_eq!(lines(&database, "SELECT id, partner FROM items"), ["41|3"]);
}

#[test]
fn computed_columns_are_left_to_the_database() {
    for database in TestDatabase::each("computed") {
        let stored = if database.dialect() == "mysql" { "PERSISTENT" } else { "STORED" };
        database.run(&format!(
            "CREATE TABLE order_lines (id integer NOT NULL PRIMARY KEY, price decimal(8,2) NOT NULL, amount integer NOT NULL,
                 total decimal(12,2) GENERATED ALWAYS AS (price * amount) {stored});
             CREATE TABLE numbers (id integer NOT NULL PRIMARY KEY, doubled integer GENERATED ALWAYS AS (id * 2) {stored},
                 tripled integer GENERATED ALWAYS AS (id * 3) {stored});"
        ));
        let export = Export::new(
            r#"{"order_lines": [{"id": 1, "price": "2.50", "amount": 3, "total": "999.00"}, {"id": 2, "price": "1.25", "amount": 4}],
                "numbers": [{"id": 7, "doubled": 14, "tripled": 21}, {"id": 8}]}"#,
        );
        let outcome = Restore::of(&export).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(outcome.only(code::COMPUTED_DIFFERS).field.as_deref(), Some("total"), "{database:?}");
        let totals = lines(
            &database,
            "SELECT id FROM order_lines WHERE id = 1 AND total = 7.5 OR id = 2 AND total = 5 ORDER BY id",
        );
        assert_eq!(totals, ["1", "2"], "{database:?}");
        assert_eq!(
            lines(&database, "SELECT id, doubled, tripled FROM numbers ORDER BY id"),
            ["7|14|21", "8|16|24"],
            "{database:?}"
        );
    }
}

/// The next row that the database numbers itself.
fn next_number(database: &TestDatabase, table: &str) -> String {
    database.run(&format!("INSERT INTO {table} (name) VALUES ('next');"));
    database.value(&format!("SELECT id FROM {table} WHERE name = 'next'"))
}

#[test]
fn the_next_number_is_past_the_highest_however_the_database_counts() {
    for database in TestDatabase::each("next_number") {
        let (ddl, tables): (&str, &[&str]) = match database.dialect() {
            "sqlite" => (
                "CREATE TABLE counted (id integer PRIMARY KEY AUTOINCREMENT, name text);
                 CREATE TABLE aliased (id integer PRIMARY KEY, name text);
                 CREATE TABLE empty (id integer PRIMARY KEY AUTOINCREMENT, name text);",
                &["counted", "aliased"],
            ),
            "postgres" => (
                "CREATE TABLE serials (id serial PRIMARY KEY, name text);
                 CREATE TABLE renamed (id serial PRIMARY KEY, name text); ALTER SEQUENCE renamed_id_seq RENAME TO another;
                 CREATE TABLE identities (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text);
                 CREATE TABLE always (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
                 CREATE TABLE empty (id serial PRIMARY KEY, name text);",
                &["serials", "renamed", "identities", "always"],
            ),
            _ => (
                "CREATE TABLE counted (id int AUTO_INCREMENT PRIMARY KEY, name text);
                 CREATE TABLE small (id tinyint unsigned AUTO_INCREMENT PRIMARY KEY, name text);
                 CREATE TABLE empty (id int AUTO_INCREMENT PRIMARY KEY, name text);",
                &["counted", "small"],
            ),
        };
        database.run(ddl);
        let parts: Vec<String> = tables
            .iter()
            .map(|table| format!(r#""{table}": [{{"id": 150, "name": "a"}}, {{"id": 3, "name": "b"}}]"#))
            .collect();
        let outcome = restored(&database, &format!(r#"{{"empty": [], {}}}"#, parts.join(", ")), "");
        for relation in &outcome.report.relations {
            let expected = if relation.relation.to_string() == "aliased" { None } else { Some(151) };
            assert_eq!(relation.next_number, expected, "{database:?}: {relation:#?}");
        }
        for table in tables {
            assert_eq!(next_number(&database, table), "151", "{database:?} {table}");
        }
        assert_eq!(next_number(&database, "empty"), "1", "{database:?}");
    }
}

#[test]
fn a_sequence_of_two_tables_goes_past_the_highest_of_both() {
    let Some(database) = TestDatabase::postgres("shared_sequence") else { return };
    database.run(
        "CREATE SEQUENCE ids; CREATE TABLE cats (id bigint PRIMARY KEY DEFAULT nextval('ids'), name text);
         CREATE TABLE dogs (id bigint PRIMARY KEY DEFAULT nextval('ids'), name text);",
    );
    restored(&database, r#"{"cats": [{"id": 90, "name": "a"}], "dogs": [{"id": 15, "name": "b"}]}"#, "");
    assert_eq!(next_number(&database, "dogs"), "91");
    assert_eq!(next_number(&database, "cats"), "92");
}

#[test]
fn a_counter_is_never_put_back() {
    for database in each("counter_ahead", "items(id pk, name text)") {
        if database.dialect() == "sqlite" {
            continue; // which counts from the rows
        }
        let ahead = if database.dialect() == "postgres" {
            "ALTER SEQUENCE items_id_seq RESTART WITH 1000;"
        } else {
            "ALTER TABLE items AUTO_INCREMENT = 1000;"
        };
        database.run(ahead);
        restored(&database, r#"{"items": [{"id": 5, "name": "a"}]}"#, "");
        assert_eq!(next_number(&database, "items"), "1000", "{database:?}");
    }
}

#[test]
fn a_composite_key_counts_in_the_order_of_the_key_and_not_of_the_columns() {
    for database in each(
        "key_order",
        "parts(name text, no int, version int, pk(version, no))\nuses(id pk, a int, b int, (a, b) -> parts(version, no))",
    ) {
        restored(
            &database,
            r#"[{"model": "app.part", "pk": [2, 1], "fields": {"name": "version 2, no 1"}},
                {"model": "app.part", "pk": [1, 2], "fields": {"name": "version 1, no 2"}},
                {"model": "app.use", "pk": 1, "fields": {"a": 1, "b": 2}}]"#,
            "[table.parts]\nmodels = [\"app.part\"]\n[table.uses]\nmodels = [\"app.use\"]",
        );
        let joined = "SELECT p.name FROM uses u JOIN parts p ON p.version = u.a AND p.no = u.b";
        assert_eq!(lines(&database, joined), ["version 1, no 2"], "{database:?}");
        assert_eq!(lines(&database, "SELECT version, no FROM parts ORDER BY version"), ["1|2", "2|1"], "{database:?}");
        let again = r#"{"parts": [{"name": "x", "no": 1, "version": 2}]}"#;
        refused(&database, again, "").only(code::EXISTING_ROW);
    }
}

#[test]
fn a_table_without_primary_key_takes_every_record() {
    for database in each("no_key", "readings(sensor int, value int, at text null)") {
        let export = r#"{"readings": [{"sensor": 1, "value": 5, "at": null}, {"sensor": 1, "value": 5, "at": null}, {"sensor": 2, "value": 6, "at": "x"}]}"#;
        let outcome = restored(&database, export, "");
        assert_eq!(outcome.counts("readings").inserted, 3, "{database:?}");
        let rows = lines(&database, "SELECT sensor, value, at FROM readings ORDER BY sensor");
        assert_eq!(rows, ["1|5|NULL", "1|5|NULL", "2|6|x"], "{database:?}");
    }
}

#[test]
fn records_that_nothing_identifies_are_not_loaded_beside_rows_that_may_be_theirs() {
    for database in each("no_identity", "readings(sensor int, value int)") {
        let export = Export::new(r#"{"readings": [{"sensor": 1, "value": 5}, {"sensor": 2, "value": 6}]}"#);
        assert!(Restore::of(&export).mode(Mode::Skip).into(&database).committed, "{database:?}: into an empty table");
        let before = Contents::of(&database);
        let again = Restore::of(&export).mode(Mode::Skip).into(&database);
        assert_eq!(again.findings(code::NO_IDENTITY).len(), 2, "{database:?}: {:#?}", again.report.findings);
        before.assert_unchanged(&database);
        // Told what identifies a row, the second time changes nothing.
        let config = "[table.readings]\nnatural_key = [\"sensor\"]";
        let again = Restore::of(&export).mode(Mode::Skip).config(config).into(&database);
        assert!(again.committed, "{database:?}: {:#?}", again.report);
        assert_eq!(again.counts("readings").skipped, 2, "{database:?}");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_record_without_id_is_found_again_although_its_natural_key_holds_null() {
    for database in each("null_identity", "geo_city(id pk, name text, state text null)") {
        let export = Export::new(
            r#"[{"model": "geo.city", "fields": {"name": "Rome", "state": null}}, {"model": "geo.city", "fields": {"name": "Rome", "state": "NY"}}]"#,
        );
        let config = "[table.geo_city]\nnatural_key = [\"name\", \"state\"]";
        assert!(Restore::of(&export).mode(Mode::Skip).config(config).into(&database).committed);
        let before = Contents::of(&database);
        let again = Restore::of(&export).mode(Mode::Skip).config(config).into(&database);
        assert!(again.committed, "{database:?}: {:#?}", again.report);
        assert_eq!(again.counts("geo_city").skipped, 2, "{database:?}");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_list_of_a_table_to_itself_has_its_record_on_the_first_side() {
    let text = "app_person(id pk, name text)
                app_person_follows(id pk, from_person_id int -> app_person.id, to_person_id int -> app_person.id, unique(from_person_id, to_person_id))";
    for database in each("list_to_itself", text) {
        restored(
            &database,
            r#"[{"model": "app.person", "pk": 1, "fields": {"name": "a", "follows": [2, 1]}}, {"model": "app.person", "pk": 2, "fields": {"name": "b", "follows": []}}]"#,
            "",
        );
        let pairs = "SELECT from_person_id, to_person_id FROM app_person_follows ORDER BY to_person_id";
        assert_eq!(lines(&database, pairs), ["1|1", "1|2"], "{database:?}");
    }
}

#[test]
fn an_id_that_another_row_has_is_no_match_of_the_natural_key() {
    for mode in [Mode::Insert, Mode::Skip] {
        for database in each("id_taken", "users(id pk, email text unique, name text)") {
            database.run("INSERT INTO users (id, email, name) VALUES (5, 'zoe@x', 'Zoe');");
            let before = Contents::of(&database);
            let export = Export::new("{\"users\": [\n{\"id\": 5, \"email\": \"ann@x\", \"name\": \"Ann\"}]}");
            let outcome = Restore::of(&export).mode(mode).into(&database);
            let finding = outcome.only(code::ID_TAKEN);
            assert_eq!(finding.place.as_ref().map(|place| place.line), Some(2), "{database:?}");
            before.assert_unchanged(&database);
        }
    }
}

#[test]
fn a_row_that_exists_is_a_conflict_by_default_and_left_alone_on_demand() {
    for database in each("exists", "users(id uuid pk, name text)") {
        database.run("INSERT INTO users (id, name) VALUES ('9f8b8e6c-0000-4000-8000-000000000001', 'kept');");
        let text = r#"{"users": [{"id": "9f8b8e6c-0000-4000-8000-000000000001", "name": "other"}, {"id": "9f8b8e6c-0000-4000-8000-000000000002", "name": "new"}]}"#;
        refused(&database, text, "").only(code::EXISTING_ROW);
        let export = Export::new(text);
        let outcome = Restore::of(&export).mode(Mode::Skip).into(&database);
        assert!(outcome.committed, "{:#?}", outcome.report);
        assert_eq!(lines(&database, "SELECT name FROM users ORDER BY id"), ["kept", "new"], "{database:?}");
        assert_eq!((outcome.counts("users").skipped, outcome.counts("users").inserted), (1, 1), "{database:?}");
    }
}

const TAGGED: &str = "blog_tag(id pk, name text unique)
    blog_post(id pk, slug varchar(20) unique)
    blog_post_tags(id bigint pk, post_id int -> blog_post.id, tag_id int -> blog_tag.id, unique(post_id, tag_id))";

#[test]
fn a_pair_that_stands_in_a_list_and_as_a_record_is_one_row() {
    for database in each("explicit_and_implicit", TAGGED) {
        restored(
            &database,
            r#"[{"model": "blog.post", "pk": 1, "fields": {"slug": "p", "tags": [11, 12]}},
                {"model": "blog.post_tags", "pk": 70, "fields": {"post": 1, "tag": 11}},
                {"model": "blog.tag", "pk": 11, "fields": {"name": "a"}},
                {"model": "blog.tag", "pk": 12, "fields": {"name": "b"}}]"#,
            "",
        );
        let pairs = lines(&database, "SELECT post_id, tag_id FROM blog_post_tags ORDER BY tag_id");
        assert_eq!(pairs, ["1|11", "1|12"], "{database:?}");
        assert_eq!(database.value("SELECT id FROM blog_post_tags WHERE tag_id = 11"), "70", "{database:?}");
    }
}

#[test]
fn a_repetition_in_a_list_is_one_row() {
    for database in each("list_repeats", TAGGED) {
        let outcome = restored(
            &database,
            r#"[{"model": "blog.tag", "pk": 11, "fields": {"name": "a"}}, {"model": "blog.post", "pk": 1, "fields": {"slug": "p", "tags": [11, "11", 11]}}]"#,
            "",
        );
        assert_eq!(lines(&database, "SELECT post_id, tag_id FROM blog_post_tags"), ["1|11"], "{database:?}");
        assert_eq!(outcome.counts("blog_post_tags").inserted, 1, "{database:?}");
    }
}

#[test]
fn a_list_may_be_empty_or_absent_and_not_null() {
    for database in each("list_null", TAGGED) {
        restored(
            &database,
            r#"[{"model": "blog.post", "pk": 1, "fields": {"slug": "p", "tags": []}}, {"model": "blog.post", "pk": 2, "fields": {"slug": "q"}}]"#,
            "",
        );
        assert_eq!(database.value("SELECT count(*) FROM blog_post_tags"), "0", "{database:?}");
        let outcome =
            refused(&database, r#"[{"model": "blog.post", "pk": 3, "fields": {"slug": "r", "tags": null}}]"#, "");
        assert_eq!(outcome.only(code::UNFIT_VALUE).field.as_deref(), Some("tags"), "{database:?}");
        let outcome =
            refused(&database, r#"[{"model": "blog.post", "pk": 3, "fields": {"slug": "r", "tags": [null]}}]"#, "");
        assert_eq!(outcome.only(code::UNFIT_VALUE).field.as_deref(), Some("tags"), "{database:?}");
    }
}

#[test]
fn an_element_of_a_list_that_leads_nowhere_is_reported() {
    for database in each("list_dangling", TAGGED) {
        let outcome = refused(
            &database,
            r#"[{"model": "blog.tag", "pk": 11, "fields": {"name": "a"}},
{"model": "blog.post", "pk": 1, "fields": {"slug": "p", "tags": [11, 404, ["nobody"]]}}]"#,
            "",
        );
        let found = outcome.findings(code::DANGLING_REFERENCE);
        assert_eq!(found.len(), 2, "{database:?}: {found:#?}");
        assert!(found.iter().all(|found| found.place.as_ref().is_some_and(|place| place.line == 2)), "{found:#?}");
    }
}

#[test]
fn the_same_export_twice_changes_nothing_the_second_time() {
    let text = format!(
        "{TAGGED}\nblog_comment(id pk, post_id int -> blog_post.id, parent_id int null -> blog_comment.id, body text)"
    );
    for database in each("twice_no_change", &text) {
        let export = Export::new(
            r#"[{"model": "blog.comment", "pk": 2, "fields": {"post": ["p"], "parent": 1, "body": "b"}},
                {"model": "blog.comment", "pk": 1, "fields": {"post": ["p"], "parent": null, "body": "a"}},
                {"model": "blog.post", "fields": {"slug": "p", "tags": [["a"], ["b"]]}},
                {"model": "blog.tag", "fields": {"name": "a"}},
                {"model": "blog.tag", "fields": {"name": "b"}}]"#,
        );
        let first = Restore::of(&export).mode(Mode::Skip).into(&database);
        assert!(first.committed, "{database:?}: {:#?}", first.report);
        assert_eq!(first.report.totals.inserted, 7, "{database:?}");
        let before = Contents::of(&database);
        for _ in 0..2 {
            let again = Restore::of(&export).mode(Mode::Skip).into(&database);
            assert!(again.committed, "{database:?}: {:#?}", again.report);
            assert_eq!((again.report.totals.skipped, again.report.totals.inserted), (7, 0), "{database:?}");
            before.assert_unchanged(&database);
        }
    }
}

#[test]
fn a_deferrable_unique_key_is_checked_before_anything_is_written() {
    let Some(database) = TestDatabase::postgres("deferrable_unique") else { return };
    database.run("CREATE TABLE places (id integer PRIMARY KEY, no integer NOT NULL, CONSTRAINT one_each UNIQUE (no) DEFERRABLE INITIALLY DEFERRED);");
    let outcome = refused(&database, "{\"places\": [{\"id\": 1, \"no\": 1},\n{\"id\": 2, \"no\": 1}]}", "");
    let finding = outcome.only(code::DUPLICATE_KEY);
    assert_eq!(
        (finding.constraint.as_deref(), finding.place.as_ref().map(|place| place.line)),
        (Some("one_each"), Some(2))
    );
}

#[test]
fn a_transient_duplicate_of_a_deferrable_key_is_no_duplicate() {
    let Some(database) = TestDatabase::postgres("transient_duplicate") else { return };
    // A trigger moves rows on as new ones come: for a moment two have one position.
    database.run(
        "CREATE TABLE places (id integer PRIMARY KEY, no integer NOT NULL, CONSTRAINT one_each UNIQUE (no) DEFERRABLE INITIALLY DEFERRED);
         INSERT INTO places VALUES (100, 1);
         CREATE FUNCTION make_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             UPDATE places SET no = no + 10 WHERE no = new.no AND id <> new.id; RETURN NULL; END $$;
         CREATE TRIGGER room AFTER INSERT ON places FOR EACH ROW EXECUTE FUNCTION make_room();",
    );
    let export = Export::new(r#"{"places": [{"id": 1, "no": 2}, {"id": 2, "no": 3}]}"#);
    database.run("UPDATE places SET no = 2;");
    let outcome =
        Restore::of(&export).mode(Mode::Skip).config("[table.places]\nnatural_key = [\"id\"]").into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report);
    assert_eq!(lines(&database, "SELECT id, no FROM places ORDER BY id"), ["1|2", "2|3", "100|12"]);
}

#[test]
fn a_row_that_an_exclusion_constraint_refuses_is_named_with_it() {
    let Some(database) = TestDatabase::postgres("exclusion") else { return };
    database.run(
        "CREATE TABLE bookings (id integer PRIMARY KEY, during int4range NOT NULL, CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&));",
    );
    let outcome = refused(
        &database,
        "{\"bookings\": [\n{\"id\": 1, \"during\": \"[1,5)\"},\n{\"id\": 2, \"during\": \"[5,9)\"},\n{\"id\": 3, \"during\": \"[4,6)\"}]}",
        "",
    );
    let finding = outcome.only(code::REFUSED_ROW);
    assert_eq!(
        (finding.constraint.as_deref(), finding.place.as_ref().map(|place| place.line)),
        (Some("no_overlap"), Some(4))
    );
}

#[test]
fn a_unique_index_over_a_part_of_the_rows_or_an_expression_refuses_only_what_breaks_it() {
    for database in TestDatabase::each("partial_unique") {
        if database.dialect() == "mysql" {
            continue; // which has neither
        }
        database.run(
            "CREATE TABLE users (id integer NOT NULL PRIMARY KEY, email varchar(50) NOT NULL, name varchar(50), deleted_at varchar(20));
             CREATE UNIQUE INDEX one_live ON users (email) WHERE deleted_at IS NULL;
             CREATE UNIQUE INDEX one_name ON users (lower(name));",
        );
        restored(
            &database,
            r#"{"users": [{"id": 1, "email": "a", "name": null, "deleted_at": "x"}, {"id": 2, "email": "a", "name": null, "deleted_at": "y"},
                          {"id": 3, "email": "a", "name": "Ann", "deleted_at": null}]}"#,
            "",
        );
        // The part of the rows is known before anything is written; the expression is the database's own.
        for (code, row) in [
            (code::EXISTING_ROW, r#"{"id": 5, "email": "a", "name": "Eve", "deleted_at": null}"#),
            (code::REFUSED_ROW, r#"{"id": 5, "email": "b", "name": "aNN", "deleted_at": null}"#),
        ] {
            let outcome = refused(
                &database,
                &format!(
                    "{{\"users\": [{{\"id\": 4, \"email\": \"c\", \"name\": null, \"deleted_at\": null}},\n{row}]}}"
                ),
                "",
            );
            let finding = outcome.only(code);
            assert_eq!(finding.place.as_ref().map(|place| place.line), Some(2), "{database:?}: {finding:#?}");
        }
    }
}

#[test]
fn a_null_in_a_unique_key_repeats_unless_nulls_are_told_to_be_equal() {
    for database in each("null_unique", "items(id pk, a int null, b int null, unique(a, b))") {
        restored(
            &database,
            r#"{"items": [{"id": 1, "a": null, "b": 1}, {"id": 2, "a": null, "b": 1}, {"id": 3, "a": null, "b": null}, {"id": 4, "a": null, "b": null}]}"#,
            "",
        );
        assert_eq!(database.value("SELECT count(*) FROM items"), "4", "{database:?}");
    }
    let Some(database) = TestDatabase::postgres("nulls_not_distinct") else { return };
    database
        .run("CREATE TABLE items (id integer PRIMARY KEY, a integer, CONSTRAINT once UNIQUE NULLS NOT DISTINCT (a));");
    let outcome = refused(&database, r#"{"items": [{"id": 1, "a": null}, {"id": 2, "a": null}]}"#, "");
    assert_eq!(outcome.only(code::DUPLICATE_KEY).constraint.as_deref(), Some("once"));
}

#[test]
fn an_empty_database_and_a_schema_script_end_up_as_one_restore() {
    for database in TestDatabase::each("with_schema") {
        let ddl =
            schema("parents(id pk, name text)\nchildren(id pk, parent_id int -> parents.id)").ddl(database.dialect());
        let export = Export::new(r#"{"children": [{"id": 1, "parent_id": 2}], "parents": [{"id": 2, "name": "a"}]}"#);
        let before = Contents::of(&database);
        let dry = Restore::of(&export).schema(&ddl).dry_run(true).into(&database);
        before.assert_unchanged(&database);
        let real = Restore::of(&export).schema(&ddl).into(&database);
        assert!(real.committed, "{database:?}: {:#?}", real.report);
        relink_e2e::same_but_for_the_dry_run(&dry.report, &real.report);
        assert_eq!(lines(&database, "SELECT id, parent_id FROM children"), ["1|2"], "{database:?}");
    }
}
