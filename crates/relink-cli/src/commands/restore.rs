//! `relink restore`: read, check, load, validate, keep what was rejected, then commit or roll back.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::ValueEnum;
use jiff::Timestamp;
use relink_db::{Access, DatabaseUrl, Dialect};
use relink_export::{Index, OpenOptions, Source};
use relink_model::{
    Catalog, Config, Mode, OnDangling, OnError, Severity,
    config::{ConfigError, TableConfig},
};
use relink_restore::{Applied, Handling, MovedId, Options, Report, Request, SchemaScript, Selection, Status};
use relink_validate::{Check, CheckResult, Status as Checked};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::validate;
use crate::{
    args::{FamilyArgument, ReportFormat, RestoreArguments},
    config, diagnostics,
    exit::{Exit, Failure},
    progress::Progress,
    rejects::{RejectFiles, Rejects},
    render,
};

/// The report of `relink restore --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RestoreReport")]
pub(crate) struct RestoreOutput<'a> {
    /// What was restored.
    #[serde(flatten)]
    restore: &'a Report,
    /// The validation of the tables concerned, made before the commit; null where the restore was refused before, and with `--skip-validation`.
    validation: Option<&'a relink_validate::Report>,
    /// `--skip-validation`: what was restored has not been validated.
    validation_skipped: bool,
    /// Ids of checks that fail, and failed on as many rows before the restore began: it is not to blame, and is kept.
    stood_before: &'a [String],
    /// The rejected records, and where they are; null where there are none.
    rejects: Option<&'a Rejects>,
}

/// Whether the rules fit the database, asked before anything is written.
pub(crate) fn precheck(config: &Config) -> impl Fn(&Catalog, &dyn Dialect) -> Result<(), Vec<ConfigError>> {
    |catalog, dialect| relink_validate::plan(catalog, config, dialect).map(|_| ())
}

pub(crate) async fn run(arguments: &RestoreArguments) -> Result<Exit, Failure> {
    let url = super::database_url(arguments.into.as_deref(), "name it with --into URL")?;
    let config = config::load(arguments.config.as_deref())?;
    let profiles = config::profiles(&config)?;
    let now = validate::now(&config)?;
    let interrupted = listen();
    let options = options(arguments, &config);
    let rejecting = options.on_error == OnError::Reject || options.on_dangling == OnDangling::Reject;
    if arguments.faults.rejects.is_some() && !rejecting {
        return Err(Failure::RejectsUnused);
    }
    let id_map = arguments.rows.id_map.as_deref().map(id_map).transpose()?.unwrap_or_default();
    let mut progress = Progress::new();
    let (source, index) = read(&arguments.exports, arguments.from, arguments.encoding.as_ref(), &mut progress)?;
    let labels = index.labels.clone();
    let files = RejectFiles::of(arguments.faults.rejects.as_deref(), &arguments.exports[0], source.format());
    if rejecting {
        files.check()?;
    }
    let access = if arguments.schema.is_some() { Access::Create } else { Access::ReadWrite };
    let schema = arguments.schema.as_ref().map(|path| schema_script(path, url.dialect_name())).transpose()?;
    let connection = super::connect(&url, access).await?;
    let precheck = precheck(&config);
    let request = Request {
        interrupted: &interrupted,
        source: source.clone(),
        index,
        config: &config,
        profiles: &profiles,
        options: &options,
        id_map: &id_map,
        dry_run: arguments.dry_run,
        schema,
        precheck: &precheck,
    };
    let applied = relink_restore::restore(connection, request, &mut |event| progress.restore(&event)).await;
    let mut applied = applied?;
    let validation = if arguments.proof.skip_validation {
        None
    } else {
        match validation(&mut applied, &config, now, &mut progress).await {
            Ok(validation) => validation,
            Err(failure) => return Err(give_up(applied, failure).await),
        }
    };
    let stood_before = match &validation {
        // Once batches are committed, nobody can tell any more what stood there before.
        Some(report) if !applied.is_committed() => {
            let failed: Vec<&CheckResult> = report.checks.iter().filter(|check| is_wrong(check)).collect();
            stood_before(&url, &config, now, &failed).await
        }
        _ => Vec::new(),
    };
    // What could not be judged is no pass, whoever is to blame.
    let broken =
        |check: &CheckResult| check.status == Checked::Error || is_wrong(check) && !stood_before.contains(&check.id);
    let sound = validation.as_ref().is_none_or(|report| !report.checks.iter().any(broken));
    if interrupted.load(Ordering::Relaxed) {
        return Err(give_up(applied, relink_restore::Error::Interrupted.into()).await);
    }
    let rejects = if sound { Rejects::of(applied.rejected(), applied.moved_ids(), &files) } else { None };
    let report = if !sound {
        applied.roll_back_invalid().await?
    } else if applied.is_open() && !arguments.dry_run {
        commit(applied, &source, &labels, &files).await?
    } else {
        applied.roll_back().await?
    };
    progress.finish();
    let rejects = rejects.as_ref();
    match arguments.format {
        ReportFormat::Json => super::print_json(&RestoreOutput {
            restore: &report,
            validation: validation.as_ref(),
            validation_skipped: arguments.proof.skip_validation,
            stood_before: &stood_before,
            rejects,
        }),
        ReportFormat::Text => {
            let shown = render::restore::Facts {
                report: &report,
                validation: validation.as_ref(),
                validation_skipped: arguments.proof.skip_validation,
                stood_before: &stood_before,
                rejects,
                again: &rejects.map(|rejects| again(rejects, arguments, &options, &url)).unwrap_or_default(),
                clearing: &clearing(&config),
            };
            super::print(&render::restore::render(&shown, &source, diagnostics::colour_on_stdout()));
        }
    }
    Ok(exit(&report, rejects.is_some()))
}

