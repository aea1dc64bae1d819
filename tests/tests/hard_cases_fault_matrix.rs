//! Hard cases of failure, over all that a restore can be told to do: each call of the connection fails in turn, before it is made and after. A
//! restore in one transaction then leaves the database exactly as it was; one that commits on its way goes on to the very same end.

use relink_db::DbErrorKind;
use relink_e2e::{Contents, Export, Failure, Faults, Moment, Outcome, Restore, lines};
use relink_model::{Ids, OnError, Strategy, TriggerPolicy};
use relink_restore::{Error, Mode, Options};
use relink_testkit::{TestDatabase, schema};

/// A restore to be disturbed.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    schema: &'static str,
    /// Referenced tables first.
    tables: &'static [&'static str],
    seed: &'static str,
    export: &'static str,
    config: &'static str,
    options: fn(&mut Options),
    /// Triggers that count what they see, which this case disables.
    triggers: bool,
    /// Calls that it takes at least; how many it takes is up to the database.
    calls_min: u64,
}

/// Documents with a list of tags, which name each other, and of which no two have the same rank.
const DOCUMENTS: &str = "app_tag(id pk, name varchar(40) unique)
    app_doc(id pk, slug varchar(40) unique, rank_no int null unique, title text null, parent_id int null -> app_doc.id, size int check size > 0)
    app_doc_tags(id pk, doc_id int -> app_doc.id, tag_id int -> app_tag.id, unique(doc_id, tag_id))
    app_log(id pk, what text)";
const DOCUMENT_TABLES: [&str; 4] = ["app_tag", "app_doc", "app_doc_tags", "app_log"];
const BY_SLUG: &str = "[table.app_doc]\nnatural_key = [\"slug\"]";

/// The tag `b` and the documents stand there under other ids; the first two have each other's rank, and a list with a tag too many.
const DOCUMENT_SEED: &str = "INSERT INTO app_tag (id, name) VALUES (101, 'z'), (7, 'b');
    INSERT INTO app_doc (id, slug, rank_no, title, parent_id, size) VALUES
        (11, 'one', 2, NULL, NULL, 1), (12, 'two', 1, 'kept', 11, 2), (13, 'same', 9, 'same', NULL, 9), (14, 'nobody''s', 3, NULL, 12, 4);
    INSERT INTO app_doc_tags (id, doc_id, tag_id) VALUES (1, 11, 101), (2, 11, 7), (3, 14, 101);";

/// The same, with ids taken that records of others have.
const TAKEN_SEED: &str = "INSERT INTO app_tag (id, name) VALUES (1, 'z'), (7, 'b'), (3, 'y');
    INSERT INTO app_doc (id, slug, rank_no, title, parent_id, size) VALUES
        (1, 'two', 1, 'kept', NULL, 2), (2, 'one', 2, NULL, 1, 1), (3, 'same', 9, 'same', NULL, 9), (4, 'nobody''s', 3, NULL, 2, 4);
    INSERT INTO app_doc_tags (id, doc_id, tag_id) VALUES (1, 2, 1), (2, 2, 7), (3, 4, 3);";

const DOCUMENT_ROWS: &str = r#"[
    {"model": "app.doc", "pk": 4, "fields": {"slug": "four", "rank_no": 4, "title": "4", "parent": 3, "size": 4, "tags": [1, 2]}},
    {"model": "app.doc", "pk": 1, "fields": {"slug": "one", "rank_no": 1, "title": "first", "parent": null, "size": 1, "tags": [2, 3]}},
    {"model": "app.doc", "pk": 2, "fields": {"slug": "two", "rank_no": 2, "title": "second", "parent": 4, "size": 2, "tags": []}},
    {"model": "app.doc", "pk": 3, "fields": {"slug": "three", "rank_no": null, "title": null, "parent": 1, "size": 3, "tags": [["a"]]}},
    {"model": "app.doc", "pk": 5, "fields": {"slug": "same", "rank_no": 9, "title": "same", "parent": null, "size": 9, "tags": [1]}},
    {"model": "app.tag", "pk": 1, "fields": {"name": "a"}},
    {"model": "app.tag", "pk": 2, "fields": {"name": "b"}},
    {"model": "app.tag", "pk": 3, "fields": {"name": "c"}}
]"#;

