//! SQL around a restore: it belongs to the restore's transaction, fails with its place, and runs once.

use relink_e2e::{Contents, Export, Failure, Faults, Moment, Restore, each, lines};
use relink_restore::{Error, Status, code};
use relink_testkit::TestDatabase;

const SCHEMA: &str = "items(id pk, amount int)\nheard(what varchar(40))";

const HOOKS: &str = r#"[hooks]
before = ["INSERT INTO heard SELECT 'before' FROM (SELECT count(*) AS n FROM items) AS i WHERE n = 0; INSERT INTO heard VALUES ('two; still');"]
after = ["INSERT INTO heard SELECT 'after' FROM (SELECT count(*) AS n FROM items) AS i WHERE n = 2;", "UPDATE items SET amount = amount + 1 WHERE id = 2;"]
"#;

fn export() -> Export {
    Export::new(r#"{"items": [{"id": 1, "amount": 10}, {"id": 2, "amount": 20}]}"#)
}

fn heard(database: &TestDatabase) -> Vec<String> {
    lines(database, "SELECT what FROM heard ORDER BY what")
}

/// Which hook failed.
fn failed_hook(database: &TestDatabase, hooks: &str) -> String {
    let before = Contents::of(database);
    let failed = Restore::of(&export()).config(hooks).try_into(database);
    let Err(Failure::Restore(error @ Error::Hook { .. })) = failed else { panic!("{database:?}: {failed:#?}") };
    before.assert_unchanged(database);
    error.to_string()
}

#[test]
fn hooks_run_before_the_first_row_and_after_the_last_in_the_one_transaction() {
    for database in each("hooks", SCHEMA) {
        let before = Contents::of(&database);
        let rehearsal = Restore::of(&export()).config(HOOKS).dry_run(true).into(&database);
        assert_eq!(rehearsal.report.status, Status::Restored, "{database:?}: {:#?}", rehearsal.told());
        before.assert_unchanged(&database);
        let outcome = Restore::of(&export()).config(HOOKS).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
        assert_eq!(heard(&database), ["after", "before", "two; still"], "{database:?}");
        assert_eq!(lines(&database, "SELECT id, amount FROM items ORDER BY id"), ["1|10", "2|21"], "{database:?}");
    }
}

#[test]
fn a_restore_that_is_refused_leaves_nothing_of_its_hooks() {
    for database in each("hooks_refused", "items(id pk, amount int check amount < 15)\nheard(what varchar(40))") {
        let before = Contents::of(&database);
        let outcome = Restore::of(&export()).config(HOOKS).into(&database);
        outcome.only(code::REFUSED_ROW);
        before.assert_unchanged(&database);
    }
}

#[test]
fn what_a_hook_does_is_validated() {
    for database in each("hooks_validated", SCHEMA) {
        let before = Contents::of(&database);
        let config = format!("{HOOKS}\n[table.items]\nmax = {{ amount = 20 }}");
        let outcome = Restore::of(&export()).config(&config).into(&database);
        assert!(!outcome.committed, "{database:?}: the second item has become 21");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_hook_that_fails_is_named_and_nothing_is_changed() {
    for database in each("hooks_fail", SCHEMA) {
        let told =
            failed_hook(&database, "[hooks]\nbefore = [\"DELETE FROM heard;\", \"INSERT INTO nowhere VALUES (1);\"]");
        assert!(told.contains("[hooks] before, script 2") && told.contains("nowhere"), "{database:?}: {told}");
        let told =
            failed_hook(&database, "[hooks]\nafter = [\"UPDATE items SET amount = 1; UPDATE items SET id = 1;\"]");
        assert!(told.contains("[hooks] after, script 1"), "{database:?}: {told}");
    }
}

#[test]
fn a_hook_that_comes_before_may_not_move_the_rows_that_are_restored() {
    for (script, seed) in [
        ("INSERT INTO items VALUES (3, 30)", "INSERT INTO heard VALUES ('seed')"),
        ("DELETE FROM items", "INSERT INTO items VALUES (9, 90)"),
    ] {
        for database in each("hooks_moving", SCHEMA) {
            database.run(&format!("{seed};"));
            let before = Contents::of(&database);
            for commit_every in [None, Some(1)] {
                let config = format!("[hooks]\nbefore = [\"{script}\"]");
                let failed = Restore::of(&export())
                    .config(&config)
                    .options(|options| options.commit_every = commit_every)
                    .try_into(&database);
                match failed {
                    Err(Failure::Restore(Error::HookMovedRows { relation })) => assert_eq!(relation.name, "items"),
                    other => panic!("{database:?}: {other:#?}"),
                }
                before.assert_unchanged(&database);
            }
        }
    }
}

#[test]
fn a_hook_cannot_end_the_transaction() {
    for database in each("hooks_commit", SCHEMA) {
        let told = failed_hook(&database, "[hooks]\nafter = [\"DELETE FROM heard; ROLLBACK;\"]");
        assert!(told.contains("[hooks] after, script 1"), "{database:?}: {told}");
        let commits = "[hooks]\nbefore = [\"BEGIN; INSERT INTO heard VALUES ('x'); COMMIT;\"]";
        let before = Contents::of(&database);
        let rehearsal = Restore::of(&export()).config(commits).dry_run(true).into(&database);
        assert_eq!(rehearsal.report.status, Status::Restored, "{database:?}");
        before.assert_unchanged(&database);
        let ddl = "[hooks]\nafter = [\"CREATE TABLE more (id integer);\"]";
        if database.dialect() == "mysql" {
            // Which would commit what was loaded before it was validated.
            let told = failed_hook(&database, ddl);
            assert!(told.contains("commit"), "{told}");
        } else {
            let rehearsal = Restore::of(&export()).config(ddl).dry_run(true).into(&database);
            assert_eq!(rehearsal.report.status, Status::Restored, "{database:?}");
            before.assert_unchanged(&database);
        }
    }
}

#[test]
fn a_constraint_that_a_hook_leaves_broken_shows_in_the_dry_run_too() {
    let Some(database) = TestDatabase::postgres("hooks_deferred") else { return };
    database.run(
        "CREATE TABLE items (id integer PRIMARY KEY, amount integer);
         CREATE TABLE notes (item integer REFERENCES items DEFERRABLE INITIALLY DEFERRED);",
    );
    for (which, dry_run) in [("before", true), ("before", false), ("after", true), ("after", false)] {
        let config = format!("[hooks]\n{which} = [\"SET CONSTRAINTS ALL DEFERRED; INSERT INTO notes VALUES (99);\"]");
        let failed = Restore::of(&export()).config(&config).dry_run(dry_run).try_into(&database);
        match failed {
            Err(Failure::Restore(error @ Error::Hook { .. })) => {
                assert!(which == "after" && error.to_string().contains("[hooks] after"), "{error}");
            }
            // The rows that it needs might have come.
            Ok(outcome) if which == "before" => {
                assert_eq!(outcome.only(code::VALIDATION).constraint.as_deref(), Some("notes_item_fkey"));
            }
            other => panic!("{which} {dry_run}: {other:#?}"),
        }
        assert_eq!(database.value("SELECT count(*) FROM items"), "0");
    }
}

#[test]
fn hooks_run_once_however_often_a_restore_is_gone_on_with() {
    for database in each("hooks_resumed", SCHEMA) {
        let rows: Vec<String> = (1..=60).map(|id| format!(r#"{{"id": {id}, "amount": {id}}}"#)).collect();
        let export = Export::new(format!("{{\"items\": [{}]}}", rows.join(",\n")));
        let config = "[hooks]\nbefore = [\"INSERT INTO heard VALUES ('before');\"]\nafter = [\"INSERT INTO heard VALUES ('after');\"]";
        let restore = || Restore::of(&export).config(config).options(|options| options.commit_every = Some(10));
        let mut stops = 0;
        for fails_at in (20..).step_by(15) {
            let faults = Faults::at(fails_at, Moment::Before);
            let resumes = stops > 0;
            let attempt = restore()
                .options(move |options| options.resume = resumes)
                .over(|connection| faults.wrap(connection))
                .try_into(&database);
            match attempt {
                Ok(outcome) => {
                    assert!(outcome.committed, "{database:?}: {:#?}", outcome.told());
                    break;
                }
                Err(Failure::Restore(Error::Stopped(_)) | Failure::Validate(_)) => stops += 1,
                Err(Failure::Restore(_)) if stops == 0 => {}
                Err(failure) => panic!("{database:?}: {failure:#?}"),
            }
        }
        assert!(stops > 0, "{database:?}: nothing stopped it");
        assert_eq!(heard(&database), ["after", "before"], "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM items"), "60", "{database:?}");
    }
}