/// Rolls back because of what failed after the load. What was committed on the way stays: then the restore has stopped, whatever the reason.
pub(super) async fn give_up(applied: Applied, failure: Failure) -> Failure {
    match (applied.is_committed(), applied.roll_back().await, failure) {
        (true, _, Failure::Restore(error)) => relink_restore::Error::Stopped(error).into(),
        (true, _, failure) => Failure::Stopped(Box::new(failure)),
        (false, Ok(_), failure) => failure,
        (false, Err(undo), _) => undo.into(),
    }
}

/// What the command line says comes before what the configuration says.
fn options(arguments: &RestoreArguments, config: &Config) -> Options {
    let configured = Options::of(config);
    let RestoreArguments { rows, selection, faults, load, proof, .. } = arguments;
    Options {
        mode: rows.mode().unwrap_or(configured.mode),
        ids: rows.ids.map_or(configured.ids, Into::into),
        external_refs: rows.external_refs.map(Into::into).or(configured.external_refs),
        on_dangling: faults.on_dangling.map_or(configured.on_dangling, Into::into),
        on_error: faults.on_error.map_or(configured.on_error, Into::into),
        allow_drift: faults.allow_drift.map_or(configured.allow_drift, Into::into),
        strategy: load.strategy.into(),
        triggers: load.triggers.map_or(configured.triggers, Into::into),
        verify: proof.verify.map_or(configured.verify, Into::into),
        selection: Selection {
            only: selection.only.clone(),
            exclude: selection.exclude.clone(),
            conditions: selection.conditions.clone(),
            wanted: None,
        },
        commit_every: load.commit_every,
        resume: load.resume,
        jobs: load.jobs.and_then(|jobs| usize::try_from(jobs).ok()),
        memory_bytes: load.memory.map(|size| size.as_u64()),
    }
}

