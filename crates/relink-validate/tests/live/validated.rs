//! Runs relink's validation on a test's database or export, and reads its report.

use std::{path::Path, sync::Arc};

use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_export::{OpenOptions, Source};
use relink_model::config::{Config, ConfigError};
use relink_model::{Catalog, TypeKind};
use relink_testkit::TestDatabase;
use relink_validate::{
    Check, CheckResult, Export, Options, Report, Sample, Status, plan, plan_export, run, run_export,
};

/// What counts as now unless a test says otherwise.
pub(crate) const NOW: &str = "2026-11-20T12:00:00Z";

/// Validates with samples enough for every test.
pub(crate) async fn validate(database: &TestDatabase, config: &str) -> Report {
    validate_with(database, config, 20).await.unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Validates, or returns the mistakes in the configuration.
pub(crate) async fn validate_with(
    database: &TestDatabase,
    config: &str,
    samples_max: usize,
) -> Result<Report, Vec<ConfigError>> {
    let url: DatabaseUrl = database.url().parse().expect("a database URL");
    let config: Config = toml::from_str(config).expect("a configuration");
    let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
    let mut catalog = connection.introspect().await.expect("introspects");
    config.add_virtual_references(&mut catalog)?;
    let checks = plan(&catalog, &config, connection.dialect())?;
    connection.begin(TransactionKind::Snapshot).await.expect("begins");
    let now = config.run.now.as_deref().unwrap_or(NOW).parse().expect("an instant");
    let options =
        Options { samples_max, timezone: config.run.timezone.clone(), ..Options::new(now, std::env::temp_dir()) };
    let report = run(&mut *connection, &catalog, &checks, &options, &mut |_| {}).await.expect("runs");
    connection.rollback().await.expect("ends");
    connection.close().await.expect("closes");
    Ok(report)
}

/// What a database says of itself.
pub(crate) async fn catalog_of(database: &TestDatabase) -> Catalog {
    let url: DatabaseUrl = database.url().parse().expect("a database URL");
    let mut connection = relink_db::connect(&url, Access::ReadOnly).await.expect("connects");
    let catalog = connection.introspect().await.expect("introspects");
    connection.close().await.expect("closes");
    catalog
}

/// The catalog of a script that SQLite understands.
pub(crate) async fn catalog_of_script(sql: &str) -> Catalog {
    let database = TestDatabase::sqlite();
    database.run(sql);
    catalog_of(&database).await
}

/// Options with samples enough for every test.
pub(crate) fn options() -> Options {
    Options::new(NOW.parse().expect("an instant"), std::env::temp_dir())
}

/// An export that is judged: a file `export.json` of this text.
pub(crate) struct Judged {
    pub(crate) report: Report,
    pub(crate) checks: Vec<Check>,
    pub(crate) catalog: Catalog,
}

/// Validates the text of an export.
pub(crate) async fn validate_export(json: &str, catalog: Catalog, config: &str) -> Report {
    judge_export(json, catalog, config, &options()).await.report
}

/// As [`validate_export`], with the checks that were made.
pub(crate) async fn judge_export(json: &str, catalog: Catalog, config: &str, options: &Options) -> Judged {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export.json");
    std::fs::write(&path, json).expect("it is written");
    judge_file(&path, catalog, config, options).await
}

/// Makes some of the checks of an export only.
pub(crate) async fn judge_some(
    json: &str,
    catalog: Catalog,
    wanted: &dyn Fn(&Check) -> bool,
    options: &Options,
) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export.json");
    std::fs::write(&path, json).expect("it is written");
    judge_file_by(&path, catalog, "", wanted, options).await.report
}

/// Validates the file of an export.
pub(crate) async fn judge_file(path: &Path, catalog: Catalog, config: &str, options: &Options) -> Judged {
    judge_file_by(path, catalog, config, &|_| true, options).await
}

async fn judge_file_by(
    path: &Path,
    mut catalog: Catalog,
    config: &str,
    wanted: &dyn Fn(&Check) -> bool,
    options: &Options,
) -> Judged {
    let source = Source::open(path, &OpenOptions::default()).expect("opens");
    let index = source.index(&mut |_| {}).expect("it is sound");
    let config: Config = toml::from_str(config).expect("a configuration");
    config.add_virtual_references(&mut catalog).expect("the references resolve");
    let mut checks = plan_export(&catalog, &config).expect("plans");
    checks.retain(wanted);
    let timezone = config.run.timezone.clone();
    let options = Options { timezone, ..options.clone() };
    let export = Export { source: &source, index: &index, schema: "the test's" };
    let catalog = Arc::new(catalog);
    let report = run_export(export, &catalog, &config, &[], &checks, &options, &mut |_| {}).await.expect("runs");
    Judged { report, checks, catalog: catalog.as_ref().clone() }
}