/// The sizes of two documents are refused by the database alone; one of them takes its child along, and that one's child.
const REFUSED_ROWS: &str = r#"[
    {"model": "app.doc", "pk": 1, "fields": {"slug": "one", "rank_no": 1, "title": "1", "parent": null, "size": 1, "tags": [1, 2]}},
    {"model": "app.doc", "pk": 2, "fields": {"slug": "two", "rank_no": 2, "title": "2", "parent": 1, "size": 2, "tags": [2]}},
    {"model": "app.doc", "pk": 3, "fields": {"slug": "three", "rank_no": 3, "title": "3", "parent": 2, "size": -3, "tags": [1]}},
    {"model": "app.doc", "pk": 4, "fields": {"slug": "four", "rank_no": 4, "title": "4", "parent": 3, "size": 4, "tags": [2]}},
    {"model": "app.doc", "pk": 5, "fields": {"slug": "five", "rank_no": 5, "title": "5", "parent": 4, "size": 5, "tags": []}},
    {"model": "app.doc", "pk": 6, "fields": {"slug": "six", "rank_no": 6, "title": "6", "parent": 1, "size": 6, "tags": [1]}},
    {"model": "app.doc", "pk": 7, "fields": {"slug": "seven", "rank_no": 7, "title": "7", "parent": null, "size": 0, "tags": [1, 2]}},
    {"model": "app.doc", "pk": 8, "fields": {"slug": "eight", "rank_no": 8, "title": "8", "parent": 6, "size": 8, "tags": [2]}},
    {"model": "app.tag", "pk": 1, "fields": {"name": "a"}},
    {"model": "app.tag", "pk": 2, "fields": {"name": "b"}}
]"#;

const DOCUMENTS_CASE: Case = Case {
    name: "documents",
    schema: DOCUMENTS,
    tables: &DOCUMENT_TABLES,
    seed: DOCUMENT_SEED,
    export: DOCUMENT_ROWS,
    config: BY_SLUG,
    options: |options| options.mode = Mode::Upsert,
    triggers: false,
    calls_min: 25,
};

const REFUSED_CASE: Case = Case {
    name: "refusals",
    seed: "INSERT INTO app_log (id, what) VALUES (1, 'there');",
    export: REFUSED_ROWS,
    config: "",
    options: |options| options.on_error = OnError::Reject,
    calls_min: 30,
    ..DOCUMENTS_CASE
};

/// The calls that fail: every other one on SQLite; on a server, where looking takes long, every so many; and others before than after.
fn calls(dialect: &str, moment: Moment, stride: usize) -> impl Iterator<Item = u64> {
    let stride = if dialect == "sqlite" { 2 } else { 2 * stride };
    let first = if moment == Moment::After { 1 + stride as u64 / 2 } else { 1 };
    (first..).step_by(stride)
}

impl Case {
    /// A database in the state before the restore.
    fn database(&self, dialect: &str) -> Option<TestDatabase> {
        let database = match dialect {
            "sqlite" => Some(TestDatabase::sqlite()),
            "postgres" => TestDatabase::postgres(self.name),
            _ => TestDatabase::mysql(self.name),
        }?;
        self.fill(&database);
        Some(database)
    }

    fn fill(&self, database: &TestDatabase) {
        database.run(&schema(self.schema).ddl(database.dialect()));
        let insert = "INSERT INTO app_log (what) VALUES ('seen')";
        match database.dialect() {
            _ if !self.triggers => {}
            "sqlite" => database.run(&format!("CREATE TRIGGER seen AFTER INSERT ON app_doc BEGIN {insert}; END;")),
            _ => database.run(&format!(
                "CREATE FUNCTION seen() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$;
                 CREATE TRIGGER seen AFTER INSERT ON app_doc FOR EACH ROW EXECUTE FUNCTION seen();"
            )),
        }
        database.run(self.seed);
    }

