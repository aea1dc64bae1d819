//! Rows that take their records' values: unique values that rows swap, rotate and hand on, and many-to-many lists.

use relink_e2e::{Contents, Export, Outcome, Restore, each, lines};
use relink_model::Ids;
use relink_restore::{Mode, code};
use relink_testkit::TestDatabase;

/// Records are rows by their ids alone.
const BY_ID: &str = "[table.items]\nnatural_key = [\"id\"]";

#[track_caller]
fn upserted(database: &TestDatabase, export: &str, config: &str) -> Outcome {
    let export = Export::new(export);
    let outcome = Restore::of(&export).config(config).mode(Mode::Upsert).into(database);
    let clean = outcome.committed && outcome.report.findings.is_empty();
    assert!(clean, "{database:?}: {:#?}\n{:#?}", outcome.told(), outcome.validation);
    let before = Contents::of(database);
    let again = Restore::of(&export).config(config).mode(Mode::Upsert).into(database);
    let totals = again.report.totals;
    assert_eq!((totals.inserted, totals.updated), (0, 0), "{database:?}: {:#?}", again.report.relations);
    before.assert_unchanged_after(database, "the second time");
    outcome
}

/// Rows of `items` as SQL and as JSON values, before and after.
#[track_caller]
fn swaps(schema: &str, columns: &str, before: &[&str], after: &[&str]) {
    let names: Vec<&str> = columns.split(", ").collect();
    for database in each("swaps", schema) {
        let rows: Vec<String> = before.iter().map(|row| format!("({row})")).collect();
        database.run(&format!("INSERT INTO items ({columns}) VALUES {};", rows.join(", ")));
        let records = after.iter().map(|row| {
            let fields = names.iter().zip(row.split(", ")).map(|(name, value)| {
                let value = if value.starts_with('\'') { value.replace('\'', "\"") } else { value.to_lowercase() };
                format!("{name:?}: {value}")
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        });
        let export = format!("{{\"items\": [{}]}}", records.collect::<Vec<_>>().join(",\n"));
        upserted(&database, &export, BY_ID);
        let expected: Vec<String> = after.iter().map(|row| row.replace(", ", "|").replace('\'', "")).collect();
        assert_eq!(
            lines(&database, &format!("SELECT {columns} FROM items ORDER BY id")),
            expected,
            "{database:?}, {schema}"
        );
    }
}

#[test]
fn two_rows_swap_a_unique_number_a_text_a_uuid_a_value_that_may_be_null() {
    swaps("items(id pk, pos int unique)", "id, pos", &["1, 10", "2, 20"], &["1, 20", "2, 10"]);
    swaps("items(id pk, name varchar(40) unique)", "id, name", &["1, 'a'", "2, 'b'"], &["1, 'b'", "2, 'a'"]);
    swaps("items(id pk, pos int null unique)", "id, pos", &["1, 10", "2, 20"], &["1, 20", "2, 10"]);
    let (one, two) = ("'0b000000-0000-4000-8000-000000000001'", "'0b000000-0000-4000-8000-000000000002'");
    let row = |id: i32, uuid: &str| format!("{id}, {uuid}");
    swaps("items(id pk, token uuid unique)", "id, token", &[&row(1, one), &row(2, two)], &[&row(1, two), &row(2, one)]);
    // One of them gives its value up for none.
    swaps("items(id pk, pos int null unique)", "id, pos", &["1, 10", "2, 20"], &["1, NULL", "2, 10"]);
}

#[test]
fn two_rows_swap_values_of_which_there_are_few() {
    swaps("items(id pk, code varchar(2) unique)", "id, code", &["1, 'a'", "2, 'b'"], &["1, 'b'", "2, 'a'"]);
    swaps("items(id pk, price decimal(4,2) unique)", "id, price", &["1, 10.25", "2, 20.75"], &["1, 20.75", "2, 10.25"]);
    swaps(
        "items(id pk, day date unique)",
        "id, day",
        &["1, '2024-01-01'", "2, '2024-01-02'"],
        &["1, '2024-01-02'", "2, '2024-01-01'"],
    );
}

#[test]
fn two_rows_swap_a_pair_of_unique_values() {
    let schema = "items(id pk, a int, b varchar(40), unique(a, b))";
    swaps(schema, "id, a, b", &["1, 1, 'x'", "2, 2, 'y'"], &["1, 2, 'y'", "2, 1, 'x'"]);
    // Only one part of the pair differs.
    swaps(schema, "id, a, b", &["1, 1, 'x'", "2, 1, 'y'"], &["1, 1, 'y'", "2, 1, 'x'"]);
    // Two keys that share a column.
    swaps(
        "items(id pk, a int, b int, c int, unique(a, b), unique(b, c))",
        "id, a, b, c",
        &["1, 1, 1, 1", "2, 2, 2, 2"],
        &["1, 2, 2, 2", "2, 1, 1, 1"],
    );
    // The place within a list: the list is a reference, which takes no passing value.
    let schema = "lists(id pk)\nitems(id pk, list_id -> lists.id, pos int, unique(list_id, pos))";
    for database in each("swap_within", schema) {
        database.run("INSERT INTO lists (id) VALUES (1), (2); INSERT INTO items (id, list_id, pos) VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1);");
        let export = r#"{"items": [{"id": 1, "list_id": 1, "pos": 2}, {"id": 2, "list_id": 2, "pos": 1}, {"id": 3, "list_id": 1, "pos": 1}]}"#;
        upserted(&database, export, BY_ID);
        assert_eq!(lines(&database, "SELECT id, list_id, pos FROM items ORDER BY id"), ["1|1|2", "2|2|1", "3|1|1"]);
    }
}

#[test]
fn references_that_are_unique_are_swapped() {
    // One seat for each guest: no number is free that were a guest.
    let schema = "guests(id pk)\nitems(id pk, guest_id -> guests.id, unique(guest_id))";
    for database in each("swap_references", schema) {
        database
            .run("INSERT INTO guests (id) VALUES (1), (2); INSERT INTO items (id, guest_id) VALUES (1, 1), (2, 2);");
        upserted(&database, r#"{"items": [{"id": 1, "guest_id": 2}, {"id": 2, "guest_id": 1}]}"#, BY_ID);
        assert_eq!(lines(&database, "SELECT id, guest_id FROM items ORDER BY id"), ["1|2", "2|1"], "{database:?}");
    }
}

#[test]
fn unique_values_rotate() {
    swaps(
        "items(id pk, name varchar(40) unique)",
        "id, name",
        &["1, 'a'", "2, 'b'", "3, 'c'"],
        &["1, 'b'", "2, 'c'", "3, 'a'"],
    );
    // Through rows that change other columns as well, so that not all of them set the same.
    swaps(
        "items(id pk, pos int unique, note int)",
        "id, pos, note",
        &["1, 1, 0", "2, 2, 0", "3, 3, 0", "4, 4, 0"],
        &["1, 2, 0", "2, 3, 5", "3, 4, 0", "4, 1, 7"],
    );
}

#[test]
fn thousands_of_unique_values_shift_by_one() {
    const ROWS: i32 = 5_000;
    for by in [1, -1] {
        for database in each("shift", "items(id pk, pos int unique)") {
            let rows: Vec<String> = (1..=ROWS).map(|id| format!("({id}, {id})")).collect();
            database.run(&format!("INSERT INTO items (id, pos) VALUES {};", rows.join(", ")));
            let records: Vec<String> = (1..=ROWS).map(|id| format!(r#"{{"id": {id}, "pos": {}}}"#, id + by)).collect();
            let outcome = upserted(&database, &format!("{{\"items\": [{}]}}", records.join(",\n")), BY_ID);
            assert_eq!(outcome.counts("items").updated, 5_000, "{database:?}");
            let wrong = format!("SELECT count(*) FROM items WHERE pos <> id + {by}");
            assert_eq!(database.value(&wrong), "0", "{database:?}");
        }
    }
}

#[test]
fn a_new_row_takes_the_value_that_an_existing_one_gives_up() {
    for database in each("hand_on", "items(id pk, name varchar(40) unique)") {
        database.run("INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b');");
        // New rows take 'a' and 'b', one of which is handed on twice.
        let export = r#"{"items": [{"id": 3, "name": "a"}, {"id": 4, "name": "b"}, {"id": 1, "name": "c"}, {"id": 2, "name": "d"}]}"#;
        let outcome = upserted(&database, export, BY_ID);
        let counts = outcome.counts("items");
        assert_eq!((counts.inserted, counts.updated), (2, 2), "{database:?}");
        assert_eq!(lines(&database, "SELECT id, name FROM items ORDER BY id"), ["1|c", "2|d", "3|a", "4|b"]);
    }
}

#[test]
fn a_value_that_a_row_outside_the_export_keeps_is_refused_with_its_record() {
    for database in each("kept_value", "items(id pk, name varchar(40) unique)") {
        database.run("INSERT INTO items (id, name) VALUES (1, 'a'), (2, 'b'), (9, 'kept');");
        let before = Contents::of(&database);
        let export = Export::new("{\"items\": [{\"id\": 1, \"name\": \"b\"},\n{\"id\": 2, \"name\": \"kept\"}]}");
        let outcome = Restore::of(&export).config(BY_ID).mode(Mode::Upsert).into(&database);
        assert!(!outcome.committed, "{database:?}");
        let lines: Vec<u64> =
            outcome.findings(code::REFUSED_ROW).iter().filter_map(|found| Some(found.place.as_ref()?.line)).collect();
        assert!(lines.contains(&2), "{database:?}: {:#?}", outcome.told());
        before.assert_unchanged(&database);
    }
}

#[test]
fn rows_are_never_deleted_to_make_room_whatever_the_table_says() {
    let database = TestDatabase::sqlite();
    database.run(
        "CREATE TABLE items (id INTEGER PRIMARY KEY, name text NOT NULL UNIQUE ON CONFLICT REPLACE, pos integer UNIQUE ON CONFLICT IGNORE);
         CREATE TABLE parts (id INTEGER PRIMARY KEY, item_id integer NOT NULL REFERENCES items (id) ON DELETE CASCADE);
         INSERT INTO items (id, name, pos) VALUES (1, 'a', 1), (2, 'b', 2), (9, 'kept', 9); INSERT INTO parts VALUES (1, 1), (2, 2), (3, 9);",
    );
    // A swap needs no deletion.
    upserted(&database, r#"{"items": [{"id": 1, "name": "b", "pos": 2}, {"id": 2, "name": "a", "pos": 1}]}"#, BY_ID);
    assert_eq!(lines(&database, "SELECT id, name, pos FROM items ORDER BY id"), ["1|b|2", "2|a|1", "9|kept|9"]);
    assert_eq!(lines(&database, "SELECT id, item_id FROM parts ORDER BY id"), ["1|1", "2|2", "3|9"]);
    // What is really in the way is refused, whether it is inserted or updated.
    for record in [
        r#"{"id": 1, "name": "kept", "pos": 2}"#,
        r#"{"id": 5, "name": "kept", "pos": 5}"#,
        r#"{"id": 1, "name": "b", "pos": 9}"#,
        r#"{"id": 5, "name": "e", "pos": 9}"#,
    ] {
        let before = Contents::of(&database);
        let export = Export::new(format!("{{\"items\": [{record}]}}"));
        let outcome = Restore::of(&export).config(BY_ID).mode(Mode::Upsert).into(&database);
        outcome.only(code::REFUSED_ROW);
        before.assert_unchanged_after(&database, record);
    }
}

const LISTS: &str = "
    app_user(id pk, name varchar(40) unique)
    app_group(id pk, name varchar(40) unique)
    app_user_groups(id pk, user_id -> app_user.id, group_id -> app_group.id, unique(user_id, group_id))
";

/// Users 1 and 2 are in groups 1 and 2, user 3 in group 2.
fn list_targets(name: &str) -> Vec<TestDatabase> {
    let databases = each(name, LISTS);
    for database in &databases {
        database.run(
            "INSERT INTO app_user (id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
             INSERT INTO app_group (id, name) VALUES (1, 'x'), (2, 'y'), (3, 'z');
             INSERT INTO app_user_groups (id, user_id, group_id) VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 2, 2), (5, 3, 2), (6, 4, 3);",
        );
    }
    databases
}

/// A list that changes, an empty one, none; a fourth user of whom the export says nothing; and a new one.
const USERS: &str = r#"[{"model": "app.user", "pk": 1, "fields": {"name": "a", "groups": [2, 3]}},
    {"model": "app.user", "pk": 2, "fields": {"name": "b", "groups": []}}, {"model": "app.user", "pk": 3, "fields": {"name": "c"}},
    {"model": "app.user", "pk": 7, "fields": {"name": "g", "groups": [["x"], 3]}}]"#;

fn pairs(database: &TestDatabase) -> Vec<String> {
    let sql = "SELECT CASE WHEN id <= 6 THEN id ELSE 0 END, user_id, group_id FROM app_user_groups ORDER BY user_id, group_id";
    lines(database, sql)
}

#[test]
fn the_list_of_an_updated_row_becomes_the_records() {
    for database in list_targets("lists_upsert") {
        let outcome = upserted(&database, USERS, "");
        assert_eq!(pairs(&database), ["2|1|2", "0|1|3", "5|3|2", "6|4|3", "0|7|1", "0|7|3"], "{database:?}");
        assert_eq!(outcome.relation("app_user_groups").deleted, 3, "{database:?}");
        let counts = outcome.counts("app_user_groups");
        assert_eq!((counts.read, counts.inserted, counts.unchanged), (4, 3, 1), "{database:?}");
    }
}

#[test]
fn the_list_of_a_merged_row_gains_and_that_of_a_skipped_one_stays() {
    for (mode, expected) in [
        (Mode::Merge, vec!["1|1|1", "2|1|2", "0|1|3", "3|2|1", "4|2|2", "5|3|2", "6|4|3", "0|7|1", "0|7|3"]),
        (Mode::Skip, vec!["1|1|1", "2|1|2", "3|2|1", "4|2|2", "5|3|2", "6|4|3", "0|7|1", "0|7|3"]),
    ] {
        for database in list_targets("lists_merge") {
            let export = Export::new(USERS);
            for time in ["first", "second"] {
                let outcome = Restore::of(&export).mode(mode).into(&database);
                assert!(outcome.committed, "{database:?}, {mode:?}: {:#?}", outcome.told());
                assert_eq!(pairs(&database), expected, "{database:?}, {mode:?}, {time}");
                assert_eq!(outcome.relation("app_user_groups").deleted, 0, "{database:?}, {mode:?}, {time}");
            }
        }
    }
}

#[test]
fn records_of_the_join_table_beside_lists_are_kept() {
    // (2, 1) and (3, 1) stand as records of their own, (1, 2) in both; the empty list of user 2 clears nothing that is a record.
    let export = USERS.trim_end_matches(']').to_owned()
        + r#", {"model": "app.user_groups", "pk": 3, "fields": {"user": 2, "group": 1}},
            {"model": "app.user_groups", "pk": 2, "fields": {"user": 1, "group": 2}},
            {"model": "app.user_groups", "pk": 50, "fields": {"user": 3, "group": 1}}]"#;
    for database in list_targets("lists_beside") {
        upserted(&database, &export, "");
        let found = pairs(&database);
        for pair in ["2|1|2", "0|1|3", "3|2|1", "0|3|1", "5|3|2", "6|4|3", "0|7|1", "0|7|3"] {
            assert!(found.contains(&pair.to_owned()), "{database:?}: {pair} is not in {found:?}");
        }
        // What neither a list nor a record names is gone with the lists.
        assert_eq!(found.len(), 8, "{database:?}: {found:?}");
    }
}

#[test]
fn lists_follow_both_sides_to_other_ids() {
    for ids in [Ids::Remap, Ids::New] {
        for database in list_targets("lists_ids") {
            // User 9 is the target's a, group 9 is new, group 1 is the target's y.
            let export = Export::new(
                r#"[{"model": "app.user", "pk": 9, "fields": {"name": "a", "groups": [9, 1]}}, {"model": "app.group", "pk": 1, "fields": {"name": "y"}},
                    {"model": "app.group", "pk": 9, "fields": {"name": "new"}}, {"model": "app.user", "pk": 3, "fields": {"name": "other", "groups": [1]}}]"#,
            );
            let outcome = Restore::of(&export).mode(Mode::Upsert).ids(ids).into(&database);
            assert!(outcome.committed, "{database:?}, {ids:?}: {:#?}", outcome.told());
            let found = lines(
                &database,
                "SELECT u.name, g.name FROM app_user_groups j JOIN app_user u ON u.id = j.user_id JOIN app_group g ON g.id = j.group_id
                 ORDER BY u.name, g.name",
            );
            assert_eq!(found, ["a|new", "a|y", "b|x", "b|y", "c|y", "d|z", "other|y"], "{database:?}, {ids:?}");
        }
    }
}

#[test]
fn a_key_that_moves_to_another_row_is_followed_to_where_it_ends_up() {
    // Rows are told apart by id and pair; the name, by which others refer to them, changes hands.
    let schema =
        "app_item(id pk, name varchar(40) unique, a int, b int, unique(a, b))\napp_use(id pk, item_id -> app_item.id)";
    for database in each("moving_key", schema) {
        database.run(
            "INSERT INTO app_item (id, name, a, b) VALUES (1, 'x', 1, 1), (2, 'y', 2, 2), (3, 'z', 3, 3); INSERT INTO app_use (id, item_id) VALUES (1, 1), (2, 2);",
        );
        let export = r#"[{"model": "app.use", "pk": 1, "fields": {"item": ["x"]}}, {"model": "app.use", "pk": 2, "fields": {"item": ["y"]}},
            {"model": "app.use", "pk": 4, "fields": {"item": ["w"]}},
            {"model": "app.item", "pk": 1, "fields": {"name": "y", "a": 1, "b": 1}}, {"model": "app.item", "pk": 2, "fields": {"name": "x", "a": 2, "b": 2}},
            {"model": "app.item", "pk": 3, "fields": {"name": "w", "a": 3, "b": 3}}]"#;
        upserted(&database, export, "");
        let found = lines(
            &database,
            "SELECT u.id, i.id, i.name FROM app_use u JOIN app_item i ON i.id = u.item_id ORDER BY u.id",
        );
        assert_eq!(found, ["1|2|x", "2|1|y", "4|3|w"], "{database:?}");
    }
}

#[test]
fn two_records_that_are_one_row_of_the_target_are_reported_with_both_places() {
    for database in each("same_row", "items(id pk, a varchar(40) unique, b varchar(40) unique, note text)") {
        database.run("INSERT INTO items (id, a, b, note) VALUES (1, 'x', 'y', 'old');");
        let before = Contents::of(&database);
        // One of them is the row by the one key, the other by the other.
        let export = Export::new(
            "{\"items\": [{\"a\": \"x\", \"b\": \"p\", \"note\": \"1\"},\n{\"a\": \"q\", \"b\": \"y\", \"note\": \"2\"}]}",
        );
        for mode in [Mode::Upsert, Mode::Merge] {
            let outcome = Restore::of(&export).mode(mode).into(&database);
            let found = outcome.only(code::DUPLICATE_KEY);
            let places = [&found.place, &found.other_place].map(|place| place.as_ref().map(|place| place.line));
            assert_eq!(places, [Some(2), Some(1)], "{database:?}, {mode:?}");
            before.assert_unchanged(&database);
        }
    }
}

#[test]
fn a_row_under_a_uuid_is_updated() {
    for database in each("uuid_update", "items(id uuid pk, name text)\nuses(id pk, item_id -> items.id)") {
        database.run("INSERT INTO items VALUES ('0b000000-0000-4000-8000-00000000000a', 'old');");
        let export = r#"{"uses": [{"id": 1, "item_id": "0b000000-0000-4000-8000-00000000000a"}],
            "items": [{"id": "0b000000-0000-4000-8000-00000000000a", "name": "new"}, {"id": "0b000000-0000-4000-8000-00000000000b", "name": "b"}]}"#;
        upserted(&database, export, "");
        let found =
            lines(&database, "SELECT i.name, u.id FROM items i LEFT JOIN uses u ON u.item_id = i.id ORDER BY i.name");
        assert_eq!(found, ["b|NULL", "new|1"], "{database:?}");
    }
}

#[test]
fn only_what_differs_is_updated_however_the_export_writes_it() {
    let schema = "items(id pk, price decimal(8,2), day date, at timestamp, body json, ok bool, raw bytes, ratio float)";
    for database in each("equal_values", schema) {
        let export = r#"{"items": [{"id": 1, "price": "12.50", "day": "2024-01-02", "at": "2024-01-02T03:04:05.678901", "body": {"b": [1, 2.50], "a": "x"},
            "ok": true, "raw": "AQI=", "ratio": 0.1}]}"#;
        upserted(&database, export, "");
        let other = r#"{"items": [{"id": "1", "price": 12.5, "day": "2024-01-02", "at": "2024-01-02 03:04:05.678901", "body": {"a": "x", "b": [1, 2.50]},
            "ok": 1, "raw": "AQI=", "ratio": 1e-1}]}"#;
        let outcome = Restore::of(&Export::new(other)).mode(Mode::Upsert).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        let counts = outcome.counts("items");
        // SQLite keeps a document as the text that it is.
        let updated = u64::from(database.dialect() != "postgres");
        assert!(counts.updated <= updated && counts.updated + counts.unchanged == 1, "{database:?}: {counts:?}");
    }
}
