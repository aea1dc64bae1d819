//! Schemas and rows that nobody thought of: tables that reference themselves and each other at random, with rows that fit, in any order.

use std::collections::{HashMap, HashSet};

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestRunner},
};
use relink_e2e::{Contents, Export, Outcome, Restore, lines};
use relink_model::{Ids, OnDangling, OnError};
use relink_restore::{Mode, Options, Status, code};
use relink_testkit::{TestDatabase, schema};

/// A reference to be: to which table, whether it may be NULL, and when it is checked.
#[derive(Clone, Debug)]
struct Reference {
    target: usize,
    nullable: bool,
    mode: &'static str,
}

/// A row: its id, and a target for each reference.
#[derive(Clone, Debug)]
struct Row {
    id: i32,
    targets: Vec<Option<i32>>,
}

#[derive(Clone, Debug)]
struct Table {
    references: Vec<Reference>,
    rows: Vec<Row>,
}

/// Tables with rows, and two orders to write the records in.
#[derive(Clone, Debug)]
struct Case {
    tables: Vec<Table>,
    orders: [Vec<(usize, usize)>; 2],
}

fn references(tables: usize) -> impl Strategy<Value = Vec<Reference>> {
    let mode = prop_oneof![3 => Just(""), 1 => Just("deferrable"), 1 => Just("deferred")];
    let reference =
        (0..tables, any::<bool>(), mode).prop_map(|(target, nullable, mode)| Reference { target, nullable, mode });
    vec(reference, 0..=3)
}

/// A row with more dice than it can have references: for each, whether it is NULL, and which row of the target.
fn rows() -> impl Strategy<Value = Vec<(i32, Vec<(bool, Index)>)>> {
    let row = (-20..1_000_i32, vec((any::<bool>(), any::<Index>()), 3));
    vec(row, 1..=8).prop_map(|mut rows| {
        rows.sort_by_key(|(id, _)| *id);
        rows.dedup_by_key(|(id, _)| *id);
        rows
    })
}

fn cases() -> impl Strategy<Value = Case> {
    (2..=5_usize)
        .prop_flat_map(|tables| vec((references(tables), rows()), tables))
        .prop_map(|tables| {
            let ids: Vec<Vec<i32>> = tables.iter().map(|(_, rows)| rows.iter().map(|(id, _)| *id).collect()).collect();
            let tables: Vec<Table> =
                tables.into_iter().map(|(references, rows)| make_table(&ids, references, rows)).collect();
            tables
        })
        .prop_flat_map(|tables| {
            let records: Vec<(usize, usize)> = tables
                .iter()
                .enumerate()
                .flat_map(|(table, made)| (0..made.rows.len()).map(move |row| (table, row)))
                .collect();
            let order = || Just(records.clone()).prop_shuffle();
            (Just(tables), order(), order())
                .prop_map(|(tables, first, second)| Case { tables, orders: [first, second] })
        })
}

fn make_table(ids: &[Vec<i32>], references: Vec<Reference>, rows: Vec<(i32, Vec<(bool, Index)>)>) -> Table {
    let rows = rows.into_iter().map(|(id, dice)| {
        let targets = references.iter().zip(dice).map(|(reference, (null, index))| {
            (!null || !reference.nullable).then(|| ids[reference.target][index.index(ids[reference.target].len())])
        });
        Row { id, targets: targets.collect() }
    });
    let rows = rows.collect();
    Table { references, rows }
}

impl Case {
    fn schema(&self) -> String {
        let table = |(number, table): (usize, &Table)| {
            let references = table.references.iter().enumerate().map(|(at, reference)| {
                let null = if reference.nullable { " null" } else { "" };
                format!(", r{at}_id int{null} -> app_t{}.id {}", reference.target, reference.mode)
            });
            format!("app_t{number}(id pk, name text{})\n", references.collect::<String>())
        };
        self.tables.iter().enumerate().map(table).collect()
    }

