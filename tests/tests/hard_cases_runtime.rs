//! Hard cases of running: limits, triggers, checks, rights, and the dry run that tells the truth and leaves no trace.

use std::fmt::Write as _;

use relink_e2e::{Contents, Export, Failure, Restore, Role, each, lines, refused, restored, same_but_for_the_dry_run};
use relink_restore::{Error, Mode, Status, code};
use relink_testkit::{TestDatabase, schema};

/// A table with so many columns, all but the key of small numbers, and a table map of so many rows of it.
fn wide(columns: usize, rows: usize) -> (String, String) {
    let names: Vec<String> = (1..columns).map(|n| format!("c{n}")).collect();
    let ddl = format!(
        "CREATE TABLE wide (id integer NOT NULL PRIMARY KEY, {});",
        names.iter().map(|name| format!("{name} smallint")).collect::<Vec<_>>().join(", ")
    );
    let mut export = String::from("{\"wide\": [");
    for row in 0..rows {
        write!(export, "{}{{\"id\": {row}", if row == 0 { "\n" } else { ",\n" }).expect("a string takes everything");
        for (at, name) in names.iter().enumerate() {
            write!(export, ",\"{name}\":{}", (row + at) % 1_000).expect("a string takes everything");
        }
        export.push('}');
    }
    export.push_str("]}");
    (ddl, export)
}

#[test]
fn many_columns_and_rows_stay_within_the_limit_of_parameters() {
    let (ddl, export) = wide(200, 2_000);
    for database in TestDatabase::each("many_parameters") {
        database.run(&ddl);
        let outcome = restored(&database, &export, "");
        assert_eq!(outcome.counts("wide").inserted, 2_000);
        let sum = (0..2_000).map(|row| (row + 198) % 1_000).sum::<usize>();
        assert_eq!(database.value("SELECT sum(c199) FROM wide"), sum.to_string(), "{database:?}");
        let report = &outcome.report.relations[0];
        assert_eq!(report.rungs.bulk + report.rungs.insert, 2_000, "no statement was refused: {database:?}");
    }
}

#[test]
fn as_many_columns_as_the_database_allows() {
    for (database, columns) in [
        (TestDatabase::postgres("all_columns"), 1_600),
        (TestDatabase::mysql("all_columns"), 1_000),
        (Some(TestDatabase::sqlite()), 1_999),
    ] {
        let Some(database) = database else { continue };
        let (ddl, export) = wide(columns, 60);
        database.run(&ddl);
        restored(&database, &export, "");
        let last = format!("SELECT count(*), sum(c{}) FROM wide", columns - 1);
        let sum: usize = (0..60).map(|row| (row + columns - 2) % 1_000).sum();
        assert_eq!(lines(&database, &last), [format!("60|{sum}")], "{database:?}");
    }
}

const FAMILY: &str =
    "parents(id pk, name text)\nchildren(id pk, parent_id int -> parents.id, twin_id int null -> children.id)";
const FAMILY_ROWS: &str = r#"{
    "children": [{"id": 3, "parent_id": 7, "twin_id": 4}, {"id": 4, "parent_id": 7, "twin_id": 3}, {"id": 5, "parent_id": 8, "twin_id": null}],
    "parents": [{"id": 7, "name": "a"}, {"id": 8, "name": "b"}]
}"#;

