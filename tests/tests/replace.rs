//! `--mode replace`: what is cleared, in which order, and what is not.

use relink_e2e::{Contents, Export, Failure, Outcome, Restore, each, lines};
use relink_restore::{Error, Mode, Status, code};
use relink_testkit::TestDatabase;

fn replace(database: &TestDatabase, export: &str) -> Outcome {
    Restore::of(&Export::new(export)).mode(Mode::Replace).into(database)
}

/// Replaces twice; both times exactly the export's rows are there.
#[track_caller]
fn replaced(database: &TestDatabase, export: &str, query: &str, expected: &[&str]) -> Outcome {
    let mut last = None;
    for time in ["first", "second"] {
        let outcome = replace(database, export);
        assert!(outcome.committed, "{database:?}, the {time} time: {:#?}\n{:#?}", outcome.told(), outcome.validation);
        assert_eq!(lines(database, query), expected, "{database:?}, the {time} time");
        last = Some(outcome);
    }
    last.expect("it ran twice")
}

/// Refused because of a table outside the export; nothing is deleted.
#[track_caller]
fn refused(database: &TestDatabase, export: &str, table: &str) {
    let before = Contents::of(database);
    let outcome = replace(database, export);
    assert_eq!(outcome.report.status, Status::Refused, "{database:?}");
    let found = outcome.only(code::REFERENCED_FROM_OUTSIDE);
    assert_eq!(found.relation.as_ref().map(ToString::to_string).as_deref(), Some(table), "{database:?}");
    assert!(found.help.is_some() && found.constraint.is_some(), "{found:#?}");
    before.assert_unchanged(database);
}

#[test]
fn children_go_before_their_parents_whatever_restricts_them() {
    let schema = "regions(id pk, name text)\nshops(id pk, region_id -> regions.id on delete restrict)
        tills(id pk, shop_id -> shops.id on delete restrict, region_id int null -> regions.id)";
    for database in each("replace_order", schema) {
        database.run(
            "INSERT INTO regions VALUES (1, 'a'), (2, 'b'); INSERT INTO shops VALUES (1, 1), (2, 2); INSERT INTO tills VALUES (1, 1, 2), (2, 2, NULL);",
        );
        let export = r#"{"tills": [{"id": 2, "shop_id": 1, "region_id": null}], "shops": [{"id": 1, "region_id": 9}], "regions": [{"id": 9, "name": "z"}]}"#;
        let sql = "SELECT t.id, s.id, r.id, r.name FROM tills t JOIN shops s ON s.id = t.shop_id JOIN regions r ON r.id = s.region_id";
        let outcome = replaced(&database, export, sql, &["2|1|9|z"]);
        assert_eq!(outcome.relation("regions").deleted, 1, "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM regions"), "1", "{database:?}");
    }
}

#[test]
fn rows_that_reference_their_own_table_go_in_any_order() {
    for rule in ["", "on delete restrict", "on delete cascade", "on delete set null"] {
        let schema = format!("nodes(id pk, parent_id int null -> nodes.id {rule}, name text)");
        for database in each("replace_self", &schema) {
            database.run("INSERT INTO nodes VALUES (1, NULL, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, 4, 'd'); UPDATE nodes SET parent_id = 3 WHERE id = 1;");
            let export =
                r#"{"nodes": [{"id": 3, "parent_id": 5, "name": "new"}, {"id": 5, "parent_id": 5, "name": "root"}]}"#;
            let sql = "SELECT id, parent_id, name FROM nodes ORDER BY id";
            replaced(&database, export, sql, &["3|5|new", "5|5|root"]);
        }
    }
}

#[test]
fn rows_that_must_reference_their_own_table_go_as_well() {
    for rule in ["", "on delete cascade"] {
        for database in each("replace_self_not_null", &format!("nodes(id pk, parent_id -> nodes.id {rule})")) {
            database.run("INSERT INTO nodes VALUES (4, 4), (1, 1), (2, 1), (3, 2);");
            let outcome = replaced(
                &database,
                r#"{"nodes": [{"id": 3, "parent_id": 5}, {"id": 5, "parent_id": 5}]}"#,
                "SELECT id, parent_id FROM nodes ORDER BY id",
                &["3|5", "5|5"],
            );
            assert_eq!(outcome.relation("nodes").deleted, 2, "{database:?} {rule}: the second time");
        }
    }
}

