//! Hard cases of failure: whatever fails, and whenever, the database is as it was; and a row that is refused is named, however many
//! others stand around it.

use std::{fmt::Write as _, process::Command};

use relink_db::DbErrorKind;
use relink_e2e::{Contents, Export, Failure, Faults, Moment, Restore, each, lines, refused, restored};
use relink_restore::{Error, Event, Mode, Phase, code};
use relink_testkit::{TestDatabase, schema};

/// Something of everything that a restore does: a table in order, a self-reference against the order of the file, a cycle that takes NULL, one
/// that takes none, a many-to-many list, records without ids, numbering, and rows that exist.
const EVERYTHING: &str = "app_tag(id pk, name text unique)
    app_node(id pk, parent_id null -> app_node.id)
    app_document(id pk, current_id int null -> app_version.id, title text)
    app_version(id pk, document_id int -> app_document.id)
    app_husband(id pk, wife_id int -> app_wife.id)
    app_wife(id pk, husband_id int -> app_husband.id)
    app_document_tags(id pk, document_id int -> app_document.id, tag_id int -> app_tag.id, unique(document_id, tag_id))";

const ROWS: &str = r#"[
    {"model": "app.node", "pk": 2, "fields": {"parent": 1}},
    {"model": "app.node", "pk": 1, "fields": {"parent": null}},
    {"model": "app.document", "pk": 5, "fields": {"current": 7, "title": "d", "tags": [["old"], ["new"]]}},
    {"model": "app.version", "pk": 7, "fields": {"document": 5}},
    {"model": "app.husband", "pk": 1, "fields": {"wife": 2}},
    {"model": "app.wife", "pk": 2, "fields": {"husband": 1}},
    {"model": "app.tag", "fields": {"name": "old"}},
    {"model": "app.tag", "fields": {"name": "new"}}
]"#;

/// Fails at every call in turn, until none fails any more; each time the database must be what it was.
fn fails_at_every_call(database: &TestDatabase, moment: Moment) {
    database.run("INSERT INTO app_tag (id, name) VALUES (30, 'old');");
    let before = Contents::of(database);
    let export = Export::new(ROWS);
    for call in 1.. {
        let faults = Faults::at(call, moment);
        let result =
            Restore::of(&export).mode(Mode::Skip).over(|connection| faults.wrap(connection)).try_into(database);
        if !faults.fired() {
            let outcome = result.expect("nothing failed");
            assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
            assert!(call > 20, "{database:?}: only {call} calls were made");
            break;
        }
        match result {
            Err(Failure::Restore(Error::Db(error)) | Failure::Validate(error)) => {
                assert_eq!(error.kind, DbErrorKind::ConnectionLost, "{database:?}, call {call} {moment:?}");
            }
            // What became of a commit over a broken connection nobody can know; here it had not been made.
            Err(Failure::Restore(Error::CommitUnknown(error))) => assert_eq!(error.kind, DbErrorKind::ConnectionLost),
            // The last answer of all was lost: that of the commit, which had been given.
            Ok(outcome) if outcome.committed => break,
            // A check that could not run: nothing is committed.
            Ok(outcome) => {
                assert!(outcome.validation.is_some_and(|report| !report.is_complete()), "{database:?}, call {call}");
            }
            Err(other) => panic!("{database:?}, call {call} {moment:?}: {other:#?}"),
        }
        before.assert_unchanged_after(database, format_args!("call {call} {moment:?}"));
    }
    assert_eq!(lines(database, "SELECT id, current_id FROM app_document"), ["5|7"], "{database:?}");
    assert_eq!(lines(database, "SELECT id, name FROM app_tag ORDER BY id"), ["30|old", "31|new"], "{database:?}");
}

#[test]
fn sqlite_is_as_it_was_whichever_call_fails() {
    for moment in [Moment::Before, Moment::After] {
        let database = TestDatabase::sqlite();
        database.run(&schema(EVERYTHING).ddl("sqlite"));
        fails_at_every_call(&database, moment);
    }
}

#[test]
fn postgres_is_as_it_was_whichever_call_fails_before_it_is_made() {
    let Some(database) = TestDatabase::postgres("fails_before") else { return };
    database.run(&schema(EVERYTHING).ddl("postgres"));
    fails_at_every_call(&database, Moment::Before);
}

#[test]
fn postgres_is_as_it_was_whichever_answer_is_lost() {
    let Some(database) = TestDatabase::postgres("fails_after") else { return };
    database.run(&schema(EVERYTHING).ddl("postgres"));
    fails_at_every_call(&database, Moment::After);
}

