//! The rungs of the ladder: by which way rows get in, what becomes of those that a rung refuses, and that what went in out of order holds.

use relink_e2e::{Contents, Export, Failure, Outcome, Restore, Role, each, lines};
use relink_model::{OnError, Strategy, config::ConfigError};
use relink_restore::{Error, Rungs, Status, code};
use relink_testkit::TestDatabase;

/// The strategies that a database knows.
fn strategies(database: &TestDatabase) -> Vec<Strategy> {
    let mut known = vec![Strategy::Auto, Strategy::Insert, Strategy::Row, Strategy::Raw];
    if database.dialect() == "postgres" {
        known.push(Strategy::Bulk);
    }
    known
}

/// The rung from which every batch starts by default.
fn first_rung(database: &TestDatabase, rows: u64) -> Rungs {
    if database.dialect() == "postgres" {
        Rungs { bulk: rows, ..Rungs::default() }
    } else {
        Rungs { insert: rows, ..Rungs::default() }
    }
}

fn expected_rungs(database: &TestDatabase, strategy: Strategy, rows: u64) -> Rungs {
    match strategy {
        Strategy::Auto => first_rung(database, rows),
        Strategy::Bulk => Rungs { bulk: rows, ..Rungs::default() },
        Strategy::Insert => Rungs { insert: rows, ..Rungs::default() },
        Strategy::Row => Rungs { row: rows, ..Rungs::default() },
        Strategy::Raw => Rungs { raw: rows, ..Rungs::default() },
    }
}

const KINDS: &str = "owners(id pk, name text unique)
    things(id pk, owner_id int null -> owners.id, big bigint null, label text null, short varchar(20) null, price decimal(20,6) null, done bool null,
           day date null, at timestamp null, content bytes null, document json null, token uuid null, weight float null)";

const THINGS: &str = r#"[
{"model": "owner", "pk": 3, "fields": {"name": "O'Neill \\ \"x\""}},
{"model": "thing", "pk": 1, "fields": {"owner_id": ["O'Neill \\ \"x\""], "big": 9223372036854775807, "label": "line\nbreak\ttab \\N \\. 'quote' \u00fc\ud83d\ude00", "short": "",
    "price": "-12345678.567891", "done": true, "day": "1999-12-31", "at": "2026-03-29T02:30:00.123456", "content": "AP9cJwo=",
    "document": "{\"a\": [1, 2.50, null, \"x\"], \"b\": \"'\"}", "token": "9f8b8e6c-0000-4000-8000-000000000001", "weight": 0.1}},
{"model": "thing", "pk": 2, "fields": {"owner_id": null, "big": -9223372036854775807, "label": null, "short": null, "price": null, "done": null,
    "day": null, "at": null, "content": null, "document": null, "token": null, "weight": null}},
{"model": "thing", "pk": 3, "fields": {"owner_id": 3, "big": 0, "label": "\\\\", "short": "NULL", "price": "0.000001", "done": false, "day": "0001-01-01",
    "at": "1970-01-01T00:00:00", "content": "", "document": "[]", "token": "00000000-0000-0000-0000-000000000000", "weight": -1.5e300}}
]"#;

const KINDS_CONFIG: &str = "[table.owners]\nmodels = [\"owner\"]\n[table.things]\nmodels = [\"thing\"]\nread = { content = \"base64\", document = \"json-text\" }";

/// MySQL's dates begin in the year 1000.
fn things(database: &TestDatabase) -> Export {
    Export::new(if database.dialect() == "mysql" {
        THINGS.replace("0001-01-01", "1000-01-01")
    } else {
        THINGS.to_owned()
    })
}

