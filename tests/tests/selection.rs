//! Which records are restored, and which of them the keys over a part of a table's rows, or over expressions, tell apart.

use relink_e2e::{Contents, Export, Failure, Outcome, Restore, each, lines};
use relink_model::{Mode, OnError, config::ConfigError};
use relink_restore::{Error, LeftOutBy, Options, Status, code};
use relink_testkit::TestDatabase;

const SCHEMA: &str = "shop_author(id pk, name varchar(40) unique)
    shop_post(id pk, author_id -> shop_author.id, title varchar(40), score int null)
    shop_tag(id pk, name varchar(40))
    shop_post_tags(id pk, post_id int -> shop_post.id, tag_id int -> shop_tag.id, unique(post_id, tag_id))";

const EXPORT: &str = r#"[
{"model": "shop.author", "pk": 1, "fields": {"name": "Ann"}},
{"model": "shop.author", "pk": 2, "fields": {"name": "Bob"}},
{"model": "shop.tag", "pk": 1, "fields": {"name": "new"}},
{"model": "shop.post", "pk": 1, "fields": {"author": 1, "title": "first", "score": 5, "tags": [1]}},
{"model": "shop.post", "pk": 2, "fields": {"author": 2, "title": "second", "score": null, "tags": []}},
{"model": "shop.post", "pk": 3, "fields": {"author": 2, "title": "third", "score": 9, "tags": [1]}}
]"#;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `--only`.
fn only(tables: &[&str]) -> impl FnOnce(&mut Options) + use<> {
    let tables = names(tables);
    move |options| options.selection.only = tables
}

/// `--exclude`.
fn exclude(tables: &[&str]) -> impl FnOnce(&mut Options) + use<> {
    let tables = names(tables);
    move |options| options.selection.exclude = tables
}

/// `--where`.
fn condition(table: &str, sql: &str) -> impl FnOnce(&mut Options) + use<> {
    let condition = (table.to_owned(), sql.to_owned());
    move |options| options.selection.conditions.push(condition)
}

/// What was left out, and by what.
fn ignored(outcome: &Outcome) -> Vec<(String, u64, LeftOutBy)> {
    outcome.report.ignored.iter().map(|ignored| (ignored.label.clone(), ignored.records, ignored.by)).collect()
}

fn of_selection(label: &str, records: u64) -> (String, u64, LeftOutBy) {
    (label.to_owned(), records, LeftOutBy::Selection)
}

/// The rows of every table, counted.
fn counts(database: &TestDatabase) -> [String; 4] {
    ["shop_author", "shop_post", "shop_tag", "shop_post_tags"]
        .map(|table| database.value(&format!("SELECT count(*) FROM {table}")))
}

/// The mistakes in the configuration for which nothing was done.
fn mistakes(database: &TestDatabase, set: impl FnOnce(&mut Options)) -> Vec<ConfigError> {
    let before = Contents::of(database);
    let failed = Restore::of(&Export::new(EXPORT)).options(set).try_into(database);
    before.assert_unchanged(database);
    match failed {
        Err(Failure::Restore(Error::Config(mistakes))) => mistakes,
        other => panic!("{database:?}: {other:#?}"),
    }
}

#[test]
fn tables_are_chosen_by_their_names_or_labels_in_any_case() {
    for chosen in [["shop_author", "shop_tag"], ["shop.author", "shop.Tag"], ["ShopAuthor", "SHOP_TAG"]] {
        for database in each("only", SCHEMA) {
            let outcome = Restore::of(&Export::new(EXPORT)).options(only(&chosen)).into(&database);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
            assert_eq!(counts(&database), ["2", "0", "1", "0"], "{database:?} {chosen:?}");
            assert_eq!(ignored(&outcome), [of_selection("shop.post", 3)], "{database:?}");
            assert_eq!(outcome.report.totals.read, 3);
        }
    }
}