#[test]
fn mysql_is_as_it_was_whichever_call_fails_before_it_is_made() {
    let Some(database) = TestDatabase::mysql("fails_before") else { return };
    database.run(&schema(EVERYTHING).ddl("mysql"));
    fails_at_every_call(&database, Moment::Before);
}

#[test]
fn mysql_is_as_it_was_whichever_answer_is_lost() {
    let Some(database) = TestDatabase::mysql("fails_after") else { return };
    database.run(&schema(EVERYTHING).ddl("mysql"));
    fails_at_every_call(&database, Moment::After);
}

#[test]
fn an_empty_database_is_empty_again_whichever_call_fails() {
    let text =
        "parents(id pk, name text)\nchildren(id pk, parent_id int -> parents.id, twin_id int null -> children.id)";
    let rows = r#"{"children": [{"id": 3, "parent_id": 7, "twin_id": 4}, {"id": 4, "parent_id": 7, "twin_id": 3}], "parents": [{"id": 7, "name": "a"}]}"#;
    for moment in [Moment::Before, Moment::After] {
        for database in TestDatabase::each("schema_faults") {
            let ddl = schema(text).ddl(database.dialect());
            let before = Contents::of(&database);
            let export = Export::new(rows);
            for call in 1.. {
                let faults = Faults::at(call, moment);
                let result =
                    Restore::of(&export).schema(&ddl).over(|connection| faults.wrap(connection)).try_into(&database);
                if !faults.fired() || result.as_ref().is_ok_and(|outcome| outcome.committed) {
                    break;
                }
                assert!(!result.is_ok_and(|outcome| outcome.committed), "{database:?}, call {call} {moment:?}");
                before.assert_unchanged_after(&database, format_args!("call {call} {moment:?}"));
            }
            assert_eq!(database.value("SELECT count(*) FROM children"), "2", "{database:?}");
        }
    }
}

/// A table map of so many rows, one a line from line 2 on, that number themselves; `bad` ones have a number that the check refuses.
fn numbered_rows(rows: usize, bad: &[usize]) -> String {
    let mut export = String::from("{\"items\": [");
    for row in 0..rows {
        let n = if bad.contains(&row) { -1 } else { 1 };
        write!(export, "{}{{\"id\": {}, \"n\": {n}}}", if row == 0 { "\n" } else { ",\n" }, row + 1)
            .expect("a string takes everything");
    }
    export.push_str("]}");
    export
}

#[test]
fn rows_that_are_refused_in_the_midst_of_thousands_are_named_exactly_and_nothing_is_kept() {
    const ROWS: usize = 10_000;
    for database in each("bisect", "items(id pk, n int check n > 0)") {
        // One alone, the first and last of all, neighbours, and both sides of where a batch ends.
        for bad in [vec![7_777], vec![0, ROWS - 1], vec![4_095, 4_096, 5_000, 5_001, 8_191]] {
            let outcome = refused(&database, &numbered_rows(ROWS, &bad), "");
            let found = outcome.findings(code::REFUSED_ROW);
            let mut places: Vec<_> = found
                .iter()
                .filter_map(|found| found.place.as_ref().map(|place| (place.line as usize, place.pointer.clone())))
                .collect();
            places.sort();
            let expected: Vec<_> = bad.iter().map(|row| (row + 2, format!("/items/{row}"))).collect();
            assert_eq!(places, expected, "{database:?}");
            let counts = outcome.counts("items");
            assert_eq!((counts.read, counts.inserted), (ROWS as u64, 0), "{database:?}");
            assert_eq!(database.value("SELECT count(*) FROM items"), "0", "{database:?}");
        }
    }
}

#[test]
fn more_bad_rows_than_anybody_reads_end_the_restore_early() {
    for database in each("all_bad", "items(id pk, n int check n > 0)") {
        let bad: Vec<usize> = (0..6_000).collect();
        let outcome = refused(&database, &numbered_rows(6_000, &bad), "");
        let found = outcome.findings(code::REFUSED_ROW).len();
        assert!((1_000..6_000).contains(&found), "{database:?}: {found}");
    }
}