/// The rows of a database as an export of a map of tables: numbers as numbers, everything else as the database writes it.
pub(crate) fn exported(database: &TestDatabase, catalog: &Catalog) -> String {
    let quote = |name: &str| match database.dialect() {
        "mysql" => format!("`{name}`"),
        _ => format!("\"{name}\""),
    };
    let mut tables = serde_json::Map::new();
    for relation in &catalog.relations {
        let columns: Vec<String> = relation.columns.iter().map(|column| quote(&column.name)).collect();
        let rows = database.rows(&format!("SELECT {} FROM {}", columns.join(", "), quote(&relation.name.name)));
        let cell = |kind: &TypeKind, text: Option<String>| -> serde_json::Value {
            let Some(text) = text else { return serde_json::Value::Null };
            match kind {
                TypeKind::Boolean if matches!(text.as_str(), "t" | "1") => true.into(),
                TypeKind::Boolean if matches!(text.as_str(), "f" | "0") => false.into(),
                TypeKind::Json => serde_json::from_str(&text).expect("a document"),
                TypeKind::Integer { .. } => text.parse::<i64>().map_or_else(|_| text.into(), Into::into),
                _ => text.into(),
            }
        };
        let row = |row: Vec<Option<String>>| -> serde_json::Value {
            let pairs = relation.columns.iter().zip(row);
            pairs.map(|(column, text)| (column.name.clone(), cell(&column.data_type.kind, text))).collect()
        };
        tables.insert(relation.name.name.clone(), rows.into_iter().map(row).collect());
    }
    serde_json::Value::Object(tables).to_string()
}

/// Validates a database, and an export of all its rows by the same schema: `(which of the two, report)`.
pub(crate) async fn validate_both(database: &TestDatabase, config: &str) -> [(String, Report); 2] {
    let live = validate(database, config).await;
    let catalog = catalog_of(database).await;
    let json = exported(database, &catalog);
    let offline = validate_export(&json, catalog, config).await;
    let dialect = database.dialect();
    [(dialect.to_owned(), live), (format!("export of {dialect}"), offline)]
}

/// The keys of the samples of a check, sorted: `id=2`.
pub(crate) fn keys(report: &Report, id: &str) -> Vec<String> {
    let mut keys: Vec<String> =
        samples(report, id).iter().map(|sample| sample.split(" | ").next().unwrap_or_default().to_owned()).collect();
    keys.sort();
    keys
}

/// What is said to be wrong with each row: `id=2: below 0`.
pub(crate) fn problems(report: &Report, id: &str) -> Vec<String> {
    let keys = samples(report, id);
    let said = check(report, id).samples.iter().zip(&keys).map(|(sample, shown)| {
        let key = shown.split(" | ").next().unwrap_or_default();
        format!("{key}: {}", sample.problem.as_deref().unwrap_or_default())
    });
    let mut said: Vec<String> = said.collect();
    said.sort();
    said
}

/// The ids of the checks that did not pass, in order.
pub(crate) fn troubles(report: &Report) -> Vec<&str> {
    report.checks.iter().filter(|check| check.status != Status::Pass).map(|check| check.id.as_str()).collect()
}

/// The check of this id.
pub(crate) fn check<'a>(report: &'a Report, id: &str) -> &'a CheckResult {
    let ids = || report.checks.iter().map(|check| check.id.as_str()).collect::<Vec<_>>();
    report.checks.iter().find(|check| check.id == id).unwrap_or_else(|| panic!("no check {id} among {:?}", ids()))
}

/// `(failed, failed_distinct, not_judged)` of the check of this id, which ran.
pub(crate) fn counts(report: &Report, id: &str) -> (u64, u64, u64) {
    let check = check(report, id);
    assert_ne!(check.status, Status::Error, "{id} could not be run: {:?}", check.why);
    assert_eq!(check.counts.judged + check.counts.not_judged, check.counts.total, "{id}");
    (check.counts.failed, check.counts.failed_distinct, check.counts.not_judged)
}

/// `key=value ... | column=value ...` of each sample.
pub(crate) fn samples(report: &Report, id: &str) -> Vec<String> {
    let pairs = |pairs: &indexmap::IndexMap<String, Option<String>>| {
        let text = |(name, value): (&String, &Option<String>)| format!("{name}={}", value.as_deref().unwrap_or("NULL"));
        pairs.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    let one = |sample: &Sample| format!("{} | {}", pairs(&sample.key), pairs(&sample.values));
    check(report, id).samples.iter().map(one).collect()
}