    /// The state before the restore again, without a new database where that takes long.
    fn again(&self, database: TestDatabase) -> TestDatabase {
        match database.dialect() {
            "sqlite" => return self.database("sqlite").expect("SQLite is always there"),
            "postgres" => database.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public;"),
            _ => {
                let tables = self.tables.join(", ");
                database.run(&format!("SET foreign_key_checks = 0; DROP TABLE IF EXISTS relink_journal, {tables};"));
            }
        }
        self.fill(&database);
        database
    }

    fn restore<'a>(&self, export: &'a Export) -> Restore<'a> {
        Restore::of(export).config(self.config).options(self.options)
    }

    /// Every row of every table.
    fn rows(&self, database: &TestDatabase) -> Vec<String> {
        let table = |table: &&str| lines(database, &format!("SELECT '{table}', t.* FROM {table} t ORDER BY id"));
        self.tables.iter().flat_map(table).collect()
    }

    /// Fails at one call after the other, until none fails any more; each time the database must be what it was.
    fn is_as_it_was(&self, dialect: &str, moment: Moment) {
        let Some(database) = self.database(dialect) else { return };
        let before = Contents::of(&database);
        let export = Export::new(self.export);
        for call in calls(dialect, moment, 7) {
            let place = format!("{} on {database:?}, call {call} {moment:?}", self.name);
            let faults = Faults::at(call, moment);
            let result = self.restore(&export).over(|connection| faults.wrap(connection)).try_into(&database);
            if !faults.fired() {
                let outcome = result.unwrap_or_else(|failure| panic!("{place}: {failure:#?}"));
                assert!(outcome.committed, "{place}: {:#?}", outcome.report);
                assert!(call > self.calls_min, "{place}: only so many calls");
                break;
            }
            match result {
                // The answer to the commit was lost, which had been given.
                Ok(outcome) if outcome.committed => break,
                // A check that could not run.
                Ok(outcome) => {
                    assert!(outcome.validation.is_some_and(|report| !report.is_complete()), "{place}");
                }
                Err(failure) => assert!(is_the_fault(&failure), "{place}: {failure:#?}"),
            }
            before.assert_unchanged_after(&database, &place);
        }
        let expected = self.database(dialect).expect("there is one");
        let outcome = self.restore(&export).into(&expected);
        assert!(outcome.committed, "{:#?}", outcome.report);
        assert_eq!(self.rows(&database), self.rows(&expected), "{} on {database:?}", self.name);
        assert_ne!(Contents::of(&expected), before, "{}: nothing was restored", self.name);
    }

    /// Fails at one call after the other, and goes on after that without any failure.
    fn goes_on_to_the_same_end(&self, dialect: &str, moment: Moment) {
        let Some(mut database) = self.database(dialect) else { return };
        let export = Export::new(self.export);
        let expected = self.database(dialect).expect("there is one");
        let whole = self.restore(&export).into(&expected);
        assert!(whole.committed, "{:#?}", whole.report);
        let rows = self.rows(&expected);
        let constraints = Contents::of(&expected).constraints();
        let (mut stopped, mut calls_max) = (0, 0);
        for call in calls(dialect, moment, 11) {
            let place = format!("{} on {database:?}, call {call} {moment:?}", self.name);
            let faults = Faults::at(call, moment);
            let attempt = |resume: bool| {
                let restore = self.restore(&export);
                restore.options(move |options| (options.commit_every, options.resume) = (Some(2), resume))
            };
            let before = self.rows(&database);
            let result = attempt(false).over(|connection| faults.wrap(connection)).try_into(&database);
            calls_max = calls_max.max(faults.calls());
            let outcome: Outcome = match result {
                Ok(outcome) if outcome.committed => {
                    // What failed was but the removal of the finished journal, at most.
                    let again = attempt(true).try_into(&database);
                    assert!(matches!(again, Ok(_) | Err(Failure::Restore(Error::Journal(_)))), "{place}: {again:#?}");
                    outcome
                }
                Ok(outcome) => {
                    assert!(outcome.validation.is_some_and(|report| !report.is_complete()), "{place}");
                    self.go_on(&database, attempt, &before, &place, &mut stopped)
                }
                Err(failure) => {
                    assert!(is_the_fault(&failure), "{place}: {failure:#?}");
                    self.go_on(&database, attempt, &before, &place, &mut stopped)
                }
            };
            assert_eq!(self.rows(&database), rows, "{place}");
            assert_eq!(outcome.report.totals, whole.report.totals, "{place}");
            assert_eq!(outcome.rejections(), whole.rejections(), "{place}");
            assert_eq!(Contents::of(&database).constraints(), constraints, "{place}: the journal, or a constraint");
            if self.triggers {
                database.run("INSERT INTO app_doc (id, slug, size) VALUES (900, 'later', 1);");
                assert_eq!(database.value("SELECT count(*) FROM app_log WHERE what = 'seen'"), "1", "{place}");
            }
            if !faults.fired() {
                break;
            }
            database = self.again(database);
        }
        assert!(calls_max > self.calls_min && stopped > 0, "{} on {database:?}: {calls_max} calls", self.name);
    }

    /// Goes on, where there is something to go on with; else begins again.
    fn go_on<'a>(
        &self,
        database: &TestDatabase,
        attempt: impl Fn(bool) -> Restore<'a>,
        before: &[String],
        place: &str,
        stopped: &mut u32,
    ) -> Outcome {
        let outcome = match attempt(true).try_into(database) {
            Ok(outcome) => {
                *stopped += 1;
                outcome
            }
            Err(Failure::Restore(Error::Journal(message))) => {
                assert!(message.contains("nothing to resume"), "{place}: {message}");
                assert_eq!(self.rows(database), before, "{place}");
                attempt(false).into(database)
            }
            Err(failure) => panic!("{place}, going on: {failure:#?}"),
        };
        assert!(outcome.committed, "{place}: {:#?}", outcome.report);
        outcome
    }

    /// On each database, in one transaction and with commits on the way.
    fn withstands_faults(&self, dialects: &[&str]) {
        for dialect in dialects {
            for moment in [Moment::Before, Moment::After] {
                self.is_as_it_was(dialect, moment);
                self.goes_on_to_the_same_end(dialect, moment);
            }
        }
    }
}

