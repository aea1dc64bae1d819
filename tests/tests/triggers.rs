//! Triggers while rows are loaded: they fire, or are switched off and come back just as they were; where they cannot be switched off, nothing is
//! written.

use relink_e2e::{Contents, Export, Faults, Moment, Restore, Role, each, lines};
use relink_model::{Mode, OnError, TriggerPolicy};
use relink_restore::{Status, code};
use relink_testkit::TestDatabase;

const SCHEMA: &str = "parents(id pk, name text)
    children(id pk, parent_id int -> parents.id, amount int check amount >= 0)
    parents_children(id pk, parents_id int -> parents.id, children_id int -> children.id, unique(parents_id, children_id))
    heard(what varchar(40))";

const EXPORT: &str = r#"{"parents": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
 "children": [{"id": 1, "parent_id": 1, "amount": 3}, {"id": 2, "parent_id": 2, "amount": 4}]}"#;

/// Tells of every row that comes, changes or goes.
fn telling(database: &TestDatabase, tables: &[&str]) {
    if database.dialect() == "postgres" {
        database.run(
            "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO heard VALUES (lower(TG_OP) || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;",
        );
    }
    for table in tables {
        for event in ["insert", "update", "delete"] {
            database.run(&match database.dialect() {
                "postgres" => format!(
                    "CREATE TRIGGER tell_{event} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION tell();"
                ),
                "sqlite" => format!(
                    "CREATE TRIGGER \"tell {event} {table}\" AFTER {event} ON {table} BEGIN\n  INSERT INTO heard VALUES ('{event} {table}');\nEND;"
                ),
                _ => format!(
                    "CREATE TRIGGER tell_{event}_{table} AFTER {event} ON {table} FOR EACH ROW INSERT INTO heard VALUES ('{event} {table}');"
                ),
            });
        }
    }
}

/// Databases whose triggers can be switched off, with some.
fn telling_each(test_name: &str) -> Vec<TestDatabase> {
    let databases: Vec<_> =
        each(test_name, SCHEMA).into_iter().filter(|database| database.dialect() != "mysql").collect();
    for database in &databases {
        telling(database, &["parents", "children", "parents_children"]);
        if database.dialect() == "postgres" {
            // Each state that a trigger can be in.
            database.run(
                "ALTER TABLE parents DISABLE TRIGGER tell_update; ALTER TABLE parents ENABLE ALWAYS TRIGGER tell_insert;
                 ALTER TABLE children ENABLE REPLICA TRIGGER tell_update;",
            );
        }
    }
    databases
}

/// Every trigger with its definition and state.
fn state(database: &TestDatabase) -> Vec<String> {
    lines(
        database,
        match database.dialect() {
            "postgres" => {
                "SELECT tgrelid::regclass, tgname, tgenabled, tgtype, tgdeferrable, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
            }
            _ => "SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY tbl_name, rowid",
        },
    )
}

fn heard(database: &TestDatabase) -> Vec<String> {
    lines(database, "SELECT what FROM heard ORDER BY what")
}

fn off(options: &mut relink_restore::Options) {
    options.triggers = TriggerPolicy::Disable;
}

#[test]
fn triggers_fire_by_default() {
    for database in each("triggers_fire", SCHEMA) {
        telling(&database, &["parents", "children"]);
        let export = Export::new(EXPORT);
        let outcome = Restore::of(&export).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        let expected = ["insert children", "insert children", "insert parents", "insert parents"];
        assert_eq!(heard(&database), expected, "{database:?}");
    }
}

#[test]
fn triggers_that_are_switched_off_come_back_as_they_were() {
    for database in telling_each("triggers_off") {
        let before = state(&database);
        let export = Export::new(EXPORT);
        for dry_run in [true, false] {
            let outcome = Restore::of(&export).options(off).dry_run(dry_run).into(&database);
            assert_eq!(outcome.report.status, Status::Restored, "{database:?}: {:#?}", outcome.told());
            assert_eq!(state(&database), before, "{database:?}");
            assert!(heard(&database).is_empty(), "{database:?}: {:?}", heard(&database));
        }
        database.run("INSERT INTO parents (id, name) VALUES (9, 'x'); DELETE FROM parents WHERE id = 9;");
        assert_eq!(heard(&database), ["delete parents", "insert parents"], "{database:?}");
    }
}