#[test]
fn every_strategy_loads_the_same_rows_of_every_type() {
    let databases = TestDatabase::each("strategies").len();
    for kind in 0..databases {
        let mut first: Option<Vec<String>> = None;
        let count = strategies(&TestDatabase::each("strategies").remove(kind)).len();
        for at in 0..count {
            let database = each("strategies", KINDS).remove(kind);
            let strategy = strategies(&database)[at];
            let export = things(&database);
            let outcome = Restore::of(&export)
                .config(KINDS_CONFIG)
                .options(move |options| options.strategy = strategy)
                .into(&database);
            assert!(outcome.committed && outcome.report.findings.is_empty(), "{database:?}: {:#?}", outcome.told());
            assert_eq!(outcome.relation("things").rungs, expected_rungs(&database, strategy, 3), "{strategy:?}");
            assert_eq!(outcome.relation("owners").rungs, expected_rungs(&database, strategy, 1), "{strategy:?}");
            let rows = lines(&database, "SELECT * FROM things ORDER BY id");
            assert_eq!(rows.len(), 3);
            match &first {
                None => first = Some(rows),
                Some(first) => assert_eq!(*first, rows, "{database:?} {strategy:?}"),
            }
        }
    }
}

#[test]
fn every_strategy_writes_identities_arrays_and_what_only_the_server_reads() {
    let mut first: Option<Vec<String>> = None;
    for strategy in [Strategy::Auto, Strategy::Bulk, Strategy::Insert, Strategy::Row, Strategy::Raw] {
        let Some(database) = TestDatabase::postgres("strategies_postgres") else { return };
        database.run(
            "CREATE TYPE mood AS ENUM ('well', 'so, so');
             CREATE TABLE things (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tags text[], grid integer[], mood mood, span interval, net inet,
                 zoned timestamptz, twice integer GENERATED ALWAYS AS (id * 2) STORED, ratio double precision, bits bit(4));",
        );
        let export = Export::new(
            r#"{"things": [{"id": 41, "tags": ["a,b", "{}", "\"", null, "NULL"], "grid": [[1, 2], [3, 4]], "mood": "so, so", "span": "1 day 02:03:04.5", "net": "10.0.0.0/8",
                            "zoned": "2026-03-29T02:30:00+02:00", "twice": 82, "ratio": "NaN", "bits": "0101"},
                           {"id": 7, "tags": [], "grid": null, "mood": null, "span": "-1 mon", "net": "::1", "zoned": "infinity", "ratio": "-Infinity", "bits": null}]}"#,
        );
        let outcome = Restore::of(&export).options(move |options| options.strategy = strategy).into(&database);
        assert!(outcome.committed, "{strategy:?}: {:#?}", outcome.report);
        assert_eq!(outcome.relation("things").rungs, expected_rungs(&database, strategy, 2));
        let rows = lines(&database, "SELECT t.*::text FROM things t ORDER BY id");
        match &first {
            None => first = Some(rows),
            Some(first) => assert_eq!(*first, rows, "{strategy:?}"),
        }
        database.run("INSERT INTO things (mood) VALUES ('well');");
        assert_eq!(database.value("SELECT id FROM things WHERE mood = 'well'"), "42", "{strategy:?}");
    }
}

const ITEMS: &str = "items(id pk, late_id int null -> lates.id, name text)\nlates(id pk, item_id int -> items.id)";

/// Makes the database itself point one new item at a row that comes later, of which the export says nothing.
fn pointing_ahead(database: &TestDatabase, item: u32) {
    database.run(&match database.dialect() {
        "sqlite" => format!(
            "CREATE TRIGGER ahead AFTER INSERT ON items WHEN new.id = {item} BEGIN UPDATE items SET late_id = 1 WHERE id = new.id; END;"
        ),
        "postgres" => format!(
            "CREATE FUNCTION ahead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.late_id := 1; RETURN new; END $$;
             CREATE TRIGGER ahead BEFORE INSERT ON items FOR EACH ROW WHEN (new.id = {item}) EXECUTE FUNCTION ahead();"
        ),
        _ => format!("CREATE TRIGGER ahead BEFORE INSERT ON items FOR EACH ROW SET new.late_id = IF(new.id = {item}, 1, new.late_id);"),
    });
}