#[test]
fn rows_that_nothing_frees_stay_and_the_way_out_is_named() {
    let database = TestDatabase::sqlite();
    // SQLite checks RESTRICT at once, whatever is deferred.
    database.run(
        "CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE RESTRICT);
         INSERT INTO nodes VALUES (1, 1), (2, 1), (3, 2);",
    );
    let before = Contents::of(&database);
    let export = Export::new(r#"{"nodes": [{"id": 5, "parent_id": 5}]}"#);
    let failed = Restore::of(&export).mode(Mode::Replace).try_into(&database);
    match failed {
        Err(Failure::Restore(error @ Error::Clear { .. })) => {
            assert!(error.to_string().contains("--mode upsert"), "{error}");
        }
        other => panic!("{other:#?}"),
    }
    before.assert_unchanged(&database);
}

#[test]
fn tables_that_reference_each_other_go_together() {
    // NULL on one side; NULL on none, deferrable or not.
    for (null, when) in [(" null", ""), ("", " deferrable"), ("", " deferred"), ("", "")] {
        let schema = format!(
            "teams(id pk, head_id int{null} -> people.id{when})\npeople(id pk, team_id -> teams.id{when}, name text)"
        );
        for database in each("replace_cycle", &schema) {
            let rows = "INSERT INTO teams (id, head_id) VALUES (1, 1), (2, 2); INSERT INTO people (id, team_id, name) VALUES (1, 1, 'a'), (2, 1, 'b');";
            database.run(&match database.dialect() {
                "sqlite" => format!("PRAGMA foreign_keys = OFF; {rows}"),
                "postgres" => format!("SET session_replication_role = replica; {rows}"),
                _ => format!("SET foreign_key_checks = 0; {rows}"),
            });
            let constraints = Contents::of(&database).constraints();
            replaced(
                &database,
                r#"{"teams": [{"id": 2, "head_id": 7}], "people": [{"id": 7, "team_id": 2, "name": "g"}]}"#,
                "SELECT t.id, t.head_id, p.id, p.team_id, p.name FROM teams t JOIN people p ON p.team_id = t.id",
                &["2|7|7|2|g"],
            );
            assert_eq!(Contents::of(&database).constraints(), constraints, "{database:?}");
        }
    }
}

#[test]
fn rows_outside_the_export_that_reference_what_would_go_refuse_it() {
    for rule in ["", "on delete restrict", "on delete cascade", "on delete set null"] {
        let schema = format!("owners(id pk, name text)\npets(id pk, owner_id int null -> owners.id {rule})");
        for database in each("replace_outside", &schema) {
            database.run("INSERT INTO owners VALUES (1, 'a'), (2, 'b'); INSERT INTO pets VALUES (1, 1), (2, NULL);");
            // Even where the referenced row would come back: a cascade would have taken the pet.
            refused(&database, r#"{"owners": [{"id": 1, "name": "a"}, {"id": 3, "name": "c"}]}"#, "pets");
            // Rows that reference nothing are in nobody's way, and stay.
            database.run("UPDATE pets SET owner_id = NULL;");
            replaced(
                &database,
                r#"{"owners": [{"id": 1, "name": "z"}]}"#,
                "SELECT (SELECT name FROM owners), (SELECT count(*) FROM owners), (SELECT count(*) FROM pets)",
                &["z|1|2"],
            );
        }
    }
}

#[test]
fn rows_outside_are_reached_through_no_chain_of_cascades() {
    let schema = "owners(id pk)\npets(id pk, owner_id -> owners.id on delete cascade)\ntoys(id pk, pet_id -> pets.id on delete cascade)";
    for database in each("replace_chain", schema) {
        database.run("INSERT INTO owners VALUES (1); INSERT INTO pets VALUES (1, 1); INSERT INTO toys VALUES (1, 1);");
        refused(&database, r#"{"owners": [{"id": 1}], "pets": [{"id": 1, "owner_id": 1}]}"#, "toys");
        refused(&database, r#"{"owners": [{"id": 1}]}"#, "pets");
        let all = r#"{"owners": [{"id": 2}], "pets": [{"id": 2, "owner_id": 2}], "toys": [{"id": 2, "pet_id": 2}]}"#;
        let sql =
            "SELECT o.id, p.id, t.id FROM owners o JOIN pets p ON p.owner_id = o.id JOIN toys t ON t.pet_id = p.id";
        let outcome = replaced(&database, all, sql, &["2|2|2"]);
        // Each table's rows are deleted and counted by themselves, not by a cascade.
        for table in ["owners", "pets", "toys"] {
            assert_eq!(outcome.relation(table).deleted, 1, "{database:?}, {table}");
        }
    }
}

#[test]
fn a_table_without_rows_in_the_export_is_cleared_and_one_that_is_not_named_is_not() {
    for database in each("replace_empty", "named(id pk)\nempty(id pk, named_id -> named.id)\nunnamed(id pk)") {
        database.run(
            "INSERT INTO named VALUES (1); INSERT INTO empty VALUES (1, 1), (2, 1); INSERT INTO unnamed VALUES (1);",
        );
        let outcome = replace(&database, r#"{"named": [{"id": 2}], "empty": []}"#);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(outcome.relation("empty").deleted, 2, "{database:?}");
        let sql = "SELECT (SELECT max(id) FROM named), (SELECT count(*) FROM empty), (SELECT count(*) FROM unnamed)";
        assert_eq!(lines(&database, sql), ["2|0|1"], "{database:?}");
    }
}

#[test]
fn the_lists_of_replaced_records_replace_their_join_table() {
    let schema = "app_user(id pk, name text)\napp_group(id pk, name text)
        app_user_groups(id pk, user_id -> app_user.id, group_id -> app_group.id, unique(user_id, group_id))";
    for database in each("replace_lists", schema) {
        database.run(
            "INSERT INTO app_user VALUES (1, 'a'), (2, 'b'); INSERT INTO app_group VALUES (1, 'x'), (2, 'y');
             INSERT INTO app_user_groups VALUES (1, 1, 1), (2, 2, 2);",
        );
        let export = r#"[{"model": "app.user", "pk": 1, "fields": {"name": "z", "groups": [2]}}, {"model": "app.user", "pk": 5, "fields": {"name": "e", "groups": [2, 3]}},
            {"model": "app.group", "pk": 2, "fields": {"name": "y"}}, {"model": "app.group", "pk": 3, "fields": {"name": "n"}}]"#;
        let sql = "SELECT u.name, g.name FROM app_user_groups j JOIN app_user u ON u.id = j.user_id JOIN app_group g ON g.id = j.group_id ORDER BY 1, 2";
        replaced(&database, export, sql, &["e|n", "e|y", "z|y"]);
    }
}

#[test]
fn one_table_is_replaced_where_the_configuration_says_so_for_it() {
    for database in each(
        "replace_one",
        "kinds(id pk, name varchar(40) unique)\nsettings(id pk, name varchar(40) unique, kind_id -> kinds.id)",
    ) {
        database
            .run("INSERT INTO kinds VALUES (1, 'a'), (2, 'b'); INSERT INTO settings VALUES (1, 'x', 1), (2, 'y', 2);");
        let export = Export::new(
            r#"{"kinds": [{"id": 1, "name": "a"}, {"id": 3, "name": "c"}], "settings": [{"id": 2, "name": "z", "kind_id": 3}]}"#,
        );
        let outcome =
            Restore::of(&export).config("[table.settings]\nmode = \"replace\"").mode(Mode::Skip).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(lines(&database, "SELECT id, name FROM kinds ORDER BY id"), ["1|a", "2|b", "3|c"], "{database:?}");
        assert_eq!(lines(&database, "SELECT id, name, kind_id FROM settings"), ["2|z|3"], "{database:?}");
    }
}

#[test]
fn a_replacement_that_is_refused_later_deletes_nothing() {
    for database in each("replace_refused", "items(id pk, amount int check amount >= 0)") {
        database.run("INSERT INTO items VALUES (1, 1), (2, 2);");
        let before = Contents::of(&database);
        let outcome = replace(&database, r#"{"items": [{"id": 1, "amount": 5}, {"id": 7, "amount": -1}]}"#);
        assert_eq!(outcome.report.status, Status::Refused, "{database:?}");
        before.assert_unchanged(&database);
    }
}