/// Whether a restore failed because of the connection.
fn is_the_fault(failure: &Failure) -> bool {
    fn of_restore(error: &Error) -> bool {
        match error {
            Error::Db(error) => error.kind == DbErrorKind::ConnectionLost,
            Error::CommitUnknown(error) | Error::JournalTable(error) | Error::Hook { error, .. } => {
                error.kind == DbErrorKind::ConnectionLost
            }
            Error::Stopped(error) => of_restore(error),
            _ => false,
        }
    }
    match failure {
        Failure::Restore(error) => of_restore(error),
        Failure::Validate(error) => error.kind == DbErrorKind::ConnectionLost,
        _ => false,
    }
}

const ALL: [&str; 3] = ["sqlite", "postgres", "mysql"];

#[test]
fn updates_with_a_swap_and_shorter_lists() {
    DOCUMENTS_CASE.withstands_faults(&ALL);
}

#[test]
fn merges() {
    Case { name: "merge", options: |options| options.mode = Mode::Merge, ..DOCUMENTS_CASE }.withstands_faults(&ALL);
}

#[test]
fn remapped_ids() {
    let options = |options: &mut Options| (options.mode, options.ids) = (Mode::Upsert, Ids::Remap);
    Case { name: "remap", seed: TAKEN_SEED, options, ..DOCUMENTS_CASE }.withstands_faults(&ALL);
}

