//! Runs relink's validation on a test's database, and reads its report.

use relink_db::{Access, DatabaseUrl, TransactionKind};
use relink_model::config::{Config, ConfigError};
use relink_testkit::TestDatabase;
use relink_validate::{CheckResult, Options, Report, Sample, Status, plan, run};

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