#[test]
fn what_is_excluded_stays_out_and_lists_come_along_with_their_records() {
    for database in each("exclude", SCHEMA) {
        let export = Export::new(EXPORT);
        let outcome = Restore::of(&export).options(exclude(&["shop_post"])).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(counts(&database), ["2", "0", "1", "0"], "{database:?}");
        // What the others refer to is there by now.
        let outcome = Restore::of(&export).options(only(&["shop.post"])).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(counts(&database), ["2", "3", "1", "2"], "{database:?}");
        assert_eq!(ignored(&outcome), [of_selection("shop.author", 2), of_selection("shop.tag", 1)], "{database:?}");
    }
    for database in each("exclude_lists", SCHEMA) {
        let outcome = Restore::of(&Export::new(EXPORT)).options(exclude(&["shop_post_tags"])).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(counts(&database), ["2", "3", "1", "0"], "{database:?}");
    }
}

#[test]
fn records_are_chosen_by_a_condition_in_the_databases_own_sql() {
    for database in each("conditions", SCHEMA) {
        let export = Export::new(EXPORT);
        let restore = || {
            Restore::of(&export)
                .options(condition("shop.post", "score > 4 OR title LIKE 'nothing%'"))
                .options(condition("shop_post", "length(title) = 5"))
        };
        let outcome = restore().into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        let posts = lines(&database, "SELECT title FROM shop_post ORDER BY id");
        assert_eq!(posts, ["first", "third"], "{database:?}");
        assert_eq!(counts(&database), ["2", "2", "1", "2"], "{database:?}");
        assert_eq!(ignored(&outcome), [of_selection("shop_post", 1)], "{database:?}");
        assert_eq!((outcome.counts("shop_post").read, outcome.counts("shop_post").inserted), (2, 2), "{database:?}");
        let step = outcome.report.plan.steps.iter().find(|step| step.relations[0].name == "shop_post");
        assert_eq!(step.map(|step| step.records), Some(2), "{database:?}");
        let again = restore().mode(Mode::Upsert).into(&database);
        assert_eq!(again.counts("shop_post").unchanged, 2, "{database:?}: {:#?}", again.told());
    }
    for database in each("conditions_none", SCHEMA) {
        let outcome = Restore::of(&Export::new(EXPORT)).options(condition("shop_post", "score > 1000")).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(counts(&database), ["2", "0", "1", "0"], "{database:?}");
        assert!(outcome.report.relations.iter().all(|relation| relation.relation.name != "shop_post"), "{database:?}");
    }
}

#[test]
fn a_reference_to_what_is_left_out_must_find_its_row_and_the_filter_is_named() {
    for database in each("left_out", SCHEMA) {
        let before = Contents::of(&database);
        let export = Export::new(EXPORT);
        let told = |outcome: &Outcome, field: &str| -> Vec<String> {
            let found = outcome.findings(code::DANGLING_REFERENCE);
            let found = found.iter().filter(|finding| finding.field.as_deref() == Some(field));
            found.map(|finding| finding.help.clone().unwrap_or_default()).collect()
        };
        let outcome = Restore::of(&export).options(only(&["shop_post", "shop_tag"])).into(&database);
        let helps = told(&outcome, "author");
        assert_eq!(helps.len(), 3, "{database:?}: {:#?}", outcome.told());
        assert!(helps.iter().all(|help| help.starts_with("--only leaves out records of shop_author")), "{helps:?}");
        let outcome = Restore::of(&export).options(exclude(&["shop.author"])).into(&database);
        let helps = told(&outcome, "author");
        assert!(helps.len() == 3 && helps[0].starts_with("--exclude leaves out"), "{database:?}: {helps:?}");
        let outcome = Restore::of(&export).options(condition("shop_author", "name = 'Bob'")).into(&database);
        let helps = told(&outcome, "author");
        assert!(helps.len() == 1 && helps[0].starts_with("--where leaves out"), "{database:?}: {helps:?}");
        assert_eq!(outcome.report.status, Status::Refused);
        // An element of a list is a reference like any other.
        let outcome = Restore::of(&export).options(exclude(&["shop_tag"])).into(&database);
        let helps: Vec<_> =
            outcome.findings(code::DANGLING_REFERENCE).into_iter().map(|found| found.help.clone()).collect();
        assert_eq!(helps.len(), 2, "{database:?}: {:#?}", outcome.told());
        assert!(helps.iter().flatten().all(|help| help.starts_with("--exclude leaves out")), "{database:?}: {helps:?}");
        before.assert_unchanged(&database);
        database.run("INSERT INTO shop_author (id, name) VALUES (1, 'Ann');");
        let outcome = Restore::of(&export).options(condition("shop_author", "name = 'Bob'")).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(counts(&database), ["2", "3", "1", "2"], "{database:?}");
    }
}

