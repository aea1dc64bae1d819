//! Restores that commit on their way: whatever stops them, going on ends in the same database.

use relink_db::DbErrorKind;
use relink_e2e::{Contents, Export, Failure, Faults, Moment, Restore, Role, each, lines};
use relink_restore::{Error, Event, Mode, Phase, Status};
use relink_testkit::{TestDatabase, schema};

const SCHEMA: &str = "author(id pk, name varchar(40) unique)
book(id pk, author_id int -> author.id, sequel_of_id int null -> book.id, title text)
book_tags(id pk, book_id int -> book.id, tag_id int -> tag.id, unique(book_id, tag_id))
tag(id pk, name varchar(40) unique)";

/// Authors, tags, books in reverse order of their sequels, each with some tags.
fn export() -> Export {
    let mut records = Vec::new();
    for id in 1..=40 {
        records.push(format!(r#"{{"model": "x.author", "pk": {id}, "fields": {{"name": "author {id}"}}}}"#));
        records.push(format!(r#"{{"model": "x.tag", "pk": {id}, "fields": {{"name": "tag {id}"}}}}"#));
    }
    for id in (1..=200).rev() {
        let sequel = if id > 1 { (id / 2).to_string() } else { "null".to_owned() };
        records.push(format!(
            r#"{{"model": "x.book", "pk": {id}, "fields": {{"author_id": {}, "sequel_of_id": {sequel}, "title": "book {id}", "tags": [{}, {}]}}}}"#,
            id % 40 + 1,
            id % 37 + 1,
            id % 31 + 2,
        ));
    }
    Export::new(format!("[{}]", records.join(",\n")))
}

const CONFIG: &str = r#"
[table.author]
models = ["x.author"]
[table.tag]
models = ["x.tag"]
[table.book]
models = ["x.book"]
join_tables = { tags = "book_tags" }
"#;

/// Every row of every table, by names: where new ids are given, a server may number past what an attempt had drawn.
fn rows(database: &TestDatabase) -> Vec<String> {
    let queries = [
        "SELECT name FROM author ORDER BY name",
        "SELECT name FROM tag ORDER BY name",
        "SELECT b.title, a.name, s.title FROM book b JOIN author a ON a.id = b.author_id
         LEFT JOIN book s ON s.id = b.sequel_of_id ORDER BY b.title",
        "SELECT b.title, t.name FROM book_tags x JOIN book b ON b.id = x.book_id JOIN tag t ON t.id = x.tag_id ORDER BY 1, 2",
    ];
    queries.iter().flat_map(|sql| lines(database, sql)).collect()
}

#[test]
fn a_restore_that_stops_anywhere_ends_after_going_on_in_the_same_database() {
    for (mode, ids) in [
        (Mode::Insert, relink_model::Ids::Keep),
        (Mode::Upsert, relink_model::Ids::Remap),
        (Mode::Insert, relink_model::Ids::New),
        (Mode::Replace, relink_model::Ids::Keep),
    ] {
        for (database, undisturbed) in each("resumption", SCHEMA).into_iter().zip(each("undisturbed", SCHEMA)) {
            let export = export();
            let seed = "INSERT INTO author (id, name) VALUES (7, 'author 9'), (90, 'author 3')";
            if mode != Mode::Insert {
                database.run(seed);
                undisturbed.run(seed);
            }
            let restore = || {
                Restore::of(&export).config(CONFIG).options(move |options| {
                    options.mode = mode;
                    options.ids = ids;
                    options.commit_every = Some(17);
                })
            };
            let whole = restore().into(&undisturbed);
            assert!(whole.committed, "{undisturbed:?}: {:#?}", whole.report);
            let expected = rows(&undisturbed);
            // A few writes further each time, until one run comes to the end.
            let mut runs = 0;
            let mut resumes = false;
            loop {
                runs += 1;
                assert!(runs < 200, "{database:?}: it never ends");
                let faults = Faults::at(20 + 6 * runs, Moment::Before);
                let attempt = restore()
                    .options(|options| options.resume = resumes)
                    .over(|connection| faults.wrap(connection))
                    .try_into(&database);
                match attempt {
                    Ok(outcome) => {
                        assert_eq!(outcome.report.status, Status::Restored, "{database:?}: {:#?}", outcome.report);
                        assert!(outcome.committed);
                        assert_eq!(outcome.report.totals, whole.report.totals, "{database:?} {mode:?} {ids:?}");
                        break;
                    }
                    Err(Failure::Restore(Error::Stopped(_)) | Failure::Validate(_)) => resumes = true,
                    // Whether a commit came through that broke off, only the journal tells.
                    Err(Failure::Restore(Error::Journal(message))) if message.contains("nothing to resume") => {
                        assert!(resumes, "{database:?}");
                        resumes = false;
                    }
                    Err(Failure::Restore(_)) if !resumes => {}
                    Err(failure) => panic!("{database:?}: {failure:#?}"),
                }
            }
            assert!(runs > 2, "{database:?}: nothing stopped it");
            assert_eq!(rows(&database), expected, "{database:?} {mode:?} {ids:?}");
        }
    }
}

#[test]
fn the_journal_of_an_unfinished_restore_stands_in_the_way_of_every_other() {
    for database in each("unfinished", SCHEMA) {
        let export = export();
        let restore = || Restore::of(&export).config(CONFIG).options(|options| options.commit_every = Some(50));
        let faults = Faults::at(60, Moment::Before);
        let stopped = restore().over(|connection| faults.wrap(connection)).try_into(&database);
        assert!(matches!(stopped, Err(Failure::Restore(Error::Stopped(_)))), "{database:?}: {stopped:?}");
        let again = restore().try_into(&database);
        assert!(matches!(again, Err(Failure::Restore(Error::Journal(_)))), "{database:?}: {again:?}");
        let other = Export::new("[]\n");
        let resume = |export: &Export| {
            Restore::of(export).config(CONFIG).options(|options| options.resume = true).try_into(&database)
        };
        assert!(matches!(resume(&other), Err(Failure::Restore(Error::Stopped(_) | Error::Journal(_)))), "{database:?}");
        let finished = resume(&export);
        assert!(finished.is_ok_and(|outcome| outcome.committed), "{database:?}");
        let nothing = resume(&export);
        assert!(matches!(nothing, Err(Failure::Restore(Error::Journal(_)))), "{database:?}");
    }
}

#[test]
fn what_is_refused_before_the_first_commit_leaves_no_journal() {
    // The pre-scan refuses one, the database the other: its first step is smaller than what is committed at once.
    let dangling = r#"[{"model": "x.book", "pk": 1, "fields": {"author_id": 404, "sequel_of_id": null, "title": "a", "tags": []}}]"#;
    let taken = r#"[{"model": "x.author", "pk": 1, "fields": {"name": "a"}}, {"model": "x.author", "pk": 2, "fields": {"name": "b"}}]"#;
    for database in each("before_first_commit", &SCHEMA.replacen("unique)", "unique check name <> 'b')", 1)) {
        database.run("INSERT INTO tag (id, name) VALUES (5, 'there');");
        let before = Contents::of(&database);
        for text in [dangling, taken] {
            let export = Export::new(text);
            let outcome = Restore::of(&export).config(CONFIG).options(|options| options.commit_every = Some(10));
            let outcome = outcome.into(&database);
            assert_eq!(outcome.report.status, Status::Refused, "{database:?}: {:#?}", outcome.report);
            before.assert_unchanged(&database);
        }
    }
}

#[test]
fn a_dry_run_keeps_no_journal_whatever_it_is_told() {
    for database in each("dry_journal", SCHEMA) {
        let before = Contents::of(&database);
        let export = export();
        let restore = || Restore::of(&export).config(CONFIG).options(|options| options.commit_every = Some(17));
        assert_eq!(restore().dry_run(true).into(&database).report.status, Status::Restored);
        before.assert_unchanged(&database);
        let resumed = restore().options(|options| options.resume = true).dry_run(true).try_into(&database);
        assert!(matches!(resumed, Err(Failure::Restore(Error::Journal(_)))), "{database:?}: {resumed:?}");
        before.assert_unchanged(&database);
    }
}

#[test]
fn a_schema_script_goes_with_what_fails_before_the_first_commit_and_stays_with_what_is_committed() {
    for database in TestDatabase::each("script_and_journal") {
        let ddl = schema(SCHEMA).ddl(database.dialect());
        let before = Contents::of(&database);
        let export = export();
        let restore =
            || Restore::of(&export).config(CONFIG).schema(&ddl).options(|options| options.commit_every = Some(17));
        let mut resumes = false;
        for call in (1..).step_by(3) {
            let faults = Faults::at(call, Moment::Before);
            match restore().over(|connection| faults.wrap(connection)).try_into(&database) {
                Err(Failure::Restore(Error::Stopped(error))) => {
                    // Whether a commit came through is not known where it broke off, so nothing is undone; here it did not.
                    resumes = !matches!(*error, Error::CommitUnknown(_));
                    break;
                }
                Err(_) => before.assert_unchanged_after(&database, format_args!("call {call}")),
                Ok(outcome) => panic!("{database:?}: {:#?}", outcome.report),
            }
        }
        if !resumes {
            let nothing = restore().options(|options| options.resume = true).try_into(&database);
            assert!(matches!(nothing, Err(Failure::Restore(Error::Journal(_)))), "{database:?}: {nothing:?}");
        }
        let resumed = restore().options(|options| options.resume = resumes).into(&database);
        assert!(resumed.committed, "{database:?}");
        assert_eq!(database.value("SELECT count(*) FROM book"), "200", "{database:?}");
    }
}

#[test]
fn of_two_processes_that_go_on_with_one_journal_one_alone_can_commit() {
    for (database, undisturbed) in each("two_go_on", SCHEMA).into_iter().zip(each("two_undisturbed", SCHEMA)) {
        if database.dialect() == "sqlite" {
            continue; // which lets one write at a time, and reads the journal anew for each
        }
        let export = export();
        let restore = || Restore::of(&export).config(CONFIG).options(|options| options.commit_every = Some(17));
        // What another process would leave: it has committed since, and so raised the generation.
        let mut raised = false;
        let stopped = restore()
            .hear(|event| {
                let is_load = matches!(event, Event::Progress { phase: Phase::Load, done } if done > 100);
                if is_load && !raised {
                    raised = true;
                    database.run("UPDATE relink_journal SET place = place + 1 WHERE kind LIKE 'step %';");
                }
            })
            .try_into(&database);
        match stopped {
            Err(Failure::Restore(Error::Stopped(error))) => {
                assert!(error.to_string().contains("another process"), "{database:?}: {error}");
            }
            other => panic!("{database:?}: {other:#?}"),
        }
        assert!(restore().into(&undisturbed).committed);
        let resumed = restore().options(|options| options.resume = true).into(&database);
        assert!(resumed.committed, "{database:?}");
        assert_eq!(rows(&database), rows(&undisturbed), "{database:?}");
    }
}

#[test]
fn a_restore_whose_finished_journal_could_not_be_removed_is_complete() {
    for database in each("finished_journal", SCHEMA) {
        let export = export();
        let restore = || Restore::of(&export).config(CONFIG).options(|options| options.commit_every = Some(17));
        let faults = Faults::at(u64::MAX, Moment::Before);
        let whole = restore().over(|connection| faults.wrap(connection)).into(&database);
        let expected = rows(&database);
        for call in faults.calls() - 6..=faults.calls() {
            let Some(database) =
                each("finished_journal", SCHEMA).into_iter().find(|other| other.dialect() == database.dialect())
            else {
                unreachable!("there was one")
            };
            let faults = Faults::at(call, Moment::Before);
            let ended = restore().over(|connection| faults.wrap(connection)).try_into(&database);
            let resumed = restore().options(|options| options.resume = true).try_into(&database);
            match (ended, resumed) {
                // The journal is gone, or was left with the note that it is finished.
                (Ok(ended), Ok(resumed)) if ended.committed => {
                    assert!(resumed.committed);
                    assert_eq!(resumed.report.totals, whole.report.totals, "{database:?}");
                }
                (Ok(ended), Err(Failure::Restore(Error::Journal(_)))) if ended.committed => {}
                // A check of the validation could not run.
                (Ok(_) | Err(_), Ok(resumed)) => assert!(resumed.committed),
                other => panic!("{database:?}, call {call}: {other:#?}"),
            }
            assert_eq!(rows(&database), expected, "{database:?}, call {call}");
            let anew = Export::new(r#"[{"model": "x.tag", "pk": 900, "fields": {"name": "new"}}]"#);
            let anew = Restore::of(&anew).config(CONFIG).into(&database);
            assert!(anew.committed, "{database:?}, call {call}: no journal stands in the way");
        }
    }
}

#[test]
fn a_record_that_is_committed_cannot_be_rejected_any_more_and_that_is_said() {
    let schema = "app_doc(id pk, name varchar(40) check name <> 'bad')
        app_doc_friends(id pk, from_doc_id int -> app_doc.id, to_doc_id int -> app_doc.id, unique(from_doc_id, to_doc_id))";
    let config = "[table.app_doc]\njoin_tables = { friends = \"app_doc_friends\" }";
    for database in each("committed_already", schema) {
        let mut records: Vec<String> = (1..=40)
            .map(|id| {
                let friends = if id == 3 { "[40]" } else { "[]" };
                let name = if id == 40 { "bad" } else { "good" };
                format!(r#"{{"model": "app.doc", "pk": {id}, "fields": {{"name": "{name}", "friends": {friends}}}}}"#)
            })
            .collect();
        let export = Export::new(format!("[{}]", records.join(",\n")));
        let restore = |export| {
            Restore::of(export).config(config).options(|options| {
                (options.commit_every, options.on_error) = (Some(5), relink_model::OnError::Reject);
            })
        };
        match restore(&export).try_into(&database) {
            Err(Failure::Restore(Error::Stopped(error))) => {
                assert!(error.to_string().contains("cannot be rejected any more"), "{database:?}: {error}");
            }
            other => panic!("{database:?}: {other:#?}"),
        }
        assert_eq!(database.value("SELECT count(*) FROM app_doc_friends"), "0", "{database:?}");
        // The other way round the refusal comes before what refers to it.
        database.run("DELETE FROM app_doc; DROP TABLE relink_journal;");
        records.reverse();
        let export = Export::new(format!("[{}]", records.join(",\n")));
        let outcome = restore(&export).into(&database);
        assert!(outcome.committed, "{database:?}: {:#?}", outcome.report);
        assert_eq!(outcome.rejected.len(), 2, "{database:?}: {:#?}", outcome.rejected);
        assert_eq!(database.value("SELECT count(*) FROM app_doc"), "38", "{database:?}");
    }
}

#[test]
fn a_role_that_may_make_no_table_is_told_before_anything_is_written() {
    for database in each("no_journal", SCHEMA) {
        if database.dialect() == "sqlite" {
            continue;
        }
        let role = Role::new(&database);
        role.grant("SELECT, INSERT, UPDATE, DELETE", &["author", "book", "book_tags", "tag"]);
        if database.dialect() == "postgres" {
            database.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC;");
        }
        let before = Contents::of(&database);
        let export = export();
        let restore = || Restore::of(&export).config(CONFIG).url(role.url());
        let refused = restore().options(|options| options.commit_every = Some(17)).try_into(&database);
        match refused {
            Err(Failure::Restore(Error::JournalTable(error))) => {
                assert_eq!(error.kind, DbErrorKind::PermissionDenied, "{database:?}: {error:?}");
            }
            other => panic!("{database:?}: {other:#?}"),
        }
        before.assert_unchanged(&database);
        assert!(restore().into(&database).committed, "{database:?}");
    }
}

#[test]
fn ids_that_were_told_from_the_order_of_records_are_not_taken_by_what_is_committed() {
    let schema = "app_kind(id pk, name varchar(40) unique)\napp_thing(id pk, kind_id int -> app_kind.id)";
    let kinds = (1..=30).map(|n| format!(r#"{{"model": "app.kind", "fields": {{"name": "kind {n}"}}}}"#));
    let things = (1..=30).map(|n| format!(r#"{{"model": "app.thing", "pk": {n}, "fields": {{"kind": {}}}}}"#, n * 3));
    let export = Export::new(format!("[{}]", kinds.chain(things).collect::<Vec<_>>().join(",\n")));
    for database in each("told_ids", schema) {
        let restore = || Restore::of(&export).options(|options| options.commit_every = Some(7));
        let (mut call, mut resumes) = (1, false);
        loop {
            let faults = Faults::at(call, Moment::Before);
            let attempt = restore().options(|options| options.resume = resumes);
            match attempt.over(|connection| faults.wrap(connection)).try_into(&database) {
                Ok(outcome) if outcome.committed => {
                    assert_eq!(outcome.counts("app_kind").inserted, 30, "{database:?}");
                    break;
                }
                Ok(outcome) => {
                    assert!(outcome.report.status == Status::Restored, "{database:?}: {:#?}", outcome.report);
                }
                Err(Failure::Restore(Error::Stopped(_))) => resumes = true,
                Err(Failure::Restore(Error::Journal(_))) if resumes => resumes = false,
                Err(Failure::Restore(Error::Db(_)) | Failure::Validate(_)) => {}
                Err(failure) => panic!("{database:?}: {failure:#?}"),
            }
            call += 4;
        }
        assert!(resumes, "{database:?}: nothing stopped it after a commit");
        assert_eq!(
            database
                .value("SELECT count(*) FROM app_thing t JOIN app_kind k ON k.id = t.kind_id WHERE k.id = 3 * t.id"),
            "30"
        );
    }
}