#[test]
fn a_many_to_many_pair_that_is_refused_is_named_by_the_record_with_the_list() {
    let text = "app_tag(id pk, name text)\napp_post(id pk, slug text)
                app_post_tags(id pk, post_id int -> app_post.id, tag_id int -> app_tag.id check tag_id <> 13, unique(post_id, tag_id))";
    for database in each("bad_pair", text) {
        let outcome = refused(
            &database,
            r#"[{"model": "app.tag", "pk": 12, "fields": {"name": "a"}},
{"model": "app.tag", "pk": 13, "fields": {"name": "b"}},
{"model": "app.post", "pk": 1, "fields": {"slug": "p", "tags": [12]}},
{"model": "app.post", "pk": 2, "fields": {"slug": "q", "tags": [12, 13]}}]"#,
            "",
        );
        let finding = outcome.only(code::REFUSED_ROW);
        assert_eq!(finding.place.as_ref().map(|place| place.line), Some(4), "{database:?}: {finding:#?}");
        assert_eq!(finding.relation.as_ref().map(ToString::to_string).as_deref(), Some("app_post_tags"));
    }
}

/// Ends every other connection to the database.
fn cut(database: &TestDatabase) {
    if database.dialect() == "postgres" {
        database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();");
        return;
    }
    for row in
        database.rows("SELECT ID FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()")
    {
        let id = row[0].as_deref().expect("connections have ids");
        // It may have ended by itself meanwhile.
        let _ = database.try_run(&format!("KILL {id};"));
    }
}

#[test]
fn a_connection_that_is_cut_half_way_leaves_the_rows_as_they_were() {
    for database in each("cut", "items(id pk, n int check n > 0)") {
        if database.dialect() == "sqlite" {
            continue; // which has no connection to cut
        }
        database.run("INSERT INTO items (id, n) VALUES (20000, 5);");
        let before = Contents::rows(&database, &["items"]);
        let export = Export::new(numbered_rows(12_000, &[]));
        let moments: [fn(&Event) -> bool; 3] = [
            |event| matches!(event, Event::Progress { phase: Phase::PreScan, .. }),
            |event| matches!(event, Event::Progress { phase: Phase::Load, done } if *done > 8_000),
            |event| matches!(event, Event::Started { phase: Phase::Finish, .. }),
        ];
        for (number, is_it) in moments.into_iter().enumerate() {
            let mut cuts = 0;
            let result = Restore::of(&export)
                .hear(|event| {
                    if cuts == 0 && is_it(&event) {
                        cuts += 1;
                        cut(&database);
                    }
                })
                .try_into(&database);
            assert_eq!(cuts, 1, "{database:?}, moment {number}");
            match result {
                Err(Failure::Restore(Error::Db(error))) => {
                    assert_eq!(error.kind, DbErrorKind::ConnectionLost, "{database:?}: {error:?}");
                }
                other => panic!("{database:?}, moment {number}: {other:#?}"),
            }
            assert_eq!(Contents::rows(&database, &["items"]), before, "{database:?}, moment {number}");
        }
        restored(&database, &numbered_rows(12_000, &[]), "");
        database.run("DELETE FROM items WHERE id = 12000; INSERT INTO items (n) VALUES (9);");
        assert_eq!(database.value("SELECT id FROM items WHERE n = 9"), "20001", "{database:?}");
    }
}

/// Tells a child process of [`a_process_that_dies_half_way_leaves_the_rows_as_they_were`] what to restore, and where to.
const VICTIM: &str = "RELINK_TEST_VICTIM";

#[test]
fn a_process_that_dies_half_way_leaves_the_rows_as_they_were() {
    if let Ok(url) = std::env::var(VICTIM) {
        let export = Export::new(numbered_rows(12_000, &[]));
        let die = |event| {
            if matches!(event, Event::Progress { phase: Phase::Load, done } if done > 8_000) {
                std::process::abort();
            }
        };
        // The URL is what counts; this database is never made.
        let _ = Restore::of(&export).url(url).hear(die).try_into(&TestDatabase::sqlite());
        unreachable!("it dies before");
    }
    for database in each("dies", "items(id pk, n int check n > 0)") {
        database.run("INSERT INTO items (id, n) VALUES (20000, 5);");
        let before = Contents::rows(&database, &["items"]);
        let child = Command::new(std::env::current_exe().expect("the test runs"))
            .args(["--exact", "a_process_that_dies_half_way_leaves_the_rows_as_they_were"])
            .env(VICTIM, database.url())
            .output()
            .expect("the test can be run again");
        assert!(!child.status.success(), "{database:?}: {child:?}");
        assert!(!String::from_utf8_lossy(&child.stdout).contains("it dies before"), "{child:?}");
        assert_eq!(Contents::rows(&database, &["items"]), before, "{database:?}");
        if database.dialect() == "sqlite" {
            assert_eq!(lines(&database, "PRAGMA integrity_check"), ["ok"]);
        }
        restored(&database, &numbered_rows(12_000, &[]), "");
        assert_eq!(database.value("SELECT count(*) FROM items"), "12001", "{database:?}");
    }
}