#[test]
fn names_and_conditions_that_mean_nothing_are_mistakes_of_the_command_line() {
    for database in each("selection_mistakes", SCHEMA) {
        let unknown = mistakes(&database, |options| {
            only(&["shop_authr"])(options);
            exclude(&["shop.pots"])(options);
            condition("nothing_like_it", "1 = 1")(options);
        });
        let told: Vec<String> = unknown.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{database:?}: {told:?}");
        assert!(told[0].contains("shop_authr") && told[0].contains("did you mean \"shop_author\"?"), "{told:?}");
        assert!(told[1].contains("shop.pots"), "{told:?}");
        let wrong = mistakes(&database, |options| {
            condition("shop_post", "scoer > 4")(options);
            condition("shop_post", "score > 0")(options);
            condition("shop.tag", "name = ")(options);
            condition("shop_author", "1; DROP TABLE shop_tag")(options);
        });
        let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 3, "{database:?}: {told:?}");
        assert!(
            told.iter().any(|told| told.starts_with("--where \"shop_post: scoer > 4\": ") && told.contains("scoer"))
        );
        assert!(told.iter().any(|told| told.starts_with("--where \"shop.tag: name = \"")), "{told:?}");
    }
}

#[test]
fn a_condition_that_fails_for_some_value_is_named_too() {
    let Some(database) = each("condition_fails", SCHEMA).into_iter().find(|database| database.dialect() == "postgres")
    else {
        return;
    };
    let found = mistakes(&database, condition("shop_post", "10 / (score - 5) > 0"));
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(
        told.len() == 1 && told[0].contains("10 / (score - 5)") && told[0].contains("division by zero"),
        "{told:?}"
    );
}

#[test]
fn a_condition_on_a_reference_by_natural_key_is_refused_and_not_guessed() {
    for database in each("condition_natural", SCHEMA) {
        let before = Contents::of(&database);
        let export = Export::new(EXPORT.replace("\"author\": 2", "\"author\": [\"Bob\"]"));
        let failed = Restore::of(&export).options(condition("shop_post", "author_id = 2")).try_into(&database);
        let Err(Failure::Restore(Error::Config(mistakes))) = failed else { panic!("{database:?}: {failed:#?}") };
        let told = mistakes[0].to_string();
        assert!(told.contains("author_id = 2") && told.contains("natural key"), "{database:?}: {told}");
        before.assert_unchanged(&database);
        let outcome = Restore::of(&export).options(condition("shop_post", "score = 9")).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(counts(&database), ["2", "1", "1", "1"], "{database:?}");
    }
}

#[test]
fn replacement_clears_only_what_is_chosen() {
    for database in each("replace_chosen", SCHEMA) {
        database.run(
            "INSERT INTO shop_author (id, name) VALUES (1, 'old'), (2, 'Bob'), (8, 'gone'); INSERT INTO shop_tag (id, name) VALUES (7, 'kept');",
        );
        let outcome =
            Restore::of(&Export::new(EXPORT)).mode(Mode::Replace).options(only(&["shop.author"])).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(
            lines(&database, "SELECT id, name FROM shop_author ORDER BY id"),
            ["1|Ann", "2|Bob"],
            "{database:?}"
        );
        assert_eq!(lines(&database, "SELECT id, name FROM shop_tag"), ["7|kept"], "{database:?}");
    }
}

#[test]
fn labels_without_a_table_matter_only_where_they_are_chosen() {
    for database in each("only_unknown", SCHEMA) {
        let export = Export::new(EXPORT.replacen('[', "[{\"model\": \"old.thing\", \"pk\": 1, \"fields\": {}},", 1));
        let outcome = Restore::of(&export).options(only(&["shop_tag"])).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert!(ignored(&outcome).contains(&of_selection("old.thing", 1)), "{database:?}: {:?}", ignored(&outcome));
    }
}

