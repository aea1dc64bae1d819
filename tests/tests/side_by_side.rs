//! `--jobs`: what does not depend on each other is loaded over several connections, and whatever happens ends in the same database.

use relink_db::DbErrorKind;
use relink_e2e::{Contents, Export, Failure, Faults, Moment, Restore, each, lines};
use relink_model::{Ids, OnError};
use relink_restore::{Error, Mode, Status};
use relink_testkit::TestDatabase;

/// Two families of tables that know nothing of each other, and one that joins them.
const SCHEMA: &str = "author(id pk, name varchar(40) unique)
book(id pk, author_id int -> author.id, sequel_of_id int null -> book.id, title text)
plant(id pk, name varchar(40) unique)
bed(id pk, plant_id int -> plant.id, size int check size <> 13)
mention(id pk, book_id int -> book.id, plant_id int -> plant.id, unique(book_id, plant_id))
tool(id pk, name varchar(40) unique)";
const TABLES: [&str; 6] = ["author", "book", "plant", "bed", "mention", "tool"];

const CONFIG: &str = "[table.book]\njoin_tables = { plants = \"mention\" }";

fn records(bad_bed: bool) -> Export {
    let mut records = Vec::new();
    for id in 1..=60 {
        records.push(format!(r#"{{"model": "x.author", "pk": {id}, "fields": {{"name": "author {id}"}}}}"#));
        records.push(format!(r#"{{"model": "x.plant", "pk": {id}, "fields": {{"name": "plant {id}"}}}}"#));
        records.push(format!(r#"{{"model": "x.tool", "pk": {id}, "fields": {{"name": "tool {id}"}}}}"#));
        let size = if bad_bed && id == 40 { 13 } else { 20 };
        records.push(format!(r#"{{"model": "x.bed", "pk": {id}, "fields": {{"plant": {id}, "size": {size}}}}}"#));
    }
    for id in (1..=90).rev() {
        let sequel = if id > 1 { (id / 2).to_string() } else { "null".to_owned() };
        let (author, plant) = (id % 60 + 1, id % 59 + 1);
        records.push(format!(
            r#"{{"model": "x.book", "pk": {id}, "fields": {{"author": {author}, "sequel_of": {sequel}, "title": "{id}", "plants": [{plant}]}}}}"#
        ));
    }
    Export::new(format!("[{}]", records.join(",\n")))
}

fn config() -> String {
    let tables = TABLES.iter().filter(|table| !["book", "mention"].contains(table));
    let tables = tables.map(|table| format!("[table.{table}]\nmodels = [\"x.{table}\"]\n"));
    format!("{CONFIG}\nmodels = [\"x.book\"]\n{}", tables.collect::<String>())
}

fn restore(export: &Export, jobs: usize) -> Restore<'_> {
    Restore::of(export)
        .config(&config())
        .options(move |options| (options.commit_every, options.jobs) = (Some(25), Some(jobs)))
}

fn rows(database: &TestDatabase) -> Vec<String> {
    let table = |table: &&str| lines(database, &format!("SELECT '{table}', t.* FROM {table} t ORDER BY id"));
    TABLES.iter().flat_map(table).collect()
}

/// Over how many connections a restore goes that may take three.
fn connections(database: &TestDatabase) -> usize {
    if database.dialect() == "sqlite" { 1 } else { 3 }
}

const SEED: &str = "INSERT INTO author (id, name) VALUES (7, 'author 9'), (90, 'author 3');
    INSERT INTO plant (id, name) VALUES (1, 'plant 2'), (2, 'plant 1');
    INSERT INTO bed (id, plant_id, size) VALUES (3, 1, 5), (300, 2, 6);";

#[test]
fn it_ends_in_the_database_of_a_restore_over_one_connection() {
    let export = records(false);
    for (mode, ids) in [(Mode::Insert, Ids::Keep), (Mode::Upsert, Ids::Remap), (Mode::Replace, Ids::New)] {
        for (database, alone) in each("side_by_side", SCHEMA).into_iter().zip(each("alone", SCHEMA)) {
            let run = |database: &TestDatabase, jobs| {
                if mode != Mode::Insert {
                    database.run(SEED);
                }
                restore(&export, jobs).options(move |options| (options.mode, options.ids) = (mode, ids)).into(database)
            };
            let (one, three) = (run(&alone, 1), run(&database, 3));
            assert!(one.committed && three.committed, "{database:?}: {:#?}", three.report);
            assert_eq!((one.report.connections, three.report.connections), (1, connections(&database)));
            assert_eq!(one.report.totals, three.report.totals, "{database:?}");
            assert_eq!(one.report.relations, three.report.relations, "{database:?}");
            assert_eq!(rows(&database), rows(&alone), "{database:?} {mode:?} {ids:?}");
            assert_eq!(Contents::of(&database).constraints(), Contents::of(&alone).constraints(), "the journal stays");
        }
    }
}

#[test]
fn steps_that_do_not_depend_on_each_other_are_loaded_at_the_same_time() {
    let Some(database) = TestDatabase::postgres("meet") else { return };
    // Each row waits until a row of the other table is being written as well, which one connection would never come to.
    database.run(
        "CREATE TABLE met (who int);
         CREATE FUNCTION meets(own int, other int) RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN
            -- Validated again once the rows are in.
            IF EXISTS (SELECT 1 FROM met WHERE who = own) THEN RETURN true; END IF;
            PERFORM pg_advisory_xact_lock_shared(own);
            FOR attempt IN 1..1000 LOOP
                PERFORM 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = other;
                IF FOUND THEN INSERT INTO met VALUES (own); RETURN true; END IF;
                PERFORM pg_sleep(0.01);
            END LOOP;
            RETURN false;
         END $$;
         CREATE TABLE home (id int PRIMARY KEY);
         CREATE TABLE cat (id int PRIMARY KEY, home_id int REFERENCES home, name text CHECK (meets(1, 2)));
         CREATE TABLE dog (id int PRIMARY KEY, home_id int REFERENCES home, name text CHECK (meets(2, 1)));",
    );
    // While the one table is loaded that both refer to, there is nothing to do for the other connection; then there is.
    let export = Export::new(
        r#"{"home": [{"id": 5}], "cat": [{"id": 1, "home_id": 5, "name": "a"}], "dog": [{"id": 1, "home_id": 5, "name": "b"}]}"#,
    );
    let outcome = Restore::of(&export)
        .options(|options| (options.commit_every, options.jobs) = (Some(1), Some(2)))
        .into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report);
    assert_eq!(outcome.report.connections, 2);
}

#[test]
fn a_table_whose_triggers_fire_is_loaded_while_nothing_else_is() {
    let Some(database) = TestDatabase::postgres("alone") else { return };
    let table = |name: &str| format!("CREATE TABLE {name} (id int PRIMARY KEY, name text);");
    database.run(&["cat", "dog", "fox", "owl"].map(table).concat());
    database.run(
        "CREATE FUNCTION looks() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
            IF EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                       WHERE c.relname IN ('cat', 'dog', 'owl') AND l.mode = 'RowExclusiveLock' AND l.pid <> pg_backend_pid()) THEN
                RAISE EXCEPTION 'not alone';
            END IF;
            PERFORM pg_sleep(0.001);
            RETURN NULL;
         END $$;
         CREATE TRIGGER looks AFTER INSERT ON fox FOR EACH ROW EXECUTE FUNCTION looks();",
    );
    let rows: Vec<String> = (1..=400).map(|id| format!(r#"{{"id": {id}, "name": "n"}}"#)).collect();
    let some = rows[..100].join(",");
    let rows = rows.join(",");
    let export = Export::new(format!(r#"{{"fox": [{some}], "cat": [{rows}], "dog": [{rows}], "owl": [{rows}]}}"#));
    let outcome = Restore::of(&export)
        .options(|options| (options.commit_every, options.jobs) = (Some(10), Some(4)))
        .into(&database);
    assert!(outcome.committed, "{:#?}", outcome.report.findings);
    assert_eq!(outcome.report.connections, 2, "those before it");
    assert_eq!(database.value("SELECT count(*) FROM fox"), "100");
}

#[test]
fn whatever_call_fails_the_restore_goes_on_to_the_same_end_over_any_number_of_connections() {
    for (database, undisturbed) in each("side_faults", SCHEMA).into_iter().zip(each("side_undisturbed", SCHEMA)) {
        let export = records(false);
        for database in [&database, &undisturbed] {
            database.run(SEED);
        }
        let attempt = |jobs: usize, resume: bool| {
            restore(&export, jobs).options(move |options| {
                (options.mode, options.ids, options.resume) = (Mode::Upsert, Ids::Remap, resume);
            })
        };
        let whole = attempt(1, false).into(&undisturbed);
        let (mut call, mut resumes, mut stops) = (15, false, 0);
        loop {
            let faults = Faults::at(call, Moment::Before);
            let jobs = [3, 1, 2, 6][call as usize % 4];
            match attempt(jobs, resumes).over(|connection| faults.wrap(connection)).try_into(&database) {
                Ok(outcome) if outcome.committed => {
                    assert_eq!(outcome.report.totals, whole.report.totals, "{database:?}");
                    break;
                }
                Ok(outcome) => assert!(outcome.validation.is_some_and(|report| !report.is_complete()), "{database:?}"),
                Err(Failure::Restore(Error::Stopped(error))) => {
                    let lost = match &*error {
                        Error::Db(error) => error.kind == DbErrorKind::ConnectionLost,
                        Error::CommitUnknown(error) => error.kind == DbErrorKind::ConnectionLost,
                        _ => false,
                    };
                    assert!(lost, "{database:?}, call {call}: {error:?}");
                    (resumes, stops) = (true, stops + 1);
                }
                Err(Failure::Restore(Error::Journal(message))) if message.contains("nothing to resume") => {
                    assert!(resumes, "{database:?}");
                    resumes = false;
                }
                Err(Failure::Validate(_)) => resumes = true,
                Err(Failure::Restore(_)) if !resumes => {}
                Err(failure) => panic!("{database:?}, call {call}: {failure:#?}"),
            }
            call += 5;
        }
        assert!(stops > 1, "{database:?}: {stops} stops");
        assert_eq!(rows(&database), rows(&undisturbed), "{database:?}");
        assert_eq!(Contents::of(&database).constraints(), Contents::of(&undisturbed).constraints(), "{database:?}");
    }
}

#[test]
fn what_the_database_refuses_is_rejected_and_all_else_is_there() {
    for (database, alone) in each("side_rejects", SCHEMA).into_iter().zip(each("alone_rejects", SCHEMA)) {
        let export = records(true);
        let run = |database: &TestDatabase, jobs| {
            restore(&export, jobs).options(|options| options.on_error = OnError::Reject).into(database)
        };
        let (one, three) = (run(&alone, 1), run(&database, 3));
        assert!(three.committed, "{database:?}: {:#?}", three.report);
        assert_eq!(one.rejections(), three.rejections(), "{database:?}");
        assert_eq!(three.rejected.len(), 1, "{database:?}");
        assert_eq!(one.report.totals, three.report.totals, "{database:?}");
        assert_eq!(rows(&database), rows(&alone), "{database:?}");
    }
}

#[test]
fn what_several_connections_are_refused_is_rejected_together() {
    let schema = "cat(id pk, size int check size <> 13)\ndog(id pk, size int check size <> 13)
        flea(id pk, cat_id int null -> cat.id, dog_id int null -> dog.id)";
    let animals = |bad: u32| {
        let row = |id: u32| format!(r#"{{"id": {id}, "size": {}}}"#, if id.is_multiple_of(bad) { 13 } else { 1 });
        (1..=120).map(row).collect::<Vec<_>>().join(",")
    };
    let flea = |id: u32| {
        let (cat, dog) = if id.is_multiple_of(2) {
            (id.to_string(), "null".to_owned())
        } else {
            ("null".to_owned(), id.to_string())
        };
        format!(r#"{{"id": {id}, "cat_id": {cat}, "dog_id": {dog}}}"#)
    };
    let fleas = (1..=120).map(flea).collect::<Vec<_>>().join(",");
    let export = Export::new(format!(r#"{{"flea": [{fleas}], "cat": [{}], "dog": [{}]}}"#, animals(40), animals(45)));
    for (database, alone) in each("refused_twice", schema).into_iter().zip(each("refused_alone", schema)) {
        let run = |database: &TestDatabase, jobs| {
            let options = move |options: &mut relink_restore::Options| {
                (options.commit_every, options.jobs, options.on_error) = (Some(15), Some(jobs), OnError::Reject);
            };
            Restore::of(&export).options(options).into(database)
        };
        let (one, two) = (run(&alone, 1), run(&database, 3));
        assert!(two.committed, "{database:?}: {:#?}", two.report.findings);
        assert_eq!(two.rejections(), one.rejections(), "{database:?}");
        // Three cats and two dogs are refused; their fleas go along.
        assert_eq!(two.rejected.len(), 5 + 3 + 1, "{database:?}: {:#?}", two.rejections());
        assert_eq!(database.value("SELECT count(*) FROM flea"), "116", "{database:?}");
        assert_eq!(Contents::of(&database).constraints(), Contents::of(&alone).constraints(), "{database:?}");
    }
}

#[test]
fn a_cycle_whose_constraints_stand_back_goes_beside_others() {
    let schema = "husband(id pk, wife_id int -> wife.id)\nwife(id pk, husband_id int -> husband.id)
        friend(id pk, best_id int null -> friend.id)\ntool(id pk, name varchar(40) unique)\nplace(id pk, name varchar(40) unique)";
    let pairs =
        |column: &str| (1..=50).map(|id| format!(r#"{{"id": {id}, "{column}": {}}}"#, 51 - id)).collect::<Vec<_>>();
    let named =
        |what: &str| (1..=200).map(|id| format!(r#"{{"id": {id}, "name": "{what} {id}"}}"#)).collect::<Vec<_>>();
    let export = Export::new(format!(
        r#"{{"tool": [{}], "husband": [{}], "wife": [{}], "friend": [{}], "place": [{}]}}"#,
        named("tool").join(","),
        pairs("wife_id").join(","),
        pairs("husband_id").join(","),
        pairs("best_id").join(","),
        named("place").join(",")
    ));
    for (database, alone) in each("cycle_beside", schema).into_iter().zip(each("cycle_alone", schema)) {
        let run = |database: &TestDatabase, jobs| {
            let options = move |options: &mut relink_restore::Options| {
                (options.commit_every, options.jobs) = (Some(20), Some(jobs));
            };
            Restore::of(&export).options(options).into(database)
        };
        let (one, three) = (run(&alone, 1), run(&database, 3));
        assert!(one.committed && three.committed, "{database:?}: {:#?}", three.report.findings);
        assert_eq!(one.report.relations, three.report.relations, "{database:?}");
        assert_eq!(Contents::of(&database).constraints(), Contents::of(&alone).constraints(), "{database:?}");
    }
}

#[test]
fn once_the_database_takes_what_it_refused_the_restore_goes_on_to_its_end() {
    let Some(database) = TestDatabase::postgres("takes_it") else { return };
    let table = |name: &str| format!("CREATE TABLE {name} (id int PRIMARY KEY, size int CHECK (size <= highest()));");
    database.run("CREATE TABLE limits (highest int); INSERT INTO limits VALUES (100);");
    database.run("CREATE FUNCTION highest() RETURNS int LANGUAGE sql AS 'SELECT max(highest) FROM limits';");
    database.run(&["cat", "dog"].map(table).concat());
    let rows: Vec<String> = (1..=200).map(|id| format!(r#"{{"id": {id}, "size": {id}}}"#)).collect();
    let small: Vec<String> = (1..=200).map(|id| format!(r#"{{"id": {id}, "size": 1}}"#)).collect();
    let export = Export::new(format!(r#"{{"cat": [{}], "dog": [{}]}}"#, rows.join(","), small.join(",")));
    let run = |resume| {
        let options = move |options: &mut relink_restore::Options| {
            (options.commit_every, options.jobs, options.resume) = (Some(20), Some(2), resume);
        };
        Restore::of(&export).options(options).into(&database)
    };
    assert_eq!(run(false).report.status, Status::Stopped);
    assert_eq!(database.value("SELECT count(*) FROM dog"), "200", "the other table is complete");
    database.run("UPDATE limits SET highest = 1000;");
    let resumed = run(true);
    assert!(resumed.committed, "{:#?}", resumed.report.findings);
    assert_eq!(resumed.counts("cat").inserted, 200);
    assert_eq!(database.value("SELECT count(*) FROM cat"), "200");
}

#[test]
fn what_the_database_refuses_stops_it_and_what_was_committed_stays() {
    for database in each("side_refused", SCHEMA) {
        let export = records(true);
        database.run("INSERT INTO tool (id, name) VALUES (1000, 'there');");
        let refused = restore(&export, 3).into(&database);
        assert_eq!(refused.report.status, Status::Stopped, "{database:?}: {:#?}", refused.report);
        assert!(refused.codes().contains(&relink_restore::code::REFUSED_ROW), "{database:?}: {:#?}", refused.codes());
        // The report counts what is there, and no more.
        for relation in &refused.report.relations {
            let there = database.value(&format!("SELECT count(*) FROM {}", relation.relation));
            let before = u64::from(relation.relation.name == "tool");
            assert_eq!(there, (relation.counts.inserted + before).to_string(), "{database:?}: {relation:?}");
        }
        // Nor does going on take the row, over however many connections; and what is there stays.
        let there = rows(&database);
        let resumed = restore(&export, 2).options(|options| options.resume = true).into(&database);
        assert_eq!(resumed.report.status, Status::Stopped, "{database:?}: {:#?}", resumed.report);
        let now = rows(&database);
        let lost: Vec<_> = there.into_iter().filter(|row| !now.contains(row)).collect();
        assert_eq!(lost, Vec::<String>::new(), "{database:?}");
    }
}