#[test]
fn new_ids_beside_rows_that_stay() {
    let options = |options: &mut Options| (options.mode, options.ids) = (Mode::Skip, Ids::New);
    Case { name: "new", seed: TAKEN_SEED, options, ..DOCUMENTS_CASE }.withstands_faults(&ALL);
}

#[test]
fn a_cycle_that_is_cleared_first() {
    Case {
        name: "cycle",
        schema: "app_husband(id pk, wife_id int -> app_wife.id)
            app_wife(id pk, husband_id int -> app_husband.id, best_id int null -> app_friend.id)
            app_friend(id pk, of_id int -> app_wife.id, since_id int null -> app_friend.id)
            app_log(id pk, what text)",
        tables: &["app_husband", "app_wife", "app_friend", "app_log"],
        seed: "INSERT INTO app_log (id, what) VALUES (1, 'goes'), (5, 'goes too');",
        export: r#"[
            {"model": "app.friend", "pk": 1, "fields": {"of": 2, "since": 3}},
            {"model": "app.friend", "pk": 3, "fields": {"of": 1, "since": null}},
            {"model": "app.husband", "pk": 1, "fields": {"wife": 2}},
            {"model": "app.husband", "pk": 2, "fields": {"wife": 1}},
            {"model": "app.wife", "pk": 1, "fields": {"husband": 2, "best": 3}},
            {"model": "app.wife", "pk": 2, "fields": {"husband": 1, "best": null}},
            {"model": "app.log", "pk": 2, "fields": {"what": "a"}},
            {"model": "app.log", "pk": 3, "fields": {"what": "b"}},
            {"model": "app.log", "pk": 4, "fields": {"what": "c"}}
        ]"#,
        config: "",
        options: |options| options.mode = Mode::Replace,
        triggers: false,
        calls_min: 25,
    }
    .withstands_faults(&ALL);
}

#[test]
fn records_that_the_database_refuses() {
    REFUSED_CASE.withstands_faults(&ALL);
}

#[test]
fn records_that_the_database_refuses_in_bulk() {
    let options = |options: &mut Options| (options.on_error, options.strategy) = (OnError::Reject, Strategy::Bulk);
    Case { name: "bulk", options, ..REFUSED_CASE }.withstands_faults(&["postgres"]);
}

#[test]
fn records_that_the_database_refuses_row_by_row() {
    let options = |options: &mut Options| (options.on_error, options.strategy) = (OnError::Reject, Strategy::Row);
    Case { name: "row", options, ..REFUSED_CASE }.withstands_faults(&ALL);
}

#[test]
fn records_that_the_database_refuses_as_literal_sql() {
    let options = |options: &mut Options| (options.on_error, options.strategy) = (OnError::Reject, Strategy::Raw);
    Case { name: "raw", options, ..REFUSED_CASE }.withstands_faults(&ALL);
}

#[test]
fn triggers_that_stand_back() {
    let options = |options: &mut Options| {
        (options.mode, options.on_error, options.triggers) = (Mode::Upsert, OnError::Reject, TriggerPolicy::Disable);
    };
    // MySQL disables none.
    Case {
        name: "triggers",
        triggers: true,
        seed: "",
        export: REFUSED_ROWS,
        config: BY_SLUG,
        options,
        ..DOCUMENTS_CASE
    }
    .withstands_faults(&["sqlite", "postgres"]);
}

#[test]
fn hooks() {
    let config = "[hooks]
        before = [\"INSERT INTO app_log (id, what) VALUES (2, 'before'); UPDATE app_log SET what = 'changed' WHERE id = 1\"]
        after = [\"INSERT INTO app_log (id, what) SELECT 100 + count(*), 'after' FROM app_doc\", \"DELETE FROM app_log WHERE id = 2\"]";
    Case { name: "hooks", config, ..REFUSED_CASE }.withstands_faults(&ALL);
}