/// Databases that have partial and expression indexes.
fn indexing(test_name: &str, ddl: &str) -> Vec<TestDatabase> {
    let databases: Vec<_> =
        TestDatabase::each(test_name).into_iter().filter(|database| database.dialect() != "mysql").collect();
    for database in &databases {
        database.run(ddl);
    }
    databases
}

const LIVE: &str =
    "CREATE TABLE users (id integer PRIMARY KEY, email varchar(50) NOT NULL, name varchar(50), deleted_at varchar(20));
    CREATE UNIQUE INDEX one_live ON users (email) WHERE deleted_at IS NULL;";

#[test]
fn rows_outside_a_partial_index_never_conflict_and_those_inside_do() {
    for database in indexing("partial", LIVE) {
        database.run("INSERT INTO users VALUES (1, 'a', 'old', NULL), (2, 'b', 'old', 'x');");
        let before = Contents::of(&database);
        let inside = Export::new(r#"{"users": [{"id": 10, "email": "a", "name": "n", "deleted_at": null}]}"#);
        let outcome = Restore::of(&inside).into(&database);
        assert!(!outcome.committed && outcome.report.findings[0].findings[0].place.is_some(), "{database:?}");
        let twice = Export::new(
            r#"{"users": [{"id": 10, "email": "c", "name": "n", "deleted_at": null}, {"id": 11, "email": "c", "name": "n", "deleted_at": null}]}"#,
        );
        let finding = Restore::of(&twice).into(&database);
        assert_eq!(finding.only(code::DUPLICATE_KEY).constraint.as_deref(), Some("one_live"), "{database:?}");
        before.assert_unchanged(&database);
        let outside = Export::new(
            r#"{"users": [{"id": 10, "email": "a", "name": "n", "deleted_at": "y"}, {"id": 11, "email": "a", "name": "n", "deleted_at": "z"},
                          {"id": 12, "email": "b", "name": "n", "deleted_at": null}]}"#,
        );
        let outcome = Restore::of(&outside).into(&database);
        assert!(outcome.committed && outcome.report.findings.is_empty(), "{database:?}: {:#?}", outcome.told());
        assert_eq!(database.value("SELECT count(*) FROM users"), "5", "{database:?}");
    }
}

#[test]
fn an_upsert_goes_by_a_partial_index_and_twice_is_once() {
    for database in indexing("partial_upsert", "") {
        let numbered = if database.dialect() == "postgres" { "serial" } else { "integer" };
        database.run(&LIVE.replacen("integer", numbered, 1));
        database.run(
            "INSERT INTO users (email, name, deleted_at) VALUES ('a', 'live', NULL), ('a', 'dead', 'x'), ('b', 'dead', 'x');",
        );
        let export = Export::new(
            r#"{"users": [{"email": "a", "name": "new", "deleted_at": null}, {"email": "b", "name": "born", "deleted_at": null}]}"#,
        );
        for (updated, inserted) in [(1, 1), (0, 0)] {
            let outcome = Restore::of(&export).mode(Mode::Upsert).into(&database);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
            let counts = outcome.counts("users");
            assert_eq!((counts.updated, counts.inserted), (updated, inserted), "{database:?}: {counts:?}");
            let rows = lines(&database, "SELECT id, email, name, deleted_at FROM users ORDER BY id");
            assert_eq!(rows, ["1|a|new|NULL", "2|a|dead|x", "3|b|dead|x", "4|b|born|NULL"], "{database:?}");
        }
    }
}