/// Keeps the rejected records, then commits: what cannot be kept is not left out of the target either.
async fn commit(applied: Applied, source: &Source, labels: &[String], files: &RejectFiles) -> Result<Report, Failure> {
    if applied.rejected().is_empty() {
        return Ok(applied.commit().await?);
    }
    if let Err(failure) = files.write(source, labels, applied.rejected(), applied.moved_ids()) {
        return Err(give_up(applied, failure).await);
    }
    applied.commit().await.map_err(|error| {
        let unknown = matches!(error, relink_restore::Error::CommitUnknown(_));
        let failure = Failure::from(error);
        // They are needed if the rows are there after all; and what cannot be removed must not go unsaid.
        if unknown || files.remove().is_err() {
            return Failure::RejectsKept { failure: Box::new(failure), path: files.records.clone() };
        }
        failure
    })
}

/// The command that restores what was rejected once it is mended. Nothing may be cleared then.
fn again(rejects: &Rejects, arguments: &RestoreArguments, options: &Options, url: &DatabaseUrl) -> String {
    let mut words =
        vec!["relink restore".to_owned(), quoted(&rejects.path), "--into".to_owned(), quoted(&url.to_string())];
    let mut add = |option: &str, value: &str| words.extend([option.to_owned(), quoted(value)]);
    if let Some(config) = &arguments.config {
        add("--config", &config.display().to_string());
    }
    if let Some(family) = &arguments.from {
        add("--from", &spelled(family));
    }
    match options.mode {
        Mode::Replace => add("--mode", "insert"),
        _ => arguments.rows.mode.iter().for_each(|mode| add("--mode", &spelled(mode))),
    }
    if let Some(ids) = &arguments.rows.ids {
        add("--ids", &spelled(ids));
    }
    if let Some(how) = &arguments.rows.external_refs {
        add("--external-refs", &spelled(how));
    }
    if let Some(ids) = &rejects.ids {
        add("--id-map", ids);
    }
    if let Some(level) = &arguments.faults.allow_drift {
        add("--allow-drift", &spelled(level));
    }
    words.join(" ")
}