#[test]
fn triggers_stay_off_while_rows_are_cleared_and_updated() {
    for mode in [Mode::Replace, Mode::Upsert] {
        for database in telling_each("triggers_modes") {
            database.run(
                "INSERT INTO parents (id, name) VALUES (1, 'old'), (7, 'gone'); INSERT INTO children (id, parent_id, amount) VALUES (1, 7, 9); DELETE FROM heard;",
            );
            let before = state(&database);
            let export = Export::new(EXPORT);
            let outcome = Restore::of(&export).mode(mode).options(off).into(&database);
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
            assert!(heard(&database).is_empty(), "{database:?} {mode:?}: {:?}", heard(&database));
            assert_eq!(state(&database), before, "{database:?}");
            assert_eq!(database.value("SELECT name FROM parents WHERE id = 1"), "a", "{database:?}");
        }
    }
}

#[test]
fn triggers_of_a_join_table_stay_off_while_its_rows_go() {
    for database in telling_each("triggers_lists") {
        database.run(
            "INSERT INTO parents (id, name) VALUES (1, 'old'); INSERT INTO children (id, parent_id, amount) VALUES (1, 1, 9);
             INSERT INTO parents_children (id, parents_id, children_id) VALUES (1, 1, 1); DELETE FROM heard;",
        );
        let export = Export::new(r#"[{"model": "parents", "pk": 1, "fields": {"name": "a", "children": []}}]"#);
        let outcome = Restore::of(&export).mode(Mode::Upsert).options(off).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(database.value("SELECT count(*) FROM parents_children"), "0", "{database:?}");
        assert!(heard(&database).is_empty(), "{database:?}: {:?}", heard(&database));
    }
}

#[test]
fn triggers_come_back_after_every_kind_of_failure() {
    let broken = EXPORT.replace("\"amount\": 4", "\"amount\": -4");
    for database in telling_each("triggers_failures") {
        let before = state(&database);
        let contents = Contents::of(&database);
        let refused = Restore::of(&Export::new(&broken)).options(off).into(&database);
        assert_eq!(refused.report.status, Status::Refused, "{database:?}");
        assert_eq!(state(&database), before, "{database:?}");
        contents.assert_unchanged(&database);
        let invalid = Restore::of(&Export::new(EXPORT))
            .config("[table.children]\nmax = { amount = 3 }")
            .options(off)
            .into(&database);
        assert!(!invalid.committed && invalid.report.status == Status::Restored, "{database:?}");
        assert_eq!(state(&database), before, "{database:?}");
        contents.assert_unchanged(&database);
        // Whatever call fails, up to the last.
        let mut fails_at = 1;
        loop {
            let faults = Faults::at(fails_at, Moment::After);
            let export = Export::new(EXPORT);
            let failed = Restore::of(&export).options(off).dry_run(true).over(|connection| faults.wrap(connection));
            let failed = failed.try_into(&database);
            assert_eq!(state(&database), before, "{database:?} after fault {fails_at}");
            if !faults.fired() {
                assert!(failed.is_ok() && fails_at > 10, "{database:?}: {failed:?}");
                break;
            }
            fails_at += 5;
        }
        let rejecting = Export::new(&broken);
        let rejected =
            Restore::of(&rejecting).options(off).options(|options| options.on_error = OnError::Reject).into(&database);
        assert!(rejected.committed, "{database:?}: {:#?}", rejected.told());
        assert_eq!(rejected.counts("children").rejected, 1);
        assert_eq!(state(&database), before, "{database:?}");
        assert!(heard(&database).is_empty(), "{database:?}: {:?}", heard(&database));
    }
}

#[test]
fn each_table_has_its_own_policy() {
    for database in telling_each("triggers_policy") {
        let export = Export::new(EXPORT);
        let outcome = Restore::of(&export).config("[table.parents]\ntriggers = \"disable\"").into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(heard(&database), ["insert children", "insert children"], "{database:?}");
        let notes: Vec<&String> = outcome.report.plan.steps.iter().flat_map(|step| &step.notes).collect();
        assert!(notes[0].starts_with("parents: triggers are switched off for the load: tell"), "{notes:?}");
        assert!(notes[1].starts_with("children: triggers fire: tell"), "{notes:?}");
    }
    for database in telling_each("triggers_policy_fire") {
        let export = Export::new(EXPORT);
        let config = "[restore]\ntriggers = \"disable\"\n[table.parents]\ntriggers = \"fire\"";
        assert!(Restore::of(&export).config(config).into(&database).committed, "{database:?}");
        assert_eq!(heard(&database), ["insert parents", "insert parents"], "{database:?}");
    }
}

#[test]
fn triggers_stay_off_across_commits_on_the_way() {
    for database in telling_each("triggers_commits") {
        let before = state(&database);
        let rows: Vec<String> = (1..=50).map(|id| format!(r#"{{"id": {id}, "name": "p{id}"}}"#)).collect();
        let export = Export::new(format!("{{\"parents\": [{}]}}", rows.join(",\n")));
        let outcome =
            Restore::of(&export).options(off).options(|options| options.commit_every = Some(7)).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert!(heard(&database).is_empty(), "{database:?}: {:?}", heard(&database));
        assert_eq!(state(&database), before, "{database:?}");
    }
}

#[test]
fn triggers_that_cannot_be_switched_off_stop_the_restore_before_it_writes() {
    for database in each("triggers_stay", SCHEMA) {
        telling(&database, &["parents"]);
        let before = Contents::of(&database);
        let export = Export::new(EXPORT);
        let role;
        let restore = match database.dialect() {
            "sqlite" => continue,
            "postgres" => {
                role = Role::new(&database);
                role.grant("ALL", &["parents", "children", "heard"]);
                Restore::of(&export).url(role.url())
            }
            _ => Restore::of(&export),
        };
        let mut writes = 0;
        let outcome = restore
            .options(off)
            .hear(|event| {
                writes += u32::from(matches!(
                    event,
                    relink_restore::Event::Started { phase: relink_restore::Phase::Load, .. }
                ));
            })
            .into(&database);
        let finding = outcome.only(code::TRIGGERS_STAY);
        assert_eq!(finding.relation.as_ref().map(ToString::to_string).as_deref(), Some("parents"), "{finding:#?}");
        assert!(finding.message.contains("tell_insert") && finding.help.is_some(), "{database:?}: {finding:#?}");
        assert_eq!(writes, 0, "{database:?}: it began to load");
        before.assert_unchanged(&database);
        // A table whose triggers fire is no obstacle.
        drop(outcome);
        let config = "[table.parents]\ntriggers = \"fire\"";
        let fires = Restore::of(&export).config(config).options(off).into(&database);
        assert!(fires.committed, "{database:?}: {:#?}", fires.told());
    }
}

#[test]
fn deferred_constraints_fire_before_triggers_come_back() {
    let Some(database) = TestDatabase::postgres("triggers_deferred") else { return };
    database.run(
        "CREATE TABLE heard (what varchar(40));
         CREATE TABLE items (id integer PRIMARY KEY, twin integer NOT NULL CONSTRAINT twins REFERENCES items DEFERRABLE INITIALLY DEFERRED);",
    );
    telling(&database, &["items"]);
    let before = state(&database);
    let export = Export::new(r#"{"items": [{"id": 1, "twin": 2}, {"id": 2, "twin": 1}]}"#);
    let outcome = Restore::of(&export).options(off).into(&database);
    assert!(outcome.committed, "{:#?}", outcome.told());
    assert_eq!((state(&database), heard(&database).len()), (before, 0));
}