#[test]
fn a_row_that_a_partial_index_finds_and_nothing_names_is_not_updated() {
    for database in indexing("partial_unnamed", &LIVE.replace("id integer PRIMARY KEY, ", "")) {
        database.run("INSERT INTO users VALUES ('a', 'live', NULL), ('a', 'dead', 'x');");
        let before = Contents::of(&database);
        let export = Export::new(r#"{"users": [{"email": "a", "name": "new", "deleted_at": null}]}"#);
        let outcome = Restore::of(&export).mode(Mode::Upsert).into(&database);
        let finding = outcome.only(code::NO_IDENTITY);
        assert!(finding.help.as_ref().is_some_and(|help| help.contains("natural_key")), "{database:?}: {finding:#?}");
        let skipped = Restore::of(&export).mode(Mode::Skip).dry_run(true).into(&database);
        assert_eq!(skipped.counts("users").skipped, 1, "{database:?}: {:#?}", skipped.told());
        before.assert_unchanged(&database);
        let config = "[table.users]\nnatural_key = [\"email\", \"deleted_at\"]";
        let outcome = Restore::of(&export).mode(Mode::Upsert).config(config).into(&database);
        assert_eq!(outcome.counts("users").updated, 1, "{database:?}: {:#?}", outcome.told());
        let rows = lines(&database, "SELECT name, deleted_at FROM users ORDER BY name");
        assert_eq!(rows, ["dead|x", "new|NULL"], "{database:?}");
    }
}

#[test]
fn an_upsert_by_id_moves_rows_into_and_out_of_a_partial_index() {
    for database in indexing("partial_moves", LIVE) {
        database.run("INSERT INTO users VALUES (1, 'a', 'x', NULL), (2, 'a', 'y', 'gone');");
        let export = Export::new(
            r#"{"users": [{"id": 2, "email": "a", "name": "y", "deleted_at": null}, {"id": 1, "email": "a", "name": "x", "deleted_at": "gone"}]}"#,
        );
        for _ in 0..2 {
            let outcome = Restore::of(&export).mode(Mode::Upsert).into(&database);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
            assert_eq!(
                lines(&database, "SELECT id, deleted_at FROM users ORDER BY id"),
                ["1|gone", "2|NULL"],
                "{database:?}"
            );
        }
    }
}

#[test]
fn a_partial_index_over_references_by_natural_key_is_never_misread() {
    let ddl = "CREATE TABLE nodes (id integer PRIMARY KEY, name varchar(20) NOT NULL, parent_id integer REFERENCES nodes, code varchar(20) NOT NULL UNIQUE);
        CREATE UNIQUE INDEX one_root ON nodes (name) WHERE parent_id IS NULL;
        CREATE UNIQUE INDEX one_child ON nodes (name, parent_id) WHERE parent_id IS NOT NULL;";
    for database in indexing("partial_natural", ddl) {
        let config = "[table.nodes]\nnatural_key = [\"code\"]";
        let export = |last: &str| {
            Export::new(format!(
                r#"[{{"model": "nodes", "pk": 1, "fields": {{"name": "a", "parent": null, "code": "1"}}}},
{{"model": "nodes", "pk": 2, "fields": {{"name": "a", "parent": ["1"], "code": "2"}}}},
{{"model": "nodes", "pk": 3, "fields": {{"name": "a", "parent": ["2"], "code": "3"}}}},
{{"model": "nodes", "pk": 4, "fields": {{"name": "{last}", "parent": ["1"], "code": "4"}}}}]"#
            ))
        };
        let before = Contents::of(&database);
        let refused = Restore::of(&export("a")).config(config).into(&database);
        let all: Vec<_> = refused.report.findings.iter().flat_map(|group| &group.findings).collect();
        assert_eq!(all.len(), 1, "{database:?}: {:#?}", refused.told());
        assert_eq!(all[0].place.as_ref().map(|place| place.line), Some(4), "{database:?}: {:#?}", refused.told());
        before.assert_unchanged(&database);
        for mode in [Mode::Insert, Mode::Upsert, Mode::Upsert] {
            let outcome = Restore::of(&export("b")).config(config).mode(mode).into(&database);
            assert!(outcome.committed, "{database:?} {mode:?}: {:#?}", outcome.told());
        }
        assert_eq!(database.value("SELECT count(*) FROM nodes"), "4", "{database:?}");
    }
}

