//! Schemas and rows that nobody thought of: tables that reference themselves and each other at random, with rows that fit, in any order.

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestRunner},
};
use relink_e2e::{Contents, Export, Outcome, Restore, lines};
use relink_restore::Mode;
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