/// So many items, and one late row.
fn items(count: u32, late: u32) -> Export {
    let rows: Vec<String> = (1..=count).map(|id| format!(r#"{{"id": {id}, "name": "item {id}"}}"#)).collect();
    Export::new(format!("{{\"items\": [{}], \"lates\": [{{\"id\": {late}, \"item_id\": 3}}]}}", rows.join(",\n")))
}

#[test]
fn a_row_refused_for_the_order_of_rows_alone_goes_in_as_literal_sql_and_the_others_stay_on_their_rungs() {
    for database in each("raw_rung", ITEMS) {
        pointing_ahead(&database, 4_500);
        let outcome = Restore::of(&items(5_000, 1)).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        // Whole batches go down the first rung; only the batch with the row in question is taken apart.
        let rungs = outcome.relation("items").rungs;
        assert_eq!(rungs.raw, 1, "{database:?}: {rungs:?}");
        assert!(rungs.row > 0 && rungs.row < 1_000, "{database:?}: {rungs:?}");
        assert_eq!(first_rung(&database, rungs.bulk + rungs.insert), Rungs { row: 0, raw: 0, ..rungs }, "{database:?}");
        assert_eq!(outcome.relation("lates").rungs, first_rung(&database, 1), "{database:?}");
        assert_eq!(database.value("SELECT late_id FROM items WHERE id = 4500"), "1", "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM items"), "5000", "{database:?}");
        // The key is as strict as before.
        let enforce = if database.dialect() == "sqlite" { "PRAGMA foreign_keys = ON; " } else { "" };
        let orphan = format!("{enforce}INSERT INTO items (id, late_id, name) VALUES (6000, 99, 'x');");
        let orphan = database.try_run(&orphan);
        assert!(orphan.is_err(), "{database:?}");
    }
}

#[test]
fn a_row_that_went_in_out_of_order_and_does_not_hold_takes_everything_back() {
    for database in each("raw_broken", ITEMS) {
        pointing_ahead(&database, 40);
        let before = Contents::of(&database).constraints();
        let outcome = Restore::of(&items(50, 2)).into(&database);
        assert_eq!(outcome.report.status, Status::Refused, "{database:?}");
        assert_eq!(outcome.codes(), [code::VALIDATION], "{database:?}: {:#?}", outcome.told());
        assert_eq!(database.value("SELECT count(*) FROM items"), "0", "{database:?}");
        assert_eq!(before, Contents::of(&database).constraints());
    }
}

#[test]
fn what_went_in_out_of_order_is_committed_only_once_it_holds() {
    for database in each("raw_commits", ITEMS) {
        pointing_ahead(&database, 45);
        let every = |options: &mut relink_restore::Options| options.commit_every = Some(10);
        let outcome = Restore::of(&items(90, 2)).options(every).into(&database);
        assert_eq!(outcome.report.status, Status::Stopped, "{database:?}: {:#?}", outcome.told());
        assert_eq!(outcome.codes(), [code::VALIDATION], "{database:?}: {:#?}", outcome.told());
        assert_eq!(database.value("SELECT count(*) FROM items"), "40", "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM items WHERE late_id IS NOT NULL"), "0", "{database:?}");
    }
    for database in each("raw_commits_hold", ITEMS) {
        pointing_ahead(&database, 45);
        let outcome = Restore::of(&items(90, 1)).options(|options| options.commit_every = Some(10)).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(outcome.relation("items").rungs.raw, 1, "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM items"), "90", "{database:?}");
    }
}

#[test]
fn a_pinned_strategy_never_goes_down_the_ladder() {
    for database in each("pinned", ITEMS) {
        pointing_ahead(&database, 40);
        let before = Contents::of(&database);
        for strategy in strategies(&database).into_iter().filter(|strategy| *strategy != Strategy::Auto) {
            let outcome =
                Restore::of(&items(50, 1)).options(move |options| options.strategy = strategy).into(&database);
            assert_eq!(outcome.report.status, Status::Refused, "{database:?} {strategy:?}");
            let finding = outcome.only(code::REFUSED_ROW);
            assert_eq!(
                finding.place.as_ref().map(|place| place.line),
                Some(40),
                "{database:?} {strategy:?}: {finding:#?}"
            );
            before.assert_unchanged(&database);
        }
    }
}