#[test]
fn an_expression_index_refuses_with_the_place_and_lets_an_upsert_by_id_through() {
    let ddl = "CREATE TABLE users (id integer PRIMARY KEY, email varchar(50)); CREATE UNIQUE INDEX one_mail ON users (lower(email));";
    for database in indexing("expression", ddl) {
        database.run("INSERT INTO users VALUES (1, 'A@x');");
        let before = Contents::of(&database);
        for export in [
            "{\"users\": [{\"id\": 5, \"email\": \"c\"},\n{\"id\": 6, \"email\": \"a@X\"}]}",
            "{\"users\": [{\"id\": 5, \"email\": \"Q\"},\n{\"id\": 6, \"email\": \"q\"}]}",
        ] {
            for mode in [Mode::Insert, Mode::Upsert] {
                let outcome = Restore::of(&Export::new(export)).mode(mode).into(&database);
                let finding = outcome.only(code::REFUSED_ROW);
                assert_eq!(finding.place.as_ref().map(|place| place.line), Some(2), "{database:?}: {finding:#?}");
                before.assert_unchanged(&database);
            }
        }
        let rejecting = Export::new("{\"users\": [{\"id\": 5, \"email\": \"c\"},\n{\"id\": 6, \"email\": \"a@X\"}]}");
        let outcome =
            Restore::of(&rejecting).options(|options| options.on_error = OnError::Reject).dry_run(true).into(&database);
        assert_eq!((outcome.counts("users").inserted, outcome.counts("users").rejected), (1, 1), "{database:?}");
        let export = Export::new(r#"{"users": [{"id": 1, "email": "a@X"}, {"id": 2, "email": "b"}]}"#);
        for _ in 0..2 {
            let outcome = Restore::of(&export).mode(Mode::Upsert).into(&database);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
            assert_eq!(lines(&database, "SELECT id, email FROM users ORDER BY id"), ["1|a@X", "2|b"], "{database:?}");
        }
    }
}

#[test]
fn equal_nulls_tell_rows_apart_in_an_upsert() {
    let Some(database) = TestDatabase::postgres("equal_nulls") else { return };
    database.run(
        "CREATE TABLE stock (place integer, shelf integer, amount integer, CONSTRAINT one_shelf UNIQUE NULLS NOT DISTINCT (place, shelf));
         INSERT INTO stock VALUES (1, NULL, 5), (1, 2, 6);",
    );
    let export = Export::new(
        r#"{"stock": [{"place": 1, "shelf": null, "amount": 50}, {"place": 1, "shelf": 3, "amount": 60}, {"place": null, "shelf": null, "amount": 70}]}"#,
    );
    for (updated, inserted) in [(1, 2), (0, 0)] {
        let outcome = Restore::of(&export).mode(Mode::Upsert).into(&database);
        assert!(outcome.committed, "{:#?}", outcome.told());
        let counts = outcome.counts("stock");
        assert_eq!((counts.updated, counts.inserted), (updated, inserted), "{counts:?}");
        let rows = lines(&database, "SELECT place, shelf, amount FROM stock ORDER BY amount");
        assert_eq!(rows, ["1|2|6", "1|NULL|50", "1|3|60", "NULL|NULL|70"]);
    }
}

#[test]
fn a_selection_that_leaves_nothing_is_a_mistake_and_an_export_of_nothing_but_strangers_too() {
    for database in each("nothing_left", "items(id pk, name text)\nothers(id pk, name text)") {
        let export = Export::new(r#"{"items": [{"id": 1, "name": "a"}]}"#);
        let selected = |only: &str, exclude: &str| relink_restore::Selection {
            only: vec![only.to_owned()],
            exclude: vec![exclude.to_owned()],
            conditions: Vec::new(),
            wanted: None,
        };
        for selection in [selected("items", "items"), selected("others", "items")] {
            let failed = Restore::of(&export).options(|options| options.selection = selection).try_into(&database);
            assert!(matches!(failed, Err(Failure::Restore(Error::Config(_)))), "{database:?}: {failed:#?}");
        }
        let strangers = Export::new(r#"{"strangers": [{"id": 1}], "unknowns": [{"id": 1}]}"#);
        let drift = |options: &mut relink_restore::Options| options.allow_drift = relink_model::AllowDrift::Models;
        let outcome = Restore::of(&strangers).options(drift).into(&database);
        outcome.only(code::UNKNOWN_MODEL);
        assert_eq!(outcome.report.status, Status::Refused, "{database:?}");
    }
}