    fn export(&self, order: &[(usize, usize)]) -> String {
        let records = order.iter().map(|(table, row)| {
            let made = &self.tables[*table].rows[*row];
            let references = made.targets.iter().enumerate().map(|(at, target)| {
                let target = target.map_or("null".to_owned(), |target| target.to_string());
                format!(r#", "r{at}": {target}"#)
            });
            let fields = format!(r#""name": "{}"{}"#, made.id, references.collect::<String>());
            format!(r#"{{"model": "app.t{table}", "pk": {}, "fields": {{{fields}}}}}"#, made.id)
        });
        format!("[{}]", records.collect::<Vec<_>>().join(",\n"))
    }

    /// The rows of one table as they should be read.
    fn expected(&self, table: usize) -> Vec<String> {
        let rows = self.tables[table].rows.iter().map(|row| {
            let targets =
                row.targets.iter().map(|target| target.map_or("|NULL".to_owned(), |target| format!("|{target}")));
            format!("{}|{}{}", row.id, row.id, targets.collect::<String>())
        });
        rows.collect()
    }
}

/// The plan, save for whether rows had to be put in order: that depends on the order in which they came.
fn plan(outcome: &Outcome) -> Vec<(String, u64, Option<String>)> {
    let steps = outcome.report.plan.steps.iter().map(|step| {
        let relations: Vec<String> = step.relations.iter().map(ToString::to_string).collect();
        let way = step.cycle.as_ref().map(|cycle| cycle.way.to_string()).filter(|way| way != "row order");
        (relations.join(", "), step.records, way)
    });
    steps.collect()
}

fn holds(database: &TestDatabase, case: &Case) -> Result<(), TestCaseError> {
    database.run(&schema(&case.schema()).ddl(database.dialect()));
    let empty = Contents::of(database);
    let [first, second] = case.orders.each_ref().map(|order| Export::new(case.export(order)));
    let dry = Restore::of(&first).dry_run(true).into(database);
    prop_assert_eq!(&Contents::of(database), &empty, "a dry run left something");
    let real = Restore::of(&second).into(database);
    prop_assert!(real.committed, "{:#?}\n{:#?}", real.report, real.validation);
    prop_assert_eq!(plan(&dry), plan(&real));
    prop_assert_eq!(dry.report.totals, real.report.totals);
    for table in 0..case.tables.len() {
        let rows = lines(database, &format!("SELECT * FROM app_t{table} ORDER BY id"));
        prop_assert_eq!(rows, case.expected(table), "app_t{}", table);
    }
    if database.dialect() == "sqlite" {
        prop_assert_eq!(lines(database, "PRAGMA foreign_key_check"), Vec::<String>::new());
    }
    let before = Contents::of(database);
    let again = Restore::of(&first).mode(Mode::Skip).into(database);
    prop_assert!(again.committed, "{:#?}", again.report);
    prop_assert_eq!(again.report.totals.skipped, again.report.totals.read);
    before.assert_unchanged_after(database, "the second time");
    Ok(())
}

/// A target beside the export: rows by table, each with its name; those with the name of a record are the record's, whatever their ids.
#[derive(Clone, Debug)]
struct Before {
    case: Case,
    rows: Vec<Vec<(String, Row)>>,
    mode: Mode,
    ids: Ids,
}

/// What becomes of a record in the target: whether its row is there already, and which rows of the target its references lead to.
type Dice = (bool, Vec<(bool, Index)>);

fn targets() -> impl Strategy<Value = Before> {
    let mode =
        prop_oneof![Just(Mode::Insert), Just(Mode::Skip), Just(Mode::Upsert), Just(Mode::Merge), Just(Mode::Replace)];
    let ids = prop_oneof![1 => Just(Ids::Keep), 2 => Just(Ids::Remap), 2 => Just(Ids::New)];
    (cases(), mode, ids).prop_flat_map(|(case, mode, ids)| {
        let row = || (any::<bool>(), vec((any::<bool>(), any::<Index>()), 3));
        let dice: Vec<_> = case.tables.iter().map(|table| vec(row(), table.rows.len() + 2)).collect();
        // From 0 or past what most exports hold.
        let first = prop_oneof![Just(0), Just(2_000)];
        (Just(case), Just(mode), Just(ids), dice, first).prop_map(|(case, mode, ids, dice, first)| {
            let rows = before(&case, &dice, first);
            Before { case, rows, mode, ids }
        })
    })
}

/// Two rows of each table that no record names, and the rows of some records, backwards.
fn before(case: &Case, dice: &[Vec<Dice>], first: i32) -> Vec<Vec<(String, Row)>> {
    let named = case.tables.iter().zip(dice).map(|(table, dice)| {
        let there = table.rows.iter().zip(dice).filter(|(_, (there, _))| *there);
        let mut names: Vec<String> = there.map(|(row, _)| row.id.to_string()).collect();
        names.reverse();
        ["theirs".to_owned()].into_iter().chain(names).chain(["others".to_owned()]).collect::<Vec<String>>()
    });
    let named: Vec<Vec<String>> = named.collect();
    let table = |(at, names): (usize, &Vec<String>)| {
        let rows = names.iter().zip(&dice[at]).zip(first..).map(|((name, (_, dice)), id)| {
            let targets = case.tables[at].references.iter().zip(dice).map(|(reference, (null, index))| {
                let rows = named[reference.target].len();
                (!null || !reference.nullable).then(|| first + i32::try_from(index.index(rows)).expect("few rows"))
            });
            (name.clone(), Row { id, targets: targets.collect() })
        });
        rows.collect()
    };
    named.iter().enumerate().map(table).collect()
}

impl Before {
    /// Rows of one table: id, name, references as ids.
    fn statement(&self, table: usize) -> String {
        let rows = self.rows[table].iter().map(|(name, row)| {
            let targets =
                row.targets.iter().map(|target| target.map_or(", NULL".to_owned(), |target| format!(", {target}")));
            format!("({}, '{name}'{})", row.id, targets.collect::<String>())
        });
        format!("INSERT INTO app_t{table} VALUES {};\n", rows.collect::<Vec<_>>().join(", "))
    }

    fn fill(&self, database: &TestDatabase) {
        let rows: String = (0..self.rows.len()).map(|table| self.statement(table)).collect();
        database.run(&match database.dialect() {
            "sqlite" => format!("PRAGMA foreign_keys = OFF; {rows}"),
            "postgres" => format!("SET session_replication_role = replica; {rows}"),
            // Row number 0 is one.
            _ => format!("SET foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; {rows}"),
        });
    }

    /// Name of the row, and those of the rows that it references, as they should be read, sorted.
    fn expected(&self, table: usize) -> Vec<String> {
        let references = &self.case.tables[table].references;
        let of_target = |(_, row): &(String, Row)| -> Vec<String> {
            let name = |(reference, target): (&Reference, &Option<i32>)| {
                let found = |id: &i32| self.rows[reference.target].iter().find(|(_, row)| row.id == *id);
                target.as_ref().and_then(found).map_or("NULL".to_owned(), |(name, _)| name.clone())
            };
            references.iter().zip(&row.targets).map(name).collect()
        };
        let mut rows: HashMap<String, Vec<String>> = HashMap::new();
        if self.mode != Mode::Replace {
            rows.extend(self.rows[table].iter().map(|row| (row.0.clone(), of_target(row))));
        }
        for record in &self.case.tables[table].rows {
            // A record's name is its id.
            let own: Vec<String> =
                record.targets.iter().map(|target| target.map_or("NULL".to_owned(), |id| id.to_string())).collect();
            let there = rows.entry(record.id.to_string()).or_insert_with(|| own.clone());
            match self.mode {
                Mode::Upsert => *there = own,
                Mode::Merge => {
                    for (there, own) in there.iter_mut().zip(own).filter(|(there, _)| *there == "NULL") {
                        *there = own;
                    }
                }
                Mode::Insert | Mode::Skip | Mode::Replace => {}
            }
        }
        let mut lines: Vec<String> =
            rows.into_iter().map(|(name, targets)| [vec![name], targets].concat().join("|")).collect();
        lines.sort();
        lines
    }

    /// The same as it is.
    fn found(&self, database: &TestDatabase, table: usize) -> Vec<String> {
        let references = &self.case.tables[table].references;
        let columns = (0..references.len()).map(|at| format!(", r{at}.name")).collect::<Vec<_>>().concat();
        let join = |(at, reference): (usize, &Reference)| {
            format!(" LEFT JOIN app_t{} r{at} ON r{at}.id = t.r{at}_id", reference.target)
        };
        let joined: Vec<String> = references.iter().enumerate().map(join).collect();
        let sql = format!("SELECT t.name{columns} FROM app_t{table} t{}", joined.concat());
        let mut found = lines(database, &sql);
        found.sort();
        found
    }

    /// The ids of rows that were there and must have kept theirs.
    fn kept_ids(&self, database: &TestDatabase, table: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        let found = lines(database, &format!("SELECT name, id FROM app_t{table}"));
        for (name, row) in &self.rows[table] {
            let line = format!("{name}|{}", row.id);
            if !found.contains(&line) {
                wrong.push(line);
            }
        }
        wrong
    }

    fn restore(&self, database: &TestDatabase, export: &Export, dry_run: bool) -> Outcome {
        Restore::of(export).mode(self.mode).ids(self.ids).dry_run(dry_run).into(database)
    }
}

fn becomes_what_the_mode_says(database: &TestDatabase, before: &Before) -> Result<(), TestCaseError> {
    let text = before.case.schema().replace("name text", "name varchar(20) unique");
    database.run(&schema(&text).ddl(database.dialect()));
    before.fill(database);
    let contents = Contents::of(database);
    let [first, second] = before.case.orders.each_ref().map(|order| Export::new(before.case.export(order)));
    let dry = before.restore(database, &first, true);
    let other = before.restore(database, &second, true);
    prop_assert_eq!(&Contents::of(database), &contents, "a dry run left something");
    prop_assert_eq!(plan(&dry), plan(&other));
    prop_assert_eq!(dry.report.totals, other.report.totals);
    let real = before.restore(database, &first, false);
    let plain = |outcome: &Outcome| {
        let mut report = serde_json::to_value(&outcome.report).expect("reports serialize");
        report["dry_run"] = true.into();
        report.to_string()
    };
    prop_assert_eq!(plain(&dry), plain(&real));
    if real.report.status == Status::Refused {
        // Only what must be refused is.
        let expected = [code::EXISTING_ROW, code::ID_TAKEN];
        prop_assert!(before.mode == Mode::Insert || before.ids == Ids::Keep, "{:#?}", real.told());
        prop_assert!(real.codes().iter().all(|code| expected.contains(code)), "{:#?}", real.told());
        prop_assert_eq!(&Contents::of(database), &contents, "a refusal left something");
        return Ok(());
    }
    prop_assert!(real.committed, "{:#?}\n{:#?}", real.told(), real.validation);
    for table in 0..before.case.tables.len() {
        prop_assert_eq!(before.found(database, table), before.expected(table), "app_t{}", table);
        if before.mode != Mode::Replace {
            prop_assert_eq!(before.kept_ids(database, table), Vec::<String>::new(), "app_t{}", table);
        }
    }
    if matches!(before.mode, Mode::Skip | Mode::Upsert | Mode::Merge) {
        let contents = Contents::of(database);
        let again = before.restore(database, &second, false);
        prop_assert!(again.committed, "{:#?}", again.told());
        prop_assert_eq!(again.report.totals.inserted + again.report.totals.updated, 0, "{:#?}", again.report.relations);
        contents.assert_unchanged_after(database, "the second time");
    }
    Ok(())
}

fn check_modes(cases_max: u32, database: impl Fn() -> Option<TestDatabase>) {
    let config = Config { cases: cases_max, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let checked = TestRunner::new(config).run(&targets(), |before| match database() {
        Some(database) => becomes_what_the_mode_says(&database, &before),
        None => Ok(()),
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[test]
fn any_target_becomes_what_mode_and_ids_say_twice_as_once_in_sqlite() {
    check_modes(80, || Some(TestDatabase::sqlite()));
}

#[test]
fn any_target_becomes_what_mode_and_ids_say_twice_as_once_in_postgres() {
    if TestDatabase::postgres("property").is_some() {
        check_modes(20, || TestDatabase::postgres("property"));
    }
}

#[test]
fn any_target_becomes_what_mode_and_ids_say_twice_as_once_in_mysql() {
    if TestDatabase::mysql("property").is_some() {
        check_modes(20, || TestDatabase::mysql("property"));
    }
}

/// An export some of whose records are bad: they have no name.
#[derive(Clone, Debug)]
struct Spoilt {
    case: Case,
    bad: HashSet<(usize, usize)>,
    nulls: bool,
}

fn spoilt() -> impl Strategy<Value = Spoilt> {
    (cases(), vec(any::<Index>(), 1..=3), any::<bool>()).prop_map(|(case, dice, nulls)| {
        let bad = dice.iter().map(|index| case.orders[0][index.index(case.orders[0].len())]).collect();
        Spoilt { case, bad, nulls }
    })
}

impl Spoilt {
    fn export(&self) -> String {
        let records: Vec<String> = self.case.export(&self.case.orders[0]).lines().map(str::to_owned).collect();
        let spoil = |(line, at): (&String, &(usize, usize))| {
            let name = format!(r#""name": "{}""#, self.case.tables[at.0].rows[at.1].id);
            if self.bad.contains(at) { line.replace(&name, r#""name": null"#) } else { line.clone() }
        };
        records.iter().zip(&self.case.orders[0]).map(spoil).collect::<Vec<_>>().join("\n")
    }

    /// The records that cannot be restored: the bad ones, and what must reference one of these.
    fn gone(&self) -> HashSet<(usize, i32)> {
        let tables = &self.case.tables;
        let mut gone: HashSet<(usize, i32)> =
            self.bad.iter().map(|(table, row)| (*table, tables[*table].rows[*row].id)).collect();
        loop {
            let before = gone.len();
            for (at, table) in tables.iter().enumerate() {
                for row in &table.rows {
                    let mut references = table.references.iter().zip(&row.targets);
                    let follows = |(reference, target): (&Reference, &Option<i32>)| {
                        let must = !(self.nulls && reference.nullable);
                        must && target.is_some_and(|target| gone.contains(&(reference.target, target)))
                    };
                    if references.any(follows) {
                        gone.insert((at, row.id));
                    }
                }
            }
            if gone.len() == before {
                return gone;
            }
        }
    }
}

fn rejects_what_is_bad_and_what_references_it(database: &TestDatabase, spoilt: &Spoilt) -> Result<(), TestCaseError> {
    database.run(&schema(&spoilt.case.schema()).ddl(database.dialect()));
    let export = Export::new(spoilt.export());
    let on_dangling = if spoilt.nulls { OnDangling::Null } else { OnDangling::Fail };
    let restore = |dry_run| {
        let options =
            move |options: &mut Options| (options.on_error, options.on_dangling) = (OnError::Reject, on_dangling);
        Restore::of(&export).options(options).dry_run(dry_run).into(database)
    };
    let dry = restore(true);
    let real = restore(false);
    prop_assert!(real.committed, "{:#?}\n{:#?}", real.told(), real.validation);
    prop_assert_eq!(dry.rejections(), real.rejections());
    let gone = spoilt.gone();
    let expected: HashSet<u64> = (0..)
        .zip(&spoilt.case.orders[0])
        .filter(|(_, (table, row))| gone.contains(&(*table, spoilt.case.tables[*table].rows[*row].id)))
        .map(|(ordinal, _)| ordinal)
        .collect();
    let rejected: HashSet<u64> = real.rejected.iter().map(|rejected| rejected.file_ordinal).collect();
    prop_assert_eq!(rejected, expected);
    for rejected in &real.rejected {
        let root = rejected.chain.last().map(|reason| reason.code.as_str());
        prop_assert_eq!(root, Some("restore::missing-value"), "{:#?}", rejected);
    }
    for (at, table) in spoilt.case.tables.iter().enumerate() {
        let kept = table.rows.iter().filter(|row| !gone.contains(&(at, row.id))).map(|row| {
            let targets = table.references.iter().zip(&row.targets).map(|(reference, target)| match target {
                Some(target) if !gone.contains(&(reference.target, *target)) => format!("|{target}"),
                _ => "|NULL".to_owned(),
            });
            format!("{}|{}{}", row.id, row.id, targets.collect::<String>())
        });
        let found = lines(database, &format!("SELECT * FROM app_t{at} ORDER BY id"));
        prop_assert_eq!(found, kept.collect::<Vec<_>>(), "app_t{}", at);
    }
    Ok(())
}

fn check_rejects(cases_max: u32, database: impl Fn() -> Option<TestDatabase>) {
    let config = Config { cases: cases_max, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let checked = TestRunner::new(config).run(&spoilt(), |spoilt| match database() {
        Some(database) => rejects_what_is_bad_and_what_references_it(&database, &spoilt),
        None => Ok(()),
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[test]
fn any_bad_records_are_rejected_with_just_what_references_them_from_sqlite() {
    check_rejects(60, || Some(TestDatabase::sqlite()));
}

#[test]
fn any_bad_records_are_rejected_with_just_what_references_them_from_postgres() {
    if TestDatabase::postgres("property").is_some() {
        check_rejects(15, || TestDatabase::postgres("property"));
    }
}

#[test]
fn any_bad_records_are_rejected_with_just_what_references_them_from_mysql() {
    if TestDatabase::mysql("property").is_some() {
        check_rejects(15, || TestDatabase::mysql("property"));
    }
}

fn check(cases_max: u32, database: impl Fn() -> Option<TestDatabase>) {
    let config = Config { cases: cases_max, failure_persistence: None, max_shrink_iters: 60, ..Config::default() };
    let checked = TestRunner::new(config).run(&cases(), |case| match database() {
        Some(database) => holds(&database, &case),
        None => Ok(()),
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[test]
fn any_schema_and_any_order_of_records_loads_the_same_rows_by_the_same_plan_into_sqlite() {
    check(40, || Some(TestDatabase::sqlite()));
}

#[test]
fn any_schema_and_any_order_of_records_loads_the_same_rows_by_the_same_plan_into_postgres() {
    if TestDatabase::postgres("property").is_some() {
        check(8, || TestDatabase::postgres("property"));
    }
}

#[test]
fn any_schema_and_any_order_of_records_loads_the_same_rows_by_the_same_plan_into_mysql() {
    if TestDatabase::mysql("property").is_some() {
        check(8, || TestDatabase::mysql("property"));
    }
}