#[test]
fn a_role_that_can_put_no_key_off_has_the_row_refused() {
    let Some(database) = each("raw_role", ITEMS).into_iter().find(|database| database.dialect() == "postgres") else {
        return;
    };
    pointing_ahead(&database, 40);
    let role = Role::new(&database);
    role.grant("ALL", &["items", "lates"]);
    let outcome = Restore::of(&items(50, 1)).url(role.url()).into(&database);
    let finding = outcome.only(code::REFUSED_ROW);
    assert_eq!(finding.place.as_ref().map(|place| place.line), Some(40), "{finding:#?}");
    assert_eq!(database.value("SELECT count(*) FROM items"), "0");
}

#[test]
fn a_refused_row_among_many_is_found_and_every_other_is_loaded_without_it() {
    for database in each("one_bad", "items(id pk, amount int check amount >= 0)\nother(id pk)") {
        for strategy in strategies(&database) {
            let rows: Vec<String> = (1..=300)
                .map(|id| format!(r#"{{"id": {id}, "amount": {}}}"#, if [77, 78, 299].contains(&id) { -1 } else { id }))
                .collect();
            let export = Export::new(format!("{{\"items\": [{}], \"other\": [{{\"id\": 1}}]}}", rows.join(",\n")));
            let restore = || Restore::of(&export).options(move |options| options.strategy = strategy);
            let refused = restore().into(&database);
            let places: Vec<_> = refused
                .findings(code::REFUSED_ROW)
                .iter()
                .map(|found| found.place.as_ref().map(|place| place.line))
                .collect();
            assert_eq!(places, [Some(77), Some(78), Some(299)], "{database:?} {strategy:?}");
            let outcome = restore().options(|options| options.on_error = OnError::Reject).into(&database);
            assert!(outcome.committed, "{database:?} {strategy:?}: {:#?}", outcome.told());
            assert_eq!((outcome.counts("items").inserted, outcome.counts("items").rejected), (297, 3), "{database:?}");
            assert_eq!(outcome.relation("items").rungs, expected_rungs(&database, strategy, 297), "{strategy:?}");
            database.run("DELETE FROM items; DELETE FROM other;");
        }
    }
}

#[test]
fn a_rule_that_the_bulk_path_would_pass_by_is_kept_by_inserts() {
    let Some(database) = TestDatabase::postgres("rule") else { return };
    database.run(
        "CREATE TABLE items (id integer PRIMARY KEY); CREATE TABLE seen (id integer); CREATE TABLE plain (id integer PRIMARY KEY);
         CREATE RULE notes AS ON INSERT TO items DO ALSO INSERT INTO seen VALUES (new.id);",
    );
    let rows: Vec<String> = (1..=5_000).map(|id| format!("{{\"id\": {id}}}")).collect();
    let export = Export::new(format!("{{\"items\": [{0}], \"plain\": [{0}]}}", rows.join(", ")));
    let before = Contents::of(&database);
    let pinned = Restore::of(&export).options(|options| options.strategy = Strategy::Bulk).try_into(&database);
    let Err(Failure::Restore(error @ Error::Bulk { .. })) = pinned else { panic!("{pinned:#?}") };
    let told = error.to_string();
    assert!(told.contains("items") && told.contains("rule notes") && told.contains("--strategy auto"), "{told}");
    before.assert_unchanged(&database);
    let outcome = Restore::of(&export).into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report);
    assert_eq!(outcome.relation("items").rungs, Rungs { insert: 5_000, ..Rungs::default() });
    assert_eq!(outcome.relation("plain").rungs, Rungs { bulk: 5_000, ..Rungs::default() });
    assert_eq!(database.value("SELECT count(DISTINCT id) FROM seen"), "5000");
}

#[test]
fn a_database_without_a_bulk_path_says_so_before_anything_else() {
    for database in each("no_bulk", "items(id pk)") {
        if database.dialect() == "postgres" {
            continue;
        }
        let before = Contents::of(&database);
        let export = Export::new(r#"{"items": [{"id": 1}]}"#);
        let failed = Restore::of(&export).options(|options| options.strategy = Strategy::Bulk).try_into(&database);
        let Err(Failure::Restore(Error::Config(mistakes))) = failed else { panic!("{database:?}: {failed:#?}") };
        assert!(
            matches!(mistakes.as_slice(), [ConfigError::NoBulkLoad { product }] if !product.is_empty()),
            "{mistakes:?}"
        );
        before.assert_unchanged(&database);
    }
}

/// The notes of all steps.
fn notes(outcome: &Outcome) -> Vec<String> {
    outcome.report.plan.steps.iter().flat_map(|step| step.notes.clone()).collect()
}

#[test]
fn the_plan_tells_what_happens_beside_plain_inserts() {
    let Some(database) = TestDatabase::postgres("plan_notes") else { return };
    database.run(
        "CREATE TABLE plain (id integer PRIMARY KEY);
         CREATE TABLE items (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, plain_id integer, place integer, doubled integer GENERATED ALWAYS AS (place * 2) STORED,
             CONSTRAINT items_plain FOREIGN KEY (plain_id) REFERENCES plain DEFERRABLE INITIALLY DEFERRED,
             CONSTRAINT one_place UNIQUE (place) DEFERRABLE INITIALLY DEFERRED);
         CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
         CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION nothing();
         CREATE TRIGGER gone AFTER DELETE ON items FOR EACH ROW EXECUTE FUNCTION nothing();
         CREATE TRIGGER off BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION nothing();
         ALTER TABLE items DISABLE TRIGGER off;",
    );
    let export = Export::new(r#"{"plain": [{"id": 1}], "items": [{"id": 5, "plain_id": 1, "place": 4}]}"#);
    let fires = Restore::of(&export).dry_run(true).into(&database);
    let expected = [
        "items: triggers fire: stamp (BEFORE INSERT OR UPDATE)",
        "items: id is GENERATED ALWAYS AS IDENTITY: rows go in OVERRIDING SYSTEM VALUE",
        "items: the database computes doubled",
        "items: checked after the last row: items_plain, one_place",
    ];
    assert_eq!(notes(&fires), expected);
    let off = Restore::of(&export).config("[restore]\ntriggers = \"disable\"").into(&database);
    assert!(off.committed, "{:#?}", off.report);
    assert_eq!(
        notes(&off)[0],
        "items: triggers are switched off for the load: gone (AFTER DELETE), stamp (BEFORE INSERT OR UPDATE)"
    );
    assert_eq!(lines(&database, "SELECT id, doubled FROM items"), ["5|8"]);
}

#[test]
fn deferred_constraints_fire_before_the_report_whatever_the_rung() {
    let Some(database) = TestDatabase::postgres("deferred_rungs") else { return };
    database.run(
        "CREATE TABLE items (id integer PRIMARY KEY, twin integer CONSTRAINT twins REFERENCES items DEFERRABLE INITIALLY DEFERRED);
         CREATE FUNCTION astray() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.twin := 99; RETURN new; END $$;",
    );
    let before = Contents::of(&database);
    database
        .run("CREATE TRIGGER astray BEFORE INSERT ON items FOR EACH ROW WHEN (new.id = 2) EXECUTE FUNCTION astray();");
    let export = Export::new(r#"{"items": [{"id": 1, "twin": 2}, {"id": 2, "twin": 1}]}"#);
    for strategy in strategies(&database) {
        let outcome =
            Restore::of(&export).dry_run(true).options(move |options| options.strategy = strategy).into(&database);
        let finding = outcome.only(code::VALIDATION);
        assert_eq!(finding.constraint.as_deref(), Some("twins"), "{strategy:?}: {finding:#?}");
        before.assert_unchanged(&database);
    }
    database.run("DROP TRIGGER astray ON items;");
    for strategy in strategies(&database) {
        let outcome = Restore::of(&export).options(move |options| options.strategy = strategy).into(&database);
        assert!(outcome.committed, "{strategy:?}: {:#?}", outcome.report);
        database.run("DELETE FROM items;");
    }
}