#[test]
fn sqlite_enforces_its_foreign_keys_although_it_does_so_for_nobody_by_default() {
    let database = TestDatabase::sqlite();
    database.run(&schema(FAMILY).ddl("sqlite"));
    restored(&database, FAMILY_ROWS, "");
    assert_eq!(lines(&database, "PRAGMA foreign_key_check"), Vec::<String>::new());
    // A trigger that breaks a reference behind relink's back is caught, as the pragma was on before the transaction began.
    database.run("CREATE TRIGGER spoil AFTER INSERT ON children WHEN new.id = 9 BEGIN UPDATE children SET parent_id = 404 WHERE id = 9; END;");
    let outcome = refused(&database, r#"{"children": [{"id": 9, "parent_id": 7, "twin_id": null}]}"#, "");
    assert_eq!(outcome.report.status, Status::Refused);
    assert_eq!(lines(&database, "PRAGMA foreign_key_check"), Vec::<String>::new());
}

/// A trigger on `parents` that writes an audit row for each row inserted.
fn audit(database: &TestDatabase) {
    let insert = "INSERT INTO audit (what) VALUES (new.name)";
    database.run(&match database.dialect() {
        "sqlite" => format!(
            "CREATE TABLE audit (id integer PRIMARY KEY AUTOINCREMENT, what text);
             CREATE TRIGGER note AFTER INSERT ON parents BEGIN {insert}; END;"
        ),
        "postgres" => format!(
            "CREATE TABLE audit (id bigserial PRIMARY KEY, what text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$;
             CREATE TRIGGER note AFTER INSERT ON parents FOR EACH ROW EXECUTE FUNCTION note();"
        ),
        _ => format!(
            "CREATE TABLE audit (id bigint AUTO_INCREMENT PRIMARY KEY, what text);
             CREATE TRIGGER note AFTER INSERT ON parents FOR EACH ROW {insert};"
        ),
    });
}

#[test]
fn a_dry_run_reports_what_the_real_run_reports_and_leaves_no_trace() {
    for database in each("no_trace", FAMILY) {
        database.run("INSERT INTO parents (id, name) VALUES (1, 'was there');");
        let before = Contents::of(&database);
        let export = Export::new(FAMILY_ROWS);
        for _ in 0..2 {
            let dry = Restore::of(&export).dry_run(true).into(&database);
            assert_eq!(dry.report.totals.inserted, 5, "{database:?}");
            assert!(!dry.committed);
            before.assert_unchanged(&database);
        }
        let dry = Restore::of(&export).dry_run(true).into(&database);
        let real = Restore::of(&export).into(&database);
        assert!(real.committed, "{database:?}: {:#?}", real.report);
        same_but_for_the_dry_run(&dry.report, &real.report);
        assert_ne!(Contents::of(&database), before, "{database:?}");
    }
}

#[test]
fn rows_of_an_audit_trigger_and_its_numbers_are_gone_after_a_dry_run() {
    for database in each("audit", FAMILY) {
        audit(&database);
        let before = Contents::of(&database);
        let export = Export::new(FAMILY_ROWS);
        let dry = Restore::of(&export).dry_run(true).into(&database);
        let after = Contents::of(&database);
        if database.dialect() == "sqlite" {
            assert_eq!(after, before);
        }
        assert_eq!(database.value("SELECT count(*) FROM audit"), "0", "{database:?}");
        let real = Restore::of(&export).into(&database);
        assert!(real.committed, "{database:?}: {:#?}", real.report);
        same_but_for_the_dry_run(&dry.report, &real.report);
        assert_eq!(lines(&database, "SELECT what FROM audit ORDER BY what"), ["a", "b"], "{database:?}");
    }
}

#[test]
fn numbers_that_a_trigger_draws_in_a_dry_run_are_put_back() {
    for database in each("audit_numbers", FAMILY) {
        audit(&database);
        let before = Contents::of(&database);
        Restore::of(&Export::new(FAMILY_ROWS)).dry_run(true).into(&database);
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_dry_run_that_is_refused_reports_what_the_real_run_reports() {
    for database in each("refused_dry_run", &format!("{FAMILY}\nrules(id pk, n int check n < 5)")) {
        let before = Contents::of(&database);
        let export = Export::new(
            "{\"rules\": [\n{\"id\": 1, \"n\": 4},\n{\"id\": 2, \"n\": 5},\n{\"id\": 3, \"n\": 3},\n{\"id\": 4, \"n\": 6}]}",
        );
        let dry = Restore::of(&export).dry_run(true).into(&database);
        let real = Restore::of(&export).into(&database);
        same_but_for_the_dry_run(&dry.report, &real.report);
        let places: Vec<_> =
            real.findings(code::REFUSED_ROW).iter().map(|found| found.place.as_ref().map(|place| place.line)).collect();
        assert_eq!(places, [Some(3), Some(5)], "{database:?}");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_dry_run_in_mode_skip_tells_the_same_as_the_real_run() {
    for database in each("skip_dry_run", FAMILY) {
        database.run("INSERT INTO parents (id, name) VALUES (7, 'kept');");
        let before = Contents::of(&database);
        let export = Export::new(FAMILY_ROWS);
        let dry = Restore::of(&export).mode(Mode::Skip).dry_run(true).into(&database);
        before.assert_unchanged(&database);
        let real = Restore::of(&export).mode(Mode::Skip).into(&database);
        same_but_for_the_dry_run(&dry.report, &real.report);
        assert_eq!((real.counts("parents").skipped, real.counts("parents").inserted), (1, 1), "{database:?}");
        assert_eq!(lines(&database, "SELECT name FROM parents ORDER BY id"), ["kept", "b"], "{database:?}");
    }
}

#[test]
fn a_dry_run_into_an_empty_place_makes_no_file_and_no_table() {
    for database in TestDatabase::each("no_file") {
        let before = Contents::of(&database);
        let export = Export::new(FAMILY_ROWS);
        let outcome =
            Restore::of(&export).schema(&schema(FAMILY).ddl(database.dialect())).dry_run(true).into(&database);
        assert_eq!(outcome.report.totals.inserted, 5, "{database:?}");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_dry_run_leaves_an_sqlite_file_with_a_write_ahead_log_as_it_was() {
    let database = TestDatabase::sqlite();
    database.run("PRAGMA journal_mode = WAL;");
    database.run(&schema(FAMILY).ddl("sqlite"));
    let before = Contents::of(&database);
    let export = Export::new(FAMILY_ROWS);
    assert_eq!(Restore::of(&export).dry_run(true).into(&database).report.totals.inserted, 5);
    before.assert_unchanged(&database);
    assert!(Restore::of(&export).into(&database).committed);
    assert_eq!(lines(&database, "PRAGMA journal_mode"), ["wal"]);
}

#[test]
fn a_refused_restore_takes_the_schema_that_it_made_along() {
    for database in TestDatabase::each("refused_schema") {
        let before = Contents::of(&database);
        let export = Export::new(r#"{"children": [{"id": 3, "parent_id": 404, "twin_id": null}]}"#);
        let outcome = Restore::of(&export).schema(&schema(FAMILY).ddl(database.dialect())).into(&database);
        outcome.only(code::DANGLING_REFERENCE);
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_row_that_a_trigger_refuses_is_named_in_the_triggers_words() {
    for database in each("raising_trigger", FAMILY) {
        database.run(match database.dialect() {
            "sqlite" => "CREATE TRIGGER no BEFORE INSERT ON parents WHEN new.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no such luck'); END;",
            "postgres" => {
                "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.name = 'bad' THEN RAISE 'no such luck'; END IF; RETURN new; END $$;
                 CREATE TRIGGER no BEFORE INSERT ON parents FOR EACH ROW EXECUTE FUNCTION no();"
            }
            _ => "DELIMITER //\nCREATE TRIGGER no BEFORE INSERT ON parents FOR EACH ROW BEGIN IF new.name = 'bad' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no such luck'; END IF; END//\nDELIMITER ;",
        });
        let outcome = refused(
            &database,
            "{\"parents\": [\n{\"id\": 1, \"name\": \"good\"},\n{\"id\": 2, \"name\": \"bad\"},\n{\"id\": 3, \"name\": \"good\"}]}",
            "",
        );
        let finding = outcome.only(code::REFUSED_ROW);
        assert!(finding.message.contains("no such luck"), "{database:?}: {finding:#?}");
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(3), "{database:?}");
    }
}

#[test]
fn a_trigger_that_swallows_rows_is_noticed() {
    for database in each("swallowing_trigger", FAMILY) {
        match database.dialect() {
            "sqlite" => database.run("CREATE TRIGGER swallow BEFORE INSERT ON parents WHEN new.name = 'a' BEGIN SELECT RAISE(IGNORE); END;"),
            "postgres" => database.run(
                "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.name = 'a' THEN RETURN NULL; END IF; RETURN new; END $$;
                 CREATE TRIGGER swallow BEFORE INSERT ON parents FOR EACH ROW EXECUTE FUNCTION swallow();",
            ),
            _ => continue, // whose triggers cannot
        }
        let before = Contents::of(&database);
        let export = Export::new(r#"{"parents": [{"id": 7, "name": "a"}, {"id": 8, "name": "b"}]}"#);
        let result = Restore::of(&export).try_into(&database);
        assert!(!result.is_ok_and(|outcome| outcome.committed), "{database:?}: a row is missing");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_check_that_looks_at_another_table_names_the_row_and_itself() {
    let Some(database) = TestDatabase::postgres("check_elsewhere") else { return };
    database.run(
        "CREATE TABLE limits (id integer PRIMARY KEY, most integer NOT NULL);
         CREATE TABLE amounts (id integer PRIMARY KEY, n integer NOT NULL);
         CREATE FUNCTION within(n integer) RETURNS boolean LANGUAGE sql AS 'SELECT n <= coalesce((SELECT max(most) FROM limits), 0)';
         ALTER TABLE amounts ADD CONSTRAINT within_limits CHECK (within(n));",
    );
    // By name, amounts come first; no foreign key says that limits should.
    let outcome =
        refused(&database, "{\"limits\": [{\"id\": 1, \"most\": 10}], \"amounts\": [\n{\"id\": 1, \"n\": 5}]}", "");
    let finding = outcome.only(code::REFUSED_ROW);
    assert_eq!(
        (finding.constraint.as_deref(), finding.place.as_ref().map(|place| place.line)),
        (Some("within_limits"), Some(2))
    );
    // A reference that is configured says it.
    database.run("ALTER TABLE amounts ADD limit_id integer;");
    restored(
        &database,
        r#"{"limits": [{"id": 1, "most": 10}], "amounts": [{"id": 1, "n": 5, "limit_id": 1}]}"#,
        "[table.amounts]\nrefs = [\"limit_id -> limits.id\"]",
    );
}

#[test]
fn missing_rights_are_all_named_before_anything_is_written() {
    for database in each("no_rights", FAMILY) {
        if database.dialect() == "sqlite" {
            continue; // which knows no users
        }
        let role = Role::new(&database);
        role.grant("SELECT", &["parents", "children"]);
        let before = Contents::of(&database);
        let export = Export::new(FAMILY_ROWS);
        let outcome = Restore::of(&export).url(role.url()).into(&database);
        let found = outcome.findings(code::MISSING_PRIVILEGE);
        for table in ["parents", "children"] {
            let named = found.iter().any(|found| found.message.contains("INSERT") && found.message.contains(table));
            assert!(named, "{database:?} {table}: {:#?}", outcome.report.findings);
        }
        before.assert_unchanged(&database);
    }
}

#[test]
fn tables_that_the_role_may_not_even_read_are_all_named_at_once() {
    let Some(database) = TestDatabase::postgres("no_select") else { return };
    database.run(&schema(FAMILY).ddl("postgres"));
    let role = Role::new(&database);
    role.grant("INSERT", &["parents", "children"]);
    let before = Contents::of(&database);
    match Restore::of(&Export::new(FAMILY_ROWS)).url(role.url()).try_into(&database) {
        Err(Failure::Restore(Error::MissingRights(missing))) => {
            for table in ["parents", "children"] {
                let named = missing.iter().any(|line| line.contains("SELECT") && line.contains(table));
                assert!(named, "{table}: {missing:#?}");
            }
        }
        other => panic!("{other:#?}"),
    }
    before.assert_unchanged(&database);
}

#[test]
fn a_table_that_the_role_may_not_read_and_the_export_does_not_name_is_no_obstacle() {
    for database in each("foreign_table", &format!("{FAMILY}\nsecrets(id pk, name text)")) {
        if database.dialect() == "sqlite" {
            continue; // which knows no users
        }
        let role = Role::new(&database);
        role.grant("SELECT, INSERT, UPDATE", &["parents", "children"]);
        let export = Export::new(FAMILY_ROWS);
        let outcome = Restore::of(&export).url(role.url()).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(database.value("SELECT count(*) FROM children"), "3", "{database:?}");
    }
}

#[test]
fn rows_that_a_policy_hides_are_no_ground_for_a_restore() {
    let Some(database) = TestDatabase::postgres("row_security") else { return };
    database.run(&schema(FAMILY).ddl("postgres"));
    database.run(
        "INSERT INTO parents (id, name) VALUES (7, 'hidden');
         ALTER TABLE parents ENABLE ROW LEVEL SECURITY;
         CREATE POLICY visible ON parents USING (name <> 'hidden') WITH CHECK (true);",
    );
    let role = Role::new(&database);
    role.grant("ALL", &["parents", "children"]);
    let before = Contents::of(&database);
    // The parent is there; only this role cannot see it, so nothing that relink looked up there could be trusted.
    let export = Export::new(r#"{"children": [{"id": 1, "parent_id": 7, "twin_id": null}]}"#);
    let outcome = Restore::of(&export).url(role.url()).into(&database);
    let found = outcome.findings(code::MISSING_PRIVILEGE);
    assert!(
        found.iter().any(|found| found.relation.as_ref().is_some_and(|name| name.name == "parents")),
        "{:#?}",
        outcome.report.findings
    );
    before.assert_unchanged(&database);
}

#[test]
fn an_export_of_no_records_restores_nothing() {
    for database in each("empty_export", FAMILY) {
        let before = Contents::of(&database);
        for text in ["[]", "{}", r#"{"parents": []}"#] {
            let export = Export::new(text);
            match Restore::of(&export).try_into(&database) {
                Ok(outcome) => assert_eq!(outcome.report.totals.read, 0, "{database:?} {text}"),
                Err(relink_e2e::Failure::Export(errors)) => assert!(!errors.is_empty()),
                Err(other) => panic!("{text}: {other:#?}"),
            }
            before.assert_unchanged_after(&database, format_args!("{text}"));
        }
    }
}

#[test]
fn a_model_or_field_that_the_database_lacks_is_reported_once_for_each_cause_with_a_suggestion() {
    for database in each("unknown_names", FAMILY) {
        let outcome = refused(
            &database,
            "{\"parents\": [{\"id\": 1, \"name\": \"a\", \"nmae\": 1},\n{\"id\": 2, \"name\": \"a\", \"nmae\": 1}], \"childern\": [{\"id\": 1}]}",
            "",
        );
        let codes: Vec<_> = outcome.report.findings.iter().map(|group| (group.code, group.count)).collect();
        assert_eq!(codes, [(code::UNKNOWN_MODEL, 1), (code::UNKNOWN_FIELD, 2)], "{database:?}");
        let help = |at: usize| outcome.report.findings[at].findings[0].help.clone().unwrap_or_default();
        assert!(help(0).contains("children") && help(1).contains("name"), "{} / {}", help(0), help(1));
    }
}

#[test]
fn two_restores_at_once_do_not_mix() {
    for database in each("at_once", FAMILY) {
        let export = Export::new(FAMILY_ROWS);
        let (first, second) = std::thread::scope(|scope| {
            let run = || Restore::of(&export).try_into(&database);
            let other = scope.spawn(run);
            (run(), other.join().expect("no panic"))
        });
        let committed =
            [&first, &second].iter().filter(|result| result.as_ref().is_ok_and(|outcome| outcome.committed)).count();
        assert_eq!(committed, 1, "{database:?}: {first:#?} {second:#?}");
        assert_eq!(database.value("SELECT count(*) FROM children"), "3", "{database:?}");
    }
}