/// Reads the file of `--id-map`.
fn id_map(path: &Path) -> Result<Vec<MovedId>, Failure> {
    let text = super::read_file(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = lines.map(|(at, line)| {
        serde_json::from_str(line).map_err(|error| Failure::IdMap {
            path: path.to_owned(),
            line: at + 1,
            reason: error.to_string(),
        })
    });
    parsed.collect()
}

/// As it stands on the command line.
fn spelled(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// For a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Tables that the configuration itself has cleared, whatever the command line says.
fn clearing(config: &Config) -> Vec<String> {
    let clears = |(name, table): (&String, &TableConfig)| (table.mode == Some(Mode::Replace)).then(|| name.clone());
    config.table.iter().filter_map(clears).collect()
}

/// Whether a check found what must not be.
pub(super) fn is_wrong(check: &CheckResult) -> bool {
    check.status == Checked::Fail && check.severity == Severity::Error
}

/// How the tables of a restore are validated, before and after: what is allowed then is allowed now.
pub(super) fn validating(now: Timestamp, config: &Config) -> relink_validate::Options {
    relink_validate::Options {
        exhaustive: relink_validate::exhaustive(config, false),
        partial: true,
        ..validate::options(now, config)
    }
}

/// Failing rows that nothing allows.
fn open(check: &CheckResult) -> u64 {
    check.counts.failed - check.counts.allowed
}

/// How long a second connection waits for what the restore's own has locked: for good, were it to wait.
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// Whether a check came to the same, failing on as many rows.
pub(super) fn is_no_worse(earlier: &CheckResult, check: &CheckResult) -> bool {
    earlier.id == check.id && earlier.status == check.status && open(earlier) >= open(check)
}

/// Those of these checks that came to the same before, failing on as many rows: what other connections still see. Nothing where that cannot be read, as where
/// the restore had to alter a table's keys, which locks the table (PostgreSQL).
pub(super) async fn stood_before(
    url: &DatabaseUrl,
    config: &Config,
    now: Timestamp,
    failed: &[&CheckResult],
) -> Vec<String> {
    if failed.is_empty() {
        return Vec::new();
    }
    let options = relink_validate::Options { samples_max: 0, ..validating(now, config) };
    let again = |checks: &[Check], _: &Catalog| {
        Ok(checks.iter().filter(|check| failed.iter().any(|failed| failed.id == check.id)).cloned().collect())
    };
    let before = async {
        let waits = Some(LOCK_WAIT);
        let mut before = validate::measure(url, config, &options, (false, waits), again, &mut |_| {}).await?;
        before.accept(config, None, &options)?;
        Ok::<_, Failure>(before.report)
    };
    let Ok(before) = before.await else { return Vec::new() };
    let as_many = |check: &&&CheckResult| before.checks.iter().any(|earlier| is_no_worse(earlier, check));
    failed.iter().filter(as_many).map(|check| check.id.clone()).collect()
}

/// A role that may not do this is refused by the database; anything else that stops a restore is a refusal of relink's.
fn exit(report: &Report, rejected: bool) -> Exit {
    match report.status {
        Status::Restored if rejected => return Exit::Findings,
        Status::Restored => return Exit::Clean,
        Status::Invalid => return Exit::Refused,
        Status::Stopped => return Exit::Stopped,
        Status::Refused => {}
    }
    let mut stops = report.findings.iter().filter(|group| group.handling == Handling::Stops);
    let privileges = stops.all(|group| group.code == relink_restore::code::MISSING_PRIVILEGE);
    if privileges { Exit::Database } else { Exit::Refused }
}

/// Listens for the user's Ctrl-C from now on. The restore then rolls back by itself, so that nothing stays, also where a rollback alone
/// would not do. Where signals cannot be had, Ctrl-C ends the program as it always does.
pub(super) fn listen() -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    if let Ok(mut signal) = signal(SignalKind::interrupt()) {
        let interrupted = Arc::clone(&interrupted);
        tokio::spawn(async move {
            if signal.recv().await.is_some() {
                interrupted.store(true, Ordering::Relaxed);
            }
        });
    }
    interrupted
}

/// Opens and indexes the export.
pub(super) fn read(
    exports: &[PathBuf],
    from: Option<FamilyArgument>,
    encoding: Option<&String>,
    progress: &mut Progress,
) -> Result<(Source, Index), Failure> {
    let mut options = OpenOptions::default();
    options.encoding = encoding.cloned();
    options.format = from.map(FamilyArgument::family);
    super::open_export(exports, &options, progress)
}

/// The script of a file, or the one of a folder that is for this database.
fn schema_script(path: &Path, dialect: &str) -> Result<SchemaScript, Failure> {
    let path = if path.is_dir() {
        let name = format!("{dialect}.sql");
        let script = path.join(&name);
        if !script.is_file() {
            return Err(Failure::NoScript { folder: path.to_owned(), name });
        }
        script
    } else {
        path.to_owned()
    };
    Ok(SchemaScript { sql: super::read_file(&path)?, name: path.display().to_string() })
}

/// Validates the tables that were loaded, inside the open transaction.
pub(super) async fn validation(
    applied: &mut Applied,
    config: &Config,
    now: Timestamp,
    progress: &mut Progress,
) -> Result<Option<relink_validate::Report>, Failure> {
    if !applied.is_open() {
        return Ok(None);
    }
    let catalog = applied.catalog().clone();
    let touched = applied.touched().to_vec();
    let connection = applied.connection();
    let checks = relink_validate::plan(&catalog, config, connection.dialect()).map_err(Failure::Config)?;
    let options = relink_validate::Options { only: Some(touched), ..validating(now, config) };
    let mut events = |event| validate::show(progress, &event);
    let mut report = relink_validate::run(connection, &catalog, &checks, &options, &mut events).await?;
    relink_validate::accept(&mut report, &checks, &catalog, config, None, &options).map_err(Failure::Config)?;
    Ok(Some(report))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use relink_model::{AllowDrift, ExternalRefs, Ids, Strategy, TriggerPolicy, Verify};

    use super::*;
    use crate::args::{Arguments, Command};

    fn arguments(given: &[&str]) -> RestoreArguments {
        let all = ["relink", "restore", "dump.json"].iter().chain(given);
        match Arguments::try_parse_from(all).expect("well-formed").command {
            Command::Restore(restore) => *restore,
            other => panic!("{other:?} is no restore"),
        }
    }

    fn config(text: &str) -> Config {
        toml::from_str(text).expect("well-formed")
    }

    const CONFIGURED: &str = "[restore]\nmode = \"skip\"\nids = \"remap\"\nexternal_refs = \"key\"\non_dangling = \"null\"\n\
                              on_error = \"reject\"\nallow_drift = \"models\"\ntriggers = \"disable\"\nverify = \"full\"\n";

    #[test]
    fn the_configuration_counts_where_the_command_line_is_silent() {
        let config = config(CONFIGURED);
        assert_eq!(options(&arguments(&[]), &config), Options::of(&config));
        assert_eq!(options(&arguments(&[]), &Config::default()), Options::default());
    }

    #[test]
    fn every_option_of_the_command_line_reaches_the_engine_and_comes_first() {
        let given = [
            "--clear-existing",
            "--ids=new",
            "--external-refs=refuse",
            "--on-dangling=reject",
            "--on-error=fail",
            "--allow-drift=fields",
            "--strategy=raw",
            "--triggers=fire",
            "--verify=references",
            "--only=a,b",
            "--exclude=c",
            "--where=a: x > 1",
            "--commit-every=500",
            "--resume",
            "--jobs=4",
            "--memory=1MiB",
        ];
        let expected = Options {
            mode: Mode::Replace,
            ids: Ids::New,
            external_refs: Some(ExternalRefs::Refuse),
            on_dangling: OnDangling::Reject,
            on_error: OnError::Fail,
            allow_drift: AllowDrift::Fields,
            strategy: Strategy::Raw,
            triggers: TriggerPolicy::Fire,
            verify: Verify::References,
            selection: Selection {
                only: vec!["a".to_owned(), "b".to_owned()],
                exclude: vec!["c".to_owned()],
                conditions: vec![("a".to_owned(), "x > 1".to_owned())],
                wanted: None,
            },
            commit_every: Some(500),
            resume: true,
            jobs: Some(4),
            memory_bytes: Some(1 << 20),
        };
        assert_eq!(options(&arguments(&given), &config(CONFIGURED)), expected);
    }

    #[test]
    fn what_was_rejected_is_restored_the_same_way_and_never_clears() {
        let rejects = Rejects {
            records: 1,
            path: "it's here.rejects.json".to_owned(),
            reasons: String::new(),
            ids: None,
            tables: Vec::new(),
        };
        let url: DatabaseUrl = "postgres://app:s3cret@db/shop".parse().expect("a URL");
        let command = |given: &[&str], config: &Config| {
            let arguments = arguments(given);
            again(&rejects, &arguments, &options(&arguments, config), &url)
        };
        let fixed = r"relink restore 'it'\''s here.rejects.json' --into 'postgres://app:***@db/shop'";
        let none = Config::default();
        assert_eq!(command(&["--on-error=reject", "--strategy=row"], &none), fixed);
        assert_eq!(command(&["--clear-existing"], &none), format!("{fixed} --mode insert"));
        assert_eq!(command(&[], &config("[restore]\nmode = \"replace\"")), format!("{fixed} --mode insert"));
        let given = ["--mode=upsert", "--ids=remap", "--external-refs=key", "--allow-drift=fields", "--from=row-files"];
        let expected =
            format!("{fixed} --from row-files --mode upsert --ids remap --external-refs key --allow-drift fields");
        assert_eq!(command(&given, &none), expected);
        assert_eq!(clearing(&config("[table.a]\nmode = \"replace\"\n[table.b]\nmode = \"skip\"")), ["a"]);
    }
}
